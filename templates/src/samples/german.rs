//! The samples in German.

use jiff::civil::{date, datetime};

use crate::issue::{
    Article, Block, Editorial, Event, Form, Image, Issue, Link, Paragraph, Quote, Section, Span,
    When,
};
use crate::language::Language;
use crate::samples::{DAY, publication};

const SITE: &str = "https://www.musterhafen.example.org";

fn issue(number: u32, subject: &str, preheader: &str) -> Issue {
    Issue {
        publication: publication(Language::German),
        number: Some(number),
        date: DAY,
        subject: subject.to_owned(),
        title: None,
        preheader: preheader.to_owned(),
        editorial: None,
        sections: Vec::new(),
        web_version: Some(format!("{SITE}/archive/hafenpost/{number}")),
        reason: None,
    }
}

fn image(file: &str, alt: &str, caption: Option<&str>, size: (u32, u32)) -> Option<Image> {
    Some(Image {
        url: format!("{SITE}/media/{file}.jpg"),
        alt: alt.to_owned(),
        caption: caption.map(str::to_owned),
        credit: Some("Noor Beispiel / Stadt Musterhafen".to_owned()),
        width: size.0,
        height: size.1,
    })
}

fn radweg(form: Form) -> Article {
    Article {
        form,
        kicker: Some("Verkehr".to_owned()),
        title: "Der Radweg am Südkai ist fertig".to_owned(),
        subtitle: Some("Vier Kilometer am Wasser, ohne eine einzige Ampel".to_owned()),
        teaser: "Seit Montag fahren Räder auf eigener Spur vom Bahnhof bis zum Leuchtturm. \
                 Drei Jahre hat die Stadt gebaut, zwei Brücken sind neu, und an jeder Kreuzung hat \
                 das Rad Vorrang.\n\nAm Samstag wird der Weg mit einer gemeinsamen Fahrt eröffnet. \
                 Wer kein Rad hat, leiht sich am Rathaus eines aus."
            .to_owned(),
        image: image(
            "radweg-suedkai",
            "Drei Radfahrerinnen fahren auf dem neuen roten Radweg am Wasser entlang",
            Some("Freie Fahrt am Südkai"),
            (1200, 675),
        ),
        url: Some(format!("{SITE}/archive/hafenpost/12/radweg-am-suedkai")),
        link_text: None,
        links: vec![Link {
            text: "Karte des Radwegs (PDF, 1 Seite)".to_owned(),
            url: format!("{SITE}/media/karte-radweg.pdf"),
        }],
        language: None,
    }
}

fn haushalt() -> Article {
    Article {
        form: Form::Beside,
        kicker: Some("Rathaus".to_owned()),
        title: "Haushalt 2027: Reden Sie mit".to_owned(),
        subtitle: None,
        teaser: "Mehr Geld für Schulhöfe, weniger für Parkplätze: Der Entwurf liegt aus. Bis zum \
                 15. Dezember nimmt die Kämmerei Vorschläge entgegen, auf Papier und im Netz."
            .to_owned(),
        image: image(
            "haushalt",
            "Ein Stapel Pläne und ein Taschenrechner auf einem Schreibtisch",
            None,
            (600, 450),
        ),
        url: Some(format!("{SITE}/archive/hafenpost/12/haushalt-2027")),
        link_text: None,
        links: Vec::new(),
        language: None,
    }
}

fn treff() -> Article {
    Article {
        form: Form::Beside,
        kicker: Some("Quartiere".to_owned()),
        title: "Offener Treff zieht in die alte Werft".to_owned(),
        subtitle: None,
        teaser:
            "Ab Januar wird in der Schlosserei gekocht, repariert und gespielt. Gesucht werden \
                 noch Menschen, die einen Nachmittag in der Woche mithelfen."
                .to_owned(),
        image: image(
            "werft",
            "Die leere Halle der alten Werft mit hohen Fenstern",
            None,
            (600, 450),
        ),
        url: Some(format!("{SITE}/archive/hafenpost/12/offener-treff")),
        link_text: None,
        links: Vec::new(),
        language: None,
    }
}

fn events() -> Vec<Block> {
    vec![
        Block::Event(Event {
            title: "Adventsmarkt am Hafen".to_owned(),
            when: When::Days { first: date(2026, 12, 4), last: Some(date(2026, 12, 6)) },
            place: Some("Fischmarkt und Südkai".to_owned()),
            text: Some("Vierzig Stände, drei Chöre und ein Boot voller Kerzen.".to_owned()),
            url: Some(format!("{SITE}/termine/adventsmarkt")),
            calendar_url: Some(format!("{SITE}/termine/adventsmarkt.ics")),
            language: None,
        }),
        Block::Event(Event {
            title: "Sprechstunde der Oberbürgermeisterin".to_owned(),
            when: When::Moment {
                start: datetime(2026, 12, 10, 16, 0, 0, 0),
                end: Some(datetime(2026, 12, 10, 18, 0, 0, 0)),
            },
            place: Some("Rathaus, Zimmer 12 (stufenlos)".to_owned()),
            text: None,
            url: None,
            calendar_url: Some(format!("{SITE}/termine/sprechstunde.ics")),
            language: None,
        }),
    ]
}

fn editorial() -> Editorial {
    Editorial {
        paragraphs: vec![
            Paragraph::from(
                "der Herbst war laut: Bagger am Kai, Betonmischer in der Werftstraße. Jetzt ist es \
                 still geworden, und man sieht, wofür der Lärm gut war.",
            ),
            Paragraph(vec![
                Span::Text("Viel Freude beim Lesen! Was fehlt Ihnen? ".to_owned()),
                Span::Link(Link {
                    text: "Schreiben Sie der Redaktion".to_owned(),
                    url: format!("{SITE}/redaktion"),
                }),
                Span::Text(", wir antworten auf jede Nachricht.".to_owned()),
            ]),
        ],
        signature: vec!["Kim Beispiel".to_owned(), "Redaktion der Hafenpost".to_owned()],
    }
}

/// Three articles, two events, a quote, a button.
pub(super) fn usual() -> Issue {
    Issue {
        editorial: Some(editorial()),
        sections: vec![
            Section { title: None, blocks: vec![Block::Article(radweg(Form::Lead))] },
            Section {
                title: Some("Aus den Quartieren".to_owned()),
                blocks: vec![
                    Block::Article(haushalt()),
                    Block::Article(treff()),
                    Block::Quote(Quote {
                        text: "Ein Quartier ist da zu Hause, wo man sich beim Namen kennt."
                            .to_owned(),
                        source: Some("Alex Muster, Quartierskoordination Südkai".to_owned()),
                        language: None,
                    }),
                ],
            },
            Section {
                title: Some("Termine".to_owned()),
                blocks: {
                    let mut blocks = events();
                    blocks.push(Block::Button(Link {
                        text: "Alle Termine im Kalender der Stadt".to_owned(),
                        url: format!("{SITE}/termine"),
                    }));
                    blocks
                },
            },
        ],
        ..issue(
            12,
            "Neue Radwege, Haushalt 2027 und Advent am Hafen",
            "Der Radweg am Südkai ist eröffnet, die Stadt fragt nach Ihren Wünschen für den \
             Haushalt, und am Hafen wird es Advent.",
        )
    }
}

/// One article, nothing else.
pub(super) fn short() -> Issue {
    Issue {
        sections: vec![Section { title: None, blocks: vec![Block::Article(radweg(Form::Above))] }],
        ..issue(
            13,
            "Der Südkai gehört den Rädern",
            "Vier Kilometer am Wasser, zwei neue Brücken, keine Ampel: Am Samstag wird der Radweg eröffnet.",
        )
    }
}

/// Twenty-five articles in four sections.
pub(super) fn long() -> Issue {
    let titles = [
        (
            "Rathaus",
            "Bürgerbüro öffnet samstags",
            "Ab Dezember ist das Bürgerbüro auch samstags von 9 bis 13 Uhr da. Ausweise und Pässe gibt es ohne Termin.",
        ),
        (
            "Rathaus",
            "Stadtrat beschließt Mietspiegel",
            "Der neue Mietspiegel gilt ab Januar. Er steht mit einem Rechner zum Nachprüfen auf der Seite der Stadt.",
        ),
        (
            "Rathaus",
            "Wahlhelferinnen und Wahlhelfer gesucht",
            "Für die Wahl im März fehlen noch achtzig Menschen. Wer hilft, bekommt eine Schulung, ein Mittagessen und ein Erfrischungsgeld.",
        ),
        (
            "Rathaus",
            "Leichte Sprache auf allen Seiten",
            "Alle Dienstleistungen der Stadt sind jetzt auch in Leichter Sprache beschrieben. Geprüft haben das Menschen mit Lernschwierigkeiten.",
        ),
        (
            "Verkehr",
            "Bus 7 fährt bis Mitternacht",
            "Die Linie 7 verbindet die Südstadt künftig bis Mitternacht mit dem Bahnhof. Die Fahrzeiten gelten vorerst ein Jahr lang.",
        ),
        (
            "Verkehr",
            "Fähre nach Norderwerder zurück",
            "Nach der Reparatur des Anlegers legt die Fähre wieder jede halbe Stunde ab. Räder fahren kostenlos mit.",
        ),
        (
            "Verkehr",
            "Baustelle Werftstraße endet früher",
            "Zwei Wochen eher als geplant ist die Werftstraße frei. Die Umleitung über den Deich wird am Freitag abgebaut.",
        ),
        (
            "Verkehr",
            "Zwölf Bänke mehr am Deichweg",
            "Alle dreihundert Meter steht nun eine Bank mit Armlehnen. Ausgesucht hat sie der Beirat der Älteren.",
        ),
        (
            "Quartiere",
            "Nachbarschaftsfonds: 40 Ideen gefördert",
            "Vom Hofkino bis zum Kräuterbeet: Vierzig Vorhaben bekommen je bis zu tausend Euro. Die nächste Runde beginnt im Februar.",
        ),
        (
            "Quartiere",
            "Quartiersbüro Altstadt mit neuen Zeiten",
            "Das Büro hat dienstags bis abends um acht geöffnet. Donnerstags berät dort die Verbraucherzentrale.",
        ),
        (
            "Quartiere",
            "Tauschregal in der Stadtbücherei",
            "Bringen, was man nicht mehr braucht, mitnehmen, was man sucht: Das Regal steht im Erdgeschoss neben dem Aufzug.",
        ),
        (
            "Quartiere",
            "Demenzlotsen ausgebildet",
            "Achtzehn Menschen wissen jetzt, wie man hilft, wenn jemand nicht mehr nach Hause findet. Sie arbeiten in Läden und Banken.",
        ),
        (
            "Quartiere",
            "Sprachcafé sucht größeren Raum",
            "Jeden Mittwoch kommen sechzig Leute. Wer einen Saal weiß, meldet sich beim Verein Ankerplatz.",
        ),
        (
            "Quartiere",
            "Spielplatz am Deich neu gebaut",
            "Kinder haben mitgeplant: Die Rutsche ist fünf Meter hoch, das Karussell trägt auch Rollstühle.",
        ),
        (
            "Kultur",
            "Stadtmuseum zeigt Seekarten",
            "Hundert Karten aus drei Jahrhunderten, dazu ein Tisch, an dem man selbst navigiert. Der Eintritt ist im Dezember frei.",
        ),
        (
            "Kultur",
            "Chor für alle im Speicher",
            "Noten lesen muss niemand können. Geprobt wird montags um 19 Uhr, gesungen am 20. Dezember.",
        ),
        (
            "Kultur",
            "Lesung: Geschichten vom Kai",
            "Fünf Menschen, die am Hafen gearbeitet haben, erzählen. Gebärdensprache wird gedolmetscht.",
        ),
        (
            "Kultur",
            "Musikschule verleiht Instrumente",
            "Geigen, Trompeten und ein Fagott warten auf Kinder. Die Leihe kostet im ersten Jahr nichts.",
        ),
        (
            "Kultur",
            "Kino im Gemeindehaus",
            "Vier Filme im Winter, jeder mit Untertiteln und Bildbeschreibung. Der erste läuft am 11. Dezember.",
        ),
        (
            "Umwelt",
            "Tausend Bäume bis zum Frühjahr",
            "In jeder Straße der Nordstadt wird gepflanzt. Patinnen und Paten bekommen Gießkanne und Anleitung.",
        ),
        (
            "Umwelt",
            "Wärmeplan liegt aus",
            "Bis 2040 will die Stadt ohne Öl und Gas heizen. Welche Straße wann an die Reihe kommt, zeigt die Karte.",
        ),
        (
            "Umwelt",
            "Weniger Streusalz im Winter",
            "Auf Gehwegen streut die Stadt nur noch Sand. Das schont die Pfoten und die Linden.",
        ),
        (
            "Umwelt",
            "Reparaturtag im Bauhof",
            "Am 12. Dezember wird geschraubt, genäht und gelötet. Im letzten Jahr wurden 214 Geräte gerettet.",
        ),
        (
            "Umwelt",
            "Flussbad: Wasser ist sauber",
            "Alle Proben des Sommers waren gut. Für den Steg wird nun ein Planungsbüro gesucht.",
        ),
    ];
    let mut sections: Vec<Section> =
        vec![Section { title: None, blocks: vec![Block::Article(radweg(Form::Lead))] }];
    for (index, (kicker, title, teaser)) in titles.into_iter().enumerate() {
        if sections.last().and_then(|section| section.title.as_deref()) != Some(kicker) {
            sections.push(Section { title: Some(kicker.to_owned()), blocks: Vec::new() });
        }
        let picture = index % 4 == 0;
        let article = Article {
            form: if picture { Form::Beside } else { Form::Short },
            title: title.to_owned(),
            teaser: teaser.to_owned(),
            image: if picture {
                image(
                    &format!("beitrag-{index}"),
                    &format!("Szene zum Beitrag: {title}"),
                    None,
                    (600, 450),
                )
            } else {
                None
            },
            url: Some(format!("{SITE}/archive/hafenpost/14/beitrag-{index}")),
            ..Article::default()
        };
        if let Some(section) = sections.last_mut() {
            section.blocks.push(Block::Article(article));
        }
    }
    Issue {
        editorial: Some(editorial()),
        sections,
        ..issue(
            14,
            "Das war der Herbst: 25 Nachrichten aus Musterhafen",
            "Bürgerbüro am Samstag, Bus bis Mitternacht, tausend Bäume: alles, was der Herbst gebracht hat, in einer Ausgabe.",
        )
    }
}
