//! Finds the pairs of byte pair encoding: the pair that comes most often becomes a token, again and again. It is done in slices, so that whoever waits
//! can say how far it is.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::hash::Map;
use super::merges::{Merges, Pair};

/// The cell between two pieces; no token has this number.
const BREAK: u32 = u32::MAX;
/// A cell within a token.
const INSIDE: u32 = u32::MAX - 1;

/// Where pairs stand while they are merged. A merge costs as much as there are places of its pair, however long a piece is: a text without white space is one
/// piece from its beginning to its end.
pub(super) struct Learning {
    /// All different pieces, with a `BREAK` before and behind each. A token has a cell for each of its bytes: the first and the last hold its number, all others
    /// `INSIDE`. So what stands beside a token is found from its length alone: with `a b` and `ab c` merged, `x a b c` is `x abc INSIDE abc`.
    cells: Vec<u32>,
    /// First cell of every piece, and how often the piece comes.
    words: Vec<(u32, u32)>,
    /// How many of the cells are counted.
    counted: usize,
    pairs: Map<Pair, Found>,
    /// Candidates by count, then by the smaller tokens; those whose count has changed since are looked at again when they come up.
    heap: BinaryHeap<(i64, Reverse<Pair>)>,
    /// How many tokens there are to be.
    vocabulary: usize,
    tokens: Vec<Vec<u8>>,
    /// The token of so many bytes.
    numbers: Map<Vec<u8>, u32>,
    merges: Merges,
}

/// Where a pair was found.
#[derive(Default)]
struct Found {
    /// How often it comes in the text.
    count: i64,
    /// First cells of all its places; at some of them it may stand no more.
    places: Vec<u32>,
    /// Whether places were added since it was last put into the heap.
    is_new: bool,
}

impl Learning {
    /// Begins with pieces and how often each comes, and the tokens of all bytes, which are those of a piece until something is merged.
    pub fn new(pieces: &[(Box<str>, u32)], vocabulary: usize, bytes: Vec<Vec<u8>>) -> Self {
        let needed: usize = pieces.iter().map(|(piece, _)| piece.len() + 1).sum();
        let mut cells = Vec::with_capacity(needed + 1);
        cells.push(BREAK);
        let mut words = Vec::with_capacity(pieces.len());
        for (piece, n) in pieces {
            words.push((cells.len() as u32, *n));
            cells.extend(piece.bytes().map(u32::from));
            cells.push(BREAK);
        }
        Self {
            cells,
            words,
            counted: 0,
            pairs: Map::default(),
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
        if self.counted < self.cells.len() {
            left -= self.count(left);
            if self.counted < self.cells.len() {
                return false;
            }
            let candidate = |(&pair, found): (&Pair, &mut Found)| {
                found.is_new = false;
                (found.count, Reverse(pair))
            };
            self.heap = self.pairs.iter_mut().map(candidate).collect();
        }
        while left > 0 && self.tokens.len() < self.vocabulary {
            let Some(pair) = self.best() else { return true };
            let token = self.token_of(pair);
            self.merges.add(pair, token);
            left = left.saturating_sub(self.merge(pair, token));
        }
        self.tokens.len() >= self.vocabulary
    }

    /// Share of the work that is done, 0 to 1, if as many pairs are found as are looked for.
    pub fn progress(&self) -> f64 {
        let found = (self.tokens.len().saturating_sub(256), self.vocabulary.saturating_sub(256));
        let [cells, found] = [(self.counted, self.cells.len()), found].map(|(done, of)| done as f64 / of.max(1) as f64);
        0.2 * cells + 0.8 * found
    }

    /// What was found: the bytes of every token, and the order of the pairs.
    pub fn take(&mut self) -> (Vec<Vec<u8>>, Merges) {
        (std::mem::take(&mut self.tokens), std::mem::take(&mut self.merges))
    }

    /// Counts the pairs that begin in the next cells, so many at most; gives how many cells it was.
    fn count(&mut self, most: usize) -> usize {
        let (first, end) = (self.counted, self.counted.saturating_add(most).min(self.cells.len()));
        for at in first..end {
            let [left, right] = [self.cells[at], self.cells.get(at + 1).copied().unwrap_or(BREAK)];
            if left != BREAK && right != BREAK {
                let n = self.times(at);
                self.add((left, right), n, at);
            }
        }
        self.counted = end;
        end - first
    }

    /// How often the piece comes in which this cell is.
    fn times(&self, at: usize) -> i64 {
        let behind = self.words.partition_point(|(first, _)| *first as usize <= at);
        behind.checked_sub(1).map_or(0, |word| i64::from(self.words[word].1))
    }

    /// Counts a pair once more, at this cell; whether its first place is new since it was last put into the heap.
    fn add(&mut self, pair: Pair, n: i64, at: usize) -> bool {
        let found = self.pairs.entry(pair).or_default();
        found.count += n;
        found.places.push(at as u32);
        !std::mem::replace(&mut found.is_new, true)
    }

    /// The pair that comes most often, at least twice.
    fn best(&mut self) -> Option<Pair> {
        while let Some((n, Reverse(pair))) = self.heap.pop() {
            let now = self.pairs.get(&pair).map_or(0, |found| found.count);
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

    /// How many cells a token has.
    fn width(&self, token: u32) -> usize {
        self.tokens[token as usize].len()
    }

    /// Makes one token of a pair, wherever it stands, from the left: `a a a` with `a a` merged is `aa a`. Counts what stands beside it now: in `x a b y`, `x a`
    /// becomes `x ab`, then `b y` becomes `ab y`. Gives how many places were looked at.
    fn merge(&mut self, pair: Pair, token: u32) -> usize {
        let mut places = self.pairs.remove(&pair).unwrap_or_default().places;
        // Two merges may have led to it, each from the left.
        places.sort_unstable();
        let (left, right) = (self.width(pair.0), self.width(pair.1));
        let mut touched = Vec::new();
        for at in places.iter().map(|at| *at as usize) {
            // The pair stood here once. Where its left token still stands in this cell it still begins here: it cannot end here, for the cells behind, which
            // were in one token with this one, are so for good.
            let (middle, end) = (at + left, at + left + right);
            if self.cells[at] != pair.0 || self.cells[middle] != pair.1 {
                continue;
            }
            let (before, after, n) = (self.cells[at - 1], self.cells[end], self.times(at));
            self.cells[middle - 1..=middle].fill(INSIDE);
            (self.cells[at], self.cells[end - 1]) = (token, token);
            if before != BREAK {
                let start = at - self.width(before);
                self.less((before, pair.0), n);
                touched.extend(self.add((before, token), n, start).then_some((before, token)));
            }
            if after != BREAK {
                self.less((pair.1, after), n);
                touched.extend(self.add((token, after), n, at).then_some((token, after)));
            }
        }
        for pair in touched {
            let Some(found) = self.pairs.get_mut(&pair) else { continue };
            found.is_new = false;
            if found.count > 0 {
                self.heap.push((found.count, Reverse(pair)));
            }
        }
        places.len() + 1
    }

    /// Counts a pair once less. That which is merged is counted no more.
    fn less(&mut self, pair: Pair, n: i64) {
        if let Some(found) = self.pairs.get_mut(&pair) {
            found.count -= n;
        }
    }
}

/// Tokens with a pair made one wherever it stands, from the left.
#[cfg(test)]
pub(super) fn joined(tokens: &[u32], pair: Pair, token: u32) -> Vec<u32> {
    let (mut merged, mut rest) = (Vec::new(), tokens);
    while let [first, others @ ..] = rest {
        let is_pair = others.first().is_some_and(|second| (*first, *second) == pair);
        merged.push(if is_pair { token } else { *first });
        rest = &others[usize::from(is_pair)..];
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
        fn pairs_of_one_long_piece_are_those_of_the_definition(text in "[ab]{0,120}", budget in 1usize..50) {
            prop_assert_eq!(learned(&text, 300, budget), plainly(&text, 300));
        }

        #[test]
        fn pairs_of_any_text_are_those_of_the_definition_in_slices_too(text in "[a-c ]{0,200}", budget in 1usize..50) {
            prop_assert_eq!(learned(&text, 280, budget), plainly(&text, 280));
        }
    }

    #[test]
    fn a_text_without_white_space_costs_no_more_than_its_places() {
        // Syllables without a blank: one piece. Every merge adds two places and takes a token away, so there are never more than three for each byte; to look at
        // the whole piece for each of 500 merges would be some hundred for each.
        let mut state = 1u32;
        let mut next = |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) % below
        };
        let text: String = (0..50_000).flat_map(|_| ["ka", "to", "mi", "re", "sun", "ole"][next(6) as usize].chars()).collect();
        assert_eq!(pieces(&text).count(), 1);
        let mut learning = Learning::new(&[(text.as_str().into(), 1)], usize::MAX, bytes());
        assert!(!learning.advance(text.len() + 2));
        let (mut looked_at, mut merges) = (0, 0);
        while let Some(pair) = learning.best().filter(|_| merges < 500) {
            let token = learning.token_of(pair);
            looked_at += learning.merge(pair, token);
            merges += 1;
        }
        assert_eq!(merges, 500);
        assert!(looked_at < 3 * text.len() + merges, "{looked_at} places of {} bytes", text.len());
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
