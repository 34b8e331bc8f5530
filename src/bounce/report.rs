//! The reader of bounces: a mail's bytes in, a report out. Pure and total: any
//! bytes give a report, and what is not understood is *unclear*.
//!
//! It decides nothing about a reader. Order of trust for who failed: the fields
//! of the top report, `X-Failed-Recipients`, the words of the notice. It never
//! looks for a recipient in the returned mail, which may be a bounce itself.

use super::autoreply::{self, Header};
use super::complaint;
use super::dsn::Action;
use super::failure;
use super::mime::{self, Head, Limit, Media, Part};
use super::notice::Notice;
use super::person;
use super::phrase::{self, Hit, Meaning};
use super::reason::{self, Reason, Status};
use super::returned::{self, Returned, Ties};
use super::text;

/// What a mail is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A mail did not arrive.
    Failure,
    /// A mail has not arrived yet.
    Delay,
    /// A reader, or their provider, complained.
    Complaint,
    /// A program answered in a person's absence.
    Autoreply,
    /// The receiver wants the sender to prove something first.
    Challenge,
    /// Anything else: a person wrote, a receipt, a report of success.
    Other,
    /// It looks like a notice, and says nothing that was understood.
    Unclear,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Failure,
        Self::Delay,
        Self::Complaint,
        Self::Autoreply,
        Self::Challenge,
        Self::Other,
        Self::Unclear,
    ];

    /// The kind a word stands for.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// The word for it in JSON and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failure => "failure",
            Self::Delay => "delay",
            Self::Complaint => "complaint",
            Self::Autoreply => "autoreply",
            Self::Challenge => "challenge",
            Self::Other => "other",
            Self::Unclear => "unclear",
        }
    }
}

/// One recipient of whom a report speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// Who it was in the end.
    pub address: String,
    /// Who it was at first, when that differs.
    pub original: Option<String>,
    /// The enhanced status code (RFC 3463).
    pub status: Option<Status>,
    /// What was done.
    pub action: Action,
    /// The receiving server's own words, code first where there is one.
    pub reply: Option<String>,
    /// Why.
    pub reason: Reason,
    /// Whether the address is dead; nothing where nothing failed.
    pub hard: Option<bool>,
}

/// What a mail says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What it is.
    pub kind: Kind,
    /// Who it is about.
    pub recipients: Vec<Recipient>,
    /// The Message-ID of the returned mail.
    pub message_id: Option<String>,
    /// What ties it to a mail of ours, unverified.
    pub ties: Ties,
    /// The type of a complaint (`abuse`, `not-spam`, …).
    pub feedback: Option<String>,
    /// The words that matter, for a person who has to decide.
    pub excerpt: String,
    /// Why it was not read, when a limit was passed.
    pub limit: Option<Limit>,
}

/// The longest excerpt kept for review, in bytes.
const MAX_EXCERPT: usize = 1500;
/// How much of a subject and of a sender's name is read, in bytes.
const MAX_HEADING: usize = 1000;

/// Reads a mail.
pub fn read(raw: &[u8]) -> Report {
    let raw = raw.trim_ascii_start();
    match mime::open(raw) {
        Ok((head, parts)) => understand(head, &parts, true),
        Err(limit) => Report {
            limit: Some(limit),
            excerpt: limit.to_string(),
            ..Report::empty(Kind::Unclear)
        },
    }
}

impl Report {
    /// A report of a kind that says nothing else.
    pub fn empty(kind: Kind) -> Self {
        Self {
            kind,
            recipients: Vec::new(),
            message_id: None,
            ties: Ties::default(),
            feedback: None,
            excerpt: String::new(),
            limit: None,
        }
    }
}

/// A mail's outside: its head and what sender and subject say.
struct Outside<'a> {
    head: Head<'a>,
    subject: String,
    subject_hits: Vec<Hit>,
    /// The sender's name or an empty return path are a mail system's.
    daemon: bool,
    /// The sender's name is a mail system's.
    named: bool,
    /// It comes from a mailer daemon, or from nobody: no person writes so.
    unsigned: bool,
    /// Subject or sender's name are those of a challenge.
    challenges: bool,
}

impl Outside<'_> {
    fn subject_says(&self, meaning: Meaning) -> bool {
        self.subject_hits.iter().any(|hit| hit.meaning == meaning)
    }

    /// Its subject is an automatic reply's. Words that people use as well decide only
    /// where no person writes, or above a note of absence; in an answer they are ours.
    fn is_away(&self, words: &str) -> bool {
        let word = || autoreply::word(&self.subject, &self.subject_hits);
        let told = || !person::is_answer(&self.subject) && person::tells_absence(words);
        autoreply::subject(&self.subject, &self.subject_hits) || word() && (self.daemon || told())
    }

    /// A person answers or passes something on: a notice in it is not about them. A
    /// return path of their own proves that; without one it has to be an answer, and
    /// what they wrote above the copied mail free of failure.
    fn is_passed_on(&self, parts: &[Part<'_>]) -> bool {
        let submitted = self.head.get("auto-submitted");
        !self.daemon
            && person::is_answer(&self.subject)
            && submitted.is_none_or(|value| mime::starts(value, b"no"))
            && autoreply::header(&self.head) == Header::Silent
            && (self.head.has("return-path")
                || !person::is_forward(&self.subject) && person::copies(&words(parts)))
    }

    /// It went to many: a newsletter or a list, which may well write about bounces.
    fn is_listed(&self) -> bool {
        const MARKS: [&str; 3] = ["list-unsubscribe", "list-id", "feedback-id"];
        !self.daemon && MARKS.iter().any(|mark| self.head.has(mark))
    }
}

fn outside(head: Head<'_>) -> Outside<'_> {
    let heading = |name| {
        head.get(name)
            .map(|raw| text::field(&raw[..raw.len().min(MAX_HEADING)]))
            .unwrap_or_default()
    };
    let subject = heading("subject").split_whitespace().collect::<Vec<_>>().join(" ");
    let subject = phrase::fold(&subject);
    let mut subject_hits = Vec::new();
    phrase::table().search(&subject, |hit| subject_hits.push(hit));
    let from = heading("from");
    let path = head.get("return-path").map(|p| p.trim_ascii());
    let nobody = (head.has("from") && from.trim().is_empty())
        || from.contains("<>")
        || path.is_some_and(|p| p == b"<>" || p.is_empty() || mime::starts(p, b"<mailer-daemon"));
    let from_hits = phrase::table().all(&from);
    let named = from_hits.iter().any(|hit| hit.meaning == Meaning::Daemon);
    let daemon = nobody || named;
    let unsigned = nobody || phrase::fold(&from).contains("mailer-daemon");
    let challenges =
        subject_hits.iter().chain(&from_hits).any(|hit| hit.meaning == Meaning::Challenge);
    Outside { head, subject, subject_hits, daemon, named, unsigned, challenges }
}

fn understand(head: Head<'_>, parts: &[Part<'_>], wrappable: bool) -> Report {
    let outside = outside(head);
    let complaint = complaint::read(parts)
        .or_else(|| complaint::of_outside(&outside.head, outside.subject_says(Meaning::Complaint)));
    if let Some(complaint) = complaint {
        return complained(&outside, parts, complaint);
    }
    let declared = outside.head.get("content-type").unwrap_or(b"");
    let reports = parts.iter().any(|part| part.media == Media::DeliveryStatus);
    let failed_field = outside.head.has("x-failed-recipients");
    let notice_like = outside.daemon || outside.subject_says(Meaning::Subject);
    let receipt = parts.iter().any(|part| part.media == Media::Disposition);
    let systemic = reports || failed_field || mime::parameter(declared, "report-type").is_some();
    let written = !systemic && (outside.is_passed_on(parts) || outside.is_listed());
    if !(systemic || notice_like || receipt) || written {
        return unsuspicious(&outside, parts);
    }
    let words = words(parts);
    let notice = Notice::read(&words);
    let quoted = notice.has_quoted().then_some(words.as_bytes());
    let returned = returned::read(parts, quoted);
    let fields = failure::fields(parts, &words);
    let ties = returned::ties(&outside.head, fields.envelope_id.as_deref(), &returned);
    let mut report = Report {
        message_id: returned.message_id.clone(),
        ties,
        excerpt: excerpt(notice.text()),
        ..Report::empty(Kind::Unclear)
    };
    let away = outside.is_away(&words) && !outside.subject_says(Meaning::Subject);
    if fields.groups.is_empty() && !failed_field {
        if receipt && !refused(&outside, &notice) {
            report.kind = Kind::Other;
            return report;
        }
        if let Some(kind) = no_failure(&outside, &notice, away) {
            report.kind = kind;
            return report;
        }
    }
    let sides = failure::Sides {
        own: own_addresses(&outside),
        returned: &returned,
        daemon: outside.unsigned,
        systemic: systemic || outside.daemon,
        subject_failed: outside.subject_says(Meaning::Subject),
        subject_delayed: outside.subject_says(Meaning::Delayed),
        signed: !outside.daemon && outside.head.has("return-path"),
        answer: outside.head.has("in-reply-to") && !outside.subject_says(Meaning::Subject),
    };
    let failed = returned::addresses(&outside.head, "x-failed-recipients");
    (report.kind, report.recipients) = failure::judge(&fields, failed, &notice, &sides);
    if report.kind == Kind::Unclear {
        if let Some(inner) = wrapped(parts, wrappable) {
            return inner;
        }
        if let Some(reader) = failure::only_reader(&notice, &sides) {
            report.kind = match reader.action {
                Action::Delayed => Kind::Delay,
                Action::Failed | Action::Delivered => Kind::Failure,
            };
            report.recipients = vec![reader];
        } else if !reports {
            report.kind = fallback(&outside, &notice, &report.ties);
        }
    }
    report
}

/// The report inside a wrapper that names nobody: the one case in which a
/// returned mail is read as a report.
fn wrapped(parts: &[Part<'_>], wrappable: bool) -> Option<Report> {
    let part = parts.iter().find(|part| wrappable && part.media == Media::Returned)?;
    let inner = text::decoded(&part.head, part.body);
    let inner = mime::open(&inner).ok().map(|(head, parts)| understand(head, &parts, false))?;
    matches!(inner.kind, Kind::Failure | Kind::Delay).then_some(inner)
}

/// A mail that looks like no notice at all.
fn unsuspicious(outside: &Outside<'_>, parts: &[Part<'_>]) -> Report {
    let mut report = Report::empty(Kind::Other);
    if autoreply::receipt(&outside.subject, &outside.subject_hits) {
        return report;
    }
    let replied = autoreply::header(&outside.head) == Header::Replied;
    let away = |words: &str| outside.is_away(words) || person::is_away(words);
    if replied || away(&words(parts)) {
        report.kind = Kind::Autoreply;
    }
    if outside.challenges || replied {
        let words = words(parts);
        let notice = Notice::read(&words);
        if notice.says(Meaning::Challenge) {
            report.kind = Kind::Challenge;
        }
        report.excerpt = excerpt(notice.text());
    }
    report.ties = returned::ties(&outside.head, None, &Returned::default());
    if report.kind == Kind::Other && report.ties.delivery().is_some() {
        report.excerpt = excerpt(&words(parts));
    }
    report
}

/// What a mail is that names nobody: an automatic reply, a mail like any other
/// from somebody who is called postmaster, or for a person to read.
fn fallback(outside: &Outside<'_>, notice: &Notice, ties: &Ties) -> Kind {
    if autoreply::header(&outside.head) == Header::Replied
        && !outside.subject_says(Meaning::Subject)
    {
        if notice.says(Meaning::Challenge) {
            return Kind::Challenge;
        }
        return Kind::Autoreply;
    }
    let telling = notice.says(Meaning::Failed) || notice.says(Meaning::Delayed);
    let understood = [Meaning::Arrived, Meaning::Filter, Meaning::AwayText, Meaning::Challenge]
        .into_iter()
        .any(|meaning| notice.says(meaning) || outside.subject_says(meaning));
    // Bills and alarms speak of failure as well; a mail system cites a server, or our mail.
    let cites = reason::reply(notice.text()).is_some() || ties.delivery().is_some();
    let why = telling && notice.says_why() && (cites || outside.unsigned);
    match (outside.daemon, outside.subject_says(Meaning::Subject)) {
        (true, true) => Kind::Unclear,
        (true, false) | (false, true) if why && !understood => Kind::Unclear,
        // A mailer daemon writes about a mail of ours: a language that is not known.
        (true, false) if outside.named && ties.delivery().is_some() && !understood => Kind::Unclear,
        _ => Kind::Other,
    }
}

/// Whether a disposition notification says that a mail was refused.
fn refused(outside: &Outside<'_>, notice: &Notice) -> bool {
    outside.subject_says(Meaning::Subject) && notice.says(Meaning::Failed)
}

/// Automatic replies, challenges and filters that come from a mail system's address.
fn no_failure(outside: &Outside<'_>, notice: &Notice, away: bool) -> Option<Kind> {
    if away {
        return Some(Kind::Autoreply);
    }
    if autoreply::receipt(&outside.subject, &outside.subject_hits) {
        return Some(Kind::Other);
    }
    if notice.says(Meaning::Challenge) && outside.challenges {
        return Some(Kind::Challenge);
    }
    if notice.says(Meaning::AwayText) && !notice.says(Meaning::Failed) {
        return Some(Kind::Autoreply);
    }
    None
}

/// The addresses that are the sender's own or the reporter's.
fn own_addresses(outside: &Outside<'_>) -> Vec<String> {
    let mut own = Vec::new();
    for name in ["to", "from", "return-path", "reply-to"] {
        own.append(&mut returned::addresses(&outside.head, name));
    }
    own
}

fn complained(
    outside: &Outside<'_>,
    parts: &[Part<'_>],
    complaint: complaint::Complaint,
) -> Report {
    let returned = returned::read(parts, None);
    let kind = if complaint.feedback == "not-spam" { Kind::Other } else { Kind::Complaint };
    Report {
        recipients: complaint
            .recipients
            .into_iter()
            .map(|address| Recipient {
                address,
                original: None,
                status: None,
                action: Action::Delivered,
                reply: None,
                reason: Reason::Unspecified,
                hard: None,
            })
            .collect(),
        ties: returned::ties(&outside.head, complaint.envelope_id.as_deref(), &returned),
        message_id: returned.message_id,
        feedback: Some(complaint.feedback),
        excerpt: excerpt(&words(parts)),
        ..Report::empty(kind)
    }
}

/// The readable text before the returned mail: plain parts, else HTML.
pub(crate) fn words(parts: &[Part<'_>]) -> String {
    let before = parts.iter().take_while(|part| part.media != Media::Returned).collect::<Vec<_>>();
    let of = |media: Media| {
        let mut all = String::new();
        for part in before.iter().filter(|part| part.media == media) {
            let attached = part
                .head
                .get("content-disposition")
                .is_some_and(|d| mime::starts(d, b"attachment"));
            if attached && !all.is_empty() {
                continue;
            }
            if !all.is_empty() {
                all.push('\n');
            }
            if all.len() < text::MAX_TEXT {
                all.push_str(&text::body(&part.head, part.body));
            }
        }
        all
    };
    let plain = of(Media::Plain);
    if !plain.trim().is_empty() {
        // HTML sent as plain text.
        let lead = plain.trim_start();
        if lead.starts_with("<html") || lead.starts_with("<HTML") || lead.starts_with("<!DOCTYPE") {
            return text::from_html(&plain);
        }
        return plain;
    }
    text::from_html(&of(Media::Html))
}

fn excerpt(words: &str) -> String {
    let mut end = words.len().min(MAX_EXCERPT);
    while !words.is_char_boundary(end) {
        end -= 1;
    }
    words[..end].trim().to_owned()
}
