//! What workers that say nothing hold is named, and who settles it when.

use std::process::Command;

use rundbrief::delivery::{expand, silent};
use rundbrief::store::Kind;
use rundbrief::store::value::Millis;

use crate::app::{App, on_both};
use crate::delivery::{execute, issue, now, readers};
use crate::delivery_process::initialise;

on_both![mails_of_a_silent_worker_are_named];

async fn mails_of_a_silent_worker_are_named(app: App) {
    let issue = issue(&app, &readers(5)).await;
    while expand::step(&app.store, issue, now()).await.unwrap() != expand::Progress::Idle {}
    let kind = app.store.kind();
    execute(
        &app.store,
        "insert into worker (host, boot, started_at, heartbeat_at)
         values ('here:/a#1', 'b', 1, 1000), ('here:/b#2', 'b', 1, 9000000000000)",
    )
    .await;
    execute(
        &app.store,
        "update delivery
         set state = case id % 3 when 0 then 'claimed' else 'sending' end,
             worker_id = (select min(id) from worker)
                 + case when id > (select min(id) + 2 from delivery) then 1 else 0 end",
    )
    .await;
    let found = silent::of(&app.store, issue, now()).await.unwrap();
    let [one] = &found[..] else { panic!("{found:?}") };
    assert_eq!((one.host.as_str(), one.mails, one.heard_at), ("here:/a#1", 3, Millis(1000)));
    let others = (kind == Kind::Postgres).then_some(Millis(631_000));
    assert_eq!(one.settled_at(kind), others);

    initialise(&app);
    let report = Command::new(env!("CARGO_BIN_EXE_rundbrief"))
        .current_dir(app.directory())
        .args(["issue", "report", "1"])
        .output()
        .unwrap();
    let text = String::from_utf8(report.stdout).unwrap();
    assert!(text.contains("3 of these are held by worker"), "{text}");
    assert!(text.contains("silent since 1970-01-01T00:00:01"), "{text}");
    assert_eq!(text.contains("other workers do at"), kind == Kind::Postgres, "{text}");
}
