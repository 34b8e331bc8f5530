//! When a deferred delivery is tried again, and when no more. Pure; chance is an argument.

use std::time::Duration;

/// Minutes between tries; the last one repeats.
const MINUTES: [u64; 5] = [5, 10, 20, 40, 66];
/// Deferred for longer, a newsletter is old news.
const GIVE_UP: Duration = Duration::from_secs(24 * 60 * 60);
/// A wait is lengthened by up to this share, so that tries do not come in waves.
const JITTER: f64 = 0.2;
/// The longest wait there is; nothing else puts a delivery off for longer.
pub const LONGEST: Duration = Duration::from_secs(MINUTES[MINUTES.len() - 1] * 60 * 12 / 10);

/// How long to wait after so many tries (at least one); none when they have taken
/// a day. `chance` is between 0 and 1.
pub fn wait(attempts: i64, chance: f64) -> Option<Duration> {
    let tries = usize::try_from(attempts).unwrap_or(0).max(1);
    let minutes = |n: usize| MINUTES[n.min(MINUTES.len() - 1)];
    let waited: u64 = (0..tries - 1).map(minutes).sum();
    let next = minutes(tries - 1);
    if Duration::from_secs((waited + next) * 60) > GIVE_UP {
        return None;
    }
    let longer = 1.0 + JITTER * chance.clamp(0.0, 1.0);
    Some(Duration::from_secs(next * 60).mul_f64(longer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::breaker::OPEN_MOST;
    use crate::delivery::line::PUT_OFF;

    #[test]
    fn waits_grow_and_end_after_a_day() {
        let minutes = |attempts| wait(attempts, 0.0).map(|wait| wait.as_secs() / 60);
        assert_eq!([1, 2, 3, 4, 5, 6].map(minutes), [5, 10, 20, 40, 66, 66].map(Some));
        let tries = (1..).take_while(|n| wait(*n, 1.0).is_some()).count();
        assert_eq!(tries, 24);
        assert_eq!(wait(1, 1.0), Some(Duration::from_secs(360)));
        assert!((1..=tries).all(|n| wait(n as i64, 1.0) <= Some(LONGEST)));
        assert_eq!(wait(5, 1.0), Some(LONGEST));
        assert!(PUT_OFF < LONGEST && OPEN_MOST < LONGEST);
    }
}
