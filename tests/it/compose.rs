//! What the rules make of articles: sections, lead, events, and what is left out with
//! its reason.

use jiff::Timestamp;
use rundbrief::article::{ArticleId, Event, Image, Record};
use rundbrief::issue::compose::{Candidate, Composed, compose};
use rundbrief::issue::content::Form;
use rundbrief::newsletter::{self, definition::Definition};

fn definition(rules: &str) -> Definition {
    let text = include_str!("../../deploy/newsletter.toml");
    let (before, rest) = text.split_once("[rules]").unwrap();
    let (_, after) = rest.split_once("[policies]").unwrap();
    let text = format!("{before}{rules}\n[policies]{after}");
    newsletter::parse(&text, "test.toml".as_ref()).unwrap()
}

fn now() -> Timestamp {
    "2026-11-23T08:00:00Z".parse().unwrap()
}

/// The article of this number, so many hours old, in these categories.
fn article(id: i64, hours: i64, title: &str, categories: &[&str]) -> Candidate {
    let at = now() - jiff::SignedDuration::from_hours(hours);
    Candidate {
        article: ArticleId::new(id),
        revision: 1,
        origin: "rathaus".to_owned(),
        first_seen: now(),
        record: Record {
            title: title.to_owned(),
            teaser: format!("{title}: was die Stadt jetzt plant und wer mitreden kann."),
            categories: categories.iter().map(|&name| name.to_owned()).collect(),
            published_at: Some(at),
            ..Record::default()
        },
    }
}

fn event(id: i64, title: &str, start: &str, end: Option<&str>) -> Candidate {
    let mut one = article(id, 1, title, &[]);
    let (start, end) = (start.parse().unwrap(), end.map(|end| end.parse().unwrap()));
    one.record.event = Some(Event { start, end, place: None });
    one
}

/// The issue as lines: headings, then form and article.
fn shown(composed: &Composed) -> Vec<String> {
    let draft = composed.draft.as_ref().unwrap();
    let mut lines = Vec::new();
    for section in &draft.content.sections {
        lines.extend(section.title.as_ref().map(|title| format!("# {title}")));
        lines.extend(section.items().map(|item| {
            let form = match item.form {
                Form::Lead => "lead",
                Form::Standard => "standard",
                Form::Short => "short",
                Form::Event => "event",
            };
            format!("{form} {}", item.article)
        }));
    }
    lines
}

fn reasons(composed: &Composed) -> Vec<String> {
    composed.left_out.iter().map(|one| format!("{}: {}", one.article, one.why)).collect()
}

const SECTIONS: &str = "
[[rules.section]]
title = \"Rathaus\"
categories = [\"Rathaus\", \"Aktuelles / Verwaltung\"]
[[rules.section]]
title = \"Quartiere\"
categories = [\"quartiere\"]
at_most = 1
short = true
";

#[test]
fn articles_go_to_the_first_section_that_wants_them() {
    let mut by_kicker = article(5, 5, "Bürgerbüro", &[]);
    by_kicker.record.kicker = vec!["Aktuelles".to_owned(), "Verwaltung".to_owned()];
    let articles = [
        article(1, 1, "Haushalt 2027", &["Rathaus"]),
        article(2, 2, "Straßenfest", &["Quartiere"]),
        article(3, 3, "Nachbarschaft", &["QUARTIERE "]),
        article(4, 4, "Wetter", &["Sonstiges"]),
        by_kicker,
    ];
    let composed = compose(&definition(SECTIONS), &articles, now());
    assert_eq!(
        shown(&composed),
        [
            "lead 1",
            "# Rathaus",
            "standard 5",
            "# Quartiere",
            "short 2",
            "# Weitere Meldungen",
            "standard 3",
            "standard 4",
        ]
    );
    assert_eq!(reasons(&composed), Vec::<String>::new());
    let draft = composed.draft.unwrap();
    assert_eq!(draft.subject, "Haushalt 2027");
    assert_eq!(draft.preheader, "Bürgerbüro · Straßenfest · Nachbarschaft · Wetter");
    assert!(draft.content.editorial.is_some());
}

#[test]
fn what_no_section_wants_is_named_when_the_rest_is_left_out() {
    let rules = format!("[rules]\nrest = \"\"\nlead = \"none\"\n{SECTIONS}");
    let articles = [article(1, 1, "Haushalt", &["Rathaus"]), article(4, 4, "Wetter", &[])];
    let composed = compose(&definition(&rules), &articles, now());
    assert_eq!(shown(&composed), ["# Rathaus", "standard 1"]);
    assert_eq!(reasons(&composed), ["4: no section wants it, or the section is full"]);
}

#[test]
fn without_sections_there_are_no_headings_and_the_newest_leads() {
    let articles =
        [article(1, 9, "Alt", &[]), article(2, 1, "Neu", &[]), article(3, 5, "Mittel", &[])];
    let composed = compose(&definition(""), &articles, now());
    assert_eq!(shown(&composed), ["lead 2", "standard 3", "standard 1"]);
}

#[test]
fn the_newest_with_a_picture_leads_when_asked() {
    let mut pictured = article(1, 9, "Mit Bild", &[]);
    pictured.record.images = vec![Image { file: Some("aa.jpg".to_owned()), ..Image::default() }];
    let mut lost = article(3, 2, "Bild fehlt", &[]);
    lost.record.images = vec![Image::default()];
    let rules = definition("[rules]\nlead = \"pictured\"");
    let composed = compose(&rules, &[pictured, article(2, 1, "Neu", &[]), lost.clone()], now());
    assert_eq!(shown(&composed), ["lead 1", "standard 2", "standard 3"]);
    assert_eq!(shown(&compose(&rules, &[lost], now())), ["lead 3"]);
}

#[test]
fn only_so_many_and_the_oldest_wait() {
    let articles: Vec<Candidate> =
        (1..=5).map(|id| article(id, id, &format!("Artikel {id}"), &[])).collect();
    let composed = compose(&definition("[rules]\nat_most = 3"), &articles, now());
    assert_eq!(shown(&composed), ["lead 1", "standard 2", "standard 3"]);
    assert_eq!(
        reasons(&composed),
        ["4: the issue has 3 articles already", "5: the issue has 3 articles already"]
    );
}

#[test]
fn events_are_listed_by_date_and_those_that_are_over_are_not() {
    let articles = [
        event(1, "Adventsmarkt", "2026-12-05", Some("2026-12-06")),
        event(2, "Sprechstunde", "2026-11-23T09:30:00", None),
        event(3, "Gestern", "2026-11-22T19:00:00", None),
        event(4, "Heute früh", "2026-11-23T08:00:00", None),
        event(5, "Heute, ganztags", "2026-11-23", None),
        event(6, "Nächstes Jahr", "2027-06-01", None),
        event(7, "Läuft noch", "2026-11-01", Some("2026-11-30")),
    ];
    let composed = compose(&definition(""), &articles, now());
    assert_eq!(shown(&composed), ["# Termine", "event 7", "event 5", "event 2", "event 1"]);
    assert_eq!(
        reasons(&composed),
        ["3: the event is over", "4: the event is over", "6: the event is more than 90 days ahead"]
    );
    // Nine in Berlin is eight in London: 8:00 there is an hour ago, half past nine is ahead.
    let few = definition("[rules.events]\nat_most = 1\ntitle = \"Kalender\"");
    let composed = compose(&few, &articles[..2], now());
    assert_eq!(shown(&composed), ["# Kalender", "event 2"]);
    assert_eq!(reasons(&composed), ["1: the issue has 1 events already"]);
    // As articles, when the newsletter wants no list.
    let none = definition("[rules.events]\nat_most = 0");
    assert_eq!(shown(&compose(&none, &articles[..1], now())), ["lead 1"]);
}

#[test]
fn nothing_new_gives_no_issue() {
    assert_eq!(
        compose(&definition(""), &[], now()),
        Composed { draft: None, left_out: Vec::new() }
    );
    let old = article(1, 24 * 61, "Alt", &[]);
    let composed = compose(&definition(""), &[old], now());
    assert_eq!(composed.draft, None);
    assert_eq!(reasons(&composed), ["1: it is older than 60 days"]);
    let few = definition("[rules]\nat_least = 2");
    assert_eq!(compose(&few, &[article(1, 1, "Eins", &[])], now()).draft, None);
}

#[test]
fn what_was_added_by_hand_is_new_however_old_it_is() {
    let mut old = article(1, 24 * 365 * 3, "6. Landesfachtag", &[]);
    old.origin = "hand".to_owned();
    assert_eq!(shown(&compose(&definition(""), &[old], now())), ["lead 1"]);
}

#[test]
fn only_the_sources_of_the_newsletter_count() {
    let mut other = article(1, 1, "Anderswo", &[]);
    other.origin = "anderswo".to_owned();
    let rules = definition("[rules]\nsources = [\"rathaus\"]");
    let composed = compose(&rules, &[other, article(2, 5, "Hier", &[])], now());
    assert_eq!(shown(&composed), ["lead 2"]);
    assert!(composed.left_out.is_empty(), "another source's articles are nobody's loss");
}

#[test]
fn a_lone_article_lends_its_teaser_to_the_preheader() {
    let long = "Sehr ".repeat(40);
    let composed = compose(&definition(""), &[article(1, 1, &long, &[])], now());
    let draft = composed.draft.unwrap();
    assert!(draft.subject.chars().count() <= 78 && draft.subject.ends_with("Sehr …"));
    assert!(draft.preheader.chars().count() <= 130 && draft.preheader.ends_with(" …"));
}
