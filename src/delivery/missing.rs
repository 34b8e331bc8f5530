//! Who did not get an issue and why, one by one. Nobody is listed who left its newsletter
//! before it was frozen, and nobody whose mail still waits its turn.

use rundbrief_templates::language::Language;

use super::DeliveryId;
use super::state::{Cause, State};
use crate::issue::{Issue, IssueId};
use crate::newsletter::NewsletterId;
use crate::store::Store;
use crate::store::value::Millis;
use crate::subscriber::SubscriptionId;
use crate::{read, row};

/// Readers that one page has.
pub const PAGE: i64 = 1_000;

row! {
    /// A delivery that did not arrive, or came back.
    Row {
        /// The delivery; the next page begins after it.
        id: DeliveryId,
        /// Who it was for; none when their data was erased.
        address: Option<String>,
        /// Where it stands.
        state: State,
        /// Why it failed.
        cause: Option<Cause>,
        /// The reply's code.
        code: Option<i64>,
        /// The last words about it: the relay's, the bounce's, or ours.
        words: String,
        /// Whether it bounced.
        bounced: i64,
        /// Where the subscription stands now.
        standing: Option<String>,
        /// Whether the address gets nothing at all.
        suppressed: i64,
        /// Since when the delivery stands there.
        since: Millis,
        /// Whether it is sent again to those who miss it.
        again: i64,
    }
}

/// Why a reader did not get an issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Tried again later.
    Later,
    /// Refused for good.
    Refused,
    /// Later, later, for a day.
    Expired,
    /// Workers died on it.
    Poison,
    /// Nobody knows yet.
    Unknown,
    /// Nobody could know, and it is left.
    Left,
    /// Taken, then sent back.
    CameBack,
    /// The issue was cancelled before their turn.
    Cancelled,
    /// The reader was not active at their turn, and is not now.
    Away,
    /// The address gets nothing whatever a list says.
    Suppressed,
    /// The person's data was erased.
    Erased,
    /// The reader was not active at their turn, and is back.
    Back,
    /// Joined, or came back from a pause, after the issue was frozen.
    Joined,
}

impl Why {
    /// The word that scripts read.
    pub fn as_str(self) -> &'static str {
        match self {
            Why::Later => "later",
            Why::Refused => "refused",
            Why::Expired => "expired",
            Why::Poison => "poison",
            Why::Unknown => "unknown",
            Why::Left => "left unknown",
            Why::CameBack => "bounced",
            Why::Cancelled => "issue cancelled",
            Why::Away => "left or paused",
            Why::Suppressed => "suppressed",
            Why::Erased => "erased",
            Why::Back => "was away",
            Why::Joined => "joined since",
        }
    }

    /// The same as part of a sentence.
    pub fn say(self, language: Language) -> &'static str {
        let (german, english) = match self {
            Why::Later => {
                ("wird später noch einmal versucht", "is tried again later, as its server asked")
            }
            Why::Refused => ("vom Server endgültig abgelehnt", "refused for good by its server"),
            Why::Expired => (
                "vom Server zu lange auf später vertröstet",
                "its server asked to come back later until it was too late",
            ),
            Why::Poison => (
                "dreimal brach der Versand dabei ab",
                "the sending process ended in the middle of it three times",
            ),
            Why::Unknown => ("niemand weiß, ob die Mail ankam", "nobody knows whether it arrived"),
            Why::Left => (
                "niemand weiß, ob die Mail ankam; sie wird nicht noch einmal gesendet",
                "nobody knows whether it arrived; it is not sent again",
            ),
            Why::CameBack => ("angenommen, dann zurückgekommen", "taken, then sent back"),
            Why::Cancelled => ("die Ausgabe wurde abgebrochen", "the issue was cancelled"),
            Why::Away => ("vorher abgemeldet oder pausiert", "left or paused before it was sent"),
            Why::Suppressed => ("die Adresse ist gesperrt", "the address is suppressed"),
            Why::Erased => ("die Daten wurden gelöscht", "the person's data was erased"),
            Why::Back => (
                "war abgemeldet oder pausiert und ist wieder da",
                "was away when it was sent, and is back",
            ),
            Why::Joined => {
                ("kam erst nach dem Versand dazu", "joined, or came back, after it was frozen")
            }
        };
        match language {
            Language::German => german,
            Language::English => english,
        }
    }
}

impl Row {
    /// Why this one did not arrive.
    pub fn why(&self, issue: &Issue) -> Why {
        let cancelled = issue.state == crate::issue::state::State::Cancelled;
        if self.bounced == 1 {
            return Why::CameBack;
        }
        match (self.state, self.cause) {
            (State::Deferred, _) => Why::Later,
            (State::Unknown, _) => Why::Unknown,
            (State::Failed, Some(Cause::Expired)) => Why::Expired,
            (State::Failed, Some(Cause::Poison)) => Why::Poison,
            (State::Failed, Some(Cause::Unknown)) => Why::Left,
            (State::Failed, Some(Cause::Permanent) | None) => Why::Refused,
            _ if self.address.is_none() => Why::Erased,
            _ if self.suppressed == 1 => Why::Suppressed,
            _ if self.standing.as_deref() != Some("active") => Why::Away,
            _ if cancelled => Why::Cancelled,
            _ => Why::Back,
        }
    }

    /// Whether *resend* sends it again: what was tried in vain or skipped, and is wanted.
    pub fn can_be_sent_again(&self) -> bool {
        self.again == 1
    }
}

/// Deliveries of an issue that did not arrive, after this one.
///
/// # Errors
/// The database failed.
pub async fn page(
    store: &Store,
    issue: IssueId,
    after: DeliveryId,
    most: i64,
) -> sqlx::Result<Vec<Row>> {
    let text = concat!(
        "select m.*, cast(case when exists (
             select 1 from delivery d where d.id = m.id and ",
        include_str!("again_which.sql"),
        ") then 1 else 0 end as bigint) as again
         from (",
        include_str!("missing.sql"),
        ") as m
         order by m.id"
    );
    read!(store, |db| sqlx::query_as(text).bind(issue).bind(after).bind(most).fetch_all(db).await)
}

row! {
    /// A reader who is not in an issue's ledger.
    Joined {
        /// The subscription; the next page begins after it.
        id: SubscriptionId,
        /// Who.
        address: String,
        /// Since when the subscription is active.
        since: Millis,
    }
}

/// Active readers of a newsletter who are not in the issue's ledger, after this one.
/// They joined, or came back from a pause, after it was frozen.
///
/// # Errors
/// The database failed.
pub async fn joined(
    store: &Store,
    issue: IssueId,
    newsletter: NewsletterId,
    after: SubscriptionId,
) -> sqlx::Result<Vec<Joined>> {
    let text = "
        select s.id, r.address, s.since
        from subscription s
        join subscriber r on r.id = s.subscriber_id
        where s.newsletter_id = $2
          and s.standing = 'active'
          and s.id > $3
          and not exists (
              select 1
              from delivery d
              where d.issue_id = $1 and d.address_hash = r.address_hash)
          and not exists (select 1 from suppression x where x.address_hash = r.address_hash)
        order by s.id
        limit $4";
    read!(store, |db| sqlx::query_as(text)
        .bind(issue)
        .bind(newsletter)
        .bind(after)
        .bind(PAGE)
        .fetch_all(db)
        .await)
}
