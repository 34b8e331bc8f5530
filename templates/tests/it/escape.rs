//! What others wrote stays text.

use rundbrief_templates::brand::shipped::{self, Name};
use rundbrief_templates::issue::{self, Block, Image};
use rundbrief_templates::language::Language;
use rundbrief_templates::samples::hard::everywhere;
use rundbrief_templates::samples::{self, Sample};
use rundbrief_templates::service::goodbye::{self, Goodbye};
use rundbrief_templates::service::invitation::{self, Invitation};

use crate::page::{filled, made, page, slots, words};

const SCRIPT: &str = "<script>alert(1)</script> & \">";

#[test]
fn markup_in_any_field_is_shown_as_written() {
    let forms = [
        "<script>alert(1)</script> & \"><img src=x onerror=alert(2)> </title></style><!--[if mso]>",
        "<script/x>a()</script/> & \"><img/src=x/onerror=b()></title/></style/>",
    ];
    for (brand, form) in Name::ALL.into_iter().flat_map(|brand| forms.map(|form| (brand, form))) {
        let clean = page(Sample::Usual, brand, Language::German);
        let issue = everywhere(Sample::Usual.issue(Language::German), form);
        let mail = issue::render(&issue, &shipped::brand(brand), Language::German, &slots());
        let hostile = made(form.to_owned(), brand, Language::German, filled(mail));
        for tag in ["*", "script", "img", "style", "title", "a", "[onerror]"] {
            assert_eq!(clean.all(tag).len(), hostile.all(tag).len(), "{tag}");
        }
        let comments = |html: &str| html.matches("<!--[if").count();
        assert_eq!(comments(&clean.mail.html), comments(&hostile.mail.html));
        let fields = hostile.all("h1, h2, h3, p, li a, img");
        let shown = fields.iter().filter(|field| words(**field).contains(form)).count();
        assert!(shown > 25, "{shown} of {} fields show it", fields.len());
        for image in hostile.all("img") {
            assert!(image.attr("alt").unwrap().contains(form));
        }
        assert!(words(hostile.all("title")[0]).contains(form));
        assert!(
            hostile.mail.text.replace(" \n", " ").contains(form),
            "the text part has it as it is"
        );
        assert!(
            !hostile.mail.html.contains("&amp;amp;") && !hostile.mail.html.contains("&amp;lt;")
        );
    }
}

#[test]
fn the_subject_is_one_clean_line() {
    let mail = page(Sample::Hostile, Name::Office, Language::German).mail;
    assert!(mail.subject.contains("Fisch & Chips <3"), "{}", mail.subject);
    assert!(!mail.subject.contains(['\n', '\r', '\u{202e}', '\u{200b}']));
}

#[test]
fn an_address_cannot_break_out_or_run() {
    let mut issue = Sample::Usual.issue(Language::German);
    let wrong = [
        "javascript:alert(1)",
        "https://example.org/\"><script>alert(1)</script>",
        "data:text/html,x",
        " https://example.org/a b\r\nc",
    ];
    let mut next = wrong.iter().cycle();
    for block in issue.sections.iter_mut().flat_map(|section| &mut section.blocks) {
        let url = || (*next.next().unwrap()).to_owned();
        match block {
            Block::Article(article) => {
                let mut url = url;
                article.url = Some(url());
                for link in &mut article.links {
                    link.url = url();
                }
                article.image = Some(Image {
                    url: url(),
                    alt: "Ein Bild".to_owned(),
                    caption: None,
                    credit: None,
                    width: 1200,
                    height: 800,
                });
            }
            Block::Event(event) => {
                let mut url = url;
                event.url = Some(url());
                event.calendar_url = Some(url());
            }
            Block::Button(link) => {
                let mut url = url;
                link.url = url();
            }
            Block::Quote(_) | Block::Text(_) | Block::Divider => {}
        }
    }
    issue.publication.privacy_url = "javascript:alert(1)".to_owned();
    issue.web_version = Some("vbscript:x".to_owned());
    let mail = issue::render(&issue, &shipped::brand(Name::Town), Language::German, &slots());
    let mail = filled(mail);
    let page = made("addresses".to_owned(), Name::Town, Language::German, mail);
    assert!(page.all("script").is_empty());
    for element in page.all("[href], [src]") {
        let address = element.attr("href").or(element.attr("src")).unwrap();
        let harmless =
            ["https://", "mailto:", "tel:"].iter().any(|start| address.starts_with(start));
        assert!(harmless, "{address}");
        assert!(!address.contains(['"', '<', '>', ' ', '\n']), "{address}");
    }
    assert!(page.mail.html.contains("https://example.org/%22%3E%3Cscript%3Ealert(1)%3C/script%3E"));
    assert!(!page.mail.text.contains("javascript:"));
}

#[test]
fn service_mails_show_names_as_written() {
    let mut publication = samples::publication(Language::German);
    publication.name = format!("Hafenpost {SCRIPT}");
    publication.imprint.name = SCRIPT.to_owned();
    let brand = shipped::brand(Name::Association);
    let invitation = Invitation {
        publication: &publication,
        invited_by: SCRIPT,
        role: SCRIPT,
        url: "https://example.org/\"onclick=\"x",
        valid_until: samples::DAY,
    };
    let goodbye = Goodbye { publication: &publication, subscribe_url: "javascript:alert(1)" };
    for mail in [
        invitation::render(&invitation, &brand, Language::German),
        goodbye::render(&goodbye, &brand, Language::English),
    ] {
        let page = made("service".to_owned(), Name::Association, Language::German, mail);
        assert!(page.all("script, [onclick]").is_empty());
        assert!(!page.mail.html.contains("javascript:"));
        assert!(words(page.all("body")[0]).matches(SCRIPT).count() > 4);
    }
}
