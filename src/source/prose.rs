//! Running text: single spaces, sentences, a teaser made of them, the language.
//!
//! Knows German and English. It never invents or shortens a sentence that fits.

/// Characters a teaser aims at: three lines in a mail of 600 pixels.
const TEASER: usize = 300;
/// Characters below which a teaser takes a further sentence though it grows past the aim.
const TEASER_LEAST: usize = 60;
/// Characters at which even a single sentence is cut, at a word, with an ellipsis.
const TEASER_MOST: usize = 600;

/// Short forms whose full stop ends no sentence, lower case, without the stop.
const SHORT_FORMS: &[&str] = &[
    "abs", "abt", "allg", "art", "aug", "bd", "bspw", "bzgl", "bzw", "ca", "co", "dez", "dipl",
    "dr", "e.g", "evtl", "feb", "ff", "fr", "geb", "gem", "ggf", "hl", "hr", "hrsg", "i.e", "inc",
    "ing", "inkl", "insb", "jan", "jh", "jr", "kath", "lfd", "lt", "ltd", "mag", "max", "min",
    "mio", "mr", "mrd", "mrs", "ms", "no", "nov", "nr", "okt", "prof", "rev", "sep", "sept", "sog",
    "st", "stellv", "str", "tel", "univ", "ver", "vgl", "vs", "z.b", "zzgl",
];

/// Whether a character makes what follows read in another order than it is written
/// (UAX #9, sections 2.1 to 2.4): one line can so seem to say what it does not. A
/// direction is told by `dir`; the two marks of RTL text, which only place punctuation, stay.
pub fn reorders(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// One line of text: white space to single spaces, invisible characters and controls gone.
pub fn squeeze(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut gap = false;
    for c in text.chars() {
        match c {
            '\u{ad}' | '\u{200b}' | '\u{2060}' | '\u{feff}' => {}
            c if c.is_whitespace() => gap = true,
            c if c.is_control() || reorders(c) => {}
            c => {
                if gap && !out.is_empty() {
                    out.push(' ');
                }
                gap = false;
                out.push(c);
            }
        }
    }
    out
}

/// Whether a line ends as a sentence does.
pub fn ends_sentence(line: &str) -> bool {
    let bare = line.trim_end_matches(['"', '“', '”', '»', '«', '’', '\'', ')', ']', ' ']);
    bare.ends_with(['.', '!', '?', '…', ':'])
}

/// The sentences of a paragraph.
pub fn sentences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if !matches!(c, '.' | '!' | '?' | '…') {
            continue;
        }
        let mut end = at + c.len_utf8();
        while let Some((i, next)) = chars.peek().copied() {
            if !matches!(
                next,
                '.' | '!' | '?' | '…' | '"' | '“' | '”' | '»' | '«' | '’' | '\'' | ')' | ']'
            ) {
                break;
            }
            end = i + next.len_utf8();
            chars.next();
        }
        let rest = &text[end..];
        let begins = rest.trim_start().chars().next();
        let fresh =
            begins.is_none_or(|c| !c.is_lowercase()) && (rest.is_empty() || rest.starts_with(' '));
        if fresh && !(c == '.' && is_short_form(&text[start..at])) {
            found.push(text[start..end].trim());
            start = end;
        }
    }
    if !text[start..].trim().is_empty() {
        found.push(text[start..].trim());
    }
    found
}

/// Whether the word before a full stop keeps the sentence open: "Dr", "4", "z. B", "St".
fn is_short_form(before: &str) -> bool {
    let word = before.rsplit([' ', '(', '„', '"', '/', '-']).next().unwrap_or("");
    let ordinal = word.len() <= 2 && !word.is_empty() && word.chars().all(|c| c.is_ascii_digit());
    let initial = word.chars().count() == 1 && word.chars().all(char::is_alphabetic);
    ordinal || initial || SHORT_FORMS.contains(&word.to_lowercase().as_str())
}

/// A text whose written-out web addresses have no name and no password before their host.
pub fn without_secrets(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        kept.push_str(before);
        let end = |c: char| c.is_whitespace() || "/?#<>\"'".contains(c);
        let host = &after[..after.find(end).unwrap_or(after.len())];
        rest = &after[host.rfind('@').map_or(0, |at| at + 1)..];
    }
    kept + rest
}

/// Whole sentences from the beginning of the paragraphs.
pub fn teaser<'a>(paragraphs: impl IntoIterator<Item = &'a str>) -> String {
    let mut teaser = String::new();
    for paragraph in paragraphs {
        for sentence in sentences(paragraph) {
            let grown = teaser.chars().count() + sentence.chars().count();
            if teaser.chars().count() >= TEASER_LEAST && grown > TEASER {
                return teaser;
            }
            if !teaser.is_empty() {
                teaser.push(' ');
            }
            teaser.push_str(sentence);
        }
        if teaser.chars().count() >= TEASER_LEAST {
            break;
        }
    }
    cut(&teaser)
}

/// Cuts what is far too long for a teaser at a word.
fn cut(text: &str) -> String {
    let Some((end, _)) = text.char_indices().nth(TEASER_MOST) else {
        return text.to_owned();
    };
    let head = &text[..end];
    let word = head.rfind(' ').unwrap_or(head.len());
    format!("{} …", head[..word].trim_end_matches([',', ';', ' ', '–', '-']))
}

/// `de` or `en`, by the small words; `None` when neither prevails.
pub fn language(text: &str) -> Option<&'static str> {
    const GERMAN: &[&str] = &[
        "der", "die", "das", "und", "ist", "im", "den", "mit", "für", "auf", "ein", "eine", "von",
        "wird", "werden", "dem", "zu", "sich", "nicht", "wir", "sie", "zum", "zur", "am",
    ];
    const ENGLISH: &[&str] = &[
        "the", "and", "of", "to", "is", "for", "with", "on", "are", "that", "this", "you", "be",
        "at", "by", "we", "as", "it", "our", "will", "from", "an",
    ];
    let (mut german, mut english) = (0, 0);
    for word in text.split(|c: char| !c.is_alphabetic()).take(2_000) {
        let word = word.to_lowercase();
        german += usize::from(GERMAN.contains(&word.as_str()));
        english += usize::from(ENGLISH.contains(&word.as_str()));
    }
    match () {
        () if german >= 3 && german > 2 * english => Some("de"),
        () if english >= 3 && english > 2 * german => Some("en"),
        () => None,
    }
}

/// Escapes text for HTML, in elements and in quoted attributes.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{language, sentences, squeeze, teaser};

    #[test]
    fn german_abbreviations_and_ordinals_end_no_sentence() {
        let text = "Am 4. Juli sprach Frau Prof. Dr. Gonser, z. B. über Vernetzung. Sie sagte: „Gut so!“ Danach gab es Kaffee.";
        assert_eq!(sentences(text).len(), 3);
        assert_eq!(sentences(text)[1], "Sie sagte: „Gut so!“");
        assert_eq!(sentences("Das war 2023. Nun ist 2026."), ["Das war 2023.", "Nun ist 2026."]);
        assert_eq!(sentences("Version 2.1 ist da"), ["Version 2.1 ist da"]);
    }

    #[test]
    fn a_teaser_is_whole_sentences() {
        let long =
            "Ein Satz mit genug Wörtern, damit er für sich stehen kann und trägt. ".repeat(10);
        let teased = teaser([long.trim()]);
        assert!(teased.ends_with("trägt.") && teased.chars().count() <= 300, "{teased}");
        assert_eq!(
            teaser(["Kurz.", "Und ein zweiter Absatz, der dazukommt, weil der erste nichts sagt."]),
            "Kurz. Und ein zweiter Absatz, der dazukommt, weil der erste nichts sagt."
        );
        assert!(teaser(["Wort ".repeat(300).trim()]).ends_with("Wort …"));
        assert_eq!(teaser([]), "");
    }

    #[test]
    fn invisible_characters_go() {
        assert_eq!(squeeze(" a\u{a0}\u{a0} b\u{ad}c\u{200b}\u{feff}\n"), "a bc");
        assert_eq!(squeeze("Rechnung\u{202e}fdp.exe\u{2069}"), "Rechnungfdp.exe");
    }

    #[test]
    fn the_language_shows_in_the_small_words() {
        assert_eq!(language("Die Stadt und der Kreis laden für den Abend ein."), Some("de"));
        assert_eq!(language("The city and the county invite you to an evening."), Some("en"));
        assert_eq!(language("Musterhafen"), None);
    }
}
