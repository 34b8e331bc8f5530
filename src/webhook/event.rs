//! One thing a provider says about one mail, in our words, and what the reader of
//! bounces makes of it. Reads no provider's form and stores nothing.

use std::fmt;

use aws_lc_rs::digest::{self, SHA256};
use rundbrief_subscribers::token::DeliveryToken;
use serde_json::Value;

use crate::bounce::dsn::Action;
use crate::bounce::notice;
use crate::bounce::reason::{self, Reason, Status};
use crate::bounce::report::{self, Recipient, Report};
use crate::bounce::returned::Ties;
use crate::words;

/// The longest piece of a server's words that is kept, in bytes.
const REPLY_BYTES: usize = 1024;
/// The feedback of a reader who left by a link or header of the provider.
pub const UNSUBSCRIBE: &str = "unsubscribe";
/// Letters of a delivery's token (20 octets in base32).
const TOKEN_LETTERS: usize = 32;
/// How many pieces of text of one event are searched for a token.
const TEXTS: usize = 2000;
/// How deep they may lie.
const DEPTH: usize = 20;

words! {
    /// What happened.
    Kind {
        /// The receiver took it.
        Delivered = "delivered",
        /// It is tried again.
        Deferred = "deferred",
        /// The receiver refused it, or sent it back.
        Bounced = "bounced",
        /// The provider refused to try: its own list, its own rules.
        Rejected = "rejected",
        /// The provider gave up.
        Failed = "failed",
        /// The reader called it spam.
        Complained = "complained",
        /// The reader left by a link or header of the provider.
        Unsubscribed = "unsubscribed",
        /// A program answered.
        AutoReplied = "autoreplied",
        /// Nothing that is followed: handed over, opened, clicked.
        Ignored = "ignored",
        /// A word that is not known here; kept for a person.
        Unclear = "unclear",
    }
}

/// One thing a provider says about one mail.
#[derive(Clone, PartialEq)]
pub struct Event {
    /// What happened.
    pub kind: Kind,
    /// The provider's name for the event; the same when it is sent again.
    pub id: Option<String>,
    /// Whom it was for.
    pub recipient: Option<String>,
    /// The mail's Message-ID, or the provider's name for it.
    pub message_id: Option<String>,
    /// The enhanced status code, as text.
    pub status: Option<String>,
    /// The reply code, as text.
    pub code: Option<String>,
    /// The receiving server's own words.
    pub reply: Option<String>,
    /// What the provider says beside them.
    pub note: Option<String>,
    /// Whether the provider holds the address for dead.
    pub hard: Option<bool>,
    /// What the provider's class of event says, where it has classes.
    pub reason: Option<Reason>,
    /// The event as it came.
    pub raw: Value,
}

/// Names no address.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Event({})", self.kind)
    }
}

impl Event {
    /// An event of which nothing is known yet but its kind.
    pub fn new(kind: Kind, raw: &Value) -> Event {
        Event {
            kind,
            id: None,
            recipient: None,
            message_id: None,
            status: None,
            code: None,
            reply: None,
            note: None,
            hard: None,
            reason: None,
            raw: raw.clone(),
        }
    }

    /// What makes it the same event when it comes again: the provider's name for
    /// it where there is one, else all it says. `webhook` is the endpoint's name.
    pub fn digest(&self, webhook: &str) -> [u8; 32] {
        let mut context = digest::Context::new(&SHA256);
        let mut part = |text: &str| {
            context.update(&(text.len() as u64).to_be_bytes());
            context.update(text.as_bytes());
        };
        part("webhook");
        part(webhook);
        part(self.kind.as_str());
        part(self.recipient.as_deref().unwrap_or_default());
        match &self.id {
            Some(id) => part(id),
            None => part(&self.raw.to_string()),
        }
        let mut octets = [0; 32];
        octets.copy_from_slice(context.finish().as_ref());
        octets
    }

    /// What the reader of bounces would have said of a mail with the same words;
    /// nothing for what is not followed.
    pub fn report(&self) -> Option<Report> {
        let kind = match self.kind {
            Kind::Delivered | Kind::Ignored => return None,
            Kind::Deferred => report::Kind::Delay,
            Kind::Bounced | Kind::Rejected | Kind::Failed => report::Kind::Failure,
            Kind::Complained => report::Kind::Complaint,
            Kind::AutoReplied => report::Kind::Autoreply,
            Kind::Unsubscribed => report::Kind::Other,
            Kind::Unclear => report::Kind::Unclear,
        };
        Some(Report {
            kind,
            recipients: self.recipient().into_iter().collect(),
            message_id: self.message_id.clone(),
            ties: Ties { envelope_id: self.token(), ..Ties::default() },
            feedback: self.feedback(),
            excerpt: self.excerpt(),
            limit: None,
        })
    }

    fn feedback(&self) -> Option<String> {
        match self.kind {
            Kind::Complained => Some(self.note.clone().unwrap_or_else(|| "abuse".to_owned())),
            Kind::Unsubscribed => Some(UNSUBSCRIBE.to_owned()),
            Kind::Delivered
            | Kind::Deferred
            | Kind::Bounced
            | Kind::Rejected
            | Kind::Failed
            | Kind::AutoReplied
            | Kind::Ignored
            | Kind::Unclear => None,
        }
    }

    fn recipient(&self) -> Option<Recipient> {
        let address = self.recipient.clone()?;
        let action = match self.kind {
            Kind::Deferred => Action::Delayed,
            Kind::Bounced | Kind::Rejected | Kind::Failed => Action::Failed,
            Kind::Delivered
            | Kind::Complained
            | Kind::Unsubscribed
            | Kind::AutoReplied
            | Kind::Ignored
            | Kind::Unclear => Action::Delivered,
        };
        let words = self.reply.as_deref().unwrap_or_default();
        let given = self.status.as_deref().and_then(Status::parse);
        let status = given.filter(|status| status.is_specific()).or(Status::find(words)).or(given);
        let (reason, by_words) = match action {
            Action::Failed | Action::Delayed => self.why(words, status),
            Action::Delivered => (Reason::Unspecified, false),
        };
        let hard = match action {
            Action::Failed if by_words => Some(reason.is_hard()),
            Action::Failed => Some(self.hard.unwrap_or(reason.is_hard())),
            Action::Delayed | Action::Delivered => None,
        };
        let reply = self.reply.as_deref().map(|reply| clip(reply.trim()));
        Some(Recipient { address, original: None, status, action, reply, reason, hard })
    }

    /// The reason, and whether the receiver's own words gave it: those beat the
    /// provider's class, and that beats the codes.
    fn why(&self, words: &str, status: Option<Status>) -> (Reason, bool) {
        let (strong, weak) = notice::reasons(words);
        if let Some(reason) = strong {
            return (reason, true);
        }
        if let Some(reason) = self.reason {
            return (reason, false);
        }
        let code = self.code.as_deref().and_then(|code| code.parse().ok());
        let code = reason::reply(words).map(|(code, _)| code).or(code);
        let found = status
            .filter(|status| status.is_specific())
            .and_then(Status::reason)
            .or(weak)
            .or(code.and_then(reason::of_reply))
            // A provider that calls it soft has seen more than a code says.
            .filter(|reason| !(reason.is_hard() && self.hard == Some(false)));
        (found.unwrap_or(Reason::Unspecified), false)
    }

    /// The words that matter, for a person who has to decide.
    fn excerpt(&self) -> String {
        let words = [self.reply.as_deref(), self.note.as_deref()];
        let said: Vec<&str> = words.into_iter().flatten().filter(|text| !text.is_empty()).collect();
        match self.kind {
            Kind::Unclear => clip(&self.raw.to_string()),
            Kind::Unsubscribed => format!("unsubscribed at the provider {}", said.join(" ")),
            Kind::Delivered
            | Kind::Deferred
            | Kind::Bounced
            | Kind::Rejected
            | Kind::Failed
            | Kind::Complained
            | Kind::AutoReplied
            | Kind::Ignored => clip(&said.join("\n")),
        }
    }

    /// Our delivery's token, wherever the event carries it: in the Message-ID, the
    /// return path, a header or whatever a provider calls metadata. It is a claim
    /// until its signature is checked.
    pub fn token(&self) -> Option<String> {
        let mut left = TEXTS;
        search(&self.raw, DEPTH, &mut left)
    }
}

fn search(value: &Value, depth: usize, left: &mut usize) -> Option<String> {
    if depth == 0 || *left == 0 {
        return None;
    }
    match value {
        Value::String(text) => {
            *left -= 1;
            token_in(text)
        }
        Value::Array(values) => values.iter().find_map(|value| search(value, depth - 1, left)),
        Value::Object(fields) => fields.values().find_map(|value| search(value, depth - 1, left)),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// A word of 32 letters of base32 that stands alone.
fn token_in(text: &str) -> Option<String> {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .find(|word| word.len() == TOKEN_LETTERS && DeliveryToken::parse(word).is_some())
        .map(str::to_ascii_lowercase)
}

fn clip(text: &str) -> String {
    let mut end = text.len().min(REPLY_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn bounced(reply: &str, hard: Option<bool>) -> Recipient {
        let mut event = Event::new(Kind::Bounced, &json!({}));
        event.recipient = Some("jane@example.org".to_owned());
        event.reply = Some(reply.to_owned());
        event.hard = hard;
        event.report().unwrap().recipients.remove(0)
    }

    #[test]
    fn the_receivers_words_beat_the_providers_class() {
        let full = bounced("552 5.2.2 mailbox full", Some(true));
        assert_eq!((full.reason, full.hard), (Reason::MailboxFull, Some(false)));
        let gone = bounced("550 5.1.1 User unknown", Some(false));
        assert_eq!((gone.reason, gone.hard), (Reason::UserUnknown, Some(true)));
        assert_eq!(gone.status.unwrap().to_string(), "5.1.1");
        let silent = bounced("something happened", Some(true));
        assert_eq!((silent.reason, silent.hard), (Reason::Unspecified, Some(true)));
    }

    #[test]
    fn the_token_is_found_wherever_it_stands() {
        let token = "abcdefghijklmnopqrstuvwxyz234567";
        for value in [
            json!({"headers": [["Message-ID", format!("<{token}@example.org>")]]}),
            json!({"mail": {"source": format!("bounce+{}@example.org", token.to_uppercase())}}),
            json!({"metadata": {"delivery": token}}),
        ] {
            assert_eq!(Event::new(Kind::Bounced, &value).token().as_deref(), Some(token));
        }
        let other = json!({"id": format!("{token}aa"), "x": "nothing"});
        assert_eq!(Event::new(Kind::Bounced, &other).token(), None);
    }

    #[test]
    fn the_same_event_has_the_same_digest_and_no_other() {
        let event = |id: Option<&str>, raw: Value| {
            let mut event = Event::new(Kind::Bounced, &raw);
            event.id = id.map(str::to_owned);
            event
        };
        let one = event(Some("1"), json!({"try": 1}));
        assert_eq!(one.digest("a"), event(Some("1"), json!({"try": 2})).digest("a"));
        assert_ne!(one.digest("a"), one.digest("b"));
        assert_ne!(one.digest("a"), event(Some("2"), json!({"try": 1})).digest("a"));
        let plain = event(None, json!({"x": 1}));
        assert_ne!(plain.digest("a"), event(None, json!({"x": 2})).digest("a"));
    }

    #[test]
    fn what_is_not_followed_gives_no_report() {
        assert!(Event::new(Kind::Ignored, &json!({})).report().is_none());
        assert!(Event::new(Kind::Delivered, &json!({})).report().is_none());
        let unclear = Event::new(Kind::Unclear, &json!({"x": 1})).report().unwrap();
        assert_eq!(unclear.kind, report::Kind::Unclear);
        assert!(unclear.excerpt.contains("\"x\""));
    }
}
