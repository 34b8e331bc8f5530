//! What one reader alone has, encoded for its places in the mail.
//!
//! Tokens are signed here; whether the reader may get the mail is delivery's to ask.

use std::fmt::Write as _;

use rundbrief_subscribers::address::EmailAddress;
use rundbrief_subscribers::person::{Person, Salutation};
use rundbrief_subscribers::token::{DeliveryToken, Key, Kind, ReaderToken};
use rundbrief_templates::words::greeting::{Title, greeting};

use super::headers;
use super::mime::Encoder;
use super::splice::{Head, Reader};

/// One row of the ledger with whom it is for.
#[derive(Debug, Clone, Copy)]
pub struct Recipient<'a> {
    /// The ledger's key.
    pub delivery: i64,
    /// Who.
    pub subscriber: i64,
    /// Where.
    pub address: &'a EmailAddress,
    /// How they want to be addressed.
    pub person: &'a Person,
}

impl Reader {
    /// Makes this the given recipient's; what it held before is gone, its memory is
    /// used again.
    pub fn fill(&mut self, head: &Head, key: &Key, recipient: &Recipient<'_>) {
        let Recipient { delivery, subscriber, address, person } = *recipient;
        let mut line = String::with_capacity(160);

        let (given, family) = (person.given.as_str(), person.family.as_str());
        let name = match (given, family) {
            ("", name) | (name, "") => name.to_owned(),
            (given, family) => format!("{given} {family}"),
        };
        headers::named(&name, &format!("<{}>", address.as_str()), "To: ".len(), &mut line);
        set(&mut self.to, &line);

        line.clear();
        let token = DeliveryToken::new(key, delivery, head.issue, subscriber);
        write!(line, "{token}").expect("writing to a String does not fail");
        set(&mut self.delivery, &line);

        let token = |kind| {
            let (issue, newsletter) = (head.issue, head.newsletter);
            ReaderToken { kind, issue, subscriber, newsletter }.seal(key)
        };
        set(&mut self.unsubscribe, &token(Kind::Unsubscribe));
        set(&mut self.preferences, &token(Kind::Preferences));

        line.clear();
        let title = match person.salutation {
            Salutation::Ms => Some(Title::Ms),
            Salutation::Mr => Some(Title::Mr),
            Salutation::Neutral | Salutation::Unknown => None,
        };
        greeting(head.language, title, given, family, &mut line);
        self.greeting_text.clear();
        Encoder::new().push(&line, &mut self.greeting_text);
        self.greeting_html.clear();
        Encoder::new().push(&escape(&line), &mut self.greeting_html);
    }
}

fn set(place: &mut Vec<u8>, text: &str) {
    place.clear();
    place.extend_from_slice(text.as_bytes());
}

/// For HTML text and attributes.
fn escape(text: &str) -> std::borrow::Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"']) {
        return text.into();
    }
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;").replace('"', "&quot;").into()
}
