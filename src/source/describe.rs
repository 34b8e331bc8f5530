//! Tells picture descriptions that lie bare in a text from headings and sentences.
//!
//! A page copied as text keeps the alternative texts of its pictures as lines of their own
//! ("Foto eines Impulsraums Foto eines Impulsraums") or glued to a paragraph ("Foto mit Prof.
//! GonserFrau Prof. Dr. …"). Only shape and first words tell them; doubt keeps the text.

use crate::source::prose;

/// Characters of a line of descriptions.
const LINE: usize = 400;
/// Characters of one description glued to the front of a paragraph.
const GLUED: usize = 120;

/// Words a description begins with, lower case.
const BEGIN: &[&str] = &[
    "foto",
    "fotos",
    "bild",
    "bilder",
    "abbildung",
    "aufnahme",
    "gruppenfoto",
    "gruppenbild",
    "symbolbild",
    "symbolfoto",
    "titelbild",
    "portrait",
    "porträt",
    "portraitfoto",
    "porträtfoto",
    "luftbild",
    "luftaufnahme",
    "panorama",
    "grafik",
    "logo",
    "screenshot",
    "bildschirmfoto",
    "illustration",
    "schaubild",
    "diagramm",
    "plakat",
    "karte",
    "collage",
    "teaserbild",
    "headerbild",
    "vorschaubild",
    "startbild",
    "schmuckbild",
    "nahaufnahme",
    "detailaufnahme",
    "photo",
    "picture",
    "image",
    "portrait",
    "aerial",
];
/// What follows such a word, or "Blick", in a description but not in a sentence's beginning.
const FOLLOW: &[&str] = &[
    "von", "vom", "der", "des", "eines", "einer", "mit", "aus", "auf", "in", "im", "zum", "zur",
    "bei", "beim", "über", "of", "with", "from", "showing", "view",
];
/// Small words that begin a sentence or a second description when they stand capitalised.
const SMALL: &[&str] = &[
    "Der",
    "Die",
    "Das",
    "Ein",
    "Eine",
    "Einen",
    "Am",
    "Im",
    "In",
    "Mit",
    "Für",
    "Frau",
    "Herr",
    "Rund",
    "Unter",
    "Wir",
    "Bei",
    "Auf",
    "An",
    "Zum",
    "Zur",
    "Nach",
    "Seit",
    "Vom",
    "Von",
    "Aus",
    "Es",
    "Sie",
    "Er",
    "Ihr",
    "Als",
    "Um",
    "Zwischen",
    "Den",
    "Dem",
    "Insgesamt",
    "Über",
    "Viele",
    "Mehr",
    "Dieser",
    "Diese",
    "Dieses",
    "Beim",
    "Anlässlich",
    "Wer",
    "Was",
    "Wie",
    "Wenn",
    "Ab",
    "Bis",
    "Ob",
    "The",
    "A",
    "An",
    "On",
    "At",
    "With",
    "This",
    "We",
    "More",
];

/// Whether the whole line is nothing but descriptions of pictures.
pub fn is_description(line: &str) -> bool {
    if line.chars().count() > LINE || prose::ends_sentence(line) && !begins_as_description(line) {
        return false;
    }
    let words: Vec<&str> = line.split_whitespace().collect();
    let sentence = prose::sentences(line).len() > 1 || line.ends_with(['!', '?']);
    !sentence
        && (begins_as_description(line) && !has_verb(&words) || repeats(&words) || restarts(&words))
}

/// "Foto von …", "Blick in …", "Gruppenfoto: …", "Logo Musterstadt".
fn begins_as_description(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let Some(first) = words.next() else {
        return false;
    };
    let second = words.next();
    let name = first.trim_end_matches([':', ',']).to_lowercase();
    // "Bild des Monats gesucht" is a heading as well; the verb decides, see the caller.
    let known = BEGIN.contains(&name.as_str())
        || BEGIN
            .iter()
            .any(|begin| begin.len() > 3 && name.ends_with(begin) && name.len() > begin.len());
    let follows = second.is_none_or(|word| {
        first.ends_with(':')
            || FOLLOW.contains(&word.to_lowercase().as_str())
            || word.starts_with(char::is_uppercase)
    });
    let view = matches!(name.as_str(), "blick" | "ansicht" | "view")
        && second
            .is_some_and(|word| FOLLOW.contains(&word) || matches!(word, "into" | "durch" | "vom"));
    (known && follows) || view
}

/// A pair of words that comes twice, as when neighbouring pictures are described alike.
fn repeats(words: &[&str]) -> bool {
    let pairs: Vec<_> = words.windows(2).collect();
    pairs.iter().enumerate().any(|(at, pair)| {
        let content = pair
            .iter()
            .any(|word| word.chars().count() > 3 && word.starts_with(char::is_uppercase));
        content && pairs[at + 1..].contains(pair)
    })
}

/// A description word or a capitalised small word in mid-line without a stop before it.
fn restarts(words: &[&str]) -> bool {
    words.windows(2).skip(1).any(|pair| {
        let open = pair[0].ends_with(char::is_alphanumeric);
        let small = SMALL.contains(&pair[1]) && words.len() >= 5 && !TITLE_SAFE.contains(&pair[0]);
        open && small
    }) || words.windows(3).skip(1).any(|three| {
        // "… der Bücherei Blick auf die Regale": a second description begins behind a noun.
        let begins = three[1].starts_with(char::is_uppercase)
            && (BEGIN.contains(&three[1].to_lowercase().as_str()) || three[1] == "Blick");
        let behind =
            three[0].ends_with(char::is_alphanumeric) && three[0].starts_with(char::is_uppercase);
        begins && behind && FOLLOW.contains(&three[2])
    })
}

/// Words after which a capitalised small word is part of a name: "Haus Am Markt", "Wir im Quartier".
const TITLE_SAFE: &[&str] = &[
    "Haus", "Gasthaus", "Hotel", "Projekt", "Film", "Buch", "Treff", "Café", "Cafe", "und", "and",
    "Motto", "Aktion", "Kampagne", "Reihe", "Magazin",
];

/// Finite verbs that make a line a headline and no description.
fn has_verb(words: &[&str]) -> bool {
    const VERBS: &[&str] = &[
        "ist",
        "sind",
        "war",
        "wird",
        "werden",
        "wurde",
        "wurden",
        "hat",
        "haben",
        "kann",
        "können",
        "soll",
        "sollen",
        "gesucht",
        "zeigt",
        "zeigen",
        "erscheint",
        "startet",
        "starten",
        "gewinnt",
        "gewinnen",
        "erklärt",
        "jetzt",
        "verfügbar",
        "is",
        "are",
        "was",
        "will",
        "has",
    ];
    words.iter().any(|word| VERBS.contains(&word.trim_matches(|c: char| !c.is_alphanumeric())))
}

/// The paragraph without descriptions glued to its front, and those descriptions.
pub fn unglue(line: &str) -> (&str, Option<&str>) {
    let mut from = 0;
    let chars: Vec<(usize, char)> = line.char_indices().collect();
    for pair in chars.windows(2) {
        let ((_, before), (at, after)) = (pair[0], pair[1]);
        if at > GLUED {
            break;
        }
        let joint = (before.is_lowercase() || matches!(before, ')' | '.')) && after.is_uppercase();
        if !joint || line[..at].ends_with("z.") {
            continue;
        }
        let (front, rest) = line.split_at(at);
        let first = rest.split_whitespace().next().unwrap_or("");
        let sentence = rest.chars().count() > 60 && prose::ends_sentence(rest);
        let described = begins_as_description(front)
            && !has_verb(&front.split_whitespace().collect::<Vec<_>>());
        let small = SMALL.contains(&first)
            && front.split_whitespace().count() >= 2
            && prose::sentences(front).len() == 1
            && !before.is_ascii_punctuation();
        if sentence && (described || small) {
            from = at;
        }
    }
    match from {
        0 => (line, None),
        at => (&line[at..], Some(line[..at].trim())),
    }
}

#[cfg(test)]
mod tests {
    use super::{is_description, unglue};

    #[test]
    fn bare_descriptions_are_recognised() {
        for line in [
            "Foto von der Bürgermeisterin Blick in den Saal Foto vom Markt",
            "Foto eines Standes Foto eines Standes",
            "Leiterinnen eines Arbeitskreises mit Ministerin Muster Gespräch mit Ministerin Muster",
            "Gruppenfoto der Preisträgerinnen",
            "Blick auf den neuen Marktplatz",
            "Bürgermeister Muster auf dem Spielplatz Das neue Klettergerüst",
            "Leserin am Fenster der Bücherei Blick auf die Regale",
            "Symbolbild: Radweg im Herbst",
            "Logo der Stadt Musterhafen",
            "Photo of the mayor",
        ] {
            assert!(is_description(line), "{line}");
        }
    }

    #[test]
    fn headings_and_sentences_are_not() {
        for line in [
            "Anmeldung und Programm",
            "Video zum Fachtag am 4. Juli",
            "Mehr Grün für die Innenstadt",
            "Bild des Jahres gesucht",
            "Fotos sind ab sofort im Archiv zu sehen.",
            "Karten gibt es an der Abendkasse.",
            "Wer kann mitmachen?",
            "Das Foto zeigt die Bürgermeisterin. Es entstand im Mai.",
            "Alle Termine auf einen Blick",
            "Einen Blick in die Zukunft wagen",
            "Von Tür zu Tür und von Haus zu Haus",
        ] {
            assert!(!is_description(line), "{line}");
        }
    }

    #[test]
    fn a_description_glued_to_a_paragraph_comes_off() {
        let rest = "Frau Prof. Dr. Muster, Leiterin der Schule, hielt eine Rede, die lange in Erinnerung bleiben wird.";
        let glued = format!("Foto mit Prof. Muster{rest}");
        assert_eq!(unglue(&glued), (rest, Some("Foto mit Prof. Muster")));
        let plain = "Der FamilienForschung im Landesamt und der StadtWerke folgten rund 300 Aktive aus dem ganzen Land.";
        assert_eq!(unglue(plain), (plain, None));
    }
}
