//! Sequences of tokens of varying length: which of two tokens is more frequent? The smallest task whose samples are no rows of numbers.

use downhill_tensor::UserError;
use downhill_tensor::rng::{Rng, Stream};

use super::{Generate, sequences};
use crate::assets::Assets;
use crate::dataset::{Dataset, Samples, Task};
use crate::field::{Column, Field};
use crate::fields;

fields! {
    /// Sequences of tokens: which of the tokens 1 and 2 comes more often?
    #[schemars(title = "Majority")]
    Majority {
        /// Sequences in all, training and validation together.
        #[schemars(title = "Samples", range(min = 10, max = 20000))]
        samples: u32 = 2000,
        /// How many different tokens there are; the first two are counted, the others are in the way.
        #[schemars(title = "Tokens", range(min = 2, max = 1000))]
        vocabulary: u32 = 6,
        /// Tokens of the shortest sequence.
        #[schemars(title = "Shortest", range(min = 1, max = 256))]
        min_length: u32 = 3,
        /// Tokens of the longest sequence; shorter ones are filled up with the token 0.
        #[schemars(title = "Longest", range(min = 1, max = 256))]
        max_length: u32 = 16,
        /// Share of the sequences that is never learned from.
        #[schemars(title = "Validation", range(min = 0.0, max = 0.9))]
        validation: f64 = 0.3,
    }
}

/// The tokens that are counted, by class.
const COUNTED: [u32; 2] = [1, 2];

impl Generate for Majority {
    fn generate(&self, seed: u32, _: &dyn Assets) -> Result<Dataset, UserError> {
        sequences::check_lengths(self.min_length, self.max_length)?;
        let steps = self.max_length as usize;
        let (mut tokens, mut lengths, mut classes) = (Vec::new(), Vec::new(), Vec::new());
        for i in 0..self.samples {
            let class = i % 2;
            let mut rng = Rng::new(seed, Stream::Data, i);
            let length = sequences::length(&mut rng, self.min_length, self.max_length);
            let mut sequence: Vec<u32> = (0..length).map(|_| 1 + rng.below(self.vocabulary as usize) as u32).collect();
            decide(&mut sequence, class, rng.below(length));
            sequence.resize(steps, 0);
            tokens.extend(sequence);
            lengths.push(length as u32);
            classes.push(class);
        }
        let task = Task::Classification { classes: COUNTED.iter().map(|token| format!("token {token}")).collect() };
        let fields = vec![
            Field::new("tokens", [steps], Column::U32(tokens)).vocabulary(self.vocabulary as usize + 1).lengths(sequences::LENGTH),
            Field::new(sequences::LENGTH, [], Column::U32(lengths)).vocabulary(steps + 1),
        ];
        let description = "A sample is a sequence of tokens, filled up with the token 0. The class is the one of the tokens 1 and 2 that comes \
                           more often; they never come equally often.";
        let card = (description, sequences::LICENCE);
        let mut samples = Samples::new(task, fields, Column::U32(classes), card);
        samples.features = (1..=steps).map(|step| format!("token at {step}")).collect();
        samples.finish(self.validation, seed)
    }
}

/// Changes as few tokens as it takes to make the token of `class` the more frequent one: both change places where it is the rarer one, and
/// where both are equally frequent, the first token from place `from` on that is not it becomes it.
fn decide(sequence: &mut [u32], class: u32, from: usize) {
    let [own, other] = if class == 0 { COUNTED } else { [COUNTED[1], COUNTED[0]] };
    let count = |token| sequence.iter().filter(|&&t| t == token).count();
    match count(own).cmp(&count(other)) {
        std::cmp::Ordering::Greater => {}
        std::cmp::Ordering::Less => {
            for token in sequence.iter_mut().filter(|token| COUNTED.contains(token)) {
                *token = if *token == own { other } else { own };
            }
        }
        std::cmp::Ordering::Equal => {
            let (before, after) = sequence.split_at_mut(from);
            if let Some(token) = after.iter_mut().chain(before).find(|token| **token != own) {
                *token = own;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::sources::Source;
    use crate::{Labels, NoAssets};

    #[test]
    fn the_class_is_the_more_frequent_token_and_what_follows_the_length_is_padding() {
        for fields in [json!({}), json!({ "vocabulary": 2, "min_length": 1, "max_length": 9 })] {
            let set = Source::from_json("majority", &fields).unwrap().build(3, &NoAssets).unwrap();
            let (tokens, lengths) = (set.train.field("tokens").unwrap(), set.train.field("length").unwrap());
            let Labels::Class(classes) = set.labels(&set.train) else { panic!("there are classes") };
            let mut seen = std::collections::BTreeSet::new();
            for (i, &class) in classes.iter().enumerate() {
                let (row, length) = (tokens.row(i), lengths.row(i)[0] as usize);
                let count = |token| row.iter().filter(|&&t| t == token).count();
                assert_eq!(u32::from(count(2) > count(1)), class, "{row:?}");
                assert_ne!(count(1), count(2), "{row:?}");
                assert!(!row[..length].contains(&0) && row[length..].iter().all(|&t| t == 0), "{row:?}");
                seen.insert(length);
            }
            assert!(seen.len() > 5);
            assert_eq!((set.inputs.as_slice(), tokens.lengths.as_deref()), (&["tokens".to_string()][..], Some("length")));
        }
    }

    #[test]
    fn a_shortest_sequence_that_is_longer_than_the_longest_is_refused() {
        let source = Source::from_json("majority", &json!({ "min_length": 9, "max_length": 8 })).unwrap();
        assert_eq!(source.build(1, &NoAssets).unwrap_err().path.as_deref(), Some("min_length"));
    }
}
