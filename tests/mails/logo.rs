//! A logo for the samples: a lighthouse above two waves on a plate of its own, so that
//! it reads well on any ground.

use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};
use rundbrief_templates::brand::colour::Colour;

/// Pixels of a side: twice the shown size.
pub const SIDE: u32 = 112;
/// Painted larger and made smaller: smooth edges.
const FINER: u32 = 4;

/// The logo: ground, figure, light.
pub fn paint(ground: Colour, figure: Colour, light: Colour) -> RgbImage {
    let [ground, figure, light] = [ground, figure, light].map(pixel);
    let side = SIDE * FINER;
    let large = RgbImage::from_fn(side, side, |x, y| {
        let at = |v: u32| (f64::from(v) + 0.5) / f64::from(side);
        let (x, y) = (at(x), at(y));
        let tower = within(y, 0.34, 0.70) && (x - 0.5).abs() < 0.06 + (y - 0.34) * 0.13;
        let gallery = within(y, 0.30, 0.335) && (x - 0.5).abs() < 0.10;
        let lantern = within(y, 0.19, 0.28) && (x - 0.5).abs() < 0.055;
        let roof = within(y, 0.10, 0.18) && (x - 0.5).abs() < (y - 0.10) * 0.95;
        let beam = (0.09..0.40).contains(&(x - 0.5).abs())
            && (y - 0.235).abs() < 0.012 + ((x - 0.5).abs() - 0.09) * 0.22;
        let wave = |height: f64| (y - height - 0.018 * (x * 25.0).sin()).abs() < 0.022;
        if lantern || beam {
            light
        } else if tower || gallery || roof || wave(0.78) || wave(0.88) {
            figure
        } else {
            ground
        }
    });
    imageops::resize(&large, SIDE, SIDE, FilterType::Triangle)
}

fn within(value: f64, from: f64, to: f64) -> bool {
    (from..to).contains(&value)
}

fn pixel(colour: Colour) -> Rgb<u8> {
    let text = colour.to_string();
    let part = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap_or_default();
    Rgb([part(1), part(3), part(5)])
}
