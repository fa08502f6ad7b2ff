//! Byte pair encoding (Sennrich, Haddow and Birch, 2016): a piece of text is merged in the order in which pairs were found. How they are found stands in
//! `learning.rs`.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::hash::Map;

/// A pair of tokens.
pub(super) type Pair = (u32, u32);

/// Which pairs become one token, the earliest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Merges {
    /// Place in the order, and the token that a pair becomes.
    ranks: Map<Pair, (u32, u32)>,
}

/// No neighbour on this side.
const NONE: usize = usize::MAX;

/// A token of a piece, and where its neighbours stand now.
struct Symbol {
    token: u32,
    before: usize,
    after: usize,
    /// Whether it was merged into the one before.
    gone: bool,
}

impl Merges {
    /// Pairs in their order, with what they become; one that comes twice stands at its last place.
    pub(super) fn of(pairs: Vec<(Pair, u32)>) -> Self {
        Self { ranks: pairs.into_iter().zip(0..).map(|((pair, token), rank)| (pair, (rank, token))).collect() }
    }

    /// Adds a pair behind those that there are, unless it is one of them.
    pub(super) fn add(&mut self, pair: Pair, token: u32) {
        let rank = self.ranks.len() as u32;
        self.ranks.entry(pair).or_insert((rank, token));
    }

    /// Whether nothing is merged.
    pub fn is_empty(&self) -> bool {
        self.ranks.is_empty()
    }

    /// The pairs in their order.
    pub fn pairs(&self) -> Vec<(u32, u32)> {
        let mut pairs: Vec<(u32, Pair)> = self.ranks.iter().map(|(&pair, &(rank, _))| (rank, pair)).collect();
        pairs.sort_unstable();
        pairs.into_iter().map(|(_, pair)| pair).collect()
    }

    /// Merges the tokens of a piece: always the earliest pair of the list that it holds, and of equals the first from the left.
    pub(super) fn merged(&self, tokens: impl Iterator<Item = u32>) -> Vec<u32> {
        let symbol = |(at, token): (usize, u32)| Symbol { token, before: at.wrapping_sub(1), after: at + 1, gone: false };
        let mut symbols: Vec<Symbol> = tokens.enumerate().map(symbol).collect();
        if let Some(last) = symbols.last_mut() {
            last.after = NONE;
        }
        // A queue of what may be merged; entries whose tokens have changed since are passed over.
        let found = |symbols: &[Symbol], at: usize| {
            let after = symbols.get(symbols.get(at)?.after)?;
            let (rank, token) = self.ranks.get(&(symbols[at].token, after.token))?;
            Some(Reverse((*rank, at, *token)))
        };
        let mut queue: BinaryHeap<_> = (0..symbols.len()).filter_map(|at| found(&symbols, at)).collect();
        while let Some(Reverse((rank, at, token))) = queue.pop() {
            if symbols[at].gone || found(&symbols, at) != Some(Reverse((rank, at, token))) {
                continue;
            }
            let next = symbols[at].after;
            symbols[next].gone = true;
            let (before, after) = (symbols[at].before, symbols[next].after);
            (symbols[at].token, symbols[at].after) = (token, after);
            if let Some(after) = symbols.get_mut(after) {
                after.before = at;
            }
            queue.extend([before, at].into_iter().filter_map(|at| found(&symbols, at)));
        }
        symbols.into_iter().filter(|symbol| !symbol.gone).map(|symbol| symbol.token).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tokenizer::learning::joined;

    /// What the definition says: the earliest pair is made one wherever it stands, again and again.
    fn plainly(merges: &Merges, mut tokens: Vec<u32>) -> Vec<u32> {
        loop {
            let ranked =
                tokens.windows(2).filter_map(|pair| Some((*merges.ranks.get(&(pair[0], pair[1]))?, (pair[0], pair[1]))));
            let Some(((_, token), pair)) = ranked.min() else { return tokens };
            tokens = joined(&tokens, pair, token);
        }
    }

    proptest! {
        #[test]
        fn a_piece_is_merged_as_the_definition_says(
            pairs in prop::collection::vec((0u32..4, 0u32..4), 1..12),
            tokens in prop::collection::vec(0u32..4, 0..60),
        ) {
            let mut merges = Merges::default();
            for (token, (a, b)) in (4..).zip(pairs) {
                // Later pairs are of earlier tokens, as those of a learned list.
                merges.add((if token % 3 == 0 { a.max(token - 1) } else { a }, b), token);
            }
            prop_assert_eq!(merges.merged(tokens.iter().copied()), plainly(&merges, tokens));
        }
    }

    #[test]
    fn a_long_piece_takes_no_square_of_its_length() {
        let mut merges = Merges::default();
        (256..276).for_each(|token| merges.add(if token == 256 { (97, 97) } else { (token - 1, token - 1) }, token));
        // 2²⁰ letters become one token; a scan of the whole for each of a million merges would take hours.
        assert_eq!(merges.merged(std::iter::repeat_n(97, 1 << 20)), [275]);
    }
}
