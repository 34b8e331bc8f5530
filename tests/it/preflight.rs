//! What stands in the way of an issue: each finding is found, and a good issue has none.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rundbrief::article::{ArticleId, Event, Html, Image, Link, Record, WebAddress};
use rundbrief::issue::archive::Piece;
use rundbrief::issue::content::{Block, Content, Form, Item, Quote, Section};
use rundbrief::issue::freeze::Material;
use rundbrief::issue::preflight::{Severity, blocked, check};
use rundbrief::issue::{Issue, IssueId};
use rundbrief::letter::address::Office;
use rundbrief::letter::enclosure::Enclosure;
use rundbrief::newsletter::definition::{Definition, Pictures};
use rundbrief::newsletter::{self, NewsletterId};
use rundbrief::store::value::Millis;
use rundbrief_templates::brand::Logo;
use rundbrief_templates::brand::colour::Colour;
use sqlx::types::Json;

struct Desk {
    definition: Definition,
    issue: Issue,
    pieces: Vec<Piece>,
    shown: Vec<String>,
    pictures: Vec<Enclosure>,
    office: Office,
}

fn now() -> Timestamp {
    "2026-11-23T08:00:00Z".parse().unwrap()
}

impl Desk {
    /// An issue that nothing is wrong with: one article, one event.
    fn good() -> Self {
        let text = include_str!("../../deploy/newsletter.toml");
        let record = Record {
            title: "Neue Radwege in der Südstadt".to_owned(),
            teaser: "Die Stadt baut vier Kilometer neue Radwege. Im Frühjahr geht es los."
                .to_owned(),
            body: serde_json::from_str::<Html>("\"<p>Mehr dazu im Rathaus.</p>\"").unwrap(),
            images: vec![Image {
                url: "https://www.example.de/radweg.jpg".to_owned(),
                alt: "Zwei Frauen fahren auf einem neuen Radweg am Hafen".to_owned(),
                credit: Some("Jana Muster / Stadt Musterhafen".to_owned()),
                width: Some(1200),
                height: Some(800),
                file: Some("aa.jpg".to_owned()),
                ..Image::default()
            }],
            links: vec![Link {
                url: WebAddress::parse("https://www.example.de/plan").unwrap(),
                text: "Plan der Radwege".to_owned(),
            }],
            ..Record::default()
        };
        let event = Record {
            title: "Advent am Hafen".to_owned(),
            teaser: "Musik und Waffeln an der Mole.".to_owned(),
            event: Some(Event {
                start: "2026-12-03T16:00:00".parse().unwrap(),
                end: None,
                place: None,
            }),
            ..Record::default()
        };
        let piece = |id, record, name: &str| Piece {
            id: ArticleId::new(id),
            section: String::new(),
            name: name.to_owned(),
            record,
        };
        let item =
            |id, form| Block::Article(Item { article: ArticleId::new(id), revision: 1, form });
        let content = Content {
            sections: vec![
                Section { title: None, blocks: vec![item(1, Form::Lead)] },
                Section { title: Some("Termine".to_owned()), blocks: vec![item(2, Form::Event)] },
            ],
            ..Content::default()
        };
        Self {
            definition: newsletter::parse(text, "test.toml".as_ref()).unwrap(),
            issue: issue(content),
            pieces: vec![piece(1, record, "neue-radwege"), piece(2, event, "advent")],
            shown: Vec::new(),
            pictures: Vec::new(),
            office: Office {
                base: "https://news.example.de".to_owned(),
                domain: "news.example.de".to_owned(),
                unsubscribe: None,
                at_home: false,
            },
        }
    }

    fn record(&mut self) -> &mut Record {
        &mut self.pieces[0].record
    }

    /// The newsletter's pictures go along; the only one has this many bytes.
    fn enclose(&mut self, bytes: usize) {
        self.definition.pictures = Pictures::Embedded;
        let media_type = "image/jpeg".to_owned();
        let file = "aa.jpg".to_owned();
        self.pictures = vec![Enclosure { file, media_type, bytes: vec![7; bytes], logo: None }];
    }

    fn findings(&self) -> Vec<String> {
        let (issue, definition, pieces) = (&self.issue, &self.definition, &self.pieces[..]);
        let (office, pictures) = (&self.office, &self.pictures[..]);
        let material = Material { issue, definition, pieces, office, pictures };
        let findings = check(&material, &self.shown, &BTreeMap::new(), now());
        let any = findings.iter().any(|finding| finding.severity == Severity::Blocks);
        assert_eq!(blocked(&findings), any);
        findings.iter().map(|one| format!("{} {}: {}", one.severity, one.place, one.what)).collect()
    }
}

fn issue(content: Content) -> Issue {
    let at = Millis::from(now());
    Issue {
        id: IssueId(1),
        newsletter_id: NewsletterId(1),
        newsletter: "musterhafen".to_owned(),
        number: 7,
        state: rundbrief::issue::state::State::Draft,
        subject: "Neue Radwege in der Südstadt".to_owned(),
        preheader: "Außerdem: Advent am Hafen, der Haushalt für das kommende Jahr und was das Quartier an der Mole bewegt.".to_owned(),
        content: Json(content),
        slot: None,
        send_at: None,
        paused_from: None,
        paused_why: None,
        total: None,
        wave_size: None,
        wave_until: None,
        approved_hash: None,
        approved_by: None,
        created_at: at,
        updated_at: at,
        frozen_at: None,
        finished_at: None,
    }
}

/// What is found after one thing was made wrong.
fn after(change: impl FnOnce(&mut Desk)) -> Vec<String> {
    let mut desk = Desk::good();
    change(&mut desk);
    desk.findings()
}

#[test]
fn a_good_issue_has_nothing_in_its_way() {
    assert_eq!(Desk::good().findings(), Vec::<String>::new());
}

#[test]
fn what_blocks_is_found() {
    let title = "Neue Radwege in der Südstadt";
    let found = |change: fn(&mut Desk)| after(change)[0].clone();
    assert_eq!(
        found(|desk| desk.record().images[0].alt = " ".to_owned()),
        format!("blocks {title}: picture radweg.jpg: has no alternative text")
    );
    assert_eq!(
        found(|desk| desk.definition.imprint.phone.clear()),
        "blocks imprint.phone: is empty; the law asks for it (§ 5 DDG)"
    );
    assert_eq!(found(|desk| desk.issue.subject = "  ".to_owned()), "blocks subject: is empty");
    assert_eq!(
        found(|desk| desk.record().teaser = "Lorem ipsum dolor".to_owned()),
        format!("blocks {title}: contains \"lorem ipsum\", which a template left behind")
    );
    assert_eq!(
        found(|desk| desk.issue.preheader = "{{ preheader }} ".repeat(7)),
        "blocks preheader: contains \"{{\", which a template left behind"
    );
    assert_eq!(
        found(|desk| {
            let event = desk.pieces[1].record.event.as_mut().unwrap();
            event.start = "2026-11-22T16:00:00".parse().unwrap();
        }),
        "blocks Advent am Hafen: is announced and is over"
    );
    assert_eq!(
        found(|desk| {
            desk.record().links[0].url = WebAddress::parse("http://10.0.0.7/plan").unwrap();
        }),
        format!("blocks {title}: links to http://10.0.0.7/plan, an address of a private network")
    );
    assert_eq!(
        found(|desk| {
            desk.record().links[0].url = WebAddress::parse("https://intranet/plan").unwrap();
        }),
        format!(
            "blocks {title}: links to https://intranet/plan, a name that only a private network knows"
        )
    );
    let colours = found(|desk| desk.definition.brand.light.link = Some(Colour::rgb(0x5b_a3_e0)));
    assert!(
        colours.starts_with("blocks brand: light.link #5ba3e0 on light.sheet has contrast 2."),
        "{colours}"
    );
    assert_eq!(
        found(|desk| desk.enclose(1_000_001)),
        "blocks issue: 1000 kB of pictures go along with each mail; 1000 kB are allowed"
    );
    assert_eq!(
        found(|desk| {
            let quote = Quote { text: "{{ zitat }}".to_owned(), by: None, language: None };
            desk.issue.content.0.sections[0].blocks.push(Block::Quote(quote));
        }),
        "blocks quote \"{{ zitat }}\": contains \"{{\", which a template left behind"
    );
    assert!(
        found(|desk| desk.issue.content.0.editorial = Some("Wort. ".repeat(20_000)))
            .ends_with("bytes of HTML; Gmail clips beyond 100000")
    );
    assert_eq!(found(|desk| drop(desk.pieces.remove(0))), "blocks article 1: is gone");
    assert_eq!(found(|desk| desk.pieces.clear()), "blocks issue: has no articles");
}

#[test]
fn what_an_editor_should_look_at_is_found() {
    let title = "Neue Radwege in der Südstadt";
    let found = |change: fn(&mut Desk)| after(change).join("\n");
    for alt in ["Bild", "Foto 3", "IMG_2041", "radweg.jpg", "–"] {
        let findings = after(|desk| desk.record().images[0].alt = alt.to_owned());
        let what = format!("has the alternative text {alt:?}, which says nothing");
        assert_eq!(findings, [format!("look {title}: picture radweg.jpg: {what}")]);
    }
    assert_eq!(
        found(|desk| desk.record().links[0].text = "hier".to_owned()),
        format!("look {title}: has a link \"hier\" to https://www.example.de/plan")
    );
    assert_eq!(
        found(|desk| desk.record().images[0].credit = None),
        format!("look {title}: picture radweg.jpg: has no credit")
    );
    assert_eq!(
        found(|desk| desk.record().images[0].file = None),
        format!("look {title}: picture radweg.jpg: is left out: it could not be had")
    );
    assert_eq!(
        found(|desk| {
            let image = &mut desk.record().images[0];
            image.file = None;
            image.failure = Some("a drawing in SVG".to_owned());
        }),
        format!("look {title}: picture radweg.jpg: is left out: a drawing in SVG")
    );
    assert_eq!(
        found(|desk| desk.record().links[0].text = "www.example.de/plan".to_owned()),
        format!("look {title}: has a link \"www.example.de/plan\" to https://www.example.de/plan")
    );
    assert_eq!(found(|desk| desk.enclose(300_000)), "");
    assert_eq!(
        found(|desk| desk.enclose(420_000)),
        "look issue: 420 kB of pictures go along with each mail; 300 kB are a lot on a phone"
    );
    assert_eq!(
        found(|desk| desk.shown = vec!["Neue Radwege".to_owned()]),
        "look Neue Radwege: an earlier issue showed it"
    );
}

#[test]
fn what_is_long_loud_or_of_last_year_is_found() {
    let title = "Neue Radwege in der Südstadt";
    let found = |change: fn(&mut Desk)| after(change).join("\n");
    assert_eq!(
        found(|desk| desk.issue.subject =
            "Neue Radwege, der Haushalt, Advent am Hafen und viel mehr dazu".to_owned()),
        "look subject: has 62 characters; phones show 60"
    );
    assert_eq!(
        found(|desk| desk.issue.subject = "JETZT ANMELDEN".to_owned()),
        "look subject: shouts"
    );
    assert_eq!(found(|desk| desk.issue.subject = "Nur heute!!".to_owned()), "look subject: shouts");
    assert_eq!(
        found(|desk| desk.issue.subject = "JETZT ANMELDEN: Fachtag am Hafen".to_owned()),
        "look subject: shouts"
    );
    assert_eq!(found(|desk| desk.issue.subject = "AWO und UNESCO laden ein".to_owned()), "");
    assert_eq!(
        found(|desk| desk.issue.preheader = "Kurz".to_owned()),
        "look preheader: has 4 characters; 90 to 130 fill the inbox line"
    );
    assert_eq!(
        found(|desk| desk.record().teaser = "Am 4. Juli 2025 war es so weit.".to_owned()),
        format!("look {title}: names the year 2025")
    );
    assert_eq!(
        found(|desk| desk.issue.subject = "Advent am 24.12.25".to_owned()),
        "look subject: names the year 2025"
    );
    assert_eq!(found(|desk| desk.issue.subject = "Version 3.14.25, Platz 25".to_owned()), "");
    assert_eq!(
        found(|desk| {
            let (start, end) = ("2026-11-20".parse().unwrap(), None);
            desk.record().event = Some(Event { start, end, place: None });
        }),
        format!("look {title}: is about an event that is over")
    );
    assert_eq!(
        found(|desk| desk.issue.content.0.editorial = Some("Wort. ".repeat(14_000))),
        "look issue: is too long for one mail: its last articles are shortened or left out"
    );
}

#[test]
fn a_link_called_here_is_proposed_its_targets_title() {
    let mut desk = Desk::good();
    let url = WebAddress::parse("https://www.example.de/advent").unwrap();
    desk.pieces[1].record.url = Some(url.clone());
    desk.record().links[0] = Link { url, text: "Mehr …".to_owned() };
    let office = Office {
        base: "https://news.example.de".to_owned(),
        domain: "news.example.de".to_owned(),
        unsubscribe: None,
        at_home: false,
    };
    let material = Material {
        issue: &desk.issue,
        definition: &desk.definition,
        pieces: &desk.pieces,
        office: &office,
        pictures: &[],
    };
    let findings = check(&material, &[], &BTreeMap::new(), now());
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].remedy, "call it by its target: \"Advent am Hafen\"");
}

#[test]
fn what_a_template_left_behind_is_found_wherever_it_goes_out() {
    let line = |text: &str| newsletter::field::Line::parse(text).unwrap();
    let blind = || "Lorem ipsum".to_owned();
    let changes: [&dyn Fn(&mut Desk); 12] = [
        &|desk| desk.definition.title = line("Lorem ipsum"),
        &|desk| desk.definition.claim = Some(line("Lorem ipsum")),
        &|desk| desk.definition.brand.footer = Some(vec![blind()]),
        &|desk| desk.definition.imprint.authority = Some(blind()),
        &|desk| desk.issue.content.0.signature = vec![blind()],
        &|desk| desk.issue.content.0.sections[1].title = Some(blind()),
        &|desk| desk.record().images[0].alt = blind(),
        &|desk| desk.record().images[0].caption = Some(blind()),
        &|desk| desk.record().images[0].credit = Some(blind()),
        &|desk| desk.record().subtitle = Some(blind()),
        &|desk| desk.record().links[0].text = blind(),
        &|desk| {
            desk.record().body = serde_json::from_str("\"<p>Lorem ipsum</p>\"").unwrap();
        },
    ];
    for (number, change) in changes.iter().enumerate() {
        let found = after(change);
        let blind = "contains \"lorem ipsum\", which a template left behind";
        let any = found.iter().any(|one| one.starts_with("blocks ") && one.ends_with(blind));
        assert!(any, "{number}: {found:?}");
    }
}

#[test]
fn links_of_our_own_lead_where_readers_are() {
    // What begins like our address is not ours.
    let other = after(|desk| {
        let url = "https://news.example.de.lan/intern";
        desk.record().links[0].url = WebAddress::parse(url).unwrap();
    });
    assert!(
        other[0].ends_with("lan/intern, a name that only a private network knows"),
        "{other:?}"
    );

    // An article that is no more than its teaser leads to its source.
    let source = after(|desk| {
        desk.record().body = Html::default();
        desk.record().url = WebAddress::parse("https://intranet/wege").ok();
    });
    assert!(source[0].starts_with("blocks Neue Radwege"), "{source:?}");
    assert!(source[0].contains("links to https://intranet/wege, a name that only"), "{source:?}");

    let here = |at_home| {
        let base = "http://127.0.0.1:8025".to_owned();
        after(|desk| desk.office = Office { base, at_home, ..desk.office.clone() })
    };
    let what = "web.address: the links to unsubscribe and to the web version lead to http://127.0.0.1:8025, an address of a private network";
    assert_eq!(here(false), [format!("blocks {what}")]);
    assert_eq!(here(true), [format!("look {what}")]);
}

#[test]
fn a_stored_logo_and_imprint_are_looked_at_again() {
    let found = after(|desk| {
        desk.definition.imprint.phone = "keines".to_owned();
        desk.definition.brand.logo = Some(Logo {
            url: "https://www.example.de/logo.png".to_owned(),
            dark_url: None,
            alt: String::new(),
            width: 180,
            height: 48,
        });
    });
    assert!(found[0].starts_with("blocks brand.logo.alt: is empty"), "{found:?}");
    assert!(found[1].starts_with("blocks imprint.phone: \"keines\" is no telephone"), "{found:?}");
}
