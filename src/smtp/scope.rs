//! Whose fault an outcome is: the relay's, the issue's or the reader's; scope
//! first, then the code. Pure: takes an outcome, returns a judgement.

use super::{Answer, Outcome, Stage};
use crate::smtp::reply::{Reply, Status};
use crate::words;

words! {
    /// What follows from one try.
    Scope {
        /// The relay took the mail.
        Accepted = "accepted",
        /// The relay cannot now: its breaker opens, the delivery goes back, no attempt is used.
        Relay = "relay",
        /// The relay refuses this issue whoever reads it: pause, one alarm, nobody failed.
        Issue = "issue",
        /// This reader, later.
        Later = "later",
        /// This reader, never again.
        Never = "never",
        /// The dot was written and no reply came, or one that is no answer: nobody can know.
        Unknown = "unknown",
        /// We held the mail back ourselves; the delivery goes back.
        Withheld = "withheld",
    }
}

/// Words that mean "too big" where a server gives no enhanced status.
const SIZE_WORDS: [&str; 5] = ["size", "too large", "too big", "exceeds", "too long"];

/// Words of a relay that carries nothing for us: no reader is at fault.
const RELAY_WORDS: [&str; 6] = [
    "relay access denied",
    "relaying denied",
    "relay denied",
    "unable to relay",
    "relaying not allowed",
    "relay not permitted",
];

/// Words of a relay about how much we have sent already, in the forms that relays use:
/// Gmail, its relay service, Amazon SES, Exchange Online, cPanel's Exim, hosters.
const LIMIT_WORDS: [&str; 10] = [
    "sending limit",
    "sending quota",
    "sending rate exceeded",
    "send limit exceeded",
    "relay limit exceeded",
    "relay quota",
    "daily message quota",
    "daily limit for sending",
    "emails per hour",
    "failures per hour",
];

/// Judges one outcome.
pub fn judge(outcome: &Outcome) -> Scope {
    match &outcome.answer {
        Answer::Withheld => Scope::Withheld,
        Answer::Broken(_) if outcome.stage == Stage::Dot => Scope::Unknown,
        Answer::Broken(_) => Scope::Relay,
        Answer::Reply(reply) => match outcome.stage {
            Stage::Connect | Stage::Tls | Stage::Greeting | Stage::Hello | Stage::StartTls => {
                Scope::Relay
            }
            Stage::Auth => at_auth(reply),
            Stage::Mail => at_mail(reply),
            Stage::Rcpt | Stage::Data | Stage::Body => at_recipient(reply),
            Stage::Dot if reply.is_positive() => Scope::Accepted,
            // It answers something else, and the answer to the dot is still to come.
            Stage::Dot if reply.is_intermediate() => Scope::Unknown,
            Stage::Dot => at_recipient(reply),
        },
    }
}

/// Whether the reply asks a receiving domain's pace to slow down. One that speaks of the
/// reader's address or mailbox (RFC 3463, X.1 and X.2) asks nothing of the others.
pub fn slows(reply: &Reply) -> bool {
    match reply.status().map(|status| status.subject) {
        Some(1 | 2) => false,
        Some(7) => reply.is_temporary(),
        Some(_) | None => matches!(reply.code(), 421 | 450 | 451),
    }
}

fn at_auth(reply: &Reply) -> Scope {
    if reply.is_permanent() { Scope::Issue } else { Scope::Relay }
}

/// Nothing about MAIL has to do with the reader.
fn at_mail(reply: &Reply) -> Scope {
    let issue = reply.is_permanent() && !is_out_of_step(reply) && !is_our_limit(reply);
    if issue { Scope::Issue } else { Scope::Relay }
}

fn at_recipient(reply: &Reply) -> Scope {
    if matches!(reply.code(), 421 | 454) || is_out_of_step(reply) || is_our_limit(reply) {
        return Scope::Relay;
    }
    if reply.is_temporary() {
        return Scope::Later;
    }
    if !reply.is_permanent() {
        // 2xx or 3xx where it makes no sense: the server is confused, not the reader.
        return Scope::Relay;
    }
    if matches!(reply.code(), 530 | 535)
        || is_unauthenticated(reply)
        || is_too_big(reply)
        || is_no_relay(reply)
    {
        return Scope::Issue;
    }
    Scope::Never
}

/// 503: the server lost count of the commands.
fn is_out_of_step(reply: &Reply) -> bool {
    reply.code() == 503
}

/// We sent as much as the relay lets us for today or this hour. No reader is at fault,
/// and nothing is wrong with the issue: it need not pause until somebody resumes it.
/// Whatever the code, the relay cannot *now*: its breaker opens, the next transport of
/// the route takes over, and a probe finds out when the time of the limit is over.
fn is_our_limit(reply: &Reply) -> bool {
    let Some(status) = reply.status() else { return speaks_of_our_limit(reply) };
    match (status.class, status.subject, status.detail) {
        // Gmail; Exchange Online for one sender, and for all of a tenant.
        (5, 4, 5) | (5, 1, 90) | (5, 7, 232 | 233) => true,
        // A full mailbox, whatever is said beside it.
        (_, 2, 2) => false,
        (..) => speaks_of_our_limit(reply),
    }
}

fn speaks_of_our_limit(reply: &Reply) -> bool {
    let words = reply.words().to_ascii_lowercase();
    !reply.is_positive() && LIMIT_WORDS.iter().any(|phrase| words.contains(phrase))
}

/// The receiver wants SPF, DKIM and DMARC (Outlook 5.7.515, Gmail 5.7.26).
fn is_unauthenticated(reply: &Reply) -> bool {
    reply.code() == 550
        && matches!(reply.status(), Some(Status { class: 5, subject: 7, detail: 515 | 26 }))
}

/// The relay does not know us as a client it carries mail for.
fn is_no_relay(reply: &Reply) -> bool {
    let words = reply.words().to_ascii_lowercase();
    RELAY_WORDS.iter().any(|phrase| words.contains(phrase))
}

/// 552 or 554 for the mail's size; 5.2.2 is the reader's full mailbox.
fn is_too_big(reply: &Reply) -> bool {
    if !matches!(reply.code(), 552 | 554) {
        return false;
    }
    match reply.status() {
        Some(Status { subject: 2, detail: 2, .. }) => false,
        Some(Status { subject: 3, detail: 4, .. }) | Some(Status { subject: 2, detail: 3, .. }) => {
            true
        }
        Some(_) | None => {
            let words = reply.words().to_ascii_lowercase();
            SIZE_WORDS.iter().any(|word| words.contains(word)) && !words.contains("mailbox")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smtp::Broken;

    fn at(stage: Stage, code: u16, text: &str) -> Scope {
        judge(&Outcome::reply(stage, Reply::new(code, text)))
    }

    #[test]
    fn scope_comes_first_then_the_code() {
        use Scope::{Accepted, Issue, Later, Never, Relay, Unknown};
        for (stage, code, text, scope) in [
            (Stage::Greeting, 554, "no", Relay),
            (Stage::Greeting, 421, "busy", Relay),
            (Stage::Hello, 550, "no", Relay),
            (Stage::Auth, 454, "4.7.0 later", Relay),
            (Stage::Auth, 535, "5.7.8 wrong", Issue),
            (Stage::Mail, 451, "4.3.2 down", Relay),
            (Stage::Mail, 452, "4.3.1 disk", Relay),
            (Stage::Mail, 421, "bye", Relay),
            (Stage::Mail, 550, "5.1.8 sender", Issue),
            (Stage::Mail, 530, "5.7.0 login first", Issue),
            (Stage::Mail, 552, "5.3.4 too big", Issue),
            (Stage::Rcpt, 421, "throttled", Relay),
            (Stage::Rcpt, 450, "4.2.0 greylisted", Later),
            (Stage::Rcpt, 452, "4.2.2 full", Later),
            (Stage::Rcpt, 550, "5.1.1 unknown", Never),
            (Stage::Rcpt, 552, "5.2.2 mailbox full", Never),
            (Stage::Rcpt, 552, "mailbox exceeds its size", Never),
            (Stage::Rcpt, 503, "sequence", Relay),
            (Stage::Rcpt, 530, "login first", Issue),
            (Stage::Data, 451, "later", Later),
            (Stage::Data, 554, "no valid recipients", Never),
            (Stage::Dot, 250, "2.0.0 ok", Accepted),
            (Stage::Dot, 451, "4.7.1 later", Later),
            (Stage::Dot, 421, "bye", Relay),
            (Stage::Dot, 454, "tls", Relay),
            (Stage::Dot, 550, "5.7.515 not authenticated", Issue),
            (Stage::Dot, 550, "5.7.26 unauthenticated", Issue),
            (Stage::Dot, 550, "5.7.1 spam", Never),
            (Stage::Dot, 552, "5.3.4 message too big", Issue),
            (Stage::Dot, 552, "message size exceeds the limit", Issue),
            (Stage::Dot, 554, "message too large", Issue),
            (Stage::Dot, 554, "5.7.1 refused", Never),
            (Stage::Data, 250, "what?", Relay),
            (Stage::Dot, 354, "what?", Unknown),
        ] {
            assert_eq!(at(stage, code, text), scope, "{stage:?} {code} {text}");
        }
    }

    #[test]
    fn our_own_limit_is_no_readers_and_no_issues_fault() {
        for (code, text) in [
            (
                550,
                "5.4.5 Daily user sending limit exceeded. For more information on Gmail\nsending limits go to",
            ),
            (550, "5.4.5 Daily sending quota exceeded."),
            (
                550,
                "5.7.1 Daily SMTP relay limit exceeded for user. For more information on SMTP relay",
            ),
            (
                550,
                "5.1.90 Your message can't be sent because you've reached your daily limit for message recipients",
            ),
            (
                550,
                "5.7.233 Your message can't be sent because your tenant exceeded its daily limit for sending email to external recipients (tenant external recipient rate limit)",
            ),
            (454, "Throttling failure: Daily message quota exceeded."),
            (454, "Throttling failure: Maximum sending rate exceeded."),
            (
                550,
                "Domain example.org has exceeded the max emails per hour (151/150 (100%)) allowed. Message discarded.",
            ),
            (452, "4.7.1 Your sending limit is reached, come back tomorrow"),
        ] {
            for stage in [Stage::Mail, Stage::Rcpt, Stage::Dot] {
                assert_eq!(at(stage, code, text), Scope::Relay, "{stage:?} {code} {text}");
            }
        }
        for (code, text, scope) in [
            (552, "5.2.2 Quota exceeded", Scope::Never),
            (552, "5.2.2 Mailbox over quota since it reached its sending limit", Scope::Never),
            (552, "Mailbox quota exceeded", Scope::Never),
            (452, "4.2.2 The email account that you tried to reach is over quota", Scope::Later),
            (
                550,
                "5.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages",
                Scope::Never,
            ),
            (550, "5.1.1 daily@limit.example.org unknown", Scope::Never),
            (550, "5.1.9 no such relay", Scope::Never),
            (550, "5.7.1 Message size exceeds the daily limit of this user", Scope::Never),
        ] {
            assert_eq!(at(Stage::Rcpt, code, text), scope, "{code} {text}");
        }
    }

    #[test]
    fn only_an_unanswered_dot_is_unknown() {
        for stage in [
            Stage::Connect,
            Stage::Tls,
            Stage::Greeting,
            Stage::Auth,
            Stage::Mail,
            Stage::Rcpt,
            Stage::Data,
            Stage::Body,
        ] {
            let outcome = Outcome::broken(stage, Broken::Deadline(1));
            assert_eq!(judge(&outcome), Scope::Relay, "{stage:?}");
        }
        let lost = Outcome::broken(Stage::Dot, Broken::Io("reset".to_owned()));
        assert_eq!(judge(&lost), Scope::Unknown);
    }

    #[test]
    fn a_domain_slows_on_throttling_only() {
        assert!(slows(&Reply::new(421, "")));
        assert!(slows(&Reply::new(452, "4.7.28 rate")));
        assert!(slows(&Reply::new(450, "4.3.2 busy")));
        assert!(!slows(&Reply::new(452, "4.2.2 full")));
        assert!(!slows(&Reply::new(450, "4.2.0 mailbox busy")));
        assert!(!slows(&Reply::new(451, "4.1.8 no such domain")));
        assert!(!slows(&Reply::new(550, "5.7.1 no")));
    }
}
