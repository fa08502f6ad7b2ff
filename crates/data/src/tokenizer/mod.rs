//! From text to tokens and back: by characters, by bytes, by words, by merged pairs of bytes, or by the names of a source's own tokens. How
//! a text is cut before that stands in `pieces.rs`, how pairs are chosen in `merges.rs`.
//!
//! Whatever is read can be written again to the byte: `decode(encode(text)) == text`, but for the names of a source, which stand apart.

mod merges;
mod pieces;

use std::collections::HashMap;

use downhill_tensor::UserError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::spec::quote;
use merges::Merges;
use pieces::pieces;

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

/// Cuts text into tokens, whole numbers from 0, and puts it together again.
#[derive(Clone, Debug, PartialEq)]
pub struct Tokenizer {
    /// The bytes of every token.
    tokens: Vec<Vec<u8>>,
    /// The token of so many bytes.
    numbers: HashMap<Vec<u8>, u32>,
    rule: Rule,
}

/// How a text is cut.
#[derive(Clone, Debug, PartialEq)]
enum Rule {
    /// Every character is a token.
    Characters,
    /// A word is a token where it has one of its own, and else its bytes are.
    Words,
    /// Every byte is a token, and pairs of them become one in the order of the list; words never grow together.
    Merges(Merges),
    /// Names of a source, the longest that fits; what separates them is white space.
    Names,
}

impl Tokenizer {
    /// The tokenizer that a text asks for; of words and pairs the most frequent, until there are `vocabulary` tokens in all.
    ///
    /// # Errors
    /// When the text has too many different characters.
    pub fn learn(kind: Tokens, vocabulary: usize, text: &str) -> Result<Self, UserError> {
        Ok(match kind {
            Tokens::Characters => {
                let mut characters: Vec<char> = text.chars().collect::<std::collections::HashSet<_>>().into_iter().collect();
                characters.sort_unstable();
                let count = characters.len();
                if count > MOST_TOKENS {
                    let message = format!(
                        "This text has {count} different characters; a network here can tell {MOST_TOKENS} tokens apart."
                    );
                    return Err(UserError::at("tokenizer", message).hint("Choose `bpe` or `bytes`."));
                }
                Self::new(characters.into_iter().map(|c| c.to_string().into_bytes()).collect(), Rule::Characters)
            }
            Tokens::Bytes => Self::new(bytes(), Rule::Merges(Merges::default())),
            Tokens::Words => {
                let mut tokens = bytes();
                let room = vocabulary.saturating_sub(tokens.len());
                let frequent = merges::counted(pieces(text)).into_iter().filter(|(piece, _)| piece.len() > 1);
                tokens.extend(frequent.take(room).map(|(piece, _)| piece.as_bytes().to_vec()));
                Self::new(tokens, Rule::Words)
            }
            Tokens::Bpe => {
                let mut tokens = bytes();
                let merges = Merges::learn(text, vocabulary, &mut tokens);
                Self::new(tokens, Rule::Merges(merges))
            }
        })
    }

    /// The tokens of a source by their names.
    pub fn of_names(names: &[String]) -> Self {
        Self::new(names.iter().map(|name| name.clone().into_bytes()).collect(), Rule::Names)
    }

    fn new(tokens: Vec<Vec<u8>>, rule: Rule) -> Self {
        let numbers = tokens.iter().zip(0..).map(|(token, number)| (token.clone(), number)).collect();
        Self { tokens, numbers, rule }
    }

    /// How many different tokens there are.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there is no token.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
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

    /// The tokens of a text.
    ///
    /// # Errors
    /// When it holds a character or a name that has no token.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, UserError> {
        match &self.rule {
            Rule::Characters => self.characters(text),
            Rule::Names => self.by_name(text),
            Rule::Words => {
                let mut tokens = Vec::with_capacity(text.len() / 4);
                for piece in pieces(text) {
                    match self.numbers.get(piece.as_bytes()) {
                        Some(&token) => tokens.push(token),
                        None => tokens.extend(piece.bytes().map(u32::from)),
                    }
                }
                Ok(tokens)
            }
            Rule::Merges(merges) if merges.is_empty() => Ok(text.bytes().map(u32::from).collect()),
            Rule::Merges(merges) => Ok(merges.encode(pieces(text))),
        }
    }

    fn characters(&self, text: &str) -> Result<Vec<u32>, UserError> {
        const NONE: u32 = u32::MAX;
        let number = |c: char| self.numbers.get(c.encode_utf8(&mut [0; 4]).as_bytes()).copied().unwrap_or(NONE);
        // Most characters of most texts: a text of 20 MB is not looked up in the map one by one.
        let ascii: Vec<u32> = (0..128u8).map(|byte| number(char::from(byte))).collect();
        let mut tokens = Vec::with_capacity(text.len());
        for c in text.chars() {
            let token = ascii.get(c as usize).copied().unwrap_or_else(|| number(c));
            if token == NONE {
                return Err(unknown(&c.to_string(), "character"));
            }
            tokens.push(token);
        }
        Ok(tokens)
    }

    fn by_name(&self, text: &str) -> Result<Vec<u32>, UserError> {
        let longest = self.tokens.iter().map(Vec::len).max().unwrap_or(0);
        let mut tokens = Vec::new();
        for word in text.split_whitespace() {
            let mut rest = word.as_bytes();
            while !rest.is_empty() {
                let fits = (1..=longest.min(rest.len())).rev().find_map(|len| Some((len, *self.numbers.get(&rest[..len])?)));
                let Some((len, token)) = fits else { return Err(unknown(word, "word")) };
                tokens.push(token);
                rest = &rest[len..];
            }
        }
        Ok(tokens)
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
fn bytes() -> Vec<Vec<u8>> {
    (0..=u8::MAX).map(|byte| vec![byte]).collect()
}

fn unknown(what: &str, kind: &str) -> UserError {
    UserError::new(format!("The network knows no {kind} \"{}\".", quote(what)))
        .hint("Leave it out: it was not in the text that is learned.")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KINDS: [Tokens; 4] = [Tokens::Characters, Tokens::Bytes, Tokens::Words, Tokens::Bpe];

    proptest! {
        #[test]
        fn every_text_is_put_together_again_to_the_byte(text in "\\PC{0,40}|[ \\n\\r\\ta-c']{0,60}", vocabulary in 256usize..300) {
            for kind in KINDS {
                let tokenizer = Tokenizer::learn(kind, vocabulary, &text).unwrap();
                let tokens = tokenizer.encode(&text).unwrap();
                prop_assert!(tokens.iter().all(|token| (*token as usize) < tokenizer.len()));
                prop_assert_eq!(tokenizer.decode(&tokens), text.clone());
            }
        }
    }

    #[test]
    fn what_can_spell_bytes_knows_texts_that_it_never_saw() {
        for kind in [Tokens::Bytes, Tokens::Words, Tokens::Bpe] {
            let tokenizer = Tokenizer::learn(kind, 300, "the sea, the sea").unwrap();
            let other = "the ship 🚢 שלום\r\n";
            assert_eq!(tokenizer.decode(&tokenizer.encode(other).unwrap()), other);
        }
        let characters = Tokenizer::learn(Tokens::Characters, 0, "abc").unwrap();
        assert_eq!(characters.encode("cab").unwrap(), [2, 0, 1]);
        assert_eq!(characters.encode("cäb").unwrap_err().message, "The network knows no character \"ä\".");
    }

    #[test]
    fn frequent_words_are_one_token_and_rare_ones_are_spelled() {
        let tokenizer = Tokenizer::learn(Tokens::Words, 258, "a boat, a boat, a boat, a ship, a boat").unwrap();
        assert_eq!(tokenizer.names()[256..], [" a", " boat"].map(String::from));
        assert_eq!(tokenizer.encode(" boat sip").unwrap(), [vec![257], " sip".bytes().map(u32::from).collect()].concat());
    }

    #[test]
    fn names_of_a_source_are_read_with_and_without_gaps() {
        let sum = Tokenizer::of_names(&["1", "2", "+", "="].map(String::from));
        assert_eq!(sum.encode("12+ 1=").unwrap(), [0, 1, 2, 0, 3]);
        assert_eq!(sum.decode(&[0, 1, 2, 0, 3]), "12+1=");
        let words = Tokenizer::of_names(&["", "once", "there", "."].map(String::from));
        assert_eq!(words.encode(" once there.").unwrap(), [1, 2, 3]);
        assert_eq!(words.decode(&[1, 2, 3]), "once there .");
        assert!(words.encode("twice").unwrap_err().message.contains("no word \"twice\""));
    }

    #[test]
    fn more_characters_than_a_network_tells_apart_are_refused_with_a_way_out() {
        let text: String = ('\u{4e00}'..).take(MOST_TOKENS + 1).collect();
        let error = Tokenizer::learn(Tokens::Characters, 0, &text).unwrap_err();
        assert_eq!(error.path.as_deref(), Some("tokenizer"));
        assert!(error.message.contains("20001 different characters"), "{error}");
        assert!(Tokenizer::learn(Tokens::Bpe, 300, &text).is_ok());
    }
}
