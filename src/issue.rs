//! One edition of a newsletter: a state machine.

pub mod archive;

use crate::key;

key! {
    /// The key of an issue.
    IssueId
}
