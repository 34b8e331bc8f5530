//! Dates as web sites write them: ISO 8601, RFC 2822, "4. Juli 2023", "04.07.2023", "July 4, 2023".

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

use crate::article::Moment;

/// The hour in UTC that a day without a time stands for: the same day in every German zone.
const NOON: Time = Time::constant(12, 0, 0, 0);
/// Months by the first letters of their German and English names.
const MONTHS: &[(&str, i8)] = &[
    ("jan", 1),
    ("jän", 1),
    ("feb", 2),
    ("mär", 3),
    ("mar", 3),
    ("mrz", 3),
    ("apr", 4),
    ("mai", 5),
    ("may", 5),
    ("jun", 6),
    ("jul", 7),
    ("aug", 8),
    ("sep", 9),
    ("okt", 10),
    ("oct", 10),
    ("nov", 11),
    ("dez", 12),
    ("dec", 12),
];

/// The instant a machine-readable or written date stands for; a day alone is its noon in UTC.
pub fn instant(text: &str) -> Option<jiff::Timestamp> {
    let text = text.trim();
    if let Ok(instant) = text.parse() {
        return Some(instant);
    }
    if let Ok(zoned) = jiff::fmt::rfc2822::parse(text) {
        return Some(zoned.timestamp());
    }
    let (day, time) = match text.parse::<DateTime>() {
        Ok(local) if text.len() > 10 => (local.date(), Some(local.time())),
        Ok(_) | Err(_) => (text.parse().ok().or_else(|| day(text))?, None),
    };
    // A clock without a zone is read as German time, where the sites this serves are.
    let zone = match time {
        Some(_) => TimeZone::get("Europe/Berlin").unwrap_or(TimeZone::UTC),
        None => TimeZone::UTC,
    };
    let zoned = day.to_datetime(time.unwrap_or(NOON)).to_zoned(zone).ok()?;
    Some(zoned.timestamp())
}

/// A moment of an event: ISO 8601, or a written day with or without a time.
pub fn moment(text: &str) -> Option<Moment> {
    if let Ok(moment) = text.parse() {
        return Some(moment);
    }
    let day = day(text)?;
    Some(match clock(text) {
        Some(time) => Moment::Local(day.to_datetime(time)),
        None => Moment::Day(day),
    })
}

/// The first written day in a text.
pub fn day(text: &str) -> Option<Date> {
    let words: Vec<&str> = text
        .split([' ', ',', '|', '\u{a0}', '(', ')', '–', ':', 'T'])
        .filter(|word| !word.is_empty())
        .collect();
    (0..words.len()).find_map(|at| numeric(words[at]).or_else(|| worded(&words[at..])))
}

/// `04.07.2023`, `2023-07-04`, `04/07/2023` (day first).
fn numeric(word: &str) -> Option<Date> {
    let word = word.trim_end_matches(['.', ';']);
    if let Ok(date) = word.parse::<Date>() {
        return (word.len() == 10).then_some(date);
    }
    let mut parts = word.split(['.', '/']);
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let year: i16 = match year.len() {
        2 => 2000 + year.parse::<i16>().ok()?,
        4 => year.parse().ok()?,
        _ => return None,
    };
    Date::new(year, month.parse().ok()?, day.parse().ok()?).ok().filter(|_| parts.next().is_none())
}

/// `4. Juli 2023`, `4 July 2023`, `July 4 2023`.
fn worded(words: &[&str]) -> Option<Date> {
    let [first, second, third, ..] = words else {
        return None;
    };
    let number =
        |word: &str| word.trim_end_matches(['.', 't', 'h', 's', 'n', 'd', 'r']).parse::<i8>().ok();
    let (day, month) = match (number(first), month(second)) {
        (Some(day), Some(month)) => (day, month),
        (_, None) | (None, Some(_)) => (number(second)?, month(first)?),
    };
    let year = third.trim_end_matches(['.', ';']);
    (year.len() == 4).then_some(())?;
    Date::new(year.parse().ok()?, month, day).ok()
}

fn month(word: &str) -> Option<i8> {
    let word = word.to_lowercase();
    let known = word.chars().count() >= 3 && word.chars().all(|c| c.is_alphabetic() || c == '.');
    let found = MONTHS.iter().find(|(begin, _)| word.starts_with(begin));
    found.filter(|_| known && word.chars().count() <= 10).map(|(_, month)| *month)
}

/// The first `16:30` or `16 Uhr` in a text.
fn clock(text: &str) -> Option<Time> {
    let words: Vec<&str> =
        text.split([' ', ',', '–', '-', '\u{a0}', 'T']).filter(|word| !word.is_empty()).collect();
    words.iter().enumerate().find_map(|(at, word)| {
        let hour_word = words.get(at + 1).is_some_and(|next| next.starts_with("Uhr"));
        match word.split_once([':', '.']) {
            Some((hour, minute)) if minute.len() == 2 && (word.contains(':') || hour_word) => {
                Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
            }
            None if hour_word => Time::new(word.parse().ok()?, 0, 0, 0).ok(),
            Some(_) | None => None,
        }
    })
}

/// Words of a name in a byline.
const NAME: usize = 4;

/// The name in "02.03.2026 09:15 von Petra Muster".
pub fn byline(line: &str) -> Option<&str> {
    let (_, name) = split_byline(line);
    name
}

/// The date line without its author, and the author.
fn split_byline(line: &str) -> (&str, Option<&str>) {
    // Who stands before when: "Gespeichert von Petra Muster am Mi., 12.05.2026".
    for (who, when) in [(" von ", " am "), (" by ", " on ")] {
        let said = line.split_once(who).and_then(|(word, rest)| {
            let (name, date) = rest.split_once(when)?;
            (word.split(' ').count() == 1 && day(date).is_some() && day(name).is_none())
                .then_some((name.trim(), date))
        });
        if let Some((name, date)) = said.filter(|(name, _)| name.split(' ').count() <= NAME) {
            return (date, Some(name));
        }
    }
    for mark in [" von ", " by ", " | Von ", ", Von ", " Autor: ", " Autorin: "] {
        if let Some((date, name)) = line.split_once(mark) {
            let name = name.split(['|', ',', '·']).next().unwrap_or(name).trim();
            let words = name.split(' ').count();
            if words <= NAME
                && name.starts_with(char::is_uppercase)
                && !name.contains(|c: char| c.is_ascii_digit())
            {
                return (date, Some(name));
            }
        }
    }
    (line, None)
}

/// Whether a short line says nothing but when: "04.07.2023", "Veröffentlicht am 4. Juli 2023".
pub fn is_dateline(line: &str) -> bool {
    let (line, _) = split_byline(line);
    const AROUND: &[&str] = &[
        "veröffentlicht",
        "veröffentlichungsdatum",
        "aktualisiert",
        "zuletzt",
        "geändert",
        "am",
        "vom",
        "den",
        "stand",
        "datum",
        "erstellt",
        "uhr",
        "um",
        "von",
        "pressemitteilung",
        "meldung",
        "nachricht",
        "nr",
        "montag",
        "dienstag",
        "mittwoch",
        "donnerstag",
        "freitag",
        "samstag",
        "sonntag",
        "mo",
        "di",
        "mi",
        "do",
        "fr",
        "sa",
        "so",
        "published",
        "updated",
        "posted",
        "on",
        "last",
        "date",
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
        "minuten",
        "minute",
        "lesezeit",
        "lesedauer",
        "min",
        "read",
        "reading",
        "time",
    ];
    day(line).is_some()
        && line.chars().count() <= 80
        && line.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).all(|word| {
            let lower = word.to_lowercase();
            word.chars().all(|c| c.is_ascii_digit())
                || month(word).is_some()
                || AROUND.contains(&lower.as_str())
        })
}

#[cfg(test)]
mod tests {
    use super::{day, instant, is_dateline, moment};

    #[test]
    fn written_days_are_read() {
        for text in [
            "4. Juli 2023",
            "am 04.07.2023, 10 Uhr",
            "2023-07-04",
            "July 4, 2023",
            "4 July 2023",
            "Dienstag, 4. Jul. 2023",
            "04.07.23",
        ] {
            assert_eq!(day(text).map(|d| d.to_string()).as_deref(), Some("2023-07-04"), "{text}");
        }
        for text in ["6. Fach- und Vernetzungstag", "32.13.2023", "im Juli", "", "1.2.3"] {
            assert_eq!(day(text), None, "{text}");
        }
    }

    #[test]
    fn instants_keep_their_zone() {
        assert_eq!(
            instant("2023-07-04T10:00:00+02:00").unwrap().to_string(),
            "2023-07-04T08:00:00Z"
        );
        assert_eq!(
            instant("Tue, 04 Jul 2023 10:00:00 +0200").unwrap().to_string(),
            "2023-07-04T08:00:00Z"
        );
        assert_eq!(instant("2023-07-04 10:00:00").unwrap().to_string(), "2023-07-04T08:00:00Z");
        assert_eq!(instant("4. Juli 2023").unwrap().to_string(), "2023-07-04T12:00:00Z");
        assert_eq!(moment("3. Dezember 2026, 16 Uhr").unwrap().to_string(), "2026-12-03T16:00:00");
        assert_eq!(moment("3.12.2026").unwrap().to_string(), "2026-12-03");
    }

    #[test]
    fn a_dateline_is_told_from_a_sentence_with_a_date() {
        assert!(is_dateline("Veröffentlicht am Dienstag, 4. Juli 2023, 10:30 Uhr"));
        assert!(is_dateline("04.07.2023"));
        assert!(is_dateline("02.03.2026 09:15 von Petra Muster"));
        assert_eq!(super::byline("02.03.2026 09:15 von Petra Muster"), Some("Petra Muster"));
        assert!(!is_dateline("Video zum Fachtag am 4. Juli 2023"));
        assert!(!is_dateline("Am 4. Juli 2023 fand der Fachtag statt."));
    }
}
