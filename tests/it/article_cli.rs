//! `rundbrief article` and `rundbrief source` as an editor calls them, on both databases.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::app::{App, on_both};
use crate::site::{Answer, Site};

on_both![
    an_article_is_added_listed_and_shown,
    what_is_no_article_is_refused_and_the_rest_comes_in,
    a_source_is_added_fetched_and_listed,
    a_wrong_source_is_refused_with_what_is_allowed,
];

/// What a command left behind.
struct Ended {
    code: i32,
    out: String,
    err: String,
}

impl Ended {
    fn objects(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

async fn rundbrief(app: &App, arguments: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rundbrief"));
    command.current_dir(app.directory()).args(arguments).stdin(Stdio::null());
    let ended = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    Ended {
        code: ended.status.code().unwrap(),
        out: String::from_utf8(ended.stdout).unwrap(),
        err: String::from_utf8(ended.stderr).unwrap(),
    }
}

async fn ready(app: &App) {
    let init = ["init", "--directory", ".", "--database", &app.database];
    let ended = rundbrief(app, &init).await;
    assert_eq!(ended.code, 0, "{}", ended.err);
    let file = app.directory().join("rundbrief.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{config}\n[fetch]\nallow = [\"127.0.0.0/8\"]\n")).unwrap();
}

fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/articles").join(name);
    path.to_str().unwrap().to_owned()
}

async fn an_article_is_added_listed_and_shown(app: App) {
    ready(&app).await;
    let page = example("landesfachtag.html");
    // A port where nobody answers: the pictures cannot be had.
    let local = "http://127.0.0.1:1/aktuelles/artikel.html";
    let added = rundbrief(&app, &["article", "add", &page, "--address", local, "--json"]).await;
    assert_eq!(added.code, 0, "{}", added.err);
    let article = added.objects().remove(0);
    assert_eq!(
        article["title"],
        "6. Landesfachtag Quartiersentwicklung | Dokumentation jetzt verfügbar!"
    );
    assert_eq!(
        article["kicker"],
        serde_json::json!(["Aktuelles", "Neuigkeiten", "Artikel der Newsletter"])
    );
    assert_eq!(article["images"].as_array().unwrap().len(), 10);
    assert_eq!(article["links"][0]["text"], "hier");
    assert_eq!(added.err.matches("picture left out").count(), 10, "{}", added.err);
    for field in [
        "article",
        "subtitle",
        "teaser",
        "body",
        "event",
        "published_at",
        "url",
        "language",
        "source",
    ] {
        assert!(article.get(field).is_some(), "{field} is missing");
    }

    let again = rundbrief(&app, &["article", "add", &page, "--address", local]).await;
    assert!(again.out.contains("same"), "{}", again.out);
    let key = article["article"].to_string();
    let shown = rundbrief(&app, &["article", "show", &key, "--json"]).await;
    assert_eq!(shown.objects(), std::slice::from_ref(&article));
    let read = rundbrief(&app, &["article", "show", &key]).await;
    assert!(
        read.out.contains("Aktuelles / Neuigkeiten") && !read.out.contains("Zurück"),
        "{}",
        read.out
    );
    let list = rundbrief(&app, &["article", "list", "--json"]).await;
    assert_eq!(list.objects().len(), 1);
    let none = rundbrief(&app, &["article", "show", "99"]).await;
    assert_eq!((none.code, none.out.as_str()), (66, ""));
    assert!(none.err.contains("no article 99"), "{}", none.err);
}

async fn what_is_no_article_is_refused_and_the_rest_comes_in(app: App) {
    ready(&app).await;
    std::fs::write(app.directory().join("leer.html"), "<html><body></body></html>").unwrap();
    let good = example("umbrochen.txt");
    let ended = rundbrief(
        &app,
        &["article", "add", "leer.html", "fehlt.md", &good, "http://10.1.1.1/", "--json"],
    )
    .await;
    assert_eq!(ended.code, 65, "{}", ended.err);
    assert_eq!(ended.objects().len(), 1);
    for said in ["leer.html: no article found", "fehlt.md: No such file", "not public"] {
        assert!(ended.err.contains(said), "{said}: {}", ended.err);
    }
}

async fn a_source_is_added_fetched_and_listed(app: App) {
    ready(&app).await;
    let site = Site::open().await;
    let feed = "<rss version=\"2.0\"><channel><title>R</title>\n<item><guid>1</guid><title>Eins</title><description>Ein Satz.</description></item>\n<item><title>Zwei</titel></item></channel></rss>";
    site.put("/feed", Answer::page("application/rss+xml", feed));
    let url = site.url("/feed");
    let added = rundbrief(
        &app,
        &[
            "source",
            "add",
            "rathaus",
            url.as_str(),
            "--every",
            "6h",
            "--category",
            "Rathaus",
            "--json",
        ],
    )
    .await;
    assert_eq!(added.code, 0, "{}", added.err);
    assert_eq!(added.objects()[0]["kind"], "feed");
    let fetched = rundbrief(&app, &["source", "fetch", "--json"]).await;
    assert_eq!(fetched.code, 0, "{}", fetched.err);
    assert_eq!(fetched.objects()[0]["new"], 1);
    assert!(fetched.err.contains("rathaus: line 3: the entry was left out"), "{}", fetched.err);
    let again = rundbrief(&app, &["source", "fetch", "rathaus", "--json"]).await;
    assert_eq!(
        (again.objects()[0]["new"].clone(), again.objects()[0]["changed"].clone()),
        (0.into(), 0.into())
    );
    site.put("/feed", Answer::page("text/html", "<h1>umgezogen</h1>"));
    let failed = rundbrief(&app, &["source", "fetch"]).await;
    assert_eq!(failed.code, 69);
    assert!(failed.err.contains("this is no feed"), "{}", failed.err);
    let list = rundbrief(&app, &["source", "list", "--json"]).await;
    let source = list.objects().remove(0);
    assert!(source["failure"].as_str().unwrap().contains("this is no feed"));
    assert_eq!(source["definition"]["categories"][0], "Rathaus");
}

async fn a_wrong_source_is_refused_with_what_is_allowed(app: App) {
    ready(&app).await;
    for (arguments, said) in [
        (vec!["Rat haus", "https://example.org/feed"], "lower-case letters"),
        (vec!["hand", "https://example.org/feed"], "not \"hand\""),
        (vec!["rathaus", "https://example.org/aktuelles"], "--kind feed or --kind page"),
        (vec!["rathaus", "example.org", "--kind", "feed"], "no web address"),
        (vec!["rathaus", "/gibt/es/nicht", "--kind", "folder"], "/gibt/es/nicht"),
        (vec!["rathaus", "https://example.org/x.html", "--body", "p["], "selector body"),
        (vec!["rathaus", "https://example.org/feed", "--every", "3s"], "30m"),
        (
            vec!["rathaus", "https://example.org/feed", "--kind", "email"],
            "feed, page, folder, push",
        ),
    ] {
        let ended = rundbrief(&app, &[vec!["source", "add"], arguments].concat()).await;
        assert!(matches!(ended.code, 64 | 66), "{}: {}", ended.code, ended.err);
        assert!(ended.err.contains(said), "{said}: {}", ended.err);
    }
    let unknown = rundbrief(&app, &["source", "fetch", "nirgends"]).await;
    assert_eq!(unknown.code, 66);
    assert!(unknown.err.contains("no source \"nirgends\""));
}
