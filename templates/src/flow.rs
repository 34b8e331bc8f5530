//! Plain text as `format=flowed` (RFC 3676): soft breaks end in a blank, lines
//! that would be misread are stuffed with one.
//!
//! Words are never cut: an address longer than a line stays whole.

use crate::clean;

/// The most columns a line has, its soft break included (RFC 3676 4.2 says 78;
/// 72 leaves room for quoting).
pub const COLUMNS: usize = 72;

/// A text part in the making. Blocks are parted by one blank line.
#[derive(Debug, Default)]
pub struct Flow {
    out: String,
}

/// How a heading is underlined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// The issue.
    One,
    /// Sections, and articles outside of sections.
    Two,
    /// Articles in sections.
    Three,
}

impl Flow {
    /// An empty text.
    pub fn new() -> Self {
        Self::default()
    }

    /// A paragraph of running text.
    pub fn paragraph(&mut self, text: &str) {
        self.gap();
        self.wrapped("", text);
    }

    /// A heading, underlined.
    pub fn heading(&mut self, level: Level, text: &str) {
        let text = clean::without_soft_hyphens(text);
        self.gap();
        self.wrapped("", &text);
        let mark = match level {
            Level::One => "=",
            Level::Two => "-",
            Level::Three => "~",
        };
        let width = text.chars().count().clamp(4, COLUMNS);
        self.out.push_str(&mark.repeat(width));
        self.out.push('\n');
    }

    /// Lines that stay as they are broken.
    pub fn lines<'a>(&mut self, lines: impl IntoIterator<Item = &'a str>) {
        self.gap();
        for line in lines {
            self.wrapped("", line);
        }
    }

    /// Items, each after a hyphen.
    pub fn items<'a>(&mut self, items: impl IntoIterator<Item = &'a str>) {
        self.gap();
        for item in items {
            self.wrapped("- ", item);
        }
    }

    /// Words with a colon, and the address on a line of its own.
    pub fn link(&mut self, text: &str, url: &str) {
        self.gap();
        self.wrapped("", &format!("{}:", text.trim_end_matches(':')));
        self.alone(url);
    }

    /// A mark or an address on a line of its own, never broken.
    pub fn alone(&mut self, text: &str) {
        self.out.push_str(text);
        self.out.push('\n');
    }

    /// A mark between two blank lines.
    pub fn mark(&mut self, mark: &str) {
        self.gap();
        self.alone(mark);
    }

    /// A line across.
    pub fn rule(&mut self) {
        self.gap();
        self.out.push_str(&"_".repeat(COLUMNS / 2));
        self.out.push('\n');
    }

    /// The text.
    pub fn finish(self) -> String {
        self.out
    }

    fn gap(&mut self) {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
    }

    /// Breaks softly, so that clients may flow the paragraph again.
    fn wrapped(&mut self, lead: &str, text: &str) {
        let text = clean::without_soft_hyphens(text);
        let mut line = String::from(lead);
        let mut width = lead.chars().count();
        let mut empty = true;
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            let length = word.chars().count();
            if !empty && width + 1 + length >= COLUMNS {
                self.stuffed(&line);
                self.out.push_str(" \n");
                line.clear();
                width = 0;
                empty = true;
            }
            if !empty {
                line.push(' ');
                width += 1;
            }
            line.push_str(word);
            width += length;
            empty = false;
        }
        self.stuffed(line.trim_end());
        self.out.push('\n');
    }

    /// RFC 3676 4.4: lines that begin with a blank, `>` or `From ` get a blank.
    fn stuffed(&mut self, line: &str) {
        if line.starts_with([' ', '>']) || line.starts_with("From ") || line == "From" {
            self.out.push(' ');
        }
        // "-- " ends a mail (RFC 3676 4.3); nothing of ours means that.
        if line == "--" {
            self.out.push(' ');
        }
        self.out.push_str(line);
    }
}

/// The text as a client shows it: soft breaks joined, stuffing taken off.
pub fn unflow(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut joined = false;
    for line in text.lines() {
        let line = line.strip_prefix(' ').unwrap_or(line);
        out.push_str(line);
        joined = line.ends_with(' ') && line != "-- ";
        if !joined {
            out.push('\n');
        }
    }
    if joined {
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paragraphs_break_softly_and_headings_are_underlined() {
        let mut flow = Flow::new();
        flow.heading(Level::One, "Neue Radwege");
        flow.paragraph(&"wort ".repeat(20));
        flow.link("Weiterlesen", "https://example.org/a");
        insta::assert_snapshot!(flow.finish().replace(" \n", "·\n"), @r"
        Neue Radwege
        ============

        wort wort wort wort wort wort wort wort wort wort wort wort wort wort·
        wort wort wort wort wort wort

        Weiterlesen:
        https://example.org/a
        ");
    }

    proptest! {
        #[test]
        fn what_flows_reads_the_same(words in prop::collection::vec("[a-zäß>.-]{1,20}|From|>|--", 1..60)) {
            let text = words.join(" ");
            let mut flow = Flow::new();
            flow.paragraph(&text);
            let flowed = flow.finish();
            for line in flowed.lines() {
                prop_assert!(line.chars().count() <= COLUMNS + 1, "{line:?}");
                prop_assert!(!line.starts_with('>') && !line.starts_with("From "), "{line:?}");
                prop_assert!(line.trim_end() != "--" || line.starts_with(' '), "{line:?}");
            }
            prop_assert_eq!(unflow(&flowed), format!("{text}\n"));
        }
    }
}
