//! What a tokenizer is: its tokens, and the rule by which it cuts a text. How it is learned, read, and used stands in files of their own.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::hash::Map;
use super::merges::Merges;

/// What one token stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tokens {
    /// Characters
    #[default]
    Characters,
    /// Bytes
    Bytes,
    /// Words, rare ones spelled
    Words,
    /// Byte-level BPE
    Bpe,
}

/// How many different tokens a network may have to tell apart.
pub const MOST_TOKENS: usize = 20_000;

/// No token.
pub(super) const NONE: u32 = u32::MAX;

/// Cuts text into tokens, whole numbers from 0, and puts it together again.
#[derive(Clone, Debug, PartialEq)]
pub struct Tokenizer {
    /// The bytes of every token.
    pub(super) tokens: Vec<Vec<u8>>,
    /// The token of so many bytes; added tokens are none.
    pub(super) numbers: Map<Vec<u8>, u32>,
    pub(super) rule: Rule,
}

/// How a text is cut.
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
    /// Every character is a token.
    Characters,
    /// Pieces of a text that spell their bytes.
    ByteLevel(Box<ByteLevel>),
    /// Names of a source, the longest that fits; what separates them is white space.
    Names,
}

/// How a tokenizer whose tokens are bytes and what is made of them cuts a text: every byte of a piece is a token, and pairs of them become one in the order
/// of the list.
#[derive(Clone, Debug, PartialEq)]
pub struct ByteLevel {
    /// The token of every byte; `u32::MAX` where it has none.
    pub bytes: Vec<u32>,
    /// The order of the pairs.
    pub merges: Merges,
    /// Whether a piece that is a token is just that, whatever the pairs say.
    pub words: bool,
    /// Whether a text is read as if it began with a blank.
    pub blank_first: bool,
    /// Tokens that are looked for in the text before all else, such as `<|endoftext|>`.
    pub added: Vec<u32>,
}

impl Default for ByteLevel {
    /// Bytes alone.
    fn default() -> Self {
        Self { bytes: (0..256).collect(), merges: Merges::default(), words: false, blank_first: false, added: Vec::new() }
    }
}

impl Tokenizer {
    /// The tokens of a source by their names.
    pub fn of_names(names: &[String]) -> Self {
        Self::new(names.iter().map(|name| name.clone().into_bytes()).collect(), Rule::Names)
    }

    /// A tokenizer of these tokens.
    pub(super) fn new(tokens: Vec<Vec<u8>>, rule: Rule) -> Self {
        let is_added = |number: &u32| matches!(&rule, Rule::ByteLevel(level) if level.added.contains(number));
        let numbers = tokens.iter().zip(0..).filter(|(_, number)| !is_added(number));
        Self { numbers: numbers.map(|(token, number)| (token.clone(), number)).collect(), tokens, rule }
    }

    /// How many different tokens there are.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there is no token.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// How a text is cut.
    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    /// The bytes of every token.
    pub fn tokens(&self) -> &[Vec<u8>] {
        &self.tokens
    }

    /// What a person is shown of every token: bytes that are no text by themselves as `\xE2`.
    pub fn names(&self) -> Vec<String> {
        let name = |token: &Vec<u8>| match std::str::from_utf8(token) {
            Ok(text) => text.to_string(),
            Err(_) => token.iter().map(|byte| format!("\\x{byte:02X}")).collect(),
        };
        self.tokens.iter().map(name).collect()
    }

    /// Whether tokens follow each other without a gap: pieces of a text do, and names of one character, as digits are.
    pub fn is_joined(&self) -> bool {
        self.rule != Rule::Names || self.tokens.iter().all(|token| String::from_utf8_lossy(token).chars().count() < 2)
    }

    /// The text of some tokens; bytes that are no text become the replacement character.
    pub fn decode(&self, tokens: &[u32]) -> String {
        String::from_utf8_lossy(&self.bytes(tokens)).into_owned()
    }

    /// The bytes of some tokens, one after the other.
    pub fn bytes(&self, tokens: &[u32]) -> Vec<u8> {
        let bytes: Vec<&[u8]> =
            tokens.iter().map(|token| self.tokens.get(*token as usize).map_or(&[][..], Vec::as_slice)).collect();
        bytes.join(if self.is_joined() { &b""[..] } else { b" " })
    }
}

/// Every byte, as the first 256 tokens of a tokenizer that can spell anything.
pub(super) fn bytes() -> Vec<Vec<u8>> {
    (0..=u8::MAX).map(|byte| vec![byte]).collect()
}
