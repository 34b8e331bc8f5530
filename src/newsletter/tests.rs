//! What a definition's file may say, and how a mistake in it is answered.

use super::definition::{Bounces, Late, Lead, Unknown, WhenDue};
use super::*;

const EXAMPLE: &str = include_str!("../../deploy/newsletter.toml");

fn fault(old: &str, new: &str) -> String {
    assert!(EXAMPLE.contains(old), "{old}");
    let text = EXAMPLE.replacen(old, new, 1);
    parse(&text, Path::new("stadt.toml")).unwrap_err().to_string()
}

#[test]
fn the_example_stands_and_shows_the_defaults() {
    let example = parse(EXAMPLE, Path::new("deploy/newsletter.toml")).unwrap();
    assert_eq!(example.list_id(), "musterhafen.example.de");
    assert_eq!(example.rules.sections.len(), 2);
    assert!(example.schedule().is_some());
    assert!(example.imprint.missing().is_empty());

    // What is commented out is what holds anyway.
    let policies = &example.policies;
    assert_eq!(policies.when_due, WhenDue::Draft);
    assert_eq!(policies.late, Late::Ask);
    assert_eq!(policies.late_after_minutes.get(), 120);
    assert_eq!(policies.unknown, Unknown::AtLeastOnce);
    assert_eq!(policies.undo_minutes.get(), 2);
    assert_eq!(example.bounce, Bounces::default());
    assert_eq!(example.rules.at_most.get(), 10);
    assert_eq!(example.rules.at_least.get(), 1);
    assert_eq!(example.rules.lead, Lead::Newest);
    assert_eq!(example.rules.max_age_days.get(), 60);
    assert_eq!(example.rules.events.at_most.get(), 10);
    assert_eq!(example.rules.events.within_days.get(), 90);
}

#[test]
fn every_commented_line_of_the_example_stands_too() {
    let uncommented: String = EXAMPLE
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if rest.contains(" = ") || rest.starts_with('[') => rest,
            _ => line,
        })
        .map(|line| format!("{line}\n"))
        .collect();
    let all = parse(&uncommented, Path::new("all.toml")).unwrap();
    assert_eq!(all.bounce, Bounces::default());
    assert_eq!(all.rules.rest.as_deref(), Some("Weitere Meldungen"));
    assert_eq!(all.imprint.country.as_deref(), Some("Deutschland"));
    assert!(all.brand.logo.is_some());
}

#[test]
fn a_definition_survives_its_json() {
    let example = parse(EXAMPLE, Path::new("x")).unwrap();
    let json = serde_json::to_string(&example).unwrap();
    assert_eq!(serde_json::from_str::<Definition>(&json).unwrap(), example);
}

#[test]
fn a_mistake_is_answered_with_line_and_remedy() {
    assert_eq!(
        fault("slug = \"musterhafen\"", "slug = \"Muster Hafen\""),
        "stadt.toml:5: \"Muster Hafen\" is no short name; use up to 40 lower-case letters, digits and hyphens, as in \"musterhafen\""
    );
    assert_eq!(
        fault("language = \"de\"", "language = \"fr\""),
        "stadt.toml:12: unknown variant `fr`, expected `de` or `en`"
    );
    assert!(fault("Europe/Berlin", "Europe/Bonn").starts_with("stadt.toml:15: time zone"));
    assert!(
        fault("0 7 * * Thu", "0 7 31 2 *").starts_with("stadt.toml:21: \"0 7 31 2 *\" never fires")
    );
    assert!(fault("[sender]", "[sender]\nfrom = 1").contains(
        "unknown field `from`, expected one of `name`, `address`, `reply_to`, `list_id`"
    ));
    let line = 1 + EXAMPLE.lines().position(|line| line.contains("newsletter@example.de")).unwrap();
    let said = fault("newsletter@example.de", "newsletter");
    let what = format!("stadt.toml:{line}: sender.address: \"newsletter\" has no @; allowed");
    assert!(said.starts_with(&what), "{said}");
    let said = fault("reply_to = \"redaktion@example.de\"", "reply_to = \"redaktion@\"");
    assert!(said.contains("sender.reply_to: \"redaktion@\" has nothing after the @"), "{said}");
    assert!(fault("https://www.example.de/datenschutz", "/datenschutz").contains("no web address"));
    assert!(
        fault("# undo_minutes = 2", "undo_minutes = 99999").contains("allowed: 0 to 10080 minutes")
    );
    for (wrong, allowed) in [
        ("hard = 3", "3 is out of range; allowed: 1 to 2 hard bounces"),
        ("hard_memory_days = 0", "allowed: 1 to 730 days"),
        ("probe_after_days = 31", "31 is out of range; allowed: 0 to 30 days"),
        ("soft = 0.5", "0.5 is out of range; allowed: 1.0 to 50.0"),
        ("soft = \"much\"", "invalid type: string \"much\""),
        ("strikes = 3", "unknown field `strikes`, expected one of `hard`, `hard_memory_days`"),
    ] {
        let line = 1 + EXAMPLE.lines().position(|line| line == "[bounce]").unwrap();
        let said = fault("\n[bounce]\n", &format!("\n[bounce]\n{wrong}\n"));
        assert!(said.starts_with(&format!("stadt.toml:{}: ", line + 1)), "{said}");
        assert!(said.contains(allowed), "{said}");
    }
    assert!(fault("title = \"Newsletter Musterhafen\"", "title = \" \"").contains("is empty"));
    assert!(fault("title = \"Newsletter Musterhafen\"", "").contains("missing field `title`"));
    let colours = fault("base = \"town\"", "base = \"town\"\nlight = { link = \"#ffff00\" }");
    let line = 1 + EXAMPLE.lines().position(|line| line == "[brand]").unwrap();
    assert!(colours.starts_with(&format!("stadt.toml:{line}: ")), "{colours}");
}

#[test]
fn addresses_and_the_logo_are_what_every_reader_reaches() {
    for (wrong, what) in [
        ("http://www.example.de/", "that begins with https://"),
        ("https://u:p@www.example.de/", "has a name or a password before its host"),
        ("https://intranet/", "is a name that only a private network knows"),
        ("https://127.0.0.1/", "is an address of a private network"),
        ("https://rathaus.lan/", "is a name that only a private network knows"),
    ] {
        let said = fault("https://www.example.de/\"", &format!("{wrong}\""));
        assert!(said.starts_with("stadt.toml:24: ") && said.contains(what), "{said}");
    }
    let logo = "url = \"https://www.example.de/l.png\"\nalt = \"Stadt\"\nwidth = 180\nheight = 48";
    let table = |logo: &str| format!("base = \"town\"\n[brand.logo]\n{logo}");
    let first = 2 + EXAMPLE.lines().position(|line| line == "base = \"town\"").unwrap() + 1;
    parse(&EXAMPLE.replacen("base = \"town\"", &table(logo), 1), Path::new("x")).unwrap();
    for (line, old, new, what) in [
        (
            0,
            "https://www",
            "javascript:alert(1)//www",
            "no address of a picture; allowed: https://…",
        ),
        (0, "https://www", "http://www", "no address of a picture; allowed: https://…"),
        (0, "https://www", "file:///www", "no address of a picture; allowed: https://…"),
        (0, "https://www", "cid:www", "names a part of a mail; allowed: https://…"),
        (0, "https://www", "https://u:p@www", "has a name or a password"),
        (0, "https://www.example.de", "https://10.0.0.7", "an address of a private network"),
        (1, "Stadt", " ", "is empty; say what the logo says"),
        (2, "180", "0", "0 is out of range; allowed: 1 to 320 pixels"),
        (2, "180", "600", "600 is out of range; allowed: 1 to 320 pixels"),
        (3, "48", "1000", "1000 is out of range; allowed: 1 to 120 pixels"),
    ] {
        let said = fault("base = \"town\"", &table(&logo.replacen(old, new, 1)));
        assert!(said.starts_with(&format!("stadt.toml:{}: brand.logo.", first + line)), "{said}");
        assert!(said.contains(what), "{said}");
    }
    let said = fault("phone = \"+49 30 1234567\"", "phone = \"xxxx\"");
    assert!(said.contains("imprint.phone: \"xxxx\" is no telephone number"), "{said}");
    let said = fault("\nemail = \"redaktion@example.de\"", "\nemail = \"kaputt\"");
    assert!(said.contains("imprint.email: \"kaputt\" is no mail address"), "{said}");
}
