//! Replies that come late, out of turn or not at all: none of them is ever taken for the
//! reply to another mail. The servers here say what they are told, whatever they are asked.

use std::time::{Duration, Instant};

use rundbrief::smtp::envelope::Envelope;
use rundbrief::smtp::relay::{Deadlines, Relay as Target, Setup};
use rundbrief::smtp::scope::{Scope, judge};
use rundbrief::smtp::session::Session;
use rundbrief::smtp::transaction::Mail;
use rundbrief::smtp::{Answer, Broken, Outcome, Stage};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::relay::{Fault, Offer, Relay};
use crate::smtp::setup;

const CONTENT: &[u8] = b"Subject: Hello\r\n\r\nend\r\n";
/// How long a reply may take.
const DEADLINE: Duration = Duration::from_millis(400);
const OK: &str = "250 ok\r\n";

/// One step of a server.
enum Step {
    /// Reads until these bytes came.
    Hears(&'static str),
    Says(String),
    /// Waits until the client does not wait any more.
    Late,
}

use Step::{Hears, Late, Says};

fn says(text: &str) -> Step {
    Says(text.to_owned())
}

/// A server that plays these steps once and then keeps the connection.
async fn server(offers: &str, steps: Vec<Step>) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let greeting = [says("220 hello\r\n"), Hears("\r\n"), Says(format!("250-me\r\n{offers}"))];
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (mut heard, mut bytes) = (Vec::new(), [0; 4096]);
        for step in greeting.into_iter().chain(steps) {
            match step {
                Says(text) => stream.write_all(text.as_bytes()).await.unwrap(),
                Late => tokio::time::sleep(DEADLINE * 2).await,
                Hears(text) => loop {
                    let found = memchr::memmem::find(&heard, text.as_bytes());
                    if let Some(at) = found {
                        heard.drain(..at + text.len());
                        break;
                    }
                    let n = stream.read(&mut bytes).await.unwrap();
                    assert!(n > 0, "the client has gone before {text:?}");
                    heard.extend_from_slice(&bytes[..n]);
                },
            }
        }
        std::future::pending::<()>().await;
    });
    port
}

async fn open(port: u16) -> Session {
    let deadlines = Deadlines {
        mail: DEADLINE,
        rcpt: DEADLINE,
        data: DEADLINE,
        block: DEADLINE,
        dot: DEADLINE,
        ..Deadlines::default()
    };
    let setup = Setup { window: 8, deadlines, ..Setup::plain("127.0.0.1", port) };
    Session::open(&Target::new(setup).unwrap()).await.unwrap()
}

fn to(recipient: &str) -> Envelope {
    Envelope::new("bounce+t@example.org", recipient, None).unwrap()
}

async fn send(session: &mut Session, recipient: &str) -> Outcome {
    let envelope = to(recipient);
    session.send(Mail { envelope: &envelope, content: CONTENT }, None, || true).await
}

/// Sends mails to these behind each other.
async fn send_window(session: &mut Session, recipients: &[&str]) -> Vec<Outcome> {
    let envelopes: Vec<Envelope> = recipients.iter().map(|one| to(one)).collect();
    let mails = envelopes.iter().map(|envelope| Mail { envelope, content: CONTENT });
    session.send_window(&mails.collect::<Vec<_>>(), |_| true).await
}

#[tokio::test]
async fn a_reply_that_comes_late_is_no_reply_to_the_next_mail() {
    let steps = vec![
        Hears("<c@example.org>"),
        Says(OK.repeat(3)),
        // The first is answered late, the second not at all, and the third as it should be.
        Late,
        Says(OK.repeat(1 + 3 + 4)),
    ];
    let mut session = open(server("250-CHUNKING\r\n250 PIPELINING\r\n", steps).await).await;
    let begun = Instant::now();
    let sent = ["a@example.org", "b@example.org", "c@example.org"];
    let outcomes = send_window(&mut session, &sent).await;
    assert_eq!(outcomes, vec![Outcome::broken(Stage::Dot, Broken::Deadline(0)); 3]);
    assert!(begun.elapsed() < DEADLINE * 2, "every mail waited");
    assert!(!session.is_open());
    let after = send_window(&mut session, &sent[..1]).await;
    assert_eq!((after[0].stage, judge(&after[0])), (Stage::Mail, Scope::Relay));
}

#[tokio::test]
async fn a_session_that_broke_is_not_read_for_another_mail() {
    let go = format!("{}354 go\r\n", OK.repeat(2));
    // What comes late would do for all of the next mail.
    let late = Says(format!("{go}{OK}"));
    let steps = vec![Hears("DATA\r\n"), Says(go), Hears("\r\n.\r\n"), Late, late];
    let mut session = open(server("250 PIPELINING\r\n", steps).await).await;
    assert_eq!(judge(&send(&mut session, "a@example.org").await), Scope::Unknown);
    let after = send(&mut session, "b@example.org").await;
    assert_eq!((after.stage, judge(&after)), (Stage::Mail, Scope::Relay), "{after:?}");
    let after = send_window(&mut session, &["c@example.org"]).await;
    assert_eq!((after[0].stage, judge(&after[0])), (Stage::Mail, Scope::Relay), "{after:?}");
}

#[tokio::test]
async fn a_farewell_that_is_none_shifts_nobody() {
    // It says 421 to one mail and goes on all the same, each reply in its place.
    let refused = format!("{OK}421 busy\r\n503 what\r\n503 what\r\n");
    let steps = vec![Hears("<c@example.org>"), Says([&refused, &*OK.repeat(4), &refused].concat())];
    let mut session = open(server("250-CHUNKING\r\n250 PIPELINING\r\n", steps).await).await;
    let sent = ["a@example.org", "b@example.org", "c@example.org"];
    let outcomes = send_window(&mut session, &sent).await;
    let scopes: Vec<Scope> = outcomes.iter().map(judge).collect();
    assert_eq!(scopes, [Scope::Relay, Scope::Accepted, Scope::Relay], "{outcomes:?}");
}

#[tokio::test]
async fn a_window_that_was_broken_off_gives_each_mail_its_own_replies() {
    let keywords = vec!["PIPELINING", "CHUNKING"];
    let relay = Relay::start(Offer { keywords, ..Offer::default() }).await;
    let target = Target::new(Setup { window: 8, ..setup(&relay) }).unwrap();
    let mut session = Session::open(&target).await.unwrap();
    let (refused, taken, held) =
        (to("no@example.org"), to("b@example.org"), to("held@example.org"));
    let long = b"0123456789abcdef\r\n".repeat(20_000);
    let mails = [
        Mail { envelope: &refused, content: CONTENT },
        Mail { envelope: &taken, content: CONTENT },
        Mail { envelope: &held, content: &long },
    ];
    // The last look at the third one says no in the middle of its content.
    let looks = std::cell::Cell::new(0);
    let look = |n: usize| {
        looks.set(looks.get() + usize::from(n == 2));
        looks.get() < 3
    };
    let outcomes = session.send_window(&mails, look).await;
    let scopes: Vec<Scope> = outcomes.iter().map(judge).collect();
    assert_eq!(scopes, [Scope::Never, Scope::Accepted, Scope::Withheld], "{outcomes:?}");
    assert_eq!(outcomes[2].stage, Stage::Body, "{outcomes:?}");
    assert_eq!(relay.caught().len(), 1);
}

#[tokio::test]
async fn a_reply_that_nobody_asked_for_ends_the_session() {
    for (keywords, window) in [(vec!["PIPELINING"], 1), (vec!["PIPELINING", "CHUNKING"], 4)] {
        let fault = Fault::Says("250 2.0.0 Kept\r\n250 2.0.0 And once more");
        let relay = Relay::start(Offer { fault, keywords, ..Offer::default() }).await;
        let target = Target::new(Setup { window, ..setup(&relay) }).unwrap();
        let mut session = Session::open(&target).await.unwrap();
        let mut outcomes = Vec::new();
        for name in ["a@example.org", "b@example.org"] {
            outcomes.push(match window {
                1 => send(&mut session, name).await,
                _ => send_window(&mut session, &[name]).await.remove(0),
            });
        }
        assert_eq!(judge(&outcomes[0]), Scope::Accepted);
        assert_eq!((outcomes[1].stage, judge(&outcomes[1])), (Stage::Mail, Scope::Relay));
        assert!(outcomes[1].words().contains("out of turn: 250 2.0.0 And"), "{outcomes:?}");
        assert!(!session.is_open());
        assert_eq!(relay.caught().len(), 1);
    }
}

#[tokio::test]
async fn a_reply_between_354_and_the_content_ends_the_session_before_it() {
    let offers = "250 PIPELINING\r\n";
    let go = format!("{}354 go\r\n421 going down\r\n", OK.repeat(2));
    let mut session = open(server(offers, vec![Hears("DATA\r\n"), Says(go)]).await).await;
    let outcome = send(&mut session, "a@example.org").await;
    let why = Broken::OutOfTurn("421 going down".to_owned());
    assert_eq!(outcome, Outcome::broken(Stage::Body, why));
    assert!(!session.is_open());
}

#[tokio::test]
async fn a_reply_that_is_no_answer_is_never_a_verdict() {
    let (offers, dot) = ("250 PIPELINING\r\n", "\r\n.\r\n");
    let go = format!("{}354 go\r\n", OK.repeat(2));
    let steps = vec![Hears("DATA\r\n"), Says(go), Hears(dot), says("354 go\r\n250 kept\r\n")];
    let mut session = open(server(offers, steps).await).await;
    let outcome = send(&mut session, "a@example.org").await;
    assert_eq!((outcome.stage, judge(&outcome)), (Stage::Dot, Scope::Unknown), "{outcome:?}");
    assert!(!session.is_open());

    // One stray reply before DATA's: what the server waits for now is content.
    let steps = vec![Hears("DATA\r\n"), Says(OK.repeat(3)), says("354 go\r\n")];
    let mut session = open(server(offers, steps).await).await;
    let outcome = send(&mut session, "a@example.org").await;
    assert_eq!((outcome.stage, judge(&outcome)), (Stage::Data, Scope::Relay), "{outcome:?}");
    assert!(!session.is_open());

    // In a window every reply behind it is in doubt.
    let steps =
        vec![Hears("<b@example.org>"), Says(format!("{}354 go\r\n{}", OK.repeat(3), OK.repeat(5)))];
    let mut session = open(server("250-CHUNKING\r\n250 PIPELINING\r\n", steps).await).await;
    let outcomes = send_window(&mut session, &["a@example.org", "b@example.org"]).await;
    for outcome in &outcomes {
        assert!(matches!(outcome.answer, Answer::Broken(Broken::OutOfTurn(_))), "{outcomes:?}");
        assert_eq!(judge(outcome), Scope::Unknown);
    }
}
