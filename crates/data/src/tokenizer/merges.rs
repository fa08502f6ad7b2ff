//! Byte pair encoding (Sennrich, Haddow and Birch, 2016) over bytes: the pair that comes most often becomes a token, again and again. A text
//! is then merged in the order in which the pairs were found.

use std::collections::{BinaryHeap, HashMap, HashSet};

use super::pieces::pieces;

/// A pair of tokens.
type Pair = (u32, u32);

/// Which pairs become one token, the earliest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Merges {
    /// Place in the order, and the token that a pair becomes.
    ranks: HashMap<Pair, (u32, u32)>,
}

/// Pieces with how often they come, the most frequent first, equals in the order of the alphabet.
pub(super) fn counted<'a>(pieces: impl Iterator<Item = &'a str>) -> Vec<(&'a str, u32)> {
    let mut counts: HashMap<&str, u32> = HashMap::new();
    pieces.for_each(|piece| *counts.entry(piece).or_default() += 1);
    let mut counts: Vec<(&str, u32)> = counts.into_iter().collect();
    counts.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    counts
}

/// Where pairs stand while they are merged.
struct Learning {
    /// Tokens of every different piece, and how often it comes.
    words: Vec<(Vec<u32>, i64)>,
    counts: HashMap<Pair, i64>,
    /// Pieces that may hold a pair.
    places: HashMap<Pair, HashSet<usize>>,
    /// Candidates by count, then by the smaller tokens; those whose count has changed since are looked at again when they come up.
    heap: BinaryHeap<(i64, std::cmp::Reverse<Pair>)>,
}

impl Learning {
    fn new(text: &str) -> Self {
        let words = counted(pieces(text));
        let words = words.into_iter().map(|(word, n)| (word.bytes().map(u32::from).collect(), i64::from(n))).collect();
        let mut learning = Self { words, counts: HashMap::new(), places: HashMap::new(), heap: BinaryHeap::new() };
        for at in 0..learning.words.len() {
            let (word, n) = learning.words[at].clone();
            word.windows(2).for_each(|pair| learning.add((pair[0], pair[1]), n, at));
        }
        learning.heap = learning.counts.iter().map(|(&pair, &n)| (n, std::cmp::Reverse(pair))).collect();
        learning
    }

    fn add(&mut self, pair: Pair, n: i64, at: usize) {
        *self.counts.entry(pair).or_default() += n;
        self.places.entry(pair).or_default().insert(at);
    }

    /// The pair that comes most often, at least twice.
    fn best(&mut self) -> Option<Pair> {
        while let Some((n, std::cmp::Reverse(pair))) = self.heap.pop() {
            let now = self.counts.get(&pair).copied().unwrap_or(0);
            if now == n {
                return (n > 1).then_some(pair);
            }
            if now > 0 {
                self.heap.push((now, std::cmp::Reverse(pair)));
            }
        }
        None
    }

    /// Makes one token of a pair, wherever it stands.
    fn merge(&mut self, pair: Pair, token: u32) {
        let mut touched = HashSet::new();
        for at in self.places.remove(&pair).unwrap_or_default() {
            let n = self.words[at].1;
            let merged = joined(&self.words[at].0, pair, token);
            let before = std::mem::replace(&mut self.words[at].0, merged);
            for gone in before.windows(2) {
                *self.counts.entry((gone[0], gone[1])).or_default() -= n;
                touched.insert((gone[0], gone[1]));
            }
            for i in 1..self.words[at].0.len() {
                let new = (self.words[at].0[i - 1], self.words[at].0[i]);
                self.add(new, n, at);
                touched.insert(new);
            }
        }
        self.counts.remove(&pair);
        let candidates = touched.into_iter().filter_map(|pair| Some((*self.counts.get(&pair)?, std::cmp::Reverse(pair))));
        self.heap.extend(candidates.filter(|(n, _)| *n > 0));
    }
}

/// Tokens with a pair made one wherever it stands, from the left: `a a a` with `a a` merged is `aa a`.
fn joined(tokens: &[u32], pair: Pair, token: u32) -> Vec<u32> {
    let mut merged = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        let here = at + 1 < tokens.len() && (tokens[at], tokens[at + 1]) == pair;
        merged.push(if here { token } else { tokens[at] });
        at += 1 + usize::from(here);
    }
    merged
}

impl Merges {
    /// Learns pairs from a text until there are `vocabulary` tokens, or no pair comes twice; adds what they become to the tokens.
    pub fn learn(text: &str, vocabulary: usize, tokens: &mut Vec<Vec<u8>>) -> Self {
        let (mut learning, mut merges) = (Learning::new(text), Self::default());
        while tokens.len() < vocabulary {
            let Some(pair) = learning.best() else { break };
            let token = tokens.len() as u32;
            tokens.push([tokens[pair.0 as usize].as_slice(), &tokens[pair.1 as usize]].concat());
            merges.add(pair, token);
            learning.merge(pair, token);
        }
        merges
    }

    /// Adds a pair behind those that there are.
    pub fn add(&mut self, pair: Pair, token: u32) {
        self.ranks.insert(pair, (self.ranks.len() as u32, token));
    }

    /// Whether nothing is merged.
    pub fn is_empty(&self) -> bool {
        self.ranks.is_empty()
    }

    /// The tokens of pieces. A piece that comes again is not merged again.
    pub fn encode<'a>(&self, pieces: impl Iterator<Item = &'a str>) -> Vec<u32> {
        let (mut known, mut tokens): (HashMap<&str, (usize, usize)>, Vec<u32>) = (HashMap::new(), Vec::new());
        for piece in pieces {
            if let Some(&(from, to)) = known.get(piece) {
                tokens.extend_from_within(from..to);
                continue;
            }
            let from = tokens.len();
            tokens.extend(self.merged(piece.bytes().map(u32::from).collect()));
            known.insert(piece, (from, tokens.len()));
        }
        tokens
    }

    fn merged(&self, mut tokens: Vec<u32>) -> Vec<u32> {
        loop {
            let ranked = tokens.windows(2).filter_map(|pair| Some((*self.ranks.get(&(pair[0], pair[1]))?, (pair[0], pair[1]))));
            let Some(((_, token), pair)) = ranked.min() else { return tokens };
            tokens = joined(&tokens, pair, token);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::bytes;

    /// What the definition says, counted anew for every pair.
    fn plainly(text: &str, merges: usize) -> Vec<Pair> {
        let mut words: Vec<Vec<u32>> = pieces(text).map(|p| p.bytes().map(u32::from).collect()).collect();
        let mut found = Vec::new();
        for token in 0..merges as u32 {
            let mut counts: HashMap<Pair, i64> = HashMap::new();
            words.iter().flat_map(|w| w.windows(2)).for_each(|p| *counts.entry((p[0], p[1])).or_default() += 1);
            let best = counts.into_iter().max_by_key(|&(pair, n)| (n, std::cmp::Reverse(pair)));
            let Some((pair, _)) = best.filter(|(_, n)| *n > 1) else { break };
            words.iter_mut().for_each(|word| *word = joined(word, pair, 256 + token));
            found.push(pair);
        }
        found
    }

    fn pairs(merges: &Merges) -> Vec<Pair> {
        let mut pairs: Vec<(u32, Pair)> = merges.ranks.iter().map(|(&pair, &(rank, _))| (rank, pair)).collect();
        pairs.sort_unstable();
        pairs.into_iter().map(|(_, pair)| pair).collect()
    }

    #[test]
    fn pairs_are_those_of_the_definition() {
        let text = "low lower lowest, new newer newest; slow slower, aaaa aaaaa banana bandana ananas — und Öl, Öle, Ölung";
        let mut tokens = bytes();
        let merges = Merges::learn(text, 300, &mut tokens);
        assert_eq!(pairs(&merges), plainly(text, 300 - 256));
        assert!(tokens.iter().any(|token| token == b"low"));
        assert_eq!(merges.encode(pieces("low low")).len(), 1 + merges.encode(pieces(" low")).len());
    }

    #[test]
    fn learning_ends_where_no_pair_comes_twice() {
        let mut tokens = bytes();
        assert!(Merges::learn("abcdef", 300, &mut tokens).is_empty());
        assert_eq!(tokens.len(), 256);
    }
}
