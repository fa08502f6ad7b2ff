//! An image with a square of it hidden, at every place: where the answer changes most is what the network looks at (M. Zeiler and R. Fergus, 2014).

use downhill_tensor::UserError;

/// Numbers of all rows together, at most.
const MOST: usize = 1 << 22;

/// The image and, for every place, the image without what the square covers there; see [`downhill_protocol::Input::Occluded`]. `shape` is
/// `[height, width]` or `[channels, height, width]`.
///
/// # Errors
/// When it is no image, or there are too many places.
pub(crate) fn occluded(image: &[f32], shape: &[usize], side: u32, stride: u32) -> Result<Vec<f32>, UserError> {
    let &[.., height, width] = shape else {
        return Err(UserError::new("These samples are no images, so no part of them can be hidden."));
    };
    let (side, stride) = (side.max(1) as usize, stride.max(1) as usize);
    let (down, across) = (height.div_ceil(stride), width.div_ceil(stride));
    if (down * across + 1).saturating_mul(image.len()) > MOST {
        return Err(UserError::new(format!(
            "Images of {height} × {width} pixels have too many places to hide them one by one."
        ))
        .hint("Hide larger squares, further apart."));
    }
    let plane = (height * width).max(1);
    let background: Vec<f32> = image.chunks(plane).map(median).collect();
    let mut rows = image.to_vec();
    for (y, x) in (0..down).flat_map(|y| (0..across).map(move |x| (y, x))) {
        let (top, left) = (covered(y, stride, side, height), covered(x, stride, side, width));
        let hidden = |at: usize| top.contains(&(at % plane / width)) && left.contains(&(at % width));
        rows.extend(image.iter().enumerate().map(|(at, &v)| if hidden(at) { background[at / plane] } else { v }));
    }
    Ok(rows)
}

/// The pixels along an axis that a square around the middle of a place covers: of places of 2 pixels and a square of 4, place 1 covers 1…4.
fn covered(place: usize, stride: usize, side: usize, len: usize) -> std::ops::Range<usize> {
    let twice = 2 * place * stride + stride;
    let start = twice.saturating_sub(side) / 2;
    start..((twice + side) / 2).min(len)
}

fn median(values: &[f32]) -> f32 {
    let mut sorted = values.to_vec();
    let middle = sorted.len() / 2;
    *sorted.select_nth_unstable_by(middle, f32::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_hidden_once_and_has_the_background_of_its_channel() {
        let image: Vec<f32> = (0..32u8).map(|i| if i < 16 { f32::from(i % 4 == 1) } else { 5.0 }).collect();
        let rows = occluded(&image, &[2, 4, 4], 2, 2).expect("an image");
        assert_eq!(rows.len(), 5 * 32);
        assert_eq!(rows[..32], image);
        let last = &rows[4 * 32..];
        let hidden: Vec<usize> = (0..32).filter(|&i| rows[32 + i] != image[i]).collect();
        assert_eq!(hidden, [1, 5], "of the first place, the ink in its two by two pixels");
        assert_eq!(last[..16], image[..16], "there is no ink in the last place");
        assert!(rows.chunks(32).all(|row| row[16..].iter().all(|&v| v == 5.0)));
    }

    #[test]
    fn a_square_reaches_over_its_place_on_all_sides_and_ends_at_the_border() {
        assert_eq!([0, 1, 2].map(|place| covered(place, 2, 4, 5)), [0..3, 1..5, 3..5]);
        assert_eq!(covered(3, 1, 3, 8), 2..5);
    }

    #[test]
    fn what_is_no_image_or_too_large_is_refused() {
        assert!(occluded(&[1.0], &[1], 1, 1).is_err());
        assert!(occluded(&vec![0.0; 1 << 14], &[1 << 7, 1 << 7], 1, 1).is_err());
    }
}
