//! What a stored report is worth: new rows become applied, noted, forged, stale,
//! untied, or wait for review. One step is one transaction: a crash repeats it.

use rundbrief_subscribers::address::EmailAddress;
use rundbrief_subscribers::token::Key;
use sqlx::types::Json;

use super::breaker::Breaker;
use super::follow::{self, About};
use super::inbox::{BounceId, Intake};
use super::person;
use super::record::Record;
use super::refusal;
use super::review::{self, Learned};
use super::rule::{self, Weight};
use super::tie::{self, By, Tie, Tied};
use crate::config::Config;
use crate::errand::{self, ErrandId};
use crate::store::value::Millis;
use crate::store::{Kind, Store, Tx};
use crate::subscriber::SubscriberId;
use crate::{on, row, words};

/// Reports that one step decides about.
const AT_ONCE: i64 = 200;
/// Replies of one reader that are handed on within a day: more come from no person.
const REPLIES_A_DAY: i64 = 5;
/// A day, in milliseconds.
const DAY: i64 = 24 * 60 * 60 * 1000;
/// Why a mail waits in which somebody asks to leave whom nobody knows.
const NOBODY_LEAVES: &str = "asks to leave; nobody has that address";
/// What somebody did who used the address in `List-Unsubscribe`.
const BY_MAIL: &str = "List-Unsubscribe: mailto";

words! {
    /// What became of a report.
    Verdict {
        /// Stored, not looked at yet.
        New = "new",
        /// Something followed from it.
        Applied = "applied",
        /// Understood; nothing follows.
        Noted = "noted",
        /// A person has to look.
        Review = "review",
        /// It carries a token that is not ours.
        Forged = "forged",
        /// It is about a mail that is too old.
        Stale = "stale",
        /// It carries no token: nobody knows which mail it is about.
        Untied = "untied",
        /// A person decided.
        Decided = "decided",
    }
}

/// What is ours: the key of our tokens, and the mailboxes that mail comes back to.
#[derive(Debug, Clone)]
pub struct Ours {
    /// Signs tokens.
    pub key: Key,
    /// Where readers' programs unsubscribe.
    pub unsubscribe: Option<EmailAddress>,
}

impl Ours {
    /// What is ours by the configuration.
    ///
    /// # Errors
    /// `mail.unsubscribe` is no address.
    pub fn of(config: &Config, key: Key) -> anyhow::Result<Ours> {
        let unsubscribe = config.mail.unsubscribe.as_deref().map(EmailAddress::parse).transpose();
        Ok(Ours {
            key,
            unsubscribe: unsubscribe
                .map_err(|error| anyhow::anyhow!("rundbrief.toml: mail.unsubscribe {error}"))?,
        })
    }

    /// Whether a mail went to the mailbox for leaving, with or without a token.
    fn leaves(&self, to: &[String]) -> bool {
        let Some(ours) = &self.unsubscribe else { return false };
        to.iter().filter_map(|to| to.rsplit_once('@')).any(|(local, domain)| {
            let base = local.split_once('+').map_or(local, |(base, _)| base);
            base.eq_ignore_ascii_case(ours.local()) && domain.eq_ignore_ascii_case(ours.domain())
        })
    }
}

/// What one step did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Done {
    /// Reports decided about.
    pub read: u64,
    /// Of these, something followed from.
    pub applied: u64,
    /// Of these, wait for a person.
    pub review: u64,
}

row! {
    /// A new report.
    Fresh {
        /// Its key.
        id: BounceId,
        /// How it came.
        intake: Intake,
        /// What it says.
        report: Json<Record>,
        /// As it came.
        raw: Option<Vec<u8>>,
        /// When it came.
        received_at: Millis,
    }
}

/// Decides about the oldest new reports; call it until it has read none.
///
/// # Errors
/// The database failed; nothing was decided then.
pub async fn step(store: &Store, ours: &Ours, now: Millis) -> anyhow::Result<Done> {
    let mut tx = store.begin().await?;
    refusal::collect(&mut tx).await?;
    let mut rows = fresh(&mut tx).await?;
    if rows.is_empty() {
        return Ok(Done::default());
    }
    let learned = review::learned(&mut tx).await?;
    // Tied first, all of them: the breaker has to see the whole of them.
    let mut ties = Vec::with_capacity(rows.len());
    for row in &mut rows {
        let tie = match row.intake {
            // Tied by the ledger itself.
            Intake::Refusal => match tie::of_bounce(&mut tx, row.id).await? {
                Some((tied, Some(probe))) => Tie::Probe(tied, probe),
                Some((tied, None)) => Tie::To(tied),
                None => Tie::None,
            },
            Intake::File
            | Intake::Maildir
            | Intake::Mbox
            | Intake::Imap
            | Intake::Pop3
            | Intake::Lmtp
            | Intake::Smtp
            | Intake::Webhook => {
                tie::find(&mut tx, &ours.key, &row.report.0, row.received_at).await?
            }
        };
        match &tie {
            Tie::To(tied) | Tie::Stale(tied) => {
                name_cause(&mut tx, row.id, Some(tied), None).await?;
            }
            Tie::Probe(tied, errand) => {
                name_cause(&mut tx, row.id, Some(tied), Some(*errand)).await?;
            }
            Tie::Reply(errand) => name_cause(&mut tx, row.id, None, Some(*errand)).await?,
            Tie::None | Tie::Forged | Tie::Erased => {}
        }
        let tied = match &tie {
            Tie::To(tied) | Tie::Stale(tied) | Tie::Probe(tied, _) => Some(tied),
            Tie::Reply(_) | Tie::None | Tie::Forged | Tie::Erased => None,
        };
        let raw = row.raw.as_deref();
        learned.teach(&mut tx, row.id, &mut row.report.0, raw, tied).await?;
        ties.push(tie);
    }
    let mut done = Done::default();
    let mut breaker = Breaker::default();
    for (row, tie) in rows.iter().zip(ties) {
        let mut desk = Desk { tx: &mut tx, ours, learned: &learned, breaker: &mut breaker, now };
        let (verdict, why) = desk.decide(row, tie).await?;
        record(&mut tx, row.id, verdict, &why).await?;
        done.read += 1;
        done.applied += u64::from(verdict == Verdict::Applied);
        done.review += u64::from(verdict == Verdict::Review);
    }
    tx.commit().await?;
    tracing::info!(
        read = done.read,
        applied = done.applied,
        review = done.review,
        "bounces decided"
    );
    Ok(done)
}

async fn fresh(tx: &mut Tx) -> sqlx::Result<Vec<Fresh>> {
    let text = match tx.kind() {
        Kind::Sqlite => {
            "select id, intake, report, raw, received_at from bounce where verdict = 'new' order by id limit $1"
        }
        Kind::Postgres => {
            "select id, intake, report, raw, received_at from bounce where verdict = 'new' order by id limit $1
             for update skip locked"
        }
    };
    on!(*tx, |c| sqlx::query_as(text).bind(AT_ONCE).fetch_all(c).await)
}

async fn name_cause(
    tx: &mut Tx,
    id: BounceId,
    tied: Option<&Tied>,
    errand: Option<ErrandId>,
) -> sqlx::Result<()> {
    const TEXT: &str = "update bounce set delivery_id = $2, errand_id = $3 where id = $1";
    on!(*tx, |c| sqlx::query(TEXT)
        .bind(id)
        .bind(tied.map(|tied| tied.delivery))
        .bind(errand)
        .execute(c)
        .await
        .map(drop))
}

async fn record(tx: &mut Tx, id: BounceId, verdict: Verdict, why: &str) -> sqlx::Result<()> {
    on!(*tx, |c| sqlx::query("update bounce set verdict = $2, why = $3 where id = $1")
        .bind(id)
        .bind(verdict)
        .bind(why)
        .execute(c)
        .await
        .map(drop))
}

type Decision = (Verdict, String);

/// A provider says that a receiver took a mail. That is evidence only: it settles what
/// nobody could know, and is outweighed by whatever comes back.
///
/// # Errors
/// The database failed.
pub async fn delivered(tx: &mut Tx, key: &Key, token: &str, now: Millis) -> sqlx::Result<bool> {
    match tie::of_token(tx, key, token, now).await? {
        Tie::To(tied) => evidence(tx, &tied, "delivered", now).await,
        Tie::None | Tie::Probe(..) | Tie::Reply(_) | Tie::Forged | Tie::Stale(_) | Tie::Erased => {
            Ok(false)
        }
    }
}

/// What deciding takes.
struct Desk<'a> {
    tx: &'a mut Tx,
    ours: &'a Ours,
    learned: &'a Learned,
    breaker: &'a mut Breaker,
    now: Millis,
}

impl Desk<'_> {
    async fn decide(&mut self, row: &Fresh, tie: Tie) -> anyhow::Result<Decision> {
        let report = &row.report.0;
        let is_report = matches!(report.kind.as_str(), "failure" | "delay" | "complaint");
        let raw = row.raw.as_deref().unwrap_or_default();
        let is_mail = row.intake != Intake::Webhook || !raw.starts_with(b"{");
        if !is_report && is_mail {
            let letter = person::read(raw);
            if self.ours.leaves(&letter.to) {
                return self.leave(row, report, &letter, tie).await;
            }
            if report.kind == "other" && !matches!(tie, Tie::Reply(_)) {
                return self.person(row, &letter, tie).await;
            }
        }
        let (tied, probe) = match tie {
            Tie::To(tied) => (tied, None),
            Tie::Probe(tied, probe) => (tied, Some(probe)),
            Tie::Reply(errand) => return self.about_reply(report, errand).await,
            Tie::None => return Ok(without_token(report)),
            Tie::Forged => return Ok((Verdict::Forged, "its token is not ours".to_owned())),
            Tie::Stale(_) => {
                return Ok((Verdict::Stale, "its mail is older than 14 days".to_owned()));
            }
            Tie::Erased => {
                return Ok((Verdict::Noted, "the reader's data was erased".to_owned()));
            }
        };
        match report.kind.as_str() {
            "failure" | "complaint" => self.about(row, report, &tied, probe).await,
            "delay" if probe.is_some() => Ok((Verdict::Noted, "still tried".to_owned())),
            "delay" => {
                evidence(self.tx, &tied, "delayed", row.received_at).await?;
                Ok((Verdict::Noted, "still tried".to_owned()))
            }
            "autoreply" => Ok((Verdict::Noted, "an automatic reply".to_owned())),
            "challenge" => Ok((
                Verdict::Review,
                "the receiver wants the sender to confirm the mail".to_owned(),
            )),
            "other" if review::left(report) => {
                Ok((Verdict::Review, "a person left by the provider's link".to_owned()))
            }
            "other" => Ok((Verdict::Noted, "no bounce".to_owned())),
            _ => Ok((Verdict::Review, "not understood".to_owned())),
        }
    }

    /// A failure or complaint about a delivery or a probe of ours.
    async fn about(
        &mut self,
        row: &Fresh,
        report: &Record,
        tied: &Tied,
        probe: Option<ErrandId>,
    ) -> anyhow::Result<Decision> {
        let Some(subscriber) = tied.subscriber else {
            return Ok((Verdict::Noted, "the reader's data was erased".to_owned()));
        };
        let counted = match probe {
            Some(probe) => !errand::outcome::came_back(self.tx, probe, self.now).await?,
            None => self.counted(row, report, tied).await?,
        };
        // A refusal was marked when it was collected.
        if counted && (probe.is_some() || row.intake != Intake::Refusal) {
            let void = match probe {
                Some(probe) => errand::outcome::is_taken_back(self.tx, probe).await?,
                None => false,
            };
            let why = if void { review::TAKEN_BACK } else { "counted before" };
            return Ok((Verdict::Noted, why.to_owned()));
        }
        let weight = rule::weigh(report, &address(self.tx, subscriber).await?);
        if matches!(weight, Weight::Hard(_) | Weight::Soft(_))
            && let Some(why) = self.breaker.holds(self.tx, &tied.domain, self.now).await?
        {
            return Ok((Verdict::Review, why));
        }
        let about = About { id: row.id, report, tied, subscriber, probe };
        Ok(follow::apply(self.tx, about, weight, row.received_at).await?)
    }

    /// Whether this delivery has counted; if not, it has from now on.
    async fn counted(&mut self, row: &Fresh, report: &Record, tied: &Tied) -> sqlx::Result<bool> {
        let complaint = report.kind == "complaint";
        let known = tied.evidence.as_deref();
        if known.is_some_and(|e| e == "complained" || e == "bounced" && !complaint) {
            return Ok(true);
        }
        // Twice in one batch: what the first wrote is not in what was read before.
        let word = if complaint { "complained" } else { "bounced" };
        Ok(!evidence(self.tx, tied, word, row.received_at).await?)
    }

    /// Something about a reply that was handed on; it is never handed on itself.
    async fn about_reply(&mut self, report: &Record, errand: ErrandId) -> anyhow::Result<Decision> {
        if report.kind != "failure" {
            return Ok((Verdict::Noted, "about a reply that was handed on".to_owned()));
        }
        errand::outcome::came_back(self.tx, errand, self.now).await?;
        let why = "a reply that was handed on came back: does the newsletter's reply_to exist?";
        Ok((Verdict::Review, why.to_owned()))
    }

    /// A mail to the address in `List-Unsubscribe`: its token is all it takes, however
    /// old its mail is. Without a good one a person looks.
    async fn leave(
        &mut self,
        row: &Fresh,
        report: &Record,
        letter: &person::Letter,
        tie: Tie,
    ) -> anyhow::Result<Decision> {
        if let Tie::To(tied) | Tie::Stale(tied) | Tie::Probe(tied, _) = &tie
            && let Some(subscriber) = tied.subscriber
        {
            let about = About { id: row.id, report, tied, subscriber, probe: None };
            return Ok(follow::leave(self.tx, about, BY_MAIL, row.received_at).await?);
        }
        if letter.automatic {
            return Ok((Verdict::Noted, "a program wrote, without a token of ours".to_owned()));
        }
        let key = &self.ours.key;
        let found = tie::of_person(self.tx, key, letter, row.received_at).await?;
        let Some((tied, _)) = found else {
            let why = "asks to leave by mail; no token of ours, and nobody has that address";
            return Ok((Verdict::Review, why.to_owned()));
        };
        name_cause(self.tx, row.id, Some(&tied), None).await?;
        Ok((Verdict::Review, "a person asks to leave by mail, without a token of ours".to_owned()))
    }

    /// A mail that is no report. What a person wrote is handed on to the newsletter's
    /// reply address; that they ask to leave waits for a decision as well.
    async fn person(
        &mut self,
        row: &Fresh,
        letter: &person::Letter,
        tie: Tie,
    ) -> anyhow::Result<Decision> {
        if letter.automatic {
            return Ok((Verdict::Noted, "no bounce; a program wrote it".to_owned()));
        }
        let by_return_path = match tie {
            Tie::To(tied) | Tie::Stale(tied) | Tie::Probe(tied, _) => Some((tied, By::Token)),
            Tie::None | Tie::Forged | Tie::Erased | Tie::Reply(_) => None,
        };
        let found = match by_return_path {
            Some(found) => Some(found),
            None => tie::of_person(self.tx, &self.ours.key, letter, row.received_at).await?,
        };
        let Some((tied, by)) = found else {
            if letter.leaves(|text| self.learned.leaves(text)) {
                return Ok((Verdict::Review, NOBODY_LEAVES.to_owned()));
            }
            return Ok((Verdict::Noted, "no bounce, and no token of ours in it".to_owned()));
        };
        name_cause(self.tx, row.id, Some(&tied), None).await?;
        let handed = self.hand_on(row, &tied).await?;
        let asks = letter.leaves(|text| self.learned.leaves(text));
        let mut why = if asks { review::LEAVES } else { "a person wrote" }.to_owned();
        if by == By::Address {
            why.push_str("; known by the address only");
        }
        if handed {
            why.push_str("; handed on to the reply address");
        }
        Ok((if asks || !handed { Verdict::Review } else { Verdict::Noted }, why))
    }

    /// Queues a reply for the newsletter's reply address; false when one reader sends
    /// more than a person would.
    async fn hand_on(&mut self, row: &Fresh, tied: &Tied) -> sqlx::Result<bool> {
        let Some(subscriber) = tied.subscriber else { return Ok(false) };
        let kind = errand::Kind::Reply;
        let since = Millis(self.now.0 - DAY);
        let newsletter = tied.newsletter;
        if errand::count_since(self.tx, kind, newsletter, subscriber, since).await? >= REPLIES_A_DAY
        {
            return Ok(false);
        }
        let delivery = tied.delivery;
        let cause = errand::Cause { bounce: row.id, newsletter, subscriber, delivery };
        errand::queue(self.tx, kind, cause, self.now, self.now).await?;
        Ok(true)
    }
}

fn without_token(report: &Record) -> Decision {
    match report.kind.as_str() {
        "unclear" => (Verdict::Review, "not understood, and no token of ours in it".to_owned()),
        "complaint" => (Verdict::Review, "a complaint without a token of ours".to_owned()),
        "other" if review::left(report) => {
            (Verdict::Review, "a person left by the provider's link, no token of ours".to_owned())
        }
        "failure" | "delay" => (Verdict::Untied, "no token of ours in it".to_owned()),
        _ => (Verdict::Noted, "no bounce, and no token of ours in it".to_owned()),
    }
}

/// Writes into the ledger what is known of a delivery; false when that or something
/// weightier stood there. A report proves that a mail of unknown fate arrived.
async fn evidence(tx: &mut Tx, tied: &Tied, word: &str, at: Millis) -> sqlx::Result<bool> {
    let changed = on!(*tx, |c| sqlx::query(
        "update delivery
         set evidence = $2,
             evidence_at = $3,
             state = case when state = 'unknown' then 'accepted' else state end,
             worker_id = case when state = 'unknown' then null else worker_id end,
             changed_at = case when state = 'unknown' then $3 else changed_at end
         where id = $1
           and ($2 <> 'delivered' or state in ('accepted', 'unknown'))
           and (evidence is null
                or evidence in ('delayed', 'delivered') and $2 not in ('delayed', evidence)
                or evidence = 'bounced' and $2 = 'complained')"
    )
    .bind(tied.delivery)
    .bind(word)
    .bind(at)
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(changed == 1)
}

/// A reader's address; empty when it is gone.
///
/// # Errors
/// The database failed.
pub(super) async fn address(tx: &mut Tx, subscriber: SubscriberId) -> sqlx::Result<String> {
    let row: Option<(String,)> =
        on!(*tx, |c| sqlx::query_as("select address_normal from subscriber where id = $1")
            .bind(subscriber)
            .fetch_optional(c)
            .await)?;
    Ok(row.map(|(address,)| address).unwrap_or_default())
}
