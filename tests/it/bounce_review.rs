//! `rundbrief bounce review` at the keyboard, on both databases.

use rundbrief::bounce::review::Decision;
use rundbrief::bounce::verdict::Verdict;

use crate::app::{App, on_both};
use crate::issue_cli::run;
use crate::returned::{FULL, UNKNOWN, World, day, failure, verp};

on_both![
    what_was_held_back_is_paged_and_decided_at_once,
    what_cannot_be_decided_is_said_with_a_code,
    what_is_kept_of_bounces_is_shown_with_the_reader,
];

async fn what_was_held_back_is_paged_and_decided_at_once(app: App) {
    run(&app, &format!("init --directory . --database {}", app.database));
    let world = World::new(&app, 25).await;
    let (issue, deliveries) = world.issue(1, "accepted", day(0)).await;
    let odd = "From: MAILER-DAEMON@mx.example.net\r\nSubject: Returned mail\r\n\r\nQuux.\r\n";
    let odd = world.receive(odd, day(0)).await;
    let mut ids = Vec::new();
    for (reader, delivery) in deliveries.iter().enumerate() {
        let to = verp(&world.token(issue, *delivery, reader));
        ids.push(world.receive(&failure(&to, FULL), day(0)).await);
    }
    world.step(day(0)).await;
    assert_eq!(world.verdict(odd).await.0, Verdict::Review);
    let first = run(&app, "bounce review --json --limit 20");
    assert_eq!(first.out.lines().count(), 20);
    let next = format!("bounce review --before {}", ids[5]);
    assert!(first.err.contains(&format!("6 more wait: `rundbrief {next}`")), "{}", first.err);
    let rest = run(&app, &format!("{next} --json"));
    assert_eq!((rest.out.lines().count(), rest.err.contains("more wait")), (6, false));

    assert_eq!(run(&app, "bounce review --held").code, 64);
    assert_eq!(run(&app, "bounce review --held --as hard").code, 64);
    let done = run(&app, "bounce review --held --as as-read --json").object();
    assert_eq!(done, serde_json::json!({"decided": 25, "untied": 0}));
    assert_eq!(world.verdict(ids[24]).await.0, Verdict::Decided);
    assert_eq!(world.verdict(odd).await.0, Verdict::Review, "it was not held back");
    let again = run(&app, "bounce review --held --as nothing --json").object();
    assert_eq!(again["decided"], 0);
}

async fn what_cannot_be_decided_is_said_with_a_code(app: App) {
    run(&app, &format!("init --directory . --database {}", app.database));
    let world = World::new(&app, 1).await;
    let (issue, deliveries) = world.issue(1, "accepted", day(0)).await;
    let to = verp(&world.token(issue, deliveries[0], 0));
    let mail = format!(
        "From: MAILER-DAEMON@mx.example.net\r\nTo: {to}\r\nSubject: Returned mail\r\n\r\nQuux.\r\n"
    );
    let id = world.receive(&mail, day(0)).await;
    world.step(day(0)).await;
    let review = format!("bounce review {id}");
    assert_eq!(run(&app, "bounce review 999").code, 65);
    assert_eq!(run(&app, "bounce review 999 --as hard").code, 65);
    assert_eq!(run(&app, &format!("{review} --as leave --phrase Quux")).code, 64);
    world.decide(id, Decision::Nothing, None, day(0)).await.unwrap();
    assert_eq!(run(&app, &format!("{review} --as hard")).code, 65);
    let kind = run(&app, "bounce list --kind quatsch");
    assert_eq!((kind.code, kind.err.contains("autoreply")), (64, true), "{}", kind.err);
    let none = run(&app, "bounce list --newsletter nix");
    assert_eq!(none.code, 65);
    assert!(none.err.contains("there is no newsletter \"nix\""), "{}", none.err);
}

async fn what_is_kept_of_bounces_is_shown_with_the_reader(app: App) {
    run(&app, &format!("init --directory . --database {}", app.database));
    let world = World::new(&app, 2).await;
    let (issue, deliveries) = world.issue(1, "accepted", day(0)).await;
    for (reader, words) in [(0, UNKNOWN), (1, FULL)] {
        let to = verp(&world.token(issue, deliveries[reader], reader));
        world.receive(&failure(&to, words), day(0)).await;
    }
    world.step(day(0)).await;
    let hard = run(&app, "subscriber show reader0@example.org --json").object();
    assert_eq!(hard["bounces"][0]["recipients"][0]["reason"], "user unknown");
    assert_eq!(
        (&hard["bounces"][0]["number"], &hard["bounces"][0]["verdict"]),
        (&1.into(), &"applied".into())
    );
    assert!(hard["remembered"][0]["last_hard_at"].is_string(), "{hard}");
    assert_eq!(
        (&hard["errands"][0]["kind"], &hard["errands"][0]["state"]),
        (&"probe".into(), &"queued".into())
    );
    let soft = run(&app, "subscriber show reader1@example.org --json").object();
    assert_eq!(soft["remembered"][0]["score"], 1.0);
    assert_eq!(soft["errands"], serde_json::json!([]));
}
