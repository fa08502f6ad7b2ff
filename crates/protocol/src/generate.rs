//! How a text is continued: what is asked for. What comes of it is an answer of tensors ([`crate::Input::Generated`]) or a text
//! ([`Generated`]).

use serde::{Deserialize, Serialize};

/// A text to be continued token by token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Generate {
    /// What it begins with; where this is empty, with the beginning of a sample that is held out.
    pub prompt: String,
    /// What it is about, where the network reads a sequence or a picture before it writes.
    pub about: About,
    /// Tokens to add, at most: a text also ends with a token that nothing follows, or where samples of the data do.
    pub tokens: u32,
    /// Above 1 the unlikely becomes likelier, below 1 rarer; 0 always takes the likeliest.
    pub temperature: f32,
    /// Only so many of the likeliest are picked from; 0 for all.
    pub top_k: u32,
    /// Only the likeliest that together have this probability are picked from; 1 for all.
    pub top_p: f32,
    /// Only what is at least so likely, measured by the likeliest, is picked from; 0 for all.
    pub min_p: f32,
    /// Scores of tokens that the text has already are divided by this where they are positive, and multiplied where they are not; 1 leaves them.
    pub repetition_penalty: f32,
    /// Words before which the text ends.
    pub stop: Vec<String>,
    /// The same seed picks the same tokens.
    pub seed: u32,
    /// Whether what the network knows of the tokens so far is kept from one to the next, where it can be; the tokens are the same. The state of a
    /// network that reads on is kept in any case.
    pub cache: bool,
}

impl Default for Generate {
    fn default() -> Self {
        Self {
            prompt: String::new(),
            about: About::default(),
            tokens: 100,
            temperature: 0.8,
            top_k: 0,
            top_p: 0.95,
            min_p: 0.0,
            repetition_penalty: 1.0,
            stop: Vec::new(),
            seed: 1,
            cache: true,
        }
    }
}

/// What a text is about, where the network is given something beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum About {
    /// A sample that is held out, by its place; one that is learned from where none is held out.
    Sample(u32),
    /// Tokens as a person writes them, where those are what is read.
    Typed(String),
}

impl Default for About {
    fn default() -> Self {
        About::Sample(0)
    }
}

/// The likeliest tokens that are told of every place of a text.
pub const LIKELIEST: usize = 10;

/// A text that was continued.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct Generated {
    /// Number of the request.
    pub id: u32,
    /// All of it, from the prompt on.
    pub text: String,
    /// Its tokens as they are written; before a stop word those that end there at the latest.
    pub tokens: Vec<String>,
    /// How many of them were given.
    pub given: u32,
    /// How likely the network held each of them; NaN for the first, which nothing precedes.
    pub probabilities: Vec<f32>,
    /// How fast it was written.
    pub speed: Speed,
}

/// How fast a text was written.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Speed {
    /// Milliseconds until the first token was there; NaN where none was added.
    pub first_token_ms: f32,
    /// Tokens a second after that, while the network was at work on them; NaN where there were none.
    pub tokens_per_second: f32,
    /// Bytes in which was kept what the network knows of the tokens so far; 0 where nothing was kept.
    pub cache_bytes: u32,
}

impl Default for Speed {
    fn default() -> Self {
        Self { first_token_ms: f32::NAN, tokens_per_second: f32::NAN, cache_bytes: 0 }
    }
}
