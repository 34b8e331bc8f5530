//! Issues that are too long.

use rundbrief_templates::brand::shipped::{self, Name};
use rundbrief_templates::issue::{self, Article, Block, HTML_BYTES, Section};
use rundbrief_templates::language::Language;
use rundbrief_templates::mail::Mail;
use rundbrief_templates::samples::Sample;

use crate::page::slots;

fn with_articles(count: usize, words: usize) -> Mail {
    let mut issue = Sample::Short.issue(Language::German);
    let article = |index| {
        Block::Article(Article {
            title: format!("Nachricht Nummer {index}"),
            teaser: "Ein Wort gibt das andere. ".repeat(words / 5),
            url: Some(format!("https://example.org/{index}")),
            ..Article::default()
        })
    };
    issue.sections.push(Section { title: None, blocks: (0..count).map(article).collect() });
    issue::render(&issue, &shipped::brand(Name::Office), Language::German, &slots())
}

#[test]
fn twenty_five_articles_need_no_shortening() {
    let mail = issue::render(
        &Sample::Long.issue(Language::German),
        &shipped::brand(Name::Office),
        Language::German,
        &slots(),
    );
    assert!(!mail.html.contains("Ganze Ausgabe im Browser lesen"));
    assert_eq!(mail.html.matches("Weiterlesen: ").count(), 25);
}

#[test]
fn a_long_issue_loses_words_first_and_says_so() {
    let mail = with_articles(25, 900);
    assert!(mail.html.len() <= HTML_BYTES);
    for part in [&mail.html, &mail.text] {
        assert!(part.contains("Nachricht Nummer 24"), "every article is still there");
        assert!(part.contains("Diese Ausgabe ist lang."));
    }
    assert!(mail.html.contains("Ganze Ausgabe im Browser lesen"));
    let whole = "https://www.musterhafen.example.org/archive/hafenpost/13\n";
    assert_eq!(mail.text.matches(whole).count(), 1, "{}", mail.text);
}

#[test]
fn a_huge_issue_loses_its_end() {
    let mail = with_articles(400, 100);
    assert!(mail.html.len() <= HTML_BYTES);
    assert!(
        mail.html.contains("Nachricht Nummer 0<") && !mail.html.contains("Nachricht Nummer 399<")
    );
    assert!(mail.html.contains("Ganze Ausgabe im Browser lesen"));
    assert!(mail.text.contains("https://www.musterhafen.example.org/archive/hafenpost/13"));
}

#[test]
fn one_endless_article_fits() {
    assert!(with_articles(1, 40_000).html.len() <= HTML_BYTES);
}
