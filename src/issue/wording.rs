//! What words alone give away: marks of a template, last year's date, shouting, links and
//! pictures whose words say nothing. Knows no issue.

use jiff::civil::Date;

use super::preflight::Finding;

/// What a template or a designer left behind, in lower case.
const LEFT_BEHIND: [&str; 7] = ["{{", "}}", "{%", "%}", "lorem ipsum", "[todo", "xxxx"];
/// Letters of a text in capitals that is more than an abbreviation.
const CAPITALS: usize = 7;
/// Letters of a word that counts as one in capitals.
const CAPITALS_OF_WORD: usize = 4;
/// Alternative texts that say nothing, in lower case.
const EMPTY_ALTS: [&str; 9] =
    ["bild", "foto", "grafik", "image", "photo", "picture", "logo", "titelbild", "platzhalter"];
/// Link texts that do not name their target, in lower case.
const EMPTY_LINKS: [&str; 15] = [
    "hier",
    "hier klicken",
    "klicken sie hier",
    "mehr",
    "mehr erfahren",
    "mehr lesen",
    "weiter",
    "weiterlesen",
    "link",
    "diesem link",
    "here",
    "click here",
    "more",
    "read more",
    "this link",
];

/// What was left behind, and last year's date.
pub fn words_of(place: &str, text: &str, today: Date, findings: &mut Vec<Finding>) {
    left_behind(place, text, findings);
    let last_year = (today.year() - 1).to_string();
    if names_year(text, &last_year) {
        let what = format!("names the year {last_year}");
        findings.push(Finding::look(place, what, "is it meant, or was it copied?"));
    }
}

/// Whether a text has the year as a number, or a date such as 24.12.25.
fn names_year(text: &str, year: &str) -> bool {
    let short = year.get(2..).unwrap_or(year);
    let numbers = text.split(|c: char| !c.is_ascii_digit() && c != '.');
    numbers.into_iter().any(|number| {
        match number.trim_matches('.').split('.').collect::<Vec<_>>()[..] {
            [day, month, last] if last == short => {
                day.parse().is_ok_and(|day: u8| (1..=31).contains(&day))
                    && month.parse().is_ok_and(|month: u8| (1..=12).contains(&month))
            }
            ref parts => parts.contains(&year),
        }
    })
}

/// Marks of a template, and blind text.
pub fn left_behind(place: &str, text: &str, findings: &mut Vec<Finding>) {
    let lower = text.to_lowercase();
    if let Some(mark) = LEFT_BEHIND.iter().find(|mark| lower.contains(**mark)) {
        let what = format!("contains {mark:?}, which a template left behind");
        findings.push(Finding::blocks(place, what, "write what belongs there"));
    }
}

/// Capitals and exclamation marks.
pub fn loud(place: &str, text: &str, findings: &mut Vec<Finding>) {
    if shouts(text) {
        let remedy = "write it as a sentence; spam filters count capitals and exclamation marks";
        findings.push(Finding::look(place, "shouts", remedy));
    }
}

/// All in capitals, two words of them in a row (one may be an abbreviation), or marks in a
/// row.
fn shouts(text: &str) -> bool {
    let capitals = |text: &str, least: usize| {
        let letters = text.chars().filter(|c| c.is_alphabetic());
        letters.clone().count() >= least && letters.clone().all(char::is_uppercase)
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    capitals(text, CAPITALS)
        || words.windows(2).any(|pair| pair.iter().all(|word| capitals(word, CAPITALS_OF_WORD)))
        || ["!!", "??", "?!", "!?"].iter().any(|marks| text.contains(marks))
}

/// A file name, a number, or a word such as "Bild".
pub fn shows_nothing(alt: &str) -> bool {
    let lower = alt.to_lowercase();
    let file = [".jpg", ".jpeg", ".png", ".gif", ".webp"].iter().any(|end| lower.ends_with(end));
    let bare = lower.trim_matches(|c: char| !c.is_alphabetic());
    let code = !alt.contains(' ') && alt.contains(['_', '/']) || bare.is_empty();
    file || code || EMPTY_ALTS.contains(&bare)
}

/// Whether the words of a link do not say where it leads.
pub fn says_nothing(words: &str) -> bool {
    let words = words.trim().to_lowercase();
    let words = words.trim_matches(|c: char| !c.is_alphanumeric());
    EMPTY_LINKS.contains(&words)
        || words.is_empty()
        || ["http", "www."].iter().any(|start| words.starts_with(start))
}
