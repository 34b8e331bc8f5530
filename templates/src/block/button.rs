//! A link that asks to be pressed: a padded link in a coloured cell, so that it
//! has its face in Word too.

use maud::{Markup, html};

use crate::look::Look;

/// The button alone, without a row around it.
pub fn html(text: &str, url: &str, look: &Look<'_>) -> Markup {
    let light = &look.plan.light;
    let (ground, words) = (light.button, light.button_text);
    let font = &look.plan.fonts.body;
    html! {
        table role="presentation" border="0" cellpadding="0" cellspacing="0" style="margin:0" {
            tr {
                td class="u" bgcolor=(ground)
                    style={ "background-color:" (ground) ";mso-padding-alt:12px 22px" (look.round()) } {
                    a class="u v" href=(url)
                        style={ "display:inline-block;padding:12px 22px;background-color:" (ground) ";font-family:" (font)
                            ";font-size:16px;font-weight:700;line-height:1.4;color:" (words) ";text-decoration:none" (look.round()) } {
                        (text)
                    }
                }
            }
        }
    }
}
