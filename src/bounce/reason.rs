//! Why a mail did not arrive: the closed set of reasons, the codes of mail
//! systems, and what a code alone says. Words beat codes; they are in `phrase`.

use std::fmt;

/// Why a mail did not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// There is no such mailbox.
    UserUnknown,
    /// There is no such domain, or it takes no mail.
    HostUnknown,
    /// The mailbox has moved and nothing is forwarded.
    HasMoved,
    /// The mailbox is full.
    MailboxFull,
    /// The mail is too large.
    TooBig,
    /// The mailbox is switched off for now.
    Suspended,
    /// The receiver refuses us or this mail without a better reason.
    Rejected,
    /// Our server's address or name is on a list, or has no name.
    Blocked,
    /// The content looked like spam or a virus.
    SpamContent,
    /// A rule of the receiver's house.
    Policy,
    /// SPF, DKIM or DMARC.
    Authentication,
    /// Too much, too fast, too many connections; greylisting.
    RateLimited,
    /// The way to the receiver: connections, name servers, loops.
    Network,
    /// The receiver's system is broken.
    System,
    /// It was tried until the time ran out.
    Expired,
    /// The mail is malformed in the receiver's eyes.
    ContentError,
    /// Nothing was said that can be understood.
    Unspecified,
}

impl Reason {
    /// Every reason, in the order of the table of phrases.
    pub const ALL: [Self; 17] = [
        Self::UserUnknown,
        Self::HostUnknown,
        Self::HasMoved,
        Self::MailboxFull,
        Self::TooBig,
        Self::Suspended,
        Self::Rejected,
        Self::Blocked,
        Self::SpamContent,
        Self::Policy,
        Self::Authentication,
        Self::RateLimited,
        Self::Network,
        Self::System,
        Self::Expired,
        Self::ContentError,
        Self::Unspecified,
    ];

    /// The word for it in tables, JSON and the table of phrases.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UserUnknown => "user unknown",
            Self::HostUnknown => "host unknown",
            Self::HasMoved => "has moved",
            Self::MailboxFull => "mailbox full",
            Self::TooBig => "message too big",
            Self::Suspended => "suspended",
            Self::Rejected => "rejected",
            Self::Blocked => "blocked",
            Self::SpamContent => "spam content",
            Self::Policy => "policy",
            Self::Authentication => "authentication",
            Self::RateLimited => "rate limited",
            Self::Network => "network",
            Self::System => "system",
            Self::Expired => "expired",
            Self::ContentError => "content error",
            Self::Unspecified => "unspecified",
        }
    }

    /// The reason a word stands for.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }

    /// Whether the address itself is dead: mail to it will never arrive.
    pub const fn is_hard(self) -> bool {
        matches!(self, Self::UserUnknown | Self::HostUnknown | Self::HasMoved)
    }

    /// Whether the fault lies with the sender: it raises an alarm and counts
    /// against no reader.
    pub const fn is_ours(self) -> bool {
        matches!(
            self,
            Self::Blocked
                | Self::SpamContent
                | Self::Policy
                | Self::Authentication
                | Self::RateLimited
                | Self::ContentError
                | Self::TooBig
        )
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An enhanced status code (RFC 3463): class, subject, detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    class: u8,
    subject: u16,
    detail: u16,
}

impl Status {
    /// Reads `5.1.1` at the start of a text; what follows must be no digit or dot digit.
    pub fn parse(text: &str) -> Option<Self> {
        Self::prefix(text.trim_start().as_bytes()).map(|(status, _)| status)
    }

    /// The first status anywhere in a text, and no part of an IP address or version.
    pub fn find(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        memchr::memchr_iter(b'.', bytes).find_map(|dot| {
            let start = dot.checked_sub(1)?;
            let free = start == 0
                || !(bytes[start - 1].is_ascii_alphanumeric()
                    || bytes[start - 1] == b'.'
                    || bytes[start - 1] == b'-' && start > 1 && !bytes[start - 2].is_ascii_digit());
            free.then(|| Self::prefix(&bytes[start..]))?.map(|(status, _)| status)
        })
    }

    fn prefix(bytes: &[u8]) -> Option<(Self, usize)> {
        let class = match bytes.first()? {
            digit @ (b'2' | b'4' | b'5') => digit - b'0',
            _ => return None,
        };
        if bytes.get(1) != Some(&b'.') {
            return None;
        }
        let (subject, used) = number(&bytes[2..])?;
        let dot = 2 + used;
        if bytes.get(dot) != Some(&b'.') {
            return None;
        }
        let (detail, used) = number(&bytes[dot + 1..])?;
        let end = dot + 1 + used;
        let longer = match &bytes[end..] {
            [b'.', next, ..] => next.is_ascii_digit(),
            [next, ..] => next.is_ascii_alphanumeric(),
            [] => false,
        };
        (!longer).then_some((Self { class, subject, detail }, end))
    }

    /// 2, 4 or 5.
    pub const fn class(self) -> u8 {
        self.class
    }

    /// Whether it says more than its class (`5.0.0` does not).
    pub const fn is_specific(self) -> bool {
        self.subject != 0 || self.detail != 0
    }

    /// Whether it speaks of the address or of the commands that name it, and not of
    /// the mailbox behind it.
    pub const fn is_about_address(self) -> bool {
        matches!(self.subject, 1 | 5)
    }

    /// Whether it speaks of a mailbox that is there, or of a policy.
    pub const fn is_about_mailbox_or_policy(self) -> bool {
        matches!((self.subject, self.detail), (2, 1..) | (7, _))
    }

    /// What the code alone says (RFC 3463, RFC 7505, RFC 7372, the IANA registry,
    /// and Microsoft's own).
    pub const fn reason(self) -> Option<Reason> {
        Some(match (self.subject, self.detail) {
            (1, 0 | 1 | 3 | 4) => Reason::UserUnknown,
            (1, 2 | 10) => Reason::HostUnknown,
            (1, 5) => return None,
            (1, 6) => Reason::HasMoved,
            (1, 7 | 8) => Reason::Rejected,
            (1, 9) => Reason::ContentError,
            (2, 1) => Reason::Suspended,
            (2, 2) => Reason::MailboxFull,
            (2, 3) => Reason::TooBig,
            (2, _) => Reason::Rejected,
            (3, 1) => Reason::MailboxFull,
            (3, 4) => Reason::TooBig,
            (3, 2) if self.class == 5 => Reason::HostUnknown,
            (3, _) => Reason::System,
            (4, 4) if self.class == 5 => Reason::HostUnknown,
            (4, 7) => Reason::Expired,
            (4, _) => Reason::Network,
            (6, _) => Reason::ContentError,
            (7, 8 | 9) => Reason::Policy,
            (7, 13) => Reason::Suspended,
            (7, 20..=24 | 26 | 29 | 30 | 509 | 515) => Reason::Authentication,
            (7, 25 | 606) => Reason::Blocked,
            (7, 27) => Reason::Rejected,
            (7, 28) => Reason::RateLimited,
            (7, 501..=799) => Reason::Blocked,
            (7, _) => Reason::Policy,
            _ => return None,
        })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

fn number(bytes: &[u8]) -> Option<(u16, usize)> {
    let used = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
    if used == 0 || used > 3 {
        return None;
    }
    let value = bytes[..used].iter().fold(0, |n, digit| n * 10 + u16::from(digit - b'0'));
    Some((value, used))
}

/// The first SMTP reply code in a text: three digits from 400 to 599 that stand
/// alone, with where they stand. Numbers with an address or version around them
/// are passed over.
pub fn reply(text: &str) -> Option<(u16, usize)> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at + 3 <= bytes.len() {
        let Some(n) = memchr::memchr2(b'4', b'5', &bytes[at..]) else {
            break;
        };
        let start = at + n;
        at = start + 1;
        let Some([a, b, c]) = bytes.get(start..start + 3) else {
            break;
        };
        let before = start == 0
            || matches!(
                bytes[start - 1],
                b' ' | b'\n'
                    | b'\t'
                    | b':'
                    | b'('
                    | b'['
                    | b'"'
                    | b'\''
                    | b';'
                    | b'>'
                    | b'<'
                    | b'='
                    | b','
            );
        let after = matches!(
            bytes.get(start + 3),
            None | Some(
                b' ' | b'-'
                    | b'\n'
                    | b'\r'
                    | b'"'
                    | b'\''
                    | b','
                    | b';'
                    | b':'
                    | b')'
                    | b']'
                    | b'<'
                    | b'_'
            )
        );
        if before && after && b.is_ascii_digit() && c.is_ascii_digit() && *b <= b'7' {
            let code = u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0');
            return Some((code, start));
        }
    }
    None
}

/// What a reply code alone says (RFC 5321, RFC 7504).
pub const fn of_reply(code: u16) -> Option<Reason> {
    Some(match code {
        421 | 454 => Reason::Network,
        450 | 451 => Reason::System,
        452 => Reason::MailboxFull,
        521 | 556 => Reason::HostUnknown,
        525 => Reason::Suspended,
        530 | 534 | 535 | 538 => Reason::Policy,
        551 => Reason::HasMoved,
        552 => Reason::MailboxFull,
        553 => Reason::Rejected,
        554 => Reason::Rejected,
        571 => Reason::Policy,
        _ => return None,
    })
}
