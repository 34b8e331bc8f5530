//! Whole mails, so that a change shows itself in review.

use rundbrief_templates::brand::shipped::{self, Name};
use rundbrief_templates::language::Language;
use rundbrief_templates::samples::{self, Sample};

use crate::page::page;

/// One tag a line, for readable differences.
fn by_line(html: &str) -> String {
    html.replace("><", ">\n<")
}

#[test]
fn the_text_of_an_issue() {
    let mail = page(Sample::Usual, Name::Town, Language::German).mail;
    insta::assert_snapshot!(mail.text.replace(" \n", "·\n"));
}

#[test]
fn the_text_of_an_issue_in_english() {
    let mail = page(Sample::Usual, Name::Town, Language::English).mail;
    insta::assert_snapshot!(mail.text.replace(" \n", "·\n"));
}

#[test]
fn the_html_of_an_issue() {
    let mail = page(Sample::Usual, Name::Office, Language::German).mail;
    insta::assert_snapshot!(by_line(&mail.html));
}

#[test]
fn the_head_of_each_brand() {
    for name in Name::ALL {
        let mail = page(Sample::Short, name, Language::German).mail;
        let start = mail.html.find("role=\"article\"").unwrap();
        let end = mail.html.find("<h1").unwrap();
        insta::assert_snapshot!(format!("head_{}", name.as_str()), by_line(&mail.html[start..end]));
    }
}

#[test]
fn the_mails_of_the_service() {
    for language in Language::ALL {
        let mails = samples::service::all(&shipped::brand(Name::Office), language);
        let texts = mails.iter().map(|(kind, mail)| {
            let foot = mail.text.find("____").unwrap();
            format!(
                "## {kind}\nSubject: {}\n\n{}",
                mail.subject,
                mail.text[..foot].replace(" \n", "·\n")
            )
        });
        let texts: Vec<String> = texts.collect();
        insta::assert_snapshot!(format!("service_{}", language.tag()), texts.join("\n"));
    }
}
