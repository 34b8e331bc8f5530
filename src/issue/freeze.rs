//! Renders an issue, as a preview or for good: then it is frozen, and nothing of it
//! changes any more.

use anyhow::Context as _;
use jiff::Timestamp;
use jiff::civil::Date;
use rundbrief_templates::issue::Issue as Page;
use rundbrief_templates::mail::Mail;
use rundbrief_templates::slot::Slots;

use super::archive::Piece;
use super::render::{self, Front};
use super::state::Step;
use super::{Error, Issue, IssueId};
use crate::letter::address::Office;
use crate::letter::enclosure::{self, Enclosure};
use crate::letter::headers::Headers;
use crate::letter::splice::{Head, Letter, content_hash};
use crate::letter::{self, Cover};
use crate::newsletter::definition::{Definition, Pictures};
use crate::source::album::{self, Served};
use crate::store::value::Millis;
use crate::store::{Store, Tx};
use crate::{on, read};

/// Bytes of all pictures that go along with one mail; base64 makes a third more of them,
/// and many mailboxes take no more than a few of such mails a week gladly.
pub const PICTURES_MAX: usize = 1_000_000;

/// Randomness for one letter: what its marks are made of.
#[derive(Debug, Clone, Copy)]
pub struct Chance {
    /// For the marks that the templates write.
    pub slots: u128,
    /// For the marks that the message is cut at.
    pub marks: u128,
}

impl Chance {
    /// Of 32 random octets.
    pub fn of(octets: [u8; 32]) -> Self {
        let half = |at: usize| {
            octets[at..at + 16]
                .iter()
                .fold(0, |number: u128, octet| number << 8 | u128::from(*octet))
        };
        Self { slots: half(0), marks: half(16) }
    }
}

/// Everything that a letter is made of.
#[derive(Debug, Clone, Copy)]
pub struct Material<'a> {
    /// The issue.
    pub issue: &'a Issue,
    /// Its newsletter's definition.
    pub definition: &'a Definition,
    /// Its articles, in the revisions it shows.
    pub pieces: &'a [Piece],
    /// Where we are on the network.
    pub office: &'a Office,
    /// Pictures that may go along: see [`enclosed`].
    pub pictures: &'a [Enclosure],
}

/// The logo and the pictures of an issue's articles, for a newsletter that wants them to
/// go along; none for another. The mail takes those that it shows.
///
/// # Errors
/// The database failed.
pub async fn enclosed(
    store: &Store,
    definition: &Definition,
    pieces: &[Piece],
) -> sqlx::Result<Vec<Enclosure>> {
    let mut pictures = enclosure::logos(store, definition).await?;
    if definition.pictures == Pictures::Linked {
        return Ok(pictures);
    }
    let images = pieces.iter().flat_map(|piece| &piece.record.images);
    let files: Vec<&String> =
        images.flat_map(|image| [&image.file, &image.small]).flatten().collect();
    for file in files {
        if pictures.iter().all(|picture| picture.file != *file)
            && let Some(served) = album::serve(store, file).await?
        {
            let Served { media_type, bytes } = served;
            pictures.push(Enclosure { file: file.clone(), media_type, bytes, logo: None });
        }
    }
    Ok(pictures)
}

impl Material<'_> {
    /// The mail with its slots open.
    ///
    /// # Errors
    /// The brand's colours do not read well on each other.
    pub fn render(&self, date: Date, slots: &Slots) -> anyhow::Result<Mail> {
        let brand = enclosure::brand(self.definition, self.pictures, self.office)?;
        let language = self.definition.language;
        Ok(rundbrief_templates::issue::render(&self.page(date), &brand, language, slots))
    }

    /// What an inbox shows beside the subject.
    ///
    /// # Errors
    /// The brand's colours do not read well on each other.
    pub fn beside(&self, date: Date) -> anyhow::Result<String> {
        let brand = enclosure::brand(self.definition, self.pictures, self.office)?;
        let language = self.definition.language;
        Ok(rundbrief_templates::issue::beside(&self.page(date), &brand, language))
    }

    fn page(&self, date: Date) -> Page {
        let front = Front {
            number: self.issue.number,
            subject: &self.issue.subject,
            preheader: &self.issue.preheader,
            date,
        };
        let content = &self.issue.content.0;
        render::page(self.definition, front, content, self.pieces, self.office)
    }

    /// The letter as it would be frozen now.
    ///
    /// # Errors
    /// The brand's colours do not read well on each other, or a header cannot be written.
    pub fn letter(&self, now: Timestamp, chance: Chance) -> anyhow::Result<Letter> {
        let definition = self.definition;
        let slots = Slots::new(chance.slots);
        let date = now.to_zoned(definition.time_zone.zone());
        let mail = self.render(date.date(), &slots)?;
        let help_url = definition.help_url.as_ref().unwrap_or(&definition.privacy_url);
        let cover = Cover {
            head: Head {
                issue: self.issue.id.0,
                newsletter: self.issue.newsletter_id.0,
                language: definition.language,
            },
            headers: Headers {
                sender: definition.sender.name.as_str(),
                address: &definition.sender.address,
                reply_to: &definition.sender.reply_to,
                subject: &mail.subject,
                date: &date,
                language: definition.language,
                list: definition.title.as_str(),
                list_id: &definition.list_id(),
                help_url: help_url.as_str(),
                web_version: &self.office.issue(&definition.slug, self.issue.number),
                slug: definition.slug.as_str(),
                number: self.issue.number,
            },
            pictures: self.pictures,
        };
        let bytes = self.picture_bytes(&mail);
        anyhow::ensure!(
            bytes <= PICTURES_MAX,
            "its pictures have {bytes} bytes; at most {PICTURES_MAX} go along with a mail"
        );
        letter::freeze(&cover, &mail, &slots, self.office, chance.marks)
    }

    /// Bytes of the pictures that go along with each mail.
    pub fn picture_bytes(&self, mail: &Mail) -> usize {
        let shown = enclosure::shown(&mail.html, self.pictures, &self.office.domain);
        shown.iter().map(|picture| picture.bytes.len()).sum()
    }

    /// What an approval covers: the mail to the letter, whoever reads it, whatever day, and
    /// the revisions of the articles, whose pages it leads to.
    ///
    /// # Errors
    /// The brand's colours do not read well on each other.
    pub fn hash(&self) -> anyhow::Result<[u8; 32]> {
        let mail = self.render(Date::ZERO, &Slots::new(0))?;
        let sender = &self.definition.sender;
        let from = [sender.name.as_str(), sender.address.as_str(), sender.reply_to.as_str()];
        let items = self.issue.content.0.items();
        let items = items.map(|(item, _)| format!("{} {}", item.article, item.revision));
        let items = items.collect::<Vec<_>>().join(", ");
        let whole = [&mail.subject, &mail.text, &mail.html, &items];
        let parts = from.into_iter().chain(whole.into_iter().map(String::as_str));
        // No part holds a NUL, so no two issues give the same bytes.
        let parts: Vec<&str> = parts.collect();
        Ok(content_hash(parts.join("\0").as_bytes()))
    }
}

/// Freezes a queued issue: the letter is stored, and its readers can be written into the
/// ledger.
///
/// # Errors
/// It is not queued (any more), or was changed since it was read.
pub async fn store(
    tx: &mut Tx,
    issue: &Issue,
    letter: &Letter,
    now: Timestamp,
) -> Result<(), Error> {
    let frozen = letter.to_bytes();
    let hash = content_hash(&frozen);
    let done = on!(*tx, |c| sqlx::query(
        "update issue
         set state = 'expanding', content_hash = $3, total = 0, expand_pass = 0, expand_cursor = 0,
             frozen_at = $4, updated_at = $4
         where id = $1 and state = 'queued' and updated_at = $2"
    )
    .bind(issue.id)
    .bind(issue.updated_at)
    .bind(hash.as_slice())
    .bind(Millis::from(now))
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    super::moved(tx, done, issue.id, Step::Freeze).await?;
    on!(*tx, |c| sqlx::query(
        "insert into letter (issue_id, content_hash, frozen, created_at)
         values ($1, $2, $3, $4)"
    )
    .bind(issue.id)
    .bind(hash.as_slice())
    .bind(&frozen)
    .bind(Millis::from(now))
    .execute(c)
    .await
    .map(|_| ()))?;
    Ok(())
}

/// The frozen letter of an issue.
///
/// # Errors
/// It was never frozen, the database failed, or what it holds is damaged.
pub async fn load(store: &Store, issue: IssueId) -> anyhow::Result<Letter> {
    let row: Option<(Vec<u8>, Vec<u8>)> = read!(store, |db| sqlx::query_as(
        "select frozen, content_hash from letter where issue_id = $1"
    )
    .bind(issue)
    .fetch_optional(db)
    .await)?;
    let (frozen, hash) = row.with_context(|| format!("issue {issue} was never frozen"))?;
    Letter::from_bytes(&frozen, &hash).with_context(|| format!("letter of issue {issue}"))
}
