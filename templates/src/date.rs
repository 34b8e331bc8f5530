//! Dates and times as people write them.
//!
//! German follows DIN 5008 in running text ("Donnerstag, 3. Dezember 2026,
//! 16–18 Uhr"), English the British habit ("Thursday 3 December 2026, 4–6 pm").

use jiff::civil::{Date, DateTime, Time, Weekday};

use crate::issue::When;
use crate::language::Language;

const NBSP: char = '\u{a0}';

/// "23. November 2026" or "23 November 2026".
pub fn day(date: Date, language: Language) -> String {
    match language {
        Language::German => {
            format!("{}.{NBSP}{} {}", date.day(), month(date.month(), language), date.year())
        }
        Language::English => {
            format!("{}{NBSP}{} {}", date.day(), month(date.month(), language), date.year())
        }
    }
}

/// "Donnerstag, 3. Dezember 2026" or "Thursday 3 December 2026".
pub fn long_day(date: Date, language: Language) -> String {
    let weekday = weekday(date.weekday(), language);
    match language {
        Language::German => format!("{weekday}, {}", day(date, language)),
        Language::English => format!("{weekday} {}", day(date, language)),
    }
}

/// "Donnerstag, 3. Dezember 2026, 16–18 Uhr", "Freitag, 4., bis Sonntag, 6. Dezember 2026".
pub fn when(when: When, language: Language) -> String {
    match when {
        When::Days { first, last } => match last.filter(|last| *last > first) {
            None => long_day(first, language),
            Some(last) => days(first, last, language),
        },
        When::Moment { start, end } => match end.filter(|end| *end > start) {
            None => {
                format!("{}, {}", long_day(start.date(), language), time(start.time(), language))
            }
            Some(end) if end.date() == start.date() => format!(
                "{}, {}",
                long_day(start.date(), language),
                span(start.time(), end.time(), language)
            ),
            Some(end) => moments(start, end, language),
        },
    }
}

/// "16 Uhr", "16:30 Uhr"; "4 pm", "4.30 pm", "noon".
pub fn time(time: Time, language: Language) -> String {
    match language {
        Language::German => format!("{}{NBSP}Uhr", german_clock(time, time.minute() != 0)),
        Language::English => match (time.hour(), time.minute()) {
            (12, 0) => "noon".to_owned(),
            (0, 0) => "midnight".to_owned(),
            _ => format!("{}{NBSP}{}", english_clock(time), half(time)),
        },
    }
}

/// Day and short month of a calendar leaf, as in ("3.", "Dez.") or ("3", "Dec").
pub fn leaf(date: Date, language: Language) -> (String, &'static str) {
    let index = usize::from(date.month().unsigned_abs()).saturating_sub(1);
    match language {
        Language::German => (format!("{}.", date.day()), GERMAN_SHORT[index]),
        Language::English => (date.day().to_string(), ENGLISH_SHORT[index]),
    }
}

fn days(first: Date, last: Date, language: Language) -> String {
    let (from, to) = (weekday(first.weekday(), language), long_day(last, language));
    let same_year = first.year() == last.year();
    let same_month = same_year && first.month() == last.month();
    match language {
        Language::German if same_month => format!("{from}, {}., bis {to}", first.day()),
        Language::German if same_year => {
            format!("{from}, {}.{NBSP}{}, bis {to}", first.day(), month(first.month(), language))
        }
        Language::German => format!("{} bis {to}", long_day(first, language)),
        Language::English if same_month => format!("{from} {} to {to}", first.day()),
        Language::English if same_year => {
            format!("{from} {}{NBSP}{} to {to}", first.day(), month(first.month(), language))
        }
        Language::English => format!("{} to {to}", long_day(first, language)),
    }
}

fn moments(start: DateTime, end: DateTime, language: Language) -> String {
    let to = match language {
        Language::German => "bis",
        Language::English => "to",
    };
    format!(
        "{}, {}, {to} {}, {}",
        long_day(start.date(), language),
        time(start.time(), language),
        long_day(end.date(), language),
        time(end.time(), language)
    )
}

fn span(start: Time, end: Time, language: Language) -> String {
    match language {
        Language::German => {
            let minutes = start.minute() != 0 || end.minute() != 0;
            let (from, to) = (german_clock(start, minutes), german_clock(end, minutes));
            format!("{from}–{to}{NBSP}Uhr")
        }
        Language::English => {
            let named = |time: Time| time.minute() == 0 && matches!(time.hour(), 0 | 12);
            if named(start) || named(end) {
                return format!("{} to {}", time(start, language), time(end, language));
            }
            if half(start) == half(end) {
                let (from, to) = (english_clock(start), english_clock(end));
                return format!("{from}–{to}{NBSP}{}", half(end));
            }
            format!("{} to {}", time(start, language), time(end, language))
        }
    }
}

fn german_clock(time: Time, minutes: bool) -> String {
    if minutes { format!("{}:{:02}", time.hour(), time.minute()) } else { time.hour().to_string() }
}

fn english_clock(time: Time) -> String {
    let hour = match time.hour() % 12 {
        0 => 12,
        hour => hour,
    };
    if time.minute() == 0 { hour.to_string() } else { format!("{hour}.{:02}", time.minute()) }
}

fn half(time: Time) -> &'static str {
    if time.hour() < 12 { "am" } else { "pm" }
}

fn weekday(day: Weekday, language: Language) -> &'static str {
    let names = match language {
        Language::German => GERMAN_DAYS,
        Language::English => ENGLISH_DAYS,
    };
    names[usize::from(day.to_monday_zero_offset().unsigned_abs())]
}

fn month(month: i8, language: Language) -> &'static str {
    let names = match language {
        Language::German => GERMAN_MONTHS,
        Language::English => ENGLISH_MONTHS,
    };
    names[usize::from(month.unsigned_abs()).saturating_sub(1)]
}

const GERMAN_DAYS: [&str; 7] =
    ["Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"];
const ENGLISH_DAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const GERMAN_MONTHS: [&str; 12] = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
];
const ENGLISH_MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const GERMAN_SHORT: [&str; 12] = [
    "Jan.", "Feb.", "März", "Apr.", "Mai", "Juni", "Juli", "Aug.", "Sept.", "Okt.", "Nov.", "Dez.",
];
const ENGLISH_SHORT: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::{date, datetime};

    fn both(when_: When) -> (String, String) {
        let plain = |language| when(when_, language).replace(NBSP, " ");
        (plain(Language::German), plain(Language::English))
    }

    fn moment(start: DateTime, end: Option<DateTime>) -> (String, String) {
        both(When::Moment { start, end })
    }

    #[test]
    fn moments_read_as_people_write_them() {
        let at = |hour, minute| datetime(2026, 12, 3, hour, minute, 0, 0);
        let cases = [
            (
                moment(at(16, 0), Some(at(18, 0))),
                "Donnerstag, 3. Dezember 2026, 16–18 Uhr",
                "Thursday 3 December 2026, 4–6 pm",
            ),
            (
                moment(at(9, 30), Some(at(12, 0))),
                "Donnerstag, 3. Dezember 2026, 9:30–12:00 Uhr",
                "Thursday 3 December 2026, 9.30 am to noon",
            ),
            (
                moment(at(10, 0), Some(at(14, 30))),
                "Donnerstag, 3. Dezember 2026, 10:00–14:30 Uhr",
                "Thursday 3 December 2026, 10 am to 2.30 pm",
            ),
            (
                moment(at(19, 0), None),
                "Donnerstag, 3. Dezember 2026, 19 Uhr",
                "Thursday 3 December 2026, 7 pm",
            ),
            (
                moment(at(19, 0), Some(at(18, 0))),
                "Donnerstag, 3. Dezember 2026, 19 Uhr",
                "Thursday 3 December 2026, 7 pm",
            ),
            (
                moment(at(20, 0), Some(datetime(2026, 12, 4, 2, 0, 0, 0))),
                "Donnerstag, 3. Dezember 2026, 20 Uhr, bis Freitag, 4. Dezember 2026, 2 Uhr",
                "Thursday 3 December 2026, 8 pm, to Friday 4 December 2026, 2 am",
            ),
        ];
        for ((german, english), expected_german, expected_english) in cases {
            assert_eq!(german, expected_german);
            assert_eq!(english, expected_english);
        }
    }

    #[test]
    fn days_share_what_they_have_in_common() {
        let days = |first, last| both(When::Days { first, last });
        assert_eq!(
            days(date(2026, 12, 4), Some(date(2026, 12, 6))),
            (
                "Freitag, 4., bis Sonntag, 6. Dezember 2026".to_owned(),
                "Friday 4 to Sunday 6 December 2026".to_owned()
            )
        );
        assert_eq!(
            days(date(2026, 11, 30), Some(date(2026, 12, 6))),
            (
                "Montag, 30. November, bis Sonntag, 6. Dezember 2026".to_owned(),
                "Monday 30 November to Sunday 6 December 2026".to_owned()
            )
        );
        assert_eq!(
            days(date(2026, 12, 31), Some(date(2027, 1, 1))),
            (
                "Donnerstag, 31. Dezember 2026 bis Freitag, 1. Januar 2027".to_owned(),
                "Thursday 31 December 2026 to Friday 1 January 2027".to_owned()
            )
        );
        assert_eq!(days(date(2026, 5, 1), Some(date(2026, 5, 1))).0, "Freitag, 1. Mai 2026");
    }
}
