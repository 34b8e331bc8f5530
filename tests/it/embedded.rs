//! A newsletter whose pictures go along with each mail: as the preview shows it, and as it
//! goes out.

use image::{Rgb, RgbImage};
use mail_parser::{Message, MessageParser, MimeHeaders as _};
use rundbrief::issue::{IssueId, due, freeze};
use rundbrief::letter::splice::Reader;

use crate::app::{App, on_both};
use crate::issue::{chance, office};
use crate::issue_cli::run;

on_both![pictures_go_along_in_the_preview_and_in_what_goes_out, many_articles_bring_small_copies,];

const ARTICLE: &str = r#"<!DOCTYPE html><html lang="de"><body><main><article>
<h1>Neue Radwege in der Südstadt</h1>
<figure><img src="radweg.jpg" alt="Zwei Frauen fahren auf einem neuen Radweg am Hafen">
<figcaption>Foto: Jana Muster / Stadt Musterhafen</figcaption></figure>
<p>Die Stadt baut bis zum Sommer vier Kilometer neue Radwege in der Südstadt. Die Arbeiten beginnen im März am Hafen und enden im Juli am Stadtpark.</p>
<p>Wer mitreden möchte, kommt am Donnerstag in das Rathaus. Die Pläne hängen dort bis zum Jahresende aus, und die Planerinnen beantworten Fragen.</p>
</article></main></body></html>"#;

/// The identifier of the only picture.
fn enclosed(mail: &Message<'_>) -> String {
    let mut ids = mail.parts.iter().filter_map(|part| part.content_id());
    let id = ids.next().expect("a picture goes along").to_owned();
    assert_eq!(ids.next(), None);
    id
}

/// Apart from the lead, pictures stand beside the text: none is a large one shown small.
async fn many_articles_bring_small_copies(app: App) {
    let write = |name: &str, bytes: &[u8]| {
        std::fs::write(app.directory().join(name), bytes).unwrap();
    };
    let text = include_str!("../../deploy/newsletter.toml");
    write(
        "newsletter.toml",
        text.replace("# pictures = \"linked\"", "pictures = \"embedded\"").as_bytes(),
    );
    let init = format!("init --directory . --database {}", app.database);
    assert_eq!(run(&app, &init).code, 0);
    assert_eq!(run(&app, "newsletter apply newsletter.toml").code, 0);
    for n in 0..5u8 {
        let picture = RgbImage::from_fn(1_000, 500, |x, y| Rgb([x as u8, y as u8, 40 * n]));
        picture.save(app.directory().join(format!("{n}.jpg"))).unwrap();
        let page = ARTICLE.replace("radweg.jpg", &format!("{n}.jpg"));
        let page = page.replace("in der Südstadt</h1>", &format!("im Quartier {n}</h1>"));
        write(&format!("{n}.html"), page.as_bytes());
        assert_eq!(run(&app, &format!("article add {n}.html")).code, 0);
    }
    assert_eq!(run(&app, "issue compose musterhafen").code, 0);
    assert_eq!(run(&app, "issue preview 1 --out looks").code, 0);
    let mail = std::fs::read(app.directory().join("looks/mail.eml")).unwrap();
    let parsed = MessageParser::default().parse(&mail).unwrap();
    let pictures = parsed.parts.iter().filter(|part| part.content_id().is_some());
    let mut widths: Vec<u32> =
        pictures.map(|part| image::load_from_memory(part.contents()).unwrap().width()).collect();
    widths.sort_unstable();
    assert_eq!(widths, [528, 528, 528, 528, 1_000]);
}

async fn pictures_go_along_in_the_preview_and_in_what_goes_out(app: App) {
    let write = |name: &str, bytes: &[u8]| {
        std::fs::write(app.directory().join(name), bytes).unwrap();
    };
    let text = include_str!("../../deploy/newsletter.toml");
    let text = text.replace("# pictures = \"linked\"", "pictures = \"embedded\"");
    let text = text.replace("# late = \"ask\"", "late = \"send\"");
    assert!(text.contains("\npictures = \"embedded\""));
    write("newsletter.toml", text.as_bytes());
    write("radwege.html", ARTICLE.as_bytes());
    let picture = RgbImage::from_fn(300, 200, |x, y| Rgb([x as u8, y as u8, 90]));
    picture.save(app.directory().join("radweg.jpg")).unwrap();
    let init = format!("init --directory . --database {}", app.database);
    for line in [
        &init,
        "newsletter apply newsletter.toml",
        "article add radwege.html",
        "issue compose musterhafen",
    ] {
        let ended = run(&app, line);
        assert_eq!(ended.code, 0, "{line}: {}", ended.err);
    }

    let preview = run(&app, "issue preview 1 --out looks --json").object();
    let files: Vec<String> = serde_json::from_value(preview["files"].clone()).unwrap();
    let read = |name: &str| std::fs::read(app.directory().join(name)).unwrap();
    let mail = read("looks/mail.eml");
    let parsed = MessageParser::default().parse(&mail).unwrap();
    let id = enclosed(&parsed);
    let html = parsed.body_html(0).unwrap();
    assert!(html.contains(&format!("src=\"cid:{id}\"")), "{html}");
    assert!(!html.contains("/picture/") && !parsed.body_text(0).unwrap().contains("cid:"));
    // The page beside the mail shows the file beside it.
    let file = files[0].strip_prefix("looks/").unwrap();
    let page = String::from_utf8(read("looks/mail.html")).unwrap();
    assert!(page.contains(&format!("src=\"{file}\"")) && !page.contains("cid:"), "{page}");
    assert!(read(&files[0]).starts_with(b"\xff\xd8"), "a JPEG");

    assert_eq!(run(&app, "issue queue 1").code, 0);
    let later = "2100-01-01T00:00:00Z".parse().unwrap();
    due::begin(&app.store, &office(), later, &mut chance).await.unwrap();
    let letter = freeze::load(&app.store, IssueId(1)).await.unwrap();
    let mut mail = Vec::new();
    letter.splice(&Reader::default(), &mut mail);
    let parsed = MessageParser::default().parse(&mail).unwrap();
    let id = enclosed(&parsed);
    assert!(id.ends_with("@news.example.de"));
    assert!(parsed.body_html(0).unwrap().contains(&format!("src=\"cid:{id}\"")));
}
