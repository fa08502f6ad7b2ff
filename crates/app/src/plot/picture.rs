//! Images of the data as pixels: ink on paper where they are grey, their own colours where they have three channels.

use super::colour::{Palette, Rgb, mix};
use super::heatmap::likeliest;

/// The largest value of some images, which is full ink or full light.
pub fn full(values: &[f32]) -> f32 {
    let largest = values.iter().filter(|v| v.is_finite()).fold(0.0f32, |m, v| m.max(*v));
    if largest > 0.0 { largest } else { 1.0 }
}

/// The colour of every pixel of an image `[channels, height, width]` whose values go from 0 to `full`.
pub fn colours(values: &[f32], pixels: usize, full: f32, palette: &Palette) -> Vec<Rgb> {
    let share = |at: usize| values.get(at).map_or(0.0, |v| (v / full).clamp(0.0, 1.0));
    let coloured = pixels > 0 && values.len() == 3 * pixels;
    let light = |at: usize| (255.0 * share(at)).round() as u8;
    (0..pixels)
        .map(|i| {
            if coloured {
                [light(i), light(i + pixels), light(i + 2 * pixels)]
            } else {
                mix(palette.panel, palette.ink, share(i))
            }
        })
        .collect()
}

/// The colours of an image under `values`, one a pixel, on the diverging scale: the larger a value, the less is left of the image.
pub fn overlaid(image: &[Rgb], values: &[f32], scale: f32, palette: &Palette) -> Vec<Rgb> {
    /// The image stays paler than what lies over it, and shows through it.
    const IMAGE: f32 = 0.45;
    const COVER: f32 = 0.85;
    let over = |(&pixel, &v): (&Rgb, &f32)| {
        let pale = mix(palette.panel, pixel, IMAGE);
        let sign = if v < 0.0 { palette.negative } else { palette.positive };
        mix(pale, sign, COVER * (v * scale).abs().min(1.0))
    };
    image.iter().zip(values).map(over).collect()
}

/// The class of every pixel, from a label or from the probabilities of all classes for each: nothing where it is the first, the background,
/// and paler where the network is less sure.
pub fn classes(values: &[f32], pixels: usize, palette: &Palette) -> Vec<Rgb> {
    let each = (values.len() / pixels.max(1)).max(1);
    let colour = |row: &[f32]| {
        let (class, share) = match row {
            [label] => (*label as usize, 1.0),
            row => likeliest(row),
        };
        if class == 0 { palette.panel } else { mix(palette.panel, palette.class(class - 1), share) }
    };
    values.chunks_exact(each).map(colour).collect()
}

/// Colours as RGBA.
pub fn rgba(colours: &[Rgb]) -> Vec<u8> {
    colours.iter().flat_map(|&[r, g, b]| [r, g, b, 255]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grey_is_ink_on_paper_and_three_channels_are_a_colour() {
        let palette = Palette::default();
        assert_eq!(colours(&[0.0, 16.0], 2, full(&[0.0, 16.0]), &palette), [palette.panel, palette.ink]);
        assert_eq!(colours(&[1.0, 0.0, 0.0, 1.0, 0.0, 1.0], 2, 1.0, &palette), [[255, 0, 0], [0, 255, 255]]);
        assert_eq!((full(&[0.0, -2.0]), full(&[f32::NAN, 3.0])), (1.0, 3.0));
        let marked = overlaid(&[palette.panel, palette.panel], &[0.0, -2.0], 0.5, &palette);
        assert!(marked[0] == palette.panel && marked[1][2] < 100, "nothing and orange: {marked:?}");
        assert_eq!(rgba(&[[1, 2, 3]]), [1, 2, 3, 255]);
        let (nothing, second) = (palette.panel, palette.class(1));
        assert_eq!(classes(&[0.0, 2.0], 2, &palette), [nothing, second]);
        assert_eq!(classes(&[0.6, 0.3, 0.1, 0.0, 0.0, 1.0], 2, &palette), [nothing, second]);
    }
}
