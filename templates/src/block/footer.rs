//! The foot of a mail: why it came, how to leave, who answers for it.

use maud::{Markup, html};

use crate::flow::{Flow, Level};
use crate::issue::Link;
use crate::look::{self, Look};
use crate::publication::{Imprint, Publication, dialled};

/// What the foot says.
pub struct Foot<'a> {
    /// Who answers for it.
    pub publication: &'a Publication,
    /// Why the reader gets this.
    pub reason: String,
    /// Links of this mail, before those of the publication.
    pub links: Vec<Link>,
}

impl Foot<'_> {
    fn links(&self, look: &Look<'_>) -> Vec<Link> {
        let mut links = self.links.clone();
        let mut add = |text: &str, url: &str| {
            if !url.is_empty() {
                links.push(Link { text: text.to_owned(), url: url.to_owned() });
            }
        };
        add(look.words.privacy, &self.publication.privacy_url);
        let accessibility = self.publication.accessibility_url.as_deref();
        add(look.words.accessibility, accessibility.unwrap_or_default());
        if let Some(home) = &self.publication.home_url {
            add(host(home), home);
        }
        links
    }
}

/// The last row of the sheet.
pub fn end(look: &Look<'_>) -> Markup {
    let light = &look.plan.light;
    let radius = look.plan.radius;
    html! {
        tr {
            td class="s" bgcolor=(light.sheet) height="36"
                style={ "background-color:" (light.sheet) ";height:36px;font-size:1px;line-height:1px;border-radius:0 0 " (radius) "px " (radius) "px" } {}
        }
    }
}

/// The row of the foot, below the sheet.
pub fn html(foot: &Foot<'_>, look: &Look<'_>) -> Markup {
    let light = &look.plan.light;
    let imprint = &foot.publication.imprint;
    html! {
        tr {
            td class="p" bgcolor=(light.page) style={ "background-color:" (light.page) ";padding:28px 24px 40px 24px" } {
                p class="t" style=(look.foot) { (foot.reason) }
                @for link in foot.links(look) {
                    p class="t" style=(look.foot.replacen("margin:0 0 12px 0", "margin:0 0 8px 0", 1)) {
                        a class="l" href=(link.url) style=(look.link) { (link.text) }
                    }
                }
                h2 class="h" style=(look::lowered(&look.h3.replacen("font-size:19px", "font-size:17px", 1), 22)) { (look.words.imprint) }
                p class="m" style=(look.imprint) {
                    @for (index, line) in address(imprint).iter().enumerate() {
                        @if index > 0 { br; }
                        (line)
                    }
                }
                p class="m" style=(look.imprint) {
                    (look.words.phone) ": " a class="l" href={ "tel:" (dialled(&imprint.phone)) } style=(look.link) { (imprint.phone) }
                    br;
                    (look.words.email) ": " a class="l" href={ "mailto:" (imprint.email) } style=(look.link) { (imprint.email) }
                }
                @let persons = persons(imprint, look);
                @if !persons.is_empty() {
                    p class="m" style=(look.imprint) {
                        @for (index, line) in persons.iter().enumerate() {
                            @if index > 0 { br; }
                            (line)
                        }
                    }
                }
                @for line in &look.plan.footer {
                    p class="m" style=(look.imprint) { (line) }
                }
            }
        }
    }
}

/// The same as text. A link that is a slot stands on a line of its own too.
pub fn text(foot: &Foot<'_>, look: &Look<'_>, flow: &mut Flow) {
    let imprint = &foot.publication.imprint;
    flow.paragraph(&foot.reason);
    for link in foot.links(look) {
        flow.link(&link.text, &link.url);
    }
    flow.heading(Level::Two, look.words.imprint);
    flow.lines(address(imprint));
    let phone = format!("{}: {}", look.words.phone, imprint.phone);
    let email = format!("{}: {}", look.words.email, imprint.email);
    flow.lines([phone.as_str(), email.as_str()]);
    let persons = persons(imprint, look);
    if !persons.is_empty() {
        flow.lines(persons.iter().map(String::as_str));
    }
    for line in &look.plan.footer {
        flow.paragraph(line);
    }
}

fn address(imprint: &Imprint) -> Vec<&str> {
    let lines = [
        imprint.name.as_str(),
        &imprint.street,
        &imprint.place,
        imprint.country.as_deref().unwrap_or_default(),
    ];
    lines.into_iter().filter(|line| !line.is_empty()).collect()
}

fn persons(imprint: &Imprint, look: &Look<'_>) -> Vec<String> {
    let words = look.words;
    let lines = [
        (words.represented_by, Some(&imprint.representative)),
        (words.responsible, imprint.responsible.as_ref()),
        (words.authority, imprint.authority.as_ref()),
        (words.register, imprint.register.as_ref()),
        (words.vat_id, imprint.vat_id.as_ref()),
    ];
    let filled = lines.into_iter().filter_map(|(before, value)| {
        let value = value.filter(|value| !value.is_empty())?;
        Some(format!("{before}: {value}"))
    });
    filled.collect()
}

/// The host of an address, as its words.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or(rest)
}
