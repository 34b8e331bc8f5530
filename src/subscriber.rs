//! SQL for the list: who is on it, and what ties them to newsletters.
//!
//! The rules (what an address is, which standing may follow which) live in the
//! crate rundbrief-subscribers; here they are stored.

pub mod consent;
pub mod erase;
pub mod import;
pub mod list;
pub mod standing;
pub mod suppression;

use rundbrief_subscribers::address::EmailAddress;
use rundbrief_subscribers::person::{Language, Name, Person, Salutation};
use rundbrief_subscribers::suppression::Key;

use crate::store::value::Millis;
use crate::store::{Store, Tx};
use crate::{key, on, read, row};

key! {
    /// The key of a person with an address.
    SubscriberId
}

key! {
    /// The key of what ties a person to a newsletter.
    SubscriptionId
}

/// A person with an address.
#[derive(Debug, Clone)]
pub struct Subscriber {
    /// Their key.
    pub id: SubscriberId,
    /// Where mail goes.
    pub address: EmailAddress,
    /// How to address them.
    pub person: Person,
    /// Since when we know them.
    pub created_at: Millis,
}

row! {
    /// A row as it is stored.
    Row {
        /// Key.
        id: SubscriberId,
        /// As written.
        address: String,
        /// A word.
        salutation: String,
        /// Perhaps empty.
        given_name: String,
        /// Perhaps empty.
        family_name: String,
        /// A tag.
        language: Option<String>,
        /// Since when.
        created_at: Millis,
    }
}

impl Row {
    fn read(self) -> anyhow::Result<Subscriber> {
        Ok(Subscriber {
            id: self.id,
            address: stored_address(self.id, &self.address)?,
            person: stored_person(
                &self.salutation,
                &self.given_name,
                &self.family_name,
                self.language.as_deref(),
            ),
            created_at: self.created_at,
        })
    }
}

/// An address that was checked when it came in.
fn stored_address(id: SubscriberId, text: &str) -> anyhow::Result<EmailAddress> {
    EmailAddress::parse(text)
        .map_err(|error| anyhow::anyhow!("the stored address of subscriber {id} {error}"))
}

/// How a person is addressed, from stored words; what is not understood is not known.
pub fn stored_person(
    salutation: &str,
    given: &str,
    family: &str,
    language: Option<&str>,
) -> Person {
    Person {
        salutation: Salutation::parse(salutation).unwrap_or_default(),
        given: Name::parse(given).unwrap_or_default(),
        family: Name::parse(family).unwrap_or_default(),
        language: language.and_then(|tag| Language::recognise(tag).ok()),
    }
}

/// The person with this address, in whatever case it is written.
///
/// # Errors
/// The database failed.
pub async fn find(store: &Store, address: &EmailAddress) -> anyhow::Result<Option<Subscriber>> {
    let row: Option<Row> = read!(store, |db| sqlx::query_as(
        "select id, address, salutation, given_name, family_name, language, created_at
         from subscriber
         where address_normal = $1"
    )
    .bind(address.normal())
    .fetch_optional(db)
    .await)?;
    row.map(Row::read).transpose()
}

/// The person with this key; `None` when they are gone.
///
/// # Errors
/// The database failed.
pub async fn get(store: &Store, id: SubscriberId) -> anyhow::Result<Option<Subscriber>> {
    let row: Option<Row> = read!(store, |db| sqlx::query_as(
        "select id, address, salutation, given_name, family_name, language, created_at
         from subscriber
         where id = $1"
    )
    .bind(id)
    .fetch_optional(db)
    .await)?;
    row.map(Row::read).transpose()
}

/// Stores a person, or finds the one with this address; nothing of a known
/// person is changed.
///
/// # Errors
/// The database failed.
pub async fn ensure(
    tx: &mut Tx,
    key: &Key,
    address: &EmailAddress,
    person: &Person,
    now: Millis,
) -> sqlx::Result<SubscriberId> {
    let hash = key.hash(address);
    on!(*tx, |c| sqlx::query(
        "insert into subscriber (
            address, address_normal, address_hash, domain,
            salutation, given_name, family_name, language, created_at, updated_at
         ) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)
         on conflict do nothing"
    )
    .bind(address.as_str())
    .bind(address.normal())
    .bind(hash.as_bytes().as_slice())
    .bind(address.domain())
    .bind(person.salutation.as_str())
    .bind(person.given.as_str())
    .bind(person.family.as_str())
    .bind(person.language.as_ref().map(|language| language.as_str().to_owned()))
    .bind(now)
    .execute(c)
    .await
    .map(drop))?;
    let (id,) =
        on!(*tx, |c| sqlx::query_as("select id from subscriber where address_normal = $1")
            .bind(address.normal())
            .fetch_one(c)
            .await)?;
    Ok(id)
}

/// Changes how a person is addressed.
///
/// # Errors
/// The database failed.
pub async fn rename(
    tx: &mut Tx,
    id: SubscriberId,
    person: &Person,
    now: Millis,
) -> sqlx::Result<()> {
    on!(*tx, |c| sqlx::query(
        "update subscriber
         set salutation = $2, given_name = $3, family_name = $4, language = $5, updated_at = $6
         where id = $1"
    )
    .bind(id)
    .bind(person.salutation.as_str())
    .bind(person.given.as_str())
    .bind(person.family.as_str())
    .bind(person.language.as_ref().map(|language| language.as_str().to_owned()))
    .bind(now)
    .execute(c)
    .await
    .map(drop))
}
