//! How long an issue of ten articles takes: `cargo bench -p rundbrief-templates`.
//!
//! Prints a figure and asserts none: machines differ.

use std::hint::black_box;
use std::time::Instant;

use rundbrief_templates::brand::shipped::{self, Name};
use rundbrief_templates::issue;
use rundbrief_templates::language::Language;
use rundbrief_templates::samples::Sample;
use rundbrief_templates::slot::Slots;

const ROUNDS: u32 = 500;

fn main() {
    let slots = Slots::new(1);
    let brand = shipped::brand(Name::Town);
    for (name, articles) in [("10 articles", 10), ("25 articles", 25)] {
        let mut issue = Sample::Long.issue(Language::German);
        let mut left = articles;
        for section in &mut issue.sections {
            section.blocks.truncate(left);
            left -= section.blocks.len();
        }
        issue.sections.retain(|section| !section.blocks.is_empty());
        let render = || issue::render(black_box(&issue), &brand, Language::German, &slots);
        let bytes = render().html.len();
        let start = Instant::now();
        for _ in 0..ROUNDS {
            black_box(render());
        }
        let each = start.elapsed() / ROUNDS;
        println!("{name}: {each:?} for HTML ({bytes} bytes) and text");
    }
}
