//! Sources from the first fetch to the revision, on both databases.

use image::{ExtendedColorType, ImageEncoder as _};
use rundbrief::article::Record;
use rundbrief::article::entry::{self, Article, Identity, Stored};
use rundbrief::source::album::Retry;
use rundbrief::source::collect::{self, Collected};
use rundbrief::source::finding::Reading;
use rundbrief::source::selector::Written;
use rundbrief::source::{self, Definition, Kind, Source, album};
use rundbrief::store::value::Millis;
use rundbrief_subscribers::key::Master;

use crate::app::{App, on_both};
use crate::site::{Answer, Site, client};

on_both![
    the_same_entry_twice_is_one_article_and_a_changed_one_a_revision,
    what_has_not_changed_is_not_read_again,
    a_source_that_fails_says_why_waits_and_comes_back,
    a_due_source_is_fetched_once,
    a_folder_gives_its_articles_with_their_pictures,
    an_overview_leads_to_its_articles,
    a_feed_may_lead_to_the_whole_articles,
    a_picture_is_fetched_once_and_served_for_ever,
    a_picture_exchanged_in_place_is_fetched_anew,
    a_wide_picture_has_a_copy_for_narrow_places,
    a_picture_that_cannot_be_had_is_tried_again,
    who_adds_an_article_again_has_its_pictures_asked_for_at_once,
    articles_are_listed_by_pages,
];

const NOW: Millis = Millis(1_795_000_000_000);
const HOUR: i64 = 3_600_000;

async fn add(app: &App, slug: &str, kind: Kind, address: &str, definition: Definition) -> Source {
    let mut tx = app.store.begin().await.unwrap();
    assert!(source::add(&mut tx, slug, kind, address, &definition, NOW).await.unwrap());
    tx.commit().await.unwrap();
    source::find(&app.store, slug).await.unwrap().unwrap()
}

async fn fetch(app: &App, slug: &str, now: Millis) -> Collected {
    let source = source::find(&app.store, slug).await.unwrap().unwrap();
    collect::fetch_one(&app.store, &client(), &source, Retry::Later, now).await.unwrap()
}

async fn articles(app: &App) -> Vec<Article> {
    entry::list(&app.store, None, None, 100).await.unwrap()
}

fn rss(items: &[(&str, &str, &str)]) -> Answer {
    let items: String = items
        .iter()
        .map(|(guid, title, text)| format!("<item><guid>{guid}</guid><title>{title}</title><description><![CDATA[{text}]]></description></item>"))
        .collect();
    Answer::page(
        "application/rss+xml; charset=utf-8",
        format!("<rss version=\"2.0\"><channel><title>R</title>{items}</channel></rss>"),
    )
}

fn jpeg() -> Vec<u8> {
    plain_jpeg([90, 120, 60])
}

fn plain_jpeg(colour: [u8; 3]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let picture = image::RgbImage::from_pixel(320, 200, image::Rgb(colour));
    image::codecs::jpeg::JpegEncoder::new(&mut bytes)
        .write_image(picture.as_raw(), 320, 200, ExtendedColorType::Rgb8)
        .unwrap();
    bytes
}

async fn the_same_entry_twice_is_one_article_and_a_changed_one_a_revision(app: App) {
    let site = Site::open().await;
    site.put(
        "/feed",
        rss(&[("1", "Eins", "<p>Ein Satz.</p>"), ("2", "Zwei", "<p>Noch einer.</p>")]),
    );
    let definition = Definition { categories: vec!["Rathaus".to_owned()], ..Definition::default() };
    add(&app, "rathaus", Kind::Feed, site.url("/feed").as_str(), definition).await;
    assert_eq!(fetch(&app, "rathaus", NOW).await.counts(), (2, 0));
    assert_eq!(fetch(&app, "rathaus", NOW).await.counts(), (0, 0));
    let before = articles(&app).await;
    assert_eq!(before.len(), 2);
    assert_eq!(before[0].record.categories, ["Rathaus"]);
    assert_eq!(before[0].source, "rathaus");

    site.put(
        "/feed",
        rss(&[("1", "Eins", "<p>Ein anderer Satz.</p>"), ("2", "Zwei", "<p>Noch einer.</p>")]),
    );
    assert_eq!(fetch(&app, "rathaus", Millis(NOW.0 + HOUR)).await.counts(), (0, 1));
    let after = articles(&app).await;
    assert_eq!(after.len(), 2);
    let changed = after.iter().find(|article| article.record.title == "Eins").unwrap();
    assert_eq!(changed.revision, 2);
    assert_eq!(changed.record.body.as_str(), "<p>Ein anderer Satz.</p>");
    assert_eq!(after.iter().find(|article| article.record.title == "Zwei").unwrap().revision, 1);
    let revisions: Vec<(i64, i64)> = rundbrief::read!(app.store, |db| sqlx::query_as(
        "select article_id, revision from article_revision order by article_id, revision"
    )
    .fetch_all(db)
    .await)
    .unwrap();
    assert_eq!(revisions.len(), 3);

    // The same identifier in another source is another article.
    add(&app, "verein", Kind::Feed, site.url("/feed").as_str(), Definition::default()).await;
    assert_eq!(fetch(&app, "verein", NOW).await.counts(), (2, 0));
}

async fn what_has_not_changed_is_not_read_again(app: App) {
    let site = Site::open().await;
    site.put("/feed", rss(&[("1", "Eins", "<p>Ein Satz.</p>")]).with("etag", "\"a\""));
    add(&app, "rathaus", Kind::Feed, site.url("/feed").as_str(), Definition::default()).await;
    assert!(!fetch(&app, "rathaus", NOW).await.unchanged);
    let again = fetch(&app, "rathaus", NOW).await;
    assert!(again.unchanged && again.taken.is_empty());
    site.put("/feed", rss(&[("2", "Zwei", "<p>Ein Satz.</p>")]).with("etag", "\"b\""));
    assert_eq!(fetch(&app, "rathaus", NOW).await.counts(), (1, 0));
    // What has gone from the feed stays an article.
    assert_eq!(articles(&app).await.len(), 2);
}

async fn a_source_that_fails_says_why_waits_and_comes_back(app: App) {
    let site = Site::open().await;
    let definition = Definition { every: Some(3_600), ..Definition::default() };
    let source = add(&app, "rathaus", Kind::Feed, site.url("/feed").as_str(), definition).await;
    let mut waits = Vec::new();
    for _ in 0..7 {
        let source = source::find(&app.store, "rathaus").await.unwrap().unwrap();
        let fetched = collect::fetch_one(&app.store, &client(), &source, Retry::Later, NOW).await;
        let failure = fetched.unwrap_err();
        assert!(failure.to_string().contains("the server answers 404"), "{failure}");
        let source = source::find(&app.store, "rathaus").await.unwrap().unwrap();
        assert_eq!(source.failure.as_deref(), Some(failure.to_string().as_str()));
        waits.push((source.next_at.unwrap().0 - NOW.0) / HOUR);
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 24, 24]);
    site.put("/feed", rss(&[("1", "Eins", "<p>Ein Satz.</p>")]));
    assert_eq!(fetch(&app, &source.slug, NOW).await.counts(), (1, 0));
    let source = source::find(&app.store, "rathaus").await.unwrap().unwrap();
    assert_eq!((source.failure, source.failures), (None, 0));
    assert_eq!(source.next_at, Some(Millis(NOW.0 + HOUR)));
}

async fn a_due_source_is_fetched_once(app: App) {
    let site = Site::open().await;
    site.put("/feed", rss(&[("1", "Eins", "<p>Ein Satz.</p>")]));
    let definition = Definition { every: Some(3_600), ..Definition::default() };
    add(&app, "rathaus", Kind::Feed, site.url("/feed").as_str(), definition).await;
    add(&app, "von-hand", Kind::Feed, site.url("/feed").as_str(), Definition::default()).await;
    let due = source::due(&app.store, NOW).await.unwrap();
    assert_eq!(due.iter().map(|source| source.slug.as_str()).collect::<Vec<_>>(), ["rathaus"]);
    let mut tx = app.store.begin().await.unwrap();
    assert!(source::claim(&mut tx, &due[0], NOW).await.unwrap());
    assert!(!source::claim(&mut tx, &due[0], NOW).await.unwrap());
    tx.rollback().await.unwrap();
    let (source, collected) = collect::step(&app.store, &client(), NOW).await.unwrap().unwrap();
    assert_eq!(source.slug, "rathaus");
    assert_eq!(collected.unwrap().counts(), (1, 0));
    assert!(collect::step(&app.store, &client(), NOW).await.unwrap().is_none());
    assert!(collect::step(&app.store, &client(), Millis(NOW.0 + HOUR)).await.unwrap().is_some());
}

async fn a_folder_gives_its_articles_with_their_pictures(app: App) {
    let folder = app.directory().join("artikel");
    std::fs::create_dir_all(folder.join("2026")).unwrap();
    std::fs::write(app.directory().join("geheim.jpg"), jpeg()).unwrap();
    std::fs::write(folder.join("hafen.jpg"), jpeg()).unwrap();
    std::fs::write(folder.join("notiz.bak"), "keiner").unwrap();
    std::fs::write(
        folder.join("a.md"),
        "+++\ntitle = \"Hafenfest\"\nkicker = [\"Kultur\", \"Feste\"]\ndate = 2026-11-20\n[event]\nstart = 2026-12-03T16:00:00\nplace = \"Alter Hafen\"\n+++\nDas Fest beginnt **pünktlich** um vier.\n\n![Boote am Kai](hafen.jpg)\n\n![Geheim](../geheim.jpg)\n\n| Tag | Zeit |\n|---|---|\n| Sa | 16 |\n\n<script>x()</script>\n",
    )
    .unwrap();
    std::fs::write(folder.join("b.md"), "---\ntitle: 'Neue Bänke'\ntags: [Park]\nlang: de\nbroken: [\n---\n# Bänke\n\nIm Park stehen neue Bänke.\n").unwrap();
    std::fs::write(folder.join("2026/c.txt"), b"Gr\xfc\xdfe aus der Stadt\n\nHier steht ein ganzer Satz, der lang genug ist, um Text zu sein.\n").unwrap();
    add(&app, "ablage", Kind::Folder, folder.to_str().unwrap(), Definition::default()).await;
    let collected = fetch(&app, "ablage", NOW).await;
    assert_eq!(collected.counts(), (3, 0));
    let all = articles(&app).await;
    let fest = all.iter().find(|article| article.record.title == "Hafenfest").unwrap();
    assert_eq!(fest.record.kicker, ["Kultur", "Feste"]);
    assert_eq!(fest.record.event.as_ref().unwrap().start.to_string(), "2026-12-03T16:00:00");
    assert!(
        fest.record
            .body
            .as_str()
            .starts_with("<p>Das Fest beginnt <strong>pünktlich</strong> um vier.</p>")
    );
    assert!(
        fest.record.body.as_str().contains("<table>")
            && !fest.record.body.as_str().contains("script")
    );
    let kept: Vec<bool> = fest.record.images.iter().map(|image| image.file.is_some()).collect();
    assert_eq!(kept, [true, false]);
    assert_eq!(fest.record.images[0].width, Some(320));
    let notes: Vec<String> =
        collected.taken.iter().flat_map(|taken| &taken.findings).map(ToString::to_string).collect();
    assert!(
        notes.iter().any(|note| note.contains("geheim.jpg: no file beside the article")),
        "{notes:?}"
    );
    assert!(
        notes.iter().any(|note| note.starts_with("line 5") && note.contains("front matter")),
        "{notes:?}"
    );
    assert!(all.iter().any(|article| article.record.title == "Bänke"));
    assert!(all.iter().any(|article| article.record.title == "Grüße aus der Stadt"));
    assert_eq!(fetch(&app, "ablage", NOW).await.counts(), (0, 0));
}

fn page(title: &str) -> Answer {
    Answer::page(
        "text/html; charset=utf-8",
        format!(
            "<html lang=de><head><title>{title}</title></head><body><nav><a href=/>Start</a></nav><main><h1>{title}</h1><p>Dies ist der ganze Text der Meldung „{title}“, der auf der Seite steht.</p></main></body></html>"
        ),
    )
}

async fn an_overview_leads_to_its_articles(app: App) {
    let site = Site::open().await;
    site.put("/news", Answer::page("text/html", "<ul class=l><li><a href=/n/1>Eins</a><li><a href='n/2#x'>Zwei</a><li><a href=/n/1>Eins</a><li><a href=/n/3>Drei</a></ul>"));
    site.put("/n/1", page("Erste Meldung"));
    site.put("/n/2", page("Zweite Meldung"));
    let selectors = Written { links: Some(".l a".to_owned()), ..Written::default() };
    add(
        &app,
        "news",
        Kind::Page,
        site.url("/news").as_str(),
        Definition { selectors, ..Definition::default() },
    )
    .await;
    let collected = fetch(&app, "news", NOW).await;
    assert_eq!(collected.counts(), (2, 0));
    assert!(
        collected.findings.iter().any(|finding| finding.reason.contains("/n/3")),
        "{:?}",
        collected.findings
    );
    assert_eq!(fetch(&app, "news", NOW).await.counts(), (0, 0));
}

async fn a_feed_may_lead_to_the_whole_articles(app: App) {
    let site = Site::open().await;
    let item = format!(
        "<rss version=\"2.0\"><channel><item><guid>1</guid><title>Kurz</title><link>{}</link><description>Anriss …</description></item></channel></rss>",
        site.url("/n/1")
    );
    site.put("/feed", Answer::page("application/rss+xml", item));
    site.put("/n/1", page("Erste Meldung"));
    add(
        &app,
        "voll",
        Kind::Feed,
        site.url("/feed").as_str(),
        Definition { full: true, ..Definition::default() },
    )
    .await;
    assert_eq!(fetch(&app, "voll", NOW).await.counts(), (1, 0));
    let all = articles(&app).await;
    assert_eq!(all[0].record.title, "Erste Meldung");
    assert!(all[0].record.body.as_str().contains("der ganze Text"));
}

fn with_picture(address: &str) -> Record {
    let image = rundbrief::article::Image {
        url: address.to_owned(),
        alt: "Wiese".to_owned(),
        ..Default::default()
    };
    Record {
        title: "Mit Bild".to_owned(),
        teaser: "Ein Satz.".to_owned(),
        images: vec![image],
        ..Record::default()
    }
}

fn by_hand(guid: &str) -> Identity {
    Identity { source: None, origin: entry::BY_HAND.to_owned(), guid: guid.to_owned() }
}

async fn take(app: &App, guid: &str, record: Record, now: Millis) -> collect::Taken {
    take_asking(app, guid, record, Retry::Later, now).await
}

async fn take_asking(
    app: &App,
    guid: &str,
    record: Record,
    retry: Retry,
    now: Millis,
) -> collect::Taken {
    let reading = Reading { record, findings: Vec::new() };
    collect::take(&app.store, &client(), &by_hand(guid), reading, None, retry, now).await.unwrap()
}

async fn a_picture_is_fetched_once_and_served_for_ever(app: App) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let site = Site::open().await;
    site.put("/wiese.jpg", Answer::page("image/jpeg", jpeg()));
    let url = site.url("/wiese.jpg").to_string();
    let first = take(&app, "a", with_picture(&url), NOW).await;
    take(&app, "b", with_picture(&url), NOW).await;
    assert_eq!(site.requests().len(), 1);
    let article = entry::get(&app.store, first.stored.id()).await.unwrap().unwrap();
    let image = &article.record.images[0];
    assert_eq!((image.width, image.height), (Some(320), Some(200)));
    assert_eq!(image.small, None, "it is narrow itself");
    let file = image.file.clone().unwrap();
    assert!(album::serve(&app.store, &file).await.unwrap().is_some());
    assert!(album::serve(&app.store, "0.jpg").await.unwrap().is_none());

    let at = app.serve(Master::new([7; 32])).await;
    let get = async |path: String, more: &str| {
        let mut stream = tokio::net::TcpStream::connect(at).await.unwrap();
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {at}\r\n{more}Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).to_lowercase()
    };
    let answer = get(format!("/picture/{file}"), "").await;
    assert!(
        answer.starts_with("http/1.1 200") && answer.contains("content-type: image/jpeg"),
        "{answer}"
    );
    assert!(answer.contains("max-age=31536000, immutable") && answer.contains("nosniff"));
    let known = get(format!("/picture/{file}"), &format!("If-None-Match: \"{file}\"\r\n")).await;
    assert!(known.starts_with("http/1.1 304"), "{known}");
    let gone =
        get(format!("/picture/{}", file.replace(|c: char| c.is_ascii_digit(), "f")), "").await;
    assert!(gone.starts_with("http/1.1 404"), "{gone}");
}

async fn a_wide_picture_has_a_copy_for_narrow_places(app: App) {
    let site = Site::open().await;
    let mut wide = Vec::new();
    image::codecs::jpeg::JpegEncoder::new(&mut wide)
        .write_image(image::RgbImage::new(1_400, 700).as_raw(), 1_400, 700, ExtendedColorType::Rgb8)
        .unwrap();
    site.put("/wiese.jpg", Answer::page("image/jpeg", wide));
    let url = site.url("/wiese.jpg").to_string();
    let image = async |guid: &str| {
        let taken = take(&app, guid, with_picture(&url), NOW).await;
        let article = entry::get(&app.store, taken.stored.id()).await.unwrap().unwrap();
        article.record.images[0].clone()
    };
    let first = image("a").await;
    assert_eq!((first.width, first.height), (Some(1_200), Some(600)));
    let small = first.small.clone().unwrap();
    let served = album::serve(&app.store, &small).await.unwrap().unwrap();
    let seen = image::load_from_memory(&served.bytes).unwrap();
    assert_eq!((seen.width(), seen.height()), (528, 264));
    assert_eq!(image("b").await, first, "known pictures bring their copy along");
    assert_eq!(site.requests().len(), 1);
}

async fn a_picture_exchanged_in_place_is_fetched_anew(app: App) {
    let site = Site::open().await;
    site.put("/wiese.jpg", Answer::page("image/jpeg", jpeg()));
    let url = site.url("/wiese.jpg").to_string();
    let file = async |guid: &str, days: i64| {
        let later = Millis(NOW.0 + days * 24 * 60 * 60 * 1000);
        let taken = take(&app, guid, with_picture(&url), later).await;
        let article = entry::get(&app.store, taken.stored.id()).await.unwrap().unwrap();
        article.record.images[0].file.clone()
    };
    let first = file("a", 0).await;
    site.put("/wiese.jpg", Answer::page("image/jpeg", plain_jpeg([200, 30, 30])));
    assert_eq!(file("b", 0).await, first, "the copy is fresh");
    let second = file("c", 2).await;
    assert!(second.is_some() && second != first, "{second:?}");
    // What is gone from its site stays with us.
    site.put("/wiese.jpg", Answer::page("text/html", "gone"));
    assert_eq!(file("d", 4).await, second);
}

async fn a_picture_that_cannot_be_had_is_tried_again(app: App) {
    let site = Site::open().await;
    let url = site.url("/wiese.jpg").to_string();
    let first = take(&app, "a", with_picture(&url), NOW).await;
    assert!(matches!(first.stored, Stored::New(_)));
    assert!(first.findings[0].reason.contains("picture left out"), "{:?}", first.findings);
    site.put("/wiese.jpg", Answer::page("image/jpeg", jpeg()));
    let soon = take(&app, "a", with_picture(&url), Millis(NOW.0 + 60_000)).await;
    assert_eq!(soon.findings.len(), 1);
    assert_eq!(site.requests().len(), 1);
    let later = take(&app, "a", with_picture(&url), Millis(NOW.0 + 2 * HOUR)).await;
    assert_eq!(later.stored, Stored::Same(first.stored.id()));
    assert_eq!(later.findings, []);
    let article = entry::get(&app.store, first.stored.id()).await.unwrap().unwrap();
    assert_eq!(article.revision, 1);
    assert!(article.record.images[0].file.is_some());
    take(&app, "a", with_picture(&url), Millis(NOW.0 + 3 * HOUR)).await;
    assert_eq!(site.requests().len(), 2);
}

async fn who_adds_an_article_again_has_its_pictures_asked_for_at_once(app: App) {
    let site = Site::open().await;
    let drawing = "<svg xmlns=\"http://www.w3.org/2000/svg\"/>";
    site.put("/wiese.jpg", Answer::page("image/svg+xml", drawing));
    let url = site.url("/wiese.jpg").to_string();
    let image = async |now| {
        let taken = take_asking(&app, "a", with_picture(&url), Retry::AtOnce, now).await;
        let article = entry::get(&app.store, taken.stored.id()).await.unwrap().unwrap();
        (taken, article.record.images[0].clone())
    };
    let (taken, first) = image(NOW).await;
    let failure = first.failure.unwrap();
    assert!(failure.starts_with("a drawing in SVG"), "{failure}");
    assert!(taken.findings[0].reason.ends_with(&failure), "{:?}", taken.findings);
    let whole = jpeg();
    site.put("/wiese.jpg", Answer::page("image/jpeg", whole[..whole.len() / 2].to_vec()));
    let (_, second) = image(Millis(NOW.0 + 1)).await;
    assert!(second.failure.is_some_and(|why| why.starts_with("the picture breaks off")));
    site.put("/wiese.jpg", Answer::page("image/jpeg", whole));
    let (taken, third) = image(Millis(NOW.0 + 2)).await;
    assert_eq!((taken.stored, taken.findings), (Stored::Same(taken.stored.id()), Vec::new()));
    assert!(third.file.is_some() && third.failure.is_none(), "{third:?}");
}

async fn articles_are_listed_by_pages(app: App) {
    for at in 0..5 {
        let record =
            Record { title: format!("Nr. {at}"), teaser: "Satz.".to_owned(), ..Record::default() };
        take(&app, &at.to_string(), record, NOW).await;
    }
    let first = entry::list(&app.store, Some(entry::BY_HAND), None, 2).await.unwrap();
    let next = entry::list(&app.store, None, first.last().map(|article| article.article), 10)
        .await
        .unwrap();
    let titles: Vec<&str> =
        first.iter().chain(&next).map(|article| article.record.title.as_str()).collect();
    assert_eq!(titles, ["Nr. 4", "Nr. 3", "Nr. 2", "Nr. 1", "Nr. 0"]);
    assert!(entry::list(&app.store, Some("other"), None, 2).await.unwrap().is_empty());
}
