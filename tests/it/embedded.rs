//! A newsletter whose pictures go along with each mail: as the preview shows it, and as it
//! goes out.

use image::{Rgb, RgbImage};
use mail_parser::{Message, MessageParser, MimeHeaders as _};
use rundbrief::issue::{IssueId, due, freeze};
use rundbrief::letter::splice::Reader;
use rundbrief::on;
use rundbrief::source::picture;

use crate::app::{App, on_both};
use crate::issue::{chance, office};
use crate::issue_cli::run;

on_both![
    pictures_go_along_in_the_preview_and_in_what_goes_out,
    many_articles_bring_small_copies,
    the_logo_goes_along_light_and_dark_in_every_mail,
];

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
        let painted = RgbImage::from_fn(1_000, 500, |x, y| Rgb([x as u8, y as u8, 40 * n]));
        painted.save(app.directory().join(format!("{n}.jpg"))).unwrap();
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

/// What a fetch of the logo would have stored.
async fn known(app: &App, url: &str, colour: u8) -> String {
    let mut png = std::io::Cursor::new(Vec::new());
    let plate = RgbImage::from_pixel(360, 96, Rgb([colour, 60, 90]));
    plate.write_to(&mut png, image::ImageFormat::Png).unwrap();
    let ours = picture::prepare(&png.into_inner()).unwrap();
    let mut tx = app.store.begin().await.unwrap();
    on!(tx, |c| sqlx::query(
        "insert into picture (hash, media_type, width, height, bytes, created_at)
         values ($1, 'image/png', 360, 96, $2, 1)"
    )
    .bind(&ours.hash)
    .bind(&ours.bytes)
    .execute(c)
    .await
    .map(drop))
    .unwrap();
    on!(tx, |c| sqlx::query(
        "insert into picture_origin (url, hash, fetched_at)
         values ($1, $2, 4000000000000)
         on conflict (url) do update set hash = excluded.hash, failure = null"
    )
    .bind(url)
    .bind(&ours.hash)
    .execute(c)
    .await
    .map(drop))
    .unwrap();
    tx.commit().await.unwrap();
    ours.file()
}

async fn the_logo_goes_along_light_and_dark_in_every_mail(app: App) {
    let init = format!("init --directory . --database {}", app.database);
    assert_eq!(run(&app, &init).code, 0);
    let (light, dark) = ("https://logo.invalid/light.png", "https://logo.invalid/dark.png");
    let file = known(&app, light, 20).await;
    let text = include_str!("../../deploy/newsletter.toml");
    let text = text.replace("# pictures = \"linked\"", "pictures = \"embedded\"");
    let logo = format!(
        "base = \"town\"\n[brand.logo]\nurl = \"{light}\"\ndark_url = \"{dark}\"\nalt = \"Stadt Musterhafen\"\nwidth = 180\nheight = 48"
    );
    std::fs::write(app.directory().join("newsletter.toml"), text.replace("base = \"town\"", &logo))
        .unwrap();
    std::fs::write(app.directory().join("radwege.html"), ARTICLE).unwrap();
    let applied = run(&app, "newsletter apply newsletter.toml");
    assert!(applied.err.contains(&format!("{dark} could not be had")), "{}", applied.err);
    run(&app, "article add radwege.html");
    assert_eq!(run(&app, "issue compose musterhafen").code, 0);
    let look = "brand.logo: https://logo.invalid/dark.png could not be had and stays a link";
    let found = run(&app, "issue preflight 1 --no-links").out;
    assert!(found.contains(look), "{found}");

    let dark = known(&app, dark, 200).await;
    assert!(!run(&app, "issue preflight 1 --no-links").out.contains("brand.logo"));
    assert_eq!(run(&app, "issue preview 1 --out looks").code, 0);
    let written = run(&app, "newsletter mails musterhafen --out mails --json");
    assert_eq!(written.code, 0, "{}", written.err);
    for (mail, page) in
        [("looks/mail.eml", "looks/mail.html"), ("mails/probe.eml", "mails/probe.html")]
    {
        let mail = std::fs::read(app.directory().join(mail)).unwrap();
        let parsed = MessageParser::default().parse(&mail).unwrap();
        let ids: Vec<_> = parsed.parts.iter().filter_map(|part| part.content_id()).collect();
        assert_eq!(ids.len(), 2, "light and dark");
        let html = parsed.body_html(0).unwrap();
        assert!(ids.iter().all(|id| html.contains(&format!("src=\"cid:{id}\""))), "{html}");
        assert!(!html.contains("logo.invalid"));
        let page = std::fs::read_to_string(app.directory().join(page)).unwrap();
        for file in [&file, &dark] {
            assert!(page.contains(&format!("src=\"{file}\"")), "{page}");
        }
    }
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
    let painted = RgbImage::from_fn(300, 200, |x, y| Rgb([x as u8, y as u8, 90]));
    painted.save(app.directory().join("radweg.jpg")).unwrap();
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
