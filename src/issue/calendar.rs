//! An event as a calendar file (RFC 5545). Pure.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::article::{ArticleId, Event, Record};

/// Octets of a line before it is folded (section 3.1).
const LINE: usize = 75;

/// The calendar file of an article that announces something; `None` for any other.
/// `url` is where there is more about it, `host` makes the identifier ours.
pub fn file(
    id: ArticleId,
    record: &Record,
    url: &str,
    host: &str,
    zone: &TimeZone,
    stamp: Timestamp,
) -> Option<String> {
    let event = record.event.as_ref()?;
    let mut out = String::new();
    for text in ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Rundbrief//Rundbrief//DE"] {
        line(text, &mut out);
    }
    line("METHOD:PUBLISH", &mut out);
    line("BEGIN:VEVENT", &mut out);
    line(&format!("UID:article-{id}@{host}"), &mut out);
    line(&format!("DTSTAMP:{}", utc(stamp)), &mut out);
    times(event, zone, &mut out)?;
    line(&format!("SUMMARY:{}", escape(&record.title)), &mut out);
    if let Some(place) = &event.place {
        line(&format!("LOCATION:{}", escape(place)), &mut out);
    }
    if !record.teaser.is_empty() {
        line(&format!("DESCRIPTION:{}", escape(&record.teaser)), &mut out);
    }
    line(&format!("URL:{url}"), &mut out);
    line("END:VEVENT", &mut out);
    line("END:VCALENDAR", &mut out);
    Some(out)
}

/// A time is given in UTC, which every calendar shows on its owner's clock; a day has
/// no zone, and its end is the day after (section 3.6.1).
fn times(event: &Event, zone: &TimeZone, out: &mut String) -> Option<()> {
    if event.start.time(zone).is_some() {
        line(&format!("DTSTART:{}", utc(event.start.instant(zone)?)), out);
        if let Some(end) = event.end.filter(|end| end.time(zone).is_some()) {
            line(&format!("DTEND:{}", utc(end.instant(zone)?)), out);
        }
    } else {
        let last = event.end.unwrap_or(event.start).day(zone);
        line(&format!("DTSTART;VALUE=DATE:{}", day(event.start.day(zone))), out);
        line(&format!("DTEND;VALUE=DATE:{}", day(last.tomorrow().ok()?)), out);
    }
    Some(())
}

fn utc(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

fn day(day: Date) -> String {
    day.strftime("%Y%m%d").to_string()
}

/// Section 3.3.11.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | ';' | ',' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// Writes a line, folded between characters.
fn line(text: &str, out: &mut String) {
    let mut used = 0;
    for c in text.chars() {
        if used + c.len_utf8() > LINE {
            out.push_str("\r\n ");
            used = 1;
        }
        out.push(c);
        used += c.len_utf8();
    }
    write!(out, "\r\n").expect("writing to a String does not fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calendar(start: &str, end: Option<&str>) -> String {
        let record = Record {
            title: "Advent am Hafen, mit Musik; für alle".to_owned(),
            teaser: "Waffeln und Punsch an der Mole. ".repeat(5),
            event: Some(Event {
                start: start.parse().unwrap(),
                end: end.map(|end| end.parse().unwrap()),
                place: Some("Mole 1".to_owned()),
            }),
            ..Record::default()
        };
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let stamp = "2026-11-23T07:00:00Z".parse().unwrap();
        let url = "https://news.example.de/archive/musterhafen/7/advent";
        file(ArticleId::new(9), &record, url, "news.example.de", &berlin, stamp).unwrap()
    }

    #[test]
    fn a_time_is_given_in_utc_and_lines_are_folded() {
        let text = calendar("2026-12-03T16:00:00", Some("2026-12-03T17:00:00Z"));
        assert!(text.starts_with("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:"));
        assert!(text.contains("\r\nDTSTART:20261203T150000Z\r\nDTEND:20261203T170000Z\r\n"));
        assert!(text.contains("\r\nSUMMARY:Advent am Hafen\\, mit Musik\\; für alle\r\n"));
        assert!(text.contains("\r\nUID:article-9@news.example.de\r\n"));
        assert!(text.split("\r\n").all(|line| line.len() <= LINE));
        assert!(text.replace("\r\n ", "").contains(&"Punsch an der Mole. Waffeln und ".repeat(4)));
    }

    #[test]
    fn whole_days_end_on_the_day_after() {
        let text = calendar("2026-12-05", Some("2026-12-06"));
        assert!(text.contains("DTSTART;VALUE=DATE:20261205\r\nDTEND;VALUE=DATE:20261207\r\n"));
        let text = calendar("2026-12-31", None);
        assert!(text.contains("DTEND;VALUE=DATE:20270101\r\n"));
    }

    #[test]
    fn what_announces_nothing_has_no_calendar() {
        let none = file(
            ArticleId::new(1),
            &Record::default(),
            "",
            "",
            &TimeZone::UTC,
            Timestamp::UNIX_EPOCH,
        );
        assert_eq!(none, None);
    }
}
