//! `/p/{token}`: how a reader is addressed, in which language, what they get,
//! when they pause. GET shows; POST saves; the form can be sent twice.

use axum::Form;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use maud::{Markup, html};
use rundbrief_subscribers::person::{self as rule, Name, NameError, Person, Salutation};
use rundbrief_subscribers::standing::{Event, Reason, Standing};
use rundbrief_subscribers::token::Kind;
use rundbrief_templates::date;
use rundbrief_templates::language::Language;
use serde_json::json;

use super::Site;
use super::error::Error;
use super::page::{self, Page};
use super::preference_words::{self as words, Words};
use super::reader::{self, Visit};
use crate::store::Tx;
use crate::store::value::Millis;
use crate::subscriber::standing::{self, Cause, Subscription};
use crate::subscriber::{self, Subscriber};

/// Lengths of a break that are offered, in weeks.
const BREAKS: [i64; 2] = [4, 12];

/// What a reader wants with one newsletter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// As it is.
    Keep,
    /// Every issue.
    Get,
    /// A break of so many weeks; `None`: until they say otherwise.
    Pause(Option<i64>),
    /// No more.
    Leave,
}

impl Wish {
    fn word(self) -> String {
        match self {
            Self::Keep => "keep".to_owned(),
            Self::Get => "get".to_owned(),
            Self::Pause(None) => "pause".to_owned(),
            Self::Pause(Some(weeks)) => format!("pause-{weeks}"),
            Self::Leave => "leave".to_owned(),
        }
    }

    /// Anything else than what the form offers keeps things as they are.
    fn parse(word: &str) -> Self {
        let offered = [Self::Get, Self::Pause(None), Self::Leave];
        let breaks = BREAKS.into_iter().map(|weeks| Self::Pause(Some(weeks)));
        let mut all = offered.into_iter().chain(breaks);
        all.find(|wish| wish.word() == word).unwrap_or(Self::Keep)
    }
}

/// `GET /p/{token}`.
pub async fn show(
    State(site): State<Site>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Result<Page, Error> {
    let visit = Visit::begin(&site, Kind::Preferences, &token).await?;
    let Some((visit, subscriber)) = present(&visit) else {
        return Ok(reader::unknown(&headers));
    };
    let form = Filled::from(&subscriber.person);
    Ok(page(visit, &form, None))
}

/// `POST /p/{token}`.
pub async fn save(
    State(site): State<Site>,
    Path(token): Path<String>,
    headers: HeaderMap,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Page, Error> {
    let visit = Visit::begin(&site, Kind::Preferences, &token).await?;
    let Some((visit, subscriber)) = present(&visit) else {
        return Ok(reader::unknown(&headers));
    };
    let form = Filled::read(&fields);
    let person = form.person();
    let now = now();
    let mut tx = site.store.begin().await?;
    if let Ok(person) = &person
        && *person != subscriber.person
    {
        subscriber::rename(&mut tx, subscriber.id, person, now).await?;
    }
    // A name that is none keeps nobody from leaving.
    for one in &visit.subscriptions {
        let field = field(one);
        let wish = fields.iter().find(|(name, _)| *name == field);
        let wish = wish.map_or(Wish::Keep, |(_, word)| Wish::parse(word));
        fulfil(&mut tx, visit, subscriber, one, wish, now).await?;
    }
    tx.commit().await?;
    // Shown as it is stored, in the language it may have now.
    let visit = Visit::begin(&site, Kind::Preferences, &token).await?;
    let Some((visit, subscriber)) = present(&visit) else {
        return Ok(reader::unknown(&headers));
    };
    if person.is_err() {
        return Ok(page(visit, &form, None).status(StatusCode::UNPROCESSABLE_ENTITY));
    }
    let saved = words::of(visit.language()).saved;
    Ok(page(visit, &Filled::from(&subscriber.person), Some(saved)))
}

#[expect(clippy::disallowed_methods, reason = "a visitor acts now")]
fn now() -> Millis {
    Millis::from(jiff::Timestamp::now())
}

/// The visit of somebody who is still there.
fn present(visit: &Option<Visit>) -> Option<(&Visit, &Subscriber)> {
    let visit = visit.as_ref()?;
    Some((visit, visit.subscriber.as_ref()?))
}

/// Does what the reader wants with one newsletter.
async fn fulfil(
    tx: &mut Tx,
    visit: &Visit,
    subscriber: &Subscriber,
    subscription: &Subscription,
    wish: Wish,
    now: Millis,
) -> Result<(), Error> {
    let evidence = json!({ "issue": visit.token.issue });
    let cause = Cause { reason: Reason::Preferences, evidence: &evidence, at: now };
    let newsletter = subscription.newsletter;
    let done = match wish {
        Wish::Keep => return Ok(()),
        Wish::Leave => {
            let wording = words::of(visit.language()).leave;
            standing::leave(tx, subscriber.id, newsletter, wording, cause).await?;
            return Ok(());
        }
        Wish::Get => standing::change(tx, subscriber.id, newsletter, Event::Resumed, cause).await,
        Wish::Pause(weeks) => {
            let until = weeks.map(|weeks| Millis(now.0 + weeks * 7 * 24 * 3_600_000));
            standing::pause(tx, subscriber.id, newsletter, until, cause).await
        }
    };
    match done {
        Ok(_) => Ok(()),
        // The page was old: the subscription stands elsewhere by now, and the
        // page that is shown next says where.
        Err(standing::Error::Refused(_) | standing::Error::Missing) => Ok(()),
        Err(standing::Error::Database(error)) => Err(error.into()),
    }
}

/// The form as filled in.
#[derive(Debug, Default)]
struct Filled {
    salutation: String,
    given: String,
    family: String,
    language: String,
}

impl Filled {
    fn from(person: &Person) -> Self {
        Self {
            salutation: person.salutation.as_str().to_owned(),
            given: person.given.as_str().to_owned(),
            family: person.family.as_str().to_owned(),
            language: person.language.map(String::from).unwrap_or_default(),
        }
    }

    fn read(fields: &[(String, String)]) -> Self {
        let value = |wanted: &str| {
            let found = fields.iter().find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        Self {
            salutation: value("salutation"),
            given: value("given_name"),
            family: value("family_name"),
            language: value("language"),
        }
    }

    fn person(&self) -> Result<Person, NameError> {
        Ok(Person {
            salutation: Salutation::parse(&self.salutation).unwrap_or_default(),
            given: Name::parse(&self.given)?,
            family: Name::parse(&self.family)?,
            language: rule::Language::recognise(&self.language).ok(),
        })
    }
}

/// The name of a subscription's field.
fn field(subscription: &Subscription) -> String {
    format!("newsletter-{}", subscription.newsletter)
}

fn page(visit: &Visit, form: &Filled, said: Option<&str>) -> Page {
    let language = visit.language();
    let words = words::of(language);
    let reply_to = visit.newsletter.definition.sender.reply_to.as_str();
    let body = html! {
        h1 { (words.title) }
        @if let Some(address) = visit.address() { p class="lead" { (words.for_address) " " (address) } }
        @if let Some(said) = said { p class="note good" role="status" { (said) } }
        form method="post" {
            (person(form, words))
            h2 { (words.newsletters) }
            @for one in &visit.subscriptions { (subscription(visit, one, words)) }
            button type="submit" { (words.save) }
        }
        p class="way-on" { (words.data) " " a href=(format!("mailto:{reply_to}")) { (reply_to) } }
    };
    page::of(visit.house(), language, words.title, body)
}

fn person(form: &Filled, words: &Words) -> Markup {
    html! {
        h2 { (words.person) }
        div class="fields" {
            div {
                label for="salutation" { (words.salutation) }
                select id="salutation" name="salutation" {
                    @for (salutation, word) in rule::SALUTATIONS.into_iter().zip(words.salutations) {
                        option value=(salutation.as_str()) selected[salutation.as_str() == form.salutation] { (word) }
                    }
                }
            }
            div {
                label for="language" { (words.language) }
                select id="language" name="language" {
                    option value="" selected[form.language.is_empty()] { (words.newsletters_language) }
                    @let known = Language::ALL.map(Language::tag);
                    @let others = !form.language.is_empty() && !known.contains(&form.language.as_str());
                    @if others { option value=(form.language) selected { (form.language) } }
                    @for language in Language::ALL {
                        @let tag = language.tag();
                        option value=(tag) lang=(tag) selected[tag == form.language] { (language.name()) }
                    }
                }
            }
            (name("given_name", words.given, "given-name", &form.given, words))
            (name("family_name", words.family, "family-name", &form.family, words))
        }
    }
}

/// A field for a name, with what is wrong with it right beside it.
fn name(field: &str, label: &str, autocomplete: &str, value: &str, words: &Words) -> Markup {
    let wrong = Name::parse(value).err().map(|error| match error {
        NameError::TooLong => words.name_too_long,
        NameError::Character(_) => words.name_character,
        NameError::Address => words.name_address,
    });
    let hint = format!("{field}-wrong");
    html! {
        div {
            label for=(field) { (label) }
            input id=(field) name=(field) type="text" value=(value) autocomplete=(autocomplete)
                aria-invalid=[wrong.map(|_| "true")] aria-describedby=[wrong.map(|_| &hint)];
            @if let Some(wrong) = wrong { p class="bad" id=(hint) role="alert" { (wrong) } }
        }
    }
}

fn subscription(visit: &Visit, one: &Subscription, words: &Words) -> Markup {
    let field = field(one);
    let choice = |wish: Wish, text: &str, checked: bool| {
        html! {
            label class="choice" {
                input type="radio" name=(field) value=(wish.word()) checked[checked];
                span { (text) }
            }
        }
    };
    let choices = |paused: bool| {
        html! {
            @if paused { (choice(Wish::Keep, &paused_until(visit, one, words), true)) }
            (choice(Wish::Get, words.get, !paused))
            @for weeks in BREAKS { (choice(Wish::Pause(Some(weeks)), &words.pause_weeks(weeks), false)) }
            @if !paused { (choice(Wish::Pause(None), words.pause, false)) }
            (choice(Wish::Leave, words.leave, false))
        }
    };
    html! {
        fieldset {
            legend { (one.title) }
            @match one.standing {
                Standing::Active => (choices(false)),
                Standing::Paused => (choices(true)),
                Standing::Pending => p { (words.pending) },
                Standing::Left | Standing::Complained => p { (words.left) },
                Standing::Unreachable => p { (words.unreachable) },
            }
        }
    }
}

/// "Pause bis 1. Februar 2027", by the newsletter's clock.
fn paused_until(visit: &Visit, one: &Subscription, words: &Words) -> String {
    let zone = visit.newsletter.definition.time_zone.zone();
    match one.paused_until {
        Some(until) => {
            let day = zone.to_datetime(until.timestamp()).date();
            format!("{} {}", words.paused_until, date::day(day, visit.language()))
        }
        None => words.paused.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{BREAKS, Wish};

    #[test]
    fn a_wish_reads_what_it_writes_and_nothing_else() {
        let breaks = BREAKS.map(|weeks| Wish::Pause(Some(weeks)));
        for wish in [Wish::Get, Wish::Pause(None), Wish::Leave].into_iter().chain(breaks) {
            assert_eq!(Wish::parse(&wish.word()), wish);
        }
        assert_eq!(Wish::parse("pause-9999"), Wish::Keep);
        assert_eq!(Wish::parse(""), Wish::Keep);
    }
}
