//! The text part beside the HTML.

use std::collections::BTreeSet;

use rundbrief_templates::brand::shipped::{self, Name};
use rundbrief_templates::flow;
use rundbrief_templates::issue::{self, Article, Block, Section};
use rundbrief_templates::language::Language;
use rundbrief_templates::samples::Sample;

use crate::page::{Page, all, slots, words};

fn each(check: impl Fn(&Page)) {
    all().iter().for_each(check);
}

#[test]
fn lines_flow_and_nothing_is_misread() {
    each(|page| {
        let name = &page.name;
        for line in page.mail.text.lines() {
            let length = line.chars().count();
            let whole = !line.trim().contains(' ');
            assert!(length <= 73 || whole, "{name}: {length} columns: {line}");
            assert!(!line.starts_with('>') && !line.starts_with("From "), "{name}: {line}");
            assert!(line != "--" && line != "-- ", "{name}: a signature mark");
            assert!(!line.trim().is_empty() || line.is_empty(), "{name}: a blank soft break");
            assert!(!line.contains(['\u{ad}', '\u{200b}', '\t']), "{name}: {line}");
        }
        assert!(!page.mail.text.contains("\n\n\n"), "{name}: two blank lines");
        assert!(page.mail.text.ends_with('\n'), "{name}");
        let first = page.mail.text.lines().next().unwrap();
        assert!(first.len() > 12 && !first.starts_with("http"), "{name}: {first}");
    });
}

#[test]
fn headings_come_in_the_same_order() {
    each(|page| {
        let text = squashed(&flow::unflow(&page.mail.text));
        let mut from = 0;
        for heading in page.all("h1, h2, h3") {
            let heading = squashed(&words(heading));
            let at = text[from..].find(&heading);
            from +=
                at.unwrap_or_else(|| panic!("{}: {heading} is missing or too early", page.name));
        }
    });
}

#[test]
fn a_kicker_that_repeats_the_title_is_left_out() {
    let mut issue = Sample::Short.issue(Language::German);
    let article = |kicker: &str| {
        Block::Article(Article {
            kicker: Some(kicker.to_owned()),
            title: "Haushalt 2027".to_owned(),
            teaser: "Reden Sie mit.".to_owned(),
            ..Article::default()
        })
    };
    let blocks = vec![article("Rathaus"), Block::Divider, article("haushalt 2027")];
    issue.sections = vec![Section { title: None, blocks }];
    let mail = issue::render(&issue, &shipped::brand(Name::Town), Language::German, &slots());
    let shown = "\n\nRathaus: Haushalt 2027\n----------------------\n\nReden Sie mit.\n\n* * *\n\n\
                 Haushalt 2027\n-------------\n\nReden Sie mit.\n";
    assert!(mail.text.contains(shown), "{}", mail.text);
    assert_eq!(mail.html.to_lowercase().matches(">haushalt 2027<").count(), 2);
}

#[test]
fn both_parts_name_the_same_addresses() {
    each(|page| {
        let mut html: BTreeSet<String> = page
            .all("a[href^=https]")
            .iter()
            .map(|link| link.attr("href").unwrap().to_owned())
            .collect();
        html.extend(page.all("img").iter().map(|it| it.attr("src").unwrap().to_owned()));
        let lines = page.mail.text.lines().filter(|line| line.starts_with("http"));
        let text: BTreeSet<String> = lines.map(str::to_owned).collect();
        assert_eq!(html, text, "{}", page.name);
    });
}

#[test]
fn the_text_says_what_the_html_says() {
    each(|page| {
        let text = squashed(&flow::unflow(&page.mail.text)).to_lowercase();
        let known: BTreeSet<&str> = text.split(|c: char| !c.is_alphanumeric()).collect();
        for element in page.all("h1, h2, h3, p, li, th, td.t") {
            let words = words(element).to_lowercase();
            for word in words.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 5) {
                assert!(known.contains(word), "{}: {word} is missing", page.name);
            }
        }
    });
}

fn squashed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
