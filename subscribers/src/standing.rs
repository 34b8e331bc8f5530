//! What ties a person to a newsletter, and what may change it.
//!
//! Pure transitions; storing them, and their evidence, is the caller's.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a subscription stands. Only `Active` gets mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// Asked to be confirmed, not confirmed yet.
    Pending,
    /// Gets every issue.
    Active,
    /// Wants a break, and stays.
    Paused,
    /// Left by their own will.
    Left,
    /// Mail comes back.
    Unreachable,
    /// Called our mail spam. Final.
    Complained,
}

/// What can happen to a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The person confirmed by a link that only their mailbox got.
    Confirmed,
    /// The person asked for a break.
    Paused,
    /// The break is over.
    Resumed,
    /// The person left.
    Left,
    /// Bounces reached the newsletter's rule.
    Bounced,
    /// A complaint came in.
    Complained,
    /// An editor takes back what bounces decided.
    Restored,
    /// An operator, with a note, forgives a complaint; the person may sign up again.
    Forgiven,
}

/// An event that this standing cannot have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a subscription that is {standing} cannot be {event}")]
pub struct Refused {
    /// Where it stood, and stands.
    pub standing: Standing,
    /// What was asked.
    pub event: Event,
}

/// All standings, in the order pages and reports show them.
pub const ALL: [Standing; 6] = [
    Standing::Pending,
    Standing::Active,
    Standing::Paused,
    Standing::Left,
    Standing::Unreachable,
    Standing::Complained,
];

impl Standing {
    /// The word in the database, in JSON and in exports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Left => "left",
            Self::Unreachable => "unreachable",
            Self::Complained => "complained",
        }
    }

    /// The standing of a word, as [`Standing::as_str`] writes it.
    pub fn parse(word: &str) -> Option<Self> {
        ALL.into_iter().find(|standing| standing.as_str() == word)
    }

    /// Whether the next issue goes there.
    pub fn gets_mail(self) -> bool {
        self == Self::Active
    }

    /// The standing after an event. The same standing again is no error: links
    /// are clicked twice.
    pub fn after(self, event: Event) -> Result<Self, Refused> {
        let refused = Err(Refused { standing: self, event });
        match (event, self) {
            (Event::Confirmed, Self::Complained) => refused,
            (
                Event::Confirmed,
                Self::Pending | Self::Active | Self::Paused | Self::Left | Self::Unreachable,
            ) => Ok(Self::Active),

            (Event::Paused, Self::Active | Self::Paused) => Ok(Self::Paused),
            (Event::Paused, Self::Pending | Self::Left | Self::Unreachable | Self::Complained) => {
                refused
            }

            (Event::Resumed, Self::Active | Self::Paused) => Ok(Self::Active),
            (Event::Resumed, Self::Pending | Self::Left | Self::Unreachable | Self::Complained) => {
                refused
            }

            // Who complained has left already, and for good.
            (Event::Left, Self::Complained) => Ok(Self::Complained),
            (
                Event::Left,
                Self::Pending | Self::Active | Self::Paused | Self::Left | Self::Unreachable,
            ) => Ok(Self::Left),

            // A late bounce must not hide that somebody left or complained.
            (Event::Bounced, Self::Left) => Ok(Self::Left),
            (Event::Bounced, Self::Complained) => Ok(Self::Complained),
            (Event::Bounced, Self::Pending | Self::Active | Self::Paused | Self::Unreachable) => {
                Ok(Self::Unreachable)
            }

            (Event::Complained, _) => Ok(Self::Complained),

            (Event::Restored, Self::Active | Self::Unreachable) => Ok(Self::Active),
            (Event::Restored, Self::Pending | Self::Paused | Self::Left | Self::Complained) => {
                refused
            }

            (Event::Forgiven, Self::Left | Self::Complained) => Ok(Self::Left),
            (Event::Forgiven, Self::Pending | Self::Active | Self::Paused | Self::Unreachable) => {
                refused
            }
        }
    }

    /// The standing after a list was read in that says `listed`. A list may
    /// carry over that somebody left or complained elsewhere; it never raises.
    pub fn imported(existing: Option<Self>, listed: Self) -> Self {
        let Some(standing) = existing else {
            return listed;
        };
        let event = match listed {
            Self::Left => Event::Left,
            Self::Complained => Event::Complained,
            Self::Pending | Self::Active | Self::Paused | Self::Unreachable => return standing,
        };
        standing.after(event).unwrap_or(standing)
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Confirmed => "confirmed",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::Left => "left",
            Self::Bounced => "bounced",
            Self::Complained => "complained",
            Self::Restored => "restored",
            Self::Forgiven => "forgiven",
        })
    }
}

/// Who or what changed a standing: the `reason` of a standing's event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The button behind the link in a mail.
    Link,
    /// The mailbox provider's button (RFC 8058).
    OneClick,
    /// The preferences page.
    Preferences,
    /// A confirmation link.
    Confirmation,
    /// A list was read in.
    Import,
    /// Bounces.
    Bounce,
    /// A complaint.
    Complaint,
    /// A person who runs the newsletter.
    Editor,
    /// The end of a break.
    PauseOver,
    /// A mail in which the person asks to leave.
    Mail,
    /// A probe that did not come back.
    Probe,
}

impl Reason {
    /// The word in the database and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::OneClick => "one-click",
            Self::Preferences => "preferences",
            Self::Confirmation => "confirmation",
            Self::Import => "import",
            Self::Bounce => "bounce",
            Self::Complaint => "complaint",
            Self::Editor => "editor",
            Self::PauseOver => "pause-over",
            Self::Mail => "mail",
            Self::Probe => "probe",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ALL, Event, Standing};

    const EVENTS: [Event; 8] = [
        Event::Confirmed,
        Event::Paused,
        Event::Resumed,
        Event::Left,
        Event::Bounced,
        Event::Complained,
        Event::Restored,
        Event::Forgiven,
    ];

    /// The whole table at a glance: one row per event, one letter per standing
    /// in the order of `ALL`, `-` for refused.
    #[test]
    fn every_arrow_is_as_the_table_says() {
        let letter = |standing: Standing| match standing {
            Standing::Pending => 'P',
            Standing::Active => 'A',
            Standing::Paused => 'Z',
            Standing::Left => 'L',
            Standing::Unreachable => 'U',
            Standing::Complained => 'C',
        };
        let row = |event: Event| -> String {
            let after = |s: Standing| s.after(event).map_or('-', letter);
            ALL.into_iter().map(after).collect()
        };
        let table: Vec<String> = EVENTS.into_iter().map(row).collect();
        assert_eq!(
            table,
            [
                "AAAAA-", // confirmed
                "-ZZ---", // paused
                "-AA---", // resumed
                "LLLLLC", // left
                "UUULUC", // bounced
                "CCCCCC", // complained
                "-A--A-", // restored
                "---L-L", // forgiven
            ]
        );
    }

    #[test]
    fn only_a_confirmation_or_an_editor_brings_mail_back() {
        for standing in ALL.into_iter().filter(|s| !s.gets_mail()) {
            for event in EVENTS {
                let back = standing.after(event).is_ok_and(Standing::gets_mail);
                let allowed = matches!(event, Event::Confirmed | Event::Restored)
                    || (event == Event::Resumed && standing == Standing::Paused);
                assert!(!back || allowed, "{standing} {event}");
            }
        }
    }

    #[test]
    fn an_import_never_raises_a_standing() {
        for existing in ALL {
            for listed in ALL {
                let after = Standing::imported(Some(existing), listed);
                assert!(existing.gets_mail() || !after.gets_mail());
                assert!(existing != Standing::Complained || after == Standing::Complained);
                let lowered = matches!(listed, Standing::Left | Standing::Complained);
                assert!(after == existing || lowered);
            }
            assert_eq!(Standing::imported(None, existing), existing);
        }
    }

    #[test]
    fn every_standing_reads_what_it_writes() {
        for standing in ALL {
            assert_eq!(Standing::parse(standing.as_str()), Some(standing));
        }
        assert_eq!(Standing::parse("Active"), None);
    }
}
