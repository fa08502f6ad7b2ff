//! How often a query finds its document: recall among the first few, from the vectors of both towers.

use downhill_data::{Dataset, Labels};
use downhill_model::MOST_FOUND;

/// How many are looked at: for `recall_at_1` the nearest alone.
pub(super) const FIRST: [usize; 2] = [1, 5];

/// Vectors of samples held out, in their order.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Both vectors of each, of length 1, one after the other.
    vectors: Vec<f32>,
    width: usize,
    count: usize,
}

impl Found {
    /// Adds what the network gave for the next `count` samples, the first of `rows` rows; of more than [`MOST_FOUND`] the first.
    pub fn add(&mut self, words: &[u32], count: usize, rows: usize) {
        let width = words.len() / (2 * rows).max(1);
        let count = count.min(MOST_FOUND - self.count);
        for half in words.chunks_exact(width.max(1)).take(2 * count) {
            let half: Vec<f32> = half.iter().map(|word| f32::from_bits(*word)).collect();
            let length = half.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-12);
            self.vectors.extend(half.iter().map(|v| v / length));
        }
        (self.width, self.count) = (width, self.count + count);
    }

    /// Of the queries, the share whose document is among the first one, and among the first five, of all that are as near or nearer. Documents of the same
    /// number are the same. Nothing where nothing was added.
    pub fn recall(&self, data: &Dataset) -> Option<[f64; 2]> {
        let Labels::Class(numbers) = data.labels(&data.validation) else { return None };
        let numbers = numbers.get(..self.count).filter(|numbers| !numbers.is_empty())?;
        let pairs: Vec<(&[f32], &[f32])> =
            self.vectors.chunks_exact((2 * self.width).max(1)).map(|pair| pair.split_at(self.width)).collect();
        let alike = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        let mut found = [0usize; 2];
        for ((query, right), number) in pairs.iter().zip(numbers) {
            let own = alike(query, right);
            // What is as near counts as nearer, so that a network that tells nothing apart finds nothing.
            let is_behind = |other: &[f32]| alike(query, other) < own;
            let others = pairs.iter().zip(numbers).filter(|(_, of)| *of != number);
            let ahead = others.filter(|((_, other), _)| !is_behind(other)).take(FIRST[1]).count();
            found.iter_mut().zip(FIRST).for_each(|(found, first)| *found += usize::from(ahead < first));
        }
        Some(found.map(|found| found as f64 / numbers.len() as f64))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a helper that cannot go on has failed its test")]
mod tests {
    use downhill_data::{NoAssets, Source};
    use serde_json::json;

    use super::*;

    fn data() -> Dataset {
        let source = Source::from_json("search", &json!({ "samples": 100 })).unwrap();
        source.build(3, &NoAssets).unwrap()
    }

    fn recall(vectors: &[[f32; 4]], data: &Dataset) -> Option<[f64; 2]> {
        let words: Vec<u32> = vectors.iter().flatten().map(|v| v.to_bits()).collect();
        let mut found = Found::default();
        // In two pieces of six rows, of which the last ones of the second are filled up.
        for chunk in words.chunks(6 * 4) {
            let mut rows = chunk.to_vec();
            rows.resize(6 * 4, 0);
            found.add(&rows, chunk.len() / 4, 6);
        }
        found.recall(data)
    }

    #[test]
    fn a_query_finds_its_document_where_no_other_is_as_near() {
        let data = data();
        assert_eq!(data.validation.len(), 10);
        // Around a circle, each query a little beside its document; the last one beside that of the first.
        let at = |turn: f32| [(turn * 0.6).cos(), (turn * 0.6).sin()];
        let mut vectors: Vec<[f32; 4]> =
            (0..10u8).map(f32::from).map(|i| [3.0 * at(i + 0.1)[0], 3.0 * at(i + 0.1)[1], at(i)[0], at(i)[1]]).collect();
        assert_eq!(recall(&vectors, &data), Some([1.0, 1.0]));
        vectors[9][..2].copy_from_slice(&at(0.1));
        assert_eq!(recall(&vectors, &data), Some([0.9, 1.0]));
        vectors[9][..2].copy_from_slice(&at(3.1));
        assert_eq!(recall(&vectors, &data), Some([0.9, 0.9]));
    }

    #[test]
    fn a_network_that_tells_nothing_apart_finds_nothing() {
        let data = data();
        assert_eq!(recall(&[[1.0, 0.0, 1.0, 0.0]; 10], &data), Some([0.0, 0.0]));
        assert_eq!(recall(&[[f32::NAN; 4]; 10], &data), Some([0.0, 0.0]));
        assert_eq!(recall(&[], &data), None);
    }
}
