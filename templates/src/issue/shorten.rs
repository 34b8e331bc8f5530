//! Makes a long issue fit: first the later articles lose room, then the last
//! ones go, and a note links to the whole issue.

use crate::issue::{Article, Block, Form, Issue};

/// How hard an issue is shortened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effort {
    /// Nothing is.
    Full,
    /// Later articles have short teasers and no picture.
    Lean,
    /// They have a heading and one line.
    Bare,
    /// So have all, and only this many blocks are left.
    Blocks(usize),
}

/// Articles that keep their room at each effort.
const WHOLE_WHEN_LEAN: usize = 6;
const WHOLE_WHEN_BARE: usize = 3;

/// Characters of a teaser that is shortened, at each effort.
const TEASER_WHEN_LEAN: usize = 220;
const TEASER_WHEN_BARE: usize = 110;

/// Blocks that are left at first, and how many go at each further try.
const BLOCKS: usize = 40;
const FEWER: usize = 8;

impl Effort {
    /// The next harder one, if there is one.
    pub fn less(self) -> Option<Self> {
        match self {
            Self::Full => Some(Self::Lean),
            Self::Lean => Some(Self::Bare),
            Self::Bare => Some(Self::Blocks(BLOCKS)),
            Self::Blocks(left) => {
                left.checked_sub(FEWER).filter(|left| *left > 0).map(Self::Blocks)
            }
        }
    }
}

/// A shortened issue and whether anything is missing from it.
pub(super) struct Fitted {
    /// The issue as it is rendered.
    pub(super) issue: Issue,
    /// Whether a note has to say that there is more.
    pub(super) shortened: bool,
}

pub(super) fn apply(issue: &Issue, effort: Effort) -> Fitted {
    let mut issue = issue.clone();
    let (whole, teaser, blocks) = match effort {
        Effort::Full => {
            return Fitted { issue, shortened: false };
        }
        Effort::Lean => (WHOLE_WHEN_LEAN, TEASER_WHEN_LEAN, usize::MAX),
        Effort::Bare => (WHOLE_WHEN_BARE, TEASER_WHEN_BARE, usize::MAX),
        Effort::Blocks(blocks) => (0, TEASER_WHEN_BARE, blocks),
    };
    let mut articles = 0;
    let mut left = blocks;
    for section in &mut issue.sections {
        section.blocks.truncate(left);
        left -= section.blocks.len();
        for block in &mut section.blocks {
            if let Block::Article(article) = block {
                articles += 1;
                if articles > whole {
                    shrink(article, teaser);
                }
            }
        }
    }
    issue.sections.retain(|section| !section.blocks.is_empty());
    Fitted { issue, shortened: true }
}

fn shrink(article: &mut Article, teaser: usize) {
    article.form = Form::Short;
    article.image = None;
    article.links.clear();
    article.subtitle = None;
    let first = article.teaser.split("\n\n").next().unwrap_or_default();
    article.teaser = text(first, teaser);
}

/// At most this many characters, ending after a sentence or, with an ellipsis,
/// after a word.
pub(super) fn text(text: &str, most: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(most) else {
        return text.to_owned();
    };
    let head = &text[..end];
    if let Some(stop) = head.rfind(['.', '!', '?']).filter(|stop| *stop > end / 2)
        && text[stop + 1..].starts_with(' ')
    {
        return head[..=stop].to_owned();
    }
    let word = head.rfind(' ').map_or(head, |blank| &head[..blank]);
    format!("{} …", word.trim_end_matches([',', ';', ':', '–', ' ']))
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn text_ends_after_a_sentence_or_a_word() {
        assert_eq!(text("Kurz.", 10), "Kurz.");
        assert_eq!(text("Ein Satz ist aus. Noch einer folgt hier.", 25), "Ein Satz ist aus.");
        assert_eq!(text("Ein langer Satz ohne Ende", 13), "Ein langer …");
        assert_eq!(text("Übergrößenträger", 5), "Überg …");
    }
}
