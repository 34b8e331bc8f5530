//! Which colours of a brand meet, and whether the one reads well on the other.
//!
//! Four views are looked at: light, dark, and light as it is inverted by
//! clients that turn round light grounds and dark words only (partly), or
//! everything (fully).

use std::fmt;

use crate::brand::colour::Colour;
use crate::brand::{Palette, Plan};

/// What text needs against its ground (WCAG 2.2, 1.4.3, level AA).
pub const NEEDED: f64 = 4.5;

/// Luminance above which a partly inverting client takes a ground for light,
/// and below which it takes words for dark.
const LIGHT: f64 = 0.18;

/// The pairs that do not read well.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// At least one.
    pub pairs: Vec<Pair>,
}

/// One pair that does not.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// How the mail is looked at.
    pub view: View,
    /// Field of the palette whose colour the words have.
    pub words: &'static str,
    /// Field of the palette whose colour the ground has.
    pub ground: &'static str,
    /// The colour the words have now, as the palette says it.
    pub colour: Colour,
    /// The contrast, where [`NEEDED`] is needed.
    pub contrast: f64,
    /// The nearest colour of the same hue that passes in all views on all its
    /// grounds, if there is one.
    pub proposal: Option<Colour>,
}

/// How a mail is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// In a light client.
    Light,
    /// In a dark client that asks for the dark palette.
    Dark,
    /// In a dark client that inverts light grounds and dark words of the light palette.
    PartlyInverted,
    /// In a dark client that inverts all of the light palette.
    FullyInverted,
}

impl View {
    const ALL: [Self; 4] = [Self::Light, Self::Dark, Self::PartlyInverted, Self::FullyInverted];

    fn words(self, colour: Colour) -> Colour {
        match self {
            Self::PartlyInverted if colour.luminance() >= LIGHT => colour,
            Self::PartlyInverted | Self::FullyInverted => colour.inverted(),
            Self::Light | Self::Dark => colour,
        }
    }

    fn ground(self, colour: Colour) -> Colour {
        match self {
            Self::PartlyInverted if colour.luminance() <= LIGHT => colour,
            Self::PartlyInverted | Self::FullyInverted => colour.inverted(),
            Self::Light | Self::Dark => colour,
        }
    }

    fn palette(self, plan: &Plan) -> &Palette {
        match self {
            Self::Dark => &plan.dark,
            Self::Light | Self::PartlyInverted | Self::FullyInverted => &plan.light,
        }
    }

    fn contrast(self, words: Colour, ground: Colour) -> f64 {
        self.words(words).contrast(self.ground(ground))
    }
}

type Field = (&'static str, fn(&Palette) -> Colour);

const TEXT: Field = ("text", |p| p.text);
const MUTED: Field = ("muted", |p| p.muted);
const HEADING: Field = ("heading", |p| p.heading);
const LINK: Field = ("link", |p| p.link);
const BAND_TEXT: Field = ("band_text", |p| p.band_text);
const BUTTON_TEXT: Field = ("button_text", |p| p.button_text);
const PAGE: Field = ("page", |p| p.page);
const SHEET: Field = ("sheet", |p| p.sheet);
const TINT: Field = ("tint", |p| p.tint);
const BAND: Field = ("band", |p| p.band);
const BUTTON: Field = ("button", |p| p.button);

/// Which words stand on which grounds, in any form of a mail.
const USED: [(Field, &[Field]); 6] = [
    (TEXT, &[SHEET, TINT, PAGE]),
    (MUTED, &[SHEET, TINT, PAGE]),
    (HEADING, &[SHEET, TINT, PAGE]),
    (LINK, &[SHEET, TINT, PAGE]),
    (BAND_TEXT, &[BAND]),
    (BUTTON_TEXT, &[BUTTON]),
];

/// Looks at every pair in every view.
///
/// # Errors
/// Names the pairs that do not pass.
pub fn check(plan: &Plan) -> Result<(), Refusal> {
    let mut pairs = Vec::new();
    for (words, grounds) in USED {
        for view in View::ALL {
            let palette = view.palette(plan);
            let colour = words.1(palette);
            for ground in grounds {
                let contrast = view.contrast(colour, ground.1(palette));
                if contrast < NEEDED {
                    pairs.push(Pair {
                        view,
                        words: words.0,
                        ground: ground.0,
                        colour,
                        contrast,
                        proposal: nearest(plan, view, colour, grounds),
                    });
                }
            }
        }
    }
    if pairs.is_empty() { Ok(()) } else { Err(Refusal { pairs }) }
}

/// The colour of the same hue, nearest in lightness, that passes on all its
/// grounds in the views that share its palette.
fn nearest(plan: &Plan, view: View, colour: Colour, grounds: &[Field]) -> Option<Colour> {
    const STEPS: i32 = 200;
    let dark = view == View::Dark;
    let passes = |candidate: Colour| {
        View::ALL.into_iter().filter(|other| (*other == View::Dark) == dark).all(|other| {
            let palette = other.palette(plan);
            let mut grounds = grounds.iter();
            grounds.all(|ground| other.contrast(candidate, ground.1(palette)) >= NEEDED)
        })
    };
    let mut candidates: Vec<f64> =
        (0..=STEPS).map(|step| f64::from(step) / f64::from(STEPS)).collect();
    let here = colour.lightness();
    candidates.sort_by(|one, two| (one - here).abs().total_cmp(&(two - here).abs()));
    let mut tried = candidates.into_iter().map(|l| colour.at_lightness(l));
    tried.find(|candidate| passes(*candidate))
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Light => "in light clients",
            Self::Dark => "in dark clients",
            Self::PartlyInverted => "in clients that invert light grounds",
            Self::FullyInverted => "in clients that invert all colours",
        })
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let palette = match self.view {
            View::Dark => "dark",
            View::Light | View::PartlyInverted | View::FullyInverted => "light",
        };
        write!(
            f,
            "{palette}.{} {} on {palette}.{} has contrast {:.2} {}, {NEEDED} is needed",
            self.words, self.colour, self.ground, self.contrast, self.view
        )?;
        match self.proposal {
            Some(proposal) => write!(f, "; {proposal} would pass"),
            None => {
                write!(f, "; no lightness of this colour passes, change {palette}.{}", self.ground)
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, pair) in self.pairs.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{pair}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::brand::Brand;
    use crate::brand::shipped;

    #[test]
    fn a_pale_link_is_refused_and_the_proposal_passes() {
        let mut plan = shipped::office();
        plan.light.link = Colour::rgb(0x5b_a3_e0);
        let refusal = Brand::new(plan.clone()).unwrap_err();
        assert!(refusal.pairs.iter().all(|pair| pair.words == "link"));
        let message = refusal.pairs[0].to_string();
        assert!(
            message.starts_with("light.link #5ba3e0 on light.sheet has contrast 2."),
            "{message}"
        );
        plan.light.link = refusal.pairs[0].proposal.unwrap();
        Brand::new(plan).unwrap();
    }

    #[test]
    fn a_ground_that_nothing_reads_on_is_named() {
        let mut plan = shipped::town();
        plan.dark.button = Colour::rgb(0x80_80_80);
        plan.dark.button_text = Colour::rgb(0x90_90_90);
        let refusal = check(&plan).unwrap_err();
        assert_eq!(refusal.pairs.len(), 1);
        assert_eq!(refusal.pairs[0].view, View::Dark);
        assert!(refusal.to_string().contains("dark.button_text #909090 on dark.button"));
    }
}
