//! Random sequences that repeat: what follows a token is known from where it stood before, and from nothing else (Olsson et al. 2022).

use downhill_tensor::UserError;
use downhill_tensor::rng::{Rng, Stream};

use super::Generate;
use super::answer::{Answers, letters};
use crate::assets::Assets;
use crate::dataset::Dataset;
use crate::fields;

fields! {
    /// Random sequences that come twice: look for where the token stood before, and say what followed.
    #[schemars(title = "Induction")]
    Induction {
        /// Sequences in all, training and validation together.
        #[schemars(title = "Samples", range(min = 10, max = 50000))]
        samples: u32 = 5000,
        /// How many different tokens there are.
        #[schemars(title = "Tokens", range(min = 2, max = 1000))]
        vocabulary: u32 = 26,
        /// Tokens until the sequence repeats; no token comes twice in them where there are enough.
        #[schemars(title = "Length", range(min = 2, max = 128))]
        length: u32 = 12,
        /// Share of the sequences that is never learned from.
        #[schemars(title = "Validation", range(min = 0.0, max = 0.9))]
        validation: f64 = 0.2,
    }
}

impl Generate for Induction {
    fn generate(&self, seed: u32, _: &dyn Assets) -> Result<Dataset, UserError> {
        let length = self.length as usize;
        let sequence = |i: u32| {
            let mut rng = Rng::new(seed, Stream::Data, i);
            let mut half = Vec::with_capacity(length);
            while half.len() < length {
                let mut all: Vec<u32> = (0..self.vocabulary).collect();
                rng.shuffle(&mut all);
                half.extend(all.into_iter().take(length - half.len()));
            }
            half.repeat(2)
        };
        let sequences = (0..self.samples).map(sequence).collect();
        let tokens = letters(self.vocabulary);
        let description = "A sample is a random sequence of letters that comes twice. To be predicted is the second time, but for its first letter.";
        let (padding, notes) = (None, Vec::new());
        Answers { tokens, sequences, prompt: length + 1, padding, description, notes }.finish(self.validation, seed)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::sources::Source;
    use crate::{IGNORED, NoAssets};

    #[test]
    fn what_is_asked_for_stood_there_before() {
        let set = Source::from_json("induction", &json!({ "length": 6 })).unwrap().build(3, &NoAssets).unwrap();
        for i in 0..100 {
            let (row, asked) = (set.train.field("tokens").unwrap().row(i), set.train.field("y").unwrap().row(i));
            assert_eq!((row.len(), &asked[..6]), (11, &[IGNORED; 6][..]));
            assert!((6..11).all(|at| row[at] == row[at - 6]));
            assert_eq!(asked[6..], row[1..6]);
            let different: std::collections::BTreeSet<u32> = row[..6].iter().copied().collect();
            assert_eq!(different.len(), 6);
        }
    }
}
