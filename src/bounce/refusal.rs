//! What receivers refused while we were still talking to them: it bounces as well,
//! only faster. Each refused delivery becomes one report, tied by the ledger itself.

use sqlx::types::Json;

use super::failure;
use super::inbox::Intake;
use super::record::Record;
use super::report::{Kind, Report};
use crate::delivery::DeliveryId;
use crate::errand::ErrandId;
use crate::smtp::{Outcome, Stage};
use crate::store::Tx;
use crate::store::value::Millis;
use crate::{on, row};

/// Refusals that one call takes at most.
const AT_ONCE: i64 = 200;

row! {
    /// A delivery that the receiver refused for good.
    Refused {
        /// Which.
        id: DeliveryId,
        /// Who it was for.
        address: Option<String>,
        /// Where the session stood.
        stage: Option<String>,
        /// The server's words, code first.
        reply: Option<String>,
        /// When.
        changed_at: Millis,
    }
}

/// Makes reports of refused deliveries that have none yet; how many.
///
/// # Errors
/// The database failed.
pub async fn collect(tx: &mut Tx) -> sqlx::Result<usize> {
    let rows: Vec<Refused> = on!(*tx, |c| sqlx::query_as(
        "select d.id, s.address, d.stage, d.reply, d.changed_at
         from delivery d
         left join subscriber s on s.id = d.subscriber_id
         where d.state = 'failed' and d.cause = 'permanent' and d.evidence is null
         order by d.id
         limit $1"
    )
    .bind(AT_ONCE)
    .fetch_all(c)
    .await)?;
    for row in &rows {
        if mark(tx, row).await? {
            store(tx, row).await?;
        }
    }
    Ok(rows.len())
}

/// Makes a report of a probe that was refused at once; it is tied to the delivery that
/// caused the probe.
///
/// # Errors
/// The database failed.
pub async fn of_probe(
    tx: &mut Tx,
    probe: ErrandId,
    address: &str,
    outcome: &Outcome,
    now: Millis,
) -> sqlx::Result<()> {
    let named = outcome.stage == Stage::Rcpt;
    let words = outcome.words();
    let report = Report {
        recipients: vec![failure::said(address.to_owned(), &words, named)],
        ..Report::empty(Kind::Failure)
    };
    on!(*tx, |c| {
        sqlx::query(
        "insert into bounce (digest, intake, kind, report, delivery_id, errand_id, verdict, received_at)
         select $1, $2, $3, $4, delivery_id, id, 'new', $6 from errand where id = $5
         on conflict (digest) do nothing"
    )
    .bind(super::inbox::digest(format!("refused probe {probe}").as_bytes()).as_slice())
    .bind(Intake::Refusal)
    .bind(report.kind.as_str())
    .bind(Json(Record::from(&report)))
    .bind(probe)
    .bind(now)
    .execute(c)
    .await
    .map(drop)
    })
}

/// Marks a delivery as dealt with; false when another worker was faster.
async fn mark(tx: &mut Tx, row: &Refused) -> sqlx::Result<bool> {
    let changed = on!(*tx, |c| sqlx::query(
        "update delivery
         set evidence = 'refused', evidence_at = $2
         where id = $1 and state = 'failed' and evidence is null"
    )
    .bind(row.id)
    .bind(row.changed_at)
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(changed == 1)
}

async fn store(tx: &mut Tx, row: &Refused) -> sqlx::Result<()> {
    let address = row.address.clone().unwrap_or_default();
    let words = row.reply.as_deref().unwrap_or("");
    let named = row.stage.as_deref() == Some("rcpt");
    let report = Report {
        recipients: vec![failure::said(address, words, named)],
        ..Report::empty(Kind::Failure)
    };
    on!(*tx, |c| sqlx::query(
        "insert into bounce (digest, intake, kind, report, delivery_id, verdict, received_at)
         values ($1, $2, $3, $4, $5, 'new', $6)
         on conflict (digest) do nothing"
    )
    .bind(super::inbox::digest(format!("refused {}", row.id).as_bytes()).as_slice())
    .bind(Intake::Refusal)
    .bind(report.kind.as_str())
    .bind(Json(Record::from(&report)))
    .bind(row.id)
    .bind(row.changed_at)
    .execute(c)
    .await
    .map(drop))
}
