//! Pure: a cron expression and an IANA time zone to the next moments.
//!
//! The crate `cron` is asked in UTC only, as a stand-in for the wall clock; the
//! local time it answers is then placed in the zone here: a time in the gap of
//! daylight saving fires at the first moment after the gap, one in the overlap
//! fires once, in the first round. Answers are strictly later than the question.
//! Deliberately knows no clock and no database: "now" is an argument, and who
//! already fired is remembered by the caller, by local time.

use std::str::FromStr as _;

use chrono::{DateTime, Utc};
use jiff::{Timestamp, civil, tz::TimeZone};

/// Crontab's five, and how a message names them.
const FIELDS: [(&str, &str); 5] = [
    ("minute", "0-59"),
    ("hour", "0-23"),
    ("day of the month", "1-31"),
    ("month", "1-12 or Jan-Dec"),
    ("weekday", "0-7 (0 and 7 are Sunday) or Sun-Sat"),
];

const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/// Crontab's shorthands that make sense for a newsletter.
const SHORTHANDS: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// When a newsletter is due. Day of the month and weekday must both match when
/// both are given (`0 9 1-7 * Tue` is the first Tuesday), unlike crontab's *or*.
#[derive(Debug, Clone)]
pub struct Schedule {
    cron: cron::Schedule,
    zone: TimeZone,
    both_days: bool,
}

/// One time a schedule fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The time on the wall as the schedule says it; the key under which a caller
    /// remembers that it fired. In a gap it is a time that no clock showed.
    pub local: civil::DateTime,
    /// The instant at which it fires.
    pub at: Timestamp,
}

/// Why an expression or a zone was refused; the sentence says what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not five fields and no shorthand.
    #[error(
        "\"{0}\" has {1} fields; a schedule has five: minute hour day month weekday, as in \"0 7 * * Thu\" (Thursdays at 7)"
    )]
    Count(String, usize),
    /// One field cannot be read.
    #[error("{field} \"{value}\" cannot be read; allowed: {allowed}, lists, ranges, steps and *")]
    Field {
        /// The field's name.
        field: &'static str,
        /// What stood there.
        value: String,
        /// What may stand there.
        allowed: &'static str,
    },
    /// Each field is right and yet no day matches, such as 31 February.
    #[error("\"{0}\" never fires: no day matches")]
    Never(String),
    /// Not in the system's time zone database.
    #[error(
        "time zone \"{0}\" is unknown; use an IANA name such as \"Europe/Berlin\" (the system's tzdata is read)"
    )]
    Zone(String),
}

/// Finds a time zone by its IANA name.
pub fn zone(name: &str) -> Result<TimeZone, Error> {
    TimeZone::get(name).map_err(|_| Error::Zone(name.to_owned()))
}

impl Schedule {
    /// Reads five crontab fields (or `@daily` and its like), weekdays numbered as
    /// crontab does (0 and 7 are Sunday). What can never fire is refused.
    pub fn parse(expression: &str, zone: TimeZone) -> Result<Schedule, Error> {
        let trimmed = expression.trim();
        let fields = SHORTHANDS
            .iter()
            .find(|(name, _)| trimmed.eq_ignore_ascii_case(name))
            .map_or(trimmed, |(_, fields)| fields);
        let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
        let &[minute, hour, day, month, weekday] = fields.as_slice() else {
            return Err(Error::Count(trimmed.to_owned(), fields.len()));
        };
        let weekdays = weekdays(weekday).ok_or_else(|| refused(4, weekday))?;
        for (i, field) in [minute, hour, day, month].into_iter().enumerate() {
            check(i, field)?;
        }
        let text = format!("0 {minute} {hour} {day} {month} {weekdays}");
        let cron = cron::Schedule::from_str(&text).map_err(|_| refused(4, weekday))?;
        // 2000 is a leap year, so 29 February is found; nothing is rarer.
        let start = DateTime::<Utc>::from_timestamp(946_684_799, 0)
            .expect("the last second of 1999 is in range");
        if cron.after(&start).next().is_none() {
            return Err(Error::Never(trimmed.to_owned()));
        }
        Ok(Schedule { cron, zone, both_days: day != "*" && weekdays != "*" })
    }

    /// True when day of the month and weekday are both given: worth a word to
    /// whoever expects crontab's *or*.
    pub fn asks_for_both_days(&self) -> bool {
        self.both_days
    }

    /// The zone its times are meant in.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The first moment strictly after `after`; `None` past the year 2100, where
    /// `cron` ends.
    pub fn next(&self, after: Timestamp) -> Option<Moment> {
        let wall = self.zone.to_datetime(after);
        let asked = DateTime::<Utc>::from_timestamp(utc(wall)?.as_second(), 0)?;
        // Placing keeps the order of local times, so whatever is not later on the
        // wall than `after` is not later at all; in the second round of an overlap
        // some that are later on the wall fired in the first, and are passed over.
        self.cron
            .after(&asked)
            .filter_map(|local| self.place(local))
            .find(|moment| moment.at > after)
    }

    /// The last moment at or before `now` and strictly after `since`: what a daemon
    /// that was down has missed, however often.
    pub fn latest(&self, since: Timestamp, now: Timestamp) -> Option<Moment> {
        let mut found = None;
        let mut from = since;
        while let Some(moment) = self.next(from).filter(|moment| moment.at <= now) {
            from = moment.at;
            found = Some(moment);
        }
        found
    }

    fn place(&self, local: DateTime<Utc>) -> Option<Moment> {
        let local = TimeZone::UTC.to_datetime(Timestamp::from_second(local.timestamp()).ok()?);
        let ambiguous = self.zone.to_ambiguous_timestamp(local);
        let at = match ambiguous.offset() {
            jiff::tz::AmbiguousOffset::Unambiguous { .. }
            | jiff::tz::AmbiguousOffset::Fold { .. } => ambiguous.earlier().ok()?,
            jiff::tz::AmbiguousOffset::Gap { .. } => {
                // Read with the offset after the gap the time lies before it; the
                // next change of the zone is the end of the gap.
                let before = ambiguous.earlier().ok()?;
                self.zone.following(before).next()?.timestamp()
            }
        };
        Some(Moment { local, at })
    }
}

fn utc(local: civil::DateTime) -> Option<Timestamp> {
    TimeZone::UTC.to_timestamp(local).ok()
}

fn refused(i: usize, value: &str) -> Error {
    Error::Field { field: FIELDS[i].0, value: value.to_owned(), allowed: FIELDS[i].1 }
}

/// Asks `cron` about one field alone, so that the message can name it.
fn check(i: usize, value: &str) -> Result<(), Error> {
    let plain = value.bytes().all(|b| b.is_ascii_alphanumeric() || b"*,-/".contains(&b));
    let mut fields = ["0", "*", "*", "*", "*", "*"];
    fields[i + 1] = value;
    if plain && cron::Schedule::from_str(&fields.join(" ")).is_ok() {
        Ok(())
    } else {
        Err(refused(i, value))
    }
}

/// Crontab's weekday field as the names `cron` understands; its own numbers begin
/// with Sunday as 1, and its ranges do not wrap.
fn weekdays(field: &str) -> Option<String> {
    let mut chosen = [false; 7];
    for item in field.split(',') {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, step.parse::<usize>().ok().filter(|&n| n > 0)?),
            None => (item, 1),
        };
        let (first, last) = match range.split_once('-') {
            Some((a, b)) => (weekday(a)? % 7, weekday(b)?),
            None if range == "*" => (0, 6),
            None if item.contains('/') => (weekday(range)? % 7, 6),
            None => (weekday(range)? % 7, weekday(range)? % 7),
        };
        // Fri-Mon wraps; Sun-7 is the whole week, as is 0-7.
        let last = if last < first { last + 7 } else { last };
        for day in (first..=last).step_by(step) {
            chosen[day % 7] = true;
        }
    }
    if chosen.iter().all(|&day| day) {
        return Some("*".to_owned());
    }
    let names: Vec<&str> =
        WEEKDAYS.iter().zip(chosen).filter_map(|(name, chosen)| chosen.then_some(*name)).collect();
    Some(names.join(","))
}

fn weekday(text: &str) -> Option<usize> {
    if let Ok(number) = text.parse::<usize>() {
        return (number <= 7).then_some(number);
    }
    let full = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
    let text = text.to_ascii_lowercase();
    full.iter().position(|name| *name == text || name[..3] == *text)
}

#[cfg(test)]
mod tests;
