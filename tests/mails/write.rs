//! Writes every sample in every brand and language as the mail one reader gets,
//! frozen, spliced and signed as deliveries are, with the DNS zone that belongs
//! to the signature and the pictures that belong to the mails:
//! `cargo run --example mails -- DIR [DATE]`. For `tests/mails/judge`.
//!
//! Beside the samples of the templates there is one with a logo, light and dark, and
//! one whose pictures go along with it, the logo among them.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use anyhow::Context as _;
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine as _;
use jiff::Zoned;
use rundbrief::demo::picture::{Scene, paint};
use rundbrief::letter::address::Office;
use rundbrief::letter::enclosure::Enclosure;
use rundbrief::letter::headers::Headers;
use rundbrief::letter::reader::Recipient;
use rundbrief::letter::splice::{Head, Reader};
use rundbrief::letter::{self, Cover, dkim, mime};
use rundbrief::source::picture;
use rundbrief_subscribers::address::EmailAddress;
use rundbrief_subscribers::key::Master;
use rundbrief_subscribers::person::{Name, Person};
use rundbrief_templates::brand::{Brand, Logo, shipped};
use rundbrief_templates::issue::{self, Block};
use rundbrief_templates::language::Language;
use rundbrief_templates::mail::Mail;
use rundbrief_templates::samples::{self, Sample};
use rundbrief_templates::slot::Slots;

const DOMAIN: &str = "musterhafen.example.org";
/// The judges put a `Received:` of 01:00:05 UTC on top.
const DATE: &str = "2026-11-23T02:00:00+01:00[Europe/Berlin]";
/// The address that the judges' relay has.
const RELAY: &str = "192.0.2.25";

struct Post {
    office: Office,
    key: dkim::Key,
    date: Zoned,
    sender: EmailAddress,
    editors: EmailAddress,
    reader: EmailAddress,
    person: Person,
}

fn main() -> anyhow::Result<()> {
    let dir = std::env::args().nth(1).context("usage: mails DIR [DATE]")?;
    let dir = Path::new(&dir);
    fs::create_dir_all(dir)?;
    let images = dir.join("images");
    fs::create_dir_all(&images)?;
    let photos = photos()?;
    for (name, picture) in &photos {
        fs::write(images.join(name), &picture.bytes)?;
    }
    let date = std::env::args().nth(2);
    let post = Post::new(date.as_deref().unwrap_or(DATE))?;
    fs::write(dir.join("zone.json"), post.zone())?;
    for name in shipped::Name::ALL {
        let brand = shipped::brand(name);
        let with_logo = with_logo(name, &images)?;
        for language in Language::ALL {
            let file =
                |kind: &str| dir.join(format!("{}-{kind}-{}.eml", name.as_str(), language.tag()));
            for sample in Sample::ALL {
                let letter = post.letter(&sample.issue(language), &brand, language, &[])?;
                fs::write(file(sample.name()), letter)?;
            }
            let usual = Sample::Usual.issue(language);
            fs::write(file("logo"), post.letter(&usual, &with_logo, language, &[])?)?;
            let (enclosing, mut enclosures) = enclosing(usual, &photos, &post.office);
            let logo = enclosed_logo(&with_logo, &images, &post.office, &mut enclosures)?;
            fs::write(file("embedded"), post.letter(&enclosing, &logo, language, &enclosures)?)?;
            for (kind, mail) in samples::service::all(&brand, language) {
                fs::write(file(&format!("service-{kind}")), post.service(&mail, language)?)?;
            }
        }
    }
    Ok(())
}

/// The brand with a logo on a plate in its own colours, the files beside the mails.
fn with_logo(name: shipped::Name, images: &Path) -> anyhow::Result<Brand> {
    let mut plan = shipped::plan(name);
    let (light, dark) = (plan.light, plan.dark);
    let file = |kind: &str| format!("logo-{}-{kind}.png", name.as_str());
    logo::paint(light.link, light.sheet, light.tint).save(images.join(file("light")))?;
    logo::paint(dark.tint, dark.heading, dark.link).save(images.join(file("dark")))?;
    let url = |kind: &str| format!("https://www.{DOMAIN}/media/{}", file(kind));
    let shown = u16::try_from(logo::SIDE / 2)?;
    plan.logo = Some(Logo {
        url: url("light"),
        dark_url: Some(url("dark")),
        alt: "Stadt Musterhafen".to_owned(),
        width: shown,
        height: shown,
    });
    Brand::new(plan).map_err(|refusal| anyhow::anyhow!("{refusal}"))
}

/// The brand whose logo goes along.
fn enclosed_logo(
    with_logo: &Brand,
    images: &Path,
    office: &Office,
    enclosures: &mut Vec<Enclosure>,
) -> anyhow::Result<Brand> {
    let mut plan = with_logo.plan().clone();
    let Some(Logo { url, dark_url, .. }) = &mut plan.logo else { return Ok(with_logo.clone()) };
    for url in [Some(url), dark_url.as_mut()].into_iter().flatten() {
        let name = url.rsplit('/').next().context("a logo has a file")?;
        let picture = picture::prepare(&fs::read(images.join(name))?)?;
        let (file, media_type) = (picture.file(), picture.format.media_type().to_owned());
        let cid = office.enclosed(&file);
        let logo = Some(std::mem::replace(url, cid));
        enclosures.push(Enclosure { file, media_type, bytes: picture.bytes, logo });
    }
    Brand::new(plan).map_err(|refusal| anyhow::anyhow!("{refusal}"))
}

/// Pictures under the names that the samples use, painted by the demo, in the samples' sizes.
fn photos() -> anyhow::Result<Vec<(String, picture::Picture)>> {
    let mut photos = Vec::new();
    for (names, scene, (width, height)) in [
        (["radweg-suedkai", "cycle-path"], Scene::Cycleway, (1200, 675)),
        (["haushalt", "budget"], Scene::Library, (600, 450)),
        (["werft", "shipyard"], Scene::Harbour, (600, 450)),
        (["cafe", "cafe-en"], Scene::Market, (600, 450)),
        (["tiny", "tiny-en"], Scene::Market, (80, 60)),
    ] {
        let painted = image::load_from_memory(&paint(scene)?)?;
        let fitting = painted.resize_to_fill(width, height, image::imageops::FilterType::Triangle);
        let mut jpeg = Cursor::new(Vec::new());
        fitting.write_to(&mut jpeg, image::ImageFormat::Jpeg)?;
        let picture = picture::prepare(&jpeg.into_inner())?;
        photos.extend(names.map(|name| (format!("{name}.jpg"), picture.clone())));
    }
    Ok(photos)
}

/// The issue with its pictures going along.
fn enclosing(
    mut issue: issue::Issue,
    photos: &[(String, picture::Picture)],
    office: &Office,
) -> (issue::Issue, Vec<Enclosure>) {
    let mut enclosures = Vec::new();
    for block in issue.sections.iter_mut().flat_map(|section| &mut section.blocks) {
        if let Block::Article(article) = block
            && let Some(image) = &mut article.image
            && let Some((_, picture)) = photos.iter().find(|(name, _)| image.url.ends_with(name))
        {
            image.url = office.enclosed(&picture.file());
            enclosures.push(Enclosure {
                file: picture.file(),
                media_type: picture.format.media_type().to_owned(),
                bytes: picture.bytes.clone(),
                logo: None,
            });
        }
    }
    (issue, enclosures)
}

impl Post {
    fn new(date: &str) -> anyhow::Result<Self> {
        let pair = KeyPair::generate(KeySize::Rsa2048)?;
        let der = pair.as_der()?;
        let base64 = base64::engine::general_purpose::STANDARD.encode(der.as_ref());
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{base64}\n-----END PRIVATE KEY-----\n");
        Ok(Self {
            office: Office {
                base: format!("https://news.{DOMAIN}"),
                domain: format!("news.{DOMAIN}"),
                unsubscribe: Some(EmailAddress::parse(&format!("abmelden@{DOMAIN}"))?),
                at_home: false,
            },
            key: dkim::Key::parse(DOMAIN, "judge", &pem)?,
            date: date.parse()?,
            sender: EmailAddress::parse(&format!("hafenpost@{DOMAIN}"))?,
            editors: EmailAddress::parse(&format!("redaktion@{DOMAIN}"))?,
            reader: EmailAddress::parse("leserin@reader.example.net")?,
            person: Person {
                given: Name::parse("Anna")?,
                family: Name::parse("Beispiel")?,
                ..Person::default()
            },
        })
    }

    /// An issue, as a delivery sends it.
    fn letter(
        &self,
        page: &issue::Issue,
        brand: &Brand,
        language: Language,
        pictures: &[Enclosure],
    ) -> anyhow::Result<Vec<u8>> {
        let slots = Slots::new(7);
        let mail = issue::render(page, brand, language, &slots);
        let head = Head { issue: 12, newsletter: 3, language };
        let cover = Cover {
            head: head.clone(),
            headers: Headers {
                sender: "Stadt Musterhafen",
                address: &self.sender,
                reply_to: &self.editors,
                subject: &mail.subject,
                date: &self.date,
                language,
                list: &samples::publication(language).name,
                list_id: &format!("hafenpost.{DOMAIN}"),
                help_url: &format!("https://www.{DOMAIN}/newsletter"),
                web_version: page.web_version.as_deref().context("samples have a web version")?,
                slug: "hafenpost",
                number: 12,
            },
            pictures,
        };
        let letter = letter::freeze(&cover, &mail, &slots, &self.office, 9)?;
        let key = Master::new([7; 32]).token();
        let mut reader = Reader::default();
        let recipient = Recipient {
            delivery: 41_237,
            subscriber: 1_024,
            address: &self.reader,
            person: &self.person,
        };
        reader.fill(&head, &key, &recipient);
        let mut spliced = Vec::new();
        letter.splice(&reader, &mut spliced);
        Ok(self.signed(&spliced))
    }

    /// A mail of the service: no list, generated.
    fn service(&self, mail: &Mail, language: Language) -> anyhow::Result<Vec<u8>> {
        let text = mime::quoted_printable(&mail.text, &[]);
        let html = mime::quoted_printable(&mail.html, &[]);
        let seconds = u64::try_from(self.date.timestamp().as_second())?;
        let mailbox = |name: &str, address: &EmailAddress| -> anyhow::Result<_> {
            Ok(lettre::message::Mailbox::new(Some(name.to_owned()), address.as_str().parse()?))
        };
        let raw = |name: &'static str, value: &str| {
            use lettre::message::header::{HeaderName, HeaderValue};
            HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
        };
        let message = lettre::Message::builder()
            .from(mailbox("Stadt Musterhafen", &self.sender)?)
            .to(mailbox("Anna Beispiel", &self.reader)?)
            .reply_to(mailbox("Redaktion", &self.editors)?)
            .subject(mail.subject.clone())
            .date(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds))
            .message_id(Some(format!("<service.1@news.{DOMAIN}>")))
            .raw_header(raw("Auto-Submitted", "auto-generated"))
            .raw_header(raw("X-Auto-Response-Suppress", "OOF, AutoReply"))
            .raw_header(raw("Content-Language", language.tag()))
            .multipart(mime::alternative(text, html, Vec::new(), 9)?)?;
        Ok(self.signed(&message.formatted()))
    }

    fn signed(&self, mail: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        dkim::sign([&self.key], mail, self.date.timestamp(), &mut out);
        out.extend_from_slice(mail);
        out
    }

    /// What DNS says about the sender, as the judges read it.
    fn zone(&self) -> String {
        let (name, record) = (self.key.record_name(), self.key.record());
        serde_json::json!({
            name: {"TXT": [record]},
            DOMAIN: {"TXT": [format!("v=spf1 ip4:{RELAY} -all")], "MX": [format!("10 mail.{DOMAIN}")], "A": [RELAY]},
            format!("_dmarc.{DOMAIN}"): {"TXT": ["v=DMARC1; p=reject; adkim=s; aspf=s"]},
        })
        .to_string()
    }
}

/// A logo for the samples: a lighthouse above two waves on a plate of its own, so that it
/// reads well on any ground.
mod logo {
    use image::imageops::{self, FilterType};
    use image::{Rgb, RgbImage};
    use rundbrief_templates::brand::colour::Colour;

    /// Pixels of a side: twice the shown size.
    pub const SIDE: u32 = 112;
    /// Painted larger and made smaller: smooth edges.
    const FINER: u32 = 4;

    /// The logo: ground, figure, light.
    pub fn paint(ground: Colour, figure: Colour, light: Colour) -> RgbImage {
        let [ground, figure, light] = [ground, figure, light].map(pixel);
        let side = SIDE * FINER;
        let large = RgbImage::from_fn(side, side, |x, y| {
            let at = |v: u32| (f64::from(v) + 0.5) / f64::from(side);
            let (x, y) = (at(x), at(y));
            let tower = within(y, 0.34, 0.70) && (x - 0.5).abs() < 0.06 + (y - 0.34) * 0.13;
            let gallery = within(y, 0.30, 0.335) && (x - 0.5).abs() < 0.10;
            let lantern = within(y, 0.19, 0.28) && (x - 0.5).abs() < 0.055;
            let roof = within(y, 0.10, 0.18) && (x - 0.5).abs() < (y - 0.10) * 0.95;
            let beam = (0.09..0.40).contains(&(x - 0.5).abs())
                && (y - 0.235).abs() < 0.012 + ((x - 0.5).abs() - 0.09) * 0.22;
            let wave = |height: f64| (y - height - 0.018 * (x * 25.0).sin()).abs() < 0.022;
            if lantern || beam {
                light
            } else if tower || gallery || roof || wave(0.78) || wave(0.88) {
                figure
            } else {
                ground
            }
        });
        imageops::resize(&large, SIDE, SIDE, FilterType::Triangle)
    }

    fn within(value: f64, from: f64, to: f64) -> bool {
        (from..to).contains(&value)
    }

    fn pixel(colour: Colour) -> Rgb<u8> {
        let text = colour.to_string();
        let part = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap_or_default();
        Rgb([part(1), part(3), part(5)])
    }
}
