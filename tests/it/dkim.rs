//! Signatures hold for an independent verifier (mail-auth; dkimpy in `tests/run`), and
//! for nothing that was changed.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Instant;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{Ed25519KeyPair, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail_auth::common::parse::TxtRecordParser as _;
use mail_auth::common::verify::DomainKey;
use mail_auth::{
    AuthenticatedMessage, DkimResult, MessageAuthenticator, Parameters, ResolverCache, Txt,
};
use rundbrief::letter::dkim::{Error, Key, sign, sign_without};
use rundbrief::smtp::mark::Mark;

/// The zone of the test: what a receiver would get from DNS.
pub struct Zone(HashMap<Box<str>, Txt>);

impl Zone {
    pub fn of(keys: &[Key]) -> Self {
        let record = |key: &Key| {
            let parsed = DomainKey::parse(key.record().as_bytes()).unwrap();
            (format!("{}.", key.record_name()).into(), Txt::DomainKey(parsed.into()))
        };
        Zone(keys.iter().map(record).collect())
    }
}

impl ResolverCache<Box<str>, Txt> for Zone {
    fn get<Q: Hash + Eq + ?Sized>(&self, name: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
    {
        self.0.get(name).cloned()
    }

    fn remove<Q: Hash + Eq + ?Sized>(&self, _: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
    {
        None
    }

    fn insert(&self, _: Box<str>, _: Txt, _: Instant) {
        // The zone does not grow.
    }
}

pub fn pem(der: &[u8]) -> String {
    let lines: Vec<String> = STANDARD
        .encode(der)
        .as_bytes()
        .chunks(64)
        .map(|line| String::from_utf8(line.to_vec()).unwrap())
        .collect();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
}

pub fn rsa_pem(size: KeySize) -> String {
    let pair = RsaKeyPair::generate(size).unwrap();
    let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    pem(der.as_ref())
}

pub fn ed25519_pem() -> String {
    let pair = Ed25519KeyPair::generate().unwrap();
    let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    pem(der.as_ref())
}

fn keys() -> Vec<Key> {
    let rsa = Key::parse("example.de", "2026a", &rsa_pem(KeySize::Rsa2048)).unwrap();
    let next = Key::parse("example.de", "2027a", &rsa_pem(KeySize::Rsa2048)).unwrap();
    let ed = Key::parse("example.de", "2026e", &ed25519_pem()).unwrap();
    vec![rsa, next, ed]
}

const MAIL: &str = "From: Stadt Musterhafen <newsletter@example.de>\r\n\
    To: Anna Beispiel\r\n <leserin@example.org>\r\n\
    Subject:  Neue   Radwege \r\n\
    Date: Mon, 23 Nov 2026 08:00:00 +0100\r\n\
    Message-ID: <abc@news.example.de>\r\n\
    List-Id: Newsletter <newsletter.example.de>\r\n\
    List-Unsubscribe: <https://news.example.de/u/x>,\r\n\t<mailto:abmelden@news.example.de>\r\n\
    List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n\
    MIME-Version: 1.0\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\
    \r\n\
    Guten  Tag,\t \r\n\
    \r\n\
    \x20\r\n\
    \tneue Radwege. Am Zeilenende steht nichts. \r\n\
    \r\n\
    \r\n";

fn signed(keys: &[Key], mail: &str) -> String {
    let mut out = Vec::new();
    sign(keys, mail.as_bytes(), "2026-01-05T08:00:00Z".parse().unwrap(), &mut out);
    out.extend_from_slice(mail.as_bytes());
    String::from_utf8(out).unwrap()
}

/// What a receiver says of each signature.
pub fn verdicts(zone: &Zone, mail: &str) -> Vec<bool> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let receiver = MessageAuthenticator::new_system_conf().unwrap();
        let message = AuthenticatedMessage::parse(mail.as_bytes()).unwrap();
        let output = receiver.verify_dkim(Parameters::new(&message).with_txt_cache(zone)).await;
        output.iter().map(|one| *one.result() == DkimResult::Pass).collect()
    })
}

#[test]
fn every_key_signs_and_every_signature_holds() {
    let keys = keys();
    let zone = Zone::of(&keys);
    let mail = signed(&keys, MAIL);
    assert_eq!(verdicts(&zone, &mail), [true, true, true]);
    for line in mail.split("\r\n") {
        assert!(line.len() <= 78, "{line}");
    }
    // The header's order and folding may change on the way, and white space.
    let folded =
        mail.replace("Neue   Radwege ", "Neue\r\n Radwege").replace("Guten  Tag", "Guten Tag");
    assert_eq!(verdicts(&zone, &folded), [true, true, true]);
}

#[test]
fn what_was_changed_is_refused() {
    let keys = keys();
    let zone = Zone::of(&keys);
    let mail = signed(&keys, MAIL);
    for (old, new) in [
        ("neue Radwege.", "neue Fußwege."),
        ("Neue   Radwege", "Alte Radwege"),
        ("/u/x>", "/u/y>"),
        ("One-Click", "Two-Click"),
        // A second From, Subject, To on top: oversigned fields do not allow it.
        ("From: Stadt", "From: Other <x@example.de>\r\nFrom: Stadt"),
        ("Subject: ", "Subject: Gewinn\r\nSubject: "),
        ("To: Anna", "To: other@example.org\r\nTo: Anna"),
    ] {
        assert!(mail.contains(old), "{old}");
        let changed = mail.replacen(old, new, 1);
        assert_eq!(verdicts(&zone, &changed), [false, false, false], "{new}");
    }
}

#[test]
fn an_empty_body_and_a_body_of_blank_lines_hold() {
    let keys = keys();
    let zone = Zone::of(&keys);
    let (header, _) = MAIL.split_once("\r\n\r\n").unwrap();
    for body in ["", "\r\n", "\r\n\r\n", "ohne Zeilenende"] {
        let mail = signed(&keys, &format!("{header}\r\n\r\n{body}"));
        assert_eq!(verdicts(&zone, &mail), [true, true, true], "{body:?}");
    }
}

/// Verifies each signature of the mail on standard input with dkimpy; the zone is the argument.
const DKIMPY: &str = "\
import dkim, json, sys
zone = json.loads(sys.argv[1])
mail = sys.stdin.buffer.read()
answer = lambda name, timeout=5: zone[name.decode().rstrip('.')].encode()
count = mail.count(b'DKIM-Signature:')
print(all([dkim.DKIM(mail).verify(idx=i, dnsfunc=answer) for i in range(count)]), count)
";

/// What dkimpy says of a mail.
fn dkimpy(keys: &[Key], mail: &str) -> String {
    let zone: HashMap<String, String> =
        keys.iter().map(|key| (key.record_name(), key.record())).collect();
    let mut dkimpy = Command::new("/usr/bin/python3")
        .args(["-c", DKIMPY, &serde_json::to_string(&zone).unwrap()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("/usr/bin/python3 is there: apt install python3-dkim python3-nacl");
    dkimpy.stdin.take().unwrap().write_all(mail.as_bytes()).unwrap();
    let output = dkimpy.wait_with_output().unwrap();
    assert!(output.status.success(), "is dkimpy there? apt install python3-dkim python3-nacl");
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

#[test]
fn dkimpy_agrees() {
    let keys = keys();
    assert_eq!(dkimpy(&keys, &signed(&keys, MAIL)), "True 3");
}

#[test]
fn a_signature_outlives_what_the_provider_replaces() {
    let keys = keys();
    let zone = Zone::of(&keys);
    for (by, holds, said) in
        [(Some(Mark::Ses), true, "True 3"), (Some(Mark::Sendgrid), false, "False 3")]
    {
        let mut out = Vec::new();
        let at = "2026-01-05T08:00:00Z".parse().unwrap();
        let replaced = by.map_or(&[][..], Mark::replaces);
        sign_without(replaced, &keys, MAIL.as_bytes(), at, &mut out);
        let mail = String::from_utf8(out).unwrap() + MAIL;
        assert_eq!(verdicts(&zone, &mail), [true; 3]);
        let date = mail.replacen("Date: Mon, 23 Nov", "Date: Tue, 24 Nov", 1);
        let id = mail.replacen("<abc@news", "<0100018f-000000@email.amazonses", 1);
        let both = date.replacen("<abc@news", "<0100018f-000000@email.amazonses", 1);
        for changed in [date, id, both] {
            assert_ne!(changed, mail);
            assert_eq!(verdicts(&zone, &changed), [holds; 3], "{by:?}");
            assert_eq!(dkimpy(&keys, &changed), said, "{by:?}");
        }
        let other = mail.replacen("Neue   Radwege", "Alte Radwege", 1);
        assert_eq!(verdicts(&zone, &other), [false; 3], "{by:?}");
    }
}

#[test]
fn a_record_is_cut_as_a_zone_file_takes_it() {
    for (key, strings) in keys().iter().zip([2, 2, 1]) {
        let zone = key.zone_record();
        let quoted = zone.strip_prefix('"').and_then(|zone| zone.strip_suffix('"')).unwrap();
        let cut: Vec<&str> = quoted.split("\" \"").collect();
        assert_eq!(cut.len(), strings, "{zone}");
        assert!(cut.iter().all(|string| string.len() <= 255 && !string.contains('"')), "{zone}");
        assert_eq!(cut.concat(), key.record());
    }
}

#[test]
fn a_key_says_why_it_is_none() {
    let refusal = |pem: &str| Key::parse("example.de", "a", pem).unwrap_err();
    assert_eq!(refusal("geheim"), Error::Pem);
    assert_eq!(refusal(&pem(b"geheim")), Error::Kind);
    let cut = rsa_pem(KeySize::Rsa2048);
    let cut = cut.replacen("MII", "MIA", 1);
    assert_eq!(refusal(&cut), Error::Kind);
}

#[test]
fn a_key_signs_for_its_domain_and_below() {
    let key = Key::parse("Example.DE", "a", &ed25519_pem()).unwrap();
    assert!(key.signs_for("example.de"));
    assert!(key.signs_for("news.example.de"));
    assert!(!key.signs_for("myexample.de"));
    assert!(!key.signs_for("example.org"));
    assert_eq!(key.record_name(), "a._domainkey.example.de");
    assert!(!format!("{key:?}").contains("PRIVATE"));
}
