//! What the place of an address in a notice says: whether it is the one that
//! failed, the sender's, or somebody to ask. The words before it decide.

/// How sure it is that an address in a notice is the one that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Somewhere in a sentence.
    Sentence,
    /// Behind a word such as "to", "for", "recipient".
    Labelled,
    /// At the start of a line.
    Line,
}

/// Whether a line belongs to an echo of the returned mail's head ("Your message
/// To: … Subject: …"), whose addresses are not what failed.
pub fn is_echo(words: &str, before: bool, paragraph: bool) -> bool {
    const HEADS: [&str; 10] = [
        "subject:",
        "sent:",
        "date:",
        "from:",
        "cc:",
        "betreff:",
        "gesendet:",
        "von:",
        "objet :",
        "asunto:",
    ];
    if HEADS.iter().any(|h| words.starts_with(h)) {
        return true;
    }
    // "To:" right under "Your message" is the head, anywhere else it is the address.
    if words.starts_with("to: ") || words.starts_with("an: ") {
        return before;
    }
    (words == "your message" || words == "ihre nachricht" || words == "your message:")
        || (before && !paragraph && words.starts_with("to:"))
}

/// How an address stands in its line; nothing for the sender's and for helpers'.
pub fn of(before: &str, after: &str, echo: bool) -> Option<Place> {
    let bare = |c: char| {
        c.is_whitespace()
            || matches!(
                c,
                '<' | '>'
                    | '"'
                    | '\''
                    | '('
                    | ')'
                    | '['
                    | ']'
                    | '*'
                    | '-'
                    | '•'
                    | '·'
                    | '#'
                    | '='
                    | ':'
                    | ','
                    | '.'
                    | '»'
                    | '„'
                    | '“'
                    | '”'
                    | '‚'
                    | '「'
            )
    };
    // "Jo Muster<mailto:jo@example.org>", alone in its line: a name and its address.
    if let Some(name) = before.strip_suffix("<mailto:")
        && after.trim() == ">"
        && name.split_whitespace().count() <= 4
        && !name.trim().is_empty()
        && !name.contains([':', '.', ','])
        && !is_foreign(name.trim())
    {
        return Some(Place::Line);
    }
    let label = before.trim_end_matches(bare).trim_start_matches(bare);
    if label.ends_with("generated from") {
        return Some(Place::Labelled);
    }
    if is_foreign(label) {
        return None;
    }
    if label.ends_with("rcpt to") {
        return Some(Place::Labelled);
    }
    if echo {
        return Some(Place::Sentence);
    }
    if label.is_empty() || label.bytes().all(|b| b.is_ascii_digit()) {
        // "See http://… or write to" goes on behind it; a line of its own does not.
        let sentence = after.trim_start_matches(bare).starts_with("for ") && before.is_empty();
        return Some(if sentence { Place::Labelled } else { Place::Line });
    }
    if is_label(label) {
        return Some(Place::Labelled);
    }
    Some(Place::Sentence)
}

/// Words before an address that is not the one that failed.
fn is_foreign(label: &str) -> bool {
    const ENDS: &[&str] = &[
        "from",
        "sender",
        "contact",
        "reply-to",
        "message-id",
        "helo",
        "ehlo",
        "envelope-from",
        "by",
        "help",
        "questions",
        "write to",
        "report to",
        "von",
        "absender",
        "absenders",
        "kontakt",
        "an unseren",
        "mailto",
        "forward to",
        "instead",
        "unter",
        "sent from",
        "try",
        "emailing",
        "sender address",
        "return-path",
        "id",
        "expéditeur",
        "remitente",
        "mittente",
        "proveniente da",
        "inviato da",
        "wysłane przez",
        "отправитель",
        "отправителя",
        "afzender",
        "avsändare",
        "afsender",
        "gönderen",
    ];
    const HAS: &[&str] = &[
        "please contact",
        "for assistance",
        "for help",
        "assistance",
        "wenden sie sich",
        "contact the",
        "forward this",
        "mail from:",
        "feedback",
        "for further",
    ];
    ENDS.iter().any(|e| {
        label.ends_with(e)
            && !label[..label.len() - e.len()].ends_with(|c: char| c.is_alphanumeric())
    }) || HAS.iter().any(|h| label.contains(h))
}

/// Words before the address that failed.
const LABELS: &[&str] = &[
    "to",
    "for",
    "recipient",
    "recipients",
    "recipient(s)",
    "address",
    "addresses",
    "address(es)",
    "user",
    "users",
    "mailbox",
    "account",
    "rcpt to",
    "rcpt",
    "addressed to",
    "deliver to",
    "delivered to",
    "smtp",
    "rfc822",
    "error-for",
    "affected",
    "mail to",
    "message to",
    "with",
    "of",
    "destination",
    "t",
    "empfänger",
    "empfängers",
    "empfänger/in",
    "an",
    "adresse",
    "e-mail-adresse",
    "mailadresse",
    "für",
    "benutzer",
    "postfach",
    "konto",
    "destinataire",
    "destinataires",
    "à",
    "l'adresse",
    "pour",
    "a",
    "para",
    "destinatario",
    "destinatarios",
    "dirección",
    "indirizzo",
    "al",
    "utente",
    "all'utente",
    "destinato a",
    "ontvanger",
    "aan",
    "adres",
    "do",
    "odbiorca",
    "adresat",
    "получателю",
    "получатель",
    "адрес",
    "адресу",
    "recipient <",
    "local user",
];

/// Whether the words before an address say that it failed.
fn is_label(label: &str) -> bool {
    LABELS.iter().any(|e| {
        label.ends_with(e)
            && !label[..label.len() - e.len()].ends_with(|c: char| c.is_alphanumeric())
    })
}
