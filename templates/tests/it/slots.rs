//! Places that are filled for each reader.

use proptest::prelude::*;
use rundbrief_templates::brand::shipped::{self, Name};
use rundbrief_templates::issue::{self, Block};
use rundbrief_templates::language::Language;
use rundbrief_templates::samples::Sample;
use rundbrief_templates::slot::{Slot, Slots};

#[test]
fn a_slot_stands_on_a_line_of_its_own() {
    let slots = Slots::new(7);
    let mut issue = Sample::Usual.issue(Language::German);
    issue.web_version = None;
    let mail = issue::render(&issue, &shipped::brand(Name::Town), Language::German, &slots);
    for slot in Slot::ALL {
        let mark = slots.mark(slot);
        assert!(mail.text.lines().any(|line| line == mark), "{slot:?}");
        assert!(mail.html.contains(&mark), "{slot:?}");
    }
    let lines = mail.text.lines().filter(|line| line.contains(&slots.prefix()));
    assert!(lines.clone().all(|line| line.starts_with(&slots.prefix())));
    assert_eq!(lines.count(), 4);
}

#[test]
fn an_issue_for_all_needs_no_slot_for_its_web_version() {
    let slots = Slots::new(7);
    let issue = Sample::Usual.issue(Language::German);
    let mail = issue::render(&issue, &shipped::brand(Name::Town), Language::German, &slots);
    assert!(!mail.html.contains(&slots.mark(Slot::WebVersion)));
    assert!(!mail.text.contains(&slots.mark(Slot::WebVersion)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn an_article_cannot_forge_a_slot(nonce: u128, guess: u128) {
        prop_assume!(nonce != guess);
        let slots = Slots::new(nonce);
        let count = |text: &str| {
            let issue = with_teaser(text);
            let mail = issue::render(&issue, &shipped::brand(Name::Town), Language::German, &slots);
            (mail.html.matches(&slots.prefix()).count(), mail.text.matches(&slots.prefix()).count())
        };
        let honest = count("Ein Satz.");
        let guessed = Slots::new(guess).mark(Slot::Unsubscribe);
        prop_assert_eq!(honest, count(&format!("slot-unsubscribe {guessed} slot--slot-")));
    }

    #[test]
    fn marks_pass_every_encoding(nonce: u128) {
        for slot in Slot::ALL {
            let mark = Slots::new(nonce).mark(slot);
            prop_assert!(mark.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
            prop_assert!(mark.len() < 72);
        }
    }
}

fn with_teaser(text: &str) -> issue::Issue {
    let mut issue = Sample::Short.issue(Language::German);
    for block in issue.sections.iter_mut().flat_map(|section| &mut section.blocks) {
        if let Block::Article(article) = block {
            article.teaser = text.to_owned();
            article.title = text.to_owned();
        }
    }
    issue
}
