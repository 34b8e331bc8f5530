//! Small mails that follow from what came back, on both databases: a probe before the
//! last word, a person's reply handed on, leaving by mail.

use std::collections::BTreeMap;

use mail_parser::{MessageParser, MimeHeaders as _};
use rundbrief::bounce::inbox::BounceId;
use rundbrief::bounce::list;
use rundbrief::bounce::review::{self, Decision};
use rundbrief::bounce::verdict::{Done, Verdict};
use rundbrief::delivery::pool::ReturnPath;
use rundbrief::errand::letter::Desk;
use rundbrief::errand::send::{self, Lines};
use rundbrief::letter::address::Office;
use rundbrief::smtp::mark::Mark;
use rundbrief::smtp::relay::{Relay, Setup};
use rundbrief::store::value::Millis;
use rundbrief::subscriber::standing;
use rundbrief::{on, read};
use rundbrief_subscribers::standing::Standing;

use crate::app::{App, on_both};
use crate::relay::{self, Caught, Fault, Offer};
use crate::returned::{FULL, UNKNOWN, World, day, failure, master, verp};

on_both![
    a_probe_that_bounces_is_the_last_word,
    a_bounce_that_is_taken_back_takes_its_probe_back,
    a_probe_that_does_not_come_back_clears_the_address,
    a_probe_refused_at_once_is_the_last_word,
    a_probe_is_sent_once_whatever_becomes_of_it,
    an_errand_goes_by_the_next_relay_when_the_first_is_away,
    a_full_mailbox_is_no_answer_to_a_probe,
    who_left_gets_no_probe,
    a_forged_probe_bounce_changes_nobody,
    a_reply_is_handed_on_once_and_whole,
    what_a_program_wrote_is_not_handed_on,
    who_asks_to_leave_is_shown_and_leaves_by_one_decision,
    a_reply_is_known_by_what_it_answers_or_by_its_sender,
    a_mail_to_the_leaving_address_is_enough,
];

pub fn desk(app: &App) -> Desk {
    Desk {
        store: app.store.clone(),
        key: master().token(),
        office: Office {
            base: "https://news.example.de".to_owned(),
            domain: "news.example.de".to_owned(),
            unsubscribe: None,
            at_home: false,
        },
        return_path: ReturnPath {
            local: "bounce".to_owned(),
            domain: "news.example.de".to_owned(),
        },
        keys: Vec::new(),
    }
}

/// Relays on loopback, in this order.
pub fn lines(ports: &[u16]) -> Lines {
    let mut lines = Lines { relays: BTreeMap::new(), order: Vec::new() };
    for (n, port) in ports.iter().enumerate() {
        let setup = Setup { mark: Some(Mark::Postmark), ..Setup::plain("127.0.0.1", *port) };
        lines.relays.insert(n.to_string(), Relay::new(setup).unwrap());
        lines.order.push(n.to_string());
    }
    lines
}

/// Sends what is due on a day, to a relay that plays this fault; what it caught.
async fn send(app: &App, fault: Fault, clock: fn() -> Millis) -> (send::Done, Vec<Caught>) {
    let relay = relay::Relay::start(Offer { fault, ..Offer::default() }).await;
    let done = send::step(&desk(app), &lines(&[relay.port]), clock, || true).await.unwrap();
    (done, relay.caught())
}

/// One reader whose first mail came back as unknown on day 0.
async fn bounced_once(app: &App) -> World<'_> {
    let world = World::new(app, 1).await;
    let (issue, deliveries) = world.issue(1, "accepted", day(0)).await;
    let to = verp(&world.token(issue, deliveries[0], 0));
    let id = world.receive(&failure(&to, UNKNOWN), day(0)).await;
    world.step(day(0)).await;
    let expected = (Verdict::Applied, "remembered; a probe asks again".to_owned());
    assert_eq!(world.verdict(id).await, expected);
    world
}

async fn states(app: &App) -> Vec<(String, String, Option<String>)> {
    let text = "select kind, state, outcome from errand order by id";
    read!(app.store, |db| sqlx::query_as(text).fetch_all(db).await).unwrap()
}

fn state(kind: &str, state: &str, outcome: Option<&str>) -> (String, String, Option<String>) {
    (kind.to_owned(), state.to_owned(), outcome.map(str::to_owned))
}

async fn a_probe_that_bounces_is_the_last_word(app: App) {
    let world = bounced_once(&app).await;
    let (early, caught) = send(&app, Fault::None, || day(2)).await;
    assert_eq!((early, caught.len()), (send::Done::default(), 0), "three days later, not before");
    let (done, caught) = send(&app, Fault::None, || day(3)).await;
    assert_eq!((done.accepted, caught.len()), (1, 1));
    assert_eq!(caught[0].to, "reader0@example.org");
    assert!(caught[0].from.starts_with("bounce+") && caught[0].from.len() == 7 + 32 + 16);
    let mail = MessageParser::default().parse(&caught[0].content).unwrap();
    assert_eq!(mail.subject(), Some("Wir prüfen, ob „Newsletter Musterhafen“ Sie erreicht"));
    assert!(mail.header("List-Unsubscribe").is_none() && mail.header("List-Id").is_none());
    let text = String::from_utf8_lossy(&caught[0].content).into_owned();
    assert!(text.contains("Auto-Submitted: auto-generated\r\n"), "{text}");
    let token = &caught[0].from["bounce+".len()..][..32];
    assert!(text.starts_with(&format!("X-PM-Metadata-delivery: {token}\r\n")), "{text}");
    let sent = mail.date().map(mail_parser::DateTime::to_timestamp);
    assert_eq!(sent, Some(day(3).0 / 1000), "the moment it went, not that of its bounce");
    let body = mail.body_text(0).unwrap();
    assert!(body.contains("https://news.example.de/p/") && body.contains("Musterhafen"), "{body}");

    let id = world.receive(&failure(&caught[0].from, UNKNOWN), day(4)).await;
    assert_eq!(world.step(day(4)).await, Done { read: 1, applied: 1, review: 0 });
    assert_eq!(world.verdict(id).await.1, "active became unreachable");
    assert_eq!(world.stands(0).await, Standing::Unreachable);
    assert_eq!(states(&app).await, [state("probe", "accepted", Some("bounced"))]);
    let events = standing::events(&app.store, world.readers[0]).await.unwrap();
    let evidence = &events[0].evidence.0;
    assert_eq!((&evidence["probe"], &evidence["reason"]), (&1.into(), &"user unknown".into()));
    // The report is tied to the delivery as well, and summed as a probe only.
    let sums =
        list::sums(&app.store, list::Over::Issue, &list::Filter::default(), 10).await.unwrap();
    assert_eq!((sums.len(), sums[0].reports, sums[0].hard, sums[0].probes), (1, 1, 1, 1));
    // The same once more changes nothing; an editor takes it back.
    let again = world.receive(&failure(&caught[0].from, &format!("{UNKNOWN} x")), day(4)).await;
    world.step(day(4)).await;
    assert_eq!(world.verdict(again).await, (Verdict::Noted, "counted before".to_owned()));
    let mut tx = app.store.begin().await.unwrap();
    let harmless = review::take_back(&mut tx, again, day(5)).await;
    assert!(matches!(harmless, Err(review::Error::Harmless(..))), "{harmless:?}");
    let first = review::take_back(&mut tx, BounceId(id.0 - 1), day(5)).await;
    assert!(matches!(first, Err(review::Error::Overtaken(_))), "{first:?}");
    drop(tx);
    assert_eq!(take_back(&app, id, day(5)).await, "unreachable became active");
}

async fn take_back(app: &App, id: BounceId, at: Millis) -> String {
    let mut tx = app.store.begin().await.unwrap();
    let back = review::take_back(&mut tx, id, at).await.unwrap();
    tx.commit().await.unwrap();
    back
}

async fn a_bounce_that_is_taken_back_takes_its_probe_back(app: App) {
    let world = World::new(&app, 1).await;
    let bounce = async |n: i64| {
        let (issue, deliveries) = world.issue(n, "accepted", day(n)).await;
        let to = verp(&world.token(issue, deliveries[0], 0));
        let id = world.receive(&failure(&to, UNKNOWN), day(n)).await;
        world.step(day(n)).await;
        assert_eq!(world.verdict(id).await.1, "remembered; a probe asks again", "day {n}");
        id
    };
    // One that waits is not sent; the next bounce may ask anew.
    let first = bounce(1).await;
    assert_eq!(take_back(&app, first, day(2)).await, "active became active");
    assert_eq!(send(&app, Fault::None, || day(4)).await, (send::Done::default(), vec![]));
    let void = Some("taken back");
    assert_eq!(states(&app).await, [state("probe", "cancelled", void)]);
    // One that was sent comes back and changes nobody, nor does its silence.
    let second = bounce(10).await;
    let (_, caught) = send(&app, Fault::None, || day(13)).await;
    take_back(&app, second, day(13)).await;
    let late = world.receive(&failure(&caught[0].from, UNKNOWN), day(14)).await;
    world.step(day(14)).await;
    let expected = (Verdict::Noted, review::TAKEN_BACK.to_owned());
    assert_eq!(world.verdict(late).await, expected);
    assert_eq!(world.stands(0).await, Standing::Active);
    assert_eq!(send(&app, Fault::None, || day(30)).await.0.silent, 0);
    assert_eq!(states(&app).await[1], state("probe", "accepted", void));
}

async fn a_probe_that_does_not_come_back_clears_the_address(app: App) {
    let world = bounced_once(&app).await;
    let (done, _) = send(&app, Fault::None, || day(3)).await;
    assert_eq!(done.accepted, 1);
    assert_eq!(send(&app, Fault::None, || day(9)).await.0.silent, 0);
    assert_eq!(send(&app, Fault::None, || day(11)).await.0.silent, 1);
    assert_eq!(send(&app, Fault::None, || day(12)).await.0.silent, 0);
    assert_eq!(states(&app).await, [state("probe", "accepted", Some("silent"))]);
    let events = standing::events(&app.store, world.readers[0]).await.unwrap();
    assert_eq!((events.len(), events[0].reason.as_str()), (1, "probe"));
    assert_eq!((events[0].was.as_str(), events[0].became.as_str()), ("active", "active"));
    assert_eq!(events[0].evidence.0["came_back"], false);
    // The next hard bounce is a first one again, and brings no second probe: the one after
    // it is the last word.
    for (n, expected) in [(20, Standing::Active), (27, Standing::Unreachable)] {
        let (issue, deliveries) = world.issue(n, "accepted", day(n)).await;
        let to = verp(&world.token(issue, deliveries[0], 0));
        world.receive(&failure(&to, UNKNOWN), day(n)).await;
        world.step(day(n)).await;
        assert_eq!(world.stands(0).await, expected, "day {n}");
    }
    assert_eq!(states(&app).await.len(), 1);
}

async fn a_probe_refused_at_once_is_the_last_word(app: App) {
    let world = World::new(&app, 1).await;
    let (issue, deliveries) = world.issue(1, "accepted", day(0)).await;
    world.receive(&failure(&verp(&world.token(issue, deliveries[0], 0)), UNKNOWN), day(0)).await;
    world.step(day(0)).await;
    world.rename(0, "no0@example.org").await;
    let (done, caught) = send(&app, Fault::None, || day(3)).await;
    assert_eq!((done.others, caught.len()), (1, 0));
    assert_eq!(world.step(day(3)).await, Done { read: 1, applied: 1, review: 0 });
    assert_eq!(world.stands(0).await, Standing::Unreachable);
    assert_eq!(states(&app).await, [state("probe", "failed", Some("bounced"))]);
}

async fn a_probe_is_sent_once_whatever_becomes_of_it(app: App) {
    let world = bounced_once(&app).await;
    // A relay that is away costs nothing.
    let away = send::step(&desk(&app), &lines(&[1]), || day(3), || true).await;
    assert!(away.unwrap_err().to_string().starts_with("errands wait: [transport.0] at connect"));
    // The relay keeps the mail and hangs up: nobody can know, and it is not sent again.
    let fault = Fault::DropsAfterDot { accepted: true };
    let (done, caught) = send(&app, fault, || day(3)).await;
    assert_eq!((done.others, caught.len()), (1, 1));
    assert_eq!(states(&app).await, [state("probe", "unknown", None)]);
    assert_eq!(send(&app, Fault::None, || day(4)).await.1, []);
    // Its bounce proves that it went.
    world.receive(&failure(&caught[0].from, UNKNOWN), day(5)).await;
    world.step(day(5)).await;
    assert_eq!(states(&app).await, [state("probe", "accepted", Some("bounced"))]);
    assert_eq!(world.stands(0).await, Standing::Unreachable);

    // One whose sender died in between stays marked, and is not sent again either.
    let mut tx = app.store.begin().await.unwrap();
    on!(tx, |c| sqlx::query("update errand set state = 'sending', lease_until = 0")
        .execute(c)
        .await
        .map(drop))
    .unwrap();
    on!(tx, |c| {
        sqlx::query(
        "insert into errand (kind, bounce_id, newsletter_id, state, next_at, created_at, changed_at)
         select 'reply', 99, newsletter_id, 'queued', 0, 0, 0 from errand"
    )
    .execute(c)
    .await
    .map(drop)
    })
    .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(send(&app, Fault::None, || day(6)).await.1, []);
    let expected = [state("probe", "unknown", Some("bounced")), state("reply", "cancelled", None)];
    assert_eq!(states(&app).await, expected);
}

async fn an_errand_goes_by_the_next_relay_when_the_first_is_away(app: App) {
    let _world = bounced_once(&app).await;
    let relay = relay::Relay::start(Offer::default()).await;
    let both = lines(&[1, relay.port]);
    let done = send::step(&desk(&app), &both, || day(3), || true).await.unwrap();
    assert_eq!((done.accepted, relay.caught().len()), (1, 1));
}

async fn a_full_mailbox_is_no_answer_to_a_probe(app: App) {
    let world = bounced_once(&app).await;
    let (_, caught) = send(&app, Fault::None, || day(3)).await;
    let id = world.receive(&failure(&caught[0].from, FULL), day(4)).await;
    world.step(day(4)).await;
    assert_eq!(world.verdict(id).await, (Verdict::Noted, "nothing follows".to_owned()));
    assert_eq!(world.stands(0).await, Standing::Active);
}

async fn who_left_gets_no_probe(app: App) {
    let world = bounced_once(&app).await;
    world.leave(0, day(1)).await;
    let (done, caught) = send(&app, Fault::None, || day(3)).await;
    assert_eq!((done.others, caught.len()), (1, 0));
    assert_eq!(states(&app).await, [state("probe", "cancelled", None)]);
}

async fn a_forged_probe_bounce_changes_nobody(app: App) {
    let world = bounced_once(&app).await;
    // Before it is sent, its token names nothing that could come back.
    let token = rundbrief_subscribers::token::DeliveryToken::errand(
        &master().token(),
        1,
        world.newsletter.0,
        world.readers[0].0,
    );
    let early = world.receive(&failure(&verp(&token.to_string()), UNKNOWN), day(1)).await;
    world.step(day(1)).await;
    assert_eq!(world.verdict(early).await.0, Verdict::Forged);
    send(&app, Fault::None, || day(3)).await;
    let foreign = rundbrief_subscribers::token::DeliveryToken::errand(
        &rundbrief_subscribers::key::Master::new([6; 32]).token(),
        1,
        world.newsletter.0,
        world.readers[0].0,
    );
    let forged = world.receive(&failure(&verp(&foreign.to_string()), UNKNOWN), day(4)).await;
    let late = failure(&verp(&token.to_string()), &format!("{UNKNOWN} late"));
    let stale = world.receive(&late, day(18)).await;
    world.step(day(18)).await;
    assert_eq!(world.verdict(forged).await.0, Verdict::Forged);
    assert_eq!(world.verdict(stale).await.0, Verdict::Stale);
    assert_eq!(world.stands(0).await, Standing::Active);
}

/// A mail that somebody wrote to the return path.
fn letter(to: &str, head: &str, text: &str) -> String {
    format!(
        "Return-Path: <reader0@example.org>\r\nFrom: Erika Muster <reader0@example.org>\r\n\
         To: {to}\r\nSubject: Re: Rundbrief\r\n{head}\
         Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
    )
}

async fn a_reply_is_handed_on_once_and_whole(app: App) {
    let world = World::new(&app, 1).await;
    let (issue, deliveries) = world.issue(1, "accepted", day(0)).await;
    let to = verp(&world.token(issue, deliveries[0], 0));
    // Three weeks later, when bounces count no more.
    let wrote = letter(&to, "", "Das war ein schöner Beitrag!");
    let id = world.receive(&wrote, day(21)).await;
    assert_eq!(world.step(day(21)).await, Done { read: 1, applied: 0, review: 0 });
    let why = "a person wrote; handed on to the reply address".to_owned();
    assert_eq!(world.verdict(id).await, (Verdict::Noted, why));
    let (done, caught) = send(&app, Fault::None, || day(21)).await;
    assert_eq!((done.accepted, caught.len()), (1, 1));
    assert_eq!(caught[0].to, "redaktion@example.de");
    let mail = MessageParser::default().parse(&caught[0].content).unwrap();
    let address = |list: Option<&mail_parser::Address<'_>>| {
        list.and_then(|l| l.first()).and_then(|a| a.address()).map(str::to_owned)
    };
    assert_eq!(address(mail.from()).as_deref(), Some("newsletter@example.de"));
    assert_eq!(address(mail.reply_to()).as_deref(), Some("reader0@example.org"));
    assert_eq!(mail.subject(), Some("Antwort auf „Newsletter Musterhafen“: Re: Rundbrief"));
    let said = mail.body_text(0).unwrap();
    assert!(said.contains("Erika Muster <reader0@example.org>"), "{said}");
    let attached = mail.attachment(0).unwrap();
    assert_eq!(attached.content_type().and_then(|t| t.subtype()), Some("rfc822"));
    let text = String::from_utf8_lossy(&caught[0].content).into_owned();
    assert!(text.contains("Das war ein schöner Beitrag!"), "as it came, not encoded");
    // Sent once: nothing is due any more, and the same mail again is the same mail.
    assert_eq!(send(&app, Fault::None, || day(22)).await.1, []);
    assert_eq!(states(&app).await, [state("reply", "accepted", None)]);

    // What comes back of it is never handed on; that the office is gone, is said.
    for (mail, verdict) in [
        (letter(&caught[0].from, "", "Danke für Ihre Nachricht."), Verdict::Noted),
        (letter(&caught[0].from, "Auto-Submitted: auto-replied\r\n", "Urlaub"), Verdict::Noted),
        (failure(&caught[0].from, UNKNOWN), Verdict::Review),
        (text.replace("redaktion@example.de", "bounce@news.example.de"), Verdict::Noted),
    ] {
        let id = world.receive(&mail, day(22)).await;
        world.step(day(22)).await;
        let (found, why) = world.verdict(id).await;
        assert_eq!(found, verdict, "{why}: {mail}");
    }
    assert_eq!(states(&app).await, [state("reply", "accepted", Some("bounced"))]);
    assert_eq!(world.stands(0).await, Standing::Active);
}

async fn what_a_program_wrote_is_not_handed_on(app: App) {
    let world = World::new(&app, 1).await;
    let (issue, deliveries) = world.issue(1, "accepted", day(0)).await;
    let to = verp(&world.token(issue, deliveries[0], 0));
    let heads = [
        "Auto-Submitted: auto-generated\r\n",
        "Auto-Submitted: auto-replied\r\n",
        "X-Loop: bounce@news.example.de\r\n",
        "Precedence: bulk\r\n",
        "List-Id: <liste.example.org>\r\n",
    ];
    for (n, head) in heads.into_iter().enumerate() {
        let id = world.receive(&letter(&to, head, &format!("Hallo {n}")), day(0)).await;
        world.step(day(0)).await;
        assert_eq!(world.verdict(id).await.0, Verdict::Noted, "{head}");
    }
    let away = letter(&to, "", "Ich bin im Urlaub.")
        .replace("Re: Rundbrief", "Automatische Antwort: Rundbrief");
    let away = world.receive(&away, day(0)).await;
    world.step(day(0)).await;
    assert_eq!(world.verdict(away).await, (Verdict::Noted, "an automatic reply".to_owned()));
    let filter = list::Filter { kind: Some("autoreply".to_owned()), ..list::Filter::default() };
    let apart = list::page(&app.store, &filter, None, 10).await.unwrap();
    assert!(apart.iter().any(|line| line.id == away), "kept apart, and listed");
    assert_eq!(states(&app).await, []);
    // Nor more of one reader within a day than a person writes.
    for n in 0..7 {
        world.receive(&letter(&to, "", &format!("Noch etwas: {n}")), day(1)).await;
    }
    world.step(day(1)).await;
    assert_eq!(states(&app).await.len(), 5);
}

async fn who_asks_to_leave_is_shown_and_leaves_by_one_decision(app: App) {
    let world = World::new(&app, 1).await;
    let (issue, deliveries) = world.issue(1, "accepted", day(0)).await;
    let to = verp(&world.token(issue, deliveries[0], 0));
    let asks = world.receive(&letter(&to, "", "Bitte abmelden, ich ziehe um."), day(0)).await;
    let odd = world.receive(&letter(&to, "", "Verschont mich mit dem Blatt."), day(0)).await;
    world.step(day(0)).await;
    let why = "a person asks to leave; handed on to the reply address".to_owned();
    assert_eq!(world.verdict(asks).await, (Verdict::Review, why));
    assert_eq!(world.verdict(odd).await.0, Verdict::Noted);
    assert_eq!(world.stands(0).await, Standing::Active);
    assert_eq!(list::look(&app.store, asks).await.unwrap().proposal, Some(Decision::Leave));
    assert_eq!(list::look(&app.store, odd).await.unwrap().proposal, None);
    let (_, caught) = send(&app, Fault::None, || day(0)).await;
    let mail = MessageParser::default().parse(&caught[0].content).unwrap();
    let said = mail.body_text(0).unwrap();
    assert!(said.contains(&format!("Abmelden mit: rundbrief bounce review {asks} --as leave")));
    let taught = Some(("verschont mich mit", None));
    world.decide(asks, Decision::Leave, taught, day(0)).await.unwrap();
    assert_eq!(world.stands(0).await, Standing::Left);
    let events = standing::events(&app.store, world.readers[0]).await.unwrap();
    assert_eq!(events[0].reason, "mail");
    // The words that were taught are understood next time.
    let next = letter(&to, "", "Bitte verschont mich mit allem.");
    let next = world.receive(&next, day(1)).await;
    world.step(day(1)).await;
    assert_eq!(world.verdict(next).await.0, Verdict::Review);
}

async fn a_reply_is_known_by_what_it_answers_or_by_its_sender(app: App) {
    let world = World::new(&app, 2).await;
    let (issue, deliveries) = world.issue(1, "accepted", day(0)).await;
    let token = world.token(issue, deliveries[1], 1);
    let plain = "bounce@news.example.de";
    let answers = format!("In-Reply-To: <{token}@news.example.de>\r\n");
    let by_answer = world.receive(&letter(plain, &answers, "Bitte abmelden"), day(1)).await;
    let by_sender = world.receive(&letter(plain, "", "Bitte abmelden!"), day(1)).await;
    let stranger = letter(plain, "", "Bitte abmelden?").replace("reader0@", "nobody@");
    let stranger = world.receive(&stranger, day(1)).await;
    world.step(day(1)).await;
    for (id, reader) in [(by_answer, 1), (by_sender, 0)] {
        assert_eq!(world.verdict(id).await.0, Verdict::Review);
        world.decide(id, Decision::Leave, None, day(1)).await.unwrap();
        assert_eq!(world.stands(reader).await, Standing::Left);
    }
    let nobody = "asks to leave; nobody has that address".to_owned();
    assert_eq!(world.verdict(stranger).await, (Verdict::Review, nobody));
    let (_, why) = world.verdict(by_sender).await;
    assert!(why.contains("known by the address only"), "{why}");
}

async fn a_mail_to_the_leaving_address_is_enough(app: App) {
    let world = World::new(&app, 3).await;
    let (issue, deliveries) = world.issue(1, "accepted", day(0)).await;
    let to = |reader: usize| {
        let token = world.token(issue, deliveries[reader], reader);
        format!("abmelden+{token}@news.example.de")
    };
    // As a mail program sends it, months later; an empty mail in capitals is one as well.
    let first = world.receive(&letter(&to(0), "", "unsubscribe"), day(80)).await;
    assert_eq!(world.step(day(80)).await, Done { read: 1, applied: 1, review: 0 });
    assert_eq!(world.verdict(first).await, (Verdict::Applied, "active became left".to_owned()));
    let bare = format!("From: x@example.net\r\nTo: {}\r\n\r\n", to(1).to_uppercase());
    world.receive(&bare, day(80)).await;
    let again = world.receive(&letter(&to(0), "", "unsubscribe, again"), day(81)).await;
    world.step(day(81)).await;
    assert_eq!(world.stands(1).await, Standing::Left);
    assert_eq!(world.verdict(again).await, (Verdict::Noted, "was left already".to_owned()));
    let events = standing::events(&app.store, world.readers[0]).await.unwrap();
    assert_eq!((events.len(), events[0].reason.as_str()), (1, "mail"));
    let consent = "select count(*) from consent where act = 'withdrawn'";
    let (withdrawn,): (i64,) =
        read!(app.store, |db| sqlx::query_as(consent).fetch_one(db).await).unwrap();
    assert_eq!(withdrawn, 2, "once for each who left");
    // A forged token lets nobody leave; a person looks, because the address is known.
    let forged = format!("abmelden+{}@news.example.de", "a".repeat(32));
    let mail = letter(&forged, "", "unsubscribe").replace("reader0@", "reader2@");
    let forged = world.receive(&mail, day(80)).await;
    let bounce = world.receive(&failure(&to(2), UNKNOWN), day(80)).await;
    world.step(day(80)).await;
    assert_eq!(world.verdict(forged).await.0, Verdict::Review);
    assert_eq!(world.verdict(bounce).await.0, Verdict::Stale, "a bounce is no wish to leave");
    assert_eq!(world.stands(2).await, Standing::Active);
    assert_eq!(states(&app).await, [], "nothing of this is handed on");
}
