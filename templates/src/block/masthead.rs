//! The head of a mail: who writes, which issue, which day.

use maud::{Markup, html};

use crate::block;
use crate::brand::{Logo, Masthead};
use crate::look::{Look, TABLE};
use crate::publication::Publication;

/// What stands in the head.
pub struct Head<'a> {
    /// Whose mail it is.
    pub publication: &'a Publication,
    /// "Ausgabe 12", if it has a number.
    pub number: Option<String>,
    /// "23. November 2026", if it has a day.
    pub day: Option<String>,
}

impl Head<'_> {
    /// Number and day in one line.
    pub fn dateline(&self) -> Option<String> {
        match (&self.number, &self.day) {
            (Some(number), Some(day)) => Some(format!("{number} · {day}")),
            (one, other) => one.clone().or_else(|| other.clone()),
        }
    }
}

/// Rows of the head in the form of the brand.
pub fn html(head: &Head<'_>, look: &Look<'_>) -> Markup {
    match look.plan.masthead {
        Masthead::Letterhead => letterhead(head, look),
        Masthead::Band => html! { (above(look)) (band(head, look)) },
        Masthead::Centred => html! { (above(look)) (centred(head, look)) },
        Masthead::Title => title(head, look),
    }
}

/// Lets a sheet with round corners lie on the page.
fn above(look: &Look<'_>) -> Markup {
    let page = look.plan.light.page;
    html! {
        tr {
            td class="p" bgcolor=(page) height="16"
                style={ "background-color:" (page) ";height:16px;font-size:1px;line-height:1px" } {}
        }
    }
}

fn letterhead(head: &Head<'_>, look: &Look<'_>) -> Markup {
    let light = &look.plan.light;
    html! {
        tr {
            td class="u" bgcolor=(light.button) height="6"
                style={ "background-color:" (light.button) ";height:6px;font-size:1px;line-height:1px" } {}
        }
        tr {
            td class="b" bgcolor=(light.band) style={ "background-color:" (light.band) ";padding:26px 24px 22px 24px" } {
                @if let Some(logo) = &look.plan.logo {
                    (self::logo(logo, head.publication.home_url.as_deref(), look, false))
                }
                table role="presentation" border="0" cellpadding="0" cellspacing="0" width="100%" style=(TABLE) {
                    tr {
                        td class="q" style={ "border-left:5px solid " (light.link) ";padding:2px 0 2px 14px" } {
                            p class="i" style=(line(look, &look.plan.fonts.heading, 26, look.plan.fonts.weight, "0")) { (head.publication.name) }
                            @if let Some(claim) = &head.publication.claim {
                                p class="m" style=(muted(look, 16, "3px 0 0 0")) { (claim) }
                            }
                        }
                    }
                }
            }
        }
        @if let Some(dateline) = head.dateline() {
            tr {
                td class="n r" bgcolor=(light.tint)
                    style={ "background-color:" (light.tint) ";padding:9px 24px;border-top:1px solid " (light.line) ";border-bottom:1px solid " (light.line) } {
                    p class="m" style=(muted(look, 14, "0")) { (dateline) }
                }
            }
        }
    }
}

fn band(head: &Head<'_>, look: &Look<'_>) -> Markup {
    let light = &look.plan.light;
    let words = |size, weight, margin| line(look, &look.plan.fonts.heading, size, weight, margin);
    let radius = look.plan.radius;
    html! {
        tr {
            td class="b" bgcolor=(light.band)
                style={ "background-color:" (light.band) ";padding:34px 24px 30px 24px;border-radius:" (radius) "px " (radius) "px 0 0" } {
                @if let Some(logo) = &look.plan.logo {
                    (self::logo(logo, head.publication.home_url.as_deref(), look, false))
                }
                @if let Some(dateline) = head.dateline() {
                    p class="i" style=(words(15, 400, "0 0 6px 0")) { (dateline) }
                }
                p class="i big band" style=(words(34, 700, "0")) { (head.publication.name) }
                @if let Some(claim) = &head.publication.claim {
                    p class="i" style=(words(17, 400, "6px 0 0 0")) { (claim) }
                }
            }
        }
    }
}

fn centred(head: &Head<'_>, look: &Look<'_>) -> Markup {
    let light = &look.plan.light;
    let radius = look.plan.radius;
    html! {
        tr {
            td class="b" align="center" bgcolor=(light.band)
                style={ "background-color:" (light.band) ";padding:40px 24px 0 24px;text-align:center;border-radius:" (radius) "px " (radius) "px 0 0" } {
                @if let Some(logo) = &look.plan.logo {
                    (self::logo(logo, head.publication.home_url.as_deref(), look, true))
                }
                p class="i big" style=(line(look, &look.plan.fonts.heading, 38, 400, "0")) { (head.publication.name) }
                @if let Some(claim) = &head.publication.claim {
                    p class="m" style={ (muted(look, 18, "6px 0 0 0")) ";font-style:italic" } { (claim) }
                }
                @if let Some(dateline) = head.dateline() {
                    p class="m" style=(muted(look, 14, "14px 0 0 0")) { (dateline) }
                }
            }
        }
        (block::line(look))
    }
}

fn title(head: &Head<'_>, look: &Look<'_>) -> Markup {
    let light = &look.plan.light;
    let colour = light.line;
    let small = muted(look, 15, "0");
    html! {
        tr {
            td class="b" bgcolor=(light.band) style={ "background-color:" (light.band) ";padding:28px 24px 0 24px" } {
                @if let Some(logo) = &look.plan.logo {
                    (self::logo(logo, head.publication.home_url.as_deref(), look, false))
                }
                table role="presentation" border="0" cellpadding="0" cellspacing="0" width="100%" style=(TABLE) {
                    tr {
                        td class="r" style={ "border-top:6px solid " (colour) ";padding:14px 0 14px 0" } {
                            p class="i big" style={ (line(look, &look.plan.fonts.heading, 46, 700, "0")) ";letter-spacing:-1px" } { (head.publication.name) }
                            @if let Some(claim) = &head.publication.claim {
                                p class="m" style={ (muted(look, 18, "4px 0 0 0")) ";font-style:italic" } { (claim) }
                            }
                        }
                    }
                    @if let Some(dateline) = head.dateline() {
                        tr {
                            td class="r" style={ "border-top:1px solid " (colour) ";border-bottom:1px solid " (colour) ";padding:8px 0" } {
                                p class="m" style=(small) { (dateline) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn line(look: &Look<'_>, font: &str, size: u8, weight: u16, margin: &str) -> String {
    format!(
        "margin:{margin};font-family:{font};font-size:{size}px;line-height:1.2;font-weight:{weight};color:{}",
        look.plan.light.band_text
    )
}

fn muted(look: &Look<'_>, size: u8, margin: &str) -> String {
    format!(
        "margin:{margin};font-family:{};font-size:{size}px;line-height:1.4;color:{}",
        look.plan.fonts.body, look.plan.light.muted
    )
}

fn logo(logo: &Logo, home: Option<&str>, look: &Look<'_>, centred: bool) -> Markup {
    let margin = if centred { "0 auto" } else { "0" };
    let (width, height) = (logo.width, logo.height);
    let style = format!(
        "display:block;border:0;margin:{margin};width:{width}px;height:auto;font-family:{};font-size:18px;color:{}",
        look.plan.fonts.heading, look.plan.light.band_text
    );
    let picture = |class: &str, url: &str, alt: &str| {
        html! { img class=(class) src=(url) alt=(alt) width=(width) height=(height) style=(style); }
    };
    let align = if centred { "center" } else { "left" };
    html! {
        table role="presentation" align=(align) border="0" cellpadding="0" cellspacing="0" width="100%" style=(TABLE) {
            tr {
                td align=(align) style="padding:0 0 18px 0" {
                    @match (&logo.dark_url, home) {
                        (Some(dark), _) => {
                            (picture("i lt", &logo.url, &logo.alt))
                            div class="dk" style="display:none;mso-hide:all" { (picture("i", dark, "")) }
                        },
                        (None, Some(home)) => a href=(home) { (picture("i", &logo.url, &logo.alt)) },
                        (None, None) => (picture("i", &logo.url, &logo.alt)),
                    }
                }
            }
        }
    }
}
