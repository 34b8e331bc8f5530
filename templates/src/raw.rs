//! The one place that writes HTML unescaped: what maud cannot say, namely the
//! conditional comments for Word and the style element. Only constants, numbers
//! and checked colours go in.

use maud::{Markup, PreEscaped};

use crate::brand::Palette;
use crate::brand::colour::Colour;
use crate::look::COLUMN;

/// Has Word measure in pixels. `noscript` keeps T-Online from printing the 96.
pub fn word_settings() -> Markup {
    PreEscaped(
        "<!--[if mso]><noscript><xml><o:OfficeDocumentSettings><o:AllowPNG/>\
         <o:PixelsPerInch>96</o:PixelsPerInch></o:OfficeDocumentSettings></xml></noscript><![endif]-->"
            .to_owned(),
    )
}

/// Opens the column for Word, which knows no `max-width`.
pub fn open_column() -> Markup {
    PreEscaped(format!(
        "<!--[if mso]><table role=\"presentation\" align=\"center\" border=\"0\" cellpadding=\"0\" \
         cellspacing=\"0\" width=\"{COLUMN}\"><tr><td><![endif]-->"
    ))
}

/// Closes it.
pub fn close_column() -> Markup {
    PreEscaped("<!--[if mso]></td></tr></table><![endif]-->".to_owned())
}

/// Opens two columns for Word and its first one.
pub fn open_columns(whole: u32, first: u32) -> Markup {
    PreEscaped(format!(
        "<!--[if mso]><table role=\"presentation\" border=\"0\" cellpadding=\"0\" cellspacing=\"0\" \
         width=\"{whole}\"><tr><td width=\"{first}\" valign=\"top\"><![endif]-->"
    ))
}

/// Goes on to the second.
pub fn next_column(width: u32) -> Markup {
    PreEscaped(format!("<!--[if mso]></td><td width=\"{width}\" valign=\"top\"><![endif]-->"))
}

/// The style element: what only helps. Every visible style is inline as well.
///
/// Some clients apply the dark block whatever the reader chose, so it is
/// complete: every ground and every kind of words has a class.
pub fn style(dark: &Palette) -> Markup {
    let words = [
        ("t", dark.text),
        ("m", dark.muted),
        ("h", dark.heading),
        ("l", dark.link),
        ("i", dark.band_text),
        ("v", dark.button_text),
    ];
    let grounds = [
        ("p", dark.page),
        ("s", dark.sheet),
        ("n", dark.tint),
        ("b", dark.band),
        ("u", dark.button),
    ];
    let rules = |prefix: &str, property: &str, pairs: &[(&str, Colour)]| -> String {
        let rule = |(class, colour): &(&str, Colour)| {
            format!("{prefix}.{class}{{{property}:{colour}!important}}")
        };
        pairs.iter().map(rule).collect()
    };
    let line = dark.line;
    let link = dark.link;
    // A blank parts closing braces: two in a row look like a forgotten template mark.
    let css = format!(
        ":root{{color-scheme:light dark;supported-color-schemes:light dark}}\
         body{{margin:0;padding:0}}\
         .dk{{display:none}}\
         @media (max-width:479px){{\
         .f{{width:100%!important;max-width:100%!important}}\
         .g{{width:100%!important}}\
         .p{{-webkit-hyphens:auto;hyphens:auto}}\
         .big{{font-size:34px!important}}.band{{font-size:30px!important}}\
         .gap{{padding-top:14px!important}} }}\
         @media (prefers-color-scheme:dark){{{}{}.r{{border-color:{line}!important}}.q{{border-color:{link}!important}}\
         .lt{{display:none!important}}.dk{{display:block!important}} }}\
         {}{}[data-ogsc] .r{{border-color:{line}!important}}[data-ogsc] .q{{border-color:{link}!important}}\
         [data-ogsc] .lt{{display:none!important}}[data-ogsc] .dk{{display:block!important}}",
        rules("", "background-color", &grounds),
        rules("", "color", &words),
        rules("[data-ogsb] ", "background-color", &grounds),
        rules("[data-ogsc] ", "color", &words),
    );
    PreEscaped(format!("<style>{css}</style>"))
}
