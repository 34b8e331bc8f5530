//! The states of an issue and every arrow between them. Pure.
//!
//! ```text
//! draft → queued → expanding → sending → finished
//!   ↑       │ undo
//!   └───────┘       queued, expanding, sending ⇄ paused;  all but finished → cancelled;
//!                         finished → sending, for further readers
//! ```

use crate::words;

words! {
    /// Where an issue is.
    State {
        /// Editors work on it.
        Draft = "draft",
        /// It goes out at its time; until then it can be taken back.
        Queued = "queued",
        /// Frozen; its readers are being written into the ledger.
        Expanding = "expanding",
        /// Mails are going out.
        Sending = "sending",
        /// Stopped; it goes on where it was.
        Paused = "paused",
        /// Every reader's mail came to an end.
        Finished = "finished",
        /// It does not go out (any further).
        Cancelled = "cancelled",
    }
}

/// What can happen to an issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// An editor, or the schedule, sends it off.
    Queue,
    /// An editor takes it back before it began.
    Undo,
    /// Its time has come: the letter is frozen.
    Freeze,
    /// Every reader stands in the ledger.
    Start,
    /// It stops for now.
    Pause,
    /// It goes on.
    Resume,
    /// Nothing is left to do.
    Finish,
    /// It does not go out (any further).
    Cancel,
    /// Further readers get it, or some once more.
    Reopen,
}

impl Step {
    /// Each of them.
    pub const ALL: [Step; 9] = [
        Step::Queue,
        Step::Undo,
        Step::Freeze,
        Step::Start,
        Step::Pause,
        Step::Resume,
        Step::Finish,
        Step::Cancel,
        Step::Reopen,
    ];

    /// What a sentence calls it, as in "only a draft can be queued".
    pub fn participle(self) -> &'static str {
        match self {
            Step::Queue => "queued",
            Step::Undo => "taken back",
            Step::Freeze => "frozen",
            Step::Start => "started",
            Step::Pause => "paused",
            Step::Resume => "resumed",
            Step::Finish => "finished",
            Step::Cancel => "cancelled",
            Step::Reopen => "sent again",
        }
    }

    /// The states it leaves from.
    pub fn from(self) -> &'static [State] {
        match self {
            Step::Queue => &[State::Draft],
            Step::Undo | Step::Freeze => &[State::Queued],
            Step::Start => &[State::Expanding],
            Step::Pause => &[State::Queued, State::Expanding, State::Sending],
            Step::Resume => &[State::Paused],
            Step::Finish => &[State::Sending],
            Step::Cancel => {
                &[State::Draft, State::Queued, State::Expanding, State::Sending, State::Paused]
            }
            Step::Reopen => &[State::Sending, State::Paused, State::Finished],
        }
    }
}

impl State {
    /// The state behind a step; `None` where there is no such arrow. `paused_from` is
    /// where a paused issue was.
    pub fn after(self, step: Step, paused_from: Option<State>) -> Option<State> {
        if !step.from().contains(&self) {
            return None;
        }
        match step {
            Step::Queue => Some(State::Queued),
            Step::Undo => Some(State::Draft),
            Step::Freeze => Some(State::Expanding),
            Step::Start => Some(State::Sending),
            Step::Pause => Some(State::Paused),
            Step::Resume => paused_from.filter(|from| Step::Pause.from().contains(from)),
            Step::Finish => Some(State::Finished),
            Step::Cancel => Some(State::Cancelled),
            Step::Reopen if self == State::Paused => {
                (paused_from == Some(State::Sending)).then_some(State::Paused)
            }
            Step::Reopen => Some(State::Sending),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_arrow_and_no_other() {
        let mut arrows = Vec::new();
        for state in State::ALL {
            for step in Step::ALL {
                if let Some(after) = state.after(step, Some(State::Sending)) {
                    arrows.push(format!("{state} -{step:?}-> {after}"));
                }
            }
        }
        assert_eq!(
            arrows,
            [
                "draft -Queue-> queued",
                "draft -Cancel-> cancelled",
                "queued -Undo-> draft",
                "queued -Freeze-> expanding",
                "queued -Pause-> paused",
                "queued -Cancel-> cancelled",
                "expanding -Start-> sending",
                "expanding -Pause-> paused",
                "expanding -Cancel-> cancelled",
                "sending -Pause-> paused",
                "sending -Finish-> finished",
                "sending -Cancel-> cancelled",
                "sending -Reopen-> sending",
                "paused -Resume-> sending",
                "paused -Cancel-> cancelled",
                "paused -Reopen-> paused",
                "finished -Reopen-> sending",
            ]
        );
    }

    #[test]
    fn a_paused_issue_goes_back_to_where_it_was() {
        for from in [State::Queued, State::Expanding, State::Sending] {
            let paused = from.after(Step::Pause, None).unwrap();
            assert_eq!(paused.after(Step::Resume, Some(from)), Some(from));
        }
        assert_eq!(State::Paused.after(Step::Resume, None), None);
        assert_eq!(State::Paused.after(Step::Resume, Some(State::Finished)), None);
    }
}
