//! Articles as sites serve them, each with its expected record beside it.

use std::path::{Path, PathBuf};

use rundbrief::article::Record;
use rundbrief::source::finding::Reading;
use rundbrief::source::selector::Selectors;
use rundbrief::source::{page, text};
use url::Url;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/articles")
}

fn read(name: &str) -> Reading {
    let input = std::fs::read_to_string(directory().join(name)).unwrap();
    let address = Url::parse("https://www.example.org/aktuelles/artikel.html").unwrap();
    match name.ends_with(".html") {
        true => page::read(&input, Some(&address), &Selectors::default()),
        false => text::read(&input, None),
    }
}

#[test]
fn every_example_gives_the_record_beside_it() {
    let mut examples = 0;
    for entry in std::fs::read_dir(directory()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let kind = path.extension().and_then(|kind| kind.to_str());
        if !matches!(kind, Some("html" | "txt")) {
            continue;
        }
        let got = serde_json::to_string_pretty(&read(&name).record).unwrap();
        let beside = path.with_extension(format!("{}.json", kind.unwrap()));
        let expected = std::fs::read_to_string(&beside)
            .unwrap_or_else(|_| panic!("{name} has no record beside it; it reads as\n{got}"));
        assert_eq!(got, expected.trim_end(), "{name}");
        examples += 1;
    }
    assert!(examples >= 8, "{examples} examples");
}

/// The text a browser copies and the page it was copied from are one article.
#[test]
fn the_copied_text_and_the_page_give_the_same_record() {
    let page = read("landesfachtag.html").record;
    let copied = text::read(&copied(&page), None).record;
    assert_eq!(copied.kicker, ["Aktuelles", "Neuigkeiten", "Artikel der Newsletter"]);
    assert_eq!(copied.kicker, page.kicker);
    assert_eq!(copied.title, page.title);
    assert_eq!(copied.subtitle, page.subtitle);
    assert_eq!(copied.teaser, page.teaser);
    assert_eq!(copied.language, page.language);
    let paragraphs = |record: &Record| {
        let body = scraper::Html::parse_fragment(record.body.as_str());
        let selector = scraper::Selector::parse("p").unwrap();
        body.select(&selector).map(|p| p.text().collect::<String>()).collect::<Vec<_>>()
    };
    assert_eq!(paragraphs(&copied), paragraphs(&page));
    assert_eq!(paragraphs(&page).len(), 7);
    assert_eq!(page.images.len(), 10);
    assert!(page.images.iter().all(|image| image.credit.as_deref() == Some("Lena Muster")));
}

/// What a browser copies of the page: each picture as its bare alternative text, the one inside
/// a paragraph glued to its front.
fn copied(page: &Record) -> String {
    let alt = |at: usize| page.images[at].alt.as_str();
    let body = scraper::Html::parse_fragment(page.body.as_str());
    let selector = scraper::Selector::parse("p").unwrap();
    let p: Vec<String> = body.select(&selector).map(|p| p.text().collect()).collect();
    let blank = "\n\n\u{a0}\n\n";
    [
        "Sie sind hier: »Aktuelles / Neuigkeiten / Artikel der Newsletter\n\n",
        &format!("{}\n\n{}{blank}", page.title, page.subtitle.as_deref().unwrap()),
        &format!("{} {} {}{blank}", alt(0), alt(1), alt(2)),
        &format!("{}{blank}{}{}{blank}{}\n\n\n", p[0], alt(3), p[1], p[2]),
        &format!("{} {}{blank}{}\n\n\n", alt(4), alt(5), p[3]),
        &format!("{} {}{blank}{}\n\n\n", alt(6), alt(7), p[4]),
        &format!("{} {}{blank}{}     {blank}", alt(8), alt(9), p[5]),
        &format!("{}{blank}Zurück", p[6]),
    ]
    .concat()
}

#[test]
fn a_page_without_its_furniture_reads_the_same() {
    let whole = std::fs::read_to_string(directory().join("landesfachtag.html")).unwrap();
    let address = Url::parse("https://www.example.org/aktuelles/artikel.html").unwrap();
    let mut bare = whole.clone();
    for (from, to) in
        [("<div id=\"cookie-banner\"", "<div class=\"content-wrapper\">"), ("<footer>", "</body>")]
    {
        let start = bare.find(from).unwrap();
        let end = start + bare[start..].find(to).unwrap();
        bare.replace_range(start..end, "");
    }
    assert!(bare.len() < whole.len() - 1_000);
    let read = |html: &str| page::read(html, Some(&address), &Selectors::default()).record;
    assert_eq!(read(&bare), read(&whole));
}

#[test]
fn selectors_go_before_what_the_page_suggests() {
    let html = "<html><body><main><h1>Seite</h1><div class=a><h2>Der Titel</h2><p class=s>Unter</p>\
        <div class=t><p>Ein Satz, der als Text gilt, weil der Selektor ihn nennt.</p></div>\
        <div class=x><p>Nicht dies, obwohl es viel länger ist und mehr sagt als der andere Absatz.</p></div>\
        <span class=d data-x=1>4. Juli 2023</span><b class=k>A</b><b class=k>B</b><em class=l>Anreißer.</em>\
        <img src=/a.jpg alt=A width=300><img class=i src=/b.jpg alt=B></div></main></body></html>";
    let written = rundbrief::source::selector::Written {
        title: Some(".a h2".into()),
        kicker: Some(".k".into()),
        subtitle: Some(".s".into()),
        teaser: Some(".l".into()),
        body: Some(".t".into()),
        images: Some("img.i".into()),
        date: Some(".d".into()),
        links: None,
    };
    let address = Url::parse("https://example.org/x/").unwrap();
    let reading = page::read(html, Some(&address), &written.parse().unwrap());
    assert_eq!(reading.findings, []);
    let record = reading.record;
    assert_eq!(record.title, "Der Titel");
    assert_eq!(record.kicker, ["A", "B"]);
    assert_eq!(record.subtitle.as_deref(), Some("Unter"));
    assert_eq!(record.teaser, "Anreißer.");
    assert_eq!(
        record.body.as_str(),
        "<p>Ein Satz, der als Text gilt, weil der Selektor ihn nennt.</p>"
    );
    assert_eq!(record.images.len(), 1);
    assert_eq!(record.images[0].url, "https://example.org/b.jpg");
    assert_eq!(record.published_at.unwrap().to_string(), "2023-07-04T12:00:00Z");

    let missing = rundbrief::source::selector::Written {
        subtitle: Some(".gone".into()),
        ..Default::default()
    };
    let findings = page::read(html, Some(&address), &missing.parse().unwrap()).findings;
    assert!(
        findings.iter().any(|finding| finding.reason.contains("`subtitle` matches nothing")),
        "{findings:?}"
    );
    let broken =
        rundbrief::source::selector::Written { body: Some("p[".into()), ..Default::default() };
    assert!(broken.parse().unwrap_err().to_string().contains("selector body"));
}

proptest::proptest! {
    #[test]
    fn no_text_and_no_page_brings_a_reader_down(input in ".{0,400}") {
        let _ = text::read(&input, None);
        let _ = page::read(&input, None, &Selectors::default());
    }

    #[test]
    fn no_markup_brings_what_runs(parts in proptest::collection::vec(proptest::sample::select(vec![
        "<p>", "</p>", "<script>", "</script>", "<a href='javascript:x()'>", "</a>", "<svg onload=x>", "<img src=x onerror=y>",
        "<div style='display:none'>", "</div>", "<table><tr><td>", "Ein Satz mit Text darin.", "<h1>", "<h2>", "</h2>", "<!--", "-->", "&lt;script&gt;", "<style>", "<math>", "<iframe src=//x>", "<br><br>",
    ]), 0..40)) {
        let html = parts.concat();
        let record = page::read(&html, None, &Selectors::default()).record;
        let body = record.body.as_str().to_lowercase();
        for bad in ["<script", "javascript:", "onerror", "onload", "<svg", "<style", "<iframe", "<img", "<math"] {
            proptest::prop_assert!(!body.contains(bad), "{html} gave {body}");
        }
    }
}

#[test]
fn a_page_nested_too_deep_is_not_walked() {
    let deep = format!("<h1>Tief</h1>{}Text{}", "<span>".repeat(20_000), "</span>".repeat(20_000));
    let reading = page::read(&deep, None, &Selectors::default());
    assert!(reading.record.title.is_empty() && reading.record.body.is_empty());
    assert!(reading.findings[0].reason.contains("nested"), "{:?}", reading.findings);
}
