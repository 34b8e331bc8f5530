//! The document around the building blocks: head, preheader, column.

use maud::{DOCTYPE, Markup, html};

use crate::language::direction;
use crate::look::{COLUMN, Look, TABLE};
use crate::raw;

/// What a document consists of.
pub struct Sheet<'a> {
    /// Its title; the same as the subject.
    pub title: &'a str,
    /// What a screen reader calls the whole.
    pub label: &'a str,
    /// Hidden words that the inbox shows.
    pub preheader: &'a str,
    /// Rows on the sheet.
    pub rows: Markup,
    /// Rows below it, on the page.
    pub foot: Markup,
}

/// The whole document.
pub fn document(sheet: &Sheet<'_>, look: &Look<'_>) -> Markup {
    let tag = look.language.tag();
    let dir = direction(tag).name();
    let light = &look.plan.light;
    let page = light.page;
    let radius = look.plan.radius;
    html! {
        (DOCTYPE)
        html lang=(tag) dir=(dir) xmlns:o="urn:schemas-microsoft-com:office:office" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="x-apple-disable-message-reformatting" content="";
                meta name="format-detection" content="telephone=no, date=no, address=no, email=no, url=no";
                meta name="color-scheme" content="light dark";
                meta name="supported-color-schemes" content="light dark";
                title { (sheet.title) }
                (raw::word_settings())
                (raw::style(&look.plan.dark))
            }
            body class="p" lang=(tag) dir=(dir) xml:lang=(tag) bgcolor=(page)
                style={ "margin:0;padding:0;background-color:" (page) } {
                div lang=(tag) dir=(dir) style="display:none;max-height:0;overflow:hidden;mso-hide:all" { (sheet.preheader) }
                div class="p" role="article" aria-roledescription=(look.words.newsletter) aria-label=(sheet.label)
                    lang=(tag) dir=(dir)
                    style={ "background-color:" (page) ";overflow-wrap:break-word;word-break:break-word" } {
                    (raw::open_column())
                    div style={ "max-width:" (COLUMN) "px;margin:0 auto" @if radius > 0 { ";padding:16px 0 0 0" } } {
                        table class="s" role="presentation" border="0" cellpadding="0" cellspacing="0" width="100%"
                            bgcolor=(light.sheet) style={ (TABLE) ";background-color:" (light.sheet) (look.round()) } {
                            (sheet.rows)
                        }
                        table role="presentation" border="0" cellpadding="0" cellspacing="0" width="100%" style=(TABLE) {
                            (sheet.foot)
                        }
                    }
                    (raw::close_column())
                }
            }
        }
    }
}
