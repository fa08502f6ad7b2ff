//! Sequences that ask for an answer: a prompt, then what follows from it, which a network is to continue token by token; as one input, or as two
//! for an encoder and a decoder. Which prompts and answers, the sources say.

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
    /// The data set, with the answer as an input of its own where an encoder reads the prompt and a decoder writes.
    pub fn finish_for(self, encoder_decoder: bool, validation: f64, seed: u32) -> Result<Dataset, UserError> {
        if encoder_decoder { self.finish_apart(validation, seed) } else { self.finish(validation, seed) }
    }

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

    /// The data set of two inputs: what stands before the last token of the prompt, and the answer so far. Of `abc→cba` the encoder reads `abc`;
    /// the decoder is given `→`, `→c`, `→cb`, and is to say `c`, `b`, `a`.
    fn finish_apart(self, validation: f64, seed: u32) -> Result<Dataset, UserError> {
        let language = Language::of_answers(&self.tokens);
        let read = self.prompt - 1;
        let steps = self.sequences.first().map_or(1, |first| first.len() - self.prompt);
        let (mut tokens, mut answers, mut targets) = (Vec::new(), Vec::new(), Vec::new());
        for sequence in &self.sequences {
            tokens.extend(&sequence[..read]);
            answers.extend(&sequence[read..read + steps]);
            let asked = |token: u32| if Some(token) == self.padding { IGNORED } else { token };
            targets.extend(sequence[self.prompt..].iter().map(|&token| asked(token)));
        }
        let field = |name, steps, tokens| Field::new(name, [steps], Column::U32(tokens)).vocabulary(self.tokens.len());
        let fields = vec![field("tokens", read, tokens), field(ANSWER, steps, answers)];
        let card = (self.description, "Generated from the seed; free to use.");
        let mut samples = Samples::new(Task::Classification { classes: self.tokens }, fields, Column::U32(targets), card);
        samples.positions = vec![steps];
        samples.notes = self.notes;
        samples.notes.push(TEACHER_FORCING.to_string());
        samples.features = (1..=read).map(|step| format!("token at {step}")).collect();
        let set = samples.finish(validation, seed)?;
        Ok(Dataset { language: Some(language), ..set })
    }
}

/// Name of the input with the answer so far, where it is one of its own.
pub(super) const ANSWER: &str = "answer";

/// What a decoder is given while it learns.
pub(super) const TEACHER_FORCING: &str = "The second input is the right answer so far, moved by one place: while it learns, and wherever it is \
                                           measured, the network is given the right tokens before the one that it is asked for.";

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
