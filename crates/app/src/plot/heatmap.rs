//! Values on a grid as pixels.

use downhill_protocol::Elements;

use super::colour::{Palette, Rgb};

/// The scale that brings the values of a layer into −1…1: one over the largest magnitude, never blowing up what is nearly zero.
pub fn scale_of(values: &[f32]) -> f32 {
    let largest = values.iter().filter(|v| v.is_finite()).fold(0.0f32, |m, v| m.max(v.abs()));
    1.0 / largest.max(0.05)
}

/// Paints `values` with the diverging ramp into RGBA pixels.
pub fn diverging(values: &[f32], scale: f32, ramp: &[Rgb], ink: Rgb, pixels: &mut Vec<u8>) {
    pixels.clear();
    pixels.reserve(4 * values.len());
    for &v in values {
        let [r, g, b] = on_ramp(v * scale, ramp, ink);
        pixels.extend_from_slice(&[r, g, b, 255]);
    }
}

/// The ramp's colour for −1…1; NaN is `ink`.
fn on_ramp(v: f32, ramp: &[Rgb], ink: Rgb) -> Rgb {
    let at = v.clamp(-1.0, 1.0) * 255.0 + 255.0;
    if v.is_nan() { ink } else { ramp.get((at + 0.5) as usize).copied().unwrap_or(ink) }
}

/// Paints class probabilities `[points, classes]`: two classes on the diverging scale, more as the likeliest one's colour, paler
/// where it is less sure.
pub fn classes(probabilities: Elements<'_>, palette: &Palette, ramp: &[Rgb], pixels: &mut Vec<u8>) {
    /// The picture stays paler than the points on it.
    const STRENGTH: f32 = 0.66;
    pixels.clear();
    for row in probabilities.data.chunks_exact(probabilities.width().max(1)) {
        let [r, g, b] = match *row {
            [first, second] => on_ramp((second - first) * STRENGTH, ramp, palette.ink),
            _ => {
                let (class, best) = likeliest(row);
                let even = 1.0 / row.len() as f32;
                let sure = ((best - even) / (1.0 - even).max(1e-6)).clamp(0.0, 1.0);
                super::colour::mix(palette.zero, palette.class(class), sure * STRENGTH)
            }
        };
        pixels.extend_from_slice(&[r, g, b, 255]);
    }
}

/// The largest of some probabilities and whose it is; of equals the first.
pub fn likeliest(row: &[f32]) -> (usize, f32) {
    row.iter().copied().enumerate().fold((0, f32::MIN), |best, (i, p)| if p > best.1 { (i, p) } else { best })
}

/// Which pixel of a picture of `columns` by `rows`, counted row by row, lies at a place that is 0…1 on both axes.
pub fn pixel_at((x, y): (f64, f64), (columns, rows): (usize, usize)) -> usize {
    let nearest = |share: f64, count: usize| ((share * count as f64) as usize).min(count.saturating_sub(1));
    nearest(y, rows) * columns + nearest(x, columns)
}

/// The mean of a unit's map.
pub fn mean(values: &[f32]) -> f32 {
    values.iter().sum::<f32>() / values.len().max(1) as f32
}

/// The share of `values` that are nearer to an end of their range than 1.5 % of it: where a bounded function hardly moves any more. Of a
/// `tanh` those beyond ±0.97.
pub fn share_near(values: &[f32], (low, high): (f32, f32)) -> f32 {
    let edge = 0.015 * (high - low);
    values.iter().filter(|&&v| v > high - edge || v < low + edge).count() as f32 / values.len().max(1) as f32
}

/// The share of `values` that are nothing, 0–1.
pub fn share_silent(values: &[f32]) -> f32 {
    values.iter().filter(|v| v.abs() <= 1e-6).count() as f32 / values.len().max(1) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_classes_use_the_diverging_scale_and_more_their_own_colours() {
        let p = Palette::default();
        let mut pixels = Vec::new();
        let of = |classes: u32, data: &'static [f32]| (vec![data.len() as u32 / classes, classes], data);
        let mut paint = |(shape, data): (Vec<u32>, &[f32])| {
            classes(Elements { shape: &shape, data }, &p, &p.ramp(), &mut pixels);
            pixels.clone()
        };
        let two = paint(of(2, &[0.5, 0.5, 0.0, 1.0]));
        assert_eq!(two[..3], p.zero);
        assert!(two[6] > two[4], "a sure second class is blue: {two:?}");
        let three = paint(of(3, &[1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0, 0.0, 0.0, 1.0]));
        assert_eq!(three[..3], p.zero);
        assert!(three[5] > three[4], "a sure third class is green: {three:?}");
    }

    #[test]
    fn a_map_of_zeros_is_not_blown_up_and_nan_is_seen() {
        let p = Palette::default();
        assert_eq!(scale_of(&[0.0; 4]), 20.0);
        let mut pixels = Vec::new();
        diverging(&[f32::NAN, 2.0], 1.0, &p.ramp(), p.ink, &mut pixels);
        assert_eq!((&pixels[..3], &pixels[4..7]), (&p.ink[..], &p.positive[..]));
    }

    #[test]
    fn a_place_on_a_picture_is_the_pixel_below_it() {
        let at = |x, y| pixel_at((x, y), (8, 8));
        assert_eq!([at(0.0, 0.0), at(0.99, 0.0), at(0.3, 0.5), at(1.0, 1.0), at(-0.1, 0.2)], [0, 7, 34, 63, 8]);
    }

    #[test]
    fn a_unit_is_saturated_at_either_end_of_its_own_range() {
        assert_eq!(share_near(&[0.98, -0.99, 0.5, 0.0], (-1.0, 1.0)), 0.5);
        assert_eq!(share_near(&[0.0, 0.999, 0.5, 0.02], (0.0, 1.0)), 0.5);
        assert_eq!((share_silent(&[0.0, 2.0]), mean(&[1.0, 3.0])), (0.5, 2.0));
    }
}
