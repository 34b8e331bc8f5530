//! What stands in an errand, and on its envelope.

use std::sync::Arc;

use anyhow::Context as _;
use jiff::Zoned;
use rundbrief_subscribers::address::EmailAddress;
use rundbrief_subscribers::token::{DeliveryToken, Key, Kind as Door, ReaderToken};
use rundbrief_templates::language::Language;
use rundbrief_templates::service::{probe, reply};

use super::{Errand, Kind};
use crate::bounce::inbox::BounceId;
use crate::bounce::person;
use crate::delivery::pool::ReturnPath;
use crate::letter::address::Office;
use crate::letter::dkim;
use crate::letter::enclosure::{self, Enclosure};
use crate::letter::single::{self, Cover};
use crate::newsletter;
use crate::newsletter::definition::Definition;
use crate::read;
use crate::smtp::envelope::Envelope;
use crate::smtp::mark::Mark;
use crate::smtp::wire;
use crate::store::Store;
use crate::store::value::Millis;
use crate::subscriber;

/// What writing an errand takes.
#[derive(Debug)]
pub struct Desk {
    /// Where everything is stored.
    pub store: Store,
    /// Signs tokens.
    pub key: Key,
    /// Our web addresses.
    pub office: Office,
    /// Mailbox that bounces come to.
    pub return_path: ReturnPath,
    /// Keys that sign mails.
    pub keys: Vec<Arc<dkim::Key>>,
}

/// An errand, ready for the wire.
#[derive(Debug)]
pub struct Written {
    /// From and to.
    pub envelope: Envelope,
    /// Header and body, signed.
    pub content: Vec<u8>,
    /// Whom it goes to.
    pub to: EmailAddress,
    /// What names it.
    pub token: String,
}

/// Writes an errand's mail; `None` when it is not wanted any more: the reader left or is
/// gone, the reply was deleted. `by`: the provider that carries it.
///
/// # Errors
/// The newsletter cannot be read, or the database failed.
pub async fn write(
    desk: &Desk,
    errand: &Errand,
    by: Option<Mark>,
    now: Millis,
) -> anyhow::Result<Option<Written>> {
    let newsletter = newsletter::get(&desk.store, errand.newsletter_id).await?;
    match errand.kind {
        Kind::Probe => write_probe(desk, errand, &newsletter.definition, by, now).await,
        Kind::Reply => write_reply(desk, errand, &newsletter.definition, by, now).await,
    }
}

async fn write_probe(
    desk: &Desk,
    errand: &Errand,
    definition: &Definition,
    by: Option<Mark>,
    now: Millis,
) -> anyhow::Result<Option<Written>> {
    if !is_wanted(desk, errand).await? {
        return Ok(None);
    }
    let Some(id) = errand.subscriber_id else { return Ok(None) };
    let Some(reader) = subscriber::get(&desk.store, id).await? else { return Ok(None) };
    let spoken = reader.person.language.as_ref().and_then(|tag| Language::parse(tag.as_str()));
    let language = spoken.unwrap_or(definition.language);
    let newsletter = errand.newsletter_id.0;
    let door = ReaderToken { kind: Door::Preferences, issue: 0, subscriber: id.0, newsletter };
    let url = format!("{}{}", desk.office.preferences_prefix(), door.seal(&desk.key));
    let publication = definition.publication();
    let pictures = enclosure::logos(&desk.store, definition).await?;
    let mail = probe::render(
        &probe::Probe { publication: &publication, preferences_url: &url },
        &enclosure::brand(definition, &pictures, &desk.office)?,
        language,
    );
    let post = Post {
        mail: &mail,
        to: &reader.address,
        reply_to: &definition.sender.reply_to,
        language,
        attached: None,
        pictures: &pictures,
        by,
    };
    sign(desk, errand, definition, &post, now).map(Some)
}

async fn write_reply(
    desk: &Desk,
    errand: &Errand,
    definition: &Definition,
    by: Option<Mark>,
    now: Millis,
) -> anyhow::Result<Option<Written>> {
    let Some(raw) = raw(&desk.store, errand.bounce_id).await? else { return Ok(None) };
    let letter = person::read(&raw);
    let Some(from) = letter.from.as_ref().filter(|_| !letter.automatic) else { return Ok(None) };
    let asks = waits(&desk.store, errand.bounce_id).await?;
    let command = format!("rundbrief bounce review {} --as leave", errand.bounce_id);
    let publication = definition.publication();
    let pictures = enclosure::logos(&desk.store, definition).await?;
    let mail = reply::render(
        &reply::Reply {
            publication: &publication,
            from: &letter.shown,
            about: &letter.subject,
            leave: asks.then_some(command.as_str()),
        },
        &enclosure::brand(definition, &pictures, &desk.office)?,
        definition.language,
    );
    let post = Post {
        mail: &mail,
        to: &definition.sender.reply_to,
        reply_to: from,
        language: definition.language,
        attached: Some(&raw),
        pictures: &pictures,
        by,
    };
    sign(desk, errand, definition, &post, now).map(Some)
}

struct Post<'a> {
    mail: &'a rundbrief_templates::mail::Mail,
    to: &'a EmailAddress,
    reply_to: &'a EmailAddress,
    language: Language,
    attached: Option<&'a [u8]>,
    pictures: &'a [Enclosure],
    by: Option<Mark>,
}

fn sign(
    desk: &Desk,
    errand: &Errand,
    definition: &Definition,
    post: &Post<'_>,
    now: Millis,
) -> anyhow::Result<Written> {
    let subscriber = errand.subscriber_id.map_or(0, |id| id.0);
    let newsletter = errand.newsletter_id.0;
    let token = DeliveryToken::errand(&desk.key, errand.id.0, newsletter, subscriber).to_string();
    let path = &desk.return_path;
    let date: Zoned = now.timestamp().to_zoned(definition.time_zone.zone());
    let address = &definition.sender.address;
    let cover = Cover {
        sender: definition.sender.name.as_str(),
        address,
        reply_to: post.reply_to,
        to: post.to,
        date: &date,
        language: post.language,
        token: &token,
        domain: &desk.office.domain,
        looped: &format!("{}@{}", path.local, path.domain),
        pictures: post.pictures,
    };
    let mut mail = single::message(&cover, post.mail, post.attached)?;
    if !wire::is_clean(&mail) {
        mail = wire::clean(&mail);
    }
    let mut content = Vec::with_capacity(mail.len() + 2048);
    let signs = |key: &&dkim::Key| key.signs_for(address.domain());
    let keys = desk.keys.iter().map(AsRef::as_ref).filter(signs);
    let replaced = post.by.map_or(&[][..], Mark::replaces);
    dkim::sign_without(replaced, keys, &mail, now.timestamp(), &mut content);
    content.extend_from_slice(&mail);
    let sender = format!("{}+{token}@{}", path.local, path.domain);
    let mut envelope = Envelope::new(sender, post.to.as_str(), Some(token.clone()))
        .context("the address of an errand")?;
    envelope.describe(&content);
    Ok(Written { envelope, content, to: post.to.clone(), token })
}

/// Whether the reader still gets mail of the newsletter, and nobody took back what the
/// probe asks about.
async fn is_wanted(desk: &Desk, errand: &Errand) -> sqlx::Result<bool> {
    let (count,): (i64,) = read!(desk.store, |db| sqlx::query_as(
        "select count(*)
         from subscription s
         join subscriber p on p.id = s.subscriber_id
         where s.subscriber_id = $1 and s.newsletter_id = $2
           and s.standing in ('active', 'paused')
           and not exists (select 1 from suppression x where x.address_hash = p.address_hash)
           and not exists (select 1 from errand e where e.id = $3 and e.outcome = 'taken back')"
    )
    .bind(errand.subscriber_id)
    .bind(errand.newsletter_id)
    .bind(errand.id)
    .fetch_one(db)
    .await)?;
    Ok(count > 0)
}

async fn raw(store: &Store, id: BounceId) -> sqlx::Result<Option<Vec<u8>>> {
    let row: Option<(Option<Vec<u8>>,)> =
        read!(store, |db| sqlx::query_as("select raw from bounce where id = $1")
            .bind(id)
            .fetch_optional(db)
            .await)?;
    Ok(row.and_then(|(raw,)| raw))
}

/// Whether somebody has to decide about it: it asks to leave.
async fn waits(store: &Store, id: BounceId) -> sqlx::Result<bool> {
    let (count,): (i64,) = read!(store, |db| sqlx::query_as(
        "select count(*) from bounce where id = $1 and verdict = 'review'"
    )
    .bind(id)
    .fetch_one(db)
    .await)?;
    Ok(count > 0)
}
