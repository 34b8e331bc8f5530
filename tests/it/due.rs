//! What the clock does with issues, on both databases: the schedule composes, queued
//! issues begin, and what is late follows the newsletter's policy.

use jiff::{SignedDuration, Timestamp};
use rundbrief::issue::due::{self, Begun, Composed};
use rundbrief::issue::freeze::Material;
use rundbrief::issue::state::State;
use rundbrief::issue::{self, IssueId, archive, draft};
use rundbrief::newsletter;
use rundbrief::on;
use rundbrief::store::value::Millis;

use crate::app::{App, on_both};
use crate::issue::{
    apply, article, chance, composed, drafted, get, minutes, monday, office, queue,
};

on_both![
    a_moment_composes_once_whoever_asks,
    the_schedule_queues_when_it_may,
    a_blocked_issue_waits_as_a_draft,
    what_was_missed_follows_the_policy,
    a_queued_issue_begins_at_its_time_and_not_before,
    a_late_issue_is_asked_about_sent_or_left_out,
    what_changes_after_its_approval_does_not_begin,
    applying_again_swallows_no_moment,
    a_newsletter_that_cannot_be_read_stops_no_other,
];

/// Thursday's moment.
fn thursday() -> Timestamp {
    "2026-11-26T06:00:00Z".parse().unwrap()
}

async fn due_at(app: &App, now: Timestamp) -> Vec<Composed> {
    let done = due::compose(&app.store, &office(), now).await.unwrap();
    done.composed.into_iter().map(|(_, composed)| composed).collect()
}

async fn a_moment_composes_once_whoever_asks(app: App) {
    let before = apply(&app, "").await;
    article(&app, "Neue Radwege").await;
    assert_eq!(due_at(&app, thursday() - minutes(1)).await, []);
    assert!(matches!(due_at(&app, thursday()).await[..], [Composed::Waits(IssueId(1))]));
    assert_eq!(due_at(&app, thursday() + minutes(1)).await, []);
    let after = newsletter::get(&app.store, before.id).await.unwrap();
    assert_eq!(after.last_slot.as_deref(), Some("2026-11-26T07:00:00"));
    assert_eq!(after.next_at, Some(Millis::from(thursday() + SignedDuration::from_hours(7 * 24))));
    assert_eq!(get(&app, IssueId(1)).await.slot.as_deref(), Some("2026-11-26T07:00:00"));

    // A second process that read the newsletter before: the moment is taken.
    let schedule = before.definition.schedule().unwrap();
    let fired = schedule.next(monday()).unwrap();
    let mut tx = app.store.begin().await.unwrap();
    assert!(!newsletter::advance(&mut tx, &before, &fired, None).await.unwrap());
    drop(tx);
    // Even if it were not, one moment makes one issue.
    article(&app, "Haushalt").await;
    let mut tx = app.store.begin().await.unwrap();
    let slot = Some("2026-11-26T07:00:00");
    let twice = draft::compose(&mut tx, &after, slot, thursday()).await.unwrap();
    assert_eq!(twice.issue, None);
}

async fn the_schedule_queues_when_it_may(app: App) {
    apply(&app, "when_due = \"queue\"").await;
    article(&app, "Neue Radwege").await;
    assert_eq!(due_at(&app, thursday()).await, [Composed::Queued(IssueId(1))]);
    let queued = get(&app, IssueId(1)).await;
    assert_eq!(queued.state, State::Queued);
    assert_eq!(queued.send_at, Some(Millis::from(thursday() + minutes(2))), "time to undo");
    let week = SignedDuration::from_hours(7 * 24);
    assert_eq!(due_at(&app, thursday() + week).await, [Composed::Nothing]);
}

async fn a_blocked_issue_waits_as_a_draft(app: App) {
    apply(&app, "when_due = \"queue\"").await;
    article(&app, "Lorem ipsum dolor").await;
    let done = due_at(&app, thursday()).await;
    let [Composed::Blocked(id, findings)] = &done[..] else { panic!("{done:?}") };
    assert!(!findings.is_empty());
    assert_eq!(get(&app, *id).await.state, State::Draft);
}

async fn what_was_missed_follows_the_policy(app: App) {
    // Down for three weeks and a day: the last moment counts, and it is late.
    let back = thursday() + SignedDuration::from_hours(22 * 24);
    apply(&app, "when_due = \"queue\"\nlate = \"skip\"").await;
    article(&app, "Neue Radwege").await;
    assert_eq!(due_at(&app, back).await, [Composed::Skipped]);
    assert_eq!(due_at(&app, back).await, []);

    let week = SignedDuration::from_hours(7 * 24);
    apply(&app, "when_due = \"queue\"\nlate = \"ask\"").await;
    assert_eq!(due_at(&app, back + week).await, [Composed::Waits(IssueId(1))]);

    apply(&app, "when_due = \"queue\"\nlate = \"send\"").await;
    article(&app, "Haushalt").await;
    assert_eq!(due_at(&app, back + week + week).await, [Composed::Queued(IssueId(2))]);
    let slot = get(&app, IssueId(2)).await.slot;
    assert_eq!(slot.as_deref(), Some("2026-12-31T07:00:00"), "one issue for all that was missed");

    // An hour is not late yet.
    apply(&app, "when_due = \"queue\"\nlate = \"skip\"").await;
    article(&app, "Advent").await;
    let next: Timestamp = "2027-01-07T07:00:00Z".parse().unwrap();
    assert_eq!(due_at(&app, next).await, [Composed::Queued(IssueId(3))]);
}

async fn begin(app: &App, now: Timestamp) -> Vec<Begun> {
    due::begin(&app.store, &office(), now, &mut chance).await.unwrap()
}

async fn a_queued_issue_begins_at_its_time_and_not_before(app: App) {
    let (_, one) = drafted(&app, "").await;
    queue(&app, one.id, monday() + minutes(2)).await;
    assert_eq!(begin(&app, monday() + minutes(1)).await, []);
    assert_eq!(begin(&app, monday() + minutes(2)).await, [Begun::Frozen(one.id)]);
    let frozen = get(&app, one.id).await;
    assert_eq!(frozen.state, State::Expanding);
    assert_eq!(frozen.frozen_at, Some((monday() + minutes(2)).into()));
    assert_eq!(begin(&app, monday() + minutes(3)).await, []);
}

async fn a_late_issue_is_asked_about_sent_or_left_out(app: App) {
    let late = monday() + minutes(121);
    let (_, one) = drafted(&app, "late = \"ask\"").await;
    queue(&app, one.id, monday()).await;
    assert_eq!(begin(&app, late).await, [Begun::Asked(one.id)]);
    let paused = get(&app, one.id).await;
    assert_eq!((paused.state, paused.paused_from), (State::Paused, Some(State::Queued)));
    let why = paused.paused_why.unwrap();
    assert!(why.starts_with("its time, 2026-11-23 08:00, passed"), "{why}");
    // An editor lets it go, and it goes: it is not late again.
    let mut tx = app.store.begin().await.unwrap();
    issue::resume(&mut tx, one.id, late).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(begin(&app, late).await, [Begun::Frozen(one.id)]);

    let newsletter = apply(&app, "late = \"skip\"").await;
    article(&app, "Haushalt").await;
    let two = composed(&app, &newsletter).await.unwrap();
    queue(&app, two.id, monday()).await;
    assert_eq!(begin(&app, late).await, [Begun::Skipped(two.id)]);
    assert_eq!(get(&app, two.id).await.state, State::Cancelled);

    let newsletter = apply(&app, "late = \"send\"").await;
    let three = composed(&app, &newsletter).await.unwrap();
    queue(&app, three.id, monday()).await;
    assert_eq!(begin(&app, late).await, [Begun::Frozen(three.id)]);
}

/// Approves an issue exactly as it is now.
async fn approve(app: &App, id: IssueId, newsletter: &newsletter::Newsletter) {
    let issue = &get(app, id).await;
    let pieces = &archive::pieces(&app.store, id.0).await.unwrap();
    let (definition, office) = (&newsletter.definition, &office());
    let hash = Material { issue, definition, pieces, office, pictures: &[] }.hash().unwrap();
    let mut tx = app.store.begin().await.unwrap();
    issue::approve(&mut tx, id, &hash, "somebody", monday()).await.unwrap();
    tx.commit().await.unwrap();
}

async fn what_changes_after_its_approval_does_not_begin(app: App) {
    let (before, one) = drafted(&app, "approval = \"required\"").await;
    approve(&app, one.id, &before).await;
    queue(&app, one.id, monday()).await;
    let mut changed = before.definition.clone();
    changed.sender.reply_to = "andere@example.de".to_owned().try_into().unwrap();
    changed.policies.approval = newsletter::definition::Approval::None;
    let mut tx = app.store.begin().await.unwrap();
    newsletter::apply(&mut tx, &changed, monday()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(begin(&app, monday()).await, [Begun::Asked(one.id)]);
    let why = get(&app, one.id).await.paused_why.unwrap();
    assert!(why.starts_with("it is not what was approved"), "{why}");

    // Resumed without another approval it asks again; approved as it is now it goes out.
    let now = newsletter::get(&app.store, before.id).await.unwrap();
    for (approved, begun) in [(false, Begun::Asked(one.id)), (true, Begun::Frozen(one.id))] {
        if approved {
            approve(&app, one.id, &now).await;
        }
        let mut tx = app.store.begin().await.unwrap();
        issue::resume(&mut tx, one.id, monday()).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(begin(&app, monday()).await, [begun]);
    }
}

async fn applying_again_swallows_no_moment(app: App) {
    let before = apply(&app, "").await;
    let mut changed = before.definition.clone();
    changed.title = newsletter::field::Line::parse("Neuer Name").unwrap();
    let mut tx = app.store.begin().await.unwrap();
    let after = thursday() + minutes(1);
    let applied = newsletter::apply(&mut tx, &changed, after).await.unwrap();
    assert!(matches!(applied, newsletter::Applied::Changed(_)));
    let again = newsletter::apply(&mut tx, &changed, after).await.unwrap();
    assert!(matches!(again, newsletter::Applied::Unchanged(_)));
    tx.commit().await.unwrap();
    let still = newsletter::get(&app.store, before.id).await.unwrap();
    assert_eq!(still.next_at, before.next_at, "Thursday's moment is still due");
    // Another schedule begins anew.
    changed.schedule = Some(newsletter::field::Expression::parse("0 9 * * Fri").unwrap());
    let mut tx = app.store.begin().await.unwrap();
    newsletter::apply(&mut tx, &changed, after).await.unwrap();
    tx.commit().await.unwrap();
    let anew = newsletter::get(&app.store, before.id).await.unwrap();
    assert_eq!(anew.next_at.unwrap().to_string(), "2026-11-27T08:00:00.000Z");
    assert_eq!(newsletter::list(&app.store).await.unwrap().newsletters, [anew]);
}

async fn a_newsletter_that_cannot_be_read_stops_no_other(app: App) {
    let (_, waiting) = drafted(&app, "").await;
    queue(&app, waiting.id, monday()).await;
    let mut other = apply(&app, "").await.definition;
    other.slug = newsletter::field::Slug::parse("andere").unwrap();
    let mut tx = app.store.begin().await.unwrap();
    newsletter::apply(&mut tx, &other, monday()).await.unwrap();
    on!(tx, |c| sqlx::query(
        "update newsletter set definition = '{\"slug\": 1}' where slug <> 'andere'"
    )
    .execute(c)
    .await
    .map(drop))
    .unwrap();
    tx.commit().await.unwrap();

    let looked = due::compose(&app.store, &office(), thursday()).await.unwrap();
    let [(composed, Composed::Waits(_))] = &looked.composed[..] else { panic!("{looked:?}") };
    assert_eq!(composed.definition.slug.as_str(), "andere");
    let [damaged] = &looked.damaged[..] else { panic!("{looked:?}") };
    assert!(damaged.to_string().contains("newsletter \"musterhafen\" cannot be read"));
    assert_eq!(newsletter::list(&app.store).await.unwrap().damaged, std::slice::from_ref(damaged));

    // Its queued issue asks an editor; its file, applied again, mends it.
    assert_eq!(begin(&app, monday() + minutes(1)).await, [Begun::Asked(waiting.id)]);
    let why = get(&app, waiting.id).await.paused_why.unwrap();
    assert!(why.contains("newsletter apply FILE"), "{why}");
    apply(&app, "").await;
    assert_eq!(newsletter::list(&app.store).await.unwrap().damaged, []);
}
