//! Places in a rendered issue that are filled for each reader.
//!
//! A mark holds a nonce that is drawn afresh for each letter, so no article can
//! contain one by accident or by intent. Marks consist of letters, digits and
//! hyphens only: they pass HTML escaping and quoted-printable unchanged.

/// What a reader alone has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Slot {
    /// The line that greets the reader, as in `Guten Tag Anna Beispiel,`.
    Salutation,
    /// Web address that unsubscribes this reader.
    Unsubscribe,
    /// Web address of this reader's preferences.
    Preferences,
    /// Web address of the issue in the browser, where it is not the same for all.
    WebVersion,
}

impl Slot {
    /// Every slot there is.
    pub const ALL: [Self; 4] =
        [Self::Salutation, Self::Unsubscribe, Self::Preferences, Self::WebVersion];

    fn name(self) -> &'static str {
        match self {
            Self::Salutation => "salutation",
            Self::Unsubscribe => "unsubscribe",
            Self::Preferences => "preferences",
            Self::WebVersion => "webversion",
        }
    }
}

/// The marks of one letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slots {
    nonce: String,
}

impl Slots {
    /// Marks with this nonce; 128 random bits make them unguessable.
    pub fn new(nonce: u128) -> Self {
        Self { nonce: format!("{nonce:032x}") }
    }

    /// The text that stands where the slot is, as in `slot-<nonce>-unsubscribe`.
    pub fn mark(&self, slot: Slot) -> String {
        format!("slot-{}-{}", self.nonce, slot.name())
    }

    /// What all marks of this letter begin with.
    pub fn prefix(&self) -> String {
        format!("slot-{}-", self.nonce)
    }
}
