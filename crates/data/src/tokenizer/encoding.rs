//! From text to tokens, in slices, so that whoever waits for a long text can say how far it is.

use downhill_tensor::UserError;

use super::hash::Map;
use super::pieces::{first, first_behind_a_blank};
use super::rule::{ByteLevel, NONE, Rule, Tokenizer};
use crate::spec::quote;

/// A longer piece is not looked for among those that came before.
const LONGEST_KNOWN: usize = 64;

/// How far a text is cut into tokens.
#[derive(Default)]
pub(crate) struct Encoding {
    /// Bytes that are done.
    at: usize,
    /// Where the next added token stands, of each; looked for again where one is passed.
    ahead: Option<Vec<usize>>,
    /// Where the text up to the next added token ends, once it has begun.
    ends: Option<usize>,
    /// The tokens of pieces that came before, as a part of `tokens`.
    known: Map<Box<str>, (usize, usize)>,
    tokens: Vec<u32>,
}

impl Encoding {
    /// Bytes of the text that are done.
    pub fn done(&self) -> usize {
        self.at
    }

    /// The tokens so far.
    pub fn finish(self) -> Vec<u32> {
        self.tokens
    }

    /// Goes on for about so many bytes of the text, which is the same every time.
    ///
    /// # Errors
    /// When it holds what has no token.
    pub fn advance(&mut self, tokenizer: &Tokenizer, text: &str, budget: usize) -> Result<(), UserError> {
        let until = self.at.saturating_add(budget).min(text.len());
        match &tokenizer.rule {
            Rule::Characters => self.characters(tokenizer, text, until),
            Rule::Names => self.names(tokenizer, text),
            Rule::ByteLevel(level) => {
                while self.at < until {
                    self.piece(tokenizer, level, text)?;
                }
                Ok(())
            }
        }
    }

    fn characters(&mut self, tokenizer: &Tokenizer, text: &str, until: usize) -> Result<(), UserError> {
        let number = |c: char| tokenizer.numbers.get(c.encode_utf8(&mut [0; 4]).as_bytes()).copied().unwrap_or(NONE);
        // Most characters of most texts: a text of 20 MB is not looked up in the map one by one.
        let ascii: Vec<u32> = (0..128u8).map(|byte| number(char::from(byte))).collect();
        for c in text[self.at..].chars() {
            let token = ascii.get(c as usize).copied().unwrap_or_else(|| number(c));
            if token == NONE {
                return Err(unknown(&c.to_string(), "character"));
            }
            self.tokens.push(token);
            self.at += c.len_utf8();
            if self.at >= until {
                break;
            }
        }
        Ok(())
    }

    fn names(&mut self, tokenizer: &Tokenizer, text: &str) -> Result<(), UserError> {
        let longest = tokenizer.tokens.iter().map(Vec::len).max().unwrap_or(0);
        for word in text.split_whitespace() {
            let mut rest = word.as_bytes();
            while !rest.is_empty() {
                let fits =
                    (1..=longest.min(rest.len())).rev().find_map(|len| Some((len, *tokenizer.numbers.get(&rest[..len])?)));
                let Some((len, token)) = fits else { return Err(unknown(word, "word")) };
                self.tokens.push(token);
                rest = &rest[len..];
            }
        }
        self.at = text.len();
        Ok(())
    }

    /// Takes an added token or a piece.
    fn piece(&mut self, tokenizer: &Tokenizer, level: &ByteLevel, text: &str) -> Result<(), UserError> {
        let begins = self.ends.is_none();
        let ends = match self.ends {
            Some(ends) => ends,
            None => match self.next_added(tokenizer, level, text) {
                Some((at, token)) if at == self.at => {
                    self.tokens.push(token);
                    self.at += tokenizer.tokens[token as usize].len();
                    return Ok(());
                }
                found => found.map_or(text.len(), |(at, _)| at),
            },
        };
        let rest = &text[self.at..ends];
        if begins && level.blank_first && !rest.starts_with(' ') {
            let (piece, taken) = first_behind_a_blank(rest);
            self.put(tokenizer, level, &piece)?;
            self.at += taken;
        } else {
            let piece = &rest[..first(rest)];
            self.put(tokenizer, level, piece)?;
            self.at += piece.len();
        }
        self.ends = (self.at < ends).then_some(ends);
        Ok(())
    }

    /// The added token that comes next, the longest where several begin there.
    fn next_added(&mut self, tokenizer: &Tokenizer, level: &ByteLevel, text: &str) -> Option<(usize, u32)> {
        let spelled = |token: u32| std::str::from_utf8(&tokenizer.tokens[token as usize]).unwrap_or_default();
        let find = |token: u32, from: usize| text[from..].find(spelled(token)).map_or(usize::MAX, |at| from + at);
        let at = self.at;
        let ahead = self.ahead.get_or_insert_with(|| level.added.iter().map(|token| find(*token, at)).collect());
        for (place, token) in ahead.iter_mut().zip(&level.added) {
            if *place < at {
                *place = find(*token, at);
            }
        }
        let next = ahead.iter().zip(&level.added).filter(|(place, _)| **place < usize::MAX);
        let next = next.min_by_key(|(place, token)| (**place, std::cmp::Reverse(spelled(**token).len())));
        next.map(|(place, token)| (*place, *token))
    }

    /// Adds the tokens of a piece. A piece that comes again is not merged again.
    fn put(&mut self, tokenizer: &Tokenizer, level: &ByteLevel, piece: &str) -> Result<(), UserError> {
        if let Some(&(from, to)) = self.known.get(piece) {
            self.tokens.extend_from_within(from..to);
            return Ok(());
        }
        let from = self.tokens.len();
        let whole = tokenizer.numbers.get(piece.as_bytes()).filter(|_| level.words);
        match whole {
            Some(token) => self.tokens.push(*token),
            None => {
                let spelled = piece.bytes().map(|byte| level.bytes[usize::from(byte)]);
                if spelled.clone().any(|token| token == NONE) {
                    return Err(unknown(piece.trim(), "token for all bytes of"));
                }
                if level.merges.is_empty() {
                    self.tokens.extend(spelled);
                } else {
                    self.tokens.extend(level.merges.merged(spelled));
                }
            }
        }
        if piece.len() <= LONGEST_KNOWN {
            self.known.insert(piece.into(), (from, self.tokens.len()));
        }
        Ok(())
    }
}

impl Tokenizer {
    /// The tokens of a text.
    ///
    /// # Errors
    /// When it holds a character or a name that has no token.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, UserError> {
        let mut encoding = Encoding::default();
        encoding.advance(self, text, usize::MAX)?;
        Ok(encoding.finish())
    }
}

fn unknown(what: &str, kind: &str) -> UserError {
    let mut characters = what.chars();
    // What cannot be seen is said by its number.
    let said = match (characters.next(), characters.next()) {
        (Some(c), None) if c.is_control() || c.is_whitespace() => format!("U+{:04X}", u32::from(c)),
        _ => format!("\"{}\"", quote(what)),
    };
    UserError::new(format!("The network knows no {kind} {said}.")).hint("Leave it out: it was not in the text that is learned.")
}
