//! The kernel that picks an index by scores, as the next token of a text is picked.

use std::cmp::Ordering;
use std::fmt;

use super::KernelDef;
use super::eval::{Numbers, row};
use super::operands::{Access, Operands, not_empty, numel};
use crate::StepScalars;

/// Reads scores `[rows, cols]`, a number from 0 to 1 for each row, and the four numbers of a [`Choice`]; writes the index u32 that [`Choice::pick`]
/// picks of each row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PickSpec {
    /// Number of rows.
    pub rows: u32,
    /// Scores per row.
    pub cols: u32,
}

/// What is picked from, in the order and by the definitions of Hugging Face's transformers: temperature, `top_k`, `top_p`, `min_p`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// Above 1 the unlikely becomes likelier, below 1 rarer; 0 always takes the likeliest.
    pub temperature: f32,
    /// Only so many of the likeliest, and what is as likely as the last of these; 0 for all.
    pub top_k: u32,
    /// Only the likeliest that together have this probability; 1 for all.
    pub top_p: f32,
    /// Only what is at least so likely, measured by the likeliest; 0 for all.
    pub min_p: f32,
}

impl Choice {
    /// Numbers that say it to a kernel.
    pub const NUMBERS: usize = 4;

    /// As a kernel reads it. A `top_k` is exact up to 2²⁴.
    pub fn numbers(&self) -> [f32; Self::NUMBERS] {
        [self.temperature, self.top_k as f32, self.top_p, self.min_p]
    }

    /// What these numbers say.
    pub fn of(numbers: [f32; Self::NUMBERS]) -> Self {
        let [temperature, top_k, top_p, min_p] = numbers;
        Self { temperature, top_k: top_k as u32, top_p, min_p }
    }

    /// The index that a number from 0 to 1 picks: the likeliest stand first, of equals the first, each as wide as its weight
    /// `exp((score − best) / temperature)`; what is no number counts as −∞. `order` is overwritten, and as long as there are scores.
    ///
    /// Of the weights 4, 3 and 1 at the indices 2, 0 and 1, a draw of 0.4 picks index 2, for 0.4 · 8 is below 4, and 0.5 picks index 0.
    pub fn pick(&self, order: &mut [u32], score: impl Fn(usize) -> f64, draw: f64) -> u32 {
        let score = |token: u32| Some(score(token as usize)).filter(|score| !score.is_nan()).unwrap_or(f64::NEG_INFINITY);
        let tokens = 0..order.len() as u32;
        let first = tokens.clone().fold(0, |best, token| if score(token) > score(best) { token } else { best });
        if self.temperature == 0.0 || order.is_empty() || score(first) == f64::NEG_INFINITY {
            return first;
        }
        let best = score(first);
        tokens.zip(&mut *order).for_each(|(token, place)| *place = token);
        order.sort_unstable_by(|a, b| score(*b).partial_cmp(&score(*a)).unwrap_or(Ordering::Equal).then(a.cmp(b)));
        // A score may be infinite, and so may the difference of two equal ones not be asked for.
        let weight = |token: &u32| {
            let score = score(*token);
            if score == best { 1.0 } else { libm::exp((score - best) / f64::from(self.temperature)) }
        };
        let mut kept = &*order;
        if let Some(least) = (self.top_k as usize).checked_sub(1).and_then(|last| kept.get(last)).map(|last| score(*last)) {
            kept = &kept[..kept.iter().take_while(|token| score(**token) >= least).count()];
        }
        // As many as it takes to hold the share, the likeliest always, and of these what is not too rare.
        let share = if self.top_p < 1.0 { f64::from(self.top_p) * kept.iter().map(weight).sum::<f64>() } else { f64::INFINITY };
        let mut held = 0.0;
        let enough = kept.iter().take_while(|token| {
            let weight = weight(token);
            let wanted = (held == 0.0 || held < share) && weight >= f64::from(self.min_p);
            held += if wanted { weight } else { 0.0 };
            wanted
        });
        kept = &kept[..enough.count()];
        let mut left = draw * held;
        for token in kept {
            let weight = weight(token);
            if left < weight {
                return *token;
            }
            left -= weight;
        }
        kept.last().copied().unwrap_or(first)
    }
}

impl KernelDef for PickSpec {
    const FAMILY: &'static str = "pick";

    fn check(&self) -> Result<(), String> {
        not_empty(&[self.rows, self.cols])
    }

    fn operands(&self) -> Operands {
        let rows = u64::from(self.rows);
        let scores = Access::floats("scores", numel(&[self.rows, self.cols]));
        let reads = [scores, Access::floats("draw", rows), Access::floats("choice", Choice::NUMBERS as u64)];
        Operands::new(reads, [Access::words("out", rows)])
    }

    /// Each score is compared with every bit of what is looked for, three times over: the last that count by `top_k` and by `top_p`, and what is drawn.
    fn flops(&self) -> u64 {
        3 * 32 * numel(&[self.rows, self.cols])
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pick {}×{}", self.rows, self.cols)
    }

    fn eval(&self, reads: &[&dyn Numbers], _: &StepScalars) -> Option<Vec<Vec<f64>>> {
        let (choice, mut order) = (Choice::of([0, 1, 2, 3].map(|i| reads[2].at(i) as f32)), vec![0; self.cols as usize]);
        let each = |r: usize| {
            let scores = row(reads[0], r, self.cols as usize);
            f64::from(choice.pick(&mut order, |i| scores[i], reads[1].at(r)))
        };
        Some(vec![(0..self.rows as usize).map(each).collect()])
    }
}
