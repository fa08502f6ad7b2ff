//! Sequences that are to be said backwards.

use downhill_tensor::UserError;
use downhill_tensor::rng::{Rng, Stream};

use super::Generate;
use super::answer::{Answers, letters};
use crate::assets::Assets;
use crate::dataset::Dataset;
use crate::fields;

fields! {
    /// Sequences to be said backwards: abc → cba.
    #[schemars(title = "Reverse")]
    Reverse {
        /// Sequences in all, training and validation together.
        #[schemars(title = "Samples", range(min = 10, max = 50000))]
        samples: u32 = 5000,
        /// How many different tokens there are.
        #[schemars(title = "Tokens", range(min = 2, max = 1000))]
        vocabulary: u32 = 10,
        /// Tokens of a sequence.
        #[schemars(title = "Length", range(min = 1, max = 256))]
        length: u32 = 8,
        /// Whether the sequence and the answer so far are two inputs, for an encoder and a decoder, instead of one.
        #[schemars(title = "Two inputs")]
        encoder_decoder: bool = false,
        /// Share of the sequences that is never learned from.
        #[schemars(title = "Validation", range(min = 0.0, max = 0.9))]
        validation: f64 = 0.2,
    }
}

impl Generate for Reverse {
    fn generate(&self, seed: u32, _: &dyn Assets) -> Result<Dataset, UserError> {
        let (length, mut tokens) = (self.length as usize, letters(self.vocabulary));
        let arrow = self.vocabulary;
        tokens.push("→".to_string());
        let sequence = |i: u32| {
            let mut rng = Rng::new(seed, Stream::Data, i);
            let mut sequence: Vec<u32> = (0..length).map(|_| rng.below(self.vocabulary as usize) as u32).collect();
            let mut answer = sequence.clone();
            answer.reverse();
            sequence.push(arrow);
            sequence.extend(answer);
            sequence
        };
        let sequences = (0..self.samples).map(sequence).collect();
        let description = "A sample is a sequence of letters, an arrow, and the letters from the last to the first, which are to be predicted one by one.";
        let (padding, notes) = (None, Vec::new());
        Answers { tokens, sequences, prompt: length + 1, padding, description, notes }.finish_for(self.encoder_decoder, self.validation, seed)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::sources::Source;
    use crate::{IGNORED, NoAssets};

    #[test]
    fn the_answer_is_the_sequence_backwards() {
        let fields = json!({ "length": 5, "vocabulary": 7, "samples": 40 });
        let set = Source::from_json("reverse", &fields).unwrap().build(3, &NoAssets).unwrap();
        let (tokens, target) = (set.train.field("tokens").unwrap(), set.train.field("y").unwrap());
        for i in 0..set.train.len() {
            let (row, asked) = (tokens.row(i), target.row(i));
            assert_eq!((row.len(), &asked[..5], row[5]), (10, &[IGNORED; 5][..], 7));
            let mut answer = row[..5].to_vec();
            answer.reverse();
            assert_eq!(asked[5..], answer[..]);
            assert_eq!(row[6..], answer[..4]);
        }
    }

    #[test]
    fn for_a_decoder_the_answer_so_far_is_an_input_of_its_own() {
        let fields = json!({ "length": 5, "vocabulary": 7, "samples": 40, "encoder_decoder": true });
        let set = Source::from_json("reverse", &fields).unwrap().build(3, &NoAssets).unwrap();
        assert_eq!((&set.inputs[..], set.written().unwrap().as_str()), (&["tokens".to_string(), "answer".to_string()][..], "answer"));
        let field = |name| set.train.field(name).unwrap();
        for i in 0..set.train.len() {
            let mut answer = field("tokens").row(i);
            answer.reverse();
            assert_eq!(field("y").row(i), answer);
            assert_eq!(field("answer").row(i), [&[7][..], &answer[..4]].concat());
        }
    }
}
