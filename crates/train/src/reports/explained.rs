//! What moved the answer for one row of a table: the network runs on the row, on one of which nothing is known, on the row without each
//! column, and on rows that are told column by column. A column that is not told stands at its training mean or most frequent word
//! (occlusion; M. Zeiler and R. Fergus, 2014), with all numbers that it became.

use downhill_data::Dataset;
use downhill_protocol::Part;
use downhill_tensor::UserError;

/// Most numbers of all rows together.
const MOST: usize = 1 << 22;

/// See the module. The rows are, with `k` columns: the row itself; nothing; `k` rows without one column each; `k - 1` rows that know the
/// first 1, 2, … columns; `k - 1` rows that know all but the first 1, 2, … columns.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Explained {
    /// The row's number in the table.
    pub row: u32,
    /// The sample that it is; `None` for a row that is left out.
    pub sample: Option<(Part, usize)>,
    /// The words of all rows, one after the other.
    pub words: Vec<u32>,
    columns: usize,
}

/// What the answers for those rows come to, `[labels]` or `[columns, labels]`.
pub(crate) struct Effects {
    /// The answer where nothing is known.
    pub start: Vec<f32>,
    /// By how much the answer moves when a column is not told.
    pub alone: Vec<f32>,
    /// By how much it moves when the columns are told one after the other: the mean of both directions. With `start` they make up the answer.
    pub parts: Vec<f32>,
}

impl Explained {
    /// Makes the rows.
    ///
    /// # Errors
    /// When the data is no table, has no such row, or there are too many columns.
    pub fn new(data: &Dataset, row: u32) -> Result<Self, UserError> {
        let table = data.table.as_deref().ok_or_else(|| UserError::new("These samples are no rows of a table."))?;
        let Some(known) = table.encode(row) else {
            let message = format!("The table has no row {row} with a value for every column; it has {} rows.", table.rows());
            return Err(UserError::new(message).hint("Rows are counted from 1 below the names of the columns."));
        };
        let unknown = table.neutral();
        let spans: Vec<(usize, usize)> = table.inputs().map(|(_, first, len)| (first, len)).collect();
        let columns = spans.len();
        let mixed = |told: &dyn Fn(usize) -> bool| {
            let mut mixed = unknown.clone();
            for (_, &(first, len)) in spans.iter().enumerate().filter(|(i, _)| told(*i)) {
                mixed[first..first + len].copy_from_slice(&known[first..first + len]);
            }
            mixed
        };
        if (3 * columns).saturating_mul(known.len()) > MOST {
            let message = format!("The table has {columns} columns, too many to try them one by one.");
            return Err(UserError::new(message).hint("Leave some out."));
        }
        let mut rows = vec![mixed(&|_| true), mixed(&|_| false)];
        rows.extend((0..columns).map(|without| mixed(&|i| i != without)));
        rows.extend((1..columns).map(|end| mixed(&|i| i < end)));
        rows.extend((1..columns).map(|begin| mixed(&|i| i >= begin)));
        let sample = table.sample_of(row).map(|(train, place)| {
            // Where nothing is held out, both parts are the same.
            (if train { Part::Train } else { Part::Validation }, place)
        });
        Ok(Self { row, sample, words: rows.into_iter().flatten().map(f32::to_bits).collect(), columns })
    }

    /// How many rows there are.
    pub fn count(&self) -> usize {
        2 + self.columns + 2 * self.columns.saturating_sub(1)
    }

    /// What the answers for all rows, `labels` each, come to; nothing where there are too few.
    pub fn effects(&self, answers: &[f32]) -> Option<Effects> {
        let labels = answers.len() / self.count();
        let of = |row: usize| answers.get(row * labels..(row + 1) * labels);
        let k = self.columns;
        let (all, none) = (of(0)?, of(1)?);
        let forward = |told: usize| {
            if told == 0 {
                Some(none)
            } else if told == k {
                Some(all)
            } else {
                of(1 + k + told)
            }
        };
        let backward = |from: usize| {
            if from == 0 {
                Some(all)
            } else if from == k {
                Some(none)
            } else {
                of(k + k + from)
            }
        };
        let (mut alone, mut parts) = (Vec::new(), Vec::new());
        for column in 0..k {
            let without = of(2 + column)?;
            alone.extend(all.iter().zip(without).map(|(with, without)| with - without));
            let (before, after) = (forward(column)?, forward(column + 1)?);
            let (with, less) = (backward(column)?, backward(column + 1)?);
            parts.extend((0..labels).map(|i| f32::midpoint(after[i] - before[i], with[i] - less[i])));
        }
        Some(Effects { start: none.to_vec(), alone, parts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_add_up_and_what_stands_alone_is_the_difference_without_it() {
        // The answer for columns of which `told` says which are known: 10 and, with both 0 and 2 known, 5 more; column 1 adds 2 by itself.
        let answer = |told: [bool; 3]| 10.0 + if told[0] && told[2] { 5.0 } else { 0.0 } + if told[1] { 2.0 } else { 0.0 };
        let (y, n) = (true, false);
        let rows = [[y, y, y], [n, n, n], [n, y, y], [y, n, y], [y, y, n], [y, n, n], [y, y, n], [n, y, y], [n, n, y]];
        let explained = Explained { row: 1, sample: None, words: Vec::new(), columns: 3 };
        assert_eq!(rows.len(), explained.count());
        let effects = explained.effects(&rows.map(answer)).unwrap();
        assert_eq!((effects.start, effects.alone), (vec![10.0], vec![5.0, 2.0, 5.0]));
        // Told first or last, a column of a pair adds nothing or all.
        assert_eq!(effects.parts, [2.5, 2.0, 2.5]);
    }
}
