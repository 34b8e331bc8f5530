//! Feeds as they are found, good and broken.

use rundbrief::source::feed;
use url::Url;

const RSS: &str = r#"<?xml version="1.0" encoding="ISO-8859-1"?>
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:media="http://search.yahoo.com/mrss/">
<channel><title>Rathaus</title><link>https://www.example.de/</link><language>de-de</language>
<item><title>Radweg &amp;amp; Brücke</title><link>https://www.example.de/radweg</link><guid isPermaLink="false">a1</guid>
<pubDate>Mon, 23 Nov 2026 08:00:00 +0100</pubDate><category>Verkehr</category>
<description>Der neue Radweg ist fertig und wird am Samstag um zehn Uhr feierlich eröffnet.</description>
<content:encoded><![CDATA[<p>Der Radweg ist <a href="/plan.pdf">fertig</a>.</p><script>x()</script><figure><img src="/rad.jpg" alt="Radweg"><figcaption>Foto: M. Muster</figcaption></figure><p>Am Samstag wird gefeiert.</p>]]></content:encoded></item>
<item><title>Nur kurz</title><link>https://www.example.de/kurz</link>
<description>&lt;p&gt;Ein Satz, der allein den ganzen Text der Meldung ausmacht.&lt;/p&gt;</description>
<enclosure url="https://www.example.de/k.jpg" type="image/jpeg" length="1"/></item>
</channel></rss>"#;

fn address() -> Url {
    Url::parse("https://www.example.de/feed.xml").unwrap()
}

#[test]
fn rss_is_read() {
    let feed = feed::read(RSS, Some(&address())).unwrap();
    assert_eq!(feed.findings, []);
    assert_eq!(feed.entries.len(), 2);
    let entry = &feed.entries[0];
    let record = &entry.reading.record;
    assert_eq!(entry.guid, "a1");
    assert_eq!(record.title, "Radweg & Brücke");
    assert_eq!(record.kicker, ["Verkehr"]);
    assert_eq!(record.language.as_deref(), Some("de-DE"));
    assert_eq!(record.published_at.unwrap().to_string(), "2026-11-23T07:00:00Z");
    assert_eq!(
        record.body.as_str(),
        "<p>Der Radweg ist <a href=\"https://www.example.de/plan.pdf\">fertig</a>.</p>\n<p>Am Samstag wird gefeiert.</p>"
    );
    assert_eq!(
        record.teaser,
        "Der neue Radweg ist fertig und wird am Samstag um zehn Uhr feierlich eröffnet."
    );
    assert_eq!(record.images[0].url, "https://www.example.de/rad.jpg");
    assert_eq!(record.images[0].credit.as_deref(), Some("M. Muster"));
    let short = &feed.entries[1].reading.record;
    assert_eq!(short.teaser, "Ein Satz, der allein den ganzen Text der Meldung ausmacht.");
    assert_eq!(short.images[0].url, "https://www.example.de/k.jpg");
}

#[test]
fn atom_and_json_are_read() {
    let atom = r#"<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en"><title>News</title><id>f</id><updated>2026-11-23T08:00:00Z</updated>
        <entry><title type="html">Bridge &lt;b&gt;open&lt;/b&gt;</title><id>urn:1</id><link rel="alternate" href="/bridge"/><link rel="self" href="/x.atom"/>
        <published>2026-11-22T08:00:00Z</published><updated>2026-11-23T08:00:00Z</updated><author><name>A. Sample</name></author>
        <content type="html">&lt;p&gt;The bridge is open again after three years of work.&lt;/p&gt;</content></entry></feed>"#;
    let feed = feed::read(atom, Some(&address())).unwrap();
    let record = &feed.entries[0].reading.record;
    assert_eq!(feed.entries[0].guid, "urn:1");
    assert_eq!(record.title, "Bridge open");
    assert_eq!(record.url.as_ref().unwrap().as_str(), "https://www.example.de/bridge");
    assert_eq!(record.authors, ["A. Sample"]);
    assert_eq!(record.published_at.unwrap().to_string(), "2026-11-22T08:00:00Z");
    assert_eq!(record.teaser, "The bridge is open again after three years of work.");

    let json = r#"{"version":"https://jsonfeed.org/version/1.1","title":"J","items":[
        {"id":"1","url":"https://www.example.de/1","title":"Eins","content_html":"<p>Ein erster Satz steht hier.</p>","date_published":"2026-11-23T08:00:00Z","tags":["Hafen"]},
        {"id":"2","url":"https://www.example.de/2","title":"Zwei","content_text":"Nur Text.\n\nZwei Absätze."}]}"#;
    let feed = feed::read(json, Some(&address())).unwrap();
    assert_eq!(feed.entries.len(), 2);
    assert_eq!(
        feed.entries[1].reading.record.body.as_str(),
        "<p>Nur Text.</p>\n<p>Zwei Absätze.</p>"
    );
}

#[test]
fn the_good_entries_of_a_broken_feed_come_in() {
    let broken = "<rss version=\"2.0\"><channel><title>R</title>\n\
        <item><title>Eins</title><guid>1</guid><description>Guter Satz.</description></item>\n\
        <item><title>Zwei</title><guid>2</guid><description>Offen <b>fett</description></item>\n\
        <item><title>Drei & mehr</title><guid>3</guid><description>R&uuml;be &nbsp; & Co.</description></item>\n\
        <item><title>Vier</titel></item>\n\
        <item><title>F\u{3}ünf</title><guid>5</guid></item>\n\
        <item><title>Abgeschnit";
    let feed = feed::read(broken, Some(&address())).unwrap();
    let titles: Vec<&str> =
        feed.entries.iter().map(|entry| entry.reading.record.title.as_str()).collect();
    assert!(
        titles.contains(&"Eins") && titles.contains(&"Drei & mehr") && titles.contains(&"Fünf"),
        "{titles:?}"
    );
    assert!(
        !titles.contains(&"Vier") && !titles.iter().any(|title| title.starts_with("Abg")),
        "{titles:?}"
    );
    let named: Vec<usize> = feed.findings.iter().filter_map(|finding| finding.line).collect();
    assert!(named.contains(&5) && named.contains(&7), "{:?}", feed.findings);
    assert!(feed.findings.iter().all(|finding| finding.reason.len() > 20), "{:?}", feed.findings);
}

#[test]
fn the_good_entries_of_a_broken_json_feed_come_in() {
    let broken = "{\"version\":\"https://jsonfeed.org/version/1.1\",\"title\":\"J\",\"items\":[\n\
        {\"id\":\"1\",\"title\":\"Eins\",\"content_text\":\"a\"},\n\
        {\"id\":\"2\",\"title\":\"Zwei\" \"content_text\":\"b\"},\n\
        {\"id\":\"3\",\"title\":\"Drei\",\"content_text\":\"c\"},\n\
        {\"id\":\"4\",\"tit";
    let feed = feed::read(broken, Some(&address())).unwrap();
    let guids: Vec<&str> = feed.entries.iter().map(|entry| entry.guid.as_str()).collect();
    assert_eq!(guids, ["1", "3"]);
    let lines: Vec<_> = feed.findings.iter().map(|finding| finding.line).collect();
    assert_eq!(lines, [Some(3), Some(5)], "{:?}", feed.findings);
}

#[test]
fn a_json_feed_may_number_its_entries() {
    let numbered = r#"{"version":"https://jsonfeed.org/version/1","title":"J","items":[
        {"id":17,"title":"Eins","content_text":"a"}, {"id":18.5,"title":"Zwei","content_text":"b"}]}"#;
    let feed = feed::read(numbered, Some(&address())).unwrap();
    let guids: Vec<&str> = feed.entries.iter().map(|entry| entry.guid.as_str()).collect();
    assert_eq!(guids, ["17", "18.5"]);
    assert_eq!(feed.findings, []);
    // Beside a broken one as well.
    let broken = numbered.replace("18.5,", "18.5 ");
    let feed = feed::read(&broken, Some(&address())).unwrap();
    assert_eq!(feed.entries[0].guid, "17");
    assert_eq!((feed.entries.len(), feed.findings.len()), (1, 1), "{:?}", feed.findings);
}

#[test]
fn what_is_no_feed_says_so() {
    for text in ["", "<html><body>Not found</body></html>", "{\"error\":1}", "plain"] {
        let error = feed::read(text, None).unwrap_err().to_string();
        assert!(error.starts_with("line 1: this is no feed"), "{error}");
    }
}

#[test]
fn an_entry_without_identifier_has_a_lasting_one() {
    let feed = "<rss version=\"2.0\"><channel><item><title>A</title><link>https://example.de/a</link></item></channel></rss>";
    let first = feed::read(feed, None).unwrap().entries.remove(0).guid;
    let again = feed::read(feed, None).unwrap().entries.remove(0).guid;
    assert_eq!(first, again);
    assert!(!first.is_empty());
}

proptest::proptest! {
    #[test]
    fn no_feed_brings_its_reader_down(parts in proptest::collection::vec(proptest::sample::select(vec![
        "<rss version=\"2.0\">", "<channel>", "<item>", "</item>", "<title>", "</title>", "x & y", "&bad;", "<![CDATA[", "]]>", "</channel>", "</rss>", "<feed>", "<entry>", "</entry>", "\u{0}", "ä", "{\"items\":[", "{\"id\":1}", ",", "]}", "<!--",
    ]), 0..30)) {
        let _ = feed::read(&parts.concat(), None);
    }
}
