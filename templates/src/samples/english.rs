//! The samples in English.

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
        publication: publication(Language::English),
        number: Some(number),
        date: DAY,
        subject: subject.to_owned(),
        title: None,
        preheader: preheader.to_owned(),
        editorial: None,
        sections: Vec::new(),
        web_version: Some(format!("{SITE}/archive/harbour-post/{number}")),
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

fn cycle_path(form: Form) -> Article {
    Article {
        form,
        kicker: Some("Transport".to_owned()),
        title: "The cycle path along South Quay is finished".to_owned(),
        subtitle: Some("Four kilometres by the water, without a single traffic light".to_owned()),
        teaser: "Since Monday, bicycles have had a lane of their own from the station to the \
                 lighthouse. The town built for three years, two bridges are new, and cycles have \
                 priority at every junction.\n\nOn Saturday the path opens with a ride for everyone. \
                 If you have no bicycle, borrow one at the town hall."
            .to_owned(),
        image: image(
            "cycle-path",
            "Three women cycling on the new red cycle path beside the water",
            Some("A clear run along South Quay"),
            (1200, 675),
        ),
        url: Some(format!("{SITE}/archive/harbour-post/12/cycle-path")),
        link_text: None,
        links: vec![Link {
            text: "Map of the cycle path (PDF, 1 page)".to_owned(),
            url: format!("{SITE}/media/cycle-path-map.pdf"),
        }],
        language: None,
    }
}

fn budget() -> Article {
    Article {
        form: Form::Beside,
        kicker: Some("Town hall".to_owned()),
        title: "Budget 2027: have your say".to_owned(),
        subtitle: None,
        teaser:
            "More money for school yards, less for car parks: the draft is open to the public. \
                 The treasury takes suggestions until 15 December, on paper and on the web."
                .to_owned(),
        image: image(
            "budget",
            "A pile of plans and a pocket calculator on a desk",
            None,
            (600, 450),
        ),
        url: Some(format!("{SITE}/archive/harbour-post/12/budget-2027")),
        link_text: None,
        links: Vec::new(),
        language: None,
    }
}

fn meeting_place() -> Article {
    Article {
        form: Form::Beside,
        kicker: Some("Neighbourhoods".to_owned()),
        title: "The open house moves to the old shipyard".to_owned(),
        subtitle: None,
        teaser:
            "From January, people will cook, mend and play in the old workshop. Helpers for one \
                 afternoon a week are still wanted."
                .to_owned(),
        image: image(
            "shipyard",
            "The empty hall of the old shipyard with its tall windows",
            None,
            (600, 450),
        ),
        url: Some(format!("{SITE}/archive/harbour-post/12/open-house")),
        link_text: None,
        links: Vec::new(),
        language: None,
    }
}

fn events() -> Vec<Block> {
    vec![
        Block::Event(Event {
            title: "Advent market at the harbour".to_owned(),
            when: When::Days { first: date(2026, 12, 4), last: Some(date(2026, 12, 6)) },
            place: Some("Fish market and South Quay".to_owned()),
            text: Some("Forty stalls, three choirs and a boat full of candles.".to_owned()),
            url: Some(format!("{SITE}/events/advent-market")),
            calendar_url: Some(format!("{SITE}/events/advent-market.ics")),
            language: None,
        }),
        Block::Event(Event {
            title: "Open hour with the Lord Mayor".to_owned(),
            when: When::Moment {
                start: datetime(2026, 12, 10, 16, 0, 0, 0),
                end: Some(datetime(2026, 12, 10, 18, 0, 0, 0)),
            },
            place: Some("Town hall, room 12 (step-free)".to_owned()),
            text: None,
            url: None,
            calendar_url: Some(format!("{SITE}/events/open-hour.ics")),
            language: None,
        }),
    ]
}

fn editorial() -> Editorial {
    Editorial {
        paragraphs: vec![
            Paragraph::from(
                "autumn was loud: diggers on the quay, concrete mixers in Shipyard Street. Now it is \
                 quiet, and you can see what the noise was for.",
            ),
            Paragraph(vec![
                Span::Text("Enjoy this issue! What is missing? ".to_owned()),
                Span::Link(Link {
                    text: "Write to the editors".to_owned(),
                    url: format!("{SITE}/en/editors"),
                }),
                Span::Text(", we answer every message.".to_owned()),
            ]),
        ],
        signature: vec!["Kim Beispiel".to_owned(), "Editor, Harbour Post".to_owned()],
    }
}

/// Three articles, two events, a quote, a button.
pub(super) fn usual() -> Issue {
    Issue {
        editorial: Some(editorial()),
        sections: vec![
            Section { title: None, blocks: vec![Block::Article(cycle_path(Form::Lead))] },
            Section {
                title: Some("From the neighbourhoods".to_owned()),
                blocks: vec![
                    Block::Article(budget()),
                    Block::Article(meeting_place()),
                    Block::Quote(Quote {
                        text: "A neighbourhood is where people know each other by name.".to_owned(),
                        source: Some("Alex Muster, South Quay coordination".to_owned()),
                        language: None,
                    }),
                ],
            },
            Section {
                title: Some("Events".to_owned()),
                blocks: {
                    let mut blocks = events();
                    blocks.push(Block::Button(Link {
                        text: "All events in the town's calendar".to_owned(),
                        url: format!("{SITE}/events"),
                    }));
                    blocks
                },
            },
        ],
        ..issue(
            12,
            "New cycle paths, budget 2027 and Advent at the harbour",
            "The path along South Quay is open, the town asks what you wish for in the budget, and \
             it is Advent at the harbour.",
        )
    }
}

/// One article, nothing else.
pub(super) fn short() -> Issue {
    Issue {
        sections: vec![Section {
            title: None,
            blocks: vec![Block::Article(cycle_path(Form::Above))],
        }],
        ..issue(
            13,
            "South Quay belongs to the bicycles",
            "Four kilometres by the water, two new bridges, no traffic light: the cycle path opens on Saturday.",
        )
    }
}

/// Twenty-five articles in four sections.
pub(super) fn long() -> Issue {
    let titles = [
        (
            "Town hall",
            "Citizens' office opens on Saturdays",
            "From December the citizens' office is open on Saturdays from 9 am to 1 pm. Identity cards and passports need no appointment.",
        ),
        (
            "Town hall",
            "Council adopts the rent index",
            "The new rent index applies from January. The town's website has it, with a calculator to check your own rent.",
        ),
        (
            "Town hall",
            "Helpers wanted on election day",
            "Eighty people are still missing for the election in March. Helpers get training, lunch and a small allowance.",
        ),
        (
            "Town hall",
            "Easy language on every page",
            "All services of the town are now described in easy language as well. People with learning difficulties have checked the texts.",
        ),
        (
            "Transport",
            "Bus 7 runs until midnight",
            "Line 7 now links the south of the town with the station until midnight. The timetable stays for at least a year.",
        ),
        (
            "Transport",
            "The Norderwerder ferry is back",
            "The landing stage is repaired and the ferry leaves every half hour again. Bicycles travel free of charge.",
        ),
        (
            "Transport",
            "Shipyard Street finished early",
            "Two weeks earlier than planned, Shipyard Street is open. The diversion along the dyke ends on Friday.",
        ),
        (
            "Transport",
            "Twelve more benches on the dyke",
            "There is now a bench with armrests every three hundred metres. The council of the elderly chose them.",
        ),
        (
            "Neighbourhoods",
            "Neighbourhood fund supports 40 ideas",
            "From a courtyard cinema to a bed of herbs: forty projects receive up to a thousand euros each. The next round begins in February.",
        ),
        (
            "Neighbourhoods",
            "New hours at the Old Town office",
            "The office is open until eight on Tuesday evenings. On Thursdays the consumer advice centre is there.",
        ),
        (
            "Neighbourhoods",
            "A swap shelf in the library",
            "Bring what you no longer need, take what you are looking for: the shelf is on the ground floor beside the lift.",
        ),
        (
            "Neighbourhoods",
            "Dementia guides trained",
            "Eighteen people now know how to help someone who cannot find the way home. They work in shops and banks.",
        ),
        (
            "Neighbourhoods",
            "Language café needs a larger room",
            "Sixty people come every Wednesday. If you know of a hall, tell the Ankerplatz association.",
        ),
        (
            "Neighbourhoods",
            "Playground at the dyke rebuilt",
            "Children helped to plan it: the slide is five metres high and the roundabout carries wheelchairs.",
        ),
        (
            "Culture",
            "Town museum shows sea charts",
            "A hundred charts from three centuries, and a table where you navigate yourself. Admission is free in December.",
        ),
        (
            "Culture",
            "A choir for everyone",
            "Nobody has to read music. Rehearsals are on Mondays at 7 pm, the concert is on 20 December.",
        ),
        (
            "Culture",
            "Reading: stories from the quay",
            "Five people who worked at the harbour tell their stories. There is sign language interpretation.",
        ),
        (
            "Culture",
            "Music school lends instruments",
            "Violins, trumpets and a bassoon are waiting for children. The first year costs nothing.",
        ),
        (
            "Culture",
            "Cinema in the parish hall",
            "Four films this winter, each with subtitles and audio description. The first is on 11 December.",
        ),
        (
            "Environment",
            "A thousand trees by spring",
            "Trees are being planted in every street of the north. Sponsors get a watering can and instructions.",
        ),
        (
            "Environment",
            "Heat plan on display",
            "By 2040 the town wants to heat without oil and gas. The map shows which street comes when.",
        ),
        (
            "Environment",
            "Less salt this winter",
            "The town now spreads only sand on pavements. Paws and lime trees will be grateful.",
        ),
        (
            "Environment",
            "Repair day at the depot",
            "On 12 December people screw, sew and solder. Last year 214 appliances were saved.",
        ),
        (
            "Environment",
            "River bath: the water is clean",
            "All samples of the summer were good. An office is now wanted to plan the jetty.",
        ),
    ];
    let mut sections: Vec<Section> =
        vec![Section { title: None, blocks: vec![Block::Article(cycle_path(Form::Lead))] }];
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
                    &format!("article-{index}"),
                    &format!("Scene of the article: {title}"),
                    None,
                    (600, 450),
                )
            } else {
                None
            },
            url: Some(format!("{SITE}/archive/harbour-post/14/article-{index}")),
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
            "What autumn brought: 25 stories from Musterhafen",
            "Office hours on Saturday, buses until midnight, a thousand trees: all that autumn brought, in one issue.",
        )
    }
}
