//! Finds the pairs of byte pair encoding: the pair that comes most often becomes a token, again and again. It is done in slices, so that whoever waits
//! can say how far it is.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::hash::Map;
use super::merges::{Merges, Pair};

/// Where pairs stand while they are merged.
pub(super) struct Learning {
    /// Tokens of every different piece, and how often it comes.
    words: Vec<(Vec<u32>, i64)>,
    /// How many of the words are counted.
    counted: usize,
    counts: Map<Pair, i64>,
    /// Pieces that hold a pair, or held it.
    places: Map<Pair, Vec<u32>>,
    /// Candidates by count, then by the smaller tokens; those whose count has changed since are looked at again when they come up.
    heap: BinaryHeap<(i64, Reverse<Pair>)>,
    /// How many tokens there are to be.
    vocabulary: usize,
    tokens: Vec<Vec<u8>>,
    /// The token of so many bytes.
    numbers: Map<Vec<u8>, u32>,
    merges: Merges,
}

impl Learning {
    /// Begins with pieces and how often each comes, and the tokens of all bytes, which are those of a piece until something is merged.
    pub fn new(pieces: &[(Box<str>, u32)], vocabulary: usize, bytes: Vec<Vec<u8>>) -> Self {
        let word = |(piece, n): &(Box<str>, u32)| (piece.bytes().map(u32::from).collect(), i64::from(*n));
        Self {
            words: pieces.iter().map(word).collect(),
            counted: 0,
            counts: Map::default(),
            places: Map::default(),
            heap: BinaryHeap::new(),
            vocabulary,
            numbers: bytes.iter().cloned().zip(0..).collect(),
            tokens: bytes,
            merges: Merges::default(),
        }
    }

    /// Goes on for about so many tokens that are looked at. Whether it is done: there are as many tokens as there are to be, or no pair comes twice.
    pub fn advance(&mut self, budget: usize) -> bool {
        let mut left = budget;
        while self.counted < self.words.len() && left > 0 {
            left = left.saturating_sub(self.count_word());
            if self.counted == self.words.len() {
                self.heap = self.counts.iter().map(|(&pair, &n)| (n, Reverse(pair))).collect();
            }
        }
        while left > 0 && self.tokens.len() < self.vocabulary {
            let Some(pair) = self.best() else { return true };
            let token = self.token_of(pair);
            self.merges.add(pair, token);
            left = left.saturating_sub(self.merge(pair, token));
        }
        self.counted == self.words.len() && self.tokens.len() >= self.vocabulary
    }

    /// Share of the work that is done, 0 to 1, if as many pairs are found as are looked for.
    pub fn progress(&self) -> f64 {
        let found = (self.tokens.len().saturating_sub(256), self.vocabulary.saturating_sub(256));
        let [words, found] = [(self.counted, self.words.len()), found].map(|(done, of)| done as f64 / of.max(1) as f64);
        0.2 * words + 0.8 * found
    }

    /// What was found: the bytes of every token, and the order of the pairs.
    pub fn take(&mut self) -> (Vec<Vec<u8>>, Merges) {
        (std::mem::take(&mut self.tokens), std::mem::take(&mut self.merges))
    }

    /// Counts the pairs of a word; gives how many tokens it has.
    fn count_word(&mut self) -> usize {
        let at = self.counted;
        let (word, n) = &self.words[at];
        for pair in word.windows(2) {
            add(&mut self.counts, &mut self.places, (pair[0], pair[1]), *n, at);
        }
        self.counted += 1;
        word.len()
    }

    /// The pair that comes most often, at least twice.
    fn best(&mut self) -> Option<Pair> {
        while let Some((n, Reverse(pair))) = self.heap.pop() {
            let now = self.counts.get(&pair).copied().unwrap_or(0);
            if now == n {
                return (n > 1).then_some(pair);
            }
            if now > 0 {
                self.heap.push((now, Reverse(pair)));
            }
        }
        None
    }

    /// The token that a pair becomes: one with the same bytes, where another pair has become that, as `ab c` and `a bc` do. A token is what it spells.
    fn token_of(&mut self, pair: Pair) -> u32 {
        let bytes = [self.tokens[pair.0 as usize].as_slice(), &self.tokens[pair.1 as usize]].concat();
        let next = self.tokens.len() as u32;
        let token = *self.numbers.entry(bytes.clone()).or_insert(next);
        if token == next {
            self.tokens.push(bytes);
        }
        token
    }

    /// Makes one token of a pair, wherever it stands, and counts what stands beside it now. Gives how many tokens were looked at.
    fn merge(&mut self, pair: Pair, token: u32) -> usize {
        let (mut work, mut touched) = (1, Vec::new());
        for at in self.places.remove(&pair).unwrap_or_default() {
            let (word, n) = &mut self.words[at as usize];
            work += word.len();
            let merged = joined_and(word, pair, token, |gone, new| {
                *self.counts.entry(gone).or_default() -= *n;
                add(&mut self.counts, &mut self.places, new, *n, at as usize);
                touched.push(new);
            });
            *word = merged;
        }
        self.counts.remove(&pair);
        touched.sort_unstable();
        touched.dedup();
        let candidates = touched.into_iter().filter_map(|pair| Some((*self.counts.get(&pair)?, Reverse(pair))));
        self.heap.extend(candidates.filter(|(n, _)| *n > 0));
        work
    }
}

/// Counts a pair of a word once more. Those of one word come one after the other, so the last of the list says whether the word is there.
fn add(counts: &mut Map<Pair, i64>, places: &mut Map<Pair, Vec<u32>>, pair: Pair, n: i64, at: usize) {
    *counts.entry(pair).or_default() += n;
    let places = places.entry(pair).or_default();
    if places.last() != Some(&(at as u32)) {
        places.push(at as u32);
    }
}

/// Tokens with a pair made one wherever it stands, from the left: `a a a` with `a a` merged is `aa a`.
#[cfg(test)]
pub(super) fn joined(tokens: &[u32], pair: Pair, token: u32) -> Vec<u32> {
    joined_and(tokens, pair, token, |_, _| ())
}

/// The same, and says of every pair beside a merged one what it was and what it is: in `x a b y`, `x a` becomes `x ab`, then `b y` becomes `ab y`.
fn joined_and(tokens: &[u32], pair: Pair, token: u32, mut beside: impl FnMut(Pair, Pair)) -> Vec<u32> {
    let mut merged = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        if at + 1 < tokens.len() && (tokens[at], tokens[at + 1]) == pair {
            if let Some(&before) = merged.last() {
                beside((before, pair.0), (before, token));
            }
            if let Some(&after) = tokens.get(at + 2) {
                beside((pair.1, after), (token, after));
            }
            merged.push(token);
            at += 2;
        } else {
            merged.push(tokens[at]);
            at += 1;
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tokenizer::pieces::pieces;
    use crate::tokenizer::rule::bytes;

    /// What the definition says, counted anew for every pair.
    fn plainly(text: &str, vocabulary: usize) -> (Vec<Vec<u8>>, Vec<Pair>) {
        let mut words: Vec<Vec<u32>> = pieces(text).map(|p| p.bytes().map(u32::from).collect()).collect();
        let (mut tokens, mut found) = (bytes(), Vec::new());
        while tokens.len() < vocabulary {
            let mut counts: Map<Pair, i64> = Map::default();
            words.iter().flat_map(|w| w.windows(2)).for_each(|p| *counts.entry((p[0], p[1])).or_default() += 1);
            let best = counts.into_iter().max_by_key(|&(pair, n)| (n, Reverse(pair)));
            let Some((pair, _)) = best.filter(|(_, n)| *n > 1) else { break };
            let spelled = [tokens[pair.0 as usize].clone(), tokens[pair.1 as usize].clone()].concat();
            let token = tokens.iter().position(|token| *token == spelled).unwrap_or(tokens.len());
            if token == tokens.len() {
                tokens.push(spelled);
            }
            words.iter_mut().for_each(|word| *word = joined(word, pair, token as u32));
            if !found.contains(&pair) {
                found.push(pair);
            }
        }
        (tokens, found)
    }

    fn learned(text: &str, vocabulary: usize, budget: usize) -> (Vec<Vec<u8>>, Vec<Pair>) {
        let mut counts: Map<&str, u32> = Map::default();
        pieces(text).for_each(|piece| *counts.entry(piece).or_default() += 1);
        let counts: Vec<(Box<str>, u32)> = counts.into_iter().map(|(piece, n)| (piece.into(), n)).collect();
        let mut learning = Learning::new(&counts, vocabulary, bytes());
        let mut before = 0.0;
        while !learning.advance(budget) {
            assert!((before..=1.0).contains(&learning.progress()));
            before = learning.progress();
        }
        let (tokens, merges) = learning.take();
        (tokens, merges.pairs())
    }

    #[test]
    fn pairs_are_those_of_the_definition() {
        let text = "low lower lowest, new newer newest; slow slower, aaaa aaaaa banana bandana ananas — und Öl, Öle, Ölung";
        let (tokens, pairs) = learned(text, 300, usize::MAX);
        assert_eq!((tokens.clone(), pairs), plainly(text, 300));
        assert!(tokens.iter().any(|token| token == b"low"));
    }

    proptest! {
        #[test]
        fn pairs_of_any_text_are_those_of_the_definition_in_slices_too(text in "[a-c ]{0,200}", budget in 1usize..50) {
            prop_assert_eq!(learned(&text, 280, budget), plainly(&text, 280));
        }
    }

    #[test]
    fn learning_ends_where_no_pair_comes_twice() {
        let (tokens, pairs) = learned("abcdef", 300, usize::MAX);
        assert_eq!((tokens.len(), pairs.len()), (256, 0));
    }

    #[test]
    fn no_two_tokens_spell_the_same() {
        // Both `ab c` and `a bc` are frequent.
        let text = "ab ab ab ab bc bc bc bc abc xbc yab abc abc ".repeat(3);
        let (tokens, _) = learned(&text, 280, usize::MAX);
        let different: std::collections::BTreeSet<_> = tokens.iter().collect();
        assert_eq!(different.len(), tokens.len());
    }
}
