//! Whose link it is: what `/u/TOKEN` and `/p/TOKEN` have in common.
//!
//! A link is the whole right: whoever holds it may do what it is for, and sees
//! as little as that takes.

use axum::http::{HeaderMap, StatusCode};
use maud::html;
use rundbrief_subscribers::address::EmailAddress;
use rundbrief_subscribers::standing::Standing;
use rundbrief_subscribers::token::{Kind, ReaderToken};
use rundbrief_templates::language::Language;
use rundbrief_templates::publication::Publication;

use super::page::{self, House, Page};
use super::{Site, error::Error};
use crate::newsletter::{self, Newsletter, NewsletterId};
use crate::subscriber::standing::{self, Subscription};
use crate::subscriber::{self, Subscriber, SubscriberId};

/// A reader who came by a link from a mail.
#[derive(Debug)]
pub struct Visit {
    /// What the link says.
    pub token: ReaderToken,
    /// The newsletter whose mail it was in.
    pub newsletter: Newsletter,
    /// The person; `None` when they are gone.
    pub subscriber: Option<Subscriber>,
    /// All that they read.
    pub subscriptions: Vec<Subscription>,
    publication: Publication,
}

impl Visit {
    /// Reads a link's token; `None` when it is not one of ours.
    ///
    /// # Errors
    /// The database failed.
    pub async fn begin(site: &Site, kind: Kind, text: &str) -> Result<Option<Self>, Error> {
        let Some(token) = ReaderToken::open(&site.key.token(), kind, text) else {
            return Ok(None);
        };
        let newsletter::Found { newsletters, damaged } = newsletter::list(&site.store).await?;
        let of_token = |one: &Newsletter| one.id == NewsletterId(token.newsletter);
        let Some(newsletter) = newsletters.into_iter().find(of_token) else {
            // The link may well be good: "unknown" would not be true.
            return damaged
                .into_iter()
                .next()
                .map_or(Ok(None), |one| Err(anyhow::anyhow!(one).into()));
        };
        let id = SubscriberId(token.subscriber);
        let subscriber = subscriber::get(&site.store, id).await?;
        let subscriptions = standing::of(&site.store, id).await?;
        let publication = newsletter.definition.publication();
        Ok(Some(Self { token, newsletter, subscriber, subscriptions, publication }))
    }

    /// The reader's language where we speak it, else the newsletter's.
    pub fn language(&self) -> Language {
        let wanted = self.subscriber.as_ref().and_then(|one| one.person.language);
        wanted
            .and_then(|tag| Language::parse(tag.as_str()))
            .unwrap_or(self.newsletter.definition.language)
    }

    /// Head and foot of the page.
    pub fn house(&self) -> House<'_> {
        House { slug: self.newsletter.definition.slug.as_str(), publication: &self.publication }
    }

    /// The newsletter's title.
    pub fn title(&self) -> &str {
        self.newsletter.definition.title.as_str()
    }

    /// The address, masked: mails are passed on, and their links with them.
    pub fn address(&self) -> Option<String> {
        self.subscriber.as_ref().map(|one| EmailAddress::masked(&one.address))
    }

    /// Where the newsletter's own subscription stands; gone is left.
    pub fn standing(&self) -> Standing {
        let here = self.subscriptions.iter().find(|one| one.newsletter == self.newsletter.id);
        here.map_or(Standing::Left, |one| one.standing)
    }

    /// The same reader's link for something else.
    pub fn link(&self, site: &Site, kind: Kind) -> String {
        let text = ReaderToken { kind, ..self.token }.seal(&site.key.token());
        match kind {
            Kind::Unsubscribe => format!("/u/{text}"),
            Kind::Preferences => format!("/p/{text}"),
            Kind::WebVersion => format!("/archive/{}", self.newsletter.definition.slug),
        }
    }
}

/// What a link says that we did not make, or that a mail program cut in two. The
/// same for everybody, whatever was wrong with it.
pub fn unknown(headers: &HeaderMap) -> Page {
    let language = super::language_of(headers);
    let (title, lead, help) = match language {
        Language::German => (
            "Dieser Link funktioniert nicht",
            "Vielleicht hat Ihr Mailprogramm ihn umgebrochen und es fehlt ein Teil.",
            "Öffnen Sie den Link bitte noch einmal direkt aus der E-Mail. Hilft das nicht, \
             antworten Sie einfach auf den Newsletter: Die Redaktion kümmert sich darum.",
        ),
        Language::English => (
            "This link does not work",
            "Perhaps your mail program broke it in two and a part is missing.",
            "Please open the link directly from the e-mail once more. If that does not help, \
             simply reply to the newsletter: the editors will see to it.",
        ),
    };
    let body = html! {
        h1 { (title) }
        p class="lead" { (lead) }
        p { (help) }
    };
    page::plain(language, title, body).status(StatusCode::NOT_FOUND)
}
