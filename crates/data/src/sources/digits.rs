use downhill_tensor::UserError;

use super::Generate;
use super::table::fetch;
use crate::assets::Assets;
use crate::dataset::{Dataset, Labels, Samples, Scaling, Task};
use crate::fields;

const FILE: &str = "digits.bin";
const SIDE: usize = 8;
/// One byte for the label, one per pixel.
const RECORD: usize = 1 + SIDE * SIDE;
/// The darkest ink a pixel can have.
const INK: u8 = 16;

fields! {
    /// 1797 handwritten digits of 8 × 8 pixels.
    #[schemars(title = "Digits")]
    Digits {
        /// Share of the samples that is never learned from.
        #[schemars(title = "Validation", range(min = 0.0, max = 0.9))]
        validation: f64 = 0.3,
    }
}

impl Generate for Digits {
    fn needs(&self) -> Option<&str> {
        Some(FILE)
    }

    fn generate(&self, seed: u32, assets: &dyn Assets) -> Result<Dataset, UserError> {
        let bytes = fetch(assets, FILE)?;
        let sound = |record: &[u8]| record[0] < 10 && record[1..].iter().all(|&ink| ink <= INK);
        if bytes.len() % RECORD != 0 || !bytes.chunks_exact(RECORD).all(sound) {
            return Err(UserError::new("The file \"digits.bin\" is damaged.").hint("Reload the page."));
        }
        let records = bytes.chunks_exact(RECORD);
        let samples = Samples {
            task: Task::Classification { classes: (0..10).map(|digit| digit.to_string()).collect() },
            features: (0..SIDE * SIDE).map(|i| format!("row {} column {}", i / SIDE + 1, i % SIDE + 1)).collect(),
            x: records.clone().flat_map(|r| r[1..].iter().map(|&ink| f32::from(ink))).collect(),
            y: Labels::Class(records.map(|r| u32::from(r[0])).collect()),
            raw: Vec::new(),
            plane: None,
            image: Some((SIDE, SIDE)),
            notes: Vec::new(),
            description: "A sample is one handwritten digit on a grid of 8 × 8; a pixel is the ink in it, from 0 to 1. The class is the \
                          digit that the writer was asked for."
                .to_string(),
            licence: "E. Alpaydin, C. Kaynak, 1998; UCI Machine Learning Repository, CC BY 4.0.".to_string(),
            // Ink from 0 to 1, so that what a person draws needs no statistics of the set.
            scaling: Scaling::By(f32::from(INK)),
            indicators: Vec::new(),
        };
        samples.finish(self.validation, seed)
    }
}
