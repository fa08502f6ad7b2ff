//! From the fields of the data to the feeds of a program: which there are, of what type, and how their words are written. The words
//! themselves are whoever's trains; nothing is copied here.

use downhill_data::Column;
use downhill_graph::ops::Table;
use downhill_graph::{Graph, OpError, Value};
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
    /// Factor and summand, where the samples that lie beside a program are bytes.
    bytes: Option<(f32, f32)>,
    sample: TensorTy,
}

impl FieldFeed {
    /// Words of one sample.
    pub fn width(&self) -> usize {
        self.sample.shape.numel()
    }

    /// The type of a feed that is given so many samples.
    pub fn ty(&self, rows: usize) -> TensorTy {
        let shape = std::iter::once(rows).chain(self.sample.shape.iter().copied()).collect();
        TensorTy { shape, dtype: self.sample.dtype }
    }

    /// The type of the feed that keeps all of so many samples: bytes stay bytes there, four in a word.
    pub fn table_ty(&self, samples: usize) -> TensorTy {
        if self.bytes.is_some() { TensorTy::u32([samples, self.width().div_ceil(4)]) } else { self.ty(samples) }
    }

    /// The words of that feed.
    pub fn table(&self, column: &Column) -> Vec<u32> {
        if self.bytes.is_some() {
            return column.packed(self.width());
        }
        let mut words = column.words(0, usize::MAX);
        self.encoding.encode(&mut words);
        words
    }

    /// Samples out of that feed.
    pub(crate) fn select(&self, graph: &mut Graph, table: Value, indices: Value) -> Result<Value, OpError> {
        match self.bytes {
            None => graph.index_select(table, indices),
            Some((scale, shift)) => {
                let entry = self.sample.shape.clone();
                graph.index_select_from(Table::Bytes { entry, scale, shift }, table, indices)
            }
        }
    }
}

impl Checked {
    /// The fields that programs read, the target last, where there is one beside the inputs.
    pub fn feeds(&self) -> Vec<FieldFeed> {
        let mut feeds = Vec::new();
        for input in &self.signature.inputs {
            let sample = TensorTy { shape: Shape::from(input.port.shape.as_slice()), dtype: input.port.dtype };
            let (name, bytes) = (input.name.clone(), input.bytes);
            feeds.push(FieldFeed { name, target: false, encoding: Encoding::Same, bytes, sample });
            if let Some(name) = &input.port.lengths {
                // One column, so that it stands beside a row of steps.
                let sample = TensorTy::f32([1]);
                let (name, encoding) = (name.clone(), Encoding::Numbers);
                feeds.push(FieldFeed { name, target: false, encoding, bytes: None, sample });
            }
        }
        let (encoding, sample) = match self.targets {
            Targets::Classes => (Encoding::Same, TensorTy::u32(Shape::from(self.signature.positions.as_slice()))),
            Targets::Binary { first } => (Encoding::Binary { first }, TensorTy::f32([1])),
            Targets::Values => (Encoding::Same, TensorTy::f32([self.signature.outputs])),
            Targets::Numbers => (Encoding::Numbers, TensorTy::f32([1])),
            Targets::Input => return feeds,
        };
        feeds.push(FieldFeed { name: downhill_data::TARGET.to_string(), target: true, encoding, bytes: None, sample });
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
