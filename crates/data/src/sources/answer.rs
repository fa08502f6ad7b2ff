//! Sequences that ask for an answer: a prompt, then what follows from it, which a network is to continue token by token. Which prompts and
//! answers, the sources say.

use downhill_tensor::UserError;

use crate::dataset::{Dataset, IGNORED, Samples, Task};
use crate::field::{Column, Field};
use crate::language::Language;

/// Prompts with their answers, all as long as each other.
pub(super) struct Answers {
    /// The name of every token.
    pub tokens: Vec<String>,
    /// Tokens of every sample, prompt and answer.
    pub sequences: Vec<Vec<u32>>,
    /// Tokens of the prompt: the first that is not asked for.
    pub prompt: usize,
    /// What shorter sequences are filled up with; it is never asked for.
    pub padding: Option<u32>,
    /// What a sample is.
    pub description: &'static str,
    /// What else is to be known of it.
    pub notes: Vec<String>,
}

impl Answers {
    /// The data set: at every place the network is given the token, and is to predict the next where that is part of the answer.
    pub fn finish(self, validation: f64, seed: u32) -> Result<Dataset, UserError> {
        let language = Language::of_names(&self.tokens, self.prompt);
        let steps = self.sequences.first().map_or(1, |first| first.len() - 1);
        let (mut tokens, mut targets) = (Vec::new(), Vec::new());
        for sequence in &self.sequences {
            tokens.extend(&sequence[..steps]);
            let asked = |at: usize| at >= self.prompt && Some(sequence[at]) != self.padding;
            targets.extend((1..=steps).map(|at| if asked(at) { sequence[at] } else { IGNORED }));
        }
        let fields = vec![Field::new("tokens", [steps], Column::U32(tokens)).vocabulary(self.tokens.len())];
        let card = (self.description, "Generated from the seed; free to use.");
        let mut samples = Samples::new(Task::Classification { classes: self.tokens }, fields, Column::U32(targets), card);
        samples.positions = vec![steps];
        samples.notes = self.notes;
        samples.features = (1..=steps).map(|step| format!("token at {step}")).collect();
        let set = samples.finish(validation, seed)?;
        Ok(Dataset { language: Some(language), ..set })
    }
}

/// The names of so many tokens: the letters from a on, then numbers.
pub(super) fn letters(count: u32) -> Vec<String> {
    let name =
        |i: u32| u8::try_from(i).ok().filter(|i| *i < 26).map_or_else(|| i.to_string(), |i| char::from(b'a' + i).to_string());
    (0..count).map(name).collect()
}

/// What whoever knows how texts are made loses per word, or whatever they are cut into.
pub(super) fn floor_note(floor: f64, unit: &str) -> String {
    let thousandths = (floor * 1000.0).round() as u32;
    format!("Whoever knows the grammar loses {}.{:03} nats per {unit}.", thousandths / 1000, thousandths % 1000)
}
