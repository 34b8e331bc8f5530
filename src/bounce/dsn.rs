//! Delivery status notifications (RFC 3464, 6533) and feedback reports (RFC 5965):
//! their fields, from well-formed parts and from text that only looks like one.

use super::address;
use super::reason::Status;

/// The most recipients read from one report; a mail of ours has one.
pub const MAX_RECIPIENTS: usize = 500;

/// What a mail system did about a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Given up.
    Failed,
    /// Still tried.
    Delayed,
    /// Arrived, or handed to a system that reports no more.
    Delivered,
}

impl Action {
    /// The word of RFC 3464.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Delayed => "delayed",
            Self::Delivered => "delivered",
        }
    }
}

/// One recipient's fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    /// `Final-Recipient`: who it was in the end.
    pub last: Option<String>,
    /// `Original-Recipient`, and what systems write in its place.
    pub original: Option<String>,
    /// `Action`.
    pub action: Option<Action>,
    /// `Status`.
    pub status: Option<Status>,
    /// `Diagnostic-Code` without its type, and remarks beside it.
    pub diagnostic: String,
}

/// A report's fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields {
    /// One entry a recipient.
    pub groups: Vec<Group>,
    /// `Original-Envelope-Id`.
    pub envelope_id: Option<String>,
}

/// Whether a text has fields of a report in it.
pub fn is_in(text: &str) -> bool {
    let bytes = text.as_bytes();
    memchr::memmem::find_iter(bytes, b"ecipient").any(|at| {
        text[..at].ends_with("inal-R")
            || text[..at].ends_with("inal-r")
            || text[..at].ends_with("INAL-R")
    })
}

/// Reads the fields of a report. Groups are told apart by their recipients, not by
/// the empty lines between them, which many systems forget.
pub fn read(text: &str) -> Fields {
    let mut fields = Fields::default();
    let mut group = Group::default();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        let name = name.trim_matches(['>', ' ', '\t', '|']);
        if name.is_empty() || name.len() > 40 || name.contains(' ') {
            continue;
        }
        let mut value = value.trim().to_owned();
        while let Some(next) = lines.peek()
            && next.starts_with([' ', '\t'])
            && value.len() < 4000
        {
            value.push(' ');
            value.push_str(next.trim());
            lines.next();
        }
        take(&mut fields, &mut group, &name.to_ascii_lowercase(), &value);
    }
    flush(&mut fields, &mut group);
    fields
}

fn take(fields: &mut Fields, group: &mut Group, name: &str, value: &str) {
    match name {
        "final-recipient" => {
            if group.last.is_some() {
                flush(fields, group);
            }
            group.last = Some(address::of_field(value).unwrap_or_default());
        }
        "original-recipient" => {
            if group.original.is_some() && group.last.is_some() {
                flush(fields, group);
            }
            group.original = address::of_field(value).map(address::unxtext);
        }
        "x-actual-recipient" if group.original.is_none() => {
            group.original = address::of_field(value);
        }
        "action" => group.action = Some(action(value)),
        "status" => group.status = Status::parse(value).or_else(|| Status::find(value)),
        "diagnostic-code" | "x-supplementary-info" | "x-display-name-reason" => {
            let words = match value.split_once(';') {
                Some((kind, rest)) if kind.len() < 20 && !kind.contains(' ') => rest.trim(),
                _ => value,
            };
            if !group.diagnostic.is_empty() {
                group.diagnostic.push(' ');
            }
            group.diagnostic.push_str(words);
        }
        "original-envelope-id" => fields.envelope_id = Some(value.to_owned()),
        _ => {}
    }
}

fn action(value: &str) -> Action {
    let word = value.trim().to_ascii_lowercase();
    if word.starts_with("delay") {
        Action::Delayed
    } else if ["deliver", "relay", "expand"].iter().any(|done| word.starts_with(done)) {
        Action::Delivered
    } else {
        Action::Failed
    }
}

fn flush(fields: &mut Fields, group: &mut Group) {
    let full = std::mem::take(group);
    let named = full.last.as_deref().is_some_and(|a| !a.is_empty()) || full.original.is_some();
    if named && fields.groups.len() < MAX_RECIPIENTS {
        fields.groups.push(full);
    } else if full.last.is_some() && fields.groups.len() < MAX_RECIPIENTS {
        // A group that names nobody still says that something failed.
        fields.groups.push(Group { last: None, ..full });
    } else {
        // Fields before the first recipient may belong to it.
        group.action = full.action;
        group.status = full.status;
        group.diagnostic = full.diagnostic;
    }
}
