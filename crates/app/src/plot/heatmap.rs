//! Values on a grid as pixels.

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

/// Paints class probabilities `[classes, points]`: two classes on the diverging scale, more as the likeliest one's colour, paler
/// where it is less sure.
pub fn classes(probabilities: &[f32], classes: usize, palette: &Palette, ramp: &[Rgb], pixels: &mut Vec<u8>) {
    /// The picture stays paler than the points on it.
    const STRENGTH: f32 = 0.66;
    pixels.clear();
    let points = probabilities.len().checked_div(classes).unwrap_or(0);
    for point in 0..points {
        let p = |class: usize| probabilities[class * points + point];
        let [r, g, b] = if classes == 2 {
            on_ramp((p(1) - p(0)) * STRENGTH, ramp, palette.ink)
        } else {
            let (class, best) = (0..classes).map(|c| (c, p(c))).fold((0, f32::MIN), |a, b| if b.1 > a.1 { b } else { a });
            let even = 1.0 / classes as f32;
            super::colour::mix(palette.zero, palette.class(class), ((best - even) / (1.0 - even)).clamp(0.0, 1.0) * STRENGTH)
        };
        pixels.extend_from_slice(&[r, g, b, 255]);
    }
}

/// What a neuron's map says in numbers: mean, and the share of points where it hardly moves (|v| above 0.97 of a bounded function).
pub fn mean(values: &[f32]) -> f32 {
    values.iter().sum::<f32>() / values.len().max(1) as f32
}

/// The share of `values` with a magnitude above `limit`, 0–1.
pub fn share_above(values: &[f32], limit: f32) -> f32 {
    values.iter().filter(|v| v.abs() > limit).count() as f32 / values.len().max(1) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_classes_use_the_diverging_scale_and_more_their_own_colours() {
        let p = Palette::default();
        let mut pixels = Vec::new();
        classes(&[0.5, 0.0, 0.5, 1.0], 2, &p, &p.ramp(), &mut pixels);
        assert_eq!(pixels[..3], p.zero);
        assert!(pixels[6] > pixels[4], "a sure second class is blue: {pixels:?}");
        classes(&[1.0 / 3.0, 0.0, 1.0 / 3.0, 0.0, 1.0 / 3.0, 1.0], 3, &p, &p.ramp(), &mut pixels);
        assert_eq!(pixels[..3], p.zero);
        assert!(pixels[5] > pixels[4], "a sure third class is green: {pixels:?}");
    }

    #[test]
    fn a_map_of_zeros_is_not_blown_up_and_nan_is_seen() {
        let p = Palette::default();
        assert_eq!(scale_of(&[0.0; 4]), 20.0);
        let mut pixels = Vec::new();
        diverging(&[f32::NAN, 2.0], 1.0, &p.ramp(), p.ink, &mut pixels);
        assert_eq!((&pixels[..3], &pixels[4..7]), (&p.ink[..], &p.positive[..]));
    }
}
