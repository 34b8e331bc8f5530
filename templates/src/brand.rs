//! A brand is data: colours for light and dark, fonts, shapes, a logo.
//!
//! A [`Brand`] can only be had checked: every pair of colours that a mail puts
//! on top of each other reads well in light, in dark, and when a client inverts
//! the colours by itself.

use serde::{Deserialize, Serialize};

use crate::brand::colour::Colour;

pub mod choice;
pub mod colour;
pub mod contrast;
pub mod shipped;

/// The look of a newsletter, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brand {
    plan: Plan,
}

impl Brand {
    /// The brand of a plan whose colours pass.
    ///
    /// # Errors
    /// Names every pair that does not, with the nearest colour that would.
    pub fn new(plan: Plan) -> Result<Self, contrast::Refusal> {
        contrast::check(&plan)?;
        Ok(Self { plan })
    }

    /// What it consists of.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }
}

/// What a brand consists of, not yet checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Colours where the reader's client is light.
    pub light: Palette,
    /// Colours where it is dark.
    pub dark: Palette,
    /// Fonts.
    pub fonts: Fonts,
    /// Corners of pictures, buttons and boxes, in pixels.
    pub radius: u8,
    /// The form of the masthead.
    pub masthead: Masthead,
    /// The form of section headings and of the space between articles.
    pub headings: Headings,
    /// A logo in the masthead.
    pub logo: Option<Logo>,
    /// Lines at the very end of each mail, as in "Stadt Musterhafen. Gemeinsam gestalten."
    pub footer: Vec<String>,
}

/// The colours of one mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Palette {
    /// Around the column, and behind the foot of the mail.
    pub page: Colour,
    /// The column.
    pub sheet: Colour,
    /// Boxes in the column.
    pub tint: Colour,
    /// Running text.
    pub text: Colour,
    /// Captions, kickers, the foot of the mail.
    pub muted: Colour,
    /// Headings.
    pub heading: Colour,
    /// Links and kickers.
    pub link: Colour,
    /// The masthead's ground.
    pub band: Colour,
    /// Words on it.
    pub band_text: Colour,
    /// The ground of buttons.
    pub button: Colour,
    /// Words on them.
    pub button_text: Colour,
    /// Lines; ornament only.
    pub line: Colour,
}

/// Fonts that the reader's system has; nothing is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fonts {
    /// CSS font stack of headings and masthead, without double quotes.
    pub heading: String,
    /// CSS font stack of everything else, without double quotes.
    pub body: String,
    /// Weight of headings, 400 to 800.
    pub weight: u16,
    /// Size of the heading in pixels.
    pub title: u8,
    /// Size of running text in pixels, at least 16.
    pub text: u8,
}

/// The form of the masthead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Masthead {
    /// As on paper of an office: name beside a bar, a line below.
    Letterhead,
    /// A coloured band over the whole column.
    Band,
    /// Everything in the middle, round and friendly.
    Centred,
    /// A large name between two rules.
    Title,
}

/// The form of section headings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Headings {
    /// A bar at the side.
    Bar,
    /// On a tinted ground.
    Tint,
    /// In the middle, a short line below.
    Centred,
    /// A strong rule above.
    Rule,
}

/// A logo. Clients that invert colours leave pictures as they are: a file
/// without transparency reads well everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logo {
    /// `https:` or `cid:` address of a PNG, JPEG or GIF, twice the shown size.
    pub url: String,
    /// Another file for clients that are dark and say so.
    #[serde(default)]
    pub dark_url: Option<String>,
    /// What it says, as in "Stadt Musterhafen".
    pub alt: String,
    /// Shown width in pixels, at most 320.
    pub width: u16,
    /// Shown height in pixels, at most 120.
    pub height: u16,
}

/// Pixels a logo is shown in at most.
const LOGO_MAX: (u16, u16) = (320, 120);

impl Logo {
    /// The fields that do not stand, but for the host of its address, and what is allowed
    /// in them.
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        let picture = |url: &str| ["https://", "cid:"].iter().any(|start| url.starts_with(start));
        for (field, url) in [("url", Some(&self.url)), ("dark_url", self.dark_url.as_ref())] {
            if let Some(url) = url.filter(|url| !picture(url)) {
                let what = format!("{url:?} is no address of a picture; allowed: https://…");
                faults.push((field, what));
            }
        }
        if self.alt.trim().is_empty() {
            let what = "is empty; say what the logo says, as in \"Stadt Musterhafen\"";
            faults.push(("alt", what.to_owned()));
        }
        let (width, height) = LOGO_MAX;
        for (field, pixels, most) in [("width", self.width, width), ("height", self.height, height)]
        {
            if !(1..=most).contains(&pixels) {
                let what = format!("{pixels} is out of range; allowed: 1 to {most} pixels");
                faults.push((field, what));
            }
        }
        faults
    }
}
