//! From a stored report to what follows for its reader, on both databases.

use rundbrief::bounce::list::{self, Filter, Over};
use rundbrief::bounce::reason::Reason;
use rundbrief::bounce::review::{self, Decision};
use rundbrief::bounce::verdict::{Done, Verdict};
use rundbrief::subscriber::{standing, suppression};
use rundbrief::{on, read};
use rundbrief_subscribers::address::EmailAddress;
use rundbrief_subscribers::key::Master;
use rundbrief_subscribers::standing::Standing;
use rundbrief_subscribers::suppression::Reason as Why;
use rundbrief_subscribers::token::{DeliveryToken, Kind, ReaderToken};

use crate::app::{App, on_both};
use crate::issue_cli::run;
use crate::returned::{FULL, UNKNOWN, World, day, failure, master, verp};

on_both![
    two_hard_bounces_on_different_days_make_a_reader_unreachable,
    the_same_delivery_counts_once,
    a_forged_or_untied_report_changes_nobody,
    a_stale_report_changes_nobody,
    the_envelope_id_and_the_message_id_tie_as_well,
    a_complaint_suppresses_at_once_by_the_token_in_its_unsubscribe_link,
    what_is_our_fault_counts_against_nobody,
    soft_bounces_add_up,
    too_much_at_once_is_held_back_until_an_editor_looked,
    one_domain_that_fails_holds_back_no_other,
    an_editor_takes_a_decision_back,
    a_taught_phrase_is_understood_next_time,
    a_newsletters_own_policy_is_obeyed,
    a_bounce_proves_that_an_unknown_mail_arrived,
    lists_are_filtered_and_summed,
    sums_are_printed_for_a_script,
    what_a_receiver_refuses_at_once_counts_as_well,
];

async fn two_hard_bounces_on_different_days_make_a_reader_unreachable(app: App) {
    let world = World::new(&app, 2).await;
    for n in 0..2 {
        let (issue, deliveries) = world.issue(n + 1, "accepted", day(n)).await;
        let token = world.token(issue, deliveries[0], 0);
        let id = world.receive(&failure(&verp(&token), UNKNOWN), day(n)).await;
        assert_eq!(world.step(day(n)).await, Done { read: 1, applied: 1, review: 0 });
        assert_eq!(world.verdict(id).await.0, Verdict::Applied);
        let expected = if n == 0 { Standing::Active } else { Standing::Unreachable };
        assert_eq!(world.stands(0).await, expected);
    }
    assert_eq!(world.stands(1).await, Standing::Active);
    assert_eq!(world.step(day(9)).await, Done::default());
    let events = standing::events(&app.store, world.readers[0]).await.unwrap();
    assert_eq!((events.len(), events[0].reason.as_str()), (1, "bounce"));
    let evidence = events[0].evidence.to_string();
    assert!(evidence.contains("user unknown") && !evidence.contains('@'), "{evidence}");
}

async fn the_same_delivery_counts_once(app: App) {
    let world = World::new(&app, 1).await;
    let (issue, deliveries) = world.issue(1, "accepted", day(0)).await;
    let to = verp(&world.token(issue, deliveries[0], 0));
    world.receive(&failure(&to, UNKNOWN), day(0)).await;
    let second = world.receive(&failure(&to, &format!("{UNKNOWN} again")), day(0)).await;
    world.step(day(0)).await;
    let third = world.receive(&failure(&to, &format!("{UNKNOWN} and again")), day(2)).await;
    world.step(day(2)).await;
    for id in [second, third] {
        assert_eq!(world.verdict(id).await, (Verdict::Noted, "counted before".to_owned()));
    }
    assert_eq!(world.stands(0).await, Standing::Active);
}

async fn a_forged_or_untied_report_changes_nobody(app: App) {
    let world = World::new(&app, 2).await;
    let (issue, deliveries) = world.issue(1, "accepted", day(0)).await;
    let (queued, waiting) = world.issue(2, "queued", day(0)).await;
    let foreign =
        DeliveryToken::new(&Master::new([6; 32]).token(), deliveries[0], issue, world.readers[0].0);
    let forged = [
        foreign.to_string(),
        world.token(issue, deliveries[0], 1),
        world.token(issue, 999_999, 0),
        world.token(queued, waiting[0], 0),
    ];
    for token in forged {
        let id = world.receive(&failure(&verp(&token), UNKNOWN), day(0)).await;
        world.step(day(0)).await;
        assert_eq!(world.verdict(id).await.0, Verdict::Forged);
    }
    let id = world.receive(&failure("bounce@news.example.de", UNKNOWN), day(0)).await;
    world.step(day(0)).await;
    assert_eq!(world.verdict(id).await.0, Verdict::Untied);
    assert_eq!(world.stands(0).await, Standing::Active);
    let (bounced,): (i64,) = read!(app.store, |db| sqlx::query_as(
        "select count(*) from delivery where evidence is not null"
    )
    .fetch_one(db)
    .await)
    .unwrap();
    assert_eq!(bounced, 0);
}

async fn a_stale_report_changes_nobody(app: App) {
    let world = World::new(&app, 1).await;
    let (issue, deliveries) = world.issue(1, "accepted", day(0)).await;
    let to = verp(&world.token(issue, deliveries[0], 0));
    let id = world.receive(&failure(&to, UNKNOWN), day(15)).await;
    world.step(day(15)).await;
    assert_eq!(world.verdict(id).await.0, Verdict::Stale);
    assert_eq!(world.stands(0).await, Standing::Active);
}

async fn the_envelope_id_and_the_message_id_tie_as_well(app: App) {
    let world = World::new(&app, 2).await;
    let (issue, deliveries) = world.issue(1, "accepted", day(0)).await;
    let token = world.token(issue, deliveries[0], 0);
    let plain = failure("bounce@news.example.de", UNKNOWN);
    let by_envelope = plain.replace(
        "Reporting-MTA: dns; mx.example.net",
        &format!("Reporting-MTA: dns; mx.example.net\r\nOriginal-Envelope-Id: {token}"),
    );
    let other = world.token(issue, deliveries[1], 1);
    let by_message = plain.replace(
        "--b--",
        &format!(
            "--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID:\r\n <{other}@news.example.de>\r\n\r\n--b--"
        ),
    );
    for mail in [by_envelope, by_message] {
        let id = world.receive(&mail, day(0)).await;
        world.step(day(0)).await;
        assert_eq!(world.verdict(id).await.0, Verdict::Applied, "{mail}");
    }
}

async fn a_complaint_suppresses_at_once_by_the_token_in_its_unsubscribe_link(app: App) {
    let world = World::new(&app, 1).await;
    let (issue, _) = world.issue(1, "accepted", day(0)).await;
    let reader = ReaderToken {
        kind: Kind::Unsubscribe,
        issue,
        subscriber: world.readers[0].0,
        newsletter: world.newsletter.0,
    };
    let link = reader.seal(&master().token());
    let mail = format!(
        "From: staff@provider.example\r\nTo: fbl@news.example.de\r\nSubject: complaint\r\n\
         Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n\
         --b\r\n\r\nThis is an email abuse report.\r\n\
         --b\r\nContent-Type: message/feedback-report\r\n\r\n\
         Feedback-Type: abuse\r\nUser-Agent: SomeGenerator/1.0\r\nVersion: 1\r\n\
         --b\r\nContent-Type: message/rfc822\r\n\r\nFrom: news@example.de\r\n\
         List-Unsubscribe: <https://news.example.de/u/{link}>\r\n\r\nbody\r\n--b--\r\n"
    );
    let id = world.receive(&mail, day(0)).await;
    world.step(day(0)).await;
    assert_eq!(world.verdict(id).await, (Verdict::Applied, "active became complained".to_owned()));
    assert_eq!(world.stands(0).await, Standing::Complained);
    let address = EmailAddress::parse("reader0@example.org").unwrap();
    let mut tx = app.store.begin().await.unwrap();
    let hash = master().suppression().hash(&address);
    assert_eq!(suppression::reason(&mut tx, &hash).await.unwrap(), Some(Why::Complained));
    drop(tx);
    let mut tx = app.store.begin().await.unwrap();
    let taken_back = review::take_back(&mut tx, id, day(1)).await;
    assert!(matches!(taken_back, Err(review::Error::Standing(_))), "a complaint is for good");
}

async fn what_is_our_fault_counts_against_nobody(app: App) {
    let world = World::new(&app, 1).await;
    let ours = [
        "550 5.7.26 This mail is unauthenticated, DMARC policy",
        "554 5.7.1 Client host blocked using zen.example.org",
        "550 5.7.1 message looks like spam",
        "421 4.7.0 too many connections from your host",
    ];
    for n in 0..8 {
        let (issue, deliveries) =
            world.issue(i64::from(n) + 1, "accepted", day(i64::from(n))).await;
        let to = verp(&world.token(issue, deliveries[0], 0));
        let id = world.receive(&failure(&to, ours[n as usize % 4]), day(i64::from(n))).await;
        world.step(day(i64::from(n))).await;
        let (verdict, why) = world.verdict(id).await;
        assert_eq!(verdict, Verdict::Noted, "{why}");
        assert!(why.starts_with("ours: "), "{why}");
    }
    assert_eq!(world.stands(0).await, Standing::Active);
}

async fn a_newsletters_own_policy_is_obeyed(app: App) {
    let world = World::new(&app, 2).await;
    let strict = "[bounce]\nhard = 1\nsoft = 2.0\nsoft_half_life_days = 1\n";
    world.define(|text| text.replace("[bounce]\n", strict)).await;
    let (issue, deliveries) = world.issue(1, "accepted", day(0)).await;
    world.receive(&failure(&verp(&world.token(issue, deliveries[0], 0)), UNKNOWN), day(0)).await;
    world.receive(&failure(&verp(&world.token(issue, deliveries[1], 1)), FULL), day(0)).await;
    world.step(day(0)).await;
    assert_eq!(world.stands(0).await, Standing::Unreachable, "the first hard bounce is enough");
    // The second soft one a day later: the first weighs half by now, and 1.5 is not 2.
    for (n, expected) in [(1, Standing::Active), (2, Standing::Active)] {
        let (issue, deliveries) = world.issue(n + 1, "accepted", day(n)).await;
        let to = verp(&world.token(issue, deliveries[1], 1));
        world.receive(&failure(&to, FULL), day(n)).await;
        world.step(day(n)).await;
        assert_eq!(world.stands(1).await, expected);
    }
    // At once after that the score passes it: 1.75 and one.
    let (issue, deliveries) = world.issue(9, "accepted", day(2)).await;
    world.receive(&failure(&verp(&world.token(issue, deliveries[1], 1)), FULL), day(2)).await;
    world.step(day(2)).await;
    assert_eq!(world.stands(1).await, Standing::Unreachable);
}

async fn soft_bounces_add_up(app: App) {
    let world = World::new(&app, 1).await;
    for n in 0..6 {
        assert_eq!(world.stands(0).await, Standing::Active, "after {n}");
        let (issue, deliveries) = world.issue(n + 1, "accepted", day(n)).await;
        let to = verp(&world.token(issue, deliveries[0], 0));
        world.receive(&failure(&to, FULL), day(n)).await;
        world.step(day(n)).await;
        if world.stands(0).await == Standing::Unreachable {
            assert_eq!(n, 4, "five full mailboxes in five days are enough");
            return;
        }
    }
    panic!("six soft bounces in a row changed nothing");
}

async fn too_much_at_once_is_held_back_until_an_editor_looked(app: App) {
    let world = World::new(&app, 40).await;
    let (issue, deliveries) = world.issue(1, "accepted", day(0)).await;
    let mut ids = Vec::new();
    for (reader, delivery) in deliveries.iter().enumerate().take(25) {
        let to = verp(&world.token(issue, *delivery, reader));
        ids.push(world.receive(&failure(&to, FULL), day(0)).await);
    }
    assert_eq!(world.step(day(0)).await, Done { read: 25, applied: 0, review: 25 });
    let (verdict, why) = world.verdict(ids[0]).await;
    assert_eq!(verdict, Verdict::Review);
    assert!(why.contains("bounced within an hour"), "{why}");
    let outcome = world.decide(ids[0], Decision::AsRead, None, day(1)).await.unwrap();
    assert_eq!(outcome, "remembered");
    let again = world.decide(ids[0], Decision::AsRead, None, day(1)).await;
    assert!(matches!(again, Err(review::Error::Decided(_, Verdict::Decided))));
    // A day later a single bounce counts as ever.
    let to = verp(&world.token(issue, deliveries[30], 30));
    let late = world.receive(&failure(&to, FULL), day(1)).await;
    world.step(day(1)).await;
    assert_eq!(world.verdict(late).await.0, Verdict::Applied);
}

async fn one_domain_that_fails_holds_back_no_other(app: App) {
    let world = World::new(&app, 440).await;
    let (issue, deliveries) = world.issue(1, "accepted", day(0)).await;
    let mut tx = app.store.begin().await.unwrap();
    on!(tx, |c| sqlx::query("update delivery set domain = 'broken.example' where id <= $1")
        .bind(deliveries[39])
        .execute(c)
        .await
        .map(drop))
    .unwrap();
    tx.commit().await.unwrap();
    let mut ids = Vec::new();
    for reader in (0..20).chain([300]) {
        let to = verp(&world.token(issue, deliveries[reader], reader));
        ids.push(world.receive(&failure(&to, UNKNOWN), day(0)).await);
    }
    // 21 of 440 are less than five of a hundred, 20 of that domain's 40 are more.
    assert_eq!(world.step(day(0)).await, Done { read: 21, applied: 1, review: 20 });
    let (verdict, why) = world.verdict(ids[0]).await;
    assert_eq!(verdict, Verdict::Review);
    assert_eq!(why, "more than 5 % of broken.example bounced within an hour");
    assert_eq!(world.verdict(ids[20]).await.0, Verdict::Applied);
}

async fn an_editor_takes_a_decision_back(app: App) {
    let world = World::new(&app, 1).await;
    let (issue, deliveries) = world.issue(1, "accepted", day(0)).await;
    let to = verp(&world.token(issue, deliveries[0], 0));
    let mail = format!(
        "From: MAILER-DAEMON@mx.example.net\r\nTo: {to}\r\nSubject: Returned mail\r\n\r\nQuux.\r\n"
    );
    let id = world.receive(&mail, day(0)).await;
    world.step(day(0)).await;
    assert_eq!(world.verdict(id).await, (Verdict::Review, "not understood".to_owned()));
    world.decide(id, Decision::Hard, None, day(0)).await.unwrap();
    assert_eq!(world.stands(0).await, Standing::Unreachable);
    let mut tx = app.store.begin().await.unwrap();
    let outcome = review::take_back(&mut tx, id, day(1)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(outcome, "unreachable became active");
    assert_eq!(world.stands(0).await, Standing::Active);
    assert_eq!(world.verdict(id).await.1, "taken back; not understood");
    let mut tx = app.store.begin().await.unwrap();
    let again = review::take_back(&mut tx, id, day(1)).await;
    assert!(matches!(again, Err(review::Error::TakenBack(_))), "{again:?}");
    drop(tx);
    let (decided,): (i64,) =
        read!(app.store, |db| sqlx::query_as("select count(*) from audit where noun = 'bounce'")
            .fetch_one(db)
            .await)
        .unwrap();
    assert_eq!(decided, 2);
}

async fn a_taught_phrase_is_understood_next_time(app: App) {
    let world = World::new(&app, 1).await;
    let mut last = Verdict::New;
    for n in 0..2 {
        let (issue, deliveries) = world.issue(n + 1, "accepted", day(n)).await;
        let to = verp(&world.token(issue, deliveries[0], 0));
        let mail = format!(
            "From: MAILER-DAEMON@mx.example.net\r\nTo: {to}\r\nSubject: Returned mail\r\n\r\n\
             Der Briefkasten  quillt über, bitte spaeter ({n}).\r\n"
        );
        let id = world.receive(&mail, day(n)).await;
        world.step(day(n)).await;
        last = world.verdict(id).await.0;
        if n == 0 {
            assert_eq!(last, Verdict::Review);
            let wrong = world
                .decide(
                    id,
                    Decision::Hard,
                    Some(("quillt über", Some(Reason::MailboxFull))),
                    day(0),
                )
                .await;
            assert!(matches!(wrong, Err(review::Error::Reasonless)));
            let short = world
                .decide(id, Decision::Soft, Some(("über", Some(Reason::MailboxFull))), day(0))
                .await;
            assert!(matches!(short, Err(review::Error::Phrase)));
            let kept = Some(("Briefkasten quillt über", Some(Reason::MailboxFull)));
            world.decide(id, Decision::Soft, kept, day(0)).await.unwrap();
        }
    }
    assert_eq!(last, Verdict::Applied);
    // It is stored as it was understood: listed, summed, counted by the breaker.
    let filter = Filter {
        reason: Some("mailbox full".to_owned()),
        domain: Some("example.org".to_owned()),
        kind: Some("failure".to_owned()),
        ..Filter::default()
    };
    let lines = list::page(&app.store, &filter, None, 10).await.unwrap();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].report.0.recipients[0].address, "reader0@example.org");
    let sums = list::sums(&app.store, Over::Reason, &filter, 10).await.unwrap();
    assert_eq!((sums.len(), sums[0].reports, sums[0].hard), (1, 1, 0));
}

async fn a_bounce_proves_that_an_unknown_mail_arrived(app: App) {
    let world = World::new(&app, 1).await;
    let (issue, deliveries) = world.issue(1, "unknown", day(0)).await;
    let to = verp(&world.token(issue, deliveries[0], 0));
    world.receive(&failure(&to, FULL), day(0)).await;
    world.step(day(0)).await;
    let (state, evidence): (String, String) =
        read!(app.store, |db| sqlx::query_as("select state, evidence from delivery where id = $1")
            .bind(deliveries[0])
            .fetch_one(db)
            .await)
        .unwrap();
    assert_eq!((state.as_str(), evidence.as_str()), ("accepted", "bounced"));
}

async fn lists_are_filtered_and_summed(app: App) {
    let world = World::new(&app, 3).await;
    let (issue, deliveries) = world.issue(7, "accepted", day(0)).await;
    for (reader, reply) in [UNKNOWN, FULL, FULL].into_iter().enumerate() {
        let to = verp(&world.token(issue, deliveries[reader], reader));
        world.receive(&failure(&to, reply), day(0)).await;
    }
    world.receive("From: a@example.org\r\nSubject: hello\r\n\r\nhello\r\n", day(0)).await;
    world.step(day(0)).await;
    let all = list::page(&app.store, &Filter::default(), None, 10).await.unwrap();
    assert_eq!(all.len(), 4);
    let next = list::page(&app.store, &Filter::default(), Some(all[1].id), 10).await.unwrap();
    assert_eq!(next.len(), 2);
    let slug = all[3].newsletter.clone();
    let full = Filter {
        newsletter: slug.clone(),
        domain: Some("example.org".to_owned()),
        reason: Some("mailbox full".to_owned()),
        kind: Some("failure".to_owned()),
        verdict: Some(Verdict::Applied),
    };
    assert_eq!(list::page(&app.store, &full, None, 10).await.unwrap().len(), 2);
    let none = Filter { domain: Some("example.net".to_owned()), ..full };
    assert!(list::page(&app.store, &none, None, 10).await.unwrap().is_empty());
    let any = Filter::default();
    let sums = list::sums(&app.store, Over::Domain, &any, 10).await.unwrap();
    let of =
        |i: usize| (sums[i].place.as_str(), sums[i].reason.as_str(), sums[i].reports, sums[i].hard);
    assert_eq!(of(0), ("example.org", "mailbox full", 2, 0));
    assert_eq!(of(1), ("example.org", "user unknown", 1, 1));
    let sums = list::sums(&app.store, Over::Issue, &any, 10).await.unwrap();
    assert_eq!(sums[0].place, format!("{} 7", slug.as_deref().unwrap()));
    let sums = list::sums(&app.store, Over::Newsletter, &any, 10).await.unwrap();
    assert_eq!((sums[0].place.as_str(), sums[0].reports), (slug.as_deref().unwrap(), 2));
    let sums = list::sums(&app.store, Over::Reason, &any, 10).await.unwrap();
    assert_eq!((sums[1].place.as_str(), sums[1].reports), ("user unknown", 1));
    let unknown = Filter { reason: Some("user unknown".to_owned()), ..Filter::default() };
    let sums = list::sums(&app.store, Over::Domain, &unknown, 10).await.unwrap();
    assert_eq!((sums.len(), sums[0].reports), (1, 1));
    let other = Filter { newsletter: Some("other".to_owned()), ..Filter::default() };
    assert!(list::sums(&app.store, Over::Issue, &other, 10).await.unwrap().is_empty());
    let words = list::look(&app.store, all[3].id).await.unwrap().excerpt;
    assert!(words.contains("I'm sorry"), "{words}");
}

async fn sums_are_printed_for_a_script(app: App) {
    run(&app, &format!("init --directory . --database {}", app.database));
    let world = World::new(&app, 1).await;
    let (issue, deliveries) = world.issue(7, "accepted", day(0)).await;
    world.receive(&failure(&verp(&world.token(issue, deliveries[0], 0)), UNKNOWN), day(0)).await;
    world.step(day(0)).await;
    let list = "bounce list --json --sums";
    let sum = run(&app, &format!("{list} newsletter --domain example.org")).object();
    let slug = sum["newsletter"].as_str().unwrap().to_owned();
    let expected = serde_json::json!({
        "newsletter": slug, "reason": "user unknown", "reports": 1, "hard": 1, "probes": 0,
    });
    assert_eq!(sum, expected);
    let sum = run(&app, &format!("{list} reason --newsletter {slug}")).object();
    assert_eq!((&sum["reason"], &sum["reports"]), (&"user unknown".into(), &1.into()));
    let none = run(&app, &format!("{list} issue --domain example.net"));
    assert_eq!((none.code, none.out.as_str()), (0, ""));
    assert_eq!(run(&app, &format!("{list} issue --verdict new")).code, 64, "sums have no verdict");
}

async fn what_a_receiver_refuses_at_once_counts_as_well(app: App) {
    let world = World::new(&app, 3).await;
    let said = [
        ("rcpt", "550 5.1.1 <reader0@example.org>: Recipient address rejected: User unknown"),
        ("rcpt", "550 blocked, see https://example.net/user-unknown"),
        ("dot", "550 user unknown"),
    ];
    for n in 0..2 {
        let (issue, _) = world.issue(n + 1, "failed", day(n)).await;
        let mut tx = app.store.begin().await.unwrap();
        for (reader, (stage, reply)) in said.iter().enumerate() {
            on!(tx, |c| sqlx::query(
                "update delivery set cause = 'permanent', stage = $3, reply = $4
                 where issue_id = $1 and subscriber_id = $2"
            )
            .bind(issue)
            .bind(world.readers[reader])
            .bind(*stage)
            .bind(*reply)
            .execute(c)
            .await
            .map(drop))
            .unwrap();
        }
        tx.commit().await.unwrap();
        assert_eq!(world.step(day(n)).await.read, 3);
        assert_eq!(world.step(day(n)).await.read, 0, "each refusal counts once");
    }
    assert_eq!(world.stands(0).await, Standing::Unreachable);
    assert_eq!(world.stands(1).await, Standing::Active, "our fault");
    assert_eq!(world.stands(2).await, Standing::Active, "bare words after the content");
}
