//! Pooling: the largest or the mean of what a sliding window sees in each plane of `[planes, height, width]`, and the ways back.

use std::fmt;

use super::eval::Numbers;
use super::operands::{Access, Operands, not_empty, numel};
use super::{KernelDef, Window};
use crate::StepScalars;

/// What is made of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolKind {
    /// Reads x; writes the largest element of each window and, as a word, where in x it lies: the first where several are. NaN is larger than all.
    Max,
    /// Reads dy and what [`PoolKind::Max`] said of places; writes dx.
    MaxGrad,
    /// Reads x; writes the mean of each window.
    Average,
    /// Reads dy; writes dx.
    AverageGrad,
}

/// [`PoolKind`] over planes. Windows step forward only: their dilation and divide are 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolSpec {
    /// What.
    pub kind: PoolKind,
    /// Samples times channels.
    pub planes: u32,
    /// Height and width.
    pub windows: [Window; 2],
    /// Whether a mean counts the border as zeros; otherwise it is over what lies inside.
    pub count_include_pad: bool,
}

impl PoolSpec {
    /// Elements of the image, and of what is made of it.
    pub fn sizes(&self) -> [u64; 2] {
        let [height, width] = &self.windows;
        [numel(&[self.planes, height.size, width.size]), numel(&[self.planes, height.places, width.places])]
    }

    /// Elements that one window sees.
    fn taps(&self) -> u64 {
        numel(&[self.windows[0].kernel, self.windows[1].kernel])
    }

    /// Places in the image that a window sees, by its number.
    pub(crate) fn seen(&self, number: usize) -> Vec<usize> {
        let [height, width] = &self.windows;
        let (place, columns) = (number as u32, width.places);
        let (plane, down, across) = (place / (columns * height.places), place / columns % height.places, place % columns);
        let rows = (0..height.kernel).filter_map(|tap| height.source(down, tap));
        let pixels = rows.flat_map(|y| (0..width.kernel).filter_map(move |tap| Some((y, width.source(across, tap)?))));
        pixels.map(|(y, x)| ((plane * height.size + y) * width.size + x) as usize).collect()
    }

    /// Outputs in f64, from x or from dy and places.
    pub(crate) fn run(&self, first: &dyn Fn(usize) -> f64, places: &dyn Fn(usize) -> usize) -> Vec<Vec<f64>> {
        let [elements, windows] = self.sizes().map(|n| n as usize);
        let divisor = |seen: usize| if self.count_include_pad { self.taps() as f64 } else { seen as f64 };
        let mut image = vec![0.0; elements];
        match self.kind {
            PoolKind::Max => {
                let best = (0..windows).map(|number| {
                    let mut seen = self.seen(number).into_iter().map(|at| (first(at), at));
                    let start = seen.next().expect("a window sees something");
                    seen.fold(start, |best, next| if next.0 > best.0 || next.0.is_nan() { next } else { best })
                });
                let (values, at): (Vec<f64>, Vec<usize>) = best.unzip();
                return vec![values, at.into_iter().map(|at| at as f64).collect()];
            }
            PoolKind::Average => {
                let mean = |number| {
                    let seen = self.seen(number);
                    seen.iter().map(|at| first(*at)).sum::<f64>() / divisor(seen.len())
                };
                return vec![(0..windows).map(mean).collect()];
            }
            PoolKind::MaxGrad => (0..windows).for_each(|number| image[places(number)] += first(number)),
            PoolKind::AverageGrad => {
                for number in 0..windows {
                    let seen = self.seen(number);
                    seen.iter().for_each(|at| image[*at] += first(number) / divisor(seen.len()));
                }
            }
        }
        vec![image]
    }
}

impl KernelDef for PoolSpec {
    const FAMILY: &'static str = "pool";

    fn check(&self) -> Result<(), String> {
        for w in &self.windows {
            not_empty(&[self.planes, w.size, w.kernel, w.places, w.step])?;
            // Every window sees an element, else there is no largest and no mean.
            let last = i64::from(w.offset) + i64::from((w.places - 1) * w.step);
            if (w.dilation, w.divide) != (1, 1) || w.offset > 0 || -w.offset >= w.kernel as i32 || last >= i64::from(w.size) {
                return Err(format!("{w:?} pools nothing"));
            }
        }
        Ok(())
    }

    fn operands(&self) -> Operands {
        let [elements, windows] = self.sizes();
        let (x, dy) = (Access::floats("x", elements), Access::floats("dy", windows));
        let places = Access::words("places", windows);
        match self.kind {
            PoolKind::Max => Operands::new([x], [Access::floats("out", windows), places]),
            PoolKind::MaxGrad => Operands::new([dy, places], [Access::floats("out", elements)]),
            PoolKind::Average => Operands::new([x], [Access::floats("out", windows)]),
            PoolKind::AverageGrad => Operands::new([dy], [Access::floats("out", elements)]),
        }
    }

    fn flops(&self) -> u64 {
        self.sizes()[1] * self.taps()
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [height, width] = &self.windows;
        write!(f, "pool {:?} {}×{} of {}×{}×{}", self.kind, height.kernel, width.kernel, self.planes, height.size, width.size)
    }

    fn eval(&self, reads: &[&dyn Numbers], _: &StepScalars) -> Option<Vec<Vec<f64>>> {
        let mut results = self.run(&|at| reads[0].at(at), &|number| reads[1].word(number) as usize);
        if let (PoolKind::Max, Some(places)) = (self.kind, results.get_mut(1)) {
            // Words lie in memory as the float that has their bits.
            places.iter_mut().for_each(|at| *at = f64::from(f32::from_bits(*at as u32)));
        }
        Some(results)
    }
}
