//! What the schedule promises about gaps, overlaps and crontab's words.

use proptest::prelude::*;

use super::*;

fn schedule(expression: &str, name: &str) -> Schedule {
    Schedule::parse(expression, zone(name).unwrap()).unwrap()
}

fn fires(expression: &str, name: &str, after: &str, n: usize) -> Vec<String> {
    let schedule = schedule(expression, name);
    let mut after: Timestamp = after.parse().unwrap();
    (0..n)
        .map(|_| {
            let moment = schedule.next(after).unwrap();
            after = moment.at;
            moment.at.to_zoned(schedule.zone.clone()).to_string()
        })
        .collect()
}

#[test]
fn thursdays_at_seven_stay_at_seven_over_the_change_of_clocks() {
    assert_eq!(
        fires("0 7 * * Thu", "Europe/Berlin", "2026-10-20T12:00:00Z", 2),
        ["2026-10-22T07:00:00+02:00[Europe/Berlin]", "2026-10-29T07:00:00+01:00[Europe/Berlin]"]
    );
}

#[test]
fn a_time_in_the_gap_fires_at_the_first_moment_after_it() {
    assert_eq!(
        fires("30 2 * * Sun", "Europe/Berlin", "2026-03-23T00:00:00Z", 2),
        ["2026-03-29T03:00:00+02:00[Europe/Berlin]", "2026-04-05T02:30:00+02:00[Europe/Berlin]"]
    );
    // Cairo's gap is at midnight: a daily run at 0:00 does not lose the day.
    assert_eq!(
        fires("0 0 * * *", "Africa/Cairo", "2026-04-23T12:00:00Z", 2),
        ["2026-04-24T01:00:00+03:00[Africa/Cairo]", "2026-04-25T00:00:00+03:00[Africa/Cairo]"]
    );
}

#[test]
fn several_times_in_one_gap_fire_once() {
    assert_eq!(
        fires("*/20 2 * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", 2),
        ["2026-03-29T03:00:00+02:00[Europe/Berlin]", "2026-03-30T02:00:00+02:00[Europe/Berlin]"]
    );
}

#[test]
fn a_time_in_the_overlap_fires_once_in_the_first_round() {
    let first = ["2026-10-25T02:30:00+02:00[Europe/Berlin]"];
    let next = ["2026-11-01T02:30:00+01:00[Europe/Berlin]"];
    let asked = |after| fires("30 2 * * Sun", "Europe/Berlin", after, 1);
    assert_eq!(asked("2026-10-25T00:15:00Z"), first);
    assert_eq!(asked("2026-10-25T00:30:00Z"), next);
    // A quarter past two, and half past two, of the second round.
    assert_eq!(asked("2026-10-25T01:15:00Z"), next);
    assert_eq!(asked("2026-10-25T01:30:00Z"), next);
}

#[test]
fn a_whole_skipped_day_is_made_up_for() {
    // Samoa had no 30 December 2011.
    assert_eq!(
        fires("0 9 30 * *", "Pacific/Apia", "2011-12-01T00:00:00Z", 1),
        ["2011-12-31T00:00:00+14:00[Pacific/Apia]"]
    );
}

#[test]
fn weekdays_are_crontabs() {
    for (field, names) in [
        ("0", "Sun"),
        ("7", "Sun"),
        ("1-5", "Mon,Tue,Wed,Thu,Fri"),
        ("5-7", "Sun,Fri,Sat"),
        ("Fri-Mon", "Sun,Mon,Fri,Sat"),
        ("*/2", "Sun,Tue,Thu,Sat"),
        ("tuesday,THU", "Tue,Thu"),
        ("0-7", "*"),
        ("*", "*"),
    ] {
        assert_eq!(weekdays(field).as_deref(), Some(names), "{field}");
    }
    for field in ["8", "", "Mo", "1-", "*/0", "Mon#1", "5L", "?", "-1", "1,,2"] {
        assert_eq!(weekdays(field), None, "{field}");
    }
}

#[test]
fn both_days_must_match() {
    let first_tuesday = schedule("0 9 1-7 * Tue", "Europe/Berlin");
    assert!(first_tuesday.asks_for_both_days());
    assert!(!schedule("0 9 * * Tue", "Europe/Berlin").asks_for_both_days());
    assert_eq!(
        fires("0 9 1-7 * Tue", "Europe/Berlin", "2026-11-23T00:00:00Z", 2),
        ["2026-12-01T09:00:00+01:00[Europe/Berlin]", "2027-01-05T09:00:00+01:00[Europe/Berlin]"]
    );
}

#[test]
fn what_is_wrong_is_named() {
    let refusal =
        |expression: &str| Schedule::parse(expression, TimeZone::UTC).unwrap_err().to_string();
    assert_eq!(
        refusal("0 25 * * *"),
        "hour \"25\" cannot be read; allowed: 0-23, lists, ranges, steps and *"
    );
    assert!(refusal("0 7 * * Do").starts_with("weekday \"Do\" cannot be read"));
    assert!(refusal("0 7 L * *").starts_with("day of the month \"L\""));
    assert!(refusal("0 0 7 * * Thu").contains("has 6 fields; a schedule has five"));
    assert!(refusal("@reboot").contains("has 1 fields"));
    assert!(refusal("").contains("has 0 fields"));
    assert_eq!(refusal("0 7 31 2 *"), "\"0 7 31 2 *\" never fires: no day matches");
    assert_eq!(
        zone("Europe/Stuttgart").unwrap_err().to_string(),
        "time zone \"Europe/Stuttgart\" is unknown; use an IANA name such as \"Europe/Berlin\" (the system's tzdata is read)"
    );
}

#[test]
fn what_was_missed_is_known_by_its_latest_moment() {
    let daily = schedule("@daily", "Europe/Berlin");
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let missed = daily.latest(at("2026-11-01T12:00:00Z"), at("2026-11-04T12:00:00Z"));
    assert_eq!(missed.unwrap().local.to_string(), "2026-11-04T00:00:00");
    assert_eq!(daily.latest(at("2026-11-04T12:00:00Z"), at("2026-11-04T13:00:00Z")), None);
}

fn expressions() -> impl Strategy<Value = String> {
    let minute = prop_oneof![
        (0..60u8).prop_map(|m| m.to_string()),
        Just("*/15".to_owned()),
        Just("*/7".to_owned())
    ];
    let hour = prop_oneof![
        (0..24u8).prop_map(|h| h.to_string()),
        Just("*".to_owned()),
        Just("1-3".to_owned())
    ];
    let day = prop_oneof![
        Just("*".to_owned()),
        Just("*/3".to_owned()),
        (20..32u8).prop_map(|d| d.to_string())
    ];
    let weekday = prop_oneof![Just("*"), Just("0"), Just("Sat-Sun"), Just("1-5")];
    (minute, hour, day, weekday).prop_map(|(m, h, d, w)| format!("{m} {h} {d} * {w}"))
}

const ZONES: [&str; 8] = [
    "Europe/Berlin",
    "America/St_Johns",
    "Africa/Cairo",
    "Australia/Lord_Howe",
    "America/Havana",
    "Pacific/Apia",
    "Africa/Casablanca",
    "UTC",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// From any instant on: strictly later each time, never the same local
    /// time twice, and asking from in between answers the same.
    #[test]
    fn moments_only_go_forward(
        expression in expressions(),
        zone in proptest::sample::select(&ZONES[..]),
        start in 1_262_304_000i64..2_019_686_400,
        between in 0.0..1.0f64,
    ) {
        let schedule = schedule(&expression, zone);
        let mut last = Moment {
            local: civil::DateTime::MIN,
            at: Timestamp::from_second(start).unwrap(),
        };
        for _ in 0..500 {
            let Some(next) = schedule.next(last.at) else { break };
            prop_assert!(next.at > last.at);
            prop_assert!(next.local > last.local);
            let span = (next.at.as_second() - last.at.as_second()) as f64;
            let asked = last.at.as_second() + (span * between) as i64;
            let asked = Timestamp::from_second(asked).unwrap();
            prop_assert_eq!(schedule.next(asked), Some(next));
            let shown = schedule.zone.to_datetime(next.at);
            prop_assert!(shown >= next.local, "a gap moves only forward");
            last = next;
        }
    }

    /// Over the two changes of a year, minute by minute: the answer is the one
    /// that a walk over every minute of the wall gives.
    #[test]
    fn a_walk_over_every_minute_agrees(minute in 0..60i8, hour in 0..4i8) {
        let schedule = schedule(&format!("{minute} {hour} * * *"), "Europe/Berlin");
        for (from, days) in [("2026-03-28", 3), ("2026-10-24", 3)] {
            let first: civil::Date = from.parse().unwrap();
            for day in 0..days {
                let date = first.saturating_add(jiff::Span::new().days(day));
                let midnight = schedule.zone.to_timestamp(date.at(0, 0, 0, 0)).unwrap();
                let wanted = (0..25 * 60)
                    .map(|m| midnight + jiff::SignedDuration::from_mins(m))
                    .find(|at| schedule.zone.to_datetime(*at) >= date.at(hour, minute, 0, 0))
                    .unwrap();
                let asked = midnight - jiff::SignedDuration::from_secs(1);
                prop_assert_eq!(schedule.next(asked).unwrap().at, wanted);
            }
        }
    }
}
