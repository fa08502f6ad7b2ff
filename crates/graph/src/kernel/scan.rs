//! Recurrent cells over all time steps of a sequence, and the way back through them.
//!
//! The input projections of all time steps are given: one matrix product computed them. The weight gradients are one product of what the way back
//! writes. Per time step only the product of the state with the recurrent weights is left.

use std::fmt;

use super::KernelDef;
use super::eval::Numbers;
use super::operands::{Access, Operands, not_empty, numel};
use crate::{StepScalars, UnaryOp};

/// A recurrent cell. With x the input projection of a step and q = W·h + b of the state before it, part by part in PyTorch's order:
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecurrentCell {
    /// `torch.nn.RNN`: h' = tanh(x + q).
    RnnTanh,
    /// `torch.nn.RNN` with relu: h' = relu(x + q).
    RnnRelu,
    /// `torch.nn.LSTM`: i, f, o = σ(x + q), g = tanh(x + q), c' = f·c + i·g, h' = o·tanh(c').
    Lstm,
    /// `torch.nn.GRU`: r, z = σ(x + q), n = tanh(x + r·q), h' = (1 − z)·n + z·h.
    Gru,
}

/// What tells apart two scans of the same sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recurrence {
    /// The cell.
    pub cell: RecurrentCell,
    /// Whether it runs from the last step of every sequence to its first.
    pub reverse: bool,
    /// Whether the lengths of the sequences are read; steps past a length give zeros and leave the state as it is.
    pub lengths: bool,
    /// Whether the states before the first step are read; otherwise they are zero.
    pub initial: bool,
}

/// Which way a scan goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Reads `x [batch, steps, parts·hidden]`, `w [parts·hidden, hidden]`, `b [parts·hidden]`, lengths as floats `[batch]` and the initial states
    /// `[batch, hidden]` where they are given; writes the hidden states `[batch, steps, hidden]`, the last of each sequence `[batch, hidden]` and,
    /// of cells with gates, what the way back needs: `kept [batch, steps, n, hidden]`, the gates and then the cell state (lstm) or q of the new
    /// state (gru).
    Forward,
    /// Reads w, the hidden states, kept, the gradients that are given, lengths and initial states; writes the gradient of x, for the gru that of q,
    /// the state before each step `[batch, steps, hidden]`, and the gradients of the initial states where these are given.
    Backward {
        /// Whether the gradient of the hidden states is read.
        by_steps: bool,
        /// Whether the gradient of the last hidden state is read.
        by_last: bool,
    },
}

/// A scan over a batch of sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanSpec {
    /// What is computed at every step.
    pub recurrence: Recurrence,
    /// Forwards or back.
    pub pass: Pass,
    /// Number of sequences.
    pub batch: u32,
    /// Time steps of the longest one.
    pub steps: u32,
    /// Size of the state.
    pub hidden: u32,
}

impl RecurrentCell {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::RnnTanh, Self::RnnRelu, Self::Lstm, Self::Gru];

    /// Parts of its weights: `weight_hh` has so many times `hidden` rows.
    pub fn parts(self) -> usize {
        match self {
            Self::RnnTanh | Self::RnnRelu => 1,
            Self::Lstm => 4,
            Self::Gru => 3,
        }
    }

    /// Numbers per unit and step that are kept beside the hidden state.
    pub fn kept(self) -> usize {
        match self {
            Self::RnnTanh | Self::RnnRelu => 0,
            Self::Lstm => 5,
            Self::Gru => 4,
        }
    }

    /// States that go from step to step: h, and the lstm's c.
    pub fn states(self) -> usize {
        if self == Self::Lstm { 2 } else { 1 }
    }

    /// Its name in print.
    pub fn name(self) -> &'static str {
        match self {
            Self::RnnTanh => "rnn_tanh",
            Self::RnnRelu => "rnn_relu",
            Self::Lstm => "lstm",
            Self::Gru => "gru",
        }
    }

    /// One unit's step: from x and q of each part and the states (h, c) to the new states and what is kept.
    fn step(self, x: &[f64], q: &[f64], h: f64, c: f64) -> (f64, f64, Vec<f64>) {
        let (sigmoid, tanh) = (|v| UnaryOp::Sigmoid.eval(v), |v: f64| libm::tanh(v));
        match self {
            Self::RnnTanh => (tanh(x[0] + q[0]), c, Vec::new()),
            Self::RnnRelu => (UnaryOp::Relu.eval(x[0] + q[0]), c, Vec::new()),
            Self::Lstm => {
                let (i, f) = (sigmoid(x[0] + q[0]), sigmoid(x[1] + q[1]));
                let (g, o) = (tanh(x[2] + q[2]), sigmoid(x[3] + q[3]));
                let c = f * c + i * g;
                (o * tanh(c), c, vec![i, f, g, o, c])
            }
            Self::Gru => {
                let (r, z) = (sigmoid(x[0] + q[0]), sigmoid(x[1] + q[1]));
                let n = tanh(x[2] + r * q[2]);
                ((1.0 - z) * n + z * h, c, vec![r, z, n, q[2]])
            }
        }
    }

    /// One unit's way back through a step.
    fn back(self, unit: &Unit<'_>, dh: f64, dc: f64) -> Back {
        let Unit { kept, after, before, cell_before } = *unit;
        let slope = |s: f64| s * (1.0 - s);
        match self {
            Self::RnnTanh => Back::same(vec![dh * (1.0 - after * after)]),
            Self::RnnRelu => Back::same(vec![if after > 0.0 { dh } else { 0.0 }]),
            Self::Lstm => {
                let [i, f, g, o, c] = [0, 1, 2, 3, 4].map(|n| kept[n]);
                let t = libm::tanh(c);
                let dc = dc + dh * o * (1.0 - t * t);
                let dx = vec![dc * g * slope(i), dc * cell_before * slope(f), dc * i * (1.0 - g * g), dh * t * slope(o)];
                Back { dc: dc * f, ..Back::same(dx) }
            }
            Self::Gru => {
                let [r, z, n, q] = [0, 1, 2, 3].map(|i| kept[i]);
                let dn = dh * (1.0 - z) * (1.0 - n * n);
                let (dr, dz) = (dn * q * slope(r), dh * (before - n) * slope(z));
                Back { dx: vec![dr, dz, dn], dq: vec![dr, dz, dn * r], direct: dh * z, dc: 0.0 }
            }
        }
    }
}

/// What the way back through one unit's step knows of it.
struct Unit<'a> {
    kept: &'a [f64],
    after: f64,
    before: f64,
    cell_before: f64,
}

/// Gradients of one unit's step.
struct Back {
    dx: Vec<f64>,
    dq: Vec<f64>,
    /// What reaches the state before without going through the weights.
    direct: f64,
    dc: f64,
}

impl Back {
    /// Of a cell that adds x and q.
    fn same(dx: Vec<f64>) -> Self {
        Self { dq: dx.clone(), dx, direct: 0.0, dc: 0.0 }
    }
}

impl fmt::Display for Recurrence {
    /// The cell and what is set: `lstm reverse lengths`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.cell.name())?;
        for (set, name) in [(self.reverse, " reverse"), (self.lengths, " lengths"), (self.initial, " initial")] {
            f.write_str(if set { name } else { "" })?;
        }
        Ok(())
    }
}

/// A sequence of a batch while it is evaluated.
struct Sizes {
    steps: usize,
    hidden: usize,
    parts: usize,
    kept: usize,
}

impl ScanSpec {
    fn sizes(&self) -> Sizes {
        let cell = self.recurrence.cell;
        Sizes { steps: self.steps as usize, hidden: self.hidden as usize, parts: cell.parts(), kept: cell.kept() }
    }

    /// The time steps of a sequence of this length, in the order in which they are computed.
    fn order(&self, length: Option<f64>) -> Vec<usize> {
        let steps = (0..self.steps as usize).filter(|&t| length.is_none_or(|length| (t as f64) < length));
        if self.recurrence.reverse { steps.rev().collect() } else { steps.collect() }
    }

    /// All outputs from all reads, in f64.
    pub(crate) fn evaluate(&self, reads: &[Vec<f64>]) -> Vec<Vec<f64>> {
        match self.pass {
            Pass::Forward => self.forward(reads),
            Pass::Backward { by_steps, by_last } => self.backward(reads, by_steps, by_last),
        }
    }

    /// q of every part of every unit: W·h + b, `[parts·hidden]`.
    fn recurrent(w: &[f64], b: &[f64], h: &[f64]) -> Vec<f64> {
        w.chunks_exact(h.len()).zip(b).map(|(row, b)| b + row.iter().zip(h).map(|(w, h)| w * h).sum::<f64>()).collect()
    }

    fn forward(&self, reads: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let Sizes { steps, hidden, parts, kept } = self.sizes();
        let (mut rest, none) = (reads[3..].iter(), vec![0.0; hidden * self.batch as usize]);
        let lengths = self.recurrence.lengths.then(|| rest.next().expect("lengths are given"));
        let (h0, c0) = (rest.next().unwrap_or(&none), rest.next().unwrap_or(&none));
        let mut all = vec![0.0; self.batch as usize * steps * hidden];
        let (mut last, mut saved) = (Vec::new(), vec![0.0; all.len() * kept]);
        for row in 0..self.batch as usize {
            let (mut h, mut c) = (h0[row * hidden..][..hidden].to_vec(), c0[row * hidden..][..hidden].to_vec());
            for t in self.order(lengths.map(|l| l[row])) {
                let q = Self::recurrent(&reads[1], &reads[2], &h);
                let at = row * steps + t;
                for j in 0..hidden {
                    let of = |v: &[f64]| (0..parts).map(|p| v[p * hidden + j]).collect::<Vec<_>>();
                    let x = of(&reads[0][at * parts * hidden..]);
                    let (new_h, new_c, keep) = self.recurrence.cell.step(&x, &of(&q), h[j], c[j]);
                    (h[j], c[j], all[at * hidden + j]) = (new_h, new_c, new_h);
                    keep.iter().enumerate().for_each(|(n, v)| saved[(at * kept + n) * hidden + j] = *v);
                }
            }
            last.extend(h);
        }
        [all, last].into_iter().chain((kept > 0).then_some(saved)).collect()
    }

    fn backward(&self, reads: &[Vec<f64>], by_steps: bool, by_last: bool) -> Vec<Vec<f64>> {
        let Sizes { steps, hidden, parts, kept } = self.sizes();
        let (cell, batch) = (self.recurrence.cell, self.batch as usize);
        let mut rest = reads.iter();
        let mut next = |given: bool| if given { rest.next() } else { None };
        let (w, h, saved) = (next(true).expect("weights"), next(true).expect("states"), next(kept > 0));
        let (dh, dlast, lengths) = (next(by_steps), next(by_last), next(self.recurrence.lengths));
        let (h0, c0) = (next(self.recurrence.initial), next(self.recurrence.initial && cell.states() > 1));
        let mut dx = vec![0.0; batch * steps * parts * hidden];
        let (mut dq, mut before) = (dx.clone(), vec![0.0; batch * steps * hidden]);
        let (mut dh0, mut dc0) = (vec![0.0; batch * hidden], vec![0.0; batch * hidden]);
        for row in 0..batch {
            let own = row * hidden..(row + 1) * hidden;
            let mut carry = dlast.map_or(vec![0.0; hidden], |d| d[own.clone()].to_vec());
            let mut carry_c = vec![0.0; hidden];
            let order = self.order(lengths.map(|l| l[row]));
            for (n, &t) in order.iter().enumerate().rev() {
                let (at, mut direct) = (row * steps + t, vec![0.0; hidden]);
                let previous = n.checked_sub(1).map(|n| row * steps + order[n]);
                for j in 0..hidden {
                    let start = |v: Option<&Vec<f64>>| v.map_or(0.0, |v| v[row * hidden + j]);
                    let keep = |at: usize| -> Vec<f64> {
                        saved.map_or(Vec::new(), |s| (0..kept).map(|n| s[(at * kept + n) * hidden + j]).collect())
                    };
                    let unit = Unit {
                        kept: &keep(at),
                        after: h[at * hidden + j],
                        before: previous.map_or(start(h0), |p| h[p * hidden + j]),
                        cell_before: previous.map_or(start(c0), |p| keep(p).last().copied().unwrap_or(0.0)),
                    };
                    let total = carry[j] + dh.map_or(0.0, |d| d[at * hidden + j]);
                    let back = cell.back(&unit, total, carry_c[j]);
                    (direct[j], carry_c[j], before[at * hidden + j]) = (back.direct, back.dc, unit.before);
                    for p in 0..parts {
                        let place = (at * parts + p) * hidden + j;
                        (dx[place], dq[place]) = (back.dx[p], back.dq[p]);
                    }
                }
                for (row, d) in w.chunks_exact(hidden).zip(&dq[at * parts * hidden..]) {
                    direct.iter_mut().zip(row).for_each(|(sum, w)| *sum += d * w);
                }
                carry = direct;
            }
            dh0[own.clone()].copy_from_slice(&carry);
            dc0[own].copy_from_slice(&carry_c);
        }
        let own_q = (cell == RecurrentCell::Gru).then_some(dq);
        let initial = self.recurrence.initial.then_some(dh0);
        let initial_c = (self.recurrence.initial && cell.states() > 1).then_some(dc0);
        [Some(dx), own_q, Some(before), initial, initial_c].into_iter().flatten().collect()
    }
}

impl KernelDef for ScanSpec {
    const FAMILY: &'static str = "scan";

    fn check(&self) -> Result<(), String> {
        not_empty(&[self.batch, self.steps, self.hidden])
    }

    fn operands(&self) -> Operands {
        let Recurrence { cell, lengths, initial, .. } = self.recurrence;
        let (state, rows) = (numel(&[self.batch, self.hidden]), numel(&[cell.parts() as u32, self.hidden]));
        let all = state * u64::from(self.steps);
        let projections = all * cell.parts() as u64;
        let two = initial && cell.states() > 1;
        let kept = (cell.kept() > 0).then(|| Access::floats("kept", all * cell.kept() as u64));
        let starts = [
            lengths.then(|| Access::floats("lengths", u64::from(self.batch))),
            initial.then(|| Access::floats("h0", state)),
            two.then(|| Access::floats("c0", state)),
        ];
        let starts = starts.into_iter().flatten();
        let w = Access::floats("w", rows * u64::from(self.hidden));
        let h = Access::floats("h", all);
        match self.pass {
            Pass::Forward => {
                let reads = [Access::floats("x", projections), w, Access::floats("b", rows)];
                let writes = [h, Access::floats("last", state)];
                Operands::new(reads.into_iter().chain(starts), writes.into_iter().chain(kept))
            }
            Pass::Backward { by_steps, by_last } => {
                let given =
                    [by_steps.then(|| Access::floats("dh", all)), by_last.then(|| Access::floats("dlast", state))];
                let reads = [w, h].into_iter().chain(kept).chain(given.into_iter().flatten()).chain(starts);
                let writes = [
                    Some(Access::floats("dx", projections)),
                    (cell == RecurrentCell::Gru).then(|| Access::floats("dq", projections)),
                    Some(Access::floats("before", all)),
                    initial.then(|| Access::floats("dh0", state)),
                    two.then(|| Access::floats("dc0", state)),
                ];
                Operands::new(reads, writes.into_iter().flatten())
            }
        }
    }

    /// The recurrent product, and about ten operations for each part of a unit.
    fn flops(&self) -> u64 {
        let units = numel(&[self.batch, self.steps, self.hidden]) * self.recurrence.cell.parts() as u64;
        units * (2 * u64::from(self.hidden) + 10)
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let back = if self.pass == Pass::Forward { "" } else { "_grad" };
        write!(f, "scan{back} {} {}×{}×{}", self.recurrence, self.batch, self.steps, self.hidden)
    }

    fn eval(&self, reads: &[&dyn Numbers], _: &StepScalars) -> Option<Vec<Vec<f64>>> {
        let operands = self.operands();
        let all = operands.reads.iter().zip(reads);
        Some(self.evaluate(&all.map(|(access, read)| (0..access.extent as usize).map(|i| read.at(i)).collect()).collect::<Vec<_>>()))
    }
}
