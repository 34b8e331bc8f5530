//! What a person was told and did: the acts that the append-only record knows.

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Asked to be put on the list.
    Requested,
    /// Confirmed by a link that only their mailbox got.
    Confirmed,
    /// Came with a list; who read it in says where the consent is kept.
    Imported,
    /// Was added by hand; who did it says where the consent is kept.
    Added,
    /// Took the consent back.
    Withdrawn,
}

impl Act {
    /// The word in the database and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Confirmed => "confirmed",
            Self::Imported => "imported",
            Self::Added => "added",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// Characters of a wording or a source that are kept.
pub const WORDING_MAX: usize = 10_000;
