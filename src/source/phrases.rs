//! The standing words of web sites, German and English, in one place: the way back, buttons,
//! "you are here", credits, what begins a picture description, what ends an article.
//!
//! Rules for any site; a site with words of its own gets CSS selectors instead.

/// Characters beyond which a line is prose and no standing phrase.
const PHRASE: usize = 70;

/// Buttons, menus, footers: lines that are never an article's.
const STANDING: &[&str] = &[
    "nach oben",
    "zum seitenanfang",
    "seitenanfang",
    "zum anfang",
    "to top",
    "back to top",
    "top",
    "drucken",
    "seite drucken",
    "artikel drucken",
    "druckversion",
    "druckansicht",
    "print",
    "print this page",
    "teilen",
    "seite teilen",
    "artikel teilen",
    "beitrag teilen",
    "auf facebook teilen",
    "share",
    "share this",
    "seite empfehlen",
    "weiterempfehlen",
    "per e-mail teilen",
    "per e-mail versenden",
    "link kopieren",
    "facebook",
    "twitter",
    "whatsapp",
    "linkedin",
    "xing",
    "instagram",
    "youtube",
    "mastodon",
    "threema",
    "telegram",
    "pinterest",
    "e-mail",
    "email",
    "vorlesen",
    "seite vorlesen",
    "artikel vorlesen",
    "vorlesen lassen",
    "listen",
    "menü",
    "menu",
    "menü öffnen",
    "menü schließen",
    "suche",
    "suche öffnen",
    "suchen",
    "search",
    "hauptmenü",
    "navigation",
    "navigation überspringen",
    "hauptnavigation",
    "zum inhalt",
    "zum inhalt springen",
    "zum hauptinhalt springen",
    "direkt zum inhalt",
    "zur navigation",
    "skip to content",
    "skip to main content",
    "impressum",
    "datenschutz",
    "datenschutzerklärung",
    "barrierefreiheit",
    "erklärung zur barrierefreiheit",
    "kontakt",
    "sitemap",
    "inhaltsverzeichnis",
    "leichte sprache",
    "gebärdensprache",
    "imprint",
    "legal notice",
    "privacy",
    "privacy policy",
    "contact",
    "accessibility",
    "startseite",
    "home",
    "login",
    "anmelden",
    "abmelden",
    "english",
    "deutsch",
    "bild vergrößern",
    "vergrößern",
    "enlarge",
    "schließen",
    "close",
    "vorheriger artikel",
    "nächster artikel",
    "vorheriger beitrag",
    "nächster beitrag",
    "vorherige meldung",
    "nächste meldung",
    "vorige meldung",
    "previous",
    "next",
    "previous article",
    "next article",
    "vorherige",
    "nächste",
    "vorheriges bild",
    "nächstes bild",
    "slideshow",
    "alle akzeptieren",
    "alle ablehnen",
    "nur notwendige",
    "einstellungen",
    "cookie-einstellungen",
    "accept all",
    "reject all",
    "settings",
];

/// A line without the arrows, bullets and brackets sites put around links, lower case.
fn bare(line: &str) -> String {
    line.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase()
}

/// Whether the line leads back or away from the article's end: "Zurück zur Übersicht", also
/// beside other buttons: "« zurück | nach oben".
pub fn is_way_back(line: &str) -> bool {
    let parts: Vec<&str> = line.split(['|', '·', '•']).collect();
    leads_back(line)
        || parts.iter().any(|part| leads_back(part))
            && parts.iter().all(|part| leads_back(part) || is_button(part) || bare(part).is_empty())
}

fn leads_back(line: &str) -> bool {
    const WHOLE: &[&str] = &[
        "zurück",
        "back",
        "zur übersicht",
        "zur übersichtsseite",
        "alle meldungen",
        "alle news",
        "alle neuigkeiten",
        "alle beiträge",
        "alle artikel",
        "zum archiv",
        "go back",
        "zur newsübersicht",
        "zur nachrichtenübersicht",
        "all news",
        "all articles",
    ];
    const BEGIN: &[&str] = &["zurück zu", "zurück auf", "back to ", "return to "];
    let line = bare(line);
    line.len() <= PHRASE
        && (WHOLE.contains(&line.as_str()) || BEGIN.iter().any(|b| line.starts_with(b)))
}

/// Whether the line is a button or a piece of navigation and nothing of the article.
pub fn is_standing(line: &str) -> bool {
    let mut parts = line.split(['|', '·', '•']).filter(|part| !bare(part).is_empty()).peekable();
    is_button(line) || parts.peek().is_some() && parts.all(is_button)
}

fn is_button(line: &str) -> bool {
    // "Kontakt:" announces what follows.
    let announces = line.trim_end().ends_with(':');
    let line = bare(line);
    !announces && line.len() <= PHRASE && STANDING.contains(&line.as_str())
}

/// Whether a heading or a line says that the article is over: "Weitere Meldungen".
pub fn ends_article(line: &str) -> bool {
    const BEGIN: &[&str] = &[
        "das könnte sie auch",
        "das könnte dich auch",
        "auch interessant",
        "weitere meldungen",
        "weitere artikel",
        "weitere beiträge",
        "weitere nachrichten",
        "weitere neuigkeiten",
        "weitere news",
        "weitere pressemitteilungen",
        "weitere themen",
        "ähnliche artikel",
        "ähnliche beiträge",
        "ähnliche meldungen",
        "verwandte",
        "mehr zum thema",
        "mehr aus ",
        "mehr news",
        "aktuelle meldungen",
        "aktuelle beiträge",
        "neueste beiträge",
        "neueste kommentare",
        "letzte beiträge",
        "schreibe einen kommentar",
        "kommentar schreiben",
        "kommentar verfassen",
        "diesen beitrag teilen",
        "beitrag teilen",
        "artikel teilen",
        "teilen auf",
        "related ",
        "you may also",
        "you might also",
        "more news",
        "more from",
        "leave a reply",
        "leave a comment",
        "beitragsnavigation",
        "newsletter abonnieren",
        "über den autor",
        "about the author",
        "vorheriger beitrag",
        "nächster beitrag",
    ];
    const WHOLE: &[&str] = &[
        "kommentare",
        "comments",
        "schlagwörter",
        "schlagworte",
        "tags",
        "teilen",
        "share",
        "mehr",
    ];
    let line = bare(line);
    line.len() <= PHRASE
        && (WHOLE.contains(&line.as_str()) || BEGIN.iter().any(|b| line.starts_with(b)))
}

/// Whether the text asks for consent to cookies.
pub fn asks_for_cookies(text: &str) -> bool {
    let text = text.to_lowercase();
    text.contains("cookie")
        && [
            "akzept",
            "zustimm",
            "einwillig",
            "verwende",
            "nutzt",
            "nutzen wir",
            "wir nutzen",
            "setzt",
            "einstellung",
            "accept",
            "consent",
            "we use",
            "uses cookies",
        ]
        .iter()
        .any(|word| text.contains(word))
}

/// What follows "Sie sind hier:" when the line begins so.
pub fn you_are_here(line: &str) -> Option<&str> {
    const BEGIN: &[&str] = &[
        "sie sind hier",
        "sie befinden sich hier",
        "du bist hier",
        "ihre position",
        "ihr standort",
        "aktuelle seite",
        "pfadnavigation",
        "brotkrümelnavigation",
        "brotkrumennavigation",
        "breadcrumb",
        "you are here",
        "current page",
        "navigationspfad",
    ];
    let trimmed = line.trim_start_matches(|c: char| !c.is_alphanumeric());
    let lower = trimmed.to_lowercase();
    let begin = BEGIN.iter().find(|begin| lower.starts_with(**begin))?;
    // The phrases are ASCII up to "brotkrümel"; `get` refuses a cut inside a character.
    let rest = trimmed.get(begin.len()..)?;
    Some(rest.trim_start_matches([':', ' ', '\u{a0}', '»', '>', '›', '/']))
}

/// Whether a step of a path is the site's front door.
pub fn is_home(step: &str) -> bool {
    const WHOLE: &[&str] =
        &["startseite", "start", "home", "homepage", "hauptseite", "zur startseite", "front page"];
    WHOLE.contains(&bare(step).as_str()) || bare(step).is_empty()
}

/// Whether a lone line names the kind of page and not the article: "Pressemitteilung".
pub fn is_kind_of_page(line: &str) -> bool {
    const WHOLE: &[&str] = &[
        "pressemitteilung",
        "pressemitteilungen",
        "pressemeldung",
        "presse",
        "aktuelles",
        "neuigkeiten",
        "neuigkeit",
        "meldung",
        "meldungen",
        "nachrichten",
        "news",
        "artikel",
        "beitrag",
        "blog",
        "veranstaltung",
        "veranstaltungen",
        "termine",
        "press release",
        "newsletter",
        "rathaus",
        "amtsblatt",
        "bekanntmachung",
    ];
    WHOLE.contains(&bare(line).as_str())
}

#[cfg(test)]
mod tests {
    use super::{asks_for_cookies, ends_article, is_way_back, you_are_here};

    #[test]
    fn the_way_back_has_many_forms() {
        for yes in [
            "Zurück",
            "« Zurück",
            "zurück zur Übersicht",
            "← Back to news",
            "Zurück zur Startseite",
        ] {
            assert!(is_way_back(yes), "{yes}");
        }
        for no in ["Zurück in die Zukunft", "Zurückhaltung", "Wir blicken zurück."] {
            assert!(!is_way_back(no), "{no}");
        }
    }

    #[test]
    fn standing_phrases_are_told_from_prose() {
        assert!(ends_article("Das könnte Sie auch interessieren"));
        assert!(ends_article("Weitere Meldungen"));
        assert!(!ends_article("Weitere Informationen"));
        assert!(!ends_article("Kommentare der Jury zu den ausgezeichneten Entwürfen"));
        assert!(asks_for_cookies("Wir verwenden Cookies, um unsere Seite zu verbessern."));
        assert!(!asks_for_cookies("Der Keksladen verkauft Cookies."));
        assert_eq!(you_are_here("Sie sind hier: »Aktuelles / News"), Some("Aktuelles / News"));
        assert_eq!(you_are_here("Sie sind willkommen"), None);
    }
}
