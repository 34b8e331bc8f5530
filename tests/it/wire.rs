//! Whatever a mail holds, the relay gets it clean, by DATA and by BDAT; the relay that
//! checks it shares no code with the session.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use rundbrief::smtp::envelope::Envelope;
use rundbrief::smtp::relay::{Relay as Target, Setup};
use rundbrief::smtp::scope::{Scope, judge};
use rundbrief::smtp::session::Session;
use rundbrief::smtp::transaction::Mail;
use rundbrief::smtp::wire::{clean, is_clean, stuff};

use crate::relay::{Offer, Relay};
use crate::smtp::setup;

/// Bytes that are mostly trouble.
fn trouble() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b".".to_vec()),
        Just(b"\r\n.".to_vec()),
        Just(b"\r\n.\r\n".to_vec()),
        Just(b"\n.\n".to_vec()),
        Just(b"\r.\r".to_vec()),
        Just(b"\0".to_vec()),
        Just(b"\r\r\n".to_vec()),
        (990usize..1010).prop_map(|n| vec![b'a'; n]),
        prop::collection::vec(any::<u8>(), 0..40),
        "[ -~]{0,60}\r\n".prop_map(String::into_bytes),
    ];
    prop::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

/// Some of it, from a seed of its own.
fn some_trouble() -> Vec<Vec<u8>> {
    let mut runner = TestRunner::default();
    (0..80).map(|_| trouble().new_tree(&mut runner).unwrap().current()).collect()
}

/// What may come over the wire: lines of at most 998 bytes with CRLF behind each, and
/// neither CR, LF nor NUL elsewhere.
pub(crate) fn fit(content: &[u8]) {
    let mut rest = content;
    while !rest.is_empty() {
        let end = rest.windows(2).position(|pair| pair == b"\r\n").expect("the last line ends");
        assert!(end <= 998, "a line of {end} bytes");
        assert!(!rest[..end].iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n')), "a bare one");
        rest = &rest[end + 2..];
    }
}

/// A receiver as RFC 5321 describes it, line by line, sharing no code with the sender.
fn receive(wire: &[u8]) -> Result<Vec<u8>, String> {
    let mut mail = Vec::new();
    let mut at = 0;
    loop {
        let end =
            (at..wire.len()).find(|i| wire[*i..].starts_with(b"\r\n")).ok_or("no end of line")?;
        let line = &wire[at..end];
        at = end + 2;
        if line == b"." {
            return if at == wire.len() {
                Ok(mail)
            } else {
                Err("bytes behind the dot".to_owned())
            };
        }
        let line = if line.first() == Some(&b'.') { &line[1..] } else { line };
        if line.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n')) {
            return Err("a bare CR, LF or a NUL".to_owned());
        }
        if line.len() > 998 {
            return Err("a line of more than 998 bytes".to_owned());
        }
        mail.extend_from_slice(line);
        mail.extend_from_slice(b"\r\n");
    }
}

/// The bytes that no receiver may change or lose.
fn kept(content: &[u8]) -> Vec<u8> {
    content.iter().copied().filter(|byte| !matches!(byte, 0 | b'\r' | b'\n')).collect()
}

#[tokio::test]
async fn whatever_the_content_it_arrives_clean_by_dot_and_by_chunk() {
    let contents = some_trouble();
    let mut arrived = Vec::new();
    for (keywords, window) in
        [(vec!["PIPELINING", "8BITMIME"], 1), (vec!["PIPELINING", "CHUNKING", "8BITMIME"], 4)]
    {
        // The relay panics at a line that may not come, and the mail is missing then.
        let relay = Relay::start(Offer { keywords, ..Offer::default() }).await;
        let target = Target::new(Setup { window, ..setup(&relay) }).unwrap();
        let mut session = Session::open(&target).await.unwrap();
        let envelope = |content: &[u8]| {
            let mut envelope = Envelope::new("b@example.org", "a@example.org", None).unwrap();
            envelope.describe(content);
            envelope
        };
        let envelopes: Vec<Envelope> = contents.iter().map(|content| envelope(content)).collect();
        let mails = envelopes.iter().zip(&contents);
        let mails: Vec<Mail<'_>> =
            mails.map(|(envelope, content)| Mail { envelope, content }).collect();
        for (n, group) in mails.chunks(window).enumerate() {
            if window > 1 {
                let outcomes = session.send_window(group, |_| true).await;
                assert!(outcomes.iter().all(|one| judge(one) == Scope::Accepted), "{outcomes:?}");
            } else {
                let next = envelopes.get(n + 1);
                let outcome = session.send(group[0], next, || true).await;
                assert_eq!(judge(&outcome), Scope::Accepted, "{outcome:?}");
            }
        }
        let chunks = relay.lines().iter().filter(|line| line.starts_with("BDAT")).count();
        assert_eq!(chunks, if window > 1 { contents.len() } else { 0 });
        arrived.push(relay.caught().into_iter().map(|mail| mail.content).collect::<Vec<_>>());
    }
    assert_eq!(arrived[0], arrived[1], "both ways carry the same");
    assert_eq!(arrived[0].len(), contents.len());
    for (content, got) in contents.iter().zip(&arrived[0]) {
        assert_eq!(kept(got), kept(content));
    }
}

proptest! {
    #[test]
    fn whatever_the_content_the_receiver_gets_it_clean(content in trouble()) {
        let clean = clean(&content);
        prop_assert!(is_clean(&clean));
        let mut wire = Vec::new();
        let dot = stuff(&clean, &mut wire);
        prop_assert_eq!(&wire[dot..], b".\r\n");
        prop_assert_eq!(receive(&wire).unwrap(), clean);
    }

    #[test]
    fn clean_content_stays_as_it_is(content in trouble()) {
        let once = clean(&content);
        prop_assert_eq!(clean(&once), once);
    }

    #[test]
    fn nothing_but_breaks_and_nul_is_lost(content in trouble()) {
        prop_assert_eq!(kept(&clean(&content)), kept(&content));
    }

    #[test]
    fn clean_means_what_the_receiver_accepts(content in trouble()) {
        let mut wire = Vec::new();
        stuff(&content, &mut wire);
        let accepted = receive(&wire).is_ok_and(|got| got == content);
        prop_assert_eq!(is_clean(&content), accepted);
    }
}
