//! What came back, listed and summed, for editors. Reads only.

use serde::Serialize;
use sqlx::types::Json;

use super::inbox::{BounceId, Intake};
use super::person;
use super::record::Record;
use super::report;
use super::review::{self, Decision};
use super::verdict::Verdict;
use crate::delivery::DeliveryId;
use crate::store::Store;
use crate::store::value::Millis;
use crate::{read, row, words};

/// Which reports to list; nothing set lists all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this newsletter, by its short name.
    pub newsletter: Option<String>,
    /// Of this receiving domain.
    pub domain: Option<String>,
    /// For this reason, by its word.
    pub reason: Option<String>,
    /// Of this kind, by its word.
    pub kind: Option<String>,
    /// With this verdict.
    pub verdict: Option<Verdict>,
}

row! {
    /// A report in a list.
    Line {
        /// Its key.
        id: BounceId,
        /// How it came.
        intake: Intake,
        /// What it says.
        report: Json<Record>,
        /// What became of it.
        verdict: Verdict,
        /// Why.
        why: String,
        /// The delivery it is about.
        delivery: Option<DeliveryId>,
        /// The newsletter's short name.
        newsletter: Option<String>,
        /// The issue's number.
        number: Option<i64>,
        /// The receiving domain.
        domain: Option<String>,
        /// When it came.
        received_at: Millis,
        /// What a person decided.
        decision: Option<String>,
    }
}

/// Reports before `before` (all, when there is none), the newest first.
///
/// # Errors
/// The database failed.
pub async fn page(
    store: &Store,
    filter: &Filter,
    before: Option<BounceId>,
    limit: i64,
) -> sqlx::Result<Vec<Line>> {
    read!(store, |db| sqlx::query_as(
        "select b.id, b.intake, b.report, b.verdict, b.why, b.delivery_id as delivery,
                n.slug as newsletter, i.number, d.domain, b.received_at, b.decision
         from bounce b
         left join delivery d on d.id = b.delivery_id
         left join issue i on i.id = d.issue_id
         left join newsletter n on n.id = i.newsletter_id
         where b.id < $1
           and ($2 = '' or n.slug = $2)
           and ($3 = '' or d.domain = $3)
           and ($4 = '' or b.report -> 'recipients' -> 0 ->> 'reason' = $4)
           and ($5 = '' or b.kind = $5)
           and ($6 = '' or b.verdict = $6)
         order by b.id desc
         limit $7"
    )
    .bind(before.map_or(i64::MAX, |id| id.0))
    .bind(filter.newsletter.as_deref().unwrap_or(""))
    .bind(filter.domain.as_deref().unwrap_or(""))
    .bind(filter.reason.as_deref().unwrap_or(""))
    .bind(filter.kind.as_deref().unwrap_or(""))
    .bind(filter.verdict.map_or("", Verdict::as_str))
    .bind(limit)
    .fetch_all(db)
    .await)
}

/// How many reports before this one wait for a person.
///
/// # Errors
/// The database failed.
pub async fn waiting(store: &Store, before: BounceId) -> sqlx::Result<i64> {
    let (count,): (i64,) = read!(store, |db| sqlx::query_as(
        "select count(*) from bounce where verdict = 'review' and id < $1"
    )
    .bind(before)
    .fetch_one(db)
    .await)?;
    Ok(count)
}

words! {
    /// What sums are made over.
    Over {
        /// The newsletter.
        Newsletter = "newsletter",
        /// The receiving domain.
        Domain = "domain",
        /// The issue.
        Issue = "issue",
        /// The reason alone.
        Reason = "reason",
    }
}

row! {
    /// How many failures there were somewhere, for one reason.
    Sum {
        /// The newsletter, the domain, newsletter and issue, or the reason.
        place: String,
        /// The reason's word.
        reason: String,
        /// How many reports about mails of issues.
        reports: i64,
        /// Of these, the address is dead.
        hard: i64,
        /// Besides: how many reports about probes that a bounce there had caused.
        probes: i64,
    }
}

/// The query of sums over a place; a probe is counted where its cause was, on its own.
macro_rules! sums {
    ($place:literal) => {
        concat!(
            "select ",
            $place,
            " as place,
                    coalesce(b.report -> 'recipients' -> 0 ->> 'reason', 'unspecified') as reason,
                    count(*) filter (where b.errand_id is null) as reports,
                    count(*) filter (where b.errand_id is null
                        and cast(b.report -> 'recipients' -> 0 ->> 'hard' as text)
                            in ('1', 'true')) as hard,
                    count(b.errand_id) as probes
             from bounce b
             join delivery d on d.id = b.delivery_id
             join issue i on i.id = d.issue_id
             join newsletter n on n.id = i.newsletter_id
             where b.kind = 'failure'
               and ($1 = '' or n.slug = $1)
               and ($2 = '' or d.domain = $2)
               and ($3 = '' or b.report -> 'recipients' -> 0 ->> 'reason' = $3)
             group by 1, 2
             order by 3 desc, 5 desc, 1, 2
             limit $4"
        )
    };
}

/// Failures tied to deliveries, by place and reason, the most frequent first. Of the
/// filter, newsletter, domain and reason count.
///
/// # Errors
/// The database failed.
pub async fn sums(
    store: &Store,
    over: Over,
    filter: &Filter,
    limit: i64,
) -> sqlx::Result<Vec<Sum>> {
    let text = match over {
        Over::Newsletter => sums!("n.slug"),
        Over::Domain => sums!("d.domain"),
        Over::Issue => sums!("n.slug || ' ' || cast(i.number as text)"),
        Over::Reason => {
            sums!("coalesce(b.report -> 'recipients' -> 0 ->> 'reason', 'unspecified')")
        }
    };
    read!(store, |db| sqlx::query_as(text)
        .bind(filter.newsletter.as_deref().unwrap_or(""))
        .bind(filter.domain.as_deref().unwrap_or(""))
        .bind(filter.reason.as_deref().unwrap_or(""))
        .bind(limit)
        .fetch_all(db)
        .await)
}

/// What a person has to see to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// The words of the mail that matter.
    pub excerpt: String,
    /// The decision that the mail itself proposes.
    pub proposal: Option<Decision>,
}

row! {
    /// What is looked at.
    Looked {
        /// As it came.
        raw: Option<Vec<u8>>,
        /// What it says.
        report: Json<Record>,
        /// Where it stands.
        verdict: Verdict,
        /// Why.
        why: String,
        /// The delivery it is about.
        delivery: Option<DeliveryId>,
    }
}

/// Looks at a stored mail as a person does. Where it waits and is tied to a reader, it
/// may propose what to decide: to let them leave, or to let follow what was held back.
///
/// # Errors
/// The database failed.
pub async fn look(store: &Store, id: BounceId) -> sqlx::Result<Look> {
    let row: Option<Looked> = read!(store, |db| sqlx::query_as(
        "select raw, report, verdict, why, delivery_id as delivery from bounce where id = $1"
    )
    .bind(id)
    .fetch_optional(db)
    .await)?;
    let Some(row) = row else { return Ok(Look { excerpt: String::new(), proposal: None }) };
    let raw = row.raw.unwrap_or_default();
    let mut excerpt = report::read(&raw).excerpt;
    if excerpt.is_empty() {
        excerpt = person::read(&raw).words;
    }
    let proposal = if row.verdict != Verdict::Review || row.delivery.is_none() {
        None
    } else if row.why.contains(review::LEAVES) || review::left(&row.report.0) {
        Some(Decision::Leave)
    } else {
        (row.report.0.kind == "failure").then_some(Decision::AsRead)
    };
    Ok(Look { excerpt, proposal })
}

/// A report in a list, as it is printed.
#[derive(Debug, Serialize)]
pub struct Printed {
    /// Its key.
    pub bounce: BounceId,
    /// When it came.
    pub received_at: String,
    /// How.
    pub intake: Intake,
    /// What it says.
    #[serde(flatten)]
    pub report: Record,
    /// What became of it.
    pub verdict: Verdict,
    /// Why.
    pub why: String,
    /// What a person decided.
    pub decision: Option<String>,
    /// The delivery it is about.
    pub delivery: Option<DeliveryId>,
    /// The newsletter's short name.
    pub newsletter: Option<String>,
    /// The issue's number.
    pub number: Option<i64>,
    /// The receiving domain.
    pub domain: Option<String>,
}

impl From<Line> for Printed {
    fn from(line: Line) -> Self {
        Self {
            bounce: line.id,
            received_at: line.received_at.to_string(),
            intake: line.intake,
            report: line.report.0,
            verdict: line.verdict,
            why: line.why,
            decision: line.decision,
            delivery: line.delivery,
            newsletter: line.newsletter,
            number: line.number,
            domain: line.domain,
        }
    }
}
