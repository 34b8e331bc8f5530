//! A small world in which mails come back: a newsletter, readers, issues that
//! went out, and the reports about them.

use jiff::Timestamp;
use rundbrief::bounce::inbox::{self, BounceId, Intake, Received};
use rundbrief::bounce::reason::Reason;
use rundbrief::bounce::review::{self, Decision};
use rundbrief::bounce::verdict::{self, Done, Ours, Verdict};
use rundbrief::newsletter::{self, NewsletterId};
use rundbrief::store::value::Millis;
use rundbrief::subscriber::SubscriberId;
use rundbrief::subscriber::standing::{self, Cause};
use rundbrief::{on, read};
use rundbrief_subscribers::address::EmailAddress;
use rundbrief_subscribers::key::Master;
use rundbrief_subscribers::standing::{Reason as By, Standing};
use rundbrief_subscribers::token::DeliveryToken;

use crate::app::App;

pub const NOW: Millis = Millis(1_795_435_200_000);
pub const DAY: i64 = 24 * 60 * 60 * 1000;

pub fn day(n: i64) -> Millis {
    Millis(NOW.0 + n * DAY)
}

pub fn master() -> Master {
    Master::new([5; 32])
}

/// What is ours: the tests' key, and the mailbox for leaving.
pub fn ours() -> Ours {
    let unsubscribe = EmailAddress::parse("abmelden@news.example.de").ok();
    Ours { key: master().token(), unsubscribe }
}

/// A newsletter with an issue a day, readers, and a delivery of each issue to each.
pub struct World<'a> {
    pub app: &'a App,
    pub newsletter: NewsletterId,
    pub readers: Vec<SubscriberId>,
}

impl<'a> World<'a> {
    pub async fn new(app: &'a App, readers: usize) -> Self {
        let example = include_str!("../../deploy/newsletter.toml");
        let definition = newsletter::parse(example, "newsletter.toml".as_ref()).unwrap();
        let mut tx = app.store.begin().await.unwrap();
        let applied = newsletter::apply(&mut tx, &definition, Timestamp::UNIX_EPOCH).await.unwrap();
        let newsletter = applied.id();
        let mut ids = Vec::new();
        for n in 0..readers {
            let address = EmailAddress::parse(&format!("reader{n}@example.org")).unwrap();
            let hash = master().suppression().hash(&address);
            let (id,): (SubscriberId,) = on!(tx, |c| sqlx::query_as(
                "insert into subscriber (address, address_normal, address_hash, domain, created_at, updated_at)
                 values ($1, $1, $2, 'example.org', $3, $3) returning id"
            )
            .bind(address.as_str())
            .bind(hash.as_bytes().as_slice())
            .bind(NOW)
            .fetch_one(c)
            .await)
            .unwrap();
            standing::begin(&mut tx, id, newsletter, Standing::Active, NOW).await.unwrap();
            ids.push(id);
        }
        tx.commit().await.unwrap();
        World { app, newsletter, readers: ids }
    }

    pub async fn rename(&self, reader: usize, address: &str) {
        let mut tx = self.app.store.begin().await.unwrap();
        on!(tx, |c| sqlx::query(
            "update subscriber set address = $2, address_normal = $2 where id = $1"
        )
        .bind(self.readers[reader])
        .bind(address)
        .execute(c)
        .await
        .map(drop))
        .unwrap();
        tx.commit().await.unwrap();
    }

    pub async fn leave(&self, reader: usize, at: Millis) {
        let cause = Cause { reason: By::Link, evidence: &serde_json::Value::Null, at };
        let mut tx = self.app.store.begin().await.unwrap();
        standing::leave(&mut tx, self.readers[reader], self.newsletter, "x", cause).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Applies the newsletter's definition again, changed.
    pub async fn define(&self, change: impl Fn(&str) -> String) {
        let example = change(include_str!("../../deploy/newsletter.toml"));
        let definition = newsletter::parse(&example, "newsletter.toml".as_ref()).unwrap();
        let mut tx = self.app.store.begin().await.unwrap();
        newsletter::apply(&mut tx, &definition, Timestamp::UNIX_EPOCH).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// An issue that went out to everybody at a moment: its key and its deliveries'.
    pub async fn issue(&self, number: i64, state: &str, at: Millis) -> (i64, Vec<i64>) {
        let mut tx = self.app.store.begin().await.unwrap();
        let (issue,): (i64,) = on!(tx, |c| sqlx::query_as(
            "insert into issue (newsletter_id, number, state, subject, preheader, content,
                                created_at, frozen_at, updated_at)
             values ($1, $2, 'finished', 'x', 'x', $3, $4, $4, $4) returning id"
        )
        .bind(self.newsletter)
        .bind(number)
        .bind(sqlx::types::Json(serde_json::json!({})))
        .bind(at)
        .fetch_one(c)
        .await)
        .unwrap();
        let mut deliveries = Vec::new();
        for reader in &self.readers {
            let (id,): (i64,) = on!(tx, |c| sqlx::query_as(
                "insert into delivery (issue_id, subscriber_id, address_hash, domain, state, changed_at)
                 select $1, id, address_hash, domain, $3, $4 from subscriber where id = $2
                 returning id"
            )
            .bind(issue)
            .bind(*reader)
            .bind(state)
            .bind(at)
            .fetch_one(c)
            .await)
            .unwrap();
            deliveries.push(id);
        }
        tx.commit().await.unwrap();
        (issue, deliveries)
    }

    pub fn token(&self, issue: i64, delivery: i64, reader: usize) -> String {
        let subscriber = self.readers[reader].0;
        DeliveryToken::new(&master().token(), delivery, issue, subscriber).to_string()
    }

    pub async fn receive(&self, mail: &str, at: Millis) -> BounceId {
        let mut tx = self.app.store.begin().await.unwrap();
        let received = inbox::receive(&mut tx, Intake::File, mail.as_bytes(), at).await.unwrap();
        tx.commit().await.unwrap();
        match received {
            Received::New(id) => id,
            Received::Known => panic!("each mail of a test is another one"),
        }
    }

    pub async fn step(&self, at: Millis) -> Done {
        verdict::step(&self.app.store, &ours(), at).await.unwrap()
    }

    pub async fn stands(&self, reader: usize) -> Standing {
        standing::of(&self.app.store, self.readers[reader]).await.unwrap()[0].standing
    }

    pub async fn verdict(&self, id: BounceId) -> (Verdict, String) {
        read!(self.app.store, |db| sqlx::query_as("select verdict, why from bounce where id = $1")
            .bind(id)
            .fetch_one(db)
            .await)
        .unwrap()
    }

    pub async fn decide(
        &self,
        id: BounceId,
        decision: Decision,
        phrase: Option<(&str, Option<Reason>)>,
        at: Millis,
    ) -> Result<String, review::Error> {
        let mut tx = self.app.store.begin().await.unwrap();
        let outcome = review::decide(&mut tx, id, decision, phrase, at).await;
        if outcome.is_ok() {
            tx.commit().await.unwrap();
        }
        outcome
    }
}

pub fn failure(to: &str, reply: &str) -> String {
    let status = reply.split(' ').nth(1).unwrap();
    format!(
        "From: MAILER-DAEMON@mx.example.net\r\nTo: {to}\r\n\
         Subject: Undelivered Mail Returned to Sender\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n\
         --b\r\n\r\nI'm sorry. <reader0@example.org>: {reply}\r\n\
         --b\r\nContent-Type: message/delivery-status\r\n\r\n\
         Reporting-MTA: dns; mx.example.net\r\n\r\n\
         Final-Recipient: rfc822; reader0@example.org\r\nAction: failed\r\n\
         Status: {status}\r\nDiagnostic-Code: smtp; {reply}\r\n\
         --b--\r\n"
    )
}

pub fn verp(token: &str) -> String {
    format!("bounce+{token}@news.example.de")
}

pub const UNKNOWN: &str =
    "550 5.1.1 <reader0@example.org>: Recipient address rejected: User unknown";
pub const FULL: &str = "552 5.2.2 <reader0@example.org>: mailbox full";
