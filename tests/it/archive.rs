//! The archive as a browser gets it: what is public, in which form, under which guard.

use std::net::SocketAddr;

use rundbrief::newsletter;
use rundbrief::on;
use rundbrief_subscribers::key::Master;

use crate::app::App;

crate::app::on_both![
    a_draft_does_not_exist_and_a_frozen_issue_does,
    an_article_is_a_page_with_a_way_back,
    what_an_article_says_is_text_not_markup,
    an_empty_archive_says_so,
    a_page_runs_no_script_and_asks_nobody_else,
    long_archives_have_pages,
];

const DEFINITION: &str = r#"
slug = "musterhafen"
title = "Neues aus Musterhafen"
claim = "Rathaus, Hafen, Quartiere"
language = "de"
time_zone = "Europe/Berlin"
privacy_url = "https://example.de/datenschutz"

[sender]
name = "Stadt Musterhafen"
address = "newsletter@example.de"
reply_to = "redaktion@example.de"

[imprint]
name = "Stadt Musterhafen"
representative = "Oberbürgermeisterin Dr. Jana Muster"
street = "Am Hafen 1"
place = "12345 Musterhafen"
email = "stadt@example.de"
phone = "+49 12345 6789"
"#;

/// 23 November 2026, 8:00 in Berlin.
const MORNING: i64 = 1_795_417_200_000;

/// A browser before the archive of one newsletter.
struct Visit {
    app: App,
    at: SocketAddr,
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Visit {
    async fn begin(app: App) -> Visit {
        let definition = newsletter::parse(DEFINITION, "musterhafen.toml".as_ref()).unwrap();
        let mut tx = app.store.begin().await.unwrap();
        newsletter::apply(&mut tx, &definition, jiff::Timestamp::UNIX_EPOCH).await.unwrap();
        tx.commit().await.unwrap();
        let at = app.serve(Master::new([7; 32])).await;
        Visit { app, at }
    }

    async fn get(&self, path: &str) -> Answer {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut stream = tokio::net::TcpStream::connect(self.at).await.unwrap();
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.at);
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        // Dates keep together by spaces that do not break.
        let body = body.replace(['\u{a0}', '\u{202f}'], " ");
        Answer { status, head: head.to_lowercase(), body }
    }

    async fn issue(&self, number: i64, frozen: bool, records: &[serde_json::Value]) {
        let mut tx = self.app.store.begin().await.unwrap();
        let state = if frozen { "finished" } else { "draft" };
        let mut articles: Vec<i64> = Vec::new();
        for (n, record) in records.iter().enumerate() {
            let text = sqlx::types::Json(record);
            let article: i64 = on!(tx, |c| sqlx::query_scalar(
                "insert into article (guid, origin, content_hash, title, record, first_seen_at, updated_at)
                 values ($1, 'hand', $2, 'x', $3, 1, 1)
                 returning id"
            )
            .bind(format!("{number}-{n}"))
            .bind(vec![1_u8])
            .bind(text)
            .fetch_one(c)
            .await)
            .unwrap();
            on!(tx, |c| sqlx::query(
                "insert into article_revision (article_id, revision, content_hash, record, seen_at)
                 values ($1, 1, $2, $3, 1)"
            )
            .bind(article)
            .bind(vec![1_u8])
            .bind(text)
            .execute(c)
            .await
            .map(|_| ()))
            .unwrap();
            articles.push(article);
        }
        let issue: i64 = on!(tx, |c| sqlx::query_scalar(
            "insert into issue (newsletter_id, number, state, subject, preheader, content, frozen_at, created_at, updated_at)
             values (1, $1, $2, 'Neue Radwege & mehr', 'Und was sonst geschah', $4, $3, 1, 1)
             returning id"
        )
        .bind(number)
        .bind(state)
        .bind(frozen.then_some(MORNING))
        .bind(sqlx::types::Json(serde_json::json!({
            "editorial": "diese Woche wird gebaut.\n\nWir sagen <b>wo</b>.",
            "signature": ["Kim Beispiel", "für das Presseamt"],
            "sections": [{ "title": "Verkehr", "blocks": blocks(&articles) }],
        })))
        .fetch_one(c)
        .await)
        .unwrap();
        for (n, article) in articles.iter().enumerate() {
            on!(tx, |c| sqlx::query(
                "insert into issue_article (issue_id, position, section, article_id, revision)
                 values ($1, $2, 'Verkehr', $3, 1)"
            )
            .bind(issue)
            .bind(n as i64)
            .bind(article)
            .execute(c)
            .await
            .map(|_| ()))
            .unwrap();
        }
        tx.commit().await.unwrap();
    }
}

/// A quote, the articles, a divider, a button.
fn blocks(articles: &[i64]) -> Vec<serde_json::Value> {
    let quote = serde_json::json!({ "quote": { "text": "Freie <b>Fahrt</b>", "by": "Jana Muster", "language": "en" } });
    let article = |id: &i64| serde_json::json!({ "article": { "article": id, "revision": 1, "form": "standard" } });
    let button =
        serde_json::json!({ "button": { "text": "Zum Plan", "url": "https://example.de/plan" } });
    let rest = [serde_json::json!("divider"), button];
    [quote].into_iter().chain(articles.iter().map(article)).chain(rest).collect()
}

fn cycleways() -> serde_json::Value {
    serde_json::json!({
        "title": "Neue Radwege am Hafen",
        "kicker": ["Aktuelles", "Verkehr"],
        "subtitle": "Vier Kilometer bis zum Leuchtturm",
        "teaser": "Ab Montag wird gebaut.",
        "body": "<p>Ab Montag wird gebaut. <a href=\"https://example.de/plan\">Zum Plan</a></p>",
        "images": [
            {"url": "https://example.de/a.jpg", "alt": "Zwei Räder auf rotem Weg", "credit": "Jana Muster", "caption": "Der neue Weg", "width": 1200, "height": 800, "file": "abc.jpg"},
            {"url": "https://example.de/b.jpg", "alt": "Ein Bild, das nicht zu haben war"}
        ],
        "event": {"start": "2026-12-03T16:00:00", "place": "Rathaus"},
        "url": "https://example.de/radwege"
    })
}

async fn a_draft_does_not_exist_and_a_frozen_issue_does(app: App) {
    let visit = Visit::begin(app).await;
    visit.issue(1, true, &[cycleways()]).await;
    visit.issue(2, false, &[cycleways()]).await;
    let list = visit.get("/archive/musterhafen").await;
    assert_eq!(list.status, 200);
    assert!(list.body.contains("Neue Radwege &amp; mehr"));
    assert!(list.body.contains("Ausgabe 1 · 23. November 2026"), "{}", list.body);
    assert!(!list.body.contains("Ausgabe 2"));
    assert_eq!(visit.get("/archive/musterhafen/2").await.status, 404);
    assert_eq!(visit.get("/archive/musterhafen/2/neue-radwege-am-hafen").await.status, 404);
    let issue = visit.get("/archive/musterhafen/1").await;
    assert_eq!(issue.status, 200);
    assert!(issue.body.contains("href=\"/archive/musterhafen/1/neue-radwege-am-hafen\""));
    let words = "<p>diese Woche wird gebaut.</p><p>Wir sagen &lt;b&gt;wo&lt;/b&gt;.</p>\
                 <p>Kim Beispiel<br>für das Presseamt</p>";
    assert!(issue.body.contains(words), "{}", issue.body);
    let quote = "<blockquote lang=\"en\"><p>„Freie &lt;b&gt;Fahrt&lt;/b&gt;“</p></blockquote><figcaption>Jana Muster</figcaption>";
    assert!(issue.body.contains(quote), "{}", issue.body);
    let rest = "</ul><hr><p><a class=\"button\" href=\"https://example.de/plan\">Zum Plan</a></p>";
    assert!(issue.body.contains(rest), "{}", issue.body);
    assert!(issue.body.contains("<h2>Verkehr</h2>") && issue.body.contains("<li id=\"a1\">"));
    for nowhere in [
        "/archive/other",
        "/archive/1",
        "/archive/musterhafen/9",
        "/archive/musterhafen/x",
        "/nowhere",
    ] {
        let answer = visit.get(nowhere).await;
        assert!(matches!(answer.status, 400 | 404), "{nowhere}: {}", answer.status);
    }
}

async fn an_article_is_a_page_with_a_way_back(app: App) {
    let visit = Visit::begin(app).await;
    visit.issue(1, true, &[cycleways()]).await;
    let page = visit.get("/archive/musterhafen/1/neue-radwege-am-hafen").await.body;
    let in_order = [
        "Sie sind hier:",
        "href=\"/archive/musterhafen/1\"",
        "Aktuelles / Verkehr",
        "<h1>Neue Radwege am Hafen</h1>",
        "Vier Kilometer bis zum Leuchtturm",
        "Donnerstag, 3. Dezember 2026, 16 Uhr",
        "Rathaus",
        "src=\"/picture/abc.jpg\" alt=\"Zwei Räder auf rotem Weg\" width=\"1200\" height=\"800\"",
        "Der neue Weg",
        "Foto: Jana Muster",
        "<a href=\"https://example.de/plan\">Zum Plan</a>",
        "href=\"https://example.de/radwege\"",
        "Zurück zur Ausgabe",
        "Stadt Musterhafen",
        "12345 Musterhafen",
    ];
    let mut rest = page.as_str();
    for part in in_order {
        let Some((_, after)) = rest.split_once(part) else {
            panic!("{part:?} is not there, or too early: {page}")
        };
        rest = after;
    }
    assert!(!page.contains("nicht zu haben"), "a picture without a copy of ours is shown nowhere");
    let calendar = visit.get("/archive/musterhafen/1/neue-radwege-am-hafen.ics").await;
    assert_eq!(calendar.status, 200);
    assert!(calendar.head.contains("content-type: text/calendar; charset=utf-8"));
    assert!(calendar.body.contains("DTSTART:20261203T150000Z"), "{}", calendar.body);
    assert_eq!(visit.get("/archive/musterhafen/1/nothing.ics").await.status, 404);
    let by_key = visit.get("/archive/musterhafen/1/1").await;
    assert_eq!(by_key.status, 308);
    assert!(by_key.head.contains("location: /archive/musterhafen/1/neue-radwege-am-hafen"));
}

async fn what_an_article_says_is_text_not_markup(app: App) {
    let visit = Visit::begin(app).await;
    let evil = "<script>alert(1)</script> & \"";
    let record = serde_json::json!({
        "title": evil, "kicker": [evil], "subtitle": evil, "teaser": evil, "authors": [evil],
        "images": [{"url": evil, "alt": evil, "caption": evil, "credit": evil, "file": "a.jpg"}],
        "event": {"start": "2026-12-03", "place": evil},
    });
    visit.issue(1, true, &[record]).await;
    for path in ["/archive/musterhafen/1", "/archive/musterhafen/1/script-alert-1-script"] {
        let page = visit.get(path).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(!page.body.contains("<script"), "{path}");
        assert!(page.body.contains("&lt;script&gt;"), "{path}");
        assert!(!page.body.contains("alt=\"<") && !page.body.contains("& \""), "{path}");
    }
}

async fn an_empty_archive_says_so(app: App) {
    let visit = Visit::begin(app).await;
    assert!(visit.get("/archive").await.body.contains("No issue has appeared yet."));
    let list = visit.get("/archive/musterhafen").await.body;
    assert!(list.contains("Von diesem Newsletter ist noch keine Ausgabe erschienen."));
}

async fn a_page_runs_no_script_and_asks_nobody_else(app: App) {
    let visit = Visit::begin(app).await;
    visit.issue(1, true, &[cycleways()]).await;
    for path in [
        "/archive",
        "/archive/musterhafen",
        "/archive/musterhafen/1",
        "/archive/musterhafen/1/neue-radwege-am-hafen",
    ] {
        let page = visit.get(path).await;
        let policy = page.head.lines().find(|l| l.starts_with("content-security-policy:")).unwrap();
        assert!(
            policy.contains("default-src 'none'") && !policy.contains("script-src"),
            "{policy}"
        );
        assert_eq!(path != "/archive", policy.contains("sandbox"), "{path}");
        assert!(page.head.contains("x-content-type-options: nosniff"));
        assert!(page.head.contains("referrer-policy: no-referrer"));
        assert!(!page.body.contains("style="), "inline styles are refused by the policy");
        for attribute in ["src=\"", "<link rel=\"stylesheet\" href=\""] {
            for (at, _) in page.body.match_indices(attribute) {
                let value = &page.body[at + attribute.len()..];
                assert!(value.starts_with('/'), "{path}: {}", &value[..40]);
            }
        }
    }
    let (_, style) = visit
        .get("/archive")
        .await
        .body
        .split_once("stylesheet\" href=\"")
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    let style = visit.get(style.split('"').next().unwrap()).await;
    assert_eq!(style.status, 200);
    assert!(style.head.contains("text/css") && style.head.contains("immutable"));
    assert!(!style.body.contains("http"), "the style sheet asks nobody");
}

async fn long_archives_have_pages(app: App) {
    let visit = Visit::begin(app).await;
    for number in 1..=31 {
        visit.issue(number, true, &[]).await;
    }
    let first = visit.get("/archive/musterhafen").await.body;
    assert!(
        first.contains("Ausgabe 31 ")
            && first.contains("Ausgabe 2 ")
            && !first.contains("Ausgabe 1 ")
    );
    assert!(first.contains("href=\"?before=2\""));
    let second = visit.get("/archive/musterhafen?before=2").await.body;
    assert!(second.contains("Ausgabe 1 ") && !second.contains("Ausgabe 2 "));
}
