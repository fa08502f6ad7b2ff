//! From the fields of the data to the feeds of a program: which there are, of what type, and how their words are written. The words
//! themselves are whoever's trains; nothing is copied here.

use downhill_tensor::{Shape, TensorTy};

use crate::check::Checked;
use crate::losses::Targets;

/// How the values of a field are written for a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As they are.
    Same,
    /// Whole numbers as numbers.
    Numbers,
    /// The first of two classes as this number, the second as 1.
    Binary {
        /// 0, or −1 for losses of a difference.
        first: i8,
    },
}

impl Encoding {
    /// Writes words of the data as a program wants them, in place.
    pub fn encode(self, words: &mut [u32]) {
        match self {
            Encoding::Same => {}
            Encoding::Numbers => words.iter_mut().for_each(|word| *word = (*word as f32).to_bits()),
            Encoding::Binary { first } => {
                words.iter_mut().for_each(|word| *word = if *word == 0 { f32::from(first) } else { 1.0f32 }.to_bits());
            }
        }
    }
}

/// A field as the programs of an experiment read it: the feeds `train.<name>`, `validation.<name>`, `batch.<name>`, …
#[derive(Clone, Debug, PartialEq)]
pub struct FieldFeed {
    /// Name of the field.
    pub name: String,
    /// Whether it is what is to be predicted.
    pub target: bool,
    /// How its values are written.
    pub encoding: Encoding,
    sample: TensorTy,
}

impl FieldFeed {
    /// Words of one sample.
    pub fn width(&self) -> usize {
        self.sample.shape.numel()
    }

    /// The type of the feed for so many samples.
    pub fn ty(&self, rows: usize) -> TensorTy {
        let shape = std::iter::once(rows).chain(self.sample.shape.iter().copied()).collect();
        TensorTy { shape, dtype: self.sample.dtype }
    }
}

impl Checked {
    /// The fields that programs read, the target last.
    pub fn feeds(&self) -> Vec<FieldFeed> {
        let mut feeds = Vec::new();
        for input in &self.signature.inputs {
            let sample = TensorTy { shape: Shape::from(input.port.shape.as_slice()), dtype: input.port.dtype };
            feeds.push(FieldFeed { name: input.name.clone(), target: false, encoding: Encoding::Same, sample });
            if let Some(name) = &input.port.lengths {
                // One column, so that it stands beside a row of steps.
                let sample = TensorTy::f32([1]);
                feeds.push(FieldFeed { name: name.clone(), target: false, encoding: Encoding::Numbers, sample });
            }
        }
        let (encoding, sample) = match self.targets {
            Targets::Classes => (Encoding::Same, TensorTy::u32([])),
            Targets::Binary { first } => (Encoding::Binary { first }, TensorTy::f32([1])),
            Targets::Values => (Encoding::Same, TensorTy::f32([self.signature.outputs])),
        };
        feeds.push(FieldFeed { name: downhill_data::TARGET.to_string(), target: true, encoding, sample });
        feeds
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Experiment, Signature, check};

    fn feeds(document: serde_json::Value) -> Vec<FieldFeed> {
        let experiment = Experiment::from_value(&document).unwrap().experiment;
        let signature = Signature::of(&experiment.data).unwrap();
        check(experiment, signature).unwrap().feeds()
    }

    #[test]
    fn every_field_has_a_feed_of_its_type() {
        let model = json!([{ "embedding": { "dim": 3 } }, "mean_over_time", { "linear": { "out": 1 } }]);
        let feeds = feeds(json!({ "data": "majority", "model": model, "loss": "mse" }));
        let types: Vec<(&str, String)> = feeds.iter().map(|f| (f.name.as_str(), f.ty(5).to_string())).collect();
        let wanted = [("tokens", TensorTy::u32([5, 16])), ("length", TensorTy::f32([5, 1])), ("y", TensorTy::f32([5, 1]))];
        assert_eq!(types, wanted.map(|(name, ty)| (name, ty.to_string())));
        assert_eq!(feeds[2].encoding, Encoding::Binary { first: -1 });
    }

    #[test]
    fn words_are_written_in_place() {
        let encoded = |encoding: Encoding, mut words: [u32; 3]| {
            encoding.encode(&mut words);
            words
        };
        assert_eq!(encoded(Encoding::Same, [0, 1, 7]), [0, 1, 7]);
        assert_eq!(encoded(Encoding::Numbers, [0, 1, 7]), [0.0f32, 1.0, 7.0].map(f32::to_bits));
        assert_eq!(encoded(Encoding::Binary { first: -1 }, [0, 1, 0]), [-1.0f32, 1.0, -1.0].map(f32::to_bits));
    }
}
