//! How much of a tensor is sent: all of it, its statistics, a histogram, a box, or what is told of its rows as vectors. Numbers in, numbers out; nothing
//! here knows a session.

use downhill_protocol::View;
use downhill_tensor::apart;
use downhill_tensor::stats::summarize;

use super::vectors;

/// Bins of a histogram, at most.
const MAX_BINS: u32 = 512;
/// Principal components, and neighbours, at most.
const MAX_COMPONENTS: u32 = 8;
const MAX_NEAREST: u32 = 100;
/// Below this a unit counts as silent.
const SILENT: f32 = 1e-6;
/// Share of a bounded activation's range, at either end, that counts as flat.
const FLAT: f32 = 0.01;

/// A tensor before it is cut.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Whole<'a> {
    /// Shape.
    pub shape: Vec<u32>,
    /// Elements, row-major.
    pub values: &'a [f32],
    /// Whether it is what a layer gives, so that the first axis is that of rows and each further element a unit.
    pub units: bool,
    /// Smallest and largest value of the layer that gives it.
    pub range: Option<(f32, f32)>,
    /// How far it moved per step, relative to its norm.
    pub update_ratio: f64,
}

impl Whole<'_> {
    /// Shape and elements of a view of it.
    pub fn cut(&self, view: &View) -> (Vec<u32>, Vec<f32>) {
        match view {
            View::All => (self.shape.clone(), self.values.to_vec()),
            View::Stats => {
                let numbers = self.stats();
                (vec![numbers.len() as u32], numbers)
            }
            View::Histogram { bins } => {
                let bins = (*bins).clamp(1, MAX_BINS);
                (vec![bins, 2], self.histogram(bins as usize))
            }
            View::Slice { start, len } => self.slice(start, len),
            View::Components { count } => {
                let count = (*count).min(MAX_COMPONENTS) as usize;
                self.of_rows(count, |rows| rows.components(count))
            }
            View::Nearest { plus, minus, count } => {
                self.of_rows(2, |rows| rows.nearest(plus, minus, (*count).min(MAX_NEAREST) as usize))
            }
        }
    }

    /// What is told of the rows of a matrix, in so many columns; of anything else there is nothing.
    fn of_rows(&self, columns: usize, tell: impl Fn(&vectors::Rows<'_>) -> Vec<f32>) -> (Vec<u32>, Vec<f32>) {
        let told = match *self.shape {
            [_, width] if columns > 0 => apart(|| tell(&vectors::Rows { values: self.values, width: width as usize })),
            _ => Vec::new(),
        };
        (vec![(told.len() / columns.max(1)) as u32, columns as u32], told)
    }

    /// The numbers of [`downhill_protocol::STATS`].
    fn stats(&self) -> Vec<f32> {
        let s = summarize(self.values);
        let zeros = share(self.values, |v| v == 0.0);
        let dead = if self.units { self.dead() } else { f64::NAN };
        let saturated = self.range.map_or(f64::NAN, |(low, high)| {
            let edge = FLAT * (high - low);
            share(self.values, |v| v < low + edge || v > high - edge)
        });
        [s.mean, s.std, s.norm, s.min, s.max, zeros, dead, saturated, self.update_ratio].map(|v| v as f32).to_vec()
    }

    fn dead(&self) -> f64 {
        let units = self.shape.iter().skip(1).map(|&n| n as usize).product::<usize>().max(1);
        let silent = |unit: &usize| self.values.iter().skip(*unit).step_by(units).all(|v| v.abs() < SILENT);
        (0..units).filter(silent).count() as f64 / units as f64
    }

    fn histogram(&self, bins: usize) -> Vec<f32> {
        let s = summarize(self.values);
        let width = (s.max - s.min) / bins as f64;
        let mut counts = vec![0u32; bins];
        for v in self.values.iter().filter(|v| v.is_finite()) {
            let at = if width > 0.0 { ((f64::from(*v) - s.min) / width) as usize } else { 0 };
            counts[at.min(bins - 1)] += 1;
        }
        counts.iter().enumerate().flat_map(|(i, &count)| [(s.min + width * i as f64) as f32, count as f32]).collect()
    }

    fn slice(&self, start: &[u32], len: &[u32]) -> (Vec<u32>, Vec<f32>) {
        let mut values = self.values.to_vec();
        let mut shape = self.shape.clone();
        // Along one axis after the other: of `[a, n, b]` as `a` blocks of `n` rows of `b` elements each, some rows stay.
        for axis in 0..shape.len() {
            let n = shape[axis];
            let from = start.get(axis).copied().unwrap_or(0).min(n);
            let to = len.get(axis).map_or(n, |&len| from.saturating_add(len).min(n));
            let inner = shape[axis + 1..].iter().map(|&n| n as usize).product::<usize>();
            let block = n as usize * inner;
            if (to - from) < n {
                let rows = from as usize * inner..to as usize * inner;
                values = values.chunks_exact(block.max(1)).flat_map(|block| block[rows.clone()].iter().copied()).collect();
            }
            shape[axis] = to - from;
        }
        (shape, values)
    }
}

fn share(values: &[f32], is: impl Fn(f32) -> bool) -> f64 {
    values.iter().filter(|v| is(**v)).count() as f64 / values.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use downhill_protocol::stat;

    use super::*;

    fn whole(shape: &[u32], values: &'static [f32]) -> Whole<'static> {
        Whole { shape: shape.to_vec(), values, units: false, range: None, update_ratio: f64::NAN }
    }

    #[test]
    fn a_box_is_cut_along_every_axis_and_never_reaches_beyond() {
        let matrix = whole(&[3, 4], &[0., 1., 2., 3., 10., 11., 12., 13., 20., 21., 22., 23.]);
        let cut = |start: &[u32], len: &[u32]| matrix.cut(&View::Slice { start: start.to_vec(), len: len.to_vec() });
        assert_eq!(cut(&[1, 2], &[1, 9]), (vec![1, 2], vec![12., 13.]));
        assert_eq!(cut(&[0], &[2]), (vec![2, 4], matrix.values[..8].to_vec()));
        assert_eq!(cut(&[0, 1], &[3, 1]), (vec![3, 1], vec![1., 11., 21.]));
        assert_eq!(cut(&[7, 0], &[u32::MAX, 4]), (vec![0, 4], vec![]));
        assert_eq!(cut(&[], &[]), (vec![3, 4], matrix.values.to_vec()));
    }

    #[test]
    fn every_finite_element_falls_into_one_bin() {
        let (shape, bins) = whole(&[5], &[0., 1., 2., 2., f32::NAN]).cut(&View::Histogram { bins: 2 });
        assert_eq!((shape, bins), (vec![2, 2], vec![0., 1., 1., 3.]));
        let (_, same) = whole(&[2], &[7., 7.]).cut(&View::Histogram { bins: 3 });
        assert_eq!(same.iter().skip(1).step_by(2).sum::<f32>(), 2.0);
        assert_eq!(whole(&[0], &[]).cut(&View::Histogram { bins: 0 }), (vec![1, 2], vec![0., 0.]));
    }

    #[test]
    fn statistics_say_which_units_are_dead_and_which_values_saturated() {
        let tanh = Whole { units: true, range: Some((-1.0, 1.0)), ..whole(&[2, 2], &[0., 0.999, 0., -0.5]) };
        let (_, numbers) = tanh.cut(&View::Stats);
        assert_eq!((stat(&numbers, "dead"), stat(&numbers, "saturated")), (Some(0.5), Some(0.25)));
        assert_eq!((stat(&numbers, "zeros"), stat(&numbers, "update_ratio")), (Some(0.5), None));
        let sigmoid = Whole { range: Some((0.0, 1.0)), ..whole(&[4], &[0.001, 0.5, 0.999, 0.2]) };
        assert_eq!(stat(&sigmoid.cut(&View::Stats).1, "saturated"), Some(0.5), "at both ends");
    }
}
