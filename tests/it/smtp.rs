//! The client session against a relay that plays a script.

use std::time::{Duration, Instant};

use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use rundbrief::smtp::envelope::Envelope;
use rundbrief::smtp::relay::{Deadlines, Login, Relay as Target, Security, Setup};
use rundbrief::smtp::scope::{Scope, judge};
use rundbrief::smtp::session::Session;
use rundbrief::smtp::token::{Origin, Tokens};
use rundbrief::smtp::transaction::Mail;
use rundbrief::smtp::{Answer, Broken, Outcome, Stage};

use crate::relay::{Fault, Offer, Relay};

const CONTENT: &[u8] = b"Subject: Hello\r\n\r\n.one dot\r\n..two\r\nend\r\n";

pub(crate) fn setup(relay: &Relay) -> Setup {
    let short = Duration::from_millis(500);
    Setup {
        deadlines: Deadlines {
            greeting: short,
            mail: short,
            rcpt: short,
            data: short,
            block: short,
            dot: short,
            ..Deadlines::default()
        },
        ..Setup::plain("localhost", relay.port)
    }
}

async fn open(relay: &Relay) -> Session {
    let target = Target::new(setup(relay)).unwrap();
    Session::open(&target).await.unwrap()
}

fn to(recipient: &str) -> Envelope {
    let mut envelope =
        Envelope::new("bounce+t@example.org", recipient, Some("t".to_owned())).unwrap();
    envelope.describe(CONTENT);
    envelope
}

async fn send(session: &mut Session, recipient: &str) -> Outcome {
    let envelope = to(recipient);
    let mail = Mail { envelope: &envelope, content: CONTENT };
    session.send(mail, None, || true).await
}

async fn outcome_of(fault: Fault) -> (Outcome, Relay) {
    let relay = Relay::start(Offer { fault, ..Offer::default() }).await;
    let mut session = open(&relay).await;
    (send(&mut session, "ada@example.org").await, relay)
}

#[tokio::test]
async fn a_mail_arrives_as_it_was() {
    let (outcome, relay) = outcome_of(Fault::None).await;
    assert_eq!(outcome.words(), "250 2.0.0 Kept");
    assert_eq!(judge(&outcome), Scope::Accepted);
    let caught = relay.caught();
    assert_eq!(caught[0].content, CONTENT);
    assert_eq!(caught[0].from, "bounce+t@example.org");
    assert_eq!(
        relay.lines()[1..3],
        [
            "MAIL FROM:<bounce+t@example.org> SIZE=40 RET=HDRS ENVID=t",
            "RCPT TO:<ada@example.org> NOTIFY=FAILURE,DELAY"
        ]
    );
}

#[tokio::test]
async fn the_next_mail_stands_behind_the_dot() {
    let relay = Relay::start(Offer { delay: Duration::from_millis(20), ..Offer::default() }).await;
    let mut session = open(&relay).await;
    let names =
        ["a@example.org", "no@example.org", "b@example.org", "full@example.org", "c@example.org"];
    let mails: Vec<Envelope> = names.iter().map(|name| to(name)).collect();
    let mut codes = Vec::new();
    for (n, envelope) in mails.iter().enumerate() {
        let mail = Mail { envelope, content: CONTENT };
        let outcome = session.send(mail, mails.get(n + 1), || true).await;
        codes.push(outcome.code().unwrap());
    }
    assert_eq!(codes, [250, 550, 250, 452, 250]);
    assert_eq!(relay.connections(), 1);
    let caught: Vec<String> = relay.caught().into_iter().map(|mail| mail.to).collect();
    assert_eq!(caught, ["a@example.org", "b@example.org", "c@example.org"]);
    session.quit().await;
}

#[tokio::test]
async fn a_server_without_pipelining_is_asked_step_by_step() {
    let relay = Relay::start(Offer { keywords: vec![], ..Offer::default() }).await;
    let mut session = open(&relay).await;
    for (name, code) in [("no@example.org", 550), ("a@example.org", 250), ("b@example.org", 250)] {
        assert_eq!(send(&mut session, name).await.code(), Some(code));
    }
    assert_eq!(relay.connections(), 1);
    assert!(!relay.lines().iter().any(|line| line.contains("SIZE")));
}

#[tokio::test]
async fn a_window_of_chunks_gives_each_mail_its_own_outcome() {
    let relay =
        Relay::start(Offer { keywords: vec!["PIPELINING", "CHUNKING"], ..Offer::default() }).await;
    let target = Target::new(Setup { window: 8, ..setup(&relay) }).unwrap();
    let mut session = Session::open(&target).await.unwrap();
    assert_eq!(session.window(), 8);
    let names = ["a@example.org", "no@example.org", "held@example.org", "b@example.org"];
    let envelopes: Vec<Envelope> = names.iter().map(|name| to(name)).collect();
    let mails: Vec<Mail<'_>> =
        envelopes.iter().map(|envelope| Mail { envelope, content: CONTENT }).collect();
    let outcomes = session.send_window(&mails, |n| n != 2).await;
    let scopes: Vec<Scope> = outcomes.iter().map(judge).collect();
    assert_eq!(scopes, [Scope::Accepted, Scope::Never, Scope::Withheld, Scope::Accepted]);
    assert_eq!(relay.caught().len(), 2);
    assert_eq!(relay.caught()[0].content, CONTENT);

    relay.play(Fault::DropsAfterDot { accepted: true });
    let outcomes = session.send_window(&mails[..2], |_| true).await;
    assert_eq!(judge(&outcomes[0]), Scope::Unknown);
    assert!(!session.is_open());
}

#[tokio::test]
async fn the_last_look_closes_without_the_dot() {
    let relay = Relay::start(Offer::default()).await;
    let mut session = open(&relay).await;
    let envelope = to("ada@example.org");
    let mail = Mail { envelope: &envelope, content: CONTENT };
    let outcome = session.send(mail, None, || false).await;
    assert_eq!(outcome.answer, Answer::Withheld);
    assert!(!session.is_open());
    drop(session);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(relay.caught().is_empty());
}

#[tokio::test]
async fn before_the_dot_a_lost_connection_is_the_relays_fault() {
    for (fault, stage) in
        [(Fault::DropsBeforeData, Stage::Data), (Fault::Throttles(0), Stage::Mail)]
    {
        let (outcome, relay) = outcome_of(fault).await;
        assert_eq!(outcome.stage, stage, "{fault:?} {outcome:?}");
        assert_eq!(judge(&outcome), Scope::Relay, "{fault:?}");
        assert!(relay.caught().is_empty());
    }
}

#[tokio::test]
async fn a_mail_cut_off_in_its_content_was_not_sent() {
    let relay = Relay::start(Offer { fault: Fault::DropsInData, ..Offer::default() }).await;
    let mut session = open(&relay).await;
    let content = b"0123456789abcdef\r\n".repeat(1_000_000);
    let envelope = to("ada@example.org");
    let mail = Mail { envelope: &envelope, content: &content };
    let outcome = session.send(mail, None, || true).await;
    assert_eq!((outcome.stage, judge(&outcome)), (Stage::Body, Scope::Relay));
    assert!(relay.caught().is_empty());
}

#[tokio::test]
async fn a_server_that_stands_still_in_the_content_is_left() {
    let relay = Relay::start(Offer { fault: Fault::Stalls, ..Offer::default() }).await;
    let mut session = open(&relay).await;
    let content = b"0123456789abcdef\r\n".repeat(1_000_000);
    let envelope = to("ada@example.org");
    let mail = Mail { envelope: &envelope, content: &content };
    let started = Instant::now();
    let outcome = session.send(mail, None, || true).await;
    assert_eq!(outcome.stage, Stage::Body);
    assert_eq!(outcome.answer, Answer::Broken(Broken::Deadline(0)));
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn after_the_dot_nobody_can_know() {
    for (fault, kept) in [
        (Fault::DropsAfterDot { accepted: true }, 1),
        (Fault::DropsAfterDot { accepted: false }, 0),
        (Fault::HangsAfterDot, 1),
        (Fault::HugeLine, 1),
        (Fault::Says("hello there"), 0),
        (Fault::Says("999 what"), 0),
    ] {
        let (outcome, relay) = outcome_of(fault).await;
        assert_eq!(outcome.stage, Stage::Dot, "{fault:?}");
        assert_eq!(judge(&outcome), Scope::Unknown, "{fault:?} {outcome:?}");
        assert_eq!(relay.caught().len(), kept, "{fault:?}");
    }
}

#[tokio::test]
async fn replies_after_the_dot_are_kept_in_their_own_words() {
    for (says, scope) in [
        ("552 5.3.4 Message too big", Scope::Issue),
        ("550 5.7.1 Spam\u{7}", Scope::Never),
        ("451 4.7.1 Later", Scope::Later),
        ("421 4.3.0 Going down", Scope::Relay),
    ] {
        let (outcome, _relay) = outcome_of(Fault::Says(says)).await;
        assert_eq!(judge(&outcome), scope, "{says}");
        assert_eq!(outcome.words(), says.replace('\u{7}', "\\u{7}"));
    }
}

#[tokio::test]
async fn deadlines_are_for_a_command_not_for_a_byte() {
    let relay = Relay::start(Offer { fault: Fault::Drips, ..Offer::default() }).await;
    let target = Target::new(setup(&relay)).unwrap();
    let started = Instant::now();
    let outcome = Session::open(&target).await.unwrap_err();
    assert_eq!(outcome.stage, Stage::Greeting);
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_reply_without_end_ends() {
    for fault in [Fault::Endless, Fault::Refuses] {
        let relay = Relay::start(Offer { fault, ..Offer::default() }).await;
        let target = Target::new(setup(&relay)).unwrap();
        let outcome = Session::open(&target).await.unwrap_err();
        assert_eq!(judge(&outcome), Scope::Relay, "{outcome:?}");
    }
}

#[tokio::test]
async fn content_for_nobody_is_empty_and_the_session_goes_on() {
    let relay =
        Relay::start(Offer { fault: Fault::WantsContentForNobody, ..Offer::default() }).await;
    let mut session = open(&relay).await;
    assert_eq!(send(&mut session, "no@example.org").await.code(), Some(550));
    assert_eq!(send(&mut session, "ada@example.org").await.code(), Some(250));
    assert_eq!(relay.caught().len(), 1);
}

#[tokio::test]
async fn an_idle_connection_that_was_closed_is_noticed() {
    let relay =
        Relay::start(Offer { fault: Fault::DropsAfterDot { accepted: true }, ..Offer::default() })
            .await;
    let mut session = open(&relay).await;
    assert!(session.is_fresh().await);
    let _ = send(&mut session, "ada@example.org").await;
    assert!(!session.is_fresh().await);
}

#[tokio::test]
async fn a_connection_serves_only_so_many_mails() {
    let relay = Relay::start(Offer::default()).await;
    let target = Target::new(Setup { mails_per_connection: 2, ..setup(&relay) }).unwrap();
    let mut session = Session::open(&target).await.unwrap();
    let (a, b, c) = (to("a@example.org"), to("b@example.org"), to("c@example.org"));
    for (envelope, next) in [(&a, &b), (&b, &c)] {
        assert!(session.is_open());
        let mail = Mail { envelope, content: CONTENT };
        session.send(mail, Some(next), || true).await;
    }
    assert!(!session.is_open());
    assert_eq!(relay.lines().iter().filter(|l| l.starts_with("MAIL")).count(), 2);
}

fn authority(relay: &Relay) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &relay.authority).unwrap();
    file
}

#[tokio::test]
async fn tls_and_log_in_work_both_ways() {
    for (security, keywords) in [
        (Security::StartTls, vec!["PIPELINING", "AUTH PLAIN LOGIN"]),
        (Security::StartTls, vec!["AUTH LOGIN"]),
        (Security::Implicit, vec!["PIPELINING", "AUTH PLAIN"]),
    ] {
        let relay = Relay::start(Offer {
            keywords,
            starttls: security == Security::StartTls,
            implicit: security == Security::Implicit,
            ..Offer::default()
        })
        .await;
        let ca = authority(&relay);
        for (password, code) in [("pass", 250), ("wrong", 535)] {
            let login = Credentials::new("user".to_owned(), password.to_owned());
            let target = Target::new(Setup {
                security,
                ca_file: Some(ca.path().to_owned()),
                login: Some(Login::Password(login, None)),
                ..setup(&relay)
            })
            .unwrap();
            let got = match Session::open(&target).await {
                Ok(mut session) => send(&mut session, "ada@example.org").await,
                Err(outcome) => outcome,
            };
            assert_eq!(got.code(), Some(code), "{got:?}");
        }
        assert_eq!(relay.caught()[0].content, CONTENT);
        let secret = relay.lines().iter().position(|l| l.starts_with("AUTH"));
        let starttls = relay.lines().iter().position(|l| l.starts_with("STARTTLS"));
        assert!(security == Security::Implicit || secret > starttls);
    }
}

#[tokio::test]
async fn an_access_token_is_renewed_once_when_it_is_refused() {
    for (printed, connected, logins) in [
        ("good", true, 1),
        ("stale,good", true, 2),
        ("stale,worse,good", false, 2),
        ("stale,stale", false, 1),
    ] {
        let offer = Offer {
            keywords: vec!["PIPELINING", "AUTH PLAIN XOAUTH2"],
            implicit: true,
            ..Offer::default()
        };
        let relay = Relay::start(offer).await;
        let (ca, count) = (authority(&relay), tempfile::NamedTempFile::new().unwrap());
        let script = format!(
            "echo >> {0}; echo {printed} | cut -d, -f$(wc -l < {0})",
            count.path().display()
        );
        let command = ["sh", "-c", &script].map(str::to_owned).to_vec();
        let target = Target::new(Setup {
            security: Security::Implicit,
            ca_file: Some(ca.path().to_owned()),
            login: Some(Login::Token("user".to_owned(), Tokens::new(Origin::Command(command)))),
            ..setup(&relay)
        })
        .unwrap();
        match Session::open(&target).await {
            Ok(mut session) => {
                assert!(connected, "{printed}");
                assert_eq!(send(&mut session, "ada@example.org").await.code(), Some(250));
                // The next session uses what is held.
                Session::open(&target).await.unwrap();
            }
            Err(outcome) => {
                assert!(!connected, "{printed}: {outcome:?}");
                assert_eq!((outcome.stage, judge(&outcome)), (Stage::Auth, Scope::Issue));
                let words = outcome.words();
                assert!(words.contains("Token not accepted") && words.contains("401"), "{words}");
            }
        }
        let asked = relay.lines().iter().filter(|line| line.starts_with("AUTH")).count();
        assert_eq!(asked, logins + usize::from(connected), "{printed}");
        assert_eq!(relay.connections(), 1 + usize::from(connected));
    }
}

#[tokio::test]
async fn a_mechanism_that_is_named_is_the_one() {
    let offer = Offer { keywords: vec!["AUTH PLAIN LOGIN"], implicit: true, ..Offer::default() };
    let relay = Relay::start(offer).await;
    let ca = authority(&relay);
    for (named, first) in [
        (None, "AUTH PLAIN"),
        (Some(Mechanism::Login), "AUTH LOGIN"),
        (Some(Mechanism::Plain), "AUTH PLAIN"),
    ] {
        let login = Credentials::new("user".to_owned(), "pass".to_owned());
        let target = Target::new(Setup {
            security: Security::Implicit,
            ca_file: Some(ca.path().to_owned()),
            login: Some(Login::Password(login, named)),
            ..setup(&relay)
        })
        .unwrap();
        Session::open(&target).await.unwrap();
        let last = relay.lines().into_iter().rfind(|line| line.starts_with("AUTH")).unwrap();
        assert!(last.starts_with(first), "{last}");
    }
}

#[tokio::test]
async fn a_farewell_within_a_window_loses_nobody_into_doubt() {
    let relay = Relay::start(Offer {
        keywords: vec!["PIPELINING", "CHUNKING"],
        fault: Fault::Throttles(2),
        ..Offer::default()
    })
    .await;
    let target = Target::new(Setup { window: 5, ..setup(&relay) }).unwrap();
    let mut session = Session::open(&target).await.unwrap();
    let envelopes: Vec<Envelope> = (0..5).map(|n| to(&format!("r{n}@example.org"))).collect();
    let mails: Vec<Mail<'_>> =
        envelopes.iter().map(|envelope| Mail { envelope, content: CONTENT }).collect();
    let outcomes = session.send_window(&mails, |_| true).await;
    let scopes: Vec<Scope> = outcomes.iter().map(judge).collect();
    let (accepted, relays) = (Scope::Accepted, Scope::Relay);
    assert_eq!(scopes, [accepted, accepted, relays, relays, relays], "{outcomes:?}");
    assert_eq!(relay.caught().len(), 2);
    assert!(!session.is_open());
}

#[tokio::test]
async fn tls_that_is_required_is_required() {
    for (fault, starttls) in
        [(Fault::None, false), (Fault::BreaksTls, true), (Fault::InjectsBeforeTls, true)]
    {
        let relay = Relay::start(Offer { fault, starttls, ..Offer::default() }).await;
        let ca = authority(&relay);
        let target = Target::new(Setup {
            security: Security::StartTls,
            ca_file: Some(ca.path().to_owned()),
            ..setup(&relay)
        })
        .unwrap();
        let outcome = Session::open(&target).await.unwrap_err();
        assert!(matches!(outcome.answer, Answer::Broken(Broken::Tls(_))), "{outcome:?}");
        assert!(!relay.lines().iter().any(|l| l.starts_with("MAIL")));
    }
}

#[tokio::test]
async fn a_secret_never_goes_over_an_open_line() {
    let relay = Relay::start(Offer { keywords: vec!["AUTH PLAIN"], ..Offer::default() }).await;
    let login = Credentials::new("user".to_owned(), "pass".to_owned());
    let target =
        Target::new(Setup { login: Some(Login::Password(login, None)), ..setup(&relay) }).unwrap();
    let outcome = Session::open(&target).await.unwrap_err();
    assert_eq!(outcome.stage, Stage::Auth);
    assert!(!relay.lines().iter().any(|l| l.starts_with("AUTH")));
}

#[tokio::test]
async fn a_bad_certificate_is_named() {
    for (host, until, trust, words) in [
        ("localhost", 2021, true, "valid from 2020-01-01 to 2021-01-01"),
        ("mx.example.org", 2100, true, "Relay mx.example.org"),
        ("localhost", 2100, false, "issued by \"Test authority\""),
    ] {
        let offer = Offer { implicit: true, ..Offer::default() };
        let relay = Relay::named(offer, host, until).await;
        let ca = authority(&relay);
        let target = Target::new(Setup {
            security: Security::Implicit,
            ca_file: trust.then(|| ca.path().to_owned()),
            ..setup(&relay)
        })
        .unwrap();
        let outcome = Session::open(&target).await.unwrap_err();
        assert!(outcome.words().contains(words), "{}", outcome.words());
    }
}
