//! What an operator writes about a brand: a shipped one, and what differs.

use serde::{Deserialize, Serialize};

use crate::brand::colour::Colour;
use crate::brand::contrast::Refusal;
use crate::brand::shipped::{self, Name};
use crate::brand::{Brand, Headings, Logo, Masthead, Palette};

/// A shipped brand with changes; every field may be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Choice {
    /// The brand that everything not said here comes from.
    pub base: Name,
    /// Colours in light clients.
    pub light: Changes,
    /// Colours in dark clients.
    pub dark: Changes,
    /// CSS font stack of headings.
    pub heading_font: Option<String>,
    /// CSS font stack of running text.
    pub body_font: Option<String>,
    /// Corners in pixels, 0 to 24.
    pub radius: Option<u8>,
    /// Form of the masthead.
    pub masthead: Option<Masthead>,
    /// Form of section headings.
    pub headings: Option<Headings>,
    /// A logo.
    pub logo: Option<Logo>,
    /// Lines at the end of each mail.
    pub footer: Option<Vec<String>>,
}

/// Colours that differ from the base's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Changes {
    /// See [`Palette::page`].
    pub page: Option<Colour>,
    /// See [`Palette::sheet`].
    pub sheet: Option<Colour>,
    /// See [`Palette::tint`].
    pub tint: Option<Colour>,
    /// See [`Palette::text`].
    pub text: Option<Colour>,
    /// See [`Palette::muted`].
    pub muted: Option<Colour>,
    /// See [`Palette::heading`].
    pub heading: Option<Colour>,
    /// See [`Palette::link`].
    pub link: Option<Colour>,
    /// See [`Palette::band`].
    pub band: Option<Colour>,
    /// See [`Palette::band_text`].
    pub band_text: Option<Colour>,
    /// See [`Palette::button`].
    pub button: Option<Colour>,
    /// See [`Palette::button_text`].
    pub button_text: Option<Colour>,
    /// See [`Palette::line`].
    pub line: Option<Colour>,
}

impl Choice {
    /// The brand.
    ///
    /// # Errors
    /// Names the colours that do not read well on each other.
    pub fn brand(&self) -> Result<Brand, Refusal> {
        let mut plan = shipped::plan(self.base);
        self.light.change(&mut plan.light);
        self.dark.change(&mut plan.dark);
        set(&mut plan.fonts.heading, self.heading_font.as_deref().map(stack));
        set(&mut plan.fonts.body, self.body_font.as_deref().map(stack));
        set(&mut plan.radius, self.radius.map(|radius| radius.min(24)));
        set(&mut plan.masthead, self.masthead);
        set(&mut plan.headings, self.headings);
        set(&mut plan.footer, self.footer.clone());
        plan.logo = self.logo.clone();
        Brand::new(plan)
    }
}

impl Changes {
    fn change(self, palette: &mut Palette) {
        set(&mut palette.page, self.page);
        set(&mut palette.sheet, self.sheet);
        set(&mut palette.tint, self.tint);
        set(&mut palette.text, self.text);
        set(&mut palette.muted, self.muted);
        set(&mut palette.heading, self.heading);
        set(&mut palette.link, self.link);
        set(&mut palette.band, self.band);
        set(&mut palette.band_text, self.band_text);
        set(&mut palette.button, self.button);
        set(&mut palette.button_text, self.button_text);
        set(&mut palette.line, self.line);
    }
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

/// Names of fonts and commas; anything that could end a declaration goes.
fn stack(font: &str) -> String {
    let font = font.replace('"', "'");
    font.chars().filter(|c| c.is_alphanumeric() || " ,'-".contains(*c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_comes_from_the_base() {
        let choice = Choice {
            base: Name::Town,
            radius: Some(99),
            body_font: Some("\"Segoe UI\", Arial; color: red".to_owned()),
            light: Changes { link: Some(Colour::rgb(0x00_4d_66)), ..Changes::default() },
            ..Choice::default()
        };
        let brand = choice.brand().unwrap();
        assert_eq!(brand.plan().masthead, Masthead::Band);
        assert_eq!(brand.plan().radius, 24);
        assert_eq!(brand.plan().fonts.body, "'Segoe UI', Arial color red");
        assert_eq!(brand.plan().light.link.to_string(), "#004d66");
        assert_eq!(brand.plan().light.text, shipped::town().light.text);
    }
}
