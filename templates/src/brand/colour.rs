//! A colour in sRGB, and what contrast needs to know of it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An opaque sRGB colour; written `#rrggbb`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Colour {
    red: u8,
    green: u8,
    blue: u8,
}

/// Not a colour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable(String);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no colour: write six digits, as in \"#0b5fa5\"", self.0)
    }
}

impl std::error::Error for Unreadable {}

impl Colour {
    /// White.
    pub const WHITE: Self = Self::rgb(0xff_ff_ff);
    /// Black.
    pub const BLACK: Self = Self::rgb(0);

    /// From a number such as `0x0b5fa5`; the lowest 24 bits count.
    pub const fn rgb(value: u32) -> Self {
        let [_, red, green, blue] = value.to_be_bytes();
        Self { red, green, blue }
    }

    /// Reads `#rrggbb`.
    ///
    /// # Errors
    /// Says what a colour looks like.
    pub fn parse(text: &str) -> Result<Self, Unreadable> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6);
        digits
            .filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .map(Self::rgb)
            .ok_or_else(|| Unreadable(text.to_owned()))
    }

    /// Relative luminance, 0 to 1 (WCAG 2.2).
    pub fn luminance(self) -> f64 {
        let [red, green, blue] = self.linear();
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    /// Contrast of two colours, 1 to 21 (WCAG 2.2).
    pub fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    /// As a client shows it that turns lightness round: Gmail's and Outlook's
    /// apps, and near enough Thunderbird.
    pub fn inverted(self) -> Self {
        const DARKEST: f64 = 0.17; // they stop short of black
        const FADED: f64 = 0.8; // and take some colour out
        let [lightness, a, b] = self.oklab();
        let lightness = DARKEST + (1.0 - lightness) * (1.0 - DARKEST);
        Self::from_oklab([lightness, a * FADED, b * FADED])
    }

    /// The same hue, lighter or darker; `lightness` is Oklab's, 0 to 1.
    pub fn at_lightness(self, lightness: f64) -> Self {
        let [_, a, b] = self.oklab();
        Self::from_oklab([lightness, a, b])
    }

    /// Lightness as the eye sees it (Oklab), 0 to 1.
    pub fn lightness(self) -> f64 {
        self.oklab()[0]
    }

    fn linear(self) -> [f64; 3] {
        [self.red, self.green, self.blue].map(|channel| {
            let value = f64::from(channel) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        })
    }

    /// Björn Ottosson, "A perceptual color space for image processing", 2020.
    fn oklab(self) -> [f64; 3] {
        let [r, g, b] = self.linear();
        let l = (0.412_221_470_8 * r + 0.536_332_536_3 * g + 0.051_445_992_9 * b).cbrt();
        let m = (0.211_903_498_2 * r + 0.680_699_545_1 * g + 0.107_396_956_6 * b).cbrt();
        let s = (0.088_302_461_9 * r + 0.281_718_837_6 * g + 0.629_978_700_5 * b).cbrt();
        [
            0.210_454_255_3 * l + 0.793_617_785 * m - 0.004_072_046_8 * s,
            1.977_998_495_1 * l - 2.428_592_205 * m + 0.450_593_709_9 * s,
            0.025_904_037_1 * l + 0.782_771_766_2 * m - 0.808_675_766 * s,
        ]
    }

    fn from_oklab([lightness, a, b]: [f64; 3]) -> Self {
        let l = (lightness + 0.396_337_777_4 * a + 0.215_803_757_3 * b).powi(3);
        let m = (lightness - 0.105_561_345_8 * a - 0.063_854_172_8 * b).powi(3);
        let s = (lightness - 0.089_484_177_5 * a - 1.291_485_548 * b).powi(3);
        Self {
            red: gamma(4.076_741_662_1 * l - 3.307_711_591_3 * m + 0.230_969_929_2 * s),
            green: gamma(-1.268_438_004_6 * l + 2.609_757_401_1 * m - 0.341_319_396_5 * s),
            blue: gamma(-0.004_196_086_3 * l - 0.703_418_614_7 * m + 1.707_614_701 * s),
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to 0..=255 first"
)]
fn gamma(linear: f64) -> u8 {
    let value =
        if linear <= 0.003_130_8 { 12.92 * linear } else { 1.055 * linear.powf(1.0 / 2.4) - 0.055 };
    (value * 255.0).round().clamp(0.0, 255.0) as u8
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.red, self.green, self.blue)
    }
}

impl fmt::Debug for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Colour {
    type Error = Unreadable;

    fn try_from(text: String) -> Result<Self, Unreadable> {
        Self::parse(&text)
    }
}

impl From<Colour> for String {
    fn from(colour: Colour) -> Self {
        colour.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contrast_is_that_of_the_standard() {
        assert!((Colour::BLACK.contrast(Colour::WHITE) - 21.0).abs() < 1e-9);
        let grey = Colour::rgb(0x76_76_76);
        assert!((grey.contrast(Colour::WHITE) - 4.54).abs() < 0.01);
    }

    #[test]
    fn what_is_written_is_read() {
        let blue = Colour::parse("#0B5fa5").unwrap();
        assert_eq!(blue.to_string(), "#0b5fa5");
        assert_eq!(blue.at_lightness(blue.lightness()), blue);
        for wrong in ["0b5fa5", "#0b5fa", "#0b5fa5f", "#0b5fag", "#+b5fa5", "blue", ""] {
            assert!(Colour::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn inverting_turns_light_to_dark() {
        assert!(Colour::WHITE.inverted().luminance() < 0.02);
        assert_eq!(Colour::BLACK.inverted(), Colour::WHITE);
    }
}
