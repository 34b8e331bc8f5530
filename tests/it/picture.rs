//! Foreign pictures made ours.

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{
    ExtendedColorType, GenericImageView, ImageEncoder as _, Rgb, RgbImage, Rgba, RgbaImage,
};
use rundbrief::source::picture::{self, BYTES, Error, Format, NARROW, WIDTH};

/// A TIFF header with the one field `Orientation`.
fn orientation(value: u8) -> Vec<u8> {
    let mut exif = b"II*\0\x08\0\0\0\x01\0".to_vec();
    exif.extend_from_slice(&[0x12, 0x01, 3, 0, 1, 0, 0, 0, value, 0, 0, 0, 0, 0, 0, 0]);
    exif
}

fn jpeg(picture: &RgbImage, exif: Option<Vec<u8>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 95);
    if let Some(exif) = exif {
        encoder.set_exif_metadata(exif).unwrap();
    }
    encoder
        .write_image(picture.as_raw(), picture.width(), picture.height(), ExtendedColorType::Rgb8)
        .unwrap();
    bytes
}

/// Noise, which no encoder makes small.
fn noise(width: u32, height: u32) -> RgbImage {
    let mut seed = 7_u32;
    RgbImage::from_fn(width, height, |_, _| {
        let mut next = || {
            seed ^= seed << 13;
            seed ^= seed >> 17;
            seed ^= seed << 5;
            seed.to_le_bytes()[1]
        };
        Rgb([next(), next(), next()])
    })
}

#[test]
fn a_picture_stands_upright_and_tells_nothing_of_its_maker() {
    // Left half red, right half blue; the camera says: turn it right by 90 degrees.
    let lying =
        RgbImage::from_fn(
            200,
            100,
            |x, _| if x < 100 { Rgb([220, 0, 0]) } else { Rgb([0, 0, 220]) },
        );
    let mut exif = orientation(6);
    exif.extend_from_slice(b"GPS of my home");
    let source = jpeg(&lying, Some(exif));
    assert!(source.windows(3).any(|bytes| bytes == b"GPS"));
    let ours = picture::prepare(&source).unwrap();
    assert_eq!((ours.width, ours.height, ours.format), (100, 200, Format::Jpeg));
    assert!(!ours.bytes.windows(3).any(|bytes| bytes == b"GPS"));
    assert!(!ours.bytes.windows(4).any(|bytes| bytes == b"Exif"));
    let seen = image::load_from_memory(&ours.bytes).unwrap();
    let (top, below) = (seen.get_pixel(50, 20), seen.get_pixel(50, 180));
    assert!(top[0] > 150 && top[2] < 80, "{top:?}");
    assert!(below[2] > 150 && below[0] < 80, "{below:?}");
}

#[test]
fn a_large_picture_becomes_light_and_a_small_one_is_not_enlarged() {
    let ours = picture::prepare(&jpeg(&noise(2_600, 1_300), None)).unwrap();
    assert!(ours.bytes.len() <= BYTES, "{}", ours.bytes.len());
    assert!(
        ours.width <= WIDTH && ours.width.abs_diff(2 * ours.height) <= 2,
        "{} × {}",
        ours.width,
        ours.height
    );
    let small = picture::prepare(&jpeg(&noise(80, 60), None)).unwrap();
    assert_eq!((small.width, small.height), (80, 60));
    let tall = picture::prepare(&jpeg(&RgbImage::new(100, 6_000), None)).unwrap();
    assert_eq!((tall.width, tall.height), (40, 2_400));
}

#[test]
fn a_picture_has_a_light_copy_for_narrow_places() {
    let ours = picture::prepare(&jpeg(&RgbImage::new(1_400, 700), None)).unwrap();
    let copy = picture::narrow(&ours).unwrap().unwrap();
    assert_eq!((copy.width, copy.height, copy.format), (NARROW, NARROW / 2, Format::Jpeg));
    assert!(copy.hash != ours.hash && copy.bytes.len() < ours.bytes.len());
    assert_eq!(picture::narrow(&copy).unwrap(), None, "it is narrow itself");
    let clear = RgbaImage::from_pixel(1_000, 500, Rgba([10, 200, 10, 100]));
    let mut png = Vec::new();
    PngEncoder::new(&mut png)
        .write_image(clear.as_raw(), 1_000, 500, ExtendedColorType::Rgba8)
        .unwrap();
    let copy = picture::narrow(&picture::prepare(&png).unwrap()).unwrap().unwrap();
    assert_eq!((copy.width, copy.format), (NARROW, Format::Png));
    let seen = image::load_from_memory(&copy.bytes).unwrap();
    assert!(seen.get_pixel(20, 20)[3] < 255, "what shines through still does");
}

#[test]
fn transparency_stays_where_it_is_light_enough() {
    let clear = RgbaImage::from_fn(300, 200, |x, _| {
        if x < 150 { Rgba([0, 0, 0, 0]) } else { Rgba([10, 90, 10, 255]) }
    });
    let mut png = Vec::new();
    PngEncoder::new(&mut png)
        .write_image(clear.as_raw(), 300, 200, ExtendedColorType::Rgba8)
        .unwrap();
    let ours = picture::prepare(&png).unwrap();
    assert_eq!(ours.format, Format::Png);
    assert_eq!(image::load_from_memory(&ours.bytes).unwrap().get_pixel(10, 10)[3], 0);
}

#[test]
fn what_is_no_picture_is_refused_before_it_is_unpacked() {
    assert!(matches!(picture::prepare(b"<svg onload=x>"), Err(Error::Drawing)));
    let declared = b"<?xml version=\"1.0\"?>\n<!-- a chart --><svg/>";
    assert!(matches!(picture::prepare(declared), Err(Error::Drawing)));
    assert!(matches!(picture::prepare(b"<html></html>"), Err(Error::Kind)));
    assert!(matches!(picture::prepare(b""), Err(Error::Kind)));
    assert!(matches!(
        picture::prepare(&jpeg(&RgbImage::new(1, 1), None)),
        Err(Error::TooSmall(1, 1))
    ));
    // A PNG of 100 bytes that claims 19,000 by 19,000 pixels.
    let mut bomb = Vec::new();
    PngEncoder::new(&mut bomb).write_image(&[0; 3], 1, 1, ExtendedColorType::Rgb8).unwrap();
    bomb[16..24].copy_from_slice(&[0, 0, 0x4a, 0x38, 0, 0, 0x4a, 0x38]);
    let crc = {
        let mut crc = flate2::Crc::new();
        crc.update(&bomb[12..29]);
        crc.sum().to_be_bytes()
    };
    bomb[29..33].copy_from_slice(&crc);
    let refused = picture::prepare(&bomb);
    assert!(
        matches!(refused, Err(Error::TooManyPixels(19_000, 19_000) | Error::Broken(_))),
        "{refused:?}"
    );
    let whole = jpeg(&noise(100, 100), None);
    assert!(picture::prepare(&whole[..40]).is_err());
}

#[test]
fn a_picture_that_breaks_off_is_refused() {
    let mut exif = orientation(1);
    // A preview within the metadata has an end of its own.
    exif.extend_from_slice(&[0xff, 0xd8, 0xff, 0xd9]);
    let whole = jpeg(&noise(400, 300), Some(exif));
    for half in [whole.len() - 2, whole.len() / 2, whole.len() / 10] {
        let refused = picture::prepare(&whole[..half]);
        assert!(matches!(refused, Err(Error::Cut)), "{half}: {refused:?}");
    }
    let mut more = whole.clone();
    more.extend_from_slice(b"what a telephone writes behind it");
    assert!(picture::prepare(&more).is_ok());
}

#[test]
fn a_name_is_a_hash_and_nothing_else() {
    let ours = picture::prepare(&jpeg(&noise(80, 60), None)).unwrap();
    assert_eq!(picture::hash_of(&ours.file()), Some(ours.hash.clone()));
    for bad in [
        "",
        "x.jpg",
        "../../etc/passwd",
        &ours.file().to_uppercase(),
        &ours.file().replace(".jpg", ".svg"),
    ] {
        assert_eq!(picture::hash_of(bad), None, "{bad}");
    }
}
