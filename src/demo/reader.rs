//! Two hundred readers who do not exist, and what their mail servers are like.

use std::fmt::Write as _;

/// Readers of the German newsletter.
pub const GERMAN: usize = 130;
/// Readers of the English one.
pub const ENGLISH: usize = 70;

/// What the server of a domain does with a first mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Temper {
    /// Takes everything.
    Friendly,
    /// Says "later" once, then takes it.
    Greylisting,
    /// Knows nobody of that name.
    Refusing,
    /// Takes it, and sends it back: nobody there of that name.
    BouncingHard,
    /// Takes it, and sends it back: the mailbox is full.
    BouncingSoft,
}

impl Temper {
    /// The temper of a recipient's server. Domains say it by their name.
    pub fn of(address: &str) -> Temper {
        match address.rsplit('@').next().unwrap_or_default() {
            "geduld.example" | "patience.example" => Temper::Greylisting,
            "niemand.example" | "nobody.example" => Temper::Refusing,
            "verzogen.example" | "moved.example" => Temper::BouncingHard,
            "voll.example" | "full.example" => Temper::BouncingSoft,
            _ => Temper::Friendly,
        }
    }
}

const GIVEN: [&str; 20] = [
    "Anna", "Mehmet", "Lena", "Jonas", "Fatma", "Paul", "Ida", "Olga", "Emil", "Ruth", "Karl",
    "Noor", "Greta", "Tomasz", "Clara", "Yusuf", "Hannah", "Piet", "Zoë", "Björn",
];
const FAMILY: [&str; 17] = [
    "Beispiel",
    "Krüger",
    "Yıldız",
    "Petersen",
    "Groß",
    "Amadi",
    "Moreau",
    "Hansen",
    "Kowalski",
    "Lüders",
    "Schäfer",
    "Nguyen",
    "Thode",
    "Fletcher",
    "Brandt",
    "Okafor",
    "Sørensen",
];

/// One list as a CSV file: address, given name, family name.
pub fn list(language: Language) -> String {
    let (from, count) = match language {
        Language::German => (0, GERMAN),
        Language::English => (GERMAN, ENGLISH),
    };
    let mut csv = String::from("email,given_name,family_name\n");
    for n in from..from + count {
        let (given, family) = (GIVEN[n % GIVEN.len()], FAMILY[n % FAMILY.len()]);
        let domain = domain(language, n - from);
        let name = format!("{}.{}", plain(given), plain(family));
        writeln!(csv, "{name}@{domain},{given},{family}").expect("writing to a string");
    }
    csv
}

/// The addresses of one list.
pub fn addresses(language: Language) -> Vec<String> {
    let csv = list(language);
    let address = |line: &str| line.split(',').next().unwrap_or_default().to_owned();
    csv.lines().skip(1).map(address).collect()
}

/// Which of the two lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Musterhafen's own readers.
    German,
    /// Readers elsewhere.
    English,
}

/// Most are friendly; of every twenty-five, some are not.
fn domain(language: Language, n: usize) -> &'static str {
    let (friendly, special) = match language {
        Language::German => (
            ["example.org", "example.de", "post.example", "example.com"],
            ["geduld.example", "niemand.example", "verzogen.example", "voll.example"],
        ),
        Language::English => (
            ["example.net", "example.com", "mail.example", "example.org"],
            ["patience.example", "nobody.example", "moved.example", "full.example"],
        ),
    };
    match n % 25 {
        3 | 11 | 19 => special[0],
        7 => special[1],
        14 => special[2],
        22 => special[3],
        _ => friendly[n % 4],
    }
}

/// The name as it stands in an address.
fn plain(name: &str) -> String {
    let mut plain = String::new();
    for c in name.to_lowercase().chars() {
        match c {
            'ä' => plain.push_str("ae"),
            'ö' | 'ø' => plain.push_str("oe"),
            'ü' => plain.push_str("ue"),
            'ß' => plain.push_str("ss"),
            'ı' => plain.push('i'),
            'ë' => plain.push('e'),
            c if c.is_ascii_lowercase() => plain.push(c),
            _ => {}
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn two_hundred_readers_with_two_hundred_addresses_of_every_temper() {
        let lists = list(Language::German) + &list(Language::English);
        let addresses: Vec<&str> = lists
            .lines()
            .filter(|l| l.contains('@'))
            .map(|l| l.split(',').next().unwrap())
            .collect();
        assert_eq!(addresses.len(), 200);
        assert_eq!(addresses.iter().collect::<BTreeSet<_>>().len(), 200);
        for temper in [
            Temper::Friendly,
            Temper::Greylisting,
            Temper::Refusing,
            Temper::BouncingHard,
            Temper::BouncingSoft,
        ] {
            assert!(addresses.iter().any(|a| Temper::of(a) == temper), "{temper:?}");
        }
        assert!(addresses.iter().all(|a| a.is_ascii()));
    }
}
