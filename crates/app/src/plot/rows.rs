//! Rows of a table as numbers: what the network says of each, and what a single answer is made up of.

use downhill_protocol::Elements;
use downhill_tensor::sort_short_by_key;

use super::heatmap::likeliest;
use crate::watches::Answer;

/// A row and what the network says of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    /// Its number in the table, from 1 below the header.
    pub number: u32,
    /// Its place among the samples held out.
    pub place: u32,
    /// The right answer: the index of a class, or a value that counts from the mean.
    pub truth: f64,
    /// The given answer.
    pub said: f64,
    /// The probability of the class that is said.
    pub sure: f64,
}

/// The rows that an answer tells of.
pub fn lines(answer: &Answer, classes: bool) -> Option<Vec<Line>> {
    let (numbers, places) = (answer.get("table_row")?, answer.get("row")?);
    let (target, output) = match classes {
        true => (answer.get("target")?, answer.get("output")?),
        false => (answer.get("target:offset")?, answer.get("output:offset")?),
    };
    let first = |of: &Elements<'_>, i: usize| of.row(i).first().map_or(f64::NAN, |v| f64::from(*v));
    let line = |(i, number): (usize, &f32)| {
        let (said, sure) = match classes {
            true => {
                let (class, p) = likeliest(output.row(i));
                (class as f64, f64::from(p))
            }
            false => (first(&output, i), f64::NAN),
        };
        let place = places.data.get(i).map_or(0, |place| *place as u32);
        Line { number: *number as u32, place, truth: first(&target, i), said, sure }
    };
    Some(numbers.data.iter().enumerate().map(line).collect())
}

/// What an answer is made up of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parts {
    /// The answer for a row of which nothing is known.
    pub start: f64,
    /// What each column adds, by its place, what adds most first.
    pub parts: Vec<(u32, f64)>,
    /// The answer.
    pub said: f64,
    /// The class it is about, 0 for numbers.
    pub class: usize,
}

/// What the answer for one row is made up of.
pub fn parts(answer: &Answer, classes: bool) -> Option<Parts> {
    let class = if classes { likeliest(answer.get("output")?.row(0)).0 } else { 0 };
    let start = f64::from(*answer.get("start")?.row(0).get(class)?);
    let tensor = answer.get("parts")?;
    let columns = *tensor.shape.first()? as usize;
    let mut parts: Vec<(u32, f64)> =
        (0..columns).filter_map(|i| Some((i as u32, f64::from(*tensor.row(i).get(class)?)))).collect();
    let said = start + parts.iter().map(|p| p.1).sum::<f64>();
    // Of numbers without a sign, the bits are in the order of the numbers.
    sort_short_by_key(&mut parts, |part| !part.1.abs().to_bits());
    Some(Parts { start, parts, said, class })
}

#[cfg(test)]
mod tests {
    use downhill_protocol::{ArrayRef, Query, Tensor};

    use super::*;

    fn answer(tensors: &[(&str, &[u32], &[f32])]) -> Answer {
        let of = |(i, (name, shape, _)): (usize, &(&str, &[u32], &[f32]))| Tensor {
            query: Query::all(*name),
            shape: shape.to_vec(),
            data: ArrayRef(i as u32),
        };
        Answer {
            tensors: tensors.iter().enumerate().map(of).collect(),
            arrays: tensors.iter().map(|t| t.2.to_vec()).collect(),
            ..Answer::default()
        }
    }

    #[test]
    fn the_parts_of_a_row_make_up_its_answer_and_the_largest_comes_first() {
        let numbers = answer(&[("output", &[1, 1], &[7.0]), ("start", &[1, 1], &[5.0]), ("parts", &[3, 1], &[0.5, -1.5, 3.0])]);
        let wanted = Parts { start: 5.0, parts: vec![(2, 3.0), (1, -1.5), (0, 0.5)], said: 7.0, class: 0 };
        assert_eq!(parts(&numbers, false), Some(wanted));
        // Of classes it is about the one that is said.
        let classes =
            answer(&[("output", &[1, 2], &[0.25, 0.75]), ("start", &[1, 2], &[0.5, 0.5]), ("parts", &[1, 2], &[-0.25, 0.25])]);
        let said = parts(&classes, true).unwrap_or_default();
        assert_eq!((said.class, said.said, said.parts), (1, 0.75, vec![(0, 0.25)]));
    }

    #[test]
    fn a_row_keeps_its_number_in_the_table() {
        let regression = answer(&[
            ("row", &[2], &[4.0, 0.0]),
            ("table_row", &[2], &[1204.0, 77.0]),
            ("target:offset", &[2, 1], &[0.001, 2.0]),
            ("output:offset", &[2, 1], &[0.5, 1.0]),
        ]);
        let found = lines(&regression, false).unwrap_or_default();
        assert_eq!(found.iter().map(|l| (l.number, l.place)).collect::<Vec<_>>(), [(1204, 4), (77, 0)]);
    }
}
