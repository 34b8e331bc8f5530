//! A letter is rendered once and spliced per reader: each mail is what rendering for
//! that reader alone would give, and its header is what receivers ask for.

use mail_parser::{MessageParser, MimeHeaders as _};
use proptest::prelude::*;
use rundbrief::letter::address::Office;
use rundbrief::letter::enclosure::Enclosure;
use rundbrief::letter::headers::Headers;
use rundbrief::letter::reader::Recipient;
use rundbrief::letter::splice::{Head, Letter, Reader, content_hash};
use rundbrief::letter::{self, Cover};
use rundbrief_subscribers::address::EmailAddress;
use rundbrief_subscribers::key::Master;
use rundbrief_subscribers::person::{Name, Person, Salutation};
use rundbrief_subscribers::token::{DeliveryToken, Kind, ReaderToken};
use rundbrief_templates::language::Language;
use rundbrief_templates::mail::Mail;
use rundbrief_templates::slot::{Slot, Slots};

const SLOTS: u128 = 0x5107;
const CUT: u128 = 0xc07;

fn office() -> Office {
    Office {
        base: "https://news.example.de".to_owned(),
        domain: "news.example.de".to_owned(),
        unsubscribe: Some(EmailAddress::parse("abmelden@news.example.de").unwrap()),
        at_home: false,
    }
}

fn head() -> Head {
    Head { issue: 12, newsletter: 3, language: Language::German }
}

fn freeze(mail: &Mail) -> Letter {
    enclosing(mail, &[]).unwrap()
}

fn enclosing(mail: &Mail, pictures: &[Enclosure]) -> anyhow::Result<Letter> {
    let sender = EmailAddress::parse("newsletter@example.de").unwrap();
    let reply_to = EmailAddress::parse("redaktion@example.de").unwrap();
    let date = "2026-11-23T08:00:00+01:00[Europe/Berlin]".parse().unwrap();
    let headers = Headers {
        sender: "Stadt Musterhafen",
        address: &sender,
        reply_to: &reply_to,
        subject: &mail.subject,
        date: &date,
        language: Language::German,
        list: "Newsletter Musterhafen für alle, die hier wohnen",
        list_id: "musterhafen.example.de",
        help_url: "https://www.example.de/newsletter",
        web_version: "https://news.example.de/archive/musterhafen/7",
        slug: "musterhafen",
        number: 7,
    };
    let cover = Cover { head: head(), headers, pictures };
    letter::freeze(&cover, mail, &Slots::new(SLOTS), &office(), CUT)
}

fn person(salutation: Salutation, given: &str, family: &str) -> Person {
    let name = |text: &str| Name::parse(text).unwrap();
    Person { salutation, given: name(given), family: name(family), language: None }
}

fn spliced(letter: &Letter, person: &Person) -> String {
    let address = EmailAddress::parse("leserin@example.org").unwrap();
    let recipient = Recipient { delivery: 99, subscriber: 41, address: &address, person };
    let mut reader = Reader::default();
    reader.fill(&letter.head, &Master::new([7; 32]).token(), &recipient);
    let mut out = Vec::new();
    letter.splice(&reader, &mut out);
    String::from_utf8(out).unwrap()
}

fn mail() -> Mail {
    let slots = Slots::new(SLOTS);
    let mark = |slot| slots.mark(slot);
    Mail {
        subject: "Neue Radwege, Haushalt 2027 und Advent am Hafen – für alle".to_owned(),
        text: format!(
            "{}\n\nNeue Radwege \nin der Südstadt.\n\n{}\n{}\n{}\n",
            mark(Slot::Salutation),
            mark(Slot::Unsubscribe),
            mark(Slot::Preferences),
            mark(Slot::WebVersion)
        ),
        html: format!(
            "<!DOCTYPE html>\n<p>{}</p><a href=\"{}\">Abbestellen</a><a href=\"{}\">Ändern</a><a href=\"{}\">Im Browser</a>\n",
            mark(Slot::Salutation),
            mark(Slot::Unsubscribe),
            mark(Slot::Preferences),
            mark(Slot::WebVersion)
        ),
    }
}

#[test]
fn the_header_says_what_receivers_ask_for() {
    let letter = freeze(&mail());
    let mail = spliced(&letter, &person(Salutation::Ms, "Anna", "Beispiel"));
    let key = Master::new([7; 32]).token();
    let delivery = DeliveryToken::new(&key, 99, 12, 41).to_string();
    let token = ReaderToken { kind: Kind::Unsubscribe, issue: 12, subscriber: 41, newsletter: 3 };
    let unsubscribe = token.seal(&key);
    let (header, _) = mail.split_once("\r\n\r\n").unwrap();
    let header = header.replace(&delivery, "DELIVERY").replace(&unsubscribe, "UNSUBSCRIBE");
    insta::assert_snapshot!(header.replace(" \r\n", "\n").replace("\r\n", "\n"), @r#"
    From: "Stadt Musterhafen" <newsletter@example.de>
    To: Anna Beispiel <leserin@example.org>
    Reply-To: redaktion@example.de
    Subject: Neue Radwege, Haushalt 2027 und Advent am Hafen =?utf-8?b?4oCT?=
     =?utf-8?b?IGbDvHI=?= alle
    Date: Mon, 23 Nov 2026 08:00:00 +0100
    Message-ID: <DELIVERY@news.example.de>
    List-Id: =?utf-8?q?Newsletter_Musterhafen_f=C3=BCr_alle=2C_die_hier_wohnen?=
     <musterhafen.example.de>
    List-Unsubscribe:
     <https://news.example.de/u/UNSUBSCRIBE>,
     <mailto:abmelden+DELIVERY@news.example.de>
    List-Unsubscribe-Post: List-Unsubscribe=One-Click
    List-Help: <https://www.example.de/newsletter>
    List-Archive: <https://news.example.de/archive/musterhafen/7>
    Feedback-ID: 7:musterhafen:newsletter:example-de
    Precedence: bulk
    X-Auto-Response-Suppress: OOF, AutoReply
    Content-Language: de
    MIME-Version: 1.0
    Content-Type: multipart/alternative;
     boundary="=_00000000000000000000000000000c07"
    "#);
    for line in mail.split("\r\n") {
        assert!(line.len() <= 78 && line.is_ascii(), "{line}");
        assert!(!line.contains(['\r', '\n']));
    }
}

#[test]
fn pictures_that_go_along_stand_beside_the_html() {
    let hash = "0123456789abcdef".repeat(4);
    let picture = |hash: &str, end: &str, kind: &str, byte: u8| Enclosure {
        file: format!("{hash}.{end}"),
        media_type: kind.to_owned(),
        bytes: (0..=255).map(|at: u8| at.wrapping_add(byte)).collect(),
        logo: None,
    };
    let shown = picture(&hash, "png", "image/png", 9);
    let unused = picture(&"9".repeat(64), "jpg", "image/jpeg", 0);
    let mut mail = mail();
    let source = office().enclosed(&shown.file);
    mail.html = format!("{}<img src=\"{source}\" alt=\"x\">", mail.html);
    assert!(enclosing(&mail, &[]).unwrap_err().to_string().contains("go along"));

    let letter = enclosing(&mail, &[unused, shown.clone()]).unwrap();
    let mail = spliced(&letter, &person(Salutation::Ms, "Anna", "Beispiel"));
    let parsed = MessageParser::default().parse(mail.as_bytes()).unwrap();
    let kind = |at: u32| {
        let kind = parsed.part(at).unwrap().content_type().unwrap();
        format!("{}/{}", kind.ctype(), kind.subtype().unwrap())
    };
    let parts: Vec<String> = (0..parsed.parts.len()).map(|at| kind(at as u32)).collect();
    let wanted =
        ["multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png"];
    assert_eq!(parts, wanted);
    let image = parsed.part(4).unwrap();
    assert_eq!(image.contents(), shown.bytes);
    assert_eq!(image.content_id(), Some("0123456789abcdef0123456789abcdef@news.example.de"));
    assert_eq!(image.content_disposition().unwrap().ctype(), "inline");
    let related = parsed.part(2).unwrap().content_type().unwrap();
    assert_eq!(related.attribute("type"), Some("text/html"));
    assert!(mail.split("\r\n").all(|line| line.len() <= 78 && line.is_ascii()), "{mail}");
}

#[test]
fn a_reader_finds_their_own_links_and_greeting() {
    let letter = freeze(&mail());
    let mail = spliced(&letter, &person(Salutation::Unknown, "Zoë & Söhne", "\"Müller\""));
    let parsed = MessageParser::default().parse(mail.as_bytes()).unwrap();
    let (text, html) = (parsed.body_text(0).unwrap(), parsed.body_html(0).unwrap());
    assert!(
        text.starts_with("Guten Tag Zoë & Söhne \"Müller\",\r\n\r\nNeue Radwege \r\n"),
        "{text}"
    );
    assert!(html.contains("<p>Guten Tag Zoë &amp; Söhne &quot;Müller&quot;,</p>"), "{html}");
    let key = Master::new([7; 32]).token();
    for (kind, path) in [(Kind::Unsubscribe, "/u/"), (Kind::Preferences, "/p/")] {
        let token = ReaderToken { kind, issue: 12, subscriber: 41, newsletter: 3 }.seal(&key);
        let url = format!("https://news.example.de{path}{token}");
        assert!(text.contains(&format!("\n{url}\r\n")), "{text}");
        assert!(html.contains(&format!("href=\"{url}\"")), "{html}");
    }
    assert!(html.contains("href=\"https://news.example.de/archive/musterhafen/7\""));
    assert_eq!(parsed.message_id().unwrap().len(), 32 + "@news.example.de".len());
    let part = parsed.part(1).unwrap();
    assert_eq!(part.content_type().unwrap().attribute("format"), Some("flowed"));
    assert!(!mail.contains("slot-") && !mail.contains("cut-"));
}

#[test]
fn a_letter_survives_the_database() {
    let letter = freeze(&mail());
    let frozen = letter.to_bytes();
    let read = Letter::from_bytes(&frozen, &content_hash(&frozen)).unwrap();
    assert_eq!(read, letter);
    // Little is a reader's own, so that ten million readers cost one letter.
    assert!(letter.segments().len() < 30, "{}", letter.segments().len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever stands around the slots: a spliced mail decodes to the rendered text
    /// with the reader's data in it.
    #[test]
    fn splicing_is_rendering_for_one(
        pieces in proptest::collection::vec("[ -~äöüß€😀]{0,120}\\n?", 4),
        given in "[A-Za-zäöüÄÖÜß&<' -]{0,40}",
    ) {
        let given = given.replace('<', "");
        let person = person(Salutation::Neutral, &given, "");
        let slots = Slots::new(SLOTS);
        let with = |greeting: &str, unsubscribe: &str, preferences: &str| {
            format!(
                "{}{greeting}{}{unsubscribe}{}{preferences}\n{}",
                pieces[0], pieces[1], pieces[2], pieces[3]
            )
        };
        let rendered = with(
            &slots.mark(Slot::Salutation),
            &slots.mark(Slot::Unsubscribe),
            &slots.mark(Slot::Preferences),
        );
        let mail = Mail { subject: "x".to_owned(), text: rendered.clone(), html: rendered };
        let spliced = spliced(&freeze(&mail), &person);
        let parsed = MessageParser::default().parse(spliced.as_bytes()).unwrap();
        let key = Master::new([7; 32]).token();
        let link = |kind, path: &str| {
            let token = ReaderToken { kind, issue: 12, subscriber: 41, newsletter: 3 };
            format!("https://news.example.de/{path}/{}", token.seal(&key))
        };
        let name = person.given.as_str();
        let greeting = if name.is_empty() { "Guten Tag,".to_owned() } else { format!("Guten Tag {name},") };
        let unsubscribe = link(Kind::Unsubscribe, "u");
        let preferences = link(Kind::Preferences, "p");
        let text = with(&greeting, &unsubscribe, &preferences);
        let html = with(&greeting.replace('&', "&amp;"), &unsubscribe, &preferences);
        let decoded = |part: usize| {
            let part = parsed.part(u32::try_from(part).unwrap()).unwrap();
            part.text_contents().unwrap().replace("\r\n", "\n")
        };
        prop_assert_eq!(decoded(1), text);
        prop_assert_eq!(decoded(2), html);
        for line in spliced.split("\r\n") {
            prop_assert!(line.len() <= 78);
            prop_assert!(!line.contains(['\r', '\n', '\0']));
        }
    }
}
