//! Picks what is new into the sections of a draft, by the newsletter's rules.
//!
//! Pure: candidates and the time come in, a draft goes out, and whatever was left
//! out is named with its reason. What earlier issues showed is not among the
//! candidates; asking the database for that is the caller's.

use jiff::{SignedDuration, Timestamp};
use rundbrief_templates::words;

use super::content::{Block, Content, Form, Item, Section};
use crate::article::{ArticleId, Record};
use crate::newsletter::definition::{Definition, Lead, Section as Rule};

/// Characters of a subject that a header line holds; a longer title is cut.
const SUBJECT_MAX: usize = 78;
/// Characters of a preheader that inboxes show.
const PREHEADER: usize = 130;
/// What articles that came from no source are called.
const BY_HAND: &str = "hand";

/// An article that no issue of the newsletter has shown.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Its key.
    pub article: ArticleId,
    /// Its present revision.
    pub revision: i64,
    /// Name of its source, or `hand`.
    pub origin: String,
    /// When it came in.
    pub first_seen: Timestamp,
    /// What it says.
    pub record: Record,
}

/// What the rules made of the candidates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composed {
    /// The issue; `None` where there is nothing new, or too little.
    pub draft: Option<Draft>,
    /// What did not go in, and why.
    pub left_out: Vec<LeftOut>,
}

/// An issue as the rules propose it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The opening article's title.
    pub subject: String,
    /// What the inbox shows beside it.
    pub preheader: String,
    /// The rest.
    pub content: Content,
}

/// An article that did not go in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Which.
    pub article: ArticleId,
    /// Its title.
    pub title: String,
    /// Why, as a clause.
    pub why: String,
}

/// Composes an issue at a moment.
pub fn compose(definition: &Definition, candidates: &[Candidate], now: Timestamp) -> Composed {
    let rules = &definition.rules;
    let mut left_out = Vec::new();
    let wanted = candidates
        .iter()
        .filter(|one| rules.sources.is_empty() || rules.sources.contains(&one.origin));
    let sorted = sort(definition, wanted, now, &mut left_out);
    let (articles, events) = (sorted.articles, sorted.events);

    let mut content = Content {
        editorial: definition.editorial.clone(),
        signature: definition.signature.iter().map(|line| line.as_str().to_owned()).collect(),
        sections: Vec::new(),
    };
    let (lead, others) = lead(rules.lead, articles);
    if let Some(lead) = lead {
        content.sections.push(Section { title: None, blocks: vec![item(lead, Form::Lead)] });
    }
    let room = rules.at_most.get() as usize;
    let room = room.saturating_sub(content.sections.len());
    let shown = place(definition, &others, room, &mut content, &mut left_out);
    if !events.is_empty() {
        let standing = words::of(definition.language).events;
        let title = rules.events.title.as_ref().map_or(standing, |title| title.as_str());
        let blocks = events.iter().map(|one| item(one, Form::Event)).collect();
        content.sections.push(Section { title: Some(title.to_owned()), blocks });
    }
    let found = lead.iter().count() + shown.len() + events.len();
    if found == 0 || found < rules.at_least.get() as usize {
        return Composed { draft: None, left_out };
    }
    let order: Vec<&Candidate> = lead.into_iter().chain(shown).chain(events).collect();
    let order: Vec<&Record> = order.into_iter().map(|one| &one.record).collect();
    let draft = Draft { subject: subject(&order), preheader: preheader(&order), content };
    Composed { draft: Some(draft), left_out }
}

struct Sorted<'c> {
    /// Newest first.
    articles: Vec<&'c Candidate>,
    /// Next first.
    events: Vec<&'c Candidate>,
}

/// Parts articles from events, and leaves out what is too old, over, or far ahead.
fn sort<'c>(
    definition: &Definition,
    wanted: impl Iterator<Item = &'c Candidate>,
    now: Timestamp,
    left_out: &mut Vec<LeftOut>,
) -> Sorted<'c> {
    let rules = &definition.rules;
    let zone = definition.time_zone.zone();
    let days = |days: u32| SignedDuration::from_hours(24 * i64::from(days));
    let oldest = now.checked_sub(days(rules.max_age_days.get())).unwrap_or(Timestamp::MIN);
    let farthest = now.checked_add(days(rules.events.within_days.get())).unwrap_or(Timestamp::MAX);
    let mut sorted = Sorted { articles: Vec::new(), events: Vec::new() };
    for one in wanted {
        let event = one.record.event.as_ref().filter(|_| rules.events.at_most.get() > 0);
        if let Some(event) = event {
            let last = event.end.unwrap_or(event.start);
            let over = last.time(&zone).is_some() && last.instant(&zone).is_some_and(|at| at < now)
                || last.day(&zone) < zone.to_datetime(now).date();
            if over {
                left_out.push(without(one, "the event is over".to_owned()));
            } else if event.start.instant(&zone).is_some_and(|at| at > farthest) {
                let days = rules.events.within_days.get();
                left_out.push(without(one, format!("the event is more than {days} days ahead")));
            } else {
                sorted.events.push(one);
            }
        } else if published(one) < oldest {
            let days = rules.max_age_days.get();
            left_out.push(without(one, format!("it is older than {days} days")));
        } else {
            sorted.articles.push(one);
        }
    }
    sorted.articles.sort_by_key(|one| std::cmp::Reverse((published(one), one.article)));
    sorted.events.sort_by_key(|one| {
        let start = one.record.event.as_ref().and_then(|event| event.start.instant(&zone));
        (start, one.article)
    });
    let most = rules.events.at_most.get() as usize;
    for one in sorted.events.split_off(most.min(sorted.events.len())) {
        left_out.push(without(one, format!("the issue has {most} events already")));
    }
    sorted
}

/// What was added by hand is news from that day, whatever day it was written.
fn published(one: &Candidate) -> Timestamp {
    match one.record.published_at {
        Some(at) if one.origin != BY_HAND => at,
        Some(_) | None => one.first_seen,
    }
}

/// The article that opens the issue, and the others.
fn lead(rule: Lead, mut articles: Vec<&Candidate>) -> (Option<&Candidate>, Vec<&Candidate>) {
    let pictured = |one: &&Candidate| one.record.images.iter().any(|image| image.file.is_some());
    let place = match rule {
        Lead::None => None,
        Lead::Newest => Some(0),
        Lead::Pictured => Some(articles.iter().position(pictured).unwrap_or(0)),
    };
    let lead = place.filter(|place| *place < articles.len()).map(|place| articles.remove(place));
    (lead, articles)
}

/// Puts articles into sections, newest first, and returns those that found a place in
/// the order they are read.
fn place<'c>(
    definition: &Definition,
    articles: &[&'c Candidate],
    room: usize,
    content: &mut Content,
    left_out: &mut Vec<LeftOut>,
) -> Vec<&'c Candidate> {
    let rules = &definition.rules;
    let rest = match rules.rest.as_deref() {
        Some("") => None,
        Some(title) => Some(title),
        None => Some(words::of(definition.language).more),
    };
    let mut sections: Vec<Vec<&Candidate>> = vec![Vec::new(); rules.sections.len() + 1];
    let mut placed = 0;
    for one in articles {
        if placed == room {
            let most = rules.at_most.get();
            left_out.push(without(one, format!("the issue has {most} articles already")));
            continue;
        }
        let free = |(i, rule): (usize, &Rule)| {
            (wants(rule, one) && sections[i].len() < rule.at_most.get() as usize).then_some(i)
        };
        let found = rules.sections.iter().enumerate().find_map(free);
        match found {
            Some(section) => sections[section].push(one),
            None if rules.sections.is_empty() || rest.is_some() => {
                sections[rules.sections.len()].push(one);
            }
            None => {
                left_out
                    .push(without(one, "no section wants it, or the section is full".to_owned()));
                continue;
            }
        }
        placed += 1;
    }
    for (i, articles) in sections.iter().enumerate().filter(|(_, articles)| !articles.is_empty()) {
        let rule = rules.sections.get(i);
        let form = if rule.is_some_and(|rule| rule.short) { Form::Short } else { Form::Standard };
        let title = match rule {
            Some(rule) => Some(rule.title.as_str()),
            // A heading over the rest makes sense only below other headings.
            None => rest.filter(|_| sections[..i].iter().any(|above| !above.is_empty())),
        };
        let blocks = articles.iter().map(|one| item(one, form)).collect();
        content.sections.push(Section { title: title.map(str::to_owned), blocks });
    }
    sections.into_iter().flatten().collect()
}

/// Whether a section asks for an article: by source, or by a category or a part of the
/// path above the title. One that asks for nothing takes all.
fn wants(rule: &Rule, one: &Candidate) -> bool {
    if rule.categories.is_empty() && rule.sources.is_empty() {
        return true;
    }
    let path = one.record.kicker.join(" / ");
    let names = one.record.categories.iter().chain(&one.record.kicker).chain([&path]);
    let names: Vec<String> = names.map(|name| name.trim().to_lowercase()).collect();
    rule.sources.contains(&one.origin)
        || rule.categories.iter().any(|category| names.contains(&category.trim().to_lowercase()))
}

fn item(one: &Candidate, form: Form) -> Block {
    Block::Article(Item { article: one.article, revision: one.revision, form })
}

fn without(one: &Candidate, why: String) -> LeftOut {
    LeftOut { article: one.article, title: one.record.title.clone(), why }
}

/// The subject that is proposed for articles in this order.
pub fn subject(order: &[&Record]) -> String {
    order.first().map(|one| cut(&one.title, SUBJECT_MAX)).unwrap_or_default()
}

/// The preheader that is proposed: the titles behind the first one; where that one stands
/// alone, its teaser.
pub fn preheader(order: &[&Record]) -> String {
    let mut out = String::new();
    for one in order.iter().skip(1) {
        let parted = if out.is_empty() { "" } else { " · " };
        let length = out.chars().count() + parted.chars().count() + one.title.chars().count();
        if length > PREHEADER && !out.is_empty() {
            break;
        }
        out.push_str(parted);
        out.push_str(&one.title);
    }
    match order.first() {
        Some(first) if out.is_empty() => cut(&first.teaser, PREHEADER),
        Some(_) | None => cut(&out, PREHEADER),
    }
}

/// The text, or as many whole words of it as fit, with an ellipsis.
pub(super) fn cut(text: &str, most: usize) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().count() <= most {
        return text;
    }
    let mut out = String::new();
    let mut length = 0;
    for word in text.split(' ') {
        let next = length + word.chars().count() + usize::from(length > 0);
        // Two characters for " …".
        if next + 2 > most {
            break;
        }
        if length > 0 {
            out.push(' ');
        }
        out.push_str(word);
        length = next;
    }
    if out.is_empty() {
        out = text.chars().take(most.saturating_sub(2)).collect();
    }
    let kept = out.trim_end_matches([',', ';', ':', '–', '-', '|', ' ']).len();
    out.truncate(kept);
    out.push_str(" …");
    out
}
