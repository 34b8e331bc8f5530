//! Who did what: imported, exported, erased, changed. No addresses.

use serde_json::Value;
use sqlx::types::Json;

use crate::on;
use crate::store::Tx;
use crate::store::value::Millis;

/// One thing that somebody did.
#[derive(Debug, Clone, Copy)]
pub struct Act<'a> {
    /// Who: an editor's name, or `command line (NAME)`.
    pub actor: &'a str,
    /// What, as a verb: `import`, `export`, `erase`.
    pub act: &'a str,
    /// To which kind of thing.
    pub noun: &'a str,
    /// To which one.
    pub id: Option<i64>,
    /// Counts and names; never an address.
    pub detail: &'a Value,
}

/// Records an act within the transaction that does it.
///
/// # Errors
/// The database failed.
pub async fn record(tx: &mut Tx, act: Act<'_>, now: Millis) -> sqlx::Result<()> {
    on!(*tx, |c| sqlx::query(
        "insert into audit (at, actor, act, noun, noun_id, detail)
         values ($1, $2, $3, $4, $5, $6)"
    )
    .bind(now)
    .bind(act.actor)
    .bind(act.act)
    .bind(act.noun)
    .bind(act.id)
    .bind(Json(act.detail))
    .execute(c)
    .await
    .map(drop))
}
