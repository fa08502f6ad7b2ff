//! Learns a tokenizer from a text, in slices, so that whoever waits for it can say how far it is.

use downhill_tensor::UserError;

use super::hash::Map;
use super::learning::Learning;
use super::pieces::first;
use super::rule::{ByteLevel, MOST_TOKENS, Rule, Tokenizer, Tokens, bytes};

/// See the module.
pub(crate) struct Learner {
    kind: Tokens,
    /// Tokens that there are to be, where they are words or merged bytes.
    vocabulary: usize,
    /// Bytes of the text that were looked at.
    at: usize,
    stage: Stage,
}

enum Stage {
    /// A bit for every character there may be, set where the text has it.
    Characters(Vec<u64>),
    /// How often each piece comes.
    Pieces(Map<Box<str>, u32>),
    Merging(Box<Learning>),
}

/// Share of the work that counting pieces is, where pairs are merged after it.
const COUNTING: f64 = 0.3;

impl Learner {
    /// Learns tokens of a kind; of words and pairs the most frequent, until there are `vocabulary` tokens in all.
    pub fn new(kind: Tokens, vocabulary: usize) -> Self {
        let stage = match kind {
            Tokens::Characters => Stage::Characters(vec![0; (char::MAX as usize + 1) / 64]),
            _ => Stage::Pieces(Map::default()),
        };
        Self { kind, vocabulary, at: 0, stage }
    }

    /// Goes on for about so many bytes of the text, which is the same every time; the tokenizer, once it is learned.
    ///
    /// # Errors
    /// When the text has too many different characters.
    pub fn advance(&mut self, text: &str, budget: usize) -> Result<Option<Tokenizer>, UserError> {
        let until = self.at.saturating_add(budget).min(text.len());
        match &mut self.stage {
            _ if self.kind == Tokens::Bytes => return Ok(Some(spelling(bytes(), ByteLevel::default()))),
            Stage::Characters(seen) => {
                for c in text[self.at..].chars() {
                    if self.at >= until {
                        break;
                    }
                    seen[c as usize / 64] |= 1 << (c as usize % 64);
                    self.at += c.len_utf8();
                }
                if self.at >= text.len() {
                    return of_characters(seen).map(Some);
                }
            }
            Stage::Pieces(counts) => {
                while self.at < until {
                    let rest = &text[self.at..];
                    let piece = &rest[..first(rest)];
                    match counts.get_mut(piece) {
                        Some(n) => *n = n.saturating_add(1),
                        None => drop(counts.insert(piece.into(), 1)),
                    }
                    self.at += piece.len();
                }
                if self.at >= text.len() {
                    let counts = most_frequent(std::mem::take(counts));
                    if self.kind == Tokens::Words {
                        return Ok(Some(of_words(counts, self.vocabulary)));
                    }
                    self.stage = Stage::Merging(Box::new(Learning::new(&counts, self.vocabulary, bytes())));
                }
            }
            Stage::Merging(learning) => {
                if learning.advance(budget) {
                    let (tokens, merges) = learning.take();
                    return Ok(Some(spelling(tokens, ByteLevel { merges, ..ByteLevel::default() })));
                }
            }
        }
        Ok(None)
    }

    /// Share of the work that is done, 0 to 1.
    pub fn progress(&self, text: &str) -> f64 {
        let read = self.at as f64 / text.len().max(1) as f64;
        match &self.stage {
            Stage::Merging(learning) => COUNTING + (1.0 - COUNTING) * learning.progress(),
            _ if self.kind == Tokens::Bpe => COUNTING * read,
            _ => read,
        }
    }
}

impl Tokenizer {
    /// The tokenizer that a text asks for; of words and pairs the most frequent, until there are `vocabulary` tokens in all.
    ///
    /// # Errors
    /// When the text has too many different characters.
    pub fn learn(kind: Tokens, vocabulary: usize, text: &str) -> Result<Self, UserError> {
        let mut learner = Learner::new(kind, vocabulary);
        loop {
            if let Some(tokenizer) = learner.advance(text, usize::MAX)? {
                return Ok(tokenizer);
            }
        }
    }
}

fn spelling(tokens: Vec<Vec<u8>>, level: ByteLevel) -> Tokenizer {
    Tokenizer::new(tokens, Rule::ByteLevel(Box::new(level)))
}

fn of_characters(seen: &[u64]) -> Result<Tokenizer, UserError> {
    let count: usize = seen.iter().map(|word| word.count_ones() as usize).sum();
    if count > MOST_TOKENS {
        let message =
            format!("This text has {count} different characters; a network here can tell {MOST_TOKENS} tokens apart.");
        return Err(UserError::at("tokenizer", message).hint("Choose `bpe` or `bytes`."));
    }
    let is_seen = |c: &char| seen[*c as usize / 64] >> (*c as usize % 64) & 1 == 1;
    let characters = ('\0'..=char::MAX).filter(is_seen);
    Ok(Tokenizer::new(characters.map(|c| c.to_string().into_bytes()).collect(), Rule::Characters))
}

fn of_words(counts: Vec<(Box<str>, u32)>, vocabulary: usize) -> Tokenizer {
    let mut tokens = bytes();
    let room = vocabulary.saturating_sub(tokens.len());
    let frequent = counts.into_iter().filter(|(piece, _)| piece.len() > 1);
    tokens.extend(frequent.take(room).map(|(piece, _)| piece.as_bytes().to_vec()));
    spelling(tokens, ByteLevel { words: true, ..ByteLevel::default() })
}

/// Pieces with how often they come, the most frequent first, equals in the order of the alphabet.
fn most_frequent(counts: Map<Box<str>, u32>) -> Vec<(Box<str>, u32)> {
    let mut counts: Vec<(Box<str>, u32)> = counts.into_iter().collect();
    counts.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counts
}
