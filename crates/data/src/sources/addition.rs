//! Sums of numbers written out, digit by digit.

use downhill_tensor::UserError;
use downhill_tensor::rng::{Rng, Stream};

use super::Generate;
use super::answer::Answers;
use crate::assets::Assets;
use crate::dataset::Dataset;
use crate::fields;

fields! {
    /// Sums to be worked out digit by digit: 27+05=32.
    #[schemars(title = "Addition")]
    Addition {
        /// Sums in all, training and validation together.
        #[schemars(title = "Samples", range(min = 10, max = 50000))]
        samples: u32 = 10000,
        /// Digits of each number.
        #[schemars(title = "Digits", range(min = 1, max = 8))]
        digits: u32 = 2,
        /// Whether the last digit of the sum comes first, as on paper: then each digit needs only the carry before it.
        #[schemars(title = "Last digit first")]
        reversed: bool = true,
        /// Whether the sequence and the answer so far are two inputs, for an encoder and a decoder, instead of one.
        #[schemars(title = "Two inputs")]
        encoder_decoder: bool = false,
        /// Share of the sums that is never learned from.
        #[schemars(title = "Validation", range(min = 0.0, max = 0.9))]
        validation: f64 = 0.2,
    }
}

const PLUS: u32 = 10;
const EQUALS: u32 = 11;

/// The digits of a number, the first with the highest value.
fn digits(mut number: u32, count: u32) -> Vec<u32> {
    let mut digits: Vec<u32> = (0..count)
        .map(|_| {
            let digit = number % 10;
            number /= 10;
            digit
        })
        .collect();
    digits.reverse();
    digits
}

impl Generate for Addition {
    fn generate(&self, seed: u32, _: &dyn Assets) -> Result<Dataset, UserError> {
        let below = 10usize.pow(self.digits);
        let sequence = |i: u32| {
            let mut rng = Rng::new(seed, Stream::Data, i);
            let (a, b) = (rng.below(below) as u32, rng.below(below) as u32);
            let mut sum = digits(a + b, self.digits + 1);
            if self.reversed {
                sum.reverse();
            }
            let parts = [digits(a, self.digits), vec![PLUS], digits(b, self.digits), vec![EQUALS], sum];
            parts.concat()
        };
        let tokens = (0..10).map(|digit| digit.to_string()).chain(["+".to_string(), "=".to_string()]).collect();
        let sequences = (0..self.samples).map(sequence).collect();
        let description = "A sample is a sum of two numbers, written out digit by digit. The digits of the result are to be predicted one by one.";
        let (padding, notes, prompt) = (None, Vec::new(), 2 * self.digits as usize + 2);
        Answers { tokens, sequences, prompt, padding, description, notes }.finish_for(self.encoder_decoder, self.validation, seed)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::sources::Source;
    use crate::{IGNORED, NoAssets};

    #[test]
    fn the_answer_is_the_sum_from_its_last_digit_or_its_first() {
        for reversed in [true, false] {
            let fields = json!({ "digits": 3, "reversed": reversed });
            let set = Source::from_json("addition", &fields).unwrap().build(3, &NoAssets).unwrap();
            let (tokens, target) = (set.train.field("tokens").unwrap(), set.train.field("y").unwrap());
            let number = |digits: &[u32]| digits.iter().fold(0, |n, d| 10 * n + d);
            for i in 0..200 {
                let (row, mut asked) = (tokens.row(i), target.row(i));
                assert_eq!((row[3], row[7], &asked[..7]), (10, 11, &[IGNORED; 7][..]));
                if reversed {
                    asked[7..].reverse();
                }
                assert_eq!(number(&asked[7..]), number(&row[..3]) + number(&row[4..7]));
            }
        }
    }
}
