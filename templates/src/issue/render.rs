//! Puts the building blocks of an issue together, as HTML and as text.

use maud::{Markup, html};

use crate::block::footer::{self, Foot};
use crate::block::masthead::{self, Head};
use crate::block::{
    self, article, button, contents, editorial, event, heading, preheader, quote, words,
};
use crate::brand::Brand;
use crate::brand::Headings;
use crate::date;
use crate::flow::{Flow, Level};
use crate::issue::shorten::Fitted;
use crate::issue::{self, Block, Issue, Link, Paragraph, Section, Span};
use crate::language::Language;
use crate::look::Look;
use crate::mail::Mail;
use crate::sheet::{self, Sheet};
use crate::slot::{Slot, Slots};

/// A divider in the plain text.
const DIVIDER: &str = "* * *";

pub(super) fn mail(fitted: &Fitted, brand: &Brand, language: Language, slots: &Slots) -> Mail {
    let look = Look::new(brand, language);
    let issue = &fitted.issue;
    let whole = issue.web_version.clone().unwrap_or_else(|| slots.mark(Slot::WebVersion));
    let head = head(issue, &look);
    let mut foot = foot(issue, &look, slots, &whole);
    let preheader = preheader(issue, &look, &head);
    let rows = html! {
        (masthead::html(&head, &look))
        (editorial::html(issue, &look, slots))
        (contents::html(issue, &whole, &look))
        (sections_html(issue, &look))
        @if fitted.shortened {
            (block::line(&look))
            (block::row(&look, "24px 24px 0 24px", &words::html(&note(&look, &whole), &look)))
        }
        (footer::end(&look))
    };
    let sheet = Sheet {
        title: &issue.subject,
        label: &format!("{}: {}", issue.publication.name, issue.subject),
        preheader: &preheader,
        rows,
        foot: footer::html(&foot, &look),
    };
    let mut flow = Flow::new();
    let said = Some(issue.preheader.as_str()).filter(|words| !words.is_empty());
    flow.paragraph(said.unwrap_or(&preheader));
    text(fitted, &look, slots, &head, &whole, &mut flow);
    if fitted.shortened {
        // The note says it, so the foot need not.
        flow.link(look.words.shortened, &whole);
        foot.links.retain(|link| link.url != whole);
    }
    flow.rule();
    footer::text(&foot, &look, &mut flow);
    Mail {
        subject: issue.subject.clone(),
        text: flow.finish(),
        html: sheet::document(&sheet, &look).into_string(),
    }
}

/// What an inbox shows beside the subject.
pub(super) fn beside(issue: &Issue, brand: &Brand, language: Language) -> String {
    let look = Look::new(brand, language);
    preheader(issue, &look, &head(issue, &look))
}

fn head<'a>(issue: &'a Issue, look: &Look<'_>) -> Head<'a> {
    Head {
        publication: &issue.publication,
        number: issue.number.map(|number| format!("{} {number}", look.words.issue)),
        day: Some(date::day(issue.date, look.language)),
    }
}

fn foot<'a>(issue: &'a Issue, look: &Look<'_>, slots: &Slots, whole: &str) -> Foot<'a> {
    let words = look.words;
    let link = |text: &str, url: String| Link { text: text.to_owned(), url };
    let reason = issue.reason.clone().unwrap_or_else(|| {
        let (open, close) = words.quotes;
        let name = &issue.publication.name;
        let reason = format!("{} {open}{name}{close} {}", words.reason_before, words.reason_after);
        let reason = reason.trim_end();
        let stop = if reason.ends_with('.') { "" } else { "." };
        format!("{reason}{stop}")
    });
    Foot {
        publication: &issue.publication,
        reason,
        links: vec![
            link(words.unsubscribe, slots.mark(Slot::Unsubscribe)),
            link(words.preferences, slots.mark(Slot::Preferences)),
            link(words.web_version, whole.to_owned()),
        ],
    }
}

fn preheader(issue: &Issue, look: &Look<'_>, head: &Head<'_>) -> String {
    let titles = issue.sections.iter().flat_map(|section| &section.blocks);
    let titles = titles.filter_map(|block| match block {
        Block::Article(article) => Some(article.title.as_str()),
        Block::Event(event) => Some(event.title.as_str()),
        Block::Quote(_) | Block::Button(_) | Block::Text(_) | Block::Divider => None,
    });
    let dateline = head.dateline().unwrap_or_default();
    let published = format!(
        "{} {}, {}",
        look.words.published_by, issue.publication.imprint.name, issue.publication.imprint.place
    );
    let last = [issue.publication.name.as_str(), dateline.as_str(), published.as_str()];
    let said = titles.filter(|title| *title != issue.subject);
    preheader::filled(&issue.preheader, said.chain(last))
}

fn note(look: &Look<'_>, whole: &str) -> Vec<Paragraph> {
    vec![Paragraph(vec![
        Span::Text(format!("{} ", look.words.shortened)),
        Span::Link(Link { text: look.words.whole_issue.to_owned(), url: whole.to_owned() }),
    ])]
}

fn sections_html(issue: &Issue, look: &Look<'_>) -> Markup {
    let mut rows: Vec<Markup> = Vec::new();
    let mut articles = 0;
    for (index, section) in issue.sections.iter().enumerate() {
        if let Some(title) = &section.title {
            rows.push(heading::html(title, look));
        }
        let opens = index == 0 && section.title.is_none();
        let mut above = None;
        for block in &section.blocks {
            if parted(above, block, opens, look) {
                rows.push(block::line(look));
            }
            let anchor = issue::article_anchor(articles);
            rows.push(block_html(block, &anchor, level(section), look));
            articles += usize::from(matches!(block, Block::Article(_)));
            above = Some(block);
        }
    }
    html! { @for row in &rows { (row) } }
}

fn block_html(block: &Block, anchor: &str, level: Level, look: &Look<'_>) -> Markup {
    match block {
        Block::Article(it) => article::html(it, &article::Place { anchor, level }, look),
        Block::Event(it) => event::html(it, level, look),
        Block::Quote(it) => quote::html(it, look),
        Block::Button(it) => {
            block::row(look, "28px 24px 0 24px", &button::html(&it.text, &it.url, look))
        }
        Block::Text(it) => block::row(look, "24px 24px 0 24px", &words::html(it, look)),
        Block::Divider => block::line(look),
    }
}

/// Whether a line parts a block from the one above it.
fn parted(above: Option<&Block>, block: &Block, opens: bool, look: &Look<'_>) -> bool {
    let article = |block: &Block| matches!(block, Block::Article(_));
    let airy = look.plan.headings == Headings::Centred;
    match above {
        Some(above) => article(above) && article(block) && !airy,
        None => opens && article(block) && !airy,
    }
}

fn level(section: &Section) -> Level {
    if section.title.is_some() { Level::Three } else { Level::Two }
}

fn text(
    fitted: &Fitted,
    look: &Look<'_>,
    slots: &Slots,
    head: &Head<'_>,
    whole: &str,
    flow: &mut Flow,
) {
    let issue = &fitted.issue;
    let mut lines = vec![issue.publication.name.clone()];
    lines.extend(issue.publication.claim.clone());
    lines.extend(head.dateline());
    flow.lines(lines.iter().map(String::as_str));
    editorial::text(issue, slots, flow);
    contents::text(issue, whole, look, flow);
    for section in &issue.sections {
        if let Some(title) = &section.title {
            flow.heading(Level::Two, title);
        }
        for block in &section.blocks {
            match block {
                Block::Article(it) => article::text(it, level(section), look, flow),
                Block::Event(it) => event::text(it, level(section), look, flow),
                Block::Quote(it) => quote::text(it, look, flow),
                Block::Button(it) => flow.link(&it.text, &it.url),
                Block::Text(it) => words::text(it, flow),
                Block::Divider => flow.mark(DIVIDER),
            }
        }
    }
}
