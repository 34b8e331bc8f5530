//! Tables of good and bad addresses, and properties against lettre's parser.

use proptest::prelude::{
    Strategy, any, prop, prop_assert, prop_assert_eq, prop_assume, prop_oneof, proptest,
};

use super::{ADDRESS_MAX, EmailAddress, Error, LOCAL_MAX};

fn parse(text: &str) -> Result<String, Error> {
    EmailAddress::parse(text).map(|address| address.as_str().to_owned())
}

#[test]
fn lawful_addresses_are_taken_as_they_are() {
    for text in [
        "anna@example.org",
        "Anna.Beispiel@example.org",
        "anna+zeitung@example.co.uk",
        "o'neill@example.org",
        "!#$%&'*+-/=?^_`{|}~@example.org",
        "1@2.example",
        "a@xn--mnchen-3ya.example",
        "jörg@example.org",
        "用户@example.org",
        "\"anna beispiel\"@example.org",
        "\"a@b\"@example.org",
        "a@r3---sn.example.org",
    ] {
        assert_eq!(parse(text).as_deref(), Ok(text));
    }
}

#[test]
fn one_address_has_one_spelling() {
    let spelled = [
        ("anna@EXAMPLE.org", "anna@example.org"),
        ("anna@münchen.example", "anna@xn--mnchen-3ya.example"),
        ("anna@MÜNCHEN.example", "anna@xn--mnchen-3ya.example"),
        ("anna@straße.example", "anna@xn--strae-oqa.example"),
        ("anna@例え。example", "anna@xn--r8jz45g.example"),
        ("\"anna\"@example.org", "anna@example.org"),
        ("\"an\\na\"@example.org", "anna@example.org"),
        ("jo\u{308}rg@example.org", "jörg@example.org"),
    ];
    for (written, spelling) in spelled {
        assert_eq!(parse(written).as_deref(), Ok(spelling), "{written}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    let long = "a".repeat(LOCAL_MAX + 1);
    let wrong = [
        ("", Error::Empty),
        ("anna", Error::NoAt),
        ("anna(at)example.org", Error::NoAt),
        ("@example.org", Error::NoLocal),
        ("anna@", Error::NoDomain),
        (&format!("{long}@example.org"), Error::LocalTooLong),
        (" anna@example.org", Error::LocalCharacter(' ')),
        ("an na@example.org", Error::LocalCharacter(' ')),
        ("<anna@example.org", Error::LocalCharacter('<')),
        ("anna@b@example.org", Error::LocalCharacter('@')),
        ("anna,bert@example.org", Error::LocalCharacter(',')),
        ("anna\0@example.org", Error::LocalCharacter('\0')),
        ("anna\r\n@example.org", Error::LocalCharacter('\r')),
        ("an\u{200B}na@example.org", Error::LocalCharacter('\u{200B}')),
        ("an\u{202E}na@example.org", Error::LocalCharacter('\u{202E}')),
        ("j\u{FFFD}rg@example.org", Error::LocalCharacter('\u{FFFD}')),
        (".anna@example.org", Error::LocalDots),
        ("anna.@example.org", Error::LocalDots),
        ("an..na@example.org", Error::LocalDots),
        ("\"\"@example.org", Error::LocalQuotes),
        ("\"anna@example.org", Error::LocalQuotes),
        ("\"anna\\\"@example.org", Error::LocalQuotes),
        ("\"anna\"b@example.org", Error::LocalQuotes),
        ("anna@[192.0.2.1]", Error::Literal),
        ("anna@192.0.2.1", Error::Literal),
        ("anna@[IPv6:2001:db8::1]", Error::Literal),
        ("anna@localhost", Error::DomainOneLabel),
        ("anna@example.org.", Error::Domain),
        ("anna@example..org", Error::Domain),
        ("anna@.example.org", Error::Domain),
        ("anna@-example.org", Error::Domain),
        ("anna@example-.org", Error::Domain),
        ("anna@exa_mple.org", Error::Domain),
        ("anna@exa mple.org", Error::Domain),
        ("anna@example.org ", Error::Domain),
        ("anna@example.org>", Error::Domain),
        ("anna@example.org\r\nRCPT TO:<b>", Error::Domain),
        ("anna@example.123", Error::Domain),
        ("anna@xn--a.example", Error::Domain),
    ];
    for (written, error) in wrong {
        assert_eq!(parse(written), Err(error), "{written:?}");
    }
}

#[test]
fn lengths_are_counted_in_octets_of_the_wire() {
    let local = "a".repeat(LOCAL_MAX);
    let label = "b".repeat(62);
    let longest = format!("{local}@{label}.{label}.{label}");
    assert_eq!(longest.len(), ADDRESS_MAX - 1);
    assert!(parse(&longest).is_ok());
    assert!(parse(&format!("{longest}b")).is_ok());
    assert_eq!(parse(&format!("{longest}.bb")), Err(Error::TooLong));
    let umlauts = format!("{}@example.org", "ä".repeat(LOCAL_MAX / 2 + 1));
    assert_eq!(parse(&umlauts), Err(Error::LocalTooLong));
    let umlauts = format!("a@{}.example", "ä".repeat(60));
    assert_eq!(parse(&umlauts), Err(Error::Domain));
}

#[test]
fn the_key_ignores_case_and_spelling() {
    let key = |text| EmailAddress::parse(text).unwrap().normal().to_owned();
    assert_eq!(key("Anna@Example.ORG"), key("anna@example.org"));
    assert_eq!(key("JÖRG@example.org"), key("jo\u{308}rg@example.org"));
    assert_eq!(key("anna@MÜNCHEN.example"), key("ANNA@xn--MNCHEN-3YA.example"));
}

#[test]
fn neither_debug_nor_an_error_shows_an_address() {
    let address = EmailAddress::parse("anna@example.org").unwrap();
    assert_eq!(format!("{address:?}"), "EmailAddress(…)");
    assert_eq!(address.masked(), "a…@example.org");
    let error = EmailAddress::parse("anna@exa mple.org").unwrap_err();
    assert_eq!(error.to_string(), "has no valid domain after the @");
}

/// Texts near addresses: about half of them lawful.
fn near_addresses() -> impl Strategy<Value = String> {
    let usual = vec!["a", "Z", "9", "-", "ß", "ü", "例", "bc"];
    let odd = vec![
        ".", "..", "@", "\"", "\\", " ", "_", "+", "xn--", "u\u{308}", "\u{308}", "[", "]", ".org",
        "\u{200B}", "\u{FFFD}", "\r\n", "\t", "'", "<", ">", "。", "1.2.3.4",
    ];
    let piece = prop_oneof![30 => prop::sample::select(usual), 1 => prop::sample::select(odd)];
    let part = prop::collection::vec(piece, 1..8).prop_map(|pieces| pieces.concat());
    let quoted = "\"[a-z .@\\\\]{1,6}\"".boxed();
    let local = prop_oneof![9 => part.clone().boxed(), 1 => quoted];
    (local, part).prop_map(|(local, domain)| format!("{local}@{domain}.example"))
}

proptest! {
    #[test]
    fn what_we_take_lettre_takes_and_reads_the_same(text in near_addresses()) {
        let parsed = EmailAddress::parse(&text);
        prop_assume!(parsed.is_ok());
        let ours = parsed.unwrap();
        let theirs: lettre::Address = ours.as_str().parse().unwrap();
        prop_assert_eq!(theirs.user(), ours.local());
        prop_assert_eq!(theirs.domain(), ours.domain());
        prop_assert!(ours.domain().is_ascii());
        prop_assert!(ours.as_str().len() <= ADDRESS_MAX);
        prop_assert!(!ours.as_str().contains(['\r', '\n', '\0']));
    }

    #[test]
    fn a_parsed_address_parses_to_itself(text in near_addresses()) {
        if let Ok(address) = EmailAddress::parse(&text) {
            let again = EmailAddress::parse(address.as_str()).unwrap();
            prop_assert_eq!(again.as_str(), address.as_str());
            let normal = EmailAddress::parse(address.normal()).unwrap();
            prop_assert_eq!(normal.normal(), address.normal());
        }
    }

    #[test]
    fn plain_addresses_that_lettre_takes_we_take(
        text in "[a-zA-Z0-9+_-]{1,20}(\\.[a-z0-9]{1,9}){0,2}@[a-z0-9]{1,20}(\\.[a-z0-9]{1,9}){0,2}\\.[a-z]{2,9}"
    ) {
        prop_assert_eq!(text.parse::<lettre::Address>().is_ok(), EmailAddress::parse(&text).is_ok());
    }

    #[test]
    fn nothing_makes_it_panic(text in any::<String>()) {
        let _ = EmailAddress::parse(&text);
        let _ = EmailAddress::parse(&format!("{text}@example.org"));
        let _ = EmailAddress::parse(&format!("a@{text}"));
    }
}
