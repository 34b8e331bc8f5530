//! Who a mail goes to and where its bounce goes: the lines MAIL and RCPT.

use std::io::Write;

use super::capability::Capability;
use super::reply::Reply;
use super::{Outcome, Stage};

/// The longest path of MAIL and RCPT, in bytes (RFC 5321, section 4.5.3.1.3).
const PATH_BYTES: usize = 254;

/// An address or identifier that cannot stand in a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an address in the envelope is too long or holds a character that no command may carry")]
pub struct Unfit;

/// The envelope of one mail, fit to be written into commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    sender: String,
    recipient: String,
    id: Option<String>,
    size: usize,
    eight_bit: bool,
}

impl Envelope {
    /// Checks both addresses; `sender` may be empty (the null return path).
    /// `id` becomes ENVID where DSN is offered.
    pub fn new(
        sender: impl Into<String>,
        recipient: impl Into<String>,
        id: Option<String>,
    ) -> Result<Envelope, Unfit> {
        let (sender, recipient) = (sender.into(), recipient.into());
        let fit = |path: &str| {
            path.len() <= PATH_BYTES
                && !path
                    .chars()
                    .any(|c| c.is_control() || c.is_whitespace() || matches!(c, '<' | '>'))
        };
        if !fit(&sender) || !fit(&recipient) || recipient.is_empty() {
            return Err(Unfit);
        }
        if id.as_deref().is_some_and(|id| !is_plain_xtext(id)) {
            return Err(Unfit);
        }
        Ok(Envelope { sender, recipient, id, size: 0, eight_bit: false })
    }

    /// Notes what the content is like, for SIZE and BODY.
    pub fn describe(&mut self, content: &[u8]) {
        self.size = content.len();
        self.eight_bit = !content.is_ascii();
    }

    /// The recipient's address as it goes into RCPT.
    pub fn recipient(&self) -> &str {
        &self.recipient
    }

    /// What this server can never take, said as a server would say it.
    pub(super) fn refuse(&self, server: &Capability) -> Option<Outcome> {
        if let Some(Some(limit)) = server.size
            && self.size as u64 > limit
        {
            let text = format!("5.3.4 the mail has {} bytes, the relay takes {limit}", self.size);
            return Some(Outcome::reply(Stage::Mail, Reply::new(552, text)));
        }
        if self.eight_bit && !server.eight_bit {
            let text = "5.6.3 the mail has 8-bit content and the relay does not offer 8BITMIME";
            return Some(Outcome::reply(Stage::Mail, Reply::new(554, text)));
        }
        if !self.sender.is_ascii() && !server.utf8 {
            let text = "5.6.7 the sender needs SMTPUTF8, which the relay does not offer";
            return Some(Outcome::reply(Stage::Mail, Reply::new(553, text)));
        }
        if !self.recipient.is_ascii() && !server.utf8 {
            let text = "5.6.7 the address needs SMTPUTF8, which the relay does not offer";
            return Some(Outcome::reply(Stage::Rcpt, Reply::new(553, text)));
        }
        None
    }

    /// Appends MAIL and RCPT with the parameters the server offers.
    pub(super) fn write(&self, server: &Capability, out: &mut Vec<u8>) {
        let never = "a vector takes every byte";
        write!(out, "MAIL FROM:<{}>", self.sender).expect(never);
        if server.size.is_some() && self.size > 0 {
            write!(out, " SIZE={}", self.size).expect(never);
        }
        if self.eight_bit && server.eight_bit {
            out.extend_from_slice(b" BODY=8BITMIME");
        }
        if !self.sender.is_ascii() || !self.recipient.is_ascii() {
            out.extend_from_slice(b" SMTPUTF8");
        }
        if server.dsn {
            out.extend_from_slice(b" RET=HDRS");
            if let Some(id) = &self.id {
                write!(out, " ENVID={id}").expect(never);
            }
        }
        write!(out, "\r\nRCPT TO:<{}>", self.recipient).expect(never);
        if server.dsn {
            out.extend_from_slice(b" NOTIFY=FAILURE,DELAY");
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// Characters that xtext (RFC 3461, section 4) leaves as they are.
fn is_plain_xtext(id: &str) -> bool {
    (1..=100).contains(&id.len())
        && id.bytes().all(|byte| (b'!'..=b'~').contains(&byte) && !matches!(byte, b'+' | b'='))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(envelope: &Envelope, server: &Capability) -> String {
        let mut out = Vec::new();
        envelope.write(server, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn envelope(recipient: &str) -> Envelope {
        let mut envelope =
            Envelope::new("bounce+abc@example.org", recipient, Some("abc".to_owned())).unwrap();
        envelope.describe(b"Hello\r\n");
        envelope
    }

    #[test]
    fn only_what_is_offered_is_asked_for() {
        assert_eq!(
            lines(&envelope("ada@example.org"), &Capability::default()),
            "MAIL FROM:<bounce+abc@example.org>\r\nRCPT TO:<ada@example.org>\r\n"
        );
        let server = Capability {
            dsn: true,
            size: Some(None),
            eight_bit: true,
            utf8: true,
            ..Capability::default()
        };
        assert_eq!(
            lines(&envelope("jürgen@example.org"), &server),
            "MAIL FROM:<bounce+abc@example.org> SIZE=7 SMTPUTF8 RET=HDRS ENVID=abc\r\n\
             RCPT TO:<jürgen@example.org> NOTIFY=FAILURE,DELAY\r\n"
        );
    }

    #[test]
    fn no_address_smuggles_a_command() {
        for bad in
            ["", "a@b\r\nRCPT TO:<c@d", "a b@example.org", "a>@example.org", "a\0@example.org"]
        {
            assert!(Envelope::new("", bad, None).is_err(), "{bad:?}");
        }
        assert!(Envelope::new("a\n@b", "c@example.org", None).is_err());
        assert!(Envelope::new("", "c@example.org", Some("a b".to_owned())).is_err());
    }

    #[test]
    fn what_the_relay_can_never_take_is_refused_before() {
        let small = Capability { size: Some(Some(5)), ..Capability::default() };
        let refused = envelope("ada@example.org").refuse(&small).unwrap();
        assert_eq!((refused.stage, refused.code()), (Stage::Mail, Some(552)));
        let plain = Capability::default();
        let refused = envelope("jürgen@example.org").refuse(&plain).unwrap();
        assert_eq!((refused.stage, refused.code()), (Stage::Rcpt, Some(553)));
        assert_eq!(envelope("ada@example.org").refuse(&plain), None);
    }
}
