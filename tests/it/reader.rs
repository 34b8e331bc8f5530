//! The links of readers: leaving by them, and choosing.

use std::net::SocketAddr;

use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response};
use rundbrief::newsletter::{self, NewsletterId};
use rundbrief::store::value::Millis;
use rundbrief::subscriber::standing::Subscription;
use rundbrief::subscriber::{self, SubscriberId, consent, erase, standing};
use rundbrief_subscribers::address::EmailAddress;
use rundbrief_subscribers::key::Master;
use rundbrief_subscribers::person::{Language, Name, Person, Salutation};
use rundbrief_subscribers::standing::Standing;
use rundbrief_subscribers::token::{Kind, ReaderToken};
use serde_json::json;

use crate::app::{App, on_both};

on_both![
    a_link_that_is_followed_changes_nothing,
    a_button_unsubscribes_at_once_and_as_often_as_pressed,
    a_providers_click_works_from_anywhere_without_cookies,
    a_link_that_is_not_ours_changes_nothing,
    who_is_gone_has_left,
    a_page_speaks_the_readers_language,
    a_reader_chooses_name_and_language,
    a_name_that_is_none_is_refused_and_kept_in_the_form,
    a_reader_pauses_returns_and_leaves,
    an_old_page_does_not_bring_back_who_left,
    another_sites_form_is_refused,
    a_page_says_no_more_than_it_must,
];

const NOW: Millis = Millis(1_795_435_200_000);

fn key() -> Master {
    Master::new([9; 32])
}

/// Somebody with a mail in their hands.
struct Reader {
    app: App,
    at: SocketAddr,
    browser: Client,
    newsletter: NewsletterId,
    id: SubscriberId,
}

impl Reader {
    async fn begin(app: App) -> Self {
        let example = include_str!("../../deploy/newsletter.toml");
        let definition = newsletter::parse(example, "newsletter.toml".as_ref()).unwrap();
        let address = EmailAddress::parse("anna@example.org").unwrap();
        let person = Person {
            salutation: Salutation::Ms,
            given: Name::parse("Änne & Co").unwrap(),
            family: Name::parse("Müller").unwrap(),
            language: None,
        };
        let mut tx = app.store.begin().await.unwrap();
        let applied = newsletter::apply(&mut tx, &definition, jiff::Timestamp::UNIX_EPOCH).await;
        let newsletter = applied.unwrap().id();
        let id = subscriber::ensure(&mut tx, &key().suppression(), &address, &person, NOW).await;
        let id = id.unwrap();
        standing::begin(&mut tx, id, newsletter, Standing::Active, NOW).await.unwrap();
        tx.commit().await.unwrap();
        let at = app.serve(key()).await;
        let browser = Client::builder().redirect(Policy::none()).build().unwrap();
        Self { app, at, browser, newsletter, id }
    }

    fn link(&self, kind: Kind) -> String {
        let token =
            ReaderToken { kind, issue: 7, subscriber: self.id.0, newsletter: self.newsletter.0 };
        let text = token.seal(&key().token());
        match kind {
            Kind::Unsubscribe => format!("/u/{text}"),
            Kind::Preferences => format!("/p/{text}"),
            Kind::WebVersion => panic!("that one is public"),
        }
    }

    async fn ask(&self, method: Method, path: &str, head: &[(&str, &str)], body: &str) -> Response {
        let mut request = self.browser.request(method, format!("http://{}{path}", self.at));
        for (name, value) in head {
            request = request.header(*name, *value);
        }
        request.body(body.to_owned()).send().await.unwrap()
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let answer = self.ask(Method::GET, path, &[], "").await;
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn post(&self, path: &str, body: &str) -> (u16, String) {
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let answer = self.ask(Method::POST, path, &form, body).await;
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn subscription(&self) -> Subscription {
        standing::of(&self.app.store, self.id).await.unwrap().remove(0)
    }

    async fn stands(&self) -> Standing {
        self.subscription().await.standing
    }

    async fn reasons(&self) -> Vec<String> {
        let events = standing::events(&self.app.store, self.id).await.unwrap();
        events.into_iter().map(|event| event.reason).collect()
    }

    async fn person(&self) -> Person {
        subscriber::get(&self.app.store, self.id).await.unwrap().unwrap().person
    }

    async fn choose(&self, wish: &str) -> (u16, String) {
        let body = format!(
            "salutation=ms&given_name=A&family_name=B&language=&newsletter-{}={wish}",
            self.newsletter
        );
        self.post(&self.link(Kind::Preferences), &body).await
    }
}

async fn a_link_that_is_followed_changes_nothing(app: App) {
    let reader = Reader::begin(app).await;
    for kind in [Kind::Unsubscribe, Kind::Preferences] {
        for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
            reader.ask(method, &reader.link(kind), &[], "").await;
        }
    }
    let (status, page) = reader.get(&reader.link(Kind::Unsubscribe)).await;
    assert_eq!(status, 200);
    assert!(page.contains("<form method=\"post\">"), "{page}");
    assert!(page.contains("Jetzt abmelden"));
    assert_eq!(reader.stands().await, Standing::Active);
    assert!(reader.reasons().await.is_empty());
}

async fn a_button_unsubscribes_at_once_and_as_often_as_pressed(app: App) {
    let reader = Reader::begin(app).await;
    for _twice in 0..2 {
        let (status, page) = reader.post(&reader.link(Kind::Unsubscribe), "").await;
        assert_eq!(status, 200);
        assert!(page.contains("Sie sind abgemeldet"), "{page}");
        assert_eq!(reader.stands().await, Standing::Left);
    }
    assert_eq!(reader.reasons().await, ["link"]);
    let consents = consent::of(&reader.app.store, reader.id).await.unwrap();
    assert_eq!(consents.len(), 1);
    assert_eq!(consents[0].act, "withdrawn");
    assert!(consents[0].wording.ends_with("Jetzt abmelden"), "{}", consents[0].wording);
    let events = standing::events(&reader.app.store, reader.id).await.unwrap();
    assert_eq!(events[0].evidence.0, json!({"issue": 7}));
    let (_, page) = reader.get(&reader.link(Kind::Unsubscribe)).await;
    assert!(page.contains("Sie sind abgemeldet"), "the link shows what holds");
}

async fn a_providers_click_works_from_anywhere_without_cookies(app: App) {
    let reader = Reader::begin(app).await;
    let link = reader.link(Kind::Unsubscribe);
    let head = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("origin", "https://mail.example.com"),
        ("sec-fetch-site", "cross-site"),
    ];
    let answer = reader.ask(Method::POST, &link, &head, "List-Unsubscribe=One-Click").await;
    assert_eq!(answer.status(), 200, "no redirect, no log-in");
    assert!(answer.headers().get("set-cookie").is_none());
    assert_eq!(reader.stands().await, Standing::Left);
    let bare = reader.ask(Method::POST, &link, &[], "List-Unsubscribe=One-Click").await;
    assert_eq!(bare.status(), 200);
    assert_eq!(reader.reasons().await, ["one-click"]);
}

async fn a_link_that_is_not_ours_changes_nothing(app: App) {
    let reader = Reader::begin(app).await;
    let good = reader.link(Kind::Unsubscribe);
    let other_kind = reader.link(Kind::Preferences).replace("/p/", "/u/");
    let foreign = ReaderToken {
        kind: Kind::Unsubscribe,
        issue: 7,
        subscriber: reader.id.0,
        newsletter: reader.newsletter.0,
    };
    let foreign = format!("/u/{}", foreign.seal(&Master::new([1; 32]).token()));
    let cut = good[..good.len() - 1].to_owned();
    let mut answers = Vec::new();
    for link in [other_kind, foreign, cut, "/u/x".to_owned(), "/u/%ff".to_owned()] {
        for (status, page) in [reader.get(&link).await, reader.post(&link, "").await] {
            assert!((400..500).contains(&status), "{link}: {status}");
            if status == 404 {
                answers.push(page);
            }
        }
    }
    assert!(answers.len() >= 8);
    assert!(answers.iter().all(|page| *page == answers[0]), "one answer, whatever was wrong");
    assert_eq!(reader.stands().await, Standing::Active);
}

async fn who_is_gone_has_left(app: App) {
    let reader = Reader::begin(app).await;
    let person = subscriber::get(&reader.app.store, reader.id).await.unwrap().unwrap();
    let mut tx = reader.app.store.begin().await.unwrap();
    erase::erase(&mut tx, &key().suppression(), &person, NOW).await.unwrap();
    tx.commit().await.unwrap();
    for (status, page) in [
        reader.get(&reader.link(Kind::Unsubscribe)).await,
        reader.post(&reader.link(Kind::Unsubscribe), "List-Unsubscribe=One-Click").await,
    ] {
        assert_eq!(status, 200);
        assert!(page.contains("Sie sind abgemeldet"), "{page}");
    }
    assert_eq!(reader.get(&reader.link(Kind::Preferences)).await.0, 404);
    assert_eq!(reader.choose("get").await.0, 404);
}

async fn a_page_speaks_the_readers_language(app: App) {
    let reader = Reader::begin(app).await;
    let german = reader.get(&reader.link(Kind::Unsubscribe)).await.1;
    assert!(german.contains("<html lang=\"de\"") && german.contains("Newsletter abbestellen?"));
    let mut person = reader.person().await;
    person.language = Some(Language::recognise("en").unwrap());
    let mut tx = reader.app.store.begin().await.unwrap();
    subscriber::rename(&mut tx, reader.id, &person, NOW).await.unwrap();
    tx.commit().await.unwrap();
    let english = reader.get(&reader.link(Kind::Unsubscribe)).await.1;
    assert!(english.contains("<html lang=\"en\"") && english.contains("Unsubscribe?"));
    assert!(reader.get(&reader.link(Kind::Preferences)).await.1.contains("Your preferences"));

    let visitor = [("accept-language", "de-AT,en;q=0.5")];
    let unknown = reader.ask(Method::GET, "/u/x", &visitor, "").await.text().await.unwrap();
    assert!(unknown.contains("Dieser Link funktioniert nicht"), "{unknown}");
}

async fn a_reader_chooses_name_and_language(app: App) {
    let reader = Reader::begin(app).await;
    let (status, page) = reader.get(&reader.link(Kind::Preferences)).await;
    assert_eq!(status, 200);
    assert!(page.contains("value=\"Änne &amp; Co\""), "{page}");
    assert!(page.contains("<option value=\"ms\" selected>Frau</option>"), "{page}");
    let body = "salutation=neutral&given_name=+Kim%20&family_name=%C3%96z&language=en";
    let (status, page) = reader.post(&reader.link(Kind::Preferences), body).await;
    assert_eq!(status, 200);
    assert!(page.contains("Saved."), "{page}");
    let person = reader.person().await;
    assert_eq!(person.salutation, Salutation::Neutral);
    assert_eq!((person.given.as_str(), person.family.as_str()), ("Kim", "Öz"));
    assert_eq!(person.language.unwrap().as_str(), "en");
    assert_eq!(reader.stands().await, Standing::Active, "what is not said stays as it is");
}

async fn a_name_that_is_none_is_refused_and_kept_in_the_form(app: App) {
    let reader = Reader::begin(app).await;
    let body =
        "given_name=%3Cscript%3Ealert(1)%3C%2Fscript%3E&family_name=www.example.org&language=";
    let (status, page) = reader.post(&reader.link(Kind::Preferences), body).await;
    assert_eq!(status, 422);
    assert!(page.contains("value=\"&lt;script&gt;alert(1)&lt;/script&gt;\""), "{page}");
    assert!(!page.contains("<script"), "{page}");
    assert!(page.contains("keine Web- oder E-Mail-Adresse"), "{page}");
    assert!(page.contains("aria-invalid=\"true\" aria-describedby=\"given_name-wrong\""), "{page}");
    assert_eq!(reader.person().await.given.as_str(), "Änne & Co");
    assert_eq!(reader.stands().await, Standing::Active);
    let leaves = format!("given_name=%3Cb%3E&newsletter-{}=leave", reader.newsletter);
    assert_eq!(reader.post(&reader.link(Kind::Preferences), &leaves).await.0, 422);
    assert_eq!(reader.stands().await, Standing::Left, "a bad name keeps nobody from leaving");
}

async fn a_reader_pauses_returns_and_leaves(app: App) {
    let reader = Reader::begin(app).await;
    let (status, page) = reader.choose("pause-4").await;
    assert_eq!(status, 200);
    assert!(page.contains("Pause bis"), "{page}");
    let paused = reader.subscription().await;
    assert_eq!(paused.standing, Standing::Paused);
    let weeks = (paused.paused_until.unwrap().0 - paused.since.0) / (7 * 24 * 3_600_000);
    assert_eq!(weeks, 4);
    reader.choose("keep").await;
    assert_eq!(reader.subscription().await.paused_until, paused.paused_until);
    reader.choose("get").await;
    assert_eq!(reader.stands().await, Standing::Active);
    reader.choose("pause").await;
    assert_eq!(reader.subscription().await.paused_until, None);
    let (_, page) = reader.choose("leave").await;
    assert!(page.contains("Sie sind abgemeldet"), "{page}");
    assert_eq!(reader.stands().await, Standing::Left);
    assert_eq!(reader.reasons().await, ["preferences"; 4]);
}

async fn an_old_page_does_not_bring_back_who_left(app: App) {
    let reader = Reader::begin(app).await;
    reader.post(&reader.link(Kind::Unsubscribe), "").await;
    for wish in ["get", "pause", "pause-12", "nonsense"] {
        let (status, page) = reader.choose(wish).await;
        assert_eq!(status, 200);
        assert!(page.contains("Sie sind abgemeldet"), "{page}");
        assert_eq!(reader.stands().await, Standing::Left);
    }
}

async fn another_sites_form_is_refused(app: App) {
    let reader = Reader::begin(app).await;
    let head = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("origin", "https://evil.example"),
        ("sec-fetch-site", "cross-site"),
    ];
    let link = reader.link(Kind::Preferences);
    let body = format!("given_name=X&newsletter-{}=leave", reader.newsletter);
    let answer = reader.ask(Method::POST, &link, &head, &body).await;
    assert_eq!(answer.status(), 403);
    assert_eq!(reader.stands().await, Standing::Active);
    assert_eq!(reader.person().await.given.as_str(), "Änne & Co");
}

async fn a_page_says_no_more_than_it_must(app: App) {
    let reader = Reader::begin(app).await;
    for kind in [Kind::Unsubscribe, Kind::Preferences] {
        let answer = reader.ask(Method::GET, &reader.link(kind), &[], "").await;
        let head = answer.headers().clone();
        assert_eq!(head["cache-control"], "no-store");
        assert_eq!(head["referrer-policy"], "no-referrer");
        assert_eq!(head["x-robots-tag"], "noindex");
        assert!(head["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
        assert!(head.get("set-cookie").is_none());
        let page = answer.text().await.unwrap();
        assert!(page.contains("a…@example.org") && !page.contains("anna@example.org"), "{page}");
        assert!(page.contains("Impressum"), "{page}");
    }
    let page = reader.get(&reader.link(Kind::Unsubscribe)).await.1;
    assert!(!page.contains("Änne"), "leaving needs no name");
}
