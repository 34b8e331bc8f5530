//! An issue's way from articles to a frozen letter, on both databases: composing,
//! the state machine, approval. What the clock does is in `due.rs`.

use jiff::{SignedDuration, Timestamp};
use rundbrief::article::entry::{self, Identity};
use rundbrief::article::{ArticleId, Record, WebAddress};
use rundbrief::issue::content::Form;
use rundbrief::issue::freeze::{self, Chance, Material};
use rundbrief::issue::state::{State, Step};
use rundbrief::issue::{self, Error, Issue, IssueId, archive, compose, draft, forecast};
use rundbrief::letter::address::Office;
use rundbrief::newsletter::{self, Newsletter};
use rundbrief::{on, read};

use crate::app::{App, on_both};

on_both![
    what_one_issue_shows_the_next_does_not,
    a_cancelled_issue_gives_its_articles_back,
    every_arrow_is_walked_once_and_refused_from_elsewhere,
    queueing_twice_is_queueing_once,
    an_editors_change_needs_the_draft_it_was_made_on,
    a_frozen_letter_comes_back_whole,
    an_issue_changed_since_it_was_read_is_not_frozen,
    an_approval_covers_the_mail_to_the_letter,
    cancelling_takes_back_what_is_not_on_the_wire,
    a_forecast_counts_who_gets_it_and_who_does_not,
];

/// Monday, 23 November 2026, 8:00 in Berlin; the example's schedule is Thursday at 7.
pub fn monday() -> Timestamp {
    "2026-11-23T07:00:00Z".parse().unwrap()
}

pub fn minutes(count: i64) -> SignedDuration {
    SignedDuration::from_mins(count)
}

pub fn office() -> Office {
    Office {
        base: "https://news.example.de".to_owned(),
        domain: "news.example.de".to_owned(),
        unsubscribe: None,
        at_home: false,
    }
}

pub fn chance() -> Chance {
    Chance::of([7; 32])
}

/// The example newsletter with other policies.
pub async fn apply(app: &App, policies: &str) -> Newsletter {
    let text = include_str!("../../deploy/newsletter.toml");
    let (before, _) = text.split_once("[policies]").unwrap();
    let text = format!("{before}[policies]\n{policies}\n");
    let definition = newsletter::parse(&text, "test.toml".as_ref()).unwrap();
    let mut tx = app.store.begin().await.unwrap();
    newsletter::apply(&mut tx, &definition, monday()).await.unwrap();
    tx.commit().await.unwrap();
    newsletter::find(&app.store, "musterhafen").await.unwrap().unwrap()
}

pub async fn article(app: &App, title: &str) -> ArticleId {
    named(app, title, title, None).await
}

async fn named(app: &App, guid: &str, title: &str, url: Option<&str>) -> ArticleId {
    let record = Record {
        title: title.to_owned(),
        teaser: format!("{title}: was die Stadt jetzt plant und wer dabei mitreden kann."),
        categories: vec!["Rathaus".to_owned()],
        url: url.map(|url| WebAddress::parse(url).unwrap()),
        ..Record::default()
    };
    let identity = Identity { source: None, origin: "hand".to_owned(), guid: guid.to_owned() };
    let mut tx = app.store.begin().await.unwrap();
    let stored = entry::put(&mut tx, &identity, &record, monday().into()).await.unwrap();
    tx.commit().await.unwrap();
    stored.id()
}

pub async fn composed(app: &App, newsletter: &Newsletter) -> Option<Issue> {
    let mut tx = app.store.begin().await.unwrap();
    let made = draft::compose(&mut tx, newsletter, None, monday()).await.unwrap();
    tx.commit().await.unwrap();
    Some(get(app, made.issue?).await)
}

pub async fn get(app: &App, id: IssueId) -> Issue {
    issue::get(&app.store, id).await.unwrap().unwrap()
}

/// A newsletter with one draft of one article.
pub async fn drafted(app: &App, policies: &str) -> (Newsletter, Issue) {
    let newsletter = apply(app, policies).await;
    article(app, "Neue Radwege").await;
    let issue = composed(app, &newsletter).await.unwrap();
    (newsletter, issue)
}

pub async fn queue(app: &App, id: IssueId, at: Timestamp) {
    let mut tx = app.store.begin().await.unwrap();
    issue::queue(&mut tx, id, at.into(), "test", monday()).await.unwrap();
    tx.commit().await.unwrap();
}

/// Takes one step and says where the issue is then, or the refusal.
async fn walk(app: &App, id: IssueId, step: Step) -> Result<State, String> {
    let mut tx = app.store.begin().await.unwrap();
    let now = monday();
    let done = match step {
        Step::Queue => issue::queue(&mut tx, id, now.into(), "test", now).await,
        Step::Undo => issue::undo(&mut tx, id, now).await,
        Step::Freeze => {
            let read = get(app, id).await;
            let newsletter = newsletter::get(&app.store, read.newsletter_id).await.unwrap();
            let pieces = archive::pieces(&app.store, id.0).await.unwrap();
            let letter = letter(&read, &newsletter, &pieces);
            freeze::store(&mut tx, &read, &letter, now).await
        }
        Step::Pause => issue::pause(&mut tx, id, "by hand", now).await,
        Step::Resume => issue::resume(&mut tx, id, now).await,
        Step::Cancel => issue::cancel(&mut tx, id, now).await,
        Step::Reopen => issue::reopen(&mut tx, id, now).await,
        // These two are the delivery's.
        Step::Start => set(&mut tx, id, "expanding", "sending").await,
        Step::Finish => set(&mut tx, id, "sending", "finished").await,
    };
    match done {
        Ok(()) => tx.commit().await.unwrap(),
        Err(error) => return Err(error.to_string()),
    }
    Ok(get(app, id).await.state)
}

async fn set(
    tx: &mut rundbrief::store::Tx,
    id: IssueId,
    old: &str,
    new: &str,
) -> Result<(), Error> {
    on!(*tx, |c| sqlx::query("update issue set state = $3 where id = $1 and state = $2")
        .bind(id)
        .bind(old)
        .bind(new)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

fn letter(
    issue: &Issue,
    newsletter: &Newsletter,
    pieces: &[archive::Piece],
) -> rundbrief::letter::splice::Letter {
    let (definition, office) = (&newsletter.definition, &office());
    Material { issue, definition, pieces, office, pictures: &[] }
        .letter(monday(), chance())
        .unwrap()
}

async fn what_one_issue_shows_the_next_does_not(app: App) {
    let newsletter = apply(&app, "").await;
    assert!(composed(&app, &newsletter).await.is_none(), "nothing new gives no issue");
    let first = article(&app, "Neue Radwege").await;
    let one = composed(&app, &newsletter).await.unwrap();
    assert_eq!((one.number, one.subject.as_str(), one.state), (1, "Neue Radwege", State::Draft));
    assert!(composed(&app, &newsletter).await.is_none());
    let second = article(&app, "Haushalt 2027").await;
    let two = composed(&app, &newsletter).await.unwrap();
    let shown = |issue: &Issue| -> Vec<_> {
        issue.content.0.items().map(|(item, _)| (item.article, item.form)).collect()
    };
    assert_eq!(shown(&one), [(first, Form::Lead)]);
    assert_eq!(shown(&two), [(second, Form::Lead)]);
    assert_eq!(two.number, 2);
    let found = issue::find(&app.store, "musterhafen/2").await.unwrap().unwrap();
    assert_eq!(found.id, two.id);
    assert!(issue::find(&app.store, "musterhafen/9").await.unwrap().is_none());
    assert!(issue::find(&app.store, "nonsense").await.unwrap().is_none());
    let all = issue::list(&app.store, newsletter.id, IssueId(i64::MAX), 10).await.unwrap();
    assert_eq!(all.iter().map(|one| one.number).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(issue::shown_before(&app.store, two.id).await.unwrap(), Vec::<String>::new());
    // The same again from elsewhere: by its title, and by its address.
    for (guid, title, url) in [
        ("b", "Haushalt 2027", None),
        ("c", "Radwege", Some("https://example.de/radwege")),
        ("d", "Radwege: ein Nachtrag", Some("https://example.de/radwege")),
    ] {
        named(&app, guid, title, url).await;
        let next = composed(&app, &newsletter).await.unwrap();
        let again = issue::shown_before(&app.store, next.id).await.unwrap();
        assert_eq!(again, if guid == "c" { Vec::new() } else { vec![title.to_owned()] });
    }
}

async fn a_cancelled_issue_gives_its_articles_back(app: App) {
    let (newsletter, one) = drafted(&app, "").await;
    assert_eq!(walk(&app, one.id, Step::Cancel).await, Ok(State::Cancelled));
    let two = composed(&app, &newsletter).await.unwrap();
    assert_eq!((two.number, two.subject.as_str()), (2, "Neue Radwege"));
}

async fn every_arrow_is_walked_once_and_refused_from_elsewhere(app: App) {
    let (_, one) = drafted(&app, "").await;
    let id = one.id;
    for (step, state) in [
        (Step::Queue, State::Queued),
        (Step::Undo, State::Draft),
        (Step::Queue, State::Queued),
        (Step::Pause, State::Paused),
        (Step::Resume, State::Queued),
        (Step::Freeze, State::Expanding),
        (Step::Pause, State::Paused),
        (Step::Resume, State::Expanding),
        (Step::Start, State::Sending),
        (Step::Pause, State::Paused),
        (Step::Reopen, State::Paused),
        (Step::Resume, State::Sending),
        (Step::Reopen, State::Sending),
        (Step::Finish, State::Finished),
        (Step::Reopen, State::Sending),
        (Step::Finish, State::Finished),
    ] {
        let before = get(&app, id).await.state;
        for refused in Step::ALL {
            let delivery = matches!(refused, Step::Start | Step::Finish);
            // The same request queues again without a word: a button pressed twice.
            let twice = before == State::Queued && refused == Step::Queue;
            // Only what was being sent can be sent again.
            let early = refused == Step::Reopen && before == State::Paused;
            if early {
                continue;
            }
            if refused.from().contains(&before) || delivery || twice {
                continue;
            }
            let said = walk(&app, id, refused).await.unwrap_err();
            let wanted = format!("issue {id} is {before}; only one that is ");
            assert!(said.starts_with(&wanted), "{said}");
        }
        assert_eq!(walk(&app, id, step).await, Ok(state), "{before} {step:?}");
    }
    for step in [Step::Queue, Step::Undo, Step::Freeze, Step::Pause, Step::Resume, Step::Cancel] {
        assert!(walk(&app, id, step).await.is_err(), "a finished issue stays: {step:?}");
    }
    let mut tx = app.store.begin().await.unwrap();
    let none = issue::pause(&mut tx, IssueId(999), "x", monday()).await.unwrap_err();
    assert_eq!(none.to_string(), "there is no issue 999; `rundbrief issue list` shows them");
}

async fn queueing_twice_is_queueing_once(app: App) {
    let (_, one) = drafted(&app, "").await;
    queue(&app, one.id, monday() + minutes(2)).await;
    // The second click comes a minute later and moves nothing.
    queue(&app, one.id, monday() + minutes(3)).await;
    let queued = get(&app, one.id).await;
    assert_eq!(queued.send_at, Some((monday() + minutes(2)).into()));
    let mut tx = app.store.begin().await.unwrap();
    let other = issue::queue(&mut tx, one.id, monday().into(), "other", monday()).await;
    assert!(matches!(other, Err(Error::State { state: State::Queued, .. })));
}

async fn an_editors_change_needs_the_draft_it_was_made_on(app: App) {
    let newsletter = apply(&app, "").await;
    article(&app, "Neue Radwege").await;
    let kept = article(&app, "Haushalt 2027").await;
    let read = composed(&app, &newsletter).await.unwrap();
    let mut new = compose::Draft {
        subject: "Haushalt und mehr".to_owned(),
        preheader: read.preheader.clone(),
        content: read.content.0.clone(),
    };
    for section in &mut new.content.sections {
        section.blocks.retain(|block| block.item().is_some_and(|item| item.article == kept));
    }
    let later = monday() + minutes(1);
    let mut tx = app.store.begin().await.unwrap();
    draft::save(&mut tx, &read, &new, later).await.unwrap();
    tx.commit().await.unwrap();
    let saved = get(&app, read.id).await;
    assert_eq!(saved.subject, "Haushalt und mehr");
    let pieces = archive::pieces(&app.store, read.id.0).await.unwrap();
    assert_eq!(pieces.iter().map(|piece| piece.id).collect::<Vec<_>>(), [kept]);
    // Somebody else had the old draft open.
    let mut tx = app.store.begin().await.unwrap();
    assert!(draft::save(&mut tx, &read, &new, later).await.is_err());
    drop(tx);
    // What was dropped is new for the next issue.
    assert_eq!(composed(&app, &newsletter).await.unwrap().subject, "Neue Radwege");
}

async fn a_frozen_letter_comes_back_whole(app: App) {
    let (newsletter, one) = drafted(&app, "").await;
    assert!(freeze::load(&app.store, one.id).await.is_err());
    queue(&app, one.id, monday()).await;
    assert_eq!(walk(&app, one.id, Step::Freeze).await, Ok(State::Expanding));
    let pieces = archive::pieces(&app.store, one.id.0).await.unwrap();
    let read = freeze::load(&app.store, one.id).await.unwrap();
    assert_eq!(read, letter(&get(&app, one.id).await, &newsletter, &pieces));
    assert_eq!((read.head.issue, read.head.newsletter), (one.id.0, newsletter.id.0));
    assert!(archive::edition(&app.store, newsletter.id.0, 1).await.unwrap().is_some());

    let mut tx = app.store.begin().await.unwrap();
    on!(tx, |c| sqlx::query("update letter set frozen = $2 where issue_id = $1")
        .bind(one.id)
        .bind(&b"RBLETT1\n"[..])
        .execute(c)
        .await
        .map(drop))
    .unwrap();
    tx.commit().await.unwrap();
    let damaged = freeze::load(&app.store, one.id).await.unwrap_err();
    assert!(format!("{damaged:#}").contains("damaged"), "{damaged:#}");
}

async fn an_issue_changed_since_it_was_read_is_not_frozen(app: App) {
    let (newsletter, one) = drafted(&app, "").await;
    queue(&app, one.id, monday()).await;
    let read = get(&app, one.id).await;
    let mut tx = app.store.begin().await.unwrap();
    issue::undo(&mut tx, one.id, monday() + minutes(1)).await.unwrap();
    let later = monday() + minutes(2);
    issue::queue(&mut tx, one.id, later.into(), "again", later).await.unwrap();
    tx.commit().await.unwrap();
    let letter = letter(&read, &newsletter, &[]);
    let mut tx = app.store.begin().await.unwrap();
    assert!(freeze::store(&mut tx, &read, &letter, later).await.is_err());
}

async fn an_approval_covers_the_mail_to_the_letter(app: App) {
    let (newsletter, one) = drafted(&app, "").await;
    let pieces = archive::pieces(&app.store, one.id.0).await.unwrap();
    let hash = |issue: &Issue, newsletter: &Newsletter| {
        let (definition, office) = (&newsletter.definition, &office());
        Material { issue, definition, pieces: &pieces, office, pictures: &[] }.hash().unwrap()
    };
    let seen = hash(&one, &newsletter);
    let mut tx = app.store.begin().await.unwrap();
    issue::approve(&mut tx, one.id, &seen, "somebody", monday()).await.unwrap();
    tx.commit().await.unwrap();
    let approved = get(&app, one.id).await;
    assert_eq!(approved.approved_hash.as_deref(), Some(&seen[..]));
    assert_eq!(hash(&approved, &newsletter), seen, "it does not depend on the day or on chance");
    let mut changed = approved.clone();
    changed.preheader.push('!');
    assert_ne!(hash(&changed, &newsletter), seen);
    let mut other = newsletter.clone();
    other.definition.sender.reply_to = "other@example.de".to_owned().try_into().unwrap();
    assert_ne!(hash(&approved, &other), seen);
}

async fn cancelling_takes_back_what_is_not_on_the_wire(app: App) {
    let (_, one) = drafted(&app, "").await;
    for step in [Step::Queue, Step::Freeze, Step::Start] {
        walk(&app, one.id, step).await.unwrap();
    }
    let mut tx = app.store.begin().await.unwrap();
    for (i, state) in ["queued", "claimed", "deferred", "sending", "accepted"].iter().enumerate() {
        on!(tx, |c| sqlx::query(
            "insert into delivery (issue_id, address_hash, domain, state, changed_at)
             values ($1, $2, 'example.org', $3, 0)"
        )
        .bind(one.id)
        .bind(&[i as u8][..])
        .bind(*state)
        .execute(c)
        .await
        .map(drop))
        .unwrap();
    }
    issue::cancel(&mut tx, one.id, monday()).await.unwrap();
    assert_eq!(issue::take_back(&mut tx, one.id, monday().into()).await.unwrap(), 3);
    assert_eq!(issue::take_back(&mut tx, one.id, monday().into()).await.unwrap(), 0);
    tx.commit().await.unwrap();
    let left: Vec<(String,)> = read!(app.store, |db| sqlx::query_as(
        "select state from delivery where state <> 'cancelled' order by id"
    )
    .fetch_all(db)
    .await)
    .unwrap();
    assert_eq!(left, [("sending".to_owned(),), ("accepted".to_owned(),)]);
}

async fn a_forecast_counts_who_gets_it_and_who_does_not(app: App) {
    let newsletter = apply(&app, "").await;
    let mut tx = app.store.begin().await.unwrap();
    for (i, standing) in ["active", "active", "active", "paused", "left"].iter().enumerate() {
        let (address, hash) = (format!("reader{i}@example.org"), [i as u8; 32]);
        on!(tx, |c| {
            sqlx::query(
                "insert into subscriber
                     (id, address, address_normal, address_hash, domain, created_at, updated_at)
                 values ($1, $2, $2, $3, 'example.org', 0, 0)",
            )
            .bind(i as i64 + 1)
            .bind(&address)
            .bind(&hash[..])
            .execute(&mut *c)
            .await
            .map(drop)
            .unwrap();
            sqlx::query(
                "insert into subscription (subscriber_id, newsletter_id, standing, since)
                 values ($1, $2, $3, 0)",
            )
            .bind(i as i64 + 1)
            .bind(newsletter.id)
            .bind(*standing)
            .execute(&mut *c)
            .await
            .map(drop)
            .unwrap();
        });
    }
    on!(tx, |c| sqlx::query(
        "insert into suppression (address_hash, reason, at) values ($1, 'left', 0)"
    )
    .bind(&[2u8; 32][..])
    .execute(c)
    .await
    .map(drop))
    .unwrap();
    tx.commit().await.unwrap();
    let audience = forecast::audience(&app.store, newsletter.id).await.unwrap();
    assert_eq!(audience.gets, 2);
    let kept: Vec<(&str, i64)> = audience.kept.iter().map(|(why, n)| (&**why, *n)).collect();
    assert_eq!(kept, [("left", 1), ("paused", 1), ("suppressed", 1)]);
}
