//! The plain text of a web page: what somebody gets who marks an article in the browser and
//! copies it. Path, title, subtitle, paragraphs; picture descriptions, buttons, cookie
//! questions and the way back are left out and named as findings.

use url::Url;

use crate::article::{Record, WebAddress};
use crate::source::block::{self, Block};
use crate::source::finding::{Finding, Reading};
use crate::source::{credit, date, describe, kicker, phrases, prose};

/// Characters up to which a line without a full stop can be a title, subtitle or heading.
const HEADING: usize = 150;
/// Characters of a line that hard-wrapped text reaches and does not pass.
const WRAPPED: std::ops::RangeInclusive<usize> = 45..=100;
/// Lines before the first paragraph from which on a menu must be among them.
const MENU: usize = 5;

/// A line that says something, with its number and whether a blank line stands before it.
#[derive(Debug, Clone)]
struct Line {
    number: usize,
    text: String,
    opens: bool,
}

/// Reads the text of one article; `address` is where it came from, if that is known.
pub fn read(text: &str, address: Option<&Url>) -> Reading {
    let mut findings = Vec::new();
    let mut record = Record {
        url: address.and_then(|url| WebAddress::parse(url.as_str()).ok()),
        ..Record::default()
    };
    let lines = unwrap(lines(text));
    let lines = without_surroundings(lines, &mut record, &mut findings);
    let lines = head(lines, &mut record, &mut findings);
    let blocks = blocks(&lines, &mut findings);
    record.kicker = kicker::path(std::mem::take(&mut record.kicker), &record.title);
    record.body = block::body(&blocks);
    record.teaser = block::teaser(&blocks);
    record.links = block::links(&record.body);
    record.language = prose::language(text).map(str::to_owned);
    if record.title.is_empty() {
        findings.push(Finding::new("no title: the first line should be the title of the article"));
    }
    Reading { record, findings }
}

/// The lines with something in them.
fn lines(text: &str) -> Vec<Line> {
    let mut opens = true;
    let mut lines = Vec::new();
    for (at, raw) in text.lines().enumerate() {
        let text = prose::squeeze(raw);
        let rule =
            text.len() >= 3 && text.chars().all(|c| matches!(c, '=' | '-' | '_' | '*' | '—' | '–'));
        if text.is_empty() || rule {
            opens = true;
            continue;
        }
        lines.push(Line { number: at + 1, text, opens });
        opens = false;
    }
    lines
}

/// Joins the lines of hard-wrapped paragraphs.
fn unwrap(lines: Vec<Line>) -> Vec<Line> {
    let mut out: Vec<Line> = Vec::with_capacity(lines.len());
    for paragraph in lines.chunk_by(|_, next| !next.opens) {
        let (last, before) = match paragraph {
            [before @ .., last] if !before.is_empty() => (last, before),
            _ => {
                out.extend_from_slice(paragraph);
                continue;
            }
        };
        let width = |line: &Line| line.text.chars().count();
        let bulleted = paragraph.iter().any(|line| item(&line.text).is_some());
        let wrapped = before.iter().all(|line| WRAPPED.contains(&width(line)))
            && width(last) <= *WRAPPED.end();
        let runs_on = before.iter().filter(|line| prose::ends_sentence(&line.text)).count() * 3
            <= before.len();
        if wrapped && runs_on && !bulleted {
            let text = paragraph.iter().fold(String::new(), |text, line| joined(text, &line.text));
            out.push(Line { text, ..paragraph[0].clone() });
        } else {
            out.extend_from_slice(paragraph);
        }
    }
    out
}

/// A line joined to the one before: a compound broken at its hyphen is one word again.
fn joined(mut text: String, next: &str) -> String {
    const OPEN: &[&str] = &["und", "oder", "bzw.", "bis", "sowie", "and", "or"];
    let compound = text.ends_with('-') && !text.ends_with(" -");
    let first = next.split(' ').next().unwrap_or_default();
    if !text.is_empty() && (!compound || OPEN.contains(&first)) {
        text.push(' ');
    }
    text + next
}

/// Takes away what stands around an article: menus before the path, buttons, cookie
/// questions, what follows the way back. Reads the path and the address on the way.
fn without_surroundings(
    lines: Vec<Line>,
    record: &mut Record,
    findings: &mut Vec<Finding>,
) -> Vec<Line> {
    let first_prose = lines.iter().position(|line| is_prose(&line.text)).unwrap_or(0);
    let told = lines.iter().position(|line| phrases::you_are_here(&line.text).is_some());
    let path = told.or_else(|| {
        lines[..first_prose].iter().position(|line| kicker::of_line(&line.text).is_some())
    });
    let end = article_end(&lines);
    let mut kept = Vec::new();
    for (at, line) in lines.into_iter().enumerate() {
        if path.is_some_and(|path| at < path) || at >= end {
            continue;
        }
        if Some(at) == path {
            record.kicker = kicker::of_line(&line.text).unwrap_or_default();
        } else if phrases::asks_for_cookies(&line.text) {
            findings.push(Finding::at(line.number, "a question about cookies was left out"));
        } else if !phrases::is_standing(&line.text) && !phrases::is_way_back(&line.text) {
            kept.push(line);
        }
    }
    kept
}

/// Where the article ends: at the way back or at "Weitere Meldungen", if most text is before.
fn article_end(lines: &[Line]) -> usize {
    let weight = |lines: &[Line]| {
        lines
            .iter()
            .filter(|line| prose::ends_sentence(&line.text))
            .map(|line| line.text.len())
            .sum::<usize>()
    };
    let end = lines.iter().enumerate().find(|(at, line)| {
        let ends = phrases::is_way_back(&line.text) || phrases::ends_article(&line.text);
        ends && weight(&lines[..*at]) > weight(&lines[*at..])
    });
    end.map_or(lines.len(), |(at, _)| at)
}

/// Whether a line is running text and no heading.
fn is_prose(text: &str) -> bool {
    text.chars().count() > HEADING
        || (prose::ends_sentence(text)
            && text.chars().count() > 40
            && !text.ends_with(['!', '?', ':'])
            && !is_ordinal_end(text))
}

/// Ends like "am 4." and thus as no sentence.
fn is_ordinal_end(text: &str) -> bool {
    text.trim_end_matches('.')
        .rsplit(' ')
        .next()
        .is_some_and(|word| word.len() <= 2 && word.chars().all(|c| c.is_ascii_digit()))
}

/// Reads what stands before the first paragraph; gives the rest.
fn head(lines: Vec<Line>, record: &mut Record, findings: &mut Vec<Finding>) -> Vec<Line> {
    let first_prose = lines.iter().position(|line| is_prose(&line.text)).unwrap_or(lines.len());
    let mut rest = lines;
    let after = rest.split_off(first_prose);
    let mut head: Vec<Line> = Vec::new();
    let captions: Vec<bool> =
        (0..rest.len()).map(|at| is_caption(&rest[at], rest.get(at + 1))).collect();
    for (line, caption) in rest.into_iter().zip(captions) {
        let address = WebAddress::parse(&line.text)
            .ok()
            .filter(|address| address.is_web() && !line.text.contains(' '));
        if let Some(address) = address {
            record.url.get_or_insert(address);
        } else if date::is_dateline(&line.text) {
            record.published_at = record.published_at.or_else(|| date::instant(&line.text));
        } else if (caption || describe::is_description(&line.text)) && !head.is_empty()
            || credit::name(&line.text).is_some()
        {
            findings.push(description(&line));
        } else {
            head.push(line);
        }
    }
    if head.len() > MENU {
        let title = head
            .iter()
            .position(|line| line.text.chars().count() >= 30 || line.text.split(' ').count() >= 4);
        head.drain(..title.unwrap_or(0));
    }
    if head.len() >= 2 && phrases::is_kind_of_page(&head[0].text) {
        let kind = head.remove(0);
        if record.kicker.is_empty() {
            record.kicker.push(kind.text);
        }
    }
    let mut head = head.into_iter().peekable();
    record.title = match head.next() {
        Some(line) => line.text.trim_start_matches(['#', ' ']).to_owned(),
        None => String::new(),
    };
    let subtitle =
        head.next_if(|line| line.text.chars().count() <= HEADING && item(&line.text).is_none());
    record.subtitle = subtitle.map(|line| line.text.trim_start_matches(['#', ' ']).to_owned());
    // What stands short between subtitle and text are pictures' descriptions, unless it tells.
    let told = |line: &Line| {
        line.text.contains(':')
            || item(&line.text).is_some()
            || line.text.starts_with('#')
            || date::day(&line.text).is_some()
            || line.text.ends_with(['?', '!', '.'])
    };
    let (kept, described): (Vec<Line>, Vec<Line>) =
        head.partition(|line| after.is_empty() || told(line));
    findings.extend(described.iter().map(description));
    kept.into_iter().chain(after).collect()
}

/// A line right above a credit describes the picture.
fn is_caption(line: &Line, next: Option<&Line>) -> bool {
    let credited = next.is_some_and(|next| !next.opens && credit::name(&next.text).is_some());
    credited && line.text.chars().count() <= HEADING && line.opens
}

/// The remark about a picture description that was left out.
fn description(line: &Line) -> Finding {
    Finding::at(
        line.number,
        format!("left out as a picture's description or credit: {:?}", shortened(&line.text)),
    )
}

fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

/// The text of a list item, and whether the list is numbered.
fn item(line: &str) -> Option<(bool, &str)> {
    for bullet in ["- ", "* ", "• ", "– ", "· ", "▪ ", "‣ "] {
        if let Some(rest) = line.strip_prefix(bullet) {
            return Some((false, rest.trim()));
        }
    }
    let (number, rest) = line.split_once([')', '.'])?;
    let numbered =
        !number.is_empty() && number.len() <= 2 && number.chars().all(|c| c.is_ascii_digit());
    (numbered && rest.starts_with(' ')).then(|| (true, rest.trim()))
}

/// The body's blocks.
fn blocks(lines: &[Line], findings: &mut Vec<Finding>) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        at += 1;
        let run = list_run(&lines[at - 1..]);
        if run > 0 {
            blocks.push(list(&lines[at - 1..at - 1 + run]));
            at += run - 1;
        } else if credit::name(&line.text).is_some()
            || describe::is_description(&line.text)
            || is_caption(line, lines.get(at))
        {
            findings.push(description(line));
        } else if date::is_dateline(&line.text) && blocks.is_empty() {
            // A date line under the title; `head` has read it when it was there.
        } else if is_heading(line, lines.get(at)) {
            let marks = line.text.chars().take_while(|c| *c == '#').count();
            let level = u8::try_from(marks.clamp(2, 4)).unwrap_or(2);
            blocks.push(Block::Heading(
                level,
                prose::escape(line.text.trim_start_matches(['#', ' '])),
            ));
        } else {
            let (text, glued) = describe::unglue(&line.text);
            if let Some(glued) = glued {
                findings.push(Finding::at(
                    line.number,
                    format!("left out as a picture's description: {:?}", shortened(glued)),
                ));
            }
            let mut text = text.to_owned();
            // Short lines without a blank between them belong together: an address, a programme.
            while let Some(next) = lines
                .get(at)
                .filter(|next| !next.opens && is_short(&line.text) && is_short(&next.text))
            {
                text.push('\n');
                text.push_str(&next.text);
                at += 1;
            }
            blocks.push(Block::plain(&text));
        }
    }
    blocks
}

/// A line of an address or a programme.
fn is_short(text: &str) -> bool {
    text.chars().count() <= 60
        && !text.ends_with(['.', '!', '?'])
        && item(text).is_none()
        && credit::name(text).is_none()
        && !describe::is_description(text)
}

/// A short line without a full stop, followed by running text or a list.
fn is_heading(line: &Line, next: Option<&Line>) -> bool {
    if line.text.starts_with("# ") || line.text.starts_with("## ") || line.text.starts_with("### ")
    {
        return true;
    }
    let question = line.text.ends_with('?') && line.opens;
    let short = line.text.chars().count() <= HEADING - 50
        && (question || !prose::ends_sentence(&line.text) || is_ordinal_end(&line.text));
    short
        && line.opens
        && line.text.contains(char::is_alphabetic)
        && next
            .is_some_and(|next| is_prose(&next.text) || (next.opens && item(&next.text).is_some()))
}

/// How many lines from here on form one list; a lone "1." is none.
fn list_run(lines: &[Line]) -> usize {
    let Some((numbered, _)) = lines.first().and_then(|line| item(&line.text)) else {
        return 0;
    };
    let run = lines
        .iter()
        .take_while(|line| item(&line.text).is_some_and(|(n, _)| n == numbered))
        .count();
    if numbered && run < 2 { 0 } else { run }
}

fn list(lines: &[Line]) -> Block {
    let numbered =
        lines.first().and_then(|line| item(&line.text)).is_some_and(|(numbered, _)| numbered);
    let tag = if numbered { "ol" } else { "ul" };
    let items: String = lines
        .iter()
        .filter_map(|line| item(&line.text))
        .map(|(_, text)| match Block::plain(text) {
            Block::Paragraph(inner) | Block::Whole(inner) | Block::Heading(_, inner) => {
                format!("<li>{inner}</li>")
            }
        })
        .collect();
    Block::Whole(format!("<{tag}>{items}</{tag}>"))
}
