//! The bundled digits: a file of bytes, which stay bytes.

use downhill_tensor::UserError;

use super::pictures::pixel_names;
use super::table::fetch;
use super::{Generate, Outline};
use crate::assets::Assets;
use crate::dataset::{Dataset, INPUT, Samples, Scaling, Task};
use crate::field::{Column, Field};
use crate::fields;

const FILE: &str = "digits.bin";
const SIDE: usize = 8;
/// One byte for the label, one per pixel.
const RECORD: usize = 1 + SIDE * SIDE;
/// The darkest ink a pixel can have.
const INK: u8 = 16;

fields! {
    /// 1797 handwritten digits of 8 × 8 pixels, or enlarged.
    #[schemars(title = "Digits", extend("x-glyph" = "8"))]
    Digits {
        /// Height and width of a picture in pixels; the digits were scanned at 8, larger ones are interpolated.
        #[schemars(title = "Size", range(min = 8, max = 32))]
        size: u32 = 8,
        /// Share of the samples to learn from that get a wrong class; validation keeps the right ones.
        #[schemars(title = "Wrong labels", range(min = 0.0, max = 1.0))]
        label_noise: f64 = 0.0,
        /// Share of the samples that is never learned from.
        #[schemars(title = "Validation", range(min = 0.0, max = 0.9))]
        validation: f64 = 0.3,
    }
}

/// Parts of one level of ink that an enlarged picture tells apart: as many as bytes have room for.
const FINE: u8 = u8::MAX / INK;

impl Digits {
    /// Pixels as they are read from their bytes: ink from 0 to 1, so that what a person draws needs no statistics of the set.
    fn pixels(&self, bytes: Vec<u8>) -> Column {
        let most = f32::from(INK) * if self.size as usize == SIDE { 1.0 } else { f32::from(FINE) };
        Column::U8 { bytes, scale: 1.0 / most, shift: 0.0 }
    }
}

/// A picture of `SIDE`² pixels, enlarged to `size`² as PyTorch's `interpolate` does with `mode="bilinear"`, in finer levels of ink.
fn enlarged(picture: &[u8], size: usize) -> impl Iterator<Item = u8> + '_ {
    // The two rows or columns around a place, and how near the second one is.
    let around = move |i: usize| {
        let at = ((i as f64 + 0.5) * SIDE as f64 / size as f64 - 0.5).clamp(0.0, (SIDE - 1) as f64);
        let first = (at as usize).min(SIDE - 2);
        (first, at - first as f64)
    };
    (0..size * size).map(move |i| {
        let ((row, down), (column, right)) = (around(i / size), around(i % size));
        let ink = |r: usize, c: usize| f64::from(picture[(row + r) * SIDE + column + c]);
        let between = |r: usize| ink(r, 0) * (1.0 - right) + ink(r, 1) * right;
        ((between(0) * (1.0 - down) + between(1) * down) * f64::from(FINE) + 0.5) as u8
    })
}

impl Generate for Digits {
    #[cfg(feature = "bundled")]
    const BUNDLED: Option<(&'static str, &'static [u8])> = Some((FILE, include_bytes!("../../../../static/data/digits.bin")));

    fn outline(&self) -> Option<Outline> {
        let pixels = (self.size * self.size) as usize;
        let input = Field::new(INPUT, [pixels], self.pixels(Vec::new()));
        Some(Outline {
            samples: 1797,
            inputs: vec![input],
            classes: 10,
            positions: Vec::new(),
            validation: self.validation,
            streamed: false,
        })
    }

    fn needs(&self) -> Vec<&str> {
        vec![FILE]
    }

    fn generate(&self, seed: u32, assets: &dyn Assets) -> Result<Dataset, UserError> {
        let bytes = fetch(assets, FILE)?;
        let sound = |record: &[u8]| record[0] < 10 && record[1..].iter().all(|&ink| ink <= INK);
        if bytes.len() % RECORD != 0 || !bytes.chunks_exact(RECORD).all(sound) {
            return Err(UserError::new("The file \"digits.bin\" is damaged.").hint("Reload the page."));
        }
        let size = self.size as usize;
        let pictures = bytes.chunks_exact(RECORD).map(|record| &record[1..]);
        let ink = match size {
            SIDE => pictures.flatten().copied().collect(),
            size => pictures.flat_map(|picture| enlarged(picture, size)).collect(),
        };
        let labels = bytes.chunks_exact(RECORD).map(|record| u32::from(record[0])).collect();
        let task = Task::Classification { classes: (0..10).map(|digit| digit.to_string()).collect() };
        let features = pixel_names(1, size, size);
        let description = "A sample is one handwritten digit, scanned on a grid of 8 × 8; a pixel is the ink in it, from 0 to 1. The class is the \
                           digit that the writer was asked for.";
        let card = (description, "E. Alpaydin, C. Kaynak, 1998; UCI Machine Learning Repository, CC BY 4.0.");
        let samples = Samples::of_rows(task, features, self.pixels(ink), Column::U32(labels), card);
        let samples = Samples { image: Some((size, size)), scaling: Scaling::By(f32::from(INK)), label_noise: self.label_noise, ..samples };
        samples.finish(self.validation, seed)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::assets::repository;
    use crate::{Dataset, Source};

    fn digits(fields: serde_json::Value) -> Dataset {
        Source::from_json("digits", &fields).unwrap().build(3, &repository).unwrap()
    }

    #[test]
    fn an_enlarged_digit_is_what_bilinear_interpolation_gives() {
        let picture = |size: u32| digits(json!({ "size": size })).train.fields[0].numbers(0);
        let (small, large) = (picture(8), picture(16));
        // A pixel of twice the size lies a quarter from one and three quarters from the other neighbour, at the border on the first.
        let at = |row: usize, column: usize| small[row * 8 + column];
        let between = |row: usize| 0.75 * at(row, 3) + 0.25 * at(row, 4);
        let wanted = 0.25 * between(4) + 0.75 * between(5);
        assert!((large[10 * 16 + 7] - wanted).abs() <= 0.5 / 240.0 + 1e-6, "{} {wanted}", large[10 * 16 + 7]);
        assert_eq!(large[0], small[0]);
        assert_eq!(picture(28).len(), 28 * 28);
    }

    #[test]
    fn so_many_labels_to_learn_from_are_wrong_and_none_to_measure_with() {
        let (right, wrong) = (digits(json!({})), digits(json!({ "label_noise": 0.4 })));
        let differ = |a: &crate::Part, b: &crate::Part| {
            (0..a.len()).filter(|&i| a.field("y").unwrap().row(i) != b.field("y").unwrap().row(i)).count() as f64 / a.len() as f64
        };
        assert!((differ(&right.train, &wrong.train) - 0.4).abs() < 0.04);
        assert_eq!(differ(&right.validation, &wrong.validation), 0.0);
        assert_ne!(right.card.hash, wrong.card.hash);
    }
}
