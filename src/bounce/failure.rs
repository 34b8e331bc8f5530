//! Who failed and why: the fields of a report, `X-Failed-Recipients` and the words
//! of the notice, weighed against each other.

use super::address;
use super::dsn::{self, Action, Fields, Group};
use super::mime::{Media, Part};
use super::notice::{self, Named, Notice};
use super::phrase::Meaning;
use super::place::Place;
use super::reason::{self, Reason, Status};
use super::report::{Kind, Recipient};
use super::returned::Returned;
use super::text;

/// The longest reply kept, in bytes.
const MAX_REPLY: usize = 500;
/// The most recipients taken from the words of a notice.
const MAX_NAMED: usize = 100;

/// What stands around a notice.
pub struct Sides<'a> {
    /// Addresses of the sender and of the reporter.
    pub own: Vec<String>,
    /// The returned mail.
    pub returned: &'a Returned,
    /// A mailer daemon wrote it, or nobody.
    pub daemon: bool,
    /// A mail system wrote it.
    pub systemic: bool,
    /// The subject speaks of failure.
    pub subject_failed: bool,
    /// The subject speaks of delay.
    pub subject_delayed: bool,
    /// It has a sender who takes answers, and who is no mail system by name.
    pub signed: bool,
    /// It answers a mail, and its subject is that mail's.
    pub answer: bool,
}

/// The fields of the top report: its part, or lines of the text that look like one.
pub fn fields(parts: &[Part<'_>], words: &str) -> Fields {
    let part = parts.iter().find(|part| part.media == Media::DeliveryStatus);
    if let Some(part) = part {
        let mut fields = dsn::read(&text::body(&part.head, part.body));
        if fields.groups.is_empty() && !part.head.is_empty() {
            // Some put the fields where the part's own header belongs.
            fields = dsn::read(&text::convert(part.raw, None));
        }
        if !fields.groups.is_empty() {
            return fields;
        }
    }
    if dsn::is_in(words) {
        return dsn::read(words);
    }
    // A report part may be typed as something else, or hide behind a broken boundary.
    let hidden = parts.iter().find(|part| {
        matches!(part.media, Media::Other | Media::Html)
            && memchr::memmem::find(&part.body[..part.body.len().min(4096)], b"inal-Recipient")
                .is_some()
    });
    hidden.map_or_else(Fields::default, |part| dsn::read(&text::body(&part.head, part.body)))
}

/// The verdict about a mail that may be a failure or a delay.
pub fn judge(
    fields: &Fields,
    failed: Vec<String>,
    notice: &Notice,
    sides: &Sides<'_>,
) -> (Kind, Vec<Recipient>) {
    let mut recipients = of_fields(fields, notice, sides);
    if recipients.is_empty() && fields.groups.iter().any(|g| g.action == Some(Action::Delivered)) {
        return (Kind::Other, recipients);
    }
    let delayed = (notice.says(Meaning::Delayed) || sides.subject_delayed)
        && !fields.groups.iter().any(|g| g.action == Some(Action::Failed));
    if recipients.is_empty() && !failed.is_empty() {
        recipients = of_names(notice, &failed, delayed);
    }
    if recipients.is_empty() {
        let said = notice.says(Meaning::Failed) || notice.says(Meaning::Delayed);
        let told = notice.says_why() || reason::reply(notice.text()).is_some();
        let enough = match (sides.systemic, sides.subject_failed) {
            (true, true) => said || told,
            (true, false) if sides.daemon => said || told,
            (true, false) => said && told,
            // Shops and parcel services fail to deliver as well; they cite no server
            // and return no mail.
            (false, true) => said && told && (!sides.signed || cites(notice, sides)),
            (false, false) => false,
        };
        if enough {
            let mut names = candidates(notice, sides);
            if sides.answer && !notice.begins_with_failure() {
                // A person's answer may quote a bounce; a notice begins with it.
                names.clear();
            }
            recipients = of_named(notice, &names, delayed);
        }
    }
    let kind = if recipients.is_empty() {
        Kind::Unclear
    } else if recipients.iter().all(|r| r.action == Action::Delayed) {
        Kind::Delay
    } else {
        Kind::Failure
    };
    (kind, recipients)
}

/// Whether a notice cites a server, or returns a mail.
fn cites(notice: &Notice, sides: &Sides<'_>) -> bool {
    let words = notice.text();
    reason::reply(words).is_some()
        || Status::find(words).is_some()
        || notice.has_quoted()
        || !sides.returned.to.is_empty()
}

/// Recipients from the fields of a report.
fn of_fields(fields: &Fields, notice: &Notice, sides: &Sides<'_>) -> Vec<Recipient> {
    let single = fields.groups.len() == 1;
    let mut recipients: Vec<Recipient> = Vec::new();
    for group in &fields.groups {
        let action = group.action.unwrap_or(Action::Failed);
        if action == Action::Delivered {
            continue;
        }
        let last = group.last.clone().filter(|a| !a.is_empty());
        let (address, original) = match (last, group.original.clone()) {
            (Some(last), original) => {
                let original = original.filter(|o| !address::same(o, &last));
                (last, original)
            }
            (None, Some(original)) => (original, None),
            (None, None) => match candidates(notice, sides).into_iter().next() {
                Some(named) => (named.address, None),
                None => continue,
            },
        };
        if recipients.iter().any(|r| address::same(&r.address, &address)) {
            continue;
        }
        recipients.push(of_group(group, address, original, action, notice, single));
    }
    recipients
}

fn of_group(
    group: &Group,
    address: String,
    original: Option<String>,
    action: Action,
    notice: &Notice,
    single: bool,
) -> Recipient {
    let words = group.diagnostic.trim();
    let inner = Status::find(words).filter(|s| s.is_specific());
    let status = group.status.filter(|s| s.is_specific()).or(inner).or(group.status);
    let (strong, mut weak) = notice::reasons(words);
    // The receiver's words say it; the notice around them is asked when they do not.
    let beside = strong.or_else(|| {
        let (from, to) = if single {
            (0, notice.end())
        } else {
            place_of(notice, &address, original.as_deref())
        };
        let telling = status.or(inner).is_none_or(|s| s.reason().is_none() || !s.is_specific());
        if !telling {
            return None;
        }
        weak = weak.or_else(|| notice.weak(from, to));
        notice.reason(from, to)
    });
    let reply = if words.is_empty() { None } else { Some(clip(words)) };
    let reason = weigh(beside, inner.or(status), weak, words);
    let span =
        if single { (0, notice.end()) } else { place_of(notice, &address, original.as_deref()) };
    let reason = staged(reason, inner.or(status), words, notice, span);
    finish(address, original, status.or(inner), action, reply, reason)
}

/// The words beside an address of a report with several recipients.
fn place_of(notice: &Notice, address: &str, original: Option<&str>) -> (usize, usize) {
    let named = notice.named();
    let here = named.iter().position(|n| {
        address::same(&n.address, address) || original.is_some_and(|o| address::same(&n.address, o))
    });
    here.map_or((0, 0), |at| block(notice, &named, at))
}

/// Recipients a header field names, with the words of the notice.
fn of_names(notice: &Notice, failed: &[String], delayed: bool) -> Vec<Recipient> {
    let named = notice.named();
    let mut names: Vec<Named> = Vec::new();
    for address in failed {
        if names.iter().any(|n| address::same(&n.address, address)) {
            continue;
        }
        let known =
            named.iter().filter(|n| address::same(&n.address, address)).max_by_key(|n| n.place);
        names.push(known.cloned().unwrap_or_else(|| Named {
            address: address.clone(),
            place: Place::Sentence,
            line: 0,
        }));
    }
    names.sort_by_key(|n| n.line);
    of_named(notice, &names, delayed)
}

/// Recipients with the words beside them.
fn of_named(notice: &Notice, names: &[Named], delayed: bool) -> Vec<Recipient> {
    let action = if delayed { Action::Delayed } else { Action::Failed };
    let mut recipients = Vec::with_capacity(names.len());
    for at in 0..names.len() {
        let (from, to) =
            if names.len() == 1 { (0, notice.end()) } else { block(notice, names, at) };
        let words = notice.words(from, to);
        let status = Status::find(words);
        let found = reason::reply(words);
        let reply = found.map(|(_, start)| clip(&words[start..]));
        let strong = notice.reason(from, to);
        let reason = weigh(strong, status, notice.weak(from, to), words);
        let reason = staged(reason, status, words, notice, (from, to));
        let address = names[at].address.clone();
        let reason = proven(reason, status, notice, (from, to), &address);
        let original = notice
            .alias(from, to)
            .filter(|alias| !address::same(alias, &address))
            .map(str::to_owned);
        recipients.push(finish(address, original, status, action, reply, reason));
    }
    recipients
}

/// The words about one of several addresses: from its line to the next; in a
/// transcript of replies, from behind the last one's line to the end of its own.
fn block(notice: &Notice, names: &[Named], at: usize) -> (usize, usize) {
    let here = &names[at];
    let next = names[at + 1..]
        .iter()
        .find(|n| n.line > here.line && !address::same(&n.address, &here.address))
        .map(|n| n.line);
    if notice.is_reply(names[at].line) {
        let before =
            names[..at].iter().rev().find(|n| n.line < names[at].line).map_or(0, |n| n.line + 1);
        let (from, _) = notice.beside(before, None);
        let (_, to) = notice.beside(names[at].line, Some(names[at].line + 1));
        return (from, to);
    }
    notice.beside(names[at].line, next)
}

/// The addresses in a notice that failed, best place first.
fn candidates(notice: &Notice, sides: &Sides<'_>) -> Vec<Named> {
    let mut names: Vec<Named> = Vec::new();
    let is = |list: &[String], address: &str| list.iter().any(|a| address::same(a, address));
    for named in notice.named() {
        let wanted = is(&sides.returned.to, &named.address);
        let ours = is(&sides.own, &named.address) || is(&sides.returned.from, &named.address);
        if !wanted && (ours || address::is_function(&named.address)) {
            continue;
        }
        match names.iter_mut().find(|n| address::same(&n.address, &named.address)) {
            Some(known) if known.place >= named.place => {}
            Some(known) => *known = named,
            None => names.push(named),
        }
        if names.len() >= MAX_NAMED {
            break;
        }
    }
    let best = names.iter().map(|n| n.place).max().unwrap_or(Place::Sentence);
    names.retain(|n| n.place == best);
    if names.len() > 1 && best < Place::Line {
        let known: Vec<Named> =
            names.iter().filter(|n| is(&sides.returned.to, &n.address)).cloned().collect();
        if known.is_empty() {
            names.truncate(1);
        } else {
            names = known;
        }
    }
    names
}

/// A notice that names nobody is about the only reader of the mail it returns.
pub fn only_reader(notice: &Notice, sides: &Sides<'_>) -> Option<Recipient> {
    let mut to = sides.returned.to.clone();
    to.dedup_by(|a, b| address::same(a, b));
    let [one] = to.as_slice() else { return None };
    let own = sides.returned.from.iter().any(|f| address::same(f, one));
    if own
        || !sides.systemic
        || !sides.subject_failed
        || !notice.says(Meaning::Failed) && !notice.says_why()
    {
        return None;
    }
    let named = Named { address: one.clone(), place: Place::Sentence, line: 0 };
    of_named(notice, &[named], notice.says(Meaning::Delayed)).pop()
}

/// Words first, then the enhanced code, then weak words, then the reply code.
fn weigh(
    strong: Option<Reason>,
    status: Option<Status>,
    weak: Option<Reason>,
    words: &str,
) -> Reason {
    strong
        .or_else(|| status.filter(|s| s.is_specific()).and_then(Status::reason))
        .or(weak)
        .or_else(|| reason::reply(words).and_then(|(code, _)| reason::of_reply(code)))
        .unwrap_or(Reason::Unspecified)
}

/// What a server's reply to one recipient says; `named` when it answers the name.
pub fn said(address: String, words: &str, named: bool) -> Recipient {
    let status = Status::find(words);
    let (strong, weak) = notice::reasons(words);
    let reason = weigh(strong, status, weak, words);
    let proven = named || status.is_some_and(Status::is_about_address);
    let unproven = reason == Reason::UserUnknown && !proven;
    let reason = if unproven { Reason::Rejected } else { reason };
    let reply = (!words.is_empty()).then(|| clip(words));
    finish(address, None, status, Action::Failed, reply, reason)
}

/// Corrects a hard reason by the moment at which the server said it: what is said
/// before a recipient was named cannot be about the recipient; a bare "550 user
/// unknown" after the content comes from a filter that hides; and "user unknown"
/// with the code of a mailbox that is there, or of a policy, counts only as an
/// answer to its name.
fn staged(
    reason: Reason,
    status: Option<Status>,
    words: &str,
    notice: &Notice,
    span: (usize, usize),
) -> Reason {
    let (from, to) = span;
    if !reason.is_hard() {
        return reason;
    }
    if notice.says_in(Meaning::AtRecipient, from, to) {
        return reason;
    }
    if reason == Reason::UserUnknown && status.is_some_and(Status::is_about_mailbox_or_policy) {
        return status.and_then(Status::reason).unwrap_or(Reason::Rejected);
    }
    if notice.says_in(Meaning::BeforeRecipient, from, to) {
        return Reason::Rejected;
    }
    let addressed = status.is_some_and(Status::is_about_address);
    let bare = reason::reply(words).is_some_and(|(code, _)| code == 550);
    if reason == Reason::UserUnknown
        && bare
        && !addressed
        && notice.says_in(Meaning::AfterContent, from, to)
        && !notice.says_in(Meaning::Reason(Reason::UserUnknown), from, to)
    {
        return Reason::Rejected;
    }
    reason
}

/// Takes bare words such as "user unknown" for a refusal only, where no code stands
/// beside them, they are no answer to the recipient's name or address, and no sentence
/// says it in full.
fn proven(
    reason: Reason,
    status: Option<Status>,
    notice: &Notice,
    span: (usize, usize),
    address: &str,
) -> Reason {
    let (from, to) = span;
    let full = Meaning::Reason(Reason::UserUnknown);
    if reason == Reason::UserUnknown
        && status.is_none()
        && !notice.says_in(Meaning::AtRecipient, from, to)
        && !notice.says_in(full, from, to)
        && !notice.says_of(address, from, to)
    {
        return Reason::Rejected;
    }
    reason
}

fn finish(
    address: String,
    original: Option<String>,
    status: Option<Status>,
    action: Action,
    reply: Option<String>,
    reason: Reason,
) -> Recipient {
    // A code of class 4 says "not yet": the mailbox may be there tomorrow.
    let lasting = status.is_none_or(|s| s.class() != 4);
    Recipient {
        address,
        original,
        status,
        action,
        reply,
        reason,
        hard: Some(reason.is_hard() && lasting && action == Action::Failed),
    }
}

fn clip(words: &str) -> String {
    let mut end = words.len().min(MAX_REPLY);
    while !words.is_char_boundary(end) {
        end -= 1;
    }
    words[..end].trim().to_owned()
}
