//! The HTTP client against a site that goes wrong. No address outside of loopback is spoken to.

use std::io::Write as _;
use std::time::{Duration, Instant};

use rundbrief::source::fetch::{self, Client, Error, SIZE, Validators};
use rundbrief::source::reach::Reach;
use url::Url;

use crate::site::{Answer, Site, client};

#[tokio::test]
async fn what_is_not_public_is_not_spoken_to() {
    let site = Site::open().await;
    site.put("/", Answer::page("text/html", "inside"));
    let public = Client::new(Reach::default()).unwrap();
    let port = site.address.port();
    for address in [
        format!("http://127.0.0.1:{port}/"),
        format!("http://localhost:{port}/"),
        format!("http://[::1]:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("http://2130706433:{port}/"),
        format!("http://0x7f.1:{port}/"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "http://10.0.0.1/".to_owned(),
        "http://0.0.0.0/".to_owned(),
    ] {
        let refused = public.get(&Url::parse(&address).unwrap()).await;
        assert!(matches!(refused, Err(Error::NotPublic(_))), "{address}: {refused:?}");
    }
    assert_eq!(site.requests(), Vec::<String>::new());
    let ftp = public.get(&Url::parse("ftp://example.org/").unwrap()).await;
    assert!(matches!(ftp, Err(Error::Scheme(_))));
}

#[tokio::test]
async fn a_redirect_leads_nowhere_else_either() {
    let site = Site::open().await;
    // Loopback is allowed for the first step only; the second address is another one.
    let narrow = Client::new(Reach::new(vec!["127.0.0.1".parse().unwrap()])).unwrap();
    site.put("/", Answer::moved(format!("http://127.0.0.2:{}/", site.address.port())));
    assert!(matches!(narrow.get(&site.url("/")).await, Err(Error::NotPublic(_))));
    site.put("/file", Answer::moved("file:///etc/passwd"));
    assert!(matches!(narrow.get(&site.url("/file")).await, Err(Error::Scheme(_))));
    assert_eq!(site.requests().len(), 2);
}

#[tokio::test]
async fn three_redirects_are_followed_and_no_more() {
    let site = Site::open().await;
    for (from, to) in [("/1", "/2"), ("/2", "/3"), ("/3", "end"), ("/loop", "/loop")] {
        site.put(from, Answer::moved(to));
    }
    site.put("/end", Answer::page("text/plain", "there"));
    let there = client().get(&site.url("/1")).await.unwrap();
    assert_eq!(there.bytes, b"there");
    assert_eq!(there.address, site.url("/end"));
    site.put("/0", Answer::moved("/1"));
    assert!(matches!(client().get(&site.url("/0")).await, Err(Error::Redirects(_))));
    assert!(matches!(client().get(&site.url("/loop")).await, Err(Error::Redirects(_))));
}

#[tokio::test]
async fn what_is_too_large_is_not_read_to_its_end() {
    let site = Site::open().await;
    site.put("/endless", Answer::Endless);
    assert!(matches!(client().get(&site.url("/endless")).await, Err(Error::TooLarge(_))));
    site.put("/most", Answer::page("text/plain", vec![b'x'; SIZE]));
    assert_eq!(client().get(&site.url("/most")).await.unwrap().bytes.len(), SIZE);
    site.put("/over", Answer::page("text/plain", vec![b'x'; SIZE + 1]));
    assert!(matches!(client().get(&site.url("/over")).await, Err(Error::TooLarge(_))));
}

#[tokio::test]
async fn a_bomb_is_not_unpacked() {
    let site = Site::open().await;
    let zeros = vec![0_u8; 40 * 1024 * 1024];
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&zeros).unwrap();
    let gzip = gzip.finish().unwrap();
    assert!(gzip.len() < 1024 * 1024);
    let mut deflate = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    deflate.write_all(&zeros).unwrap();
    site.put("/gzip", Answer::page("text/html", gzip).with("content-encoding", "gzip"));
    site.put(
        "/deflate",
        Answer::page("text/html", deflate.finish().unwrap()).with("content-encoding", "deflate"),
    );
    for path in ["/gzip", "/deflate"] {
        assert!(matches!(client().get(&site.url(path)).await, Err(Error::TooLarge(_))), "{path}");
    }
    let mut small = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    small.write_all("Grüße".as_bytes()).unwrap();
    site.put(
        "/small",
        Answer::page("text/html", small.finish().unwrap()).with("content-encoding", "gzip"),
    );
    assert_eq!(client().get(&site.url("/small")).await.unwrap().bytes, "Grüße".as_bytes());
    site.put(
        "/broken",
        Answer::page("text/html", "no gzip at all").with("content-encoding", "gzip"),
    );
    assert!(matches!(client().get(&site.url("/broken")).await, Err(Error::Broken { .. })));
}

#[tokio::test]
async fn a_slow_server_is_left_in_time() {
    let site = Site::open().await;
    site.put("/", Answer::Silence);
    let reach = Reach::new(vec!["127.0.0.0/8".parse().unwrap()]);
    let hasty = Client::with_time(reach, Duration::from_millis(300)).unwrap();
    let started = Instant::now();
    assert!(matches!(hasty.get(&site.url("/")).await, Err(Error::TooSlow(_))));
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn what_is_not_there_or_breaks_says_so() {
    let site = Site::open().await;
    let gone = client().get(&site.url("/gone?token=secret")).await.unwrap_err();
    assert!(gone.to_string().ends_with("/gone: the server answers 404 Not Found"), "{gone}");
    site.put("/cut", Answer::CutShort);
    assert!(matches!(client().get(&site.url("/cut")).await, Err(Error::Broken { .. })));
    let closed = Url::parse("http://127.0.0.1:1/").unwrap();
    assert!(matches!(client().get(&closed).await, Err(Error::Broken { .. })));
}

#[tokio::test]
async fn what_has_not_changed_is_not_sent_again() {
    let site = Site::open().await;
    let page = Answer::page("text/html", "one")
        .with("etag", "\"v1\"")
        .with("last-modified", "Mon, 23 Nov 2026 08:00:00 GMT");
    site.put("/", page);
    let first = client().get(&site.url("/")).await.unwrap();
    assert_eq!(first.validators.etag.as_deref(), Some("\"v1\""));
    let again = client().get_if_changed(&site.url("/"), &first.validators).await.unwrap();
    assert!(matches!(again, fetch::Answer::Unchanged));
    let asked = site.requests().pop().unwrap().to_lowercase();
    assert!(asked.contains("if-modified-since: mon, 23 nov 2026 08:00:00 gmt"), "{asked}");
    let other = Validators { etag: Some("\"v0\"".to_owned()), last_modified: None };
    let changed = client().get_if_changed(&site.url("/"), &other).await.unwrap();
    assert!(matches!(changed, fetch::Answer::Document(_)));
}

#[tokio::test]
async fn a_link_is_probed_with_head_then_get() {
    let site = Site::open().await;
    site.put("/", Answer::page("text/html", ""));
    assert_eq!(client().probe(&site.url("/")).await.unwrap(), 200);
    assert!(site.requests().iter().all(|request| request.starts_with("HEAD ")));
    assert!(client().probe(&site.url("/gone")).await.is_err());
    assert!(site.requests().iter().any(|request| request.starts_with("GET /gone")));
}
