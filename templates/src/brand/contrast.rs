//! Which colours of a brand meet, and whether the one reads well on the other.
//!
//! Four views are looked at: light, dark, and light as it is inverted by
//! clients that turn round light grounds and dark words only (partly), or
//! everything (fully).

use std::fmt;

use crate::brand::colour::Colour;
use crate::brand::{Masthead, Palette, Plan};

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
    /// Where there is none: the nearest colour of the ground that these words pass on,
    /// and the others that stand there, if they can.
    pub ground_proposal: Option<Colour>,
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

/// Words and the grounds they stand on.
type Use = (Field, &'static [Field]);

/// Which words stand on which grounds in any form of a mail, but for muted ones.
const USED: [Use; 5] = [
    (TEXT, &[SHEET, TINT, PAGE]),
    (HEADING, &[SHEET, TINT, PAGE]),
    (LINK, &[SHEET, TINT, PAGE]),
    (BAND_TEXT, &[BAND]),
    (BUTTON_TEXT, &[BUTTON]),
];

/// And with this masthead: some put their claim or date on the band in muted words.
fn used(masthead: Masthead) -> impl Iterator<Item = Use> {
    let muted: &'static [Field] = match masthead {
        Masthead::Band => &[SHEET, TINT, PAGE],
        Masthead::Letterhead | Masthead::Centred | Masthead::Title => &[SHEET, TINT, PAGE, BAND],
    };
    USED.into_iter().chain([(MUTED, muted)])
}

/// The pairs of words and ground that are looked at with a masthead, by the names of
/// their fields.
pub fn pairs(masthead: Masthead) -> Vec<(&'static str, &'static str)> {
    let grounds = |(words, grounds): Use| grounds.iter().map(move |ground| (words.0, ground.0));
    used(masthead).flat_map(grounds).collect()
}

/// Looks at every pair in every view.
///
/// # Errors
/// Names the pairs that do not pass.
pub fn check(plan: &Plan) -> Result<(), Refusal> {
    let mut pairs = Vec::new();
    for (words, grounds) in used(plan.masthead) {
        for view in View::ALL {
            let palette = view.palette(plan);
            let colour = words.1(palette);
            for ground in grounds {
                let contrast = view.contrast(colour, ground.1(palette));
                if contrast < NEEDED {
                    let passes = |candidate| words_pass(plan, view, candidate, grounds);
                    let proposal = nearest(colour, passes);
                    let ground_proposal =
                        proposal.is_none().then(|| ground_for(plan, view, words, *ground));
                    pairs.push(Pair {
                        view,
                        words: words.0,
                        ground: ground.0,
                        colour,
                        contrast,
                        proposal,
                        ground_proposal: ground_proposal.flatten(),
                    });
                }
            }
        }
    }
    if pairs.is_empty() { Ok(()) } else { Err(Refusal { pairs }) }
}

/// The views that share a palette with this one.
fn alike(view: View) -> impl Iterator<Item = View> {
    View::ALL.into_iter().filter(move |other| (*other == View::Dark) == (view == View::Dark))
}

/// Whether words of this colour pass on all these grounds.
fn words_pass(plan: &Plan, view: View, colour: Colour, grounds: &[Field]) -> bool {
    alike(view).all(|view| {
        let palette = view.palette(plan);
        grounds.iter().all(|ground| view.contrast(colour, ground.1(palette)) >= NEEDED)
    })
}

/// Another colour for a ground: everything that stands there passes on it, or, if there is
/// no such colour, at least these words.
fn ground_for(plan: &Plan, view: View, words: Field, ground: Field) -> Option<Colour> {
    let passes = |words: Field, candidate| {
        alike(view).all(|view| view.contrast(words.1(view.palette(plan)), candidate) >= NEEDED)
    };
    let here = ground.1(view.palette(plan));
    let there: Vec<Field> = used(plan.masthead)
        .filter(|(_, grounds)| grounds.iter().any(|one| one.0 == ground.0))
        .map(|(words, _)| words)
        .collect();
    nearest(here, |candidate| there.iter().all(|words| passes(*words, candidate)))
        .or_else(|| nearest(here, |candidate| passes(words, candidate)))
}

/// The colour of the same hue, nearest in lightness, that passes.
fn nearest(colour: Colour, passes: impl Fn(Colour) -> bool) -> Option<Colour> {
    const STEPS: i32 = 200;
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
        if let Some(proposal) = self.proposal {
            return write!(f, "; {proposal} would pass");
        }
        write!(f, "; no lightness of this colour passes, change {palette}.{}", self.ground)?;
        match self.ground_proposal {
            Some(proposal) => write!(f, ": on {proposal} it would pass"),
            None => Ok(()),
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
    use crate::brand::shipped::{self, Name};
    use crate::brand::{Brand, Masthead};

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

    #[test]
    fn a_masthead_that_puts_muted_words_on_a_band_is_looked_at() {
        for masthead in [Masthead::Letterhead, Masthead::Centred, Masthead::Title] {
            let mut plan = shipped::town();
            plan.masthead = masthead;
            let message = check(&plan).unwrap_err().to_string();
            let wanted = "light.muted #425656 on light.band has contrast 1.16 in light clients";
            assert!(message.contains(wanted), "{message}");
        }
        let mut plan = shipped::magazine();
        plan.light.band = Colour::rgb(0x88_88_88);
        let refusal = check(&plan).unwrap_err();
        assert!(refusal.pairs.iter().any(|pair| (pair.words, pair.ground) == ("muted", "band")));
    }

    #[test]
    fn who_follows_the_proposals_arrives() {
        for name in Name::ALL {
            for masthead in
                [Masthead::Letterhead, Masthead::Band, Masthead::Centred, Masthead::Title]
            {
                let mut plan = shipped::plan(name);
                plan.masthead = masthead;
                for _ in 0..6 {
                    let Err(refusal) = check(&plan) else { break };
                    let pair = &refusal.pairs[0];
                    let dark = pair.view == View::Dark;
                    let palette = if dark { &mut plan.dark } else { &mut plan.light };
                    let place = match (pair.proposal.is_some(), pair.words) {
                        (false, _) => &mut palette.band,
                        (true, "muted") => &mut palette.muted,
                        (true, "band_text") => &mut palette.band_text,
                        (true, other) => panic!("{other} is not the masthead's"),
                    };
                    *place = pair.proposal.or(pair.ground_proposal).expect("a way is named");
                }
                check(&plan).unwrap_or_else(|refusal| panic!("{name:?} {masthead:?}: {refusal}"));
            }
        }
    }
}
