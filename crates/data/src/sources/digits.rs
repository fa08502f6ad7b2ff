//! The bundled digits: a file of bytes, which stay bytes.

use downhill_tensor::UserError;

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
    /// 1797 handwritten digits of 8 × 8 pixels.
    #[schemars(title = "Digits", extend("x-glyph" = "8"))]
    Digits {
        /// Share of the samples that is never learned from.
        #[schemars(title = "Validation", range(min = 0.0, max = 0.9))]
        validation: f64 = 0.3,
    }
}

/// Pixels as they are read from their bytes: ink from 0 to 1, so that what a person draws needs no statistics of the set.
fn pixels(bytes: Vec<u8>) -> Column {
    Column::U8 { bytes, scale: 1.0 / f32::from(INK), shift: 0.0 }
}

impl Generate for Digits {
    #[cfg(feature = "bundled")]
    const BUNDLED: Option<(&'static str, &'static [u8])> = Some((FILE, include_bytes!("../../../../static/data/digits.bin")));

    fn outline(&self) -> Option<Outline> {
        let input = Field::new(INPUT, [SIDE * SIDE], pixels(Vec::new()));
        Some(Outline { samples: 1797, input, classes: 10, validation: self.validation })
    }

    fn needs(&self) -> Option<&str> {
        Some(FILE)
    }

    fn generate(&self, seed: u32, assets: &dyn Assets) -> Result<Dataset, UserError> {
        let bytes = fetch(assets, FILE)?;
        let sound = |record: &[u8]| record[0] < 10 && record[1..].iter().all(|&ink| ink <= INK);
        if bytes.len() % RECORD != 0 || !bytes.chunks_exact(RECORD).all(sound) {
            return Err(UserError::new("The file \"digits.bin\" is damaged.").hint("Reload the page."));
        }
        let ink = bytes.chunks_exact(RECORD).flat_map(|record| &record[1..]).copied().collect();
        let labels = bytes.chunks_exact(RECORD).map(|record| u32::from(record[0])).collect();
        let task = Task::Classification { classes: (0..10).map(|digit| digit.to_string()).collect() };
        let features = (0..SIDE * SIDE).map(|i| format!("row {} column {}", i / SIDE + 1, i % SIDE + 1)).collect();
        let description = "A sample is one handwritten digit on a grid of 8 × 8; a pixel is the ink in it, from 0 to 1. The class is the \
                           digit that the writer was asked for.";
        let card = (description, "E. Alpaydin, C. Kaynak, 1998; UCI Machine Learning Repository, CC BY 4.0.");
        let samples = Samples::of_rows(task, features, pixels(ink), Column::U32(labels), card);
        let samples = Samples { image: Some((SIDE, SIDE)), scaling: Scaling::By(f32::from(INK)), ..samples };
        samples.finish(self.validation, seed)
    }
}
