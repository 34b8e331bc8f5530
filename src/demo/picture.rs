//! Pictures of a town that does not exist, painted at start: sky, hills, roofs,
//! water, and what the article is about. No file, no licence, nobody's face.

use std::io::Cursor;

use image::{ImageFormat, Rgb, RgbImage, imageops};

/// Pixels of a picture: twice the 600 that a mail shows.
const WIDTH: u32 = 1200;
/// Three to two, as cameras do.
const HEIGHT: u32 = 800;
/// Painted larger and made smaller: smooth edges without more thought.
const FINER: u32 = 2;

/// What a picture shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scene {
    /// Roofs, quay, sailing boats.
    Harbour,
    /// A red path along the water, trees.
    Cycleway,
    /// A house of many lit windows at dusk.
    Library,
    /// Young trees on a lawn.
    Park,
    /// Stalls with striped roofs.
    Market,
    /// The town under stars.
    Night,
}

type Colour = [u8; 3];

struct Canvas {
    image: RgbImage,
}

/// A picture as PNG.
///
/// # Errors
/// Never in practice: the encoder writes to memory.
pub fn paint(scene: Scene) -> image::ImageResult<Vec<u8>> {
    let mut canvas = Canvas { image: RgbImage::new(WIDTH * FINER, HEIGHT * FINER) };
    match scene {
        Scene::Harbour => harbour(&mut canvas),
        Scene::Cycleway => cycleway(&mut canvas),
        Scene::Library => library(&mut canvas),
        Scene::Park => park(&mut canvas),
        Scene::Market => market(&mut canvas),
        Scene::Night => night(&mut canvas),
    }
    let small = imageops::thumbnail(&canvas.image, WIDTH, HEIGHT);
    let mut png = Cursor::new(Vec::new());
    small.write_to(&mut png, ImageFormat::Png)?;
    Ok(png.into_inner())
}

/// Coordinates are thousandths of the width, so that scenes do not know the size.
impl Canvas {
    fn px(v: f32) -> i64 {
        (v * (WIDTH * FINER) as f32 / 1000.0).round() as i64
    }

    fn dot(&mut self, x: i64, y: i64, colour: Colour) {
        if let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y))
            && x < self.image.width()
            && y < self.image.height()
        {
            self.image.put_pixel(x, y, Rgb(colour));
        }
    }

    /// From one colour at the top to another at the bottom.
    fn wash(&mut self, top: f32, bottom: f32, from: Colour, to: Colour) {
        let (first, last) = (Self::px(top), Self::px(bottom));
        for y in first..last {
            let t = (y - first) as f32 / (last - first).max(1) as f32;
            let colour = mix(from, to, t);
            for x in 0..i64::from(self.image.width()) {
                self.dot(x, y, colour);
            }
        }
    }

    fn block(&mut self, x: f32, y: f32, w: f32, h: f32, colour: Colour) {
        for py in Self::px(y)..Self::px(y + h) {
            for px in Self::px(x)..Self::px(x + w) {
                self.dot(px, py, colour);
            }
        }
    }

    fn disc(&mut self, x: f32, y: f32, r: f32, colour: Colour) {
        let (cx, cy, r) = (Self::px(x), Self::px(y), Self::px(r));
        for py in cy - r..=cy + r {
            for px in cx - r..=cx + r {
                if (px - cx).pow(2) + (py - cy).pow(2) <= r * r {
                    self.dot(px, py, colour);
                }
            }
        }
    }

    /// A triangle or another convex shape, corners in order.
    fn shape(&mut self, corners: &[(f32, f32)], colour: Colour) {
        let points: Vec<_> = corners.iter().map(|(x, y)| (Self::px(*x), Self::px(*y))).collect();
        let top = points.iter().map(|p| p.1).min().unwrap_or(0);
        let bottom = points.iter().map(|p| p.1).max().unwrap_or(0);
        for y in top..=bottom {
            let crossings =
                points.iter().zip(points.iter().cycle().skip(1)).filter_map(|(a, b)| {
                    let (low, high) = (a.1.min(b.1), a.1.max(b.1));
                    let here = a.1 != b.1 && (low..=high).contains(&y);
                    here.then(|| a.0 + (b.0 - a.0) * (y - a.1) / (b.1 - a.1))
                });
            let xs: Vec<i64> = crossings.collect();
            if let (Some(left), Some(right)) = (xs.iter().min(), xs.iter().max()) {
                for x in *left..=*right {
                    self.dot(x, y, colour);
                }
            }
        }
    }

    /// Land from a wavy line down to the bottom.
    fn hills(&mut self, height: f32, waves: f32, colour: Colour) {
        let width = self.image.width();
        for x in 0..width {
            let t = x as f32 / width as f32 * std::f32::consts::TAU;
            let y = height + 18.0 * (t * waves).sin() + 9.0 * (t * waves * 2.3 + 1.0).sin();
            for py in Self::px(y)..i64::from(self.image.height()) {
                self.dot(i64::from(x), py, colour);
            }
        }
    }

    fn house(&mut self, x: f32, ground: f32, w: f32, h: f32, wall: Colour, roof: Colour) {
        self.block(x, ground - h, w, h, wall);
        let eaves = ground - h;
        self.shape(&[(x - 4.0, eaves), (x + w + 4.0, eaves), (x + w / 2.0, eaves - w * 0.5)], roof);
        let pane = mix(wall, [60, 60, 70], 0.55);
        for column in 0..3_u8 {
            for floor in 0..(h / 32.0) as u8 {
                let left = x + w * (0.16 + 0.26 * f32::from(column));
                self.block(left, eaves + 12.0 + 30.0 * f32::from(floor), w * 0.14, 15.0, pane);
            }
        }
    }

    fn tree(&mut self, x: f32, ground: f32, size: f32, leaves: Colour) {
        self.block(x - size * 0.05, ground - size * 0.7, size * 0.1, size * 0.7, [96, 72, 56]);
        self.disc(x, ground - size * 0.95, size * 0.38, leaves);
        self.disc(x - size * 0.22, ground - size * 0.75, size * 0.26, leaves);
        self.disc(
            x + size * 0.24,
            ground - size * 0.78,
            size * 0.28,
            mix(leaves, [255, 255, 230], 0.12),
        );
    }

    fn row_of_houses(&mut self, ground: f32) {
        let walls =
            [[233, 206, 172], [214, 150, 118], [240, 226, 198], [178, 190, 186], [226, 176, 120]];
        let roofs = [[142, 66, 48], [112, 56, 48], [88, 84, 92]];
        for (n, wall) in walls.iter().cycle().take(13).enumerate() {
            let height = 84.0 + 26.0 * ((n * 7) % 5) as f32 / 2.0;
            self.house(n as f32 * 80.0 - 14.0, ground, 68.0, height, *wall, roofs[n % 3]);
        }
    }
}

fn mix(a: Colour, b: Colour, t: f32) -> Colour {
    std::array::from_fn(|i| (f32::from(a[i]) + (f32::from(b[i]) - f32::from(a[i])) * t) as u8)
}

fn harbour(c: &mut Canvas) {
    c.wash(0.0, 430.0, [250, 214, 178], [252, 240, 220]);
    c.disc(730.0, 190.0, 62.0, [250, 190, 128]);
    c.hills(330.0, 1.3, [188, 178, 176]);
    c.row_of_houses(430.0);
    c.wash(430.0, 667.0, [120, 150, 158], [56, 92, 108]);
    c.block(0.0, 428.0, 1000.0, 12.0, [96, 84, 76]);
    for (n, x) in [150.0, 390.0, 640.0, 850.0].into_iter().enumerate() {
        let y = 520.0 + 30.0 * (n % 2) as f32;
        c.shape(
            &[(x - 52.0, y), (x + 52.0, y), (x + 34.0, y + 26.0), (x - 36.0, y + 26.0)],
            [122, 52, 40],
        );
        c.block(x - 2.0, y - 150.0, 4.0, 150.0, [82, 66, 58]);
        c.shape(
            &[(x + 4.0, y - 145.0), (x + 4.0, y - 12.0), (x + 66.0, y - 12.0)],
            [250, 246, 236],
        );
        c.shape(
            &[(x - 5.0, y - 120.0), (x - 5.0, y - 12.0), (x - 44.0, y - 12.0)],
            [236, 226, 208],
        );
    }
    for n in 0..26 {
        let (x, y) = ((n * 137 % 1000) as f32, 470.0 + (n * 53 % 180) as f32);
        c.block(x, y, 46.0, 2.0, [150, 178, 182]);
    }
}

fn cycleway(c: &mut Canvas) {
    c.wash(0.0, 360.0, [186, 214, 222], [238, 240, 226]);
    c.hills(290.0, 1.7, [156, 180, 150]);
    c.wash(380.0, 667.0, [128, 160, 110], [100, 138, 90]);
    c.wash(350.0, 392.0, [116, 152, 164], [104, 140, 152]);
    c.shape(&[(470.0, 392.0), (530.0, 392.0), (860.0, 667.0), (140.0, 667.0)], [176, 74, 56]);
    for n in 0..6 {
        let near = (n * n) as f32;
        let y = 400.0 + near * 10.0;
        c.block(499.0 - near * 0.15, y, 2.0 + near * 0.3, 6.0 + near, [250, 240, 226]);
    }
    for (x, ground, size) in
        [(90.0, 430.0, 150.0), (250.0, 405.0, 100.0), (760.0, 405.0, 100.0), (920.0, 440.0, 165.0)]
    {
        c.tree(x, ground, size, [92, 130, 78]);
    }
    for (x, y) in [(440.0, 500.0), (585.0, 560.0)] {
        for wheel in [x - 26.0, x + 26.0] {
            c.disc(wheel, y, 20.0, [40, 40, 44]);
            c.disc(wheel, y, 15.0, [176, 74, 56]);
        }
        c.shape(
            &[(x - 26.0, y), (x + 2.0, y - 34.0), (x + 26.0, y), (x + 4.0, y - 4.0)],
            [40, 60, 80],
        );
        c.disc(x + 4.0, y - 78.0, 12.0, [70, 52, 44]);
        c.shape(
            &[(x - 8.0, y - 34.0), (x + 12.0, y - 66.0), (x + 22.0, y - 58.0), (x + 8.0, y - 26.0)],
            [232, 190, 92],
        );
    }
}

fn library(c: &mut Canvas) {
    c.wash(0.0, 560.0, [52, 60, 92], [206, 148, 128]);
    c.hills(470.0, 1.1, [62, 60, 82]);
    c.block(0.0, 560.0, 1000.0, 107.0, [58, 54, 62]);
    c.block(190.0, 190.0, 620.0, 380.0, [104, 84, 80]);
    c.shape(&[(170.0, 190.0), (830.0, 190.0), (500.0, 90.0)], [78, 60, 60]);
    for column in 0..8_u8 {
        for floor in 0..3_u8 {
            let (x, y) = (222.0 + f32::from(column) * 72.0, 215.0 + f32::from(floor) * 98.0);
            let lit = (column * 5 + floor * 3) % 7 != 0;
            c.block(x, y, 48.0, 70.0, if lit { [252, 214, 138] } else { [74, 66, 78] });
            for book in 0..6_u8 {
                let colours = [[150, 66, 50], [70, 100, 96], [190, 140, 70]];
                let shelf = x + 4.0 + f32::from(book) * 7.0;
                c.block(shelf, y + 44.0, 5.0, 24.0, colours[usize::from(book % 3)]);
            }
        }
    }
    c.block(455.0, 505.0, 90.0, 65.0, [252, 230, 180]);
    c.shape(&[(455.0, 570.0), (545.0, 570.0), (680.0, 667.0), (320.0, 667.0)], [112, 98, 90]);
}

fn park(c: &mut Canvas) {
    c.wash(0.0, 400.0, [200, 222, 230], [246, 242, 226]);
    c.disc(180.0, 130.0, 46.0, [252, 224, 150]);
    c.hills(340.0, 1.2, [170, 190, 150]);
    c.row_of_houses(420.0);
    c.hills(430.0, 0.8, [140, 172, 108]);
    c.hills(520.0, 0.6, [118, 154, 92]);
    for n in 0..9 {
        let x = 70.0 + n as f32 * 108.0;
        let ground = 500.0 + ((n * 31) % 90) as f32;
        c.tree(
            x,
            ground,
            96.0 + ((n * 17) % 40) as f32,
            [[112, 150, 74], [150, 168, 78], [92, 138, 84]][n % 3],
        );
        c.block(x + 9.0, ground - 62.0, 3.0, 62.0, [150, 120, 88]);
    }
}

fn market(c: &mut Canvas) {
    c.wash(0.0, 420.0, [230, 222, 232], [250, 236, 214]);
    c.row_of_houses(430.0);
    c.wash(430.0, 667.0, [196, 180, 160], [166, 148, 130]);
    for (n, x) in [40.0, 285.0, 530.0, 775.0].into_iter().enumerate() {
        let y = 430.0 + 22.0 * (n % 2) as f32;
        c.block(x + 8.0, y, 5.0, 150.0, [92, 74, 62]);
        c.block(x + 178.0, y, 5.0, 150.0, [92, 74, 62]);
        c.block(x, y + 92.0, 192.0, 58.0, [150, 108, 76]);
        let stripe = [[164, 58, 44], [56, 104, 96], [196, 138, 52], [110, 70, 110]][n];
        for s in 0..8_u8 {
            let left = x + f32::from(s) * 24.0;
            let colour = if s % 2 == 0 { stripe } else { [250, 244, 232] };
            c.shape(
                &[(left + 6.0, y - 46.0), (left + 26.0, y - 46.0), (left + 24.0, y), (left, y)],
                colour,
            );
            c.disc(left + 12.0, y, 12.0, colour);
        }
        for fruit in 0..9 {
            let colour = [[206, 92, 56], [222, 176, 70], [116, 146, 76]][(fruit + n) % 3];
            c.disc(x + 20.0 + fruit as f32 * 19.0, y + 88.0, 10.0, colour);
        }
    }
}

fn night(c: &mut Canvas) {
    c.wash(0.0, 667.0, [22, 28, 54], [74, 70, 104]);
    for n in 0..90 {
        let (x, y) = ((n * n * 37 % 997) as f32, (n * n * 23 % 389) as f32);
        c.disc(x, y, 1.0 + (n % 3) as f32 * 0.6, [230, 226, 210]);
    }
    c.disc(790.0, 130.0, 52.0, [246, 236, 206]);
    c.disc(768.0, 118.0, 46.0, [30, 36, 62]);
    c.hills(420.0, 1.4, [38, 42, 68]);
    for n in 0..15 {
        let x = n as f32 * 70.0 - 20.0;
        let h = 90.0 + ((n * 37) % 70) as f32;
        c.house(x, 560.0, 60.0, h, [48, 48, 70], [34, 34, 54]);
        c.block(x + 10.0, 560.0 - h + 14.0, 12.0, 15.0, [252, 206, 120]);
        c.block(x + 36.0, 560.0 - h + 44.0, 12.0, 15.0, [252, 206, 120]);
    }
    c.wash(560.0, 667.0, [40, 46, 74], [22, 28, 50]);
    for n in 0..30 {
        let (x, y) = ((n * 149 % 1000) as f32, 575.0 + (n * 47 % 85) as f32);
        c.block(x, y, 22.0, 2.0, [196, 168, 120]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scene_is_a_png_of_twice_the_shown_width_and_no_two_are_alike() {
        let scenes = [
            Scene::Harbour,
            Scene::Cycleway,
            Scene::Library,
            Scene::Park,
            Scene::Market,
            Scene::Night,
        ];
        let mut pictures: Vec<Vec<u8>> =
            scenes.into_iter().map(|scene| paint(scene).unwrap()).collect();
        for png in &pictures {
            let size = image::load_from_memory(png).unwrap();
            assert_eq!((size.width(), size.height()), (WIDTH, HEIGHT));
            assert!(png.len() < 200_000, "{} bytes", png.len());
        }
        pictures.sort();
        pictures.dedup();
        assert_eq!(pictures.len(), scenes.len());
    }
}
