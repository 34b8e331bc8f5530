//! `rundbrief issue place`: a quote, a button, a divider or a heading between the articles
//! of a draft. `issue show` numbers the places, `issue edit --remove` takes out again.

use rundbrief_subscribers::address::EmailAddress;
use rundbrief_subscribers::person::Language;

use super::exit::{Code, Fault};
use super::issue::issue_named;
use super::issue_edit::{one_line, save};
use super::{Context, Open, issue_show};
use crate::article::WebAddress;
use crate::issue::compose::Draft;
use crate::issue::content::{Block, Button, Line, Quote};

/// Characters of a quote: beyond, it is an article.
const QUOTE_MAX: usize = 600;
/// Characters of a name.
const NAME_MAX: usize = 120;
/// Characters of a heading.
const HEADING_MAX: usize = 120;
/// Characters of a button: two lines on a phone.
const BUTTON_MAX: usize = 60;

/// Quotation marks that stand around a quote.
const MARKS: [(char, char); 9] = [
    ('„', '“'),
    ('„', '”'),
    ('“', '”'),
    ('"', '"'),
    ('»', '«'),
    ('«', '»'),
    ('‚', '‘'),
    ('‘', '’'),
    ('›', '‹'),
];

/// What to put, and where.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Its number, or newsletter/number
    issue: String,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// A sentence somebody said
    Quote {
        /// The words, without quotation marks
        text: String,
        /// Who said them
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
        /// Their language, where it is not the newsletter's: en, ar
        #[arg(long, value_name = "TAG")]
        language: Option<String>,
        #[command(flatten)]
        place: Place,
    },
    /// A link that asks to be pressed
    Button {
        /// The words; they name the target
        text: String,
        /// Where it leads: https://…, mailto:… or tel:…
        url: String,
        #[command(flatten)]
        place: Place,
    },
    /// A line between two thoughts
    Divider {
        #[command(flatten)]
        place: Place,
    },
    /// The heading of what stands below it, up to the next one
    Heading {
        /// The words
        text: String,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, clap::Args)]
struct Place {
    /// Behind this place, as `issue show` numbers them; 0 is before everything
    #[arg(long, value_name = "PLACE")]
    after: usize,
}

/// Runs the command.
///
/// # Errors
/// Each says what was wrong, where, and what to do next.
pub async fn run(context: &Context, open: &Open, arguments: Arguments) -> anyhow::Result<()> {
    let (after, line) = line(arguments.what)?;
    let old = issue_named(&open.store, &arguments.issue).await?;
    let mut content = old.content.0.clone();
    content
        .put(after, line)
        .map_err(|refused| Fault::new(Code::Data, format!("issue {}: {refused}", old.id)))?;
    let (subject, preheader) = (old.subject.clone(), old.preheader.clone());
    let changed = save(open, &old, &Draft { subject, preheader, content }).await?;
    issue_show::run(context, open, &changed).await
}

/// What was asked for, checked.
fn line(what: What) -> anyhow::Result<(usize, Line)> {
    Ok(match what {
        What::Quote { text, by, language, place } => {
            let quote = Quote {
                text: words(unquoted(&text), "the quote", QUOTE_MAX)?,
                by: by.map(|by| words(undashed(&by), "--by", NAME_MAX)).transpose()?,
                language: language.map(|tag| spoken(&tag)).transpose()?,
            };
            (place.after, Line::Block(Block::Quote(quote)))
        }
        What::Button { text, url, place } => {
            let url = target(&url)?;
            let text = words(&text, "the button", BUTTON_MAX)?;
            (place.after, Line::Block(Block::Button(Button { text, url })))
        }
        What::Divider { place } => (place.after, Line::Block(Block::Divider)),
        What::Heading { text, place } => {
            (place.after, Line::Heading(words(&text, "the heading", HEADING_MAX)?))
        }
    })
}

/// Where a button leads: not in the open.
fn target(url: &str) -> anyhow::Result<WebAddress> {
    let url = WebAddress::parse(url)
        .map_err(|error| Fault::new(Code::Usage, format!("the button: {error}")))?;
    if url.as_str().starts_with("http:") {
        let message = format!("the button leads to {url}; https:// is allowed, http:// is not");
        return Err(Fault::new(Code::Usage, message).into());
    }
    if let Some(rest) = url.as_str().strip_prefix("mailto:") {
        let whom = rest.split('?').next().unwrap_or_default();
        if let Some(error) = whom.split(',').find_map(|one| EmailAddress::parse(one).err()) {
            let message = format!("the button leads to {url}; {whom:?} {error}");
            return Err(Fault::new(Code::Usage, message).into());
        }
    }
    Ok(url)
}

/// Without the quotation marks around it, which the layout sets itself.
fn unquoted(text: &str) -> &str {
    let text = text.trim();
    let inside = |(open, close): &(char, char)| {
        let inside = text.strip_prefix(*open)?.strip_suffix(*close)?;
        // Two quotations with words between them are not one.
        (!inside.contains([*open, *close])).then_some(inside)
    };
    MARKS.iter().find_map(inside).unwrap_or(text)
}

/// Without the dash that stands before a name, which the layout sets itself.
fn undashed(name: &str) -> &str {
    name.trim_start_matches(|c: char| c.is_whitespace() || "–—―-".contains(c))
}

/// One line that says something.
fn words(text: &str, name: &str, most: usize) -> anyhow::Result<String> {
    let text = one_line(text, name)?;
    let length = text.chars().count();
    let message = match length {
        0 => format!("{name} is empty; say what it says"),
        length if length > most => {
            format!("{name} has {length} characters; at most {most} are allowed")
        }
        _ => return Ok(text),
    };
    Err(Fault::new(Code::Usage, message).into())
}

fn spoken(tag: &str) -> anyhow::Result<String> {
    let known = Language::recognise(tag);
    let known = known.map_err(|_| {
        let message = format!("--language {tag:?} is no language; write its tag, as in en or ar");
        Fault::new(Code::Usage, message)
    })?;
    Ok(known.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_sets_marks_and_dash() {
        for quoted in ["„Ja, gern.“", " \"Ja, gern.\" ", "»Ja, gern.«", "“Ja, gern.”", "Ja, gern."]
        {
            assert_eq!(unquoted(quoted), "Ja, gern.");
        }
        for kept in ["„Ja“ und „Nein“", "\"Ja\" und \"Nein\"", "Er sagte „Ja“", "\""] {
            assert_eq!(unquoted(kept), kept);
        }
        assert_eq!(unquoted("„Er sagte ‚Ja‘.“"), "Er sagte ‚Ja‘.");
        assert_eq!(undashed("– Jana Muster-Hafen"), "Jana Muster-Hafen");
    }

    #[test]
    fn a_button_leads_to_somebody() {
        let leads = |url: &str| target(url).map(String::from).map_err(|error| error.to_string());
        assert_eq!(leads("tel:+49 30 123").as_deref(), Ok("tel:+4930123"));
        let mail = "mailto:rathaus@example.org?subject=Hafen";
        assert_eq!(leads(mail).as_deref(), Ok(mail));
        assert!(leads("mailto:").unwrap_err().contains("is no web address"));
        assert!(leads("tel:").unwrap_err().contains("is no web address"));
        let said = leads("mailto:rathaus").unwrap_err();
        assert!(said.ends_with("\"rathaus\" has no @"), "{said}");
    }
}
