//! `rundbrief bounce review` at the keyboard, on both databases.

use rundbrief::bounce::review::Decision;
use rundbrief::bounce::verdict::Verdict;

use crate::app::{App, on_both};
use crate::issue_cli::run;
use crate::returned::{FULL, World, day, failure, verp};

on_both![
    what_was_held_back_is_paged_and_decided_at_once,
    what_cannot_be_decided_is_said_with_a_code,
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
    let none = run(&app, "bounce list --newsletter nix");
    assert_eq!(none.code, 65);
    assert!(none.err.contains("there is no newsletter \"nix\""), "{}", none.err);
}
