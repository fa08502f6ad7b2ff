//! One diverging scale for everything: orange is negative, blue is positive.

/// Red, green, blue, 0–255.
pub type Rgb = [u8; 3];

/// The colours of a theme that canvases need.
#[derive(Clone, Debug, PartialEq)]
pub struct Palette {
    /// Ends and middle of the diverging scale.
    pub negative: Rgb,
    /// Middle of the diverging scale.
    pub zero: Rgb,
    /// Positive end of the diverging scale.
    pub positive: Rgb,
    /// Surface of panels.
    pub panel: Rgb,
    /// Text.
    pub ink: Rgb,
    /// Classes, as many as a source can have, apart for colour-blind eyes; the first two are the ends of the scale.
    pub classes: [Rgb; 6],
    /// Whether classes differ by the shape of their points too, for eyes or screens that keep colours apart badly.
    pub shapes: bool,
}

impl Default for Palette {
    fn default() -> Self {
        let (negative, positive) = ([224, 122, 31], [18, 104, 189]);
        Self {
            negative,
            zero: [244, 245, 247],
            positive,
            panel: [255, 255, 255],
            ink: [20, 24, 31],
            classes: [negative, positive, [15, 150, 120], [165, 80, 190], [200, 165, 20], [90, 100, 115]],
            shapes: false,
        }
    }
}

impl Palette {
    /// The colour of a class; more than six begin again.
    pub fn class(&self, class: usize) -> Rgb {
        self.classes[class % self.classes.len()]
    }

    /// The colour of `v`, which is clamped to −1…1; NaN is the colour of text, so that it is seen.
    pub fn diverging(&self, v: f32) -> Rgb {
        if v.is_nan() {
            return self.ink;
        }
        mix(self.zero, if v < 0.0 { self.negative } else { self.positive }, v.abs().min(1.0))
    }

    /// [`Palette::diverging`] in 511 steps from −1 to 1, for painting many pixels.
    pub fn ramp(&self) -> Vec<Rgb> {
        (0..511).map(|i| self.diverging((i as f32 - 255.0) / 255.0)).collect()
    }
}

/// From `a` (at 0) to `b` (at 1).
pub fn mix(a: Rgb, b: Rgb, t: f32) -> Rgb {
    std::array::from_fn(|i| (f32::from(a[i]) + (f32::from(b[i]) - f32::from(a[i])) * t).round() as u8)
}

/// As CSS writes it.
pub fn css([r, g, b]: Rgb, alpha: f32) -> String {
    format!("rgb({r} {g} {b} / {alpha:.3})")
}

/// Reads `"224 122 31"`, as the style sheet's variables hold it.
pub fn parse(text: &str) -> Option<Rgb> {
    let mut parts = text.split_whitespace().map(|p| p.parse().ok());
    Some([parts.next()??, parts.next()??, parts.next()??])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_ends_in_its_colours_and_shows_what_is_not_a_number() {
        let p = Palette::default();
        assert_eq!((p.diverging(-9.0), p.diverging(0.0), p.diverging(1.0)), (p.negative, p.zero, p.positive));
        assert_eq!(p.diverging(f32::NAN), p.ink);
        let ramp = p.ramp();
        assert_eq!((ramp[0], ramp[255], ramp[510]), (p.negative, p.zero, p.positive));
    }

    #[test]
    fn colours_are_read_as_the_style_sheet_writes_them() {
        assert_eq!(parse(" 224 122 31"), Some([224, 122, 31]));
        assert_eq!(parse("orange"), None);
    }
}
