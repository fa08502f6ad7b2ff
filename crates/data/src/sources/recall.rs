//! Pairs of keys and values, then a key: which value stood behind it? A network needs a memory that is written to and looked things up in (Ba et
//! al. 2016; Arora et al. 2023).

use downhill_tensor::UserError;
use downhill_tensor::rng::{Rng, Stream};

use super::Generate;
use super::answer::{Answers, letters};
use crate::assets::Assets;
use crate::dataset::Dataset;
use crate::fields;

fields! {
    /// Letters with a number each, then one of the letters: say its number.
    #[schemars(title = "Associative recall")]
    Recall {
        /// Sequences in all, training and validation together.
        #[schemars(title = "Samples", range(min = 10, max = 50000))]
        samples: u32 = 8000,
        /// How many pairs there are to remember.
        #[schemars(title = "Pairs", range(min = 1, max = 26))]
        pairs: u32 = 6,
        /// How many different letters there are; no letter comes twice where there are enough.
        #[schemars(title = "Keys", range(min = 2, max = 26))]
        keys: u32 = 12,
        /// How many different numbers there are.
        #[schemars(title = "Values", range(min = 2, max = 100))]
        values: u32 = 10,
        /// Share of the sequences that is never learned from.
        #[schemars(title = "Validation", range(min = 0.0, max = 0.9))]
        validation: f64 = 0.2,
    }
}

impl Generate for Recall {
    fn generate(&self, seed: u32, _: &dyn Assets) -> Result<Dataset, UserError> {
        if self.pairs > self.keys {
            let message = format!("{} pairs need as many different letters, and there are {}.", self.pairs, self.keys);
            return Err(UserError::at("pairs", message).hint("Use fewer pairs, or more keys."));
        }
        let sequence = |i: u32| {
            let mut rng = Rng::new(seed, Stream::Data, i);
            let mut keys: Vec<u32> = (0..self.keys).collect();
            rng.shuffle(&mut keys);
            keys.truncate(self.pairs as usize);
            let mut sequence: Vec<u32> = keys.iter().flat_map(|&key| [key, self.keys + rng.below(self.values as usize) as u32]).collect();
            let asked = 2 * rng.below(self.pairs as usize);
            sequence.extend_from_within(asked..asked + 2);
            sequence
        };
        let sequences = (0..self.samples).map(sequence).collect();
        let mut tokens = letters(self.keys);
        tokens.extend((0..self.values).map(|value| value.to_string()));
        let description = "A sample is letters, each with a number behind it, then one of the letters again. To be predicted is its number.";
        let (padding, notes) = (None, Vec::new());
        Answers { tokens, sequences, prompt: 2 * self.pairs as usize + 1, padding, description, notes }.finish(self.validation, seed)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::sources::Source;
    use crate::{IGNORED, NoAssets};

    #[test]
    fn the_answer_is_what_stood_behind_the_letter() {
        let set = Source::from_json("recall", &json!({ "pairs": 4 })).unwrap().build(3, &NoAssets).unwrap();
        for i in 0..100 {
            let (row, asked) = (set.train.field("tokens").unwrap().row(i), set.train.field("y").unwrap().row(i));
            assert_eq!((row.len(), &asked[..8]), (9, &[IGNORED; 8][..]));
            let at = row[..8].iter().step_by(2).position(|key| *key == row[8]).unwrap();
            assert_eq!(asked[8], row[2 * at + 1]);
        }
        let refused = Source::from_json("recall", &json!({ "pairs": 9, "keys": 5 })).unwrap().build(3, &NoAssets);
        assert!(refused.unwrap_err().message.contains("different letters"));
    }
}
