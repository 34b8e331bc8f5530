//! The list: import, standings, suppression, erasure, on both databases.

use jiff::Timestamp;
use rundbrief::newsletter::{self, NewsletterId};
use rundbrief::store::Store;
use rundbrief::store::value::Millis;
use rundbrief::subscriber::import::{Candidate, Fate, Plan};
use rundbrief::subscriber::list::Filter;
use rundbrief::subscriber::standing::{Cause, Error};
use rundbrief::subscriber::{
    SubscriberId, SubscriptionId, consent, erase, find, get, import, list, rename, standing,
    suppression,
};
use rundbrief::{on, read};
use rundbrief_subscribers::address::EmailAddress;
use rundbrief_subscribers::import::{Line, Options, Reader};
use rundbrief_subscribers::key::Master;
use rundbrief_subscribers::person::{Name, Person, Salutation};
use rundbrief_subscribers::standing::{Event, Reason, Standing};
use rundbrief_subscribers::suppression::Reason as Why;
use serde_json::{Value, json};

use crate::app::{App, on_both};

on_both![
    a_list_is_imported_with_consent_and_without_change_twice,
    an_import_never_raises_a_standing_and_may_lower_it,
    who_is_suppressed_stays_out,
    who_complained_elsewhere_is_suppressed,
    duplicates_are_one_person_and_may_say_that_they_left,
    an_existing_person_joins_a_second_list_as_they_are,
    a_reader_leaves_once_and_for_all,
    a_complaint_suppresses_and_a_confirmation_does_not_help,
    a_confirmation_lifts_what_leaving_left,
    a_break_ends_by_itself,
    an_event_that_cannot_be_changes_nothing,
    the_list_is_read_page_by_page,
    a_person_is_renamed,
    an_erased_person_is_gone_and_cannot_be_imported,
];

const NOW: Millis = Millis(1_795_435_200_000);

fn later(minutes: u64) -> Millis {
    NOW.after(std::time::Duration::from_secs(60 * minutes))
}

fn key() -> rundbrief_subscribers::suppression::Key {
    Master::new([5; 32]).suppression()
}

fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

fn cause(reason: Reason, evidence: &Value) -> Cause<'_> {
    Cause { reason, evidence, at: NOW }
}

async fn newsletter(store: &Store, slug: &str) -> NewsletterId {
    let example = include_str!("../../deploy/newsletter.toml");
    let mut definition = newsletter::parse(example, "newsletter.toml".as_ref()).unwrap();
    definition.slug = newsletter::field::Slug::parse(slug).unwrap();
    let mut tx = store.begin().await.unwrap();
    let applied = newsletter::apply(&mut tx, &definition, Timestamp::UNIX_EPOCH).await.unwrap();
    tx.commit().await.unwrap();
    applied.id()
}

async fn import(store: &Store, newsletter: NewsletterId, file: &str) -> Vec<Fate> {
    let reader = Reader::open(file.as_bytes(), &Options::default()).unwrap();
    let candidate = |line| match line {
        Line::Row(row) => {
            let row: rundbrief_subscribers::import::row::Row = row;
            Candidate { hash: key().hash(&row.address), row }
        }
        Line::Rejected(finding) => panic!("{finding}"),
    };
    let batch: Vec<Candidate> = reader.map(|line| candidate(line.unwrap())).collect();
    let plan = Plan {
        newsletter,
        source: "import list.csv".to_owned(),
        wording: "forms in folder 7".to_owned(),
        now: NOW,
    };
    let mut tx = store.begin().await.unwrap();
    let fates = import::store(&mut tx, &plan, &batch).await.unwrap();
    tx.commit().await.unwrap();
    fates
}

/// The standing of an address on the first of its lists.
async fn stands(store: &Store, text: &str) -> Standing {
    let person = find(store, &address(text)).await.unwrap().unwrap();
    standing::of(store, person.id).await.unwrap()[0].standing
}

async fn id_of(store: &Store, text: &str) -> SubscriberId {
    find(store, &address(text)).await.unwrap().unwrap().id
}

async fn happens(
    store: &Store,
    (who, newsletter): (SubscriberId, NewsletterId),
    event: Event,
    reason: Reason,
) -> Result<Standing, Error> {
    let mut tx = store.begin().await.unwrap();
    let evidence = json!({"issue": 7});
    let change =
        standing::change(&mut tx, who, newsletter, event, cause(reason, &evidence)).await?;
    tx.commit().await.unwrap();
    Ok(change.became)
}

async fn suppressed(store: &Store, text: &str) -> Option<Why> {
    let mut tx = store.begin().await.unwrap();
    suppression::reason(&mut tx, &key().hash(&address(text))).await.unwrap()
}

async fn suppress(store: &Store, text: &str, why: Why) {
    let mut tx = store.begin().await.unwrap();
    suppression::suppress(&mut tx, &key().hash(&address(text)), why, "note", NOW).await.unwrap();
    tx.commit().await.unwrap();
}

const LIST: &str = "E-Mail;Vorname;Nachname;Anrede;Sprache\n\
    Änne@example.org;Änne;Müller;Frau;de\n\
    bert@example.org;Bert;O'Neill \"x\";Herr;en\n\
    carla@münchen.example;;;;\n";

async fn a_list_is_imported_with_consent_and_without_change_twice(app: App) {
    let newsletter = newsletter(&app.store, "stadt").await;
    assert_eq!(import(&app.store, newsletter, LIST).await, [Fate::Added; 3]);
    let known = Fate::Known(Standing::Active);
    assert_eq!(import(&app.store, newsletter, LIST).await, [known; 3]);

    let anne = find(&app.store, &address("änne@example.org")).await.unwrap().unwrap();
    assert_eq!(anne.address.as_str(), "Änne@example.org");
    assert_eq!(anne.person.salutation, Salutation::Ms);
    assert_eq!(anne.person.family.as_str(), "Müller");
    assert_eq!(anne.person.language.unwrap().as_str(), "de");
    assert_eq!(anne.created_at, NOW);
    let bert = find(&app.store, &address("BERT@example.org")).await.unwrap().unwrap();
    assert_eq!(bert.person.family.as_str(), "O'Neill \"x\"");
    let carla = find(&app.store, &address("carla@xn--mnchen-3ya.example")).await.unwrap();
    assert!(carla.unwrap().person.language.is_none());

    let subscriptions = standing::of(&app.store, anne.id).await.unwrap();
    assert_eq!(subscriptions.len(), 1);
    assert_eq!(subscriptions[0].standing, Standing::Active);
    assert_eq!(subscriptions[0].slug, "stadt");
    let consents = consent::of(&app.store, anne.id).await.unwrap();
    assert_eq!(consents.len(), 1, "the second import adds no consent");
    assert_eq!(consents[0].act, "imported");
    assert_eq!(consents[0].source, "import list.csv");
    assert_eq!(consents[0].wording, "forms in folder 7");
    assert!(standing::events(&app.store, anne.id).await.unwrap().is_empty());
    let count = list::count(&app.store, newsletter).await.unwrap();
    assert_eq!(count, [(Standing::Active, 3)]);
}

async fn an_import_never_raises_a_standing_and_may_lower_it(app: App) {
    let newsletter = newsletter(&app.store, "stadt").await;
    let before = "email,status\nleft@example.org,left\ngone@example.org,bounced\n\
        pause@example.org,paused\nhere@example.org,active\n";
    import(&app.store, newsletter, before).await;
    let after = "email,status\nleft@example.org,active\ngone@example.org,active\n\
        pause@example.org,active\nhere@example.org,unsubscribed\n";
    assert_eq!(
        import(&app.store, newsletter, after).await,
        [
            Fate::Known(Standing::Left),
            Fate::Known(Standing::Unreachable),
            Fate::Known(Standing::Paused),
            Fate::Lowered(Standing::Left),
        ]
    );
    assert_eq!(stands(&app.store, "left@example.org").await, Standing::Left);
    assert_eq!(stands(&app.store, "gone@example.org").await, Standing::Unreachable);
    assert_eq!(stands(&app.store, "pause@example.org").await, Standing::Paused);
    assert_eq!(stands(&app.store, "here@example.org").await, Standing::Left);
    let here = id_of(&app.store, "here@example.org").await;
    let events = standing::events(&app.store, here).await.unwrap();
    assert_eq!(events.len(), 1);
    let event = &events[0];
    assert_eq!((event.was.as_str(), event.became.as_str()), ("active", "left"));
    assert_eq!(event.reason, "import");
    assert_eq!(event.evidence.0, json!({"source": "import list.csv", "line": 5}));
}

async fn who_is_suppressed_stays_out(app: App) {
    let newsletter = newsletter(&app.store, "stadt").await;
    suppress(&app.store, "bert@example.org", Why::Erased).await;
    let fates = import(&app.store, newsletter, LIST).await;
    assert_eq!(fates, [Fate::Added, Fate::Suppressed(Why::Erased), Fate::Added]);
    assert!(find(&app.store, &address("bert@example.org")).await.unwrap().is_none());
}

async fn who_complained_elsewhere_is_suppressed(app: App) {
    let newsletter = newsletter(&app.store, "stadt").await;
    let file = "email;status\nanna@example.org;spam\nbert@example.org;aktiv\n";
    assert_eq!(import(&app.store, newsletter, file).await, [Fate::Added; 2]);
    assert_eq!(suppressed(&app.store, "anna@example.org").await, Some(Why::Complained));
    let lower = "email;status\nbert@example.org;spam\n";
    let lowered = Fate::Lowered(Standing::Complained);
    assert_eq!(import(&app.store, newsletter, lower).await, [lowered]);
    assert_eq!(suppressed(&app.store, "bert@example.org").await, Some(Why::Complained));
}

async fn duplicates_are_one_person_and_may_say_that_they_left(app: App) {
    let newsletter = newsletter(&app.store, "stadt").await;
    let file = "email;vorname;status\nanna@example.org;Anna;aktiv\nANNA@example.org;Xaver;aktiv\n\
        bert@example.org;;aktiv\nbert@example.org;;abgemeldet\n";
    assert_eq!(
        import(&app.store, newsletter, file).await,
        [Fate::Added, Fate::Duplicate, Fate::Added, Fate::Duplicate]
    );
    let anna = find(&app.store, &address("anna@example.org")).await.unwrap().unwrap();
    assert_eq!(anna.person.given.as_str(), "Anna");
    assert_eq!(consent::of(&app.store, anna.id).await.unwrap().len(), 1);
    assert_eq!(stands(&app.store, "bert@example.org").await, Standing::Left);
    let again = "email;status\nanna@example.org;left\nanna@example.org;left\n";
    assert_eq!(
        import(&app.store, newsletter, again).await,
        [Fate::Lowered(Standing::Left), Fate::Duplicate]
    );
}

async fn an_existing_person_joins_a_second_list_as_they_are(app: App) {
    let first = newsletter(&app.store, "stadt").await;
    let second = newsletter(&app.store, "kultur").await;
    import(&app.store, first, "email;vorname\nanna@example.org;Anna\n").await;
    let fates = import(&app.store, second, "email;vorname\nanna@example.org;Xaver\n").await;
    assert_eq!(fates, [Fate::Added]);
    let anna = find(&app.store, &address("anna@example.org")).await.unwrap().unwrap();
    assert_eq!(anna.person.given.as_str(), "Anna");
    assert_eq!(standing::of(&app.store, anna.id).await.unwrap().len(), 2);
    assert_eq!(consent::of(&app.store, anna.id).await.unwrap().len(), 2);
}

async fn a_reader_leaves_once_and_for_all(app: App) {
    let newsletter = newsletter(&app.store, "stadt").await;
    import(&app.store, newsletter, LIST).await;
    let bert = id_of(&app.store, "bert@example.org").await;
    for changes in [true, false] {
        let mut tx = app.store.begin().await.unwrap();
        let evidence = json!({"issue": 7});
        let cause = cause(Reason::OneClick, &evidence);
        let change = standing::leave(&mut tx, bert, newsletter, "Abmelden", cause).await.unwrap();
        tx.commit().await.unwrap();
        let change = change.unwrap();
        assert_eq!(change.became, Standing::Left);
        assert_eq!(change.was != change.became, changes);
    }
    let events = standing::events(&app.store, bert).await.unwrap();
    assert_eq!(events.len(), 1, "the second click changes nothing");
    assert_eq!(events[0].reason, "one-click");
    let consents = consent::of(&app.store, bert).await.unwrap();
    let acts: Vec<&str> = consents.iter().map(|one| one.act.as_str()).collect();
    assert_eq!(acts, ["imported", "withdrawn"]);
    assert_eq!(consents[1].wording, "Abmelden");

    let nobody = SubscriberId(bert.0 + 1000);
    let mut tx = app.store.begin().await.unwrap();
    let evidence = Value::Null;
    let cause = cause(Reason::Link, &evidence);
    assert!(standing::leave(&mut tx, nobody, newsletter, "", cause).await.unwrap().is_none());
}

async fn a_complaint_suppresses_and_a_confirmation_does_not_help(app: App) {
    let newsletter = newsletter(&app.store, "stadt").await;
    import(&app.store, newsletter, LIST).await;
    let bert = (id_of(&app.store, "bert@example.org").await, newsletter);
    let complained = happens(&app.store, bert, Event::Complained, Reason::Complaint).await;
    assert_eq!(complained.unwrap(), Standing::Complained);
    assert_eq!(suppressed(&app.store, "bert@example.org").await, Some(Why::Complained));
    let confirmed = happens(&app.store, bert, Event::Confirmed, Reason::Confirmation).await;
    assert!(matches!(confirmed, Err(Error::Refused(_))));
    assert_eq!(suppressed(&app.store, "bert@example.org").await, Some(Why::Complained));
    let forgiven = happens(&app.store, bert, Event::Forgiven, Reason::Editor).await;
    assert_eq!(forgiven.unwrap(), Standing::Left);
    assert_eq!(suppressed(&app.store, "bert@example.org").await, None);
}

async fn a_confirmation_lifts_what_leaving_left(app: App) {
    let newsletter = newsletter(&app.store, "stadt").await;
    import(&app.store, newsletter, LIST).await;
    let bert = (id_of(&app.store, "bert@example.org").await, newsletter);
    happens(&app.store, bert, Event::Left, Reason::Link).await.unwrap();
    suppress(&app.store, "bert@example.org", Why::Left).await;
    let confirmed = happens(&app.store, bert, Event::Confirmed, Reason::Confirmation).await;
    assert_eq!(confirmed.unwrap(), Standing::Active);
    assert_eq!(suppressed(&app.store, "bert@example.org").await, None);

    // An operator's decision stays, and a complaint outweighs what stood there.
    suppress(&app.store, "bert@example.org", Why::Operator).await;
    suppress(&app.store, "bert@example.org", Why::Left).await;
    happens(&app.store, bert, Event::Confirmed, Reason::Confirmation).await.unwrap();
    assert_eq!(suppressed(&app.store, "bert@example.org").await, Some(Why::Operator));
    suppress(&app.store, "bert@example.org", Why::Complained).await;
    assert_eq!(suppressed(&app.store, "bert@example.org").await, Some(Why::Complained));
}

async fn a_break_ends_by_itself(app: App) {
    let newsletter = newsletter(&app.store, "stadt").await;
    import(&app.store, newsletter, LIST).await;
    for (who, until) in [("änne@example.org", Some(later(60))), ("bert@example.org", None)] {
        let id = id_of(&app.store, who).await;
        let mut tx = app.store.begin().await.unwrap();
        let evidence = Value::Null;
        let cause = cause(Reason::Preferences, &evidence);
        standing::pause(&mut tx, id, newsletter, until, cause).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(stands(&app.store, who).await, Standing::Paused);
    }
    for (at, ended) in [(later(59), 0), (later(60), 1), (later(61), 0)] {
        let mut tx = app.store.begin().await.unwrap();
        assert_eq!(standing::resume_due(&mut tx, at).await.unwrap(), ended);
        tx.commit().await.unwrap();
    }
    assert_eq!(stands(&app.store, "änne@example.org").await, Standing::Active);
    assert_eq!(stands(&app.store, "bert@example.org").await, Standing::Paused);
    let anne = id_of(&app.store, "änne@example.org").await;
    let subscription = &standing::of(&app.store, anne).await.unwrap()[0];
    assert_eq!(subscription.paused_until, None);
    let reasons: Vec<String> =
        standing::events(&app.store, anne).await.unwrap().into_iter().map(|e| e.reason).collect();
    assert_eq!(reasons, ["preferences", "pause-over"]);
}

async fn an_event_that_cannot_be_changes_nothing(app: App) {
    let newsletter = newsletter(&app.store, "stadt").await;
    import(&app.store, newsletter, "email;status\nleft@example.org;left\n").await;
    let left = id_of(&app.store, "left@example.org").await;
    let resumed =
        happens(&app.store, (left, newsletter), Event::Resumed, Reason::Preferences).await;
    let refusal = resumed.unwrap_err().to_string();
    assert_eq!(refusal, "a subscription that is left cannot be resumed");
    let elsewhere = NewsletterId(newsletter.0 + 1000);
    let missing = happens(&app.store, (left, elsewhere), Event::Left, Reason::Link).await;
    assert!(matches!(missing, Err(Error::Missing)));
    assert!(standing::events(&app.store, left).await.unwrap().is_empty());
}

async fn the_list_is_read_page_by_page(app: App) {
    let stadt = newsletter(&app.store, "stadt").await;
    let kultur = newsletter(&app.store, "kultur").await;
    import(&app.store, stadt, LIST).await;
    import(&app.store, kultur, "email;status\nanna@example.org;left\nbert@example.org;\n").await;
    let page = async |filter, after| {
        let page = list::page(&app.store, filter, SubscriptionId(after)).await.unwrap();
        let line = |one: list::Listed| {
            format!("{} {} {}", one.newsletter, one.subscriber.address.local(), one.standing)
        };
        page.into_iter().map(line).collect::<Vec<_>>()
    };
    let all = Filter::default();
    assert_eq!(page(all, 0).await.len(), 5);
    let first = list::page(&app.store, all, SubscriptionId(0)).await.unwrap()[0].subscription;
    assert_eq!(page(all, first.0).await.len(), 4);
    let kultur = Filter { newsletter: Some(kultur), standing: None };
    assert_eq!(page(kultur, 0).await, ["kultur anna left", "kultur bert active"]);
    let left = Filter { newsletter: None, standing: Some(Standing::Left) };
    assert_eq!(page(left, 0).await, ["kultur anna left"]);
}

async fn a_person_is_renamed(app: App) {
    let newsletter = newsletter(&app.store, "stadt").await;
    import(&app.store, newsletter, LIST).await;
    let bert = id_of(&app.store, "bert@example.org").await;
    let person = Person {
        salutation: Salutation::Neutral,
        given: Name::parse("Kim").unwrap(),
        ..Person::default()
    };
    let mut tx = app.store.begin().await.unwrap();
    rename(&mut tx, bert, &person, later(1)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(get(&app.store, bert).await.unwrap().unwrap().person, person);
}

async fn an_erased_person_is_gone_and_cannot_be_imported(app: App) {
    let newsletter = newsletter(&app.store, "stadt").await;
    import(&app.store, newsletter, LIST).await;
    let bert = find(&app.store, &address("bert@example.org")).await.unwrap().unwrap();
    let mut tx = app.store.begin().await.unwrap();
    let report = erase::erase(&mut tx, &key(), &bert, NOW).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!((report.subscriptions, report.proofs), (1, 1));

    assert!(get(&app.store, bert.id).await.unwrap().is_none());
    assert!(consent::of(&app.store, bert.id).await.unwrap().is_empty());
    let fates = import(&app.store, newsletter, LIST).await;
    assert_eq!(fates[1], Fate::Suppressed(Why::Erased));
    let proofs = async || {
        let (count,): (i64,) =
            read!(app.store, |db| sqlx::query_as("select count(*) from consent_proof")
                .fetch_one(db)
                .await)
            .unwrap();
        count
    };
    assert_eq!(proofs().await, 1);
    let mut tx = app.store.begin().await.unwrap();
    let before = Millis(report.proofs_until.0 - 1);
    assert_eq!(erase::forget_proofs(&mut tx, before).await.unwrap(), 0);
    assert_eq!(erase::forget_proofs(&mut tx, report.proofs_until).await.unwrap(), 1);
    tx.commit().await.unwrap();
    assert_eq!(proofs().await, 0);
    let (left,): (i64,) = {
        let mut tx = app.store.begin().await.unwrap();
        on!(tx, |c| sqlx::query_as("select count(*) from subscriber").fetch_one(c).await).unwrap()
    };
    assert_eq!(left, 2);
}
