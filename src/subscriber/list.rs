//! The list, a page at a time: exports and pages read ten million rows in
//! bounded memory.

use rundbrief_subscribers::standing::Standing;

use super::standing::stored;
use super::{Subscriber, SubscriberId, SubscriptionId, stored_address, stored_person};
use crate::newsletter::NewsletterId;
use crate::store::Store;
use crate::store::value::Millis;
use crate::{read, row};

/// Rows of one page.
pub const PAGE: i64 = 5_000;

/// Which part of the list; a `None` filters nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter {
    /// One newsletter's readers.
    pub newsletter: Option<NewsletterId>,
    /// With this standing.
    pub standing: Option<Standing>,
}

/// One line of the list.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The subscription; the next page begins after it.
    pub subscription: SubscriptionId,
    /// The person.
    pub subscriber: Subscriber,
    /// The newsletter's short name.
    pub newsletter: String,
    /// Where the subscription stands.
    pub standing: Standing,
    /// Since when.
    pub since: Millis,
}

row! {
    /// A line as stored.
    Row {
        /// Key.
        subscription: SubscriptionId,
        /// Key or short name.
        newsletter: String,
        /// A word.
        standing: String,
        /// Since when.
        since: Millis,
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

/// The lines after a subscription, in the order in which they came to the list.
///
/// # Errors
/// The database failed.
pub async fn page(
    store: &Store,
    filter: Filter,
    after: SubscriptionId,
) -> anyhow::Result<Vec<Listed>> {
    let rows: Vec<Row> = read!(store, |db| sqlx::query_as(
        "select
            n.id as subscription, w.slug as newsletter, n.standing, n.since,
            s.id, s.address, s.salutation, s.given_name, s.family_name, s.language, s.created_at
         from subscription n
         join subscriber s on s.id = n.subscriber_id
         join newsletter w on w.id = n.newsletter_id
         where n.id > $1
           and ($2 = 0 or n.newsletter_id = $2)
           and ($3 = '' or n.standing = $3)
         order by n.id
         limit $4"
    )
    .bind(after)
    .bind(filter.newsletter.map_or(0, |newsletter| newsletter.0))
    .bind(filter.standing.map_or("", Standing::as_str))
    .bind(PAGE)
    .fetch_all(db)
    .await)?;
    rows.into_iter().map(Row::read).collect()
}

impl Row {
    fn read(self) -> anyhow::Result<Listed> {
        let language = self.language.as_deref();
        let person = stored_person(&self.salutation, &self.given_name, &self.family_name, language);
        Ok(Listed {
            subscription: self.subscription,
            newsletter: self.newsletter,
            standing: stored(&self.standing)?,
            since: self.since,
            subscriber: Subscriber {
                id: self.id,
                address: stored_address(self.id, &self.address)?,
                person,
                created_at: self.created_at,
            },
        })
    }
}

/// How many subscriptions of a newsletter stand where.
///
/// # Errors
/// The database failed.
pub async fn count(store: &Store, newsletter: NewsletterId) -> sqlx::Result<Vec<(Standing, i64)>> {
    let rows: Vec<(String, i64)> = read!(store, |db| sqlx::query_as(
        "select standing, count(*) from subscription where newsletter_id = $1 group by standing"
    )
    .bind(newsletter)
    .fetch_all(db)
    .await)?;
    rows.into_iter().map(|(word, count)| Ok((stored(&word)?, count))).collect()
}
