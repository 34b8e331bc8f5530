//! Transports that refuse an issue whoever reads it: the next one of its route is
//! tried first, and only when all of them refuse is there nothing to do but stop.

use std::collections::HashMap;
use std::time::Duration;

use crate::issue::IssueId;
use crate::store::value::Millis;

/// A transport that refused is not asked again for so long; then somebody may have
/// mended what it did not like.
const STANDS: Duration = Duration::from_secs(600);

/// Who refused what, and in which words.
#[derive(Debug, Default)]
pub struct Refusals {
    said: HashMap<(IssueId, usize), (Millis, String)>,
}

impl Refusals {
    /// A transport, by its place, refused an issue.
    pub fn note(&mut self, issue: IssueId, line: usize, words: String, now: Millis) {
        self.said.insert((issue, line), (now, words));
    }

    /// Whether a transport is not to be asked for an issue now.
    pub fn stands(&self, issue: IssueId, line: usize, now: Millis) -> bool {
        // Later than now: the clock was set back meanwhile.
        let stands = |at: &Millis| *at <= now && now < at.after(STANDS);
        self.said.get(&(issue, line)).is_some_and(|(at, _)| stands(at))
    }

    /// What all transports of a route said, each with its place; none while one of
    /// them may still take the issue.
    pub fn of_all(
        &self,
        issue: IssueId,
        route: &[usize],
        now: Millis,
    ) -> Option<Vec<(usize, &str)>> {
        let words = |line: &usize| {
            let said = self.said.get(&(issue, *line)).filter(|_| self.stands(issue, *line, now));
            said.map(|(_, words)| (*line, words.as_str()))
        };
        route.iter().map(words).collect()
    }

    /// An issue begins anew: its transports are asked again from the first.
    pub fn forget(&mut self, issue: IssueId) {
        self.said.retain(|(refused, _), _| *refused != issue);
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.said.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issue_is_refused_when_every_transport_refused_it_lately() {
        let (issue, other) = (IssueId(1), IssueId(2));
        let start = Millis(1_000_000);
        let later = |seconds| start.after(Duration::from_secs(seconds));
        let mut refusals = Refusals::default();
        refusals.note(issue, 0, "535 5.7.8 no".to_owned(), start);
        assert!(refusals.stands(issue, 0, start) && !refusals.stands(issue, 1, start));
        assert!(!refusals.stands(other, 0, start));
        assert_eq!(refusals.of_all(issue, &[0, 1], start), None);
        refusals.note(issue, 1, "550 5.1.8 no".to_owned(), later(599));
        let all = refusals.of_all(issue, &[0, 1], later(599));
        assert_eq!(all, Some(vec![(0, "535 5.7.8 no"), (1, "550 5.1.8 no")]));
        assert_eq!(refusals.of_all(issue, &[0, 1], later(600)), None, "the first may be mended");
        refusals.forget(issue);
        assert!(refusals.is_empty());
    }
}
