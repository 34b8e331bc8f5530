//! Guards of an issue: too many bounces, too many complaints, one refusal for everybody
//! pause it and say so. An editor who resumes it overrides them; what they saw then is
//! not held against the issue again.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::ledger::Entry;
use super::state::State;
use super::sums::{self, Sums};
use super::watch;
use crate::audit::{self, Act};
use crate::issue::IssueId;
use crate::on;
use crate::store::value::Millis;
use crate::store::{Kind, Store, Tx};

/// Before so many mails were taken or refused, no share is one.
const AFTER: i64 = 200;
/// Of a thousand mails, so many may bounce or be refused for good: 2 %.
const BOUNCES: i64 = 20;
/// Of a thousand mails, so many may be complained about: 0.1 %.
const COMPLAINTS: i64 = 1;
/// One complaint alone is a person, not a share.
const COMPLAINTS_LEAST: i64 = 2;
/// So many refusals for good in a row, in the same words, are no readers' fault.
const SAME: usize = 20;
/// So many are enough when nothing else was heard since the issue began here.
const SAME_AND_NOTHING_ELSE: usize = 5;

/// What was known of an issue when a guard tripped, or was overridden.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Mails taken or refused for good.
    handed: i64,
    /// Of these, refused for good or bounced hard.
    hard: i64,
    /// Complained about.
    complained: i64,
    /// Words of a refusal that everybody got, in their plain form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) words: Option<String>,
}

impl Seen {
    fn of(sums: &Sums, hard_bounces: i64) -> Seen {
        Seen {
            handed: sums.accepted + sums.refused,
            hard: sums.refused + hard_bounces,
            complained: sums.complained,
            words: None,
        }
    }

    /// Why an issue has to stop, beyond what somebody knew already.
    fn too_much(&self, known: &Seen) -> Option<String> {
        let handed = self.handed - known.handed;
        let (hard, complained) = (self.hard - known.hard, self.complained - known.complained);
        if handed < AFTER {
            return None;
        }
        if hard * 1000 > handed * BOUNCES {
            return Some(format!(
                "{hard} of {handed} mails bounced or were refused for good; more than 2 % is too many. Look at the report; resume sends on"
            ));
        }
        if complained >= COMPLAINTS_LEAST && complained * 1000 > handed * COMPLAINTS {
            return Some(format!(
                "{complained} of {handed} mails were complained about; more than 0.1 % is too many. Resume sends on"
            ));
        }
        None
    }
}

/// Looks at an issue that is being sent, and pauses it when it must stop.
///
/// # Errors
/// The database failed.
pub async fn check(store: &Store, issue: IssueId, known: &Seen, now: Millis) -> sqlx::Result<bool> {
    let sums = sums::of(store, issue).await?;
    // The usual case costs one look at the books: not even all bounces would be too many.
    if Seen::of(&sums, sums.bounced).too_much(known).is_none() {
        return Ok(false);
    }
    let mut tx = store.begin().await?;
    let seen = seen(&mut tx, issue).await?;
    let Some(why) = seen.too_much(known) else { return Ok(false) };
    let paused = pause(&mut tx, issue, &why, now).await?;
    if paused {
        remember(&mut tx, issue, &seen).await?;
    }
    tx.commit().await?;
    Ok(paused)
}

async fn seen(tx: &mut Tx, issue: IssueId) -> sqlx::Result<Seen> {
    let sums = sums::within(tx, issue).await?;
    let text = "
        select count(*)
        from delivery d
        where d.issue_id = $1
          and d.evidence = 'bounced'
          -- These words are the ones of the partial index delivery_missing.
          and (d.state in ('deferred', 'failed') or d.state in ('unknown', 'cancelled') or d.evidence in ('bounced', 'complained'))
          and exists (
              select 1
              from bounce b
              where b.delivery_id = d.id
                and b.kind = 'failure'
                and cast(b.report -> 'recipients' -> 0 ->> 'hard' as text) in ('1', 'true'))";
    let (hard,): (i64,) = on!(*tx, |c| sqlx::query_as(text).bind(issue).fetch_one(c).await)?;
    Ok(Seen::of(&sums, hard))
}

/// Pauses an issue that the relay refuses; `same` are the words that every reader's mail
/// was refused in, if so.
///
/// # Errors
/// The database failed.
pub async fn stop(
    tx: &mut Tx,
    issue: IssueId,
    why: &str,
    same: Option<&str>,
    now: Millis,
) -> sqlx::Result<()> {
    if pause(tx, issue, why, now).await?
        && let Some(words) = same
    {
        let words = Some(words.to_owned());
        let seen = Seen { words, ..seen(tx, issue).await? };
        remember(tx, issue, &seen).await?;
    }
    Ok(())
}

/// Pauses an issue and says so.
async fn pause(tx: &mut Tx, issue: IssueId, why: &str, now: Millis) -> sqlx::Result<bool> {
    if !watch::pause(tx, issue, why, now).await? {
        return Ok(false);
    }
    let detail = json!({ "why": why });
    let act =
        Act { actor: "guard", act: "pause", noun: "issue", id: Some(issue.0), detail: &detail };
    audit::record(tx, act, now).await?;
    tracing::error!(issue = issue.0, why, "delivery.issue.paused");
    Ok(true)
}

/// An editor lets an issue go on that a guard had paused: what is known by now is not
/// held against it again. False when no guard had.
///
/// # Errors
/// The database failed.
pub async fn overrule(tx: &mut Tx, issue: IssueId) -> sqlx::Result<bool> {
    let text = match tx.kind() {
        Kind::Sqlite => "select guard from issue where id = $1 and guard is not null",
        Kind::Postgres => "select guard::text from issue where id = $1 and guard is not null",
    };
    let found: Option<(String,)> =
        on!(*tx, |c| sqlx::query_as(text).bind(issue).fetch_optional(c).await)?;
    let Some((stored,)) = found else { return Ok(false) };
    let seen = Seen { words: read(Some(&stored)).words, ..seen(tx, issue).await? };
    remember(tx, issue, &seen).await?;
    Ok(true)
}

/// What is stored of an issue's guard; nothing where none ever tripped.
pub fn read(stored: Option<&str>) -> Seen {
    stored.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

async fn remember(tx: &mut Tx, issue: IssueId, seen: &Seen) -> sqlx::Result<()> {
    let text = match tx.kind() {
        Kind::Sqlite => "update issue set guard = $2 where id = $1",
        Kind::Postgres => "update issue set guard = $2::jsonb where id = $1",
    };
    let seen = serde_json::to_string(seen).expect("numbers and words can always be written");
    on!(*tx, |c| sqlx::query(text).bind(issue).bind(seen).execute(c).await.map(drop))
}

/// Refusals for good that may be the relay's mistake and not the readers': held back
/// from the ledger until another answer comes, or there are too many of the same.
#[derive(Debug, Default)]
pub struct Suspects {
    issues: HashMap<IssueId, Suspect>,
}

#[derive(Debug, Default)]
struct Suspect {
    /// Words that stopped the issue, in their plain form.
    stopped: Option<String>,
    /// An editor said that these words are right.
    tolerated: Option<String>,
    /// Some mail of the issue was taken.
    taken: bool,
    /// The last refusals' words in their plain form.
    words: String,
    held: Vec<Entry>,
}

/// What becomes of an outcome.
#[derive(Debug, PartialEq, Eq)]
pub enum Weighed {
    /// These are to be recorded.
    Record(Vec<Entry>),
    /// Everybody is refused in the same words: nobody failed, the issue has to stop.
    Stop(Vec<Entry>),
}

impl Suspects {
    /// What an editor overruled for an issue.
    pub fn tolerate(&mut self, issue: IssueId, words: Option<String>) {
        let suspect = self.issues.entry(issue).or_default();
        if words.is_some() {
            suspect.stopped = None;
        }
        suspect.tolerated = words;
    }

    /// Words that stopped an issue, in their plain form.
    pub fn stopped(&self, issue: IssueId) -> Option<&str> {
        self.issues.get(&issue)?.stopped.as_deref()
    }

    /// Weighs one outcome; `never`: a refusal for good, in these words.
    pub fn weigh(&mut self, issue: IssueId, entry: Entry, never: bool) -> Weighed {
        let suspect = self.issues.entry(issue).or_default();
        if entry.state == State::Accepted {
            suspect.taken = true;
            let mut free = std::mem::take(&mut suspect.held);
            suspect.words.clear();
            free.push(entry);
            return Weighed::Record(free);
        }
        let words = plain(&entry.words);
        if !never || suspect.tolerated.as_ref() == Some(&words) {
            return Weighed::Record(vec![entry]);
        }
        if suspect.stopped.as_ref() == Some(&words) {
            // It was on the wire when the issue was stopped.
            return Weighed::Record(vec![not_sent(entry)]);
        }
        let mut free = Vec::new();
        if suspect.words != words {
            free = std::mem::take(&mut suspect.held);
            suspect.words = words;
        }
        suspect.held.push(entry);
        if suspect.held.len() >= SAME {
            suspect.stopped = Some(std::mem::take(&mut suspect.words));
            return Weighed::Stop(suspect.held.drain(..).map(not_sent).collect());
        }
        Weighed::Record(free)
    }

    /// Nobody waits for what would decide: what was held back goes to the queue.
    pub fn give_back(&mut self) -> Vec<Entry> {
        let held = self.issues.values_mut().flat_map(|suspect| std::mem::take(&mut suspect.held));
        held.map(not_sent).collect()
    }

    /// Nothing else is on the wire: what was held back is decided.
    pub fn settle(&mut self) -> Vec<(IssueId, Weighed)> {
        let mut decided = Vec::new();
        for (issue, suspect) in &mut self.issues {
            if suspect.held.is_empty() {
                continue;
            }
            let held = std::mem::take(&mut suspect.held);
            let words = std::mem::take(&mut suspect.words);
            let stops = !suspect.taken && held.len() >= SAME_AND_NOTHING_ELSE;
            suspect.stopped = stops.then_some(words);
            decided.push((
                *issue,
                if stops {
                    Weighed::Stop(held.into_iter().map(not_sent).collect())
                } else {
                    Weighed::Record(held)
                },
            ));
        }
        decided
    }
}

/// Back to the queue; the try was none.
fn not_sent(entry: Entry) -> Entry {
    Entry { state: State::Queued, cause: None, unused: true, ..entry }
}

/// A reply without what differs from reader to reader: addresses, numbers, keys.
fn plain(words: &str) -> String {
    let differs = |word: &&str| word.contains('@') || word.chars().any(|c| c.is_ascii_digit());
    let code = words.get(..3).unwrap_or_default();
    let rest = words.split_whitespace().skip(1).filter(|word| !differs(word));
    std::iter::once(code).chain(rest).collect::<Vec<_>>().join(" ").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::DeliveryId;
    use crate::delivery::state::Cause;

    fn seen(handed: i64, hard: i64, complained: i64) -> Seen {
        Seen { handed, hard, complained, words: None }
    }

    #[test]
    fn two_percent_after_two_hundred_is_too_much_and_known_is_known() {
        let nothing = Seen::default();
        assert_eq!(seen(199, 100, 100).too_much(&nothing), None);
        assert_eq!(seen(200, 4, 0).too_much(&nothing), None);
        let why = seen(200, 5, 0).too_much(&nothing).unwrap();
        assert!(why.starts_with("5 of 200 mails bounced"), "{why}");
        assert_eq!(seen(399, 90, 0).too_much(&seen(200, 5, 0)), None, "too few since");
        assert_eq!(seen(1200, 25, 0).too_much(&seen(200, 5, 0)), None, "two percent since");
        assert!(seen(1200, 26, 0).too_much(&seen(200, 5, 0)).is_some());
    }

    #[test]
    fn one_complaint_is_a_person_and_two_are_a_share() {
        let nothing = Seen::default();
        assert_eq!(seen(300, 0, 1).too_much(&nothing), None);
        assert!(seen(300, 0, 2).too_much(&nothing).is_some());
        assert_eq!(seen(2000, 0, 2).too_much(&nothing), None);
        assert!(seen(2000, 0, 3).too_much(&nothing).is_some());
    }

    fn entry(n: usize, state: State, words: &str) -> Entry {
        Entry {
            id: DeliveryId(n as i64),
            generation: 1,
            state,
            cause: (state == State::Failed).then_some(Cause::Permanent),
            next_at: Millis(0),
            unused: false,
            stage: "rcpt",
            code: None,
            words: words.to_owned(),
        }
    }

    fn refuse(suspects: &mut Suspects, n: usize, words: &str) -> Weighed {
        suspects.weigh(IssueId(1), entry(n, State::Failed, words), true)
    }

    #[test]
    fn the_same_refusal_for_everybody_fails_nobody() {
        let mut suspects = Suspects::default();
        let words = |n: usize| format!("550 5.7.1 <reader{n}@example.org> Not on my watch");
        for n in 1..SAME {
            assert_eq!(refuse(&mut suspects, n, &words(n)), Weighed::Record(Vec::new()));
        }
        let Weighed::Stop(back) = refuse(&mut suspects, SAME, &words(SAME)) else {
            panic!("it goes on")
        };
        assert_eq!(back.len(), SAME);
        assert!(back.iter().all(|e| e.state == State::Queued && e.unused && e.cause.is_none()));
        let late = suspects.weigh(IssueId(1), entry(98, State::Failed, &words(98)), true);
        assert!(matches!(&late, Weighed::Record(back) if back[0].state == State::Queued));
        let plain = suspects.stopped(IssueId(1)).unwrap().to_owned();
        assert_eq!(plain, "550 not on my watch");
        suspects.tolerate(IssueId(1), Some(plain));
        let after = refuse(&mut suspects, 99, &words(99));
        assert_eq!(after, Weighed::Record(vec![entry(99, State::Failed, &words(99))]));
    }

    #[test]
    fn dead_addresses_among_others_are_failures() {
        let mut suspects = Suspects::default();
        let gone = "550 5.1.1 User unknown";
        for n in 0..SAME - 1 {
            refuse(&mut suspects, n, gone);
        }
        let taken = suspects.weigh(IssueId(1), entry(90, State::Accepted, "250 ok"), false);
        let Weighed::Record(all) = taken else { panic!("it stops") };
        assert_eq!(all.len(), SAME);
        for n in 0..10 {
            refuse(&mut suspects, n, gone);
        }
        let decided = suspects.settle();
        assert!(matches!(&decided[..], [(IssueId(1), Weighed::Record(held))] if held.len() == 10));
        assert!(suspects.settle().is_empty());
    }

    #[test]
    fn who_stops_before_it_is_decided_fails_nobody() {
        let mut suspects = Suspects::default();
        refuse(&mut suspects, 1, "550 5.1.1 User unknown");
        let back = suspects.give_back();
        let entry = &back[0];
        assert_eq!((entry.state, entry.cause, entry.unused), (State::Queued, None, true));
        assert!(entry.words.starts_with("550") && suspects.settle().is_empty());
    }

    #[test]
    fn a_small_list_that_is_refused_whole_stops_too() {
        let mut suspects = Suspects::default();
        for n in 0..SAME_AND_NOTHING_ELSE {
            refuse(&mut suspects, n, "554 Rejected by policy");
        }
        assert!(matches!(&suspects.settle()[..], [(_, Weighed::Stop(back))] if back.len() == 5));
        refuse(&mut suspects, 1, "550 5.1.1 User unknown");
        assert!(matches!(&suspects.settle()[..], [(_, Weighed::Record(held))] if held.len() == 1));
    }
}
