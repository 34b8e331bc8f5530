//! A foreign picture made ours: upright, without its metadata, at twice its shown width,
//! JPEG or PNG, light enough for a mail. Pure; fetching and storing are [`crate::source::album`]'s.

use std::io::Cursor;

use aws_lc_rs::digest::{SHA256, digest};
use fast_image_resize::images::Image as Canvas;
use fast_image_resize::{PixelType, ResizeOptions, Resizer};
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{
    DynamicImage, ImageDecoder as _, ImageEncoder as _, ImageFormat, ImageReader, Limits, RgbImage,
    RgbaImage,
};

/// Pixels of width: twice the 600 of a mail's column.
pub const WIDTH: u32 = 1_200;
/// Pixels of width in narrow places: three times the 176 of a picture beside its text, and
/// one and a half times the line of its own that it has on a phone.
pub const NARROW: u32 = 528;
/// Pixels of height: a picture taller than two columns is scaled by it.
const HEIGHT: u32 = 2_400;
/// Bytes of a picture as we serve it (MAIL.md: at most 200 kB each).
pub const BYTES: usize = 200_000;
/// Pixels of a picture that is decoded at all, before decoding: 60 megapixels.
const PIXELS: u64 = 60_000_000;
/// Pixels of one side.
const SIDE: u32 = 20_000;
/// Bytes a decoder may allocate.
const MEMORY: u64 = 400 * 1024 * 1024;
/// Pixels of a side below which a picture is a counter or a spacer.
const LEAST: u32 = 16;
/// Bytes in which SVG says that it is: before it stand a declaration and comments.
const HEAD: usize = 1_024;
/// Quality of JPEG, tried in this order until the picture is light enough.
const QUALITIES: &[u8] = &[84, 76, 68, 60, 52];
/// What is left of each side when no quality is light enough.
const SHRINK: f64 = 0.8;

/// A picture as we serve it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// The file.
    pub bytes: Vec<u8>,
    /// JPEG or PNG.
    pub format: Format,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// SHA-256 of the bytes.
    pub hash: Vec<u8>,
}

/// What mail programs show everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For photographs.
    Jpeg,
    /// For drawings and what is transparent.
    Png,
}

impl Format {
    /// `image/jpeg` or `image/png`.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
        }
    }

    /// The kind of a media type; all but PNG is kept as JPEG.
    pub fn of(media_type: &str) -> Self {
        if media_type == Self::Png.media_type() { Self::Png } else { Self::Jpeg }
    }

    /// The end of a file's name.
    fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
        }
    }
}

/// Why a file cannot become a picture of ours.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A drawing of lines.
    #[error("a drawing in SVG, which mail programs do not show; JPEG, PNG and GIF are shown")]
    Drawing,
    /// The end is missing.
    #[error("the picture breaks off before its end; it was not saved or uploaded whole")]
    Cut,
    /// No picture, or of a kind that is not read.
    #[error("no picture that is read here; JPEG, PNG, GIF and WebP are")]
    Kind,
    /// Too many pixels.
    #[error("{0} × {1} pixels; at most {max} in all are read", max = PIXELS)]
    TooManyPixels(u32, u32),
    /// A spacer.
    #[error("{0} × {1} pixels; that is no picture to look at")]
    TooSmall(u32, u32),
    /// The file is broken.
    #[error("the picture is broken: {0}")]
    Broken(#[from] image::ImageError),
    /// Scaling failed.
    #[error("the picture cannot be scaled: {0}")]
    Scale(String),
}

impl Picture {
    /// The name it is served under: its hash and kind.
    pub fn file(&self) -> String {
        file(&self.hash, self.format)
    }
}

/// The name of a picture with this hash.
pub fn file(hash: &[u8], format: Format) -> String {
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{hex}.{}", format.extension())
}

/// The hash in such a name; `None` for any other text.
pub fn hash_of(file: &str) -> Option<Vec<u8>> {
    let hex = file.strip_suffix(".jpg").or_else(|| file.strip_suffix(".png"))?;
    let lower =
        hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    lower.then(|| {
        (0..64).step_by(2).filter_map(|at| u8::from_str_radix(&hex[at..at + 2], 16).ok()).collect()
    })
}

/// Makes a picture ours. Takes a while: call it where blocking is allowed.
///
/// # Errors
/// See [`Error`].
pub fn prepare(bytes: &[u8]) -> Result<Picture, Error> {
    let (picture, drawn) = decode(bytes)?;
    fit(&picture, drawn, WIDTH)
}

/// The copy for narrow places of a picture that is ours already; `None` where it is
/// narrow itself.
///
/// # Errors
/// See [`Error`].
pub fn narrow(ours: &Picture) -> Result<Option<Picture>, Error> {
    if ours.width <= NARROW {
        return Ok(None);
    }
    let (picture, drawn) = decode(&ours.bytes)?;
    fit(&picture, drawn, NARROW).map(Some)
}

/// The picture at most so many pixels wide, and light enough.
fn fit(picture: &DynamicImage, drawn: bool, room: u32) -> Result<Picture, Error> {
    let clear =
        picture.color().has_alpha() && picture.to_rgba8().pixels().any(|pixel| pixel.0[3] < 255);
    let (mut width, mut height) = fitting(picture.width(), picture.height(), room);
    loop {
        let scaled = scale(picture, width, height, clear)?;
        if drawn || clear {
            let png = png(&scaled)?;
            if png.len() <= BYTES {
                return Ok(finished(png, Format::Png, width, height));
            }
        }
        let flat = on_white(&scaled);
        for quality in QUALITIES {
            let jpeg = jpeg(&flat, *quality)?;
            if jpeg.len() <= BYTES {
                return Ok(finished(jpeg, Format::Jpeg, width, height));
            }
        }
        width = shrunk(width);
        height = shrunk(height);
    }
}

fn finished(bytes: Vec<u8>, format: Format, width: u32, height: u32) -> Picture {
    let hash = digest(&SHA256, &bytes).as_ref().to_vec();
    Picture { bytes, format, width, height, hash }
}

/// The picture upright, and whether it is drawn (PNG, GIF) and not photographed.
fn decode(bytes: &[u8]) -> Result<(DynamicImage, bool), Error> {
    let mut reader =
        ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|_| Error::Kind)?;
    let kind = || if is_drawing(bytes) { Error::Drawing } else { Error::Kind };
    let format = reader.format().ok_or_else(kind)?;
    let drawn = matches!(format, ImageFormat::Png | ImageFormat::Gif);
    if !drawn && !matches!(format, ImageFormat::Jpeg | ImageFormat::WebP) {
        return Err(Error::Kind);
    }
    // The other kinds' decoders say so; this one makes up what is missing, in grey.
    if format == ImageFormat::Jpeg && !has_end(bytes) {
        return Err(Error::Cut);
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(SIDE);
    limits.max_image_height = Some(SIDE);
    limits.max_alloc = Some(MEMORY);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > PIXELS {
        return Err(Error::TooManyPixels(width, height));
    }
    if width < LEAST || height < LEAST {
        return Err(Error::TooSmall(width, height));
    }
    let orientation = decoder.orientation()?;
    let mut picture = DynamicImage::from_decoder(decoder)?;
    picture.apply_orientation(orientation);
    Ok((picture, drawn))
}

/// Whether bytes begin as SVG does.
fn is_drawing(bytes: &[u8]) -> bool {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(HEAD)]).to_lowercase();
    let head = head.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
    head.starts_with("<svg") || head.starts_with('<') && head.contains("<svg")
}

/// Whether a JPEG has its end marker (ITU-T T.81, annex B): within the picture's data, 0xFF
/// is followed by zero or a restart marker, so that the end cannot be mistaken. A preview
/// within a segment is leapt over.
fn has_end(jpeg: &[u8]) -> bool {
    let mut at = 2;
    while let Some(pair) = jpeg.get(at..at + 2) {
        match pair {
            [0xff, 0xd9] => return true,
            // Fill bytes, data with a stuffed zero, restart markers.
            [0xff, 0xff] => at += 1,
            [0xff, 0x00 | 0x01 | 0xd0..=0xd8] => at += 2,
            [0xff, _] => match jpeg.get(at + 2..at + 4) {
                Some(length) => at += 2 + usize::from(u16::from_be_bytes([length[0], length[1]])),
                None => return false,
            },
            _ => at += 1,
        }
    }
    false
}

/// The size within the room and [`HEIGHT`]; nothing is ever enlarged.
fn fitting(width: u32, height: u32, room: u32) -> (u32, u32) {
    let scale =
        (f64::from(room) / f64::from(width)).min(f64::from(HEIGHT) / f64::from(height)).min(1.0);
    (scaled_side(width, scale), scaled_side(height, scale))
}

fn shrunk(side: u32) -> u32 {
    scaled_side(side, SHRINK)
}

fn scaled_side(side: u32, scale: f64) -> u32 {
    // A side of at most SIDE pixels times at most one: no loss, no sign.
    ((f64::from(side) * scale).round() as u32).max(1)
}

/// The picture in another size, with or without transparency.
fn scale(
    picture: &DynamicImage,
    width: u32,
    height: u32,
    clear: bool,
) -> Result<DynamicImage, Error> {
    let fail = |error: &dyn std::fmt::Display| Error::Scale(error.to_string());
    // Always four bytes a pixel: the resizer is compiled for one kind only.
    let pixels = picture.to_rgba8().into_raw();
    let source = Canvas::from_vec_u8(picture.width(), picture.height(), pixels, PixelType::U8x4)
        .map_err(|error| fail(&error))?;
    let mut target = Canvas::new(width, height, PixelType::U8x4);
    let options = ResizeOptions::new().use_alpha(clear);
    Resizer::new().resize(&source, &mut target, &options).map_err(|error| fail(&error))?;
    let image = RgbaImage::from_raw(width, height, target.into_vec()).map(DynamicImage::ImageRgba8);
    let image = image.map(|image| if clear { image } else { image.to_rgb8().into() });
    image.ok_or_else(|| Error::Scale("a buffer of another size".to_owned()))
}

/// Without transparency, as on paper.
fn on_white(picture: &DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.to_rgb8();
    }
    let mut flat = RgbImage::new(picture.width(), picture.height());
    for (to, from) in flat.pixels_mut().zip(picture.to_rgba8().pixels()) {
        let alpha = u16::from(from.0[3]);
        for (to, from) in to.0.iter_mut().zip(from.0) {
            // At most 255 · 255 / 255.
            *to = ((u16::from(from) * alpha + 255 * (255 - alpha)) / 255) as u8;
        }
    }
    flat
}

fn jpeg(picture: &RgbImage, quality: u8) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut bytes, quality);
    encoder.write_image(
        picture.as_raw(),
        picture.width(),
        picture.height(),
        image::ExtendedColorType::Rgb8,
    )?;
    Ok(bytes)
}

fn png(picture: &DynamicImage) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let encoder =
        PngEncoder::new_with_quality(&mut bytes, CompressionType::Best, FilterType::Adaptive);
    encoder.write_image(
        picture.as_bytes(),
        picture.width(),
        picture.height(),
        picture.color().into(),
    )?;
    Ok(bytes)
}
