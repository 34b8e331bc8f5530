//! A list, read in some hundred rows at a time: few statements for each batch,
//! whatever its size. Reading the file is the caller's.
//!
//! An import never raises a standing, and who is suppressed stays out.

use std::collections::HashMap;

use rundbrief_subscribers::import::row::Row;
use rundbrief_subscribers::person::Language;
use rundbrief_subscribers::standing::{Reason, Standing};
use rundbrief_subscribers::suppression::{self as rule, AddressHash};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection, SqliteConnection};

use super::standing::{Cause, Change, store_change};
use super::{SubscriberId, SubscriptionId, standing, suppression};
use crate::newsletter::NewsletterId;
use crate::store::value::Millis;
use crate::store::{Store, Tx};

/// Rows in one transaction. The indexes are hit at random, so each batch writes
/// most of their pages anew: a million rows cost 53 s of CPU in batches of 2,000
/// and 24 s in these. Others wait for half a second.
pub const BATCH: usize = 25_000;
/// SQLite's cache while a list comes in, in KiB: the indexes of a million people.
const CACHE_KIB: u32 = 192 * 1024;
/// Pages of SQLite's log before it is folded in: 80 MB, so that a page that is
/// written in batch after batch reaches the file once.
const LOG_PAGES: u32 = 20_000;

/// Somebody from the file, with the hash of the address.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// As read.
    pub row: Row,
    /// Of the address.
    pub hash: AddressHash,
}

/// What is said about all rows of an import.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The list.
    pub newsletter: NewsletterId,
    /// For the record of consent: `import FILE`.
    pub source: String,
    /// Where these people's consent is kept.
    pub wording: String,
    /// When.
    pub now: Millis,
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// New on this list.
    Added,
    /// On this list already, and unchanged.
    Known(Standing),
    /// On this list already; the file says that they left or complained.
    Lowered(Standing),
    /// Gets nothing, whatever a list says.
    Suppressed(rule::Reason),
    /// Stood in the file before.
    Duplicate,
}

/// What is known of a row before it is stored.
struct Known {
    suppressed: Option<rule::Reason>,
    subscriber: Option<SubscriberId>,
    subscription: Option<(SubscriptionId, Standing)>,
}

/// Somebody who is new on the list, and perhaps new altogether.
struct Added<'a> {
    candidate: &'a Candidate,
    standing: Standing,
    subscriber: Option<SubscriberId>,
}

/// Gives SQLite the room that a long import wants; for a process that does
/// nothing else.
///
/// # Errors
/// The database failed.
pub async fn make_room(store: &Store) -> sqlx::Result<()> {
    let mut tx = store.begin().await?;
    if let Tx::Sqlite(tx) = &mut tx {
        for pragma in
            [format!("cache_size = -{CACHE_KIB}"), format!("wal_autocheckpoint = {LOG_PAGES}")]
        {
            // Constants of this file only.
            let text = AssertSqlSafe(format!("pragma {pragma}"));
            sqlx::query(text).execute(&mut **tx).await?;
        }
    }
    tx.commit().await
}

/// Stores a batch; the answer has one fate per row.
///
/// # Errors
/// The database failed; nothing of the batch is stored then.
pub async fn store(tx: &mut Tx, plan: &Plan, batch: &[Candidate]) -> sqlx::Result<Vec<Fate>> {
    tx.by_index().await?;
    let mut known = known(tx, plan.newsletter, batch).await?;
    let mut fates = Vec::with_capacity(batch.len());
    let mut added: Vec<Added<'_>> = Vec::new();
    let mut first: HashMap<AddressHash, usize> = HashMap::new();
    let mut lowered: HashMap<SubscriptionId, Standing> = HashMap::new();
    for (place, candidate) in batch.iter().enumerate() {
        let listed = candidate.row.standing.unwrap_or(Standing::Active);
        if let Some(at) = first.get(&candidate.hash) {
            let standing = &mut added[*at].standing;
            *standing = Standing::imported(Some(*standing), listed);
            fates.push(Fate::Duplicate);
            continue;
        }
        let row = known.remove(&place);
        fates.push(match row {
            Some(Known { suppressed: Some(reason), .. }) => Fate::Suppressed(reason),
            Some(Known { suppressed: None, subscription: Some((id, stood)), .. }) => {
                // The same batch may have lowered it already.
                let was = *lowered.get(&id).unwrap_or(&stood);
                let became = Standing::imported(Some(was), listed);
                lowered.insert(id, became);
                lower(tx, plan, candidate, Change { subscription: id, was, became }).await?
            }
            // The reader's note of a duplicate may, once in an age, be wrong: what
            // counts is that nobody is there.
            row => {
                let subscriber = row.and_then(|known| known.subscriber);
                first.insert(candidate.hash, added.len());
                added.push(Added { candidate, standing: listed, subscriber });
                Fate::Added
            }
        });
    }
    for one in &added {
        if one.standing == Standing::Complained {
            let reason = rule::Reason::Complained;
            suppression::suppress(tx, &one.candidate.hash, reason, &plan.source, plan.now).await?;
        }
    }
    if !added.is_empty() {
        add(tx, plan, &added).await?;
    }
    Ok(fates)
}

/// What the file says about somebody who is on the list already.
async fn lower(
    tx: &mut Tx,
    plan: &Plan,
    candidate: &Candidate,
    change: Change,
) -> sqlx::Result<Fate> {
    if change.was == change.became {
        let again = candidate.row.duplicate_of.is_some();
        return Ok(if again { Fate::Duplicate } else { Fate::Known(change.was) });
    }
    let evidence = json!({ "source": plan.source, "line": candidate.row.line });
    let cause = Cause { reason: Reason::Import, evidence: &evidence, at: plan.now };
    store_change(tx, change, cause).await?;
    if change.became == Standing::Complained {
        let reason = rule::Reason::Complained;
        suppression::suppress(tx, &candidate.hash, reason, &plan.source, plan.now).await?;
    }
    Ok(Fate::Lowered(change.became))
}

/// A row of the batch that somebody knows already.
type Found = (i64, Option<String>, Option<SubscriberId>, Option<SubscriptionId>, Option<String>);

const KNOWN_SQLITE: &str = "
    select cast(r.key as integer), p.reason, s.id, n.id, n.standing
    from json_each($1) r
    left join suppression p on p.address_hash = unhex(r.value)
    left join subscriber s on s.address_hash = unhex(r.value)
    left join subscription n on n.subscriber_id = s.id and n.newsletter_id = $2
    where p.reason is not null or s.id is not null";

const KNOWN_POSTGRES: &str = "
    select r.place - 1, p.reason, s.id, n.id, n.standing
    from unnest($1::bytea[]) with ordinality as r (hash, place)
    left join suppression p on p.address_hash = r.hash
    left join subscriber s on s.address_hash = r.hash
    left join subscription n on n.subscriber_id = s.id and n.newsletter_id = $2
    where p.reason is not null or s.id is not null";

/// Which rows of the batch are suppressed or on the list, by their place.
async fn known(
    tx: &mut Tx,
    newsletter: NewsletterId,
    batch: &[Candidate],
) -> sqlx::Result<HashMap<usize, Known>> {
    let found: Vec<Found> = match tx {
        Tx::Sqlite(tx) => {
            let hashes: Vec<String> = batch.iter().map(|one| hex(&one.hash)).collect();
            sqlx::query_as(KNOWN_SQLITE)
                .bind(json!(hashes).to_string())
                .bind(newsletter)
                .fetch_all(&mut **tx)
                .await?
        }
        Tx::Postgres(tx) => {
            let hashes: Vec<&[u8]> = batch.iter().map(|one| &one.hash.as_bytes()[..]).collect();
            sqlx::query_as(KNOWN_POSTGRES)
                .bind(hashes)
                .bind(newsletter)
                .fetch_all(&mut **tx)
                .await?
        }
    };
    let mut known = HashMap::with_capacity(found.len());
    for (place, reason_word, subscriber, id, standing) in found {
        // A reason that only a newer version knows suppresses all the same.
        let reason = |word: String| rule::Reason::parse(&word).unwrap_or(rule::Reason::Operator);
        let subscription = match (id, standing) {
            (Some(id), Some(word)) => Some((id, standing::stored(&word)?)),
            (None, _) | (_, None) => None,
        };
        let place = usize::try_from(place).expect("a place in the batch");
        known
            .insert(place, Known { suppressed: reason_word.map(reason), subscriber, subscription });
    }
    Ok(known)
}

// The write lock is held, so nobody else takes these numbers, and nobody who was
// not known a moment ago is there now.
const LAST_SQLITE: &str =
    "select coalesce(max(seq), 0) from sqlite_sequence where name = 'subscriber'";

const PERSON_SQLITE: &str = "
    insert into subscriber (
        id, address_hash, address, address_normal, domain,
        salutation, given_name, family_name, language, created_at, updated_at
    )
    select
        $3 + r.key, unhex(r.value ->> 0), r.value ->> 1, r.value ->> 2, r.value ->> 3,
        r.value ->> 4, r.value ->> 5, r.value ->> 6, r.value ->> 7, $2, $2
    from json_each($1) r";

const CONSENT_SQLITE: &str = "
    insert into consent (subscriber_id, newsletter_id, act, wording, source, at)
    select r.value ->> 0, $2, 'imported', $3, $4, $5
    from json_each($1) r";

const SUBSCRIPTION_SQLITE: &str = "
    insert into subscription (subscriber_id, newsletter_id, standing, since)
    select r.value ->> 0, $2, r.value ->> 1, $3
    from json_each($1) r";

const PERSON_POSTGRES: &str = "
    insert into subscriber (
        address_hash, address, address_normal, domain,
        salutation, given_name, family_name, language, created_at, updated_at
    )
    select r.*, $9, $9
    from unnest(
        $1::bytea[], $2::text[], $3::text[], $4::text[],
        $5::text[], $6::text[], $7::text[], $8::text[]
    ) r
    on conflict do nothing
    returning address_hash, id";

// Somebody else stored them between the look and the insert.
const MEANWHILE_POSTGRES: &str = "
    select address_hash, id
    from subscriber
    where address_hash = any($1)";

const CONSENT_POSTGRES: &str = "
    insert into consent (subscriber_id, newsletter_id, act, wording, source, at)
    select r.id, $2, 'imported', $3, $4, $5
    from unnest($1::bigint[]) r (id)";

const SUBSCRIPTION_POSTGRES: &str = "
    insert into subscription (subscriber_id, newsletter_id, standing, since)
    select r.id, $2, r.standing, $3
    from unnest($1::bigint[], $4::text[]) r (id, standing)
    on conflict do nothing";

/// Stores who is new on the list: the person, the consent, the subscription.
async fn add(tx: &mut Tx, plan: &Plan, added: &[Added<'_>]) -> sqlx::Result<()> {
    match tx {
        Tx::Sqlite(tx) => add_sqlite(tx, plan, added).await,
        Tx::Postgres(tx) => add_postgres(tx, plan, added).await,
    }
}

async fn add_sqlite(
    connection: &mut SqliteConnection,
    plan: &Plan,
    added: &[Added<'_>],
) -> sqlx::Result<()> {
    let (last,): (i64,) = sqlx::query_as(LAST_SQLITE).fetch_one(&mut *connection).await?;
    let mut people = Vec::new();
    let mut ties = Vec::with_capacity(added.len());
    for one in added {
        let id = one.subscriber.unwrap_or_else(|| {
            people.push(person(one.candidate));
            SubscriberId(last + people.len() as i64)
        });
        ties.push(json!([id, one.standing]));
    }
    sqlx::query(PERSON_SQLITE)
        .bind(Value::Array(people).to_string())
        .bind(plan.now)
        .bind(last + 1)
        .execute(&mut *connection)
        .await?;
    let ties = Value::Array(ties).to_string();
    sqlx::query(CONSENT_SQLITE)
        .bind(&ties)
        .bind(plan.newsletter)
        .bind(&plan.wording)
        .bind(&plan.source)
        .bind(plan.now)
        .execute(&mut *connection)
        .await?;
    sqlx::query(SUBSCRIPTION_SQLITE)
        .bind(&ties)
        .bind(plan.newsletter)
        .bind(plan.now)
        .execute(&mut *connection)
        .await?;
    Ok(())
}

/// A person as [`PERSON_SQLITE`] reads them.
fn person(one: &Candidate) -> Value {
    let (address, person) = (&one.row.address, &one.row.person);
    json!([
        hex(&one.hash),
        address.as_str(),
        address.normal(),
        address.domain(),
        person.salutation,
        person.given,
        person.family,
        person.language,
    ])
}

async fn add_postgres(
    connection: &mut PgConnection,
    plan: &Plan,
    added: &[Added<'_>],
) -> sqlx::Result<()> {
    let new: Vec<&Candidate> =
        added.iter().filter(|one| one.subscriber.is_none()).map(|one| one.candidate).collect();
    let stored = people_postgres(connection, plan, &new).await?;
    let ids: Vec<i64> = added
        .iter()
        .map(|one| one.subscriber.or_else(|| stored.get(&one.candidate.hash).copied()))
        .map(|id| id.map(|SubscriberId(id)| id).ok_or(sqlx::Error::RowNotFound))
        .collect::<sqlx::Result<_>>()?;
    let standings: Vec<&str> = added.iter().map(|one| one.standing.as_str()).collect();
    sqlx::query(CONSENT_POSTGRES)
        .bind(&ids)
        .bind(plan.newsletter)
        .bind(&plan.wording)
        .bind(&plan.source)
        .bind(plan.now)
        .execute(&mut *connection)
        .await?;
    sqlx::query(SUBSCRIPTION_POSTGRES)
        .bind(&ids)
        .bind(plan.newsletter)
        .bind(plan.now)
        .bind(standings)
        .execute(&mut *connection)
        .await?;
    Ok(())
}

/// Stores people; answers the key of each by the hash of the address.
async fn people_postgres(
    connection: &mut PgConnection,
    plan: &Plan,
    new: &[&Candidate],
) -> sqlx::Result<HashMap<AddressHash, SubscriberId>> {
    fn column<'a, T>(new: &[&'a Candidate], cell: impl Fn(&'a Row) -> T) -> Vec<T> {
        new.iter().map(|one| cell(&one.row)).collect()
    }
    let hashes: Vec<&[u8]> = new.iter().map(|one| &one.hash.as_bytes()[..]).collect();
    let mut rows: Vec<(Vec<u8>, SubscriberId)> = sqlx::query_as(PERSON_POSTGRES)
        .bind(&hashes)
        .bind(column(new, |row| row.address.as_str()))
        .bind(column(new, |row| row.address.normal()))
        .bind(column(new, |row| row.address.domain()))
        .bind(column(new, |row| row.person.salutation.as_str()))
        .bind(column(new, |row| row.person.given.as_str()))
        .bind(column(new, |row| row.person.family.as_str()))
        .bind(column(new, |row| row.person.language.as_ref().map(Language::as_str)))
        .bind(plan.now)
        .fetch_all(&mut *connection)
        .await?;
    if rows.len() < new.len() {
        rows = sqlx::query_as(MEANWHILE_POSTGRES).bind(&hashes).fetch_all(connection).await?;
    }
    let keyed = |(hash, id): (Vec<u8>, SubscriberId)| Some((AddressHash::from_bytes(&hash)?, id));
    Ok(rows.into_iter().filter_map(keyed).collect())
}

fn hex(hash: &AddressHash) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(64);
    for octet in hash.as_bytes() {
        text.push(char::from(DIGITS[usize::from(octet >> 4)]));
        text.push(char::from(DIGITS[usize::from(octet & 15)]));
    }
    text
}
