//! A folder, or a zip, of pictures as the file of arrays that the source `images` reads: each picture is decoded, turned as its camera was held, put on
//! white where it is transparent and cut to the square in its middle, as the page does it.

use std::io::Cursor;
use std::path::Path;

use downhill_data::arrays::{Member, is_array, members, pack, write_npy};
use downhill_data::folders::{class_of, is_hidden};
use downhill_tensor::UserError;
use image::imageops::FilterType;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageReader, Limits, Rgb, RgbImage};

use crate::folder;
use crate::trouble::trouble;

/// Larger pictures are kept in this size.
const FINE: u32 = 128;
/// Most bytes that a picture may take while it is decoded: one of 100 megapixels has room.
const LARGEST: u64 = 512 << 20;

/// The bytes of a set of pictures at a path: of a folder or a zip of pictures those of a file of arrays, of any other file its own.
///
/// # Errors
/// When a file cannot be read, or none of them is a picture.
pub fn read(path: &Path) -> Result<Vec<u8>, UserError> {
    let name = path.display().to_string();
    let files = if path.is_dir() {
        folder::files(path)?
    } else {
        let bytes = std::fs::read(path).map_err(|e| trouble(path, "read", &e))?;
        if !bytes.starts_with(b"PK") {
            return Ok(bytes);
        }
        let files = members(&name, bytes.clone())?;
        if files.iter().any(|file| is_array(&file.bytes)) {
            return Ok(bytes);
        }
        files
    };
    // A folder of arrays, such as the four files of MNIST, is one file of them.
    if files.iter().any(|file| is_array(&file.bytes) || file.name.ends_with(".gz")) {
        pack(&files)
    } else {
        decoded(&name, &files)
    }
}

/// Pictures as arrays.
fn decoded(path: &str, files: &[Member]) -> Result<Vec<u8>, UserError> {
    let mut squares = Vec::new();
    for file in files.iter().filter(|file| !is_hidden(&file.name)) {
        match square(&file.bytes) {
            Some(square) => {
                let (class, held_out) = class_of(&file.name);
                squares.push(((class.unwrap_or("pictures"), held_out), square));
            }
            None => eprintln!("note: \"{}\" is no picture that can be read, and is left out.", file.name),
        }
    }
    if squares.is_empty() {
        let error = UserError::at(path, "There is no picture in it that can be read.");
        return Err(error.hint(
            "JPEG, PNG, WebP, GIF and BMP can be, each class in a folder of its own; or IDX files, or arrays of NumPy.",
        ));
    }
    let side = squares.iter().map(|(_, square)| square.width()).max().unwrap_or(1);
    let mut classes: Vec<&str> = squares.iter().map(|((class, _), _)| *class).collect();
    classes.sort_unstable();
    classes.dedup();
    let mut arrays = Vec::new();
    for (held_out, ending) in [(false, ""), (true, "_test")] {
        let (mut pixels, mut labels, mut count) = (Vec::new(), Vec::new(), 0);
        for ((class, _), square) in squares.iter().filter(|((_, held), _)| *held == held_out) {
            let square = if square.width() == side {
                square
            } else {
                &image::imageops::resize(square, side, side, FilterType::Triangle)
            };
            pixels.extend_from_slice(square.as_raw());
            labels.extend((classes.binary_search(class).unwrap_or(0) as i32).to_le_bytes());
            count += 1;
        }
        if count > 0 {
            let side = side as usize;
            arrays.push(Member { name: format!("x{ending}.npy"), bytes: write_npy("|u1", &[count, side, side, 3], &pixels) });
            arrays.push(Member { name: format!("y{ending}.npy"), bytes: write_npy("<i4", &[count], &labels) });
        }
    }
    arrays.push(Member { name: "classes.txt".to_string(), bytes: classes.join("\n").into_bytes() });
    pack(&arrays)
}

/// The square in the middle of a picture; none where it is no picture, or one too large.
fn square(bytes: &[u8]) -> Option<RgbImage> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().ok()?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(LARGEST);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().ok()?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).ok()?;
    image.apply_orientation(orientation);
    let side = image.width().min(image.height());
    let image = image.crop_imm((image.width() - side) / 2, (image.height() - side) / 2, side, side);
    let image = if side > FINE { image.resize_exact(FINE, FINE, FilterType::Triangle) } else { image };
    let on_white = |[r, g, b, opaque]: [u8; 4]| {
        let flat = |value: u8| ((u32::from(value) * u32::from(opaque) + 255 * (255 - u32::from(opaque)) + 127) / 255) as u8;
        Rgb([flat(r), flat(g), flat(b)])
    };
    let pixels = image.to_rgba8();
    Some(RgbImage::from_fn(pixels.width(), pixels.height(), |x, y| on_white(pixels.get_pixel(x, y).0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_cut_to_its_middle_and_put_on_white() {
        let mut wide = image::RgbaImage::from_pixel(30, 10, image::Rgba([255, 0, 0, 255]));
        (10..20)
            .for_each(|x| (0..10).for_each(|y| wide.put_pixel(x, y, image::Rgba([0, 0, 200, if x < 15 { 0 } else { 255 }]))));
        let mut png = Cursor::new(Vec::new());
        wide.write_to(&mut png, image::ImageFormat::Png).expect("a picture can be written");
        let square = square(png.get_ref()).expect("it is a picture");
        assert_eq!((square.width(), square.height()), (10, 10));
        assert_eq!((square.get_pixel(0, 5).0, square.get_pixel(9, 5).0), ([255, 255, 255], [0, 0, 200]));
        assert!(super::square(b"no picture").is_none());
    }
}
