//! The reader of bounces: every fixture in tests/bounces as the verdict beside it
//! says, hostile mails answered at once, and no bytes that make it stumble.

use std::path::{Path, PathBuf};
use std::time::Instant;

use mail_parser::{MessageParser, MimeHeaders as _};
use rundbrief::bounce::mime::{self, Limit, Media};
use rundbrief::bounce::reason::Reason;
use rundbrief::bounce::report::{self, Kind, Report};
use rundbrief::bounce::{phrase, text};
use serde::Deserialize;

/// What a fixture is.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Expected {
    kind: String,
    recipients: Vec<Who>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Who {
    address: String,
    reason: Option<String>,
    hard: Option<bool>,
}

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bounces");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut mails: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|e| e == "eml")).collect();
    mails.sort();
    assert!(mails.len() > 40, "the fixtures are there");
    mails
}

/// Mails have CRLF; the fixtures are kept with plain line ends.
fn with_crlf(raw: &[u8]) -> Vec<u8> {
    let mut mail = Vec::with_capacity(raw.len() + 100);
    for byte in raw {
        if *byte == b'\n' {
            mail.push(b'\r');
        }
        mail.push(*byte);
    }
    mail
}

fn seen(report: &Report, failure: bool) -> Expected {
    let recipients = report.recipients.iter().map(|recipient| Who {
        address: recipient.address.clone(),
        reason: failure.then(|| recipient.reason.as_str().to_owned()),
        hard: failure.then_some(recipient.hard).flatten(),
    });
    Expected { kind: report.kind.as_str().to_owned(), recipients: recipients.collect() }
}

#[test]
fn every_fixture_reads_as_the_verdict_beside_it() {
    let mut wrong = Vec::new();
    for file in fixtures() {
        let raw = std::fs::read(&file).unwrap();
        let verdict = std::fs::read_to_string(file.with_extension("json")).unwrap();
        let expected: Expected = serde_json::from_str(&verdict).unwrap();
        for mail in [raw.clone(), with_crlf(&raw)] {
            let report = report::read(&mail);
            let seen = seen(&report, expected.kind == "failure");
            if seen != expected {
                wrong.push(format!("{}: {seen:?}, not {expected:?}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A report of Postfix about what a receiver replied.
fn postfix(stage: &str, status: &str, reply: &str) -> String {
    let said = match stage {
        "connect" => format!("refused to talk to me: {reply}"),
        "mail" => format!("said: {reply} (in reply to MAIL FROM command)"),
        "rcpt" => format!("said: {reply} (in reply to RCPT TO command)"),
        "data" => format!("said: {reply} (in reply to end of DATA command)"),
        other => panic!("{other} is no place in a session"),
    };
    format!(
        "Return-Path: <>\nFrom: MAILER-DAEMON@out.example.net (Mail Delivery System)\n\
         Subject: Undelivered Mail Returned to Sender\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n\
         --b\nContent-Type: text/plain; charset=utf-8\n\n\
         <a@mx.example>: host mx.mx.example[192.0.2.7] {said}\n\n\
         --b\nContent-Type: message/delivery-status\n\n\
         Reporting-MTA: dns; out.example.net\n\n\
         Final-Recipient: rfc822; a@mx.example\nAction: failed\nStatus: {status}\n\
         Diagnostic-Code: smtp; {reply}\n\n--b--\n"
    )
}

#[test]
fn what_receivers_reply_is_understood() {
    let mut wrong = Vec::new();
    let lines = include_str!("../bounces/replies/receivers.txt").lines();
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut fields = line.splitn(4, '|').map(str::trim);
        let [reason, stage, status, reply] = [(); 4].map(|()| fields.next().unwrap());
        let report = report::read(postfix(stage, status, reply).as_bytes());
        let seen = report.recipients.first().map(|r| (r.reason.as_str(), r.hard));
        let hard = Reason::parse(reason).unwrap().is_hard();
        if seen != Some((reason, Some(hard))) {
            wrong.push(format!("{line}: {seen:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_verdict_has_its_mail() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bounces");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        assert!(path.with_extension("eml").is_file(), "{}", path.display());
        assert!(path.with_extension("json").is_file(), "{}", path.display());
    }
}

/// Hostile mails, and which limit they meet. Built, not kept: they are large.
fn hostile() -> Vec<(&'static str, Vec<u8>, Option<Limit>)> {
    let head = "From: MAILER-DAEMON@example.net\r\nSubject: Returned mail\r\n";
    let multipart =
        |boundary: &str| format!("Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\n\r\n");
    let large = format!("{head}\r\n{}", "x".repeat(50_000_000));
    let parts = format!("{head}{}{}", multipart("b"), "--b\r\n\r\nx\r\n".repeat(1_000_000));
    let mut deep = head.to_owned();
    for level in 0..100_000 {
        deep.push_str(&multipart(&format!("b{level}")));
        deep.push_str(&format!("--b{level}\r\n"));
    }
    let endless = format!("{head}X: {}", "y".repeat(4_000_000));
    let folded = format!("{head}X: y\r\n{}", " z\r\n".repeat(1_200_000));
    let fields = format!("{head}{}\r\nbody", "X: y\r\n".repeat(80_000));
    let angles = format!("{head}\r\n{}", "<@".repeat(2_000_000));
    let words = format!("{head}\r\n{}", "user unknown ".repeat(380_000));
    let html = format!("{head}Content-Type: text/html\r\n\r\n{}", "<style>".repeat(600_000));
    let encoded = format!("Subject: {}\r\n\r\n", "=?utf-8?q?=?".repeat(30_000));
    let stars = format!("{head}\r\n{}", "mailbox for ".repeat(400_000));
    let mut nested = format!("{head}Content-Type: message/rfc822\r\n\r\n").repeat(60_000);
    nested.push_str("user unknown");
    let base64 = format!(
        "{head}Content-Transfer-Encoding: base64\r\n\r\n{}",
        "dXNlciB1bmtub3duCg==".repeat(249_000)
    );
    let quoted = format!(
        "{head}Content-Transfer-Encoding: quoted-printable\r\n\r\n{}",
        "=3D=C3=A4=\r\n".repeat(400_000)
    );
    let groups = format!(
        "{head}Content-Type: message/delivery-status\r\n\r\n{}",
        "Final-Recipient: rfc822;\r\nAction: failed\r\n\r\n".repeat(110_000)
    );
    let addresses = format!("{head}\r\n{}", "a@b.example\r\n".repeat(380_000));
    let subject =
        format!("From: MAILER-DAEMON@a.example\r\nSubject: {}\r\n\r\n", "=?u?q?".repeat(80_000));
    let cut = |mut mail: String| {
        mail.truncate(5_000_000);
        mail.into_bytes()
    };
    vec![
        ("50 MB", large.into_bytes(), Some(Limit::Bytes)),
        ("a million parts", cut(parts), Some(Limit::Parts)),
        ("a hundred thousand levels", cut(deep), Some(Limit::Depth)),
        ("an endless field", endless.into_bytes(), Some(Limit::Head)),
        ("an endlessly folded field", folded.into_bytes(), Some(Limit::Head)),
        ("eighty thousand fields", fields.into_bytes(), None),
        ("nothing but angles", angles.into_bytes(), None),
        ("nothing but a phrase", cut(words), None),
        ("nothing but tags", html.into_bytes(), None),
        ("half encoded words", encoded.into_bytes(), None),
        ("the beginning of many phrases", stars.into_bytes(), None),
        ("sixty thousand mails in mails", cut(nested), None),
        ("nothing but base64", base64.into_bytes(), None),
        ("nothing but quoted bytes", quoted.into_bytes(), None),
        ("a hundred thousand recipients without a name", groups.into_bytes(), None),
        ("nothing but addresses", addresses.into_bytes(), None),
        ("a subject of beginnings of words", subject.into_bytes(), None),
        ("nothing", Vec::new(), None),
        ("zeros", vec![0; 1_000_000], None),
    ]
}

#[test]
fn hostile_mails_are_answered_as_unclear() {
    // Times are printed, not asserted: 50 ms is the goal in a release build on a quiet machine.
    for (name, mail, limit) in hostile() {
        let start = Instant::now();
        let report = report::read(&mail);
        let took = start.elapsed();
        assert_eq!(report.limit, limit, "{name}");
        if limit.is_some() {
            assert_eq!(report.kind, Kind::Unclear, "{name}");
        }
        assert!(report.recipients.is_empty(), "{name}");
        println!("{name}: {took:?}");
    }
}

/// A small generator (xorshift), so that a failure comes again.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (limit.max(1) as u64)).unwrap()
    }
}

/// Changes a mail somewhere: bytes, lines, a cut, a piece of another mail.
fn mutate(mail: &mut Vec<u8>, other: &[u8], chance: &mut Chance) {
    for _ in 0..=chance.below(4) {
        let at = chance.below(mail.len());
        let upto = (at + chance.below(60)).min(mail.len());
        match chance.below(7) {
            0 if !mail.is_empty() => mail[at] = u8::try_from(chance.below(256)).unwrap(),
            1 => drop(mail.drain(at..upto)),
            2 => mail.truncate(at),
            3 => {
                let from = chance.below(other.len());
                let to = (from + chance.below(200)).min(other.len());
                mail.splice(at..at, other[from..to].iter().copied());
            }
            4 => {
                let piece = mail[at..upto].to_vec();
                mail.splice(at..at, piece);
            }
            5 => mail.splice(at..at, "ÄÖ€日\u{301}\r\n\t=?".bytes()).for_each(drop),
            _ => mail.splice(at..at, *b"\n@<>\"=-.;:*").for_each(drop),
        }
    }
}

#[test]
fn no_bytes_make_it_stumble() {
    // A million: MUTATIONS=1000000 cargo test --test it no_bytes (ten minutes unoptimised).
    let rounds = std::env::var("MUTATIONS").map_or(4_000, |count| count.parse().unwrap());
    let mails: Vec<Vec<u8>> = fixtures().iter().map(|file| std::fs::read(file).unwrap()).collect();
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    for round in 0..rounds {
        let mut mail = mails[chance.below(mails.len())].clone();
        let other = chance.below(mails.len());
        mutate(&mut mail, &mails[other], &mut chance);
        let report = report::read(&mail);
        let failed = matches!(report.kind, Kind::Failure | Kind::Delay);
        assert_eq!(failed, !report.recipients.is_empty() && failed, "round {round}");
        for recipient in &report.recipients {
            assert!(recipient.address.contains('@'), "round {round}: {recipient:?}");
        }
        assert!(report.excerpt.len() <= 1_500);
    }
}

/// An independent parser finds the same parts with the same text.
#[test]
fn parts_are_as_another_parser_finds_them() {
    for file in fixtures() {
        let mail = with_crlf(&std::fs::read(&file).unwrap());
        let (_, ours) = mime::open(&mail).unwrap();
        let theirs = MessageParser::default().parse(&mail).unwrap();
        let reports = theirs.parts.iter().filter(|part| {
            part.content_type().is_some_and(|c| {
                c.ctype() == "message"
                    && c.subtype().is_some_and(|s| s.ends_with("delivery-status"))
            })
        });
        let expected: Vec<String> = reports
            .map(|part| String::from_utf8_lossy(part.contents()).trim().to_owned())
            .collect();
        let found: Vec<String> = ours
            .iter()
            .filter(|part| part.media == Media::DeliveryStatus)
            .map(|part| text::body(&part.head, part.body).trim().to_owned())
            .collect();
        assert_eq!(found, expected, "{}", file.display());
    }
}

#[test]
fn the_table_of_phrases_stands() {
    let table = phrase::table();
    assert!(table.len() > 2_500, "{}", table.len());
    let mut section = "";
    let mut known = std::collections::HashSet::new();
    for line in include_str!("../../src/bounce/phrases.txt").lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
        } else if !line.is_empty() && !line.starts_with('#') {
            assert_eq!(phrase::fold(line), line, "a phrase is lower case");
            assert!(known.insert((section, line)), "twice in {section}: {line}");
            let found = table.all(&line.replace('*', "anna")).iter().any(|hit| hit.at == 0);
            assert!(found, "{line} does not find itself");
        }
    }
}

#[test]
fn a_wrong_table_names_its_line() {
    let wrong = |text: &'static str| phrase::Table::parse(text.into()).err().unwrap().to_string();
    assert_eq!(wrong("# x\n[user unknwn]\n"), "line 2: there is no section \"user unknwn\"");
    assert_eq!(wrong("no such user\n"), "line 1: a phrase before the first [section]");
    assert!(wrong("[policy]\n\nab*cd\n").starts_with("line 3: "));
}
