//! What sources of sequences share: their lengths, and what they are called.

use downhill_tensor::UserError;
use downhill_tensor::rng::Rng;

use crate::dataset::{Dataset, IGNORED, Samples, Task};
use crate::field::{Column, Field};

/// Name of the field with the number of steps that count.
pub(super) const LENGTH: &str = "length";

/// Of samples that are made here.
pub(super) const LICENCE: &str = "Generated from the seed; free to use.";

/// A range of lengths goes up.
pub(super) fn check_lengths(min: u32, max: u32) -> Result<(), UserError> {
    if min <= max {
        return Ok(());
    }
    let message = format!("The shortest sequence, {min}, is longer than the longest, {max}.");
    Err(UserError::at("min_length", message).hint("Lower `min_length`, or raise `max_length`."))
}

/// A length of the range, each as likely.
pub(super) fn length(rng: &mut Rng, min: u32, max: u32) -> usize {
    min as usize + rng.below((max - min) as usize + 1)
}

/// Sequences of tokens that ask for a class at some of their positions.
pub(super) struct Asked {
    /// The name of every token.
    pub tokens: Vec<String>,
    /// The name of every class.
    pub classes: Vec<String>,
    /// Tokens and what is asked for at each of them, [`IGNORED`](crate::IGNORED) where nothing is.
    pub sequences: Vec<(Vec<u32>, Vec<u32>)>,
    /// Tokens of the longest sequence that there may be.
    pub steps: usize,
    /// What a sample is.
    pub description: &'static str,
}

impl Asked {
    /// The data set: shorter sequences are filled up with the token 0, at which nothing is asked for.
    pub fn finish(self, validation: f64, seed: u32) -> Result<Dataset, UserError> {
        let steps = self.steps;
        let (mut tokens, mut targets, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
        for (mut sequence, mut asked) in self.sequences {
            lengths.push(sequence.len() as u32);
            sequence.resize(steps, 0);
            asked.resize(steps, IGNORED);
            tokens.extend(sequence);
            targets.extend(asked);
        }
        let fields = vec![
            Field::new("tokens", [steps], Column::U32(tokens)).vocabulary(self.tokens.len()).lengths(LENGTH),
            Field::new(LENGTH, [], Column::U32(lengths)).vocabulary(steps + 1),
        ];
        let task = Task::Classification { classes: self.classes };
        let mut samples = Samples::new(task, fields, Column::U32(targets), (self.description, LICENCE));
        samples.positions = vec![steps];
        let named: Vec<String> = self.tokens.iter().enumerate().map(|(i, token)| format!("{i} is \"{token}\"")).collect();
        samples.notes = vec![format!("Tokens: {}.", named.join(", "))];
        samples.features = (1..=steps).map(|step| format!("token at {step}")).collect();
        samples.finish(validation, seed)
    }
}
