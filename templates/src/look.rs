//! A brand turned into inline styles, written once per mail and used by every
//! building block. Classes only name what the dark palette changes.

use crate::brand::colour::Colour;
use crate::brand::{Brand, Plan};
use crate::language::Language;
use crate::words::{self, Words};

/// Width of the column in pixels.
pub const COLUMN: u32 = 600;
/// Space at its sides.
pub const SIDE: u32 = 24;
/// Width of what stands in it.
pub const INNER: u32 = COLUMN - 2 * SIDE;

/// Style of tables as wide as the column: long words break instead of widening them.
pub const TABLE: &str = "width:100%;table-layout:fixed";

/// Everything a building block needs to know about looks.
pub struct Look<'a> {
    /// The brand's colours and forms.
    pub plan: &'a Plan,
    /// Language of the mail.
    pub language: Language,
    /// Its standing words.
    pub words: &'static Words,
    /// Running text.
    pub text: String,
    /// Running text, the last of its block.
    pub text_last: String,
    /// Captions and notes.
    pub small: String,
    /// Kicker above a heading.
    pub kicker: String,
    /// Below a heading.
    pub subtitle: String,
    /// Heading of the issue.
    pub h1: String,
    /// Heading of an article or a list.
    pub h2: String,
    /// Heading of a short article or an event.
    pub h3: String,
    /// Link in running text.
    pub link: String,
    /// Foot of the mail.
    pub foot: String,
    /// Imprint.
    pub imprint: String,
}

impl<'a> Look<'a> {
    /// The styles of a brand.
    pub fn new(brand: &'a Brand, language: Language) -> Self {
        let plan = brand.plan();
        let light = &plan.light;
        let (body, heading) = (&plan.fonts.body, &plan.fonts.heading);
        let (size, weight) = (plan.fonts.text, plan.fonts.weight);
        let font = |margin: &str, family: &str, size: u8, leading: &str, colour: Colour| {
            format!(
                "margin:{margin};font-family:{family};font-size:{size}px;line-height:{leading};color:{colour}"
            )
        };
        let head = |margin: &str, size: u8, leading: &str| {
            format!("{};font-weight:{weight}", font(margin, heading, size, leading, light.heading))
        };
        Self {
            plan,
            language,
            words: words::of(language),
            text: font("0 0 14px 0", body, size, "1.55", light.text),
            text_last: font("0", body, size, "1.55", light.text),
            small: font("8px 0 0 0", body, size - 2, "1.45", light.muted),
            kicker: format!("{};font-weight:700", font("0 0 6px 0", body, 14, "1.4", light.link)),
            subtitle: font("0 0 10px 0", body, size + 1, "1.45", light.muted),
            h1: head("0 0 14px 0", plan.fonts.title, "1.2"),
            h2: head("0 0 8px 0", 23, "1.3"),
            h3: head("0 0 6px 0", 19, "1.35"),
            link: format!("color:{};text-decoration:underline", light.link),
            foot: font("0 0 12px 0", body, 16, "1.5", light.text),
            imprint: font("0 0 12px 0", body, 16, "1.5", light.muted),
        }
    }

    /// Style of a cell on the column's ground.
    pub fn sheet(&self, padding: &str) -> String {
        format!("background-color:{};padding:{padding}", self.plan.light.sheet)
    }

    /// `border-radius`, or nothing where corners are sharp.
    pub fn round(&self) -> String {
        match self.plan.radius {
            0 => String::new(),
            radius => format!(";border-radius:{radius}px"),
        }
    }
}

/// A style with space above: as a margin, since Word drops the padding of text.
/// Every style of text begins with its margin.
pub fn lowered(style: &str, above: u8) -> String {
    let rest = style.strip_prefix("margin:0").unwrap_or(style);
    if rest.starts_with(';') {
        format!("margin:{above}px 0 0 0{rest}")
    } else {
        format!("margin:{above}px{rest}")
    }
}
