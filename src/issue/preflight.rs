//! What stands in the way of an issue, and what an editor should look at.
//!
//! Pure: whether a link on the web is alive is asked by [`super::link`], and its
//! findings are added by the caller.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use rundbrief_templates::mail::Mail;
use rundbrief_templates::slot::{Slot, Slots};
use rundbrief_templates::words as standing_words;
use url::Url;

use super::freeze::{Material, PICTURES_MAX};
use super::inspect;
use super::wording::{left_behind, loud, words_of};
use crate::letter::address::Office;
use crate::letter::enclosure;
use crate::source::reach;
use crate::words;

/// Bytes of HTML beyond which Gmail clips a mail (it cuts near 102 kB).
const HTML_MAX: usize = 100_000;
/// Characters of a subject that a phone shows.
const SUBJECT_SEEN: usize = 60;
/// Characters of a preheader that fill the inbox line and are not cut.
const PREHEADER: std::ops::RangeInclusive<usize> = 90..=130;
/// Bytes of pictures in each mail from which on a reader waits for it.
const PICTURES_HEAVY: usize = 300_000;

words! {
    /// How much a finding matters.
    Severity {
        /// The issue does not go out with it.
        Blocks = "blocks",
        /// An editor should look at it.
        Look = "look",
    }
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// Where it is.
    pub place: String,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl Finding {
    /// Something that the issue does not go out with.
    pub fn blocks(place: impl Into<String>, what: impl Into<String>, remedy: &str) -> Self {
        let (place, what) = (place.into(), what.into());
        Self { severity: Severity::Blocks, place, what, remedy: remedy.to_owned() }
    }

    /// Something to look at.
    pub fn look(place: impl Into<String>, what: impl Into<String>, remedy: &str) -> Self {
        Self { severity: Severity::Look, ..Self::blocks(place, what, remedy) }
    }
}

/// Whether any of them blocks.
pub fn blocked(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.severity == Severity::Blocks)
}

/// Everything that can be said without asking the network; what blocks comes first.
/// `shown_before` are the titles of articles that earlier issues showed, `titles` those
/// of pages that links lead to.
pub fn check(
    material: &Material<'_>,
    shown_before: &[String],
    titles: &BTreeMap<String, String>,
    now: Timestamp,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let zone = material.definition.time_zone.zone();
    let today = zone.to_datetime(now).date();
    own_address(material.office, &mut findings);
    imprint(material, &mut findings);
    standing(material, today, &mut findings);
    envelope(material, today, &mut findings);
    inspect::articles(material, titles, now, today, &mut findings);
    inspect::between(material, titles, today, &mut findings);
    for title in shown_before {
        let remedy = "leave it out unless it is meant to come again";
        findings.push(Finding::look(title, "an earlier issue showed it", remedy));
    }
    let slots = Slots::new(0);
    match material.render(today, &slots) {
        Ok(mail) => {
            rendered(&mail, &slots, &mut findings);
            if mail.html.contains(standing_words::of(material.definition.language).shortened) {
                let remedy = "show fewer articles, or shorter teasers; the web version has all";
                let what = "is too long for one mail: its last articles are shortened or left out";
                findings.push(Finding::look("issue", what, remedy));
            }
            weight(material.picture_bytes(&mail), &mut findings);
        }
        Err(error) => findings.push(Finding::blocks(
            "brand",
            error.to_string(),
            "change the colours in the newsletter's file and apply it again",
        )),
    }
    findings.sort_by_key(|finding| finding.severity);
    findings
}

fn imprint(material: &Material<'_>, findings: &mut Vec<Finding>) {
    for field in material.definition.imprint.missing() {
        findings.push(Finding::blocks(
            format!("imprint.{field}"),
            "is empty; the law asks for it (§ 5 DDG)",
            "fill it in the newsletter's file and apply it again",
        ));
    }
}

/// What stands in every issue: title, claim, logo, imprint, signature, foot.
fn standing(material: &Material<'_>, today: Date, findings: &mut Vec<Finding>) {
    let definition = material.definition;
    for (table, field, what) in definition.faults() {
        let remedy = "correct it in the newsletter's file and apply it again";
        findings.push(Finding::blocks(format!("{table}.{field}"), what, remedy));
    }
    words_of("title", definition.title.as_str(), today, findings);
    if let Some(claim) = &definition.claim {
        words_of("claim", claim.as_str(), today, findings);
    }
    if let Some(logo) = &definition.brand.logo {
        words_of("brand.logo.alt", &logo.alt, today, findings);
    }
    for url in enclosure::left(definition, material.pictures) {
        let what = format!("{url} could not be had and stays a link, unlike other pictures");
        let remedy = "apply the newsletter's file again when its address answers";
        findings.push(Finding::look("brand.logo", what, remedy));
    }
    for line in definition.brand.footer.iter().flatten() {
        words_of("brand.footer", line, today, findings);
    }
    for line in &material.issue.content.0.signature {
        words_of("signature", line, today, findings);
    }
    let imprint = &definition.imprint;
    let must = [&imprint.name, &imprint.representative, &imprint.street, &imprint.place];
    let may = [&imprint.country, &imprint.responsible, &imprint.authority, &imprint.register];
    for text in must.into_iter().chain(may.into_iter().flatten()) {
        left_behind("imprint", text, findings);
    }
}

/// Subject, preheader, editorial, headings of sections.
fn envelope(material: &Material<'_>, today: Date, findings: &mut Vec<Finding>) {
    let issue = material.issue;
    let subject = issue.subject.trim();
    let length = subject.chars().count();
    if subject.is_empty() {
        findings.push(Finding::blocks("subject", "is empty", "write one: issue edit --subject"));
    } else if length > SUBJECT_SEEN {
        let what = format!("has {length} characters; phones show {SUBJECT_SEEN}");
        findings.push(Finding::look("subject", what, "put what matters first, or shorten it"));
    }
    let length = issue.preheader.chars().count();
    if !PREHEADER.contains(&length) {
        let what = format!(
            "has {length} characters; {} to {} fill the inbox line",
            PREHEADER.start(),
            PREHEADER.end()
        );
        findings.push(Finding::look("preheader", what, "issue edit --preheader"));
    }
    let editorial = issue.content.0.editorial.as_deref().unwrap_or_default();
    for (place, text) in
        [("subject", subject), ("preheader", &*issue.preheader), ("editorial", editorial)]
    {
        words_of(place, text, today, findings);
        loud(place, text, findings);
    }
    for section in &material.issue.content.0.sections {
        if let Some(title) = &section.title {
            let place = format!("section {title:?}");
            words_of(&place, title, today, findings);
            loud(&place, title, findings);
        }
    }
}

/// Whether readers reach the links of our own: web version, preferences, unsubscribing.
/// Where all mail is handed over on this machine, it may be a trial.
fn own_address(office: &Office, findings: &mut Vec<Finding>) {
    let url = Url::parse(&office.base);
    let Some(why) = url.ok().as_ref().and_then(reach::hidden) else { return };
    let what =
        format!("the links to unsubscribe and to the web version lead to {}, {why}", office.base);
    let place = "web.address";
    let remedy =
        "set the address that readers reach in rundbrief.toml before anybody else gets a mail";
    findings.push(match office.at_home {
        true => Finding::look(place, what, remedy),
        false => Finding::blocks(place, what, remedy),
    });
}

/// The mail as rendered.
fn rendered(mail: &Mail, slots: &Slots, findings: &mut Vec<Finding>) {
    if mail.html.len() > HTML_MAX {
        let what = format!("has {} bytes of HTML; Gmail clips beyond {HTML_MAX}", mail.html.len());
        findings.push(Finding::blocks("issue", what, "show fewer articles, or shorter teasers"));
    }
    let unsubscribe = slots.mark(Slot::Unsubscribe);
    if !mail.html.contains(&unsubscribe) || !mail.text.contains(&unsubscribe) {
        let remedy = "the template must show it in both parts";
        findings.push(Finding::blocks("issue", "has no link to unsubscribe", remedy));
    }
    if let Some(what) = headings(&mail.html) {
        findings.push(Finding::blocks("issue", what, "keep headings in their order"));
    }
}

/// Pictures that go along with each mail.
fn weight(bytes: usize, findings: &mut Vec<Finding>) {
    let what = |most: usize| {
        format!("{} kB of pictures go along with each mail; {} kB are", bytes / 1_000, most / 1_000)
    };
    if bytes > PICTURES_MAX {
        let what = format!("{} allowed", what(PICTURES_MAX));
        let remedy = "link them (pictures = \"linked\" in the newsletter's file), or show fewer";
        findings.push(Finding::blocks("issue", what, remedy));
    } else if bytes > PICTURES_HEAVY {
        let what = format!("{} a lot on a phone", what(PICTURES_HEAVY));
        let remedy = "show fewer pictures, or link them (pictures = \"linked\")";
        findings.push(Finding::look("issue", what, remedy));
    }
}

/// What is wrong with the order of headings: one `h1` first, no level left out.
fn headings(html: &str) -> Option<String> {
    let mut last = 0;
    for (at, _) in html.match_indices("<h") {
        let mut rest = html[at + 2..].chars();
        let level =
            rest.next().and_then(|c| c.to_digit(10)).filter(|level| (1..=6).contains(level));
        let Some(level) = level.filter(|_| matches!(rest.next(), Some(' ' | '>'))) else {
            continue;
        };
        if level > last + 1 {
            return Some(format!("has a heading of level {level} below one of level {last}"));
        }
        if level == 1 && last > 0 {
            return Some("has two headings of level 1".to_owned());
        }
        last = level;
    }
    (last == 0).then(|| "has no heading".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(html: &str, text: &str) -> Vec<String> {
        let slots = Slots::new(0);
        let mark = slots.mark(Slot::Unsubscribe);
        let fill = |part: &str| part.replace("LEAVE", &mark);
        let mail = Mail { subject: String::new(), text: fill(text), html: fill(html) };
        let mut findings = Vec::new();
        rendered(&mail, &slots, &mut findings);
        assert!(findings.iter().all(|one| one.severity == Severity::Blocks));
        findings.into_iter().map(|one| one.what).collect()
    }

    #[test]
    fn a_mail_that_nobody_can_leave_or_read_is_blocked() {
        assert_eq!(found("<h1>A</h1><hr><h2 id=x>B</h2>LEAVE", "LEAVE"), Vec::<String>::new());
        assert_eq!(found("<h1>A</h1>LEAVE", ""), ["has no link to unsubscribe"]);
        assert_eq!(
            found("<h1>A</h1><h3>B</h3>LEAVE", "LEAVE"),
            ["has a heading of level 3 below one of level 1"]
        );
        assert_eq!(found("<h1>A</h1><h1>B</h1>LEAVE", "LEAVE"), ["has two headings of level 1"]);
        assert_eq!(found("<p>A</p>LEAVE", "LEAVE"), ["has no heading"]);
        let long = format!("<h1>A</h1>{}LEAVE", "x".repeat(HTML_MAX));
        assert!(found(&long, "LEAVE")[0].ends_with("bytes of HTML; Gmail clips beyond 100000"));
    }
}
