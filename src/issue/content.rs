//! What stands in an issue: sections of articles by key and revision, and the words of
//! the editors. The articles themselves stay in their own table.

use serde::{Deserialize, Serialize};

use crate::article::{ArticleId, WebAddress};

/// What an editor arranges. Stored as JSON with the issue.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// A few words before the first article; blank lines part paragraphs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub editorial: Option<String>,
    /// Who signs them, line by line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signature: Vec<String>,
    /// In the order they are read.
    #[serde(default)]
    pub sections: Vec<Section>,
}

/// What stands under one heading, or under none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// The heading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// In the order it is read.
    pub blocks: Vec<Block>,
}

/// One thing in a section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Block {
    /// An article.
    Article(Item),
    /// A sentence somebody said.
    Quote(Quote),
    /// A link that asks to be pressed.
    Button(Button),
    /// A line between two thoughts.
    Divider,
}

/// One article in an issue, in the revision that was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Which.
    pub article: ArticleId,
    /// In which form it was.
    pub revision: i64,
    /// How much room it takes.
    pub form: Form,
}

/// How much room an article takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// Opens the issue: large picture, large heading.
    Lead,
    /// Picture, heading, teaser.
    Standard,
    /// Heading and teaser.
    Short,
    /// A date in the list of events.
    Event,
}

/// A sentence somebody said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// The words, without quotation marks.
    pub text: String,
    /// Who said them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Language tag (BCP 47), where it is not the newsletter's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

/// A link that asks to be pressed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Button {
    /// The words; they name the target.
    pub text: String,
    /// Where it leads.
    pub url: WebAddress,
}

/// What stands at one place of an issue. Places are counted from 1, headings included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// The heading of what follows, up to the next one.
    Heading(String),
    /// Anything else.
    Block(Block),
}

/// Why a change of the order is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no such place.
    #[error("there is no place {0}; `issue show` numbers them")]
    NoPlace(usize),
    /// An article goes by its own key.
    #[error("at place {0} stands an article; leave it out with --drop {1}")]
    Article(usize, ArticleId),
    /// Two headings would follow each other, or one would come last.
    #[error("a heading behind place {0} would leave a heading with nothing below it")]
    Empty(usize),
}

impl Content {
    /// Every article in its order, with its section's heading.
    pub fn items(&self) -> impl Iterator<Item = (&Item, Option<&str>)> {
        self.sections
            .iter()
            .flat_map(|section| section.items().map(move |item| (item, section.title.as_deref())))
    }

    /// The same, to be changed.
    pub fn items_mut(&mut self) -> impl Iterator<Item = &mut Item> {
        let blocks = self.sections.iter_mut().flat_map(|section| &mut section.blocks);
        blocks.filter_map(|block| match block {
            Block::Article(item) => Some(item),
            Block::Quote(_) | Block::Button(_) | Block::Divider => None,
        })
    }

    /// Everything beside the articles, in its order.
    pub fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.sections.iter().flat_map(|section| &section.blocks)
    }

    /// What stands at each place, from place 1 on.
    pub fn lines(&self) -> Vec<Line> {
        let lines = self.sections.iter().flat_map(|section| {
            let heading = section.title.clone().map(Line::Heading);
            heading.into_iter().chain(section.blocks.iter().cloned().map(Line::Block))
        });
        lines.collect()
    }

    /// Puts something behind a place; 0 is before everything.
    ///
    /// # Errors
    /// There is no such place, or nothing would stand below a heading.
    pub fn put(&mut self, after: usize, line: Line) -> Result<(), Refused> {
        let (section, at) = self.behind(after)?;
        match line {
            Line::Block(block) => match self.sections.get_mut(section) {
                Some(section) => section.blocks.insert(at, block),
                None => self.sections.push(Section { title: None, blocks: vec![block] }),
            },
            Line::Heading(title) => self.part(section, at, title).ok_or(Refused::Empty(after))?,
        }
        Ok(())
    }

    /// Section and index within it of what would stand behind a place.
    fn behind(&mut self, after: usize) -> Result<(usize, usize), Refused> {
        if after == 0 {
            if self.sections.first().is_some_and(|first| first.title.is_some()) {
                self.sections.insert(0, Section::default());
            }
            return Ok((0, 0));
        }
        let mut place = 0;
        for (number, section) in self.sections.iter().enumerate() {
            let begins = place + usize::from(section.title.is_some());
            let ends = begins + section.blocks.len();
            if (place + 1..=ends).contains(&after) {
                return Ok((number, after - begins));
            }
            place = ends;
        }
        Err(Refused::NoPlace(after))
    }

    /// Gives what stands from an index of a section on a heading of its own; `None` where
    /// one heading would stand right below another, or at the end.
    fn part(&mut self, number: usize, at: usize, title: String) -> Option<()> {
        let section = self.sections.get_mut(number)?;
        let below = section.blocks.split_off(at);
        if below.is_empty() {
            let next = self.sections.get_mut(number + 1).filter(|next| next.title.is_none())?;
            next.title = Some(title);
        } else if at == 0 && section.title.is_none() {
            *section = Section { title: Some(title), blocks: below };
        } else if at == 0 {
            section.blocks = below;
            return None;
        } else {
            self.sections.insert(number + 1, Section { title: Some(title), blocks: below });
        }
        Some(())
    }

    /// Takes out what stands at these places, but for articles. What stood below a heading
    /// goes to the one above.
    ///
    /// # Errors
    /// There is no such place, or an article stands there.
    pub fn take_out(&mut self, places: &[usize]) -> Result<(), Refused> {
        let lines = self.lines();
        for place in places {
            match place.checked_sub(1).and_then(|index| lines.get(index)) {
                None => return Err(Refused::NoPlace(*place)),
                Some(Line::Block(Block::Article(item))) => {
                    return Err(Refused::Article(*place, item.article));
                }
                Some(Line::Block(_) | Line::Heading(_)) => {}
            }
        }
        let mut place = 0;
        let mut gone = || {
            place += 1;
            places.contains(&place)
        };
        let mut kept: Vec<Section> = Vec::new();
        for mut section in std::mem::take(&mut self.sections) {
            let untitled = section.title.is_some() && gone();
            section.blocks.retain(|_| !gone());
            match kept.last_mut() {
                Some(above) if untitled => above.blocks.extend(section.blocks),
                Some(_) | None => {
                    section.title = section.title.filter(|_| !untitled);
                    kept.push(section);
                }
            }
        }
        kept.retain(|section| !section.blocks.is_empty());
        self.sections = kept;
        Ok(())
    }
}

impl Section {
    /// Its articles.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.blocks.iter().filter_map(Block::item)
    }
}

impl Block {
    /// The article, if it is one.
    pub fn item(&self) -> Option<&Item> {
        match self {
            Self::Article(item) => Some(item),
            Self::Quote(_) | Self::Button(_) | Self::Divider => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A lead article, and two under a heading: places 1, 2 (the heading), 3, 4.
    fn content() -> Content {
        let article = |id| {
            let article = ArticleId::new(id);
            Block::Article(Item { article, revision: 1, form: Form::Standard })
        };
        let section =
            |title: Option<&str>, blocks| Section { title: title.map(str::to_owned), blocks };
        Content {
            sections: vec![
                section(None, vec![article(1)]),
                section(Some("Rathaus"), vec![article(2), article(3)]),
            ],
            ..Content::default()
        }
    }

    fn shown(content: &Content) -> String {
        let lines = content.lines().into_iter().map(|line| match line {
            Line::Heading(title) => title,
            Line::Block(Block::Article(item)) => item.article.to_string(),
            Line::Block(Block::Divider) => "--".to_owned(),
            Line::Block(Block::Quote(quote)) => quote.text,
            Line::Block(Block::Button(button)) => button.text,
        });
        lines.collect::<Vec<_>>().join(" ")
    }

    fn after(place: usize, line: Line) -> String {
        let mut content = content();
        match content.put(place, line) {
            Ok(()) => shown(&content),
            Err(refused) => refused.to_string(),
        }
    }

    #[test]
    fn a_block_stands_behind_any_place() {
        let divider = || Line::Block(Block::Divider);
        assert_eq!(shown(&content()), "1 Rathaus 2 3");
        assert_eq!(after(0, divider()), "-- 1 Rathaus 2 3");
        assert_eq!(after(1, divider()), "1 -- Rathaus 2 3");
        assert_eq!(after(2, divider()), "1 Rathaus -- 2 3");
        assert_eq!(after(4, divider()), "1 Rathaus 2 3 --");
        assert_eq!(after(5, divider()), "there is no place 5; `issue show` numbers them");
        let mut empty = Content::default();
        assert_eq!(empty.put(0, divider()), Ok(()));
        assert_eq!(shown(&empty), "--");
    }

    #[test]
    fn before_a_first_heading_there_is_room() {
        let mut content = content();
        content.sections.remove(0);
        content.put(0, Line::Block(Block::Divider)).unwrap();
        assert_eq!(shown(&content), "-- Rathaus 2 3");
    }

    #[test]
    fn a_heading_has_something_below_it() {
        let heading = || Line::Heading("Neu".to_owned());
        assert_eq!(after(0, heading()), "Neu 1 Rathaus 2 3");
        assert_eq!(after(3, heading()), "1 Rathaus 2 Neu 3");
        for place in [1, 2, 4] {
            let said = Refused::Empty(place).to_string();
            assert_eq!(after(place, heading()), said);
        }
    }

    #[test]
    fn what_is_taken_out_leaves_its_articles() {
        let mut content = content();
        content.put(4, Line::Block(Block::Divider)).unwrap();
        assert_eq!(content.take_out(&[9]), Err(Refused::NoPlace(9)));
        assert_eq!(content.take_out(&[0]), Err(Refused::NoPlace(0)));
        assert_eq!(content.take_out(&[3]), Err(Refused::Article(3, ArticleId::new(2))));
        assert_eq!(shown(&content), "1 Rathaus 2 3 --");
        content.take_out(&[5, 2]).unwrap();
        assert_eq!(shown(&content), "1 2 3");
        assert_eq!(content.sections.len(), 1);
    }

    #[test]
    fn content_survives_its_json() {
        let mut content = content();
        let quote = Quote { text: "Ja.".to_owned(), by: None, language: None };
        content.put(1, Line::Block(Block::Quote(quote))).unwrap();
        content.put(1, Line::Block(Block::Divider)).unwrap();
        let json = serde_json::to_string(&content).unwrap();
        assert!(json.contains(r#""divider",{"quote":{"text":"Ja."}}"#), "{json}");
        assert_eq!(serde_json::from_str::<Content>(&json).unwrap(), content);
    }
}
