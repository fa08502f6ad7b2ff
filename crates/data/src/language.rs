//! What is known of data whose answer at every position is the token that comes next: how its tokens are written, and how a text of them
//! begins and ends. Who continues a text is whoever runs the network.

use std::rc::Rc;

use crate::tokenizer::Tokenizer;

/// How samples are written.
#[derive(Clone, Debug)]
pub struct Language {
    /// From text to tokens and back.
    pub tokenizer: Rc<Tokenizer>,
    /// Which of the inputs is written: the only one, or, beside a sequence or a picture that it is about, the answer so far.
    pub input: usize,
    /// How many tokens of a sample are given before the first is asked for.
    pub prompt: usize,
    /// The token that nothing follows.
    pub end: Option<u32>,
    /// Whether a text may be longer than a sample: the network then sees the last of it.
    pub goes_on: bool,
    /// Characters per token, where tokens are pieces of a text.
    pub characters: Option<f64>,
}

impl Language {
    /// The language of a source whose tokens have these names and whose samples ask for what follows so many of them.
    pub(crate) fn of_names(names: &[String], prompt: usize) -> Self {
        let tokenizer = Rc::new(Tokenizer::of_names(names));
        Self { tokenizer, input: 0, prompt, end: None, goes_on: false, characters: None }
    }

    /// The same where the first input is what the text is about and the second the text, whose first token says that it begins.
    pub(crate) fn of_answers(names: &[String]) -> Self {
        Self { input: 1, ..Self::of_names(names, 1) }
    }
}
