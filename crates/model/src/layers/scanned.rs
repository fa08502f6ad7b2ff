//! A recurrent cell in a graph, for whoever looks inside: the names of its tensors, and the gradient of the loss by its state at every step.

use downhill_graph::kernel::{Recurrence, RecurrentCell};
use downhill_graph::{BinaryOp, Graph, OpError, Value};

use super::def::Builder;

/// Name, after a layer's path, of the hidden states: `model[0].hidden_l0`, `[rows, steps, hidden]`.
pub(crate) const HIDDEN: &str = "hidden";
/// Name, after a layer's path, of the gates, `[rows, steps, n, hidden]`: i, f, g, o and the cell state of an lstm, and with layer norm inside what that
/// was before its norm; r, z, n and what r lets through of a gru.
pub(crate) const GATES: &str = "gates";

/// A recurrent cell over all steps, as it stands in a graph.
#[derive(Clone, Debug)]
pub(crate) enum Scanned {
    /// As one op.
    Scan(Scan),
    /// Step by step: the hidden state of each, `[rows, hidden]`.
    Steps(Vec<Value>),
}

impl Scanned {
    /// The values whose gradients [`Scanned::gradient`] is made of.
    pub fn values(&self) -> Vec<Value> {
        match self {
            Self::Scan(scan) => vec![scan.projections, scan.states, scan.last],
            Self::Steps(each) => each.clone(),
        }
    }

    /// The gradient of the loss by the state h of every step, on all ways that lead from there: `[rows, steps, hidden]`.
    pub fn gradient(&self, cx: &mut Builder, by: &[Value]) -> Result<Value, OpError> {
        match (self, by) {
            (Self::Scan(scan), &[projections, states, last]) => scan.gradient(cx, [projections, states, last]),
            (Self::Scan(_), _) => Err(OpError::new(HIDDEN, "three gradients are given")),
            (Self::Steps(_), by) => {
                let g = &mut cx.graph;
                let each = by.iter().map(|&by| {
                    let shape = g.shape(by).clone();
                    g.reshape(by, [shape[0], 1, shape[1]])
                });
                let each = each.collect::<Result<Vec<_>, _>>()?;
                cx.graph.concat(&each, 1)
            }
        }
    }
}

/// A recurrent cell as one op.
#[derive(Clone, Debug)]
pub(crate) struct Scan {
    /// What is computed at every step.
    pub recurrence: Recurrence,
    /// The lengths of the sequences, `[rows, 1]`; all steps count where there are none.
    pub lengths: Option<Value>,
    /// The input projections, `[rows, steps, parts·hidden]`.
    pub projections: Value,
    /// The recurrent weights, `[parts·hidden, hidden]`.
    pub weight: Value,
    /// The hidden states, `[rows, steps, hidden]`.
    pub states: Value,
    /// The last of each sequence, `[rows, hidden]`.
    pub last: Value,
    /// The gates, of cells that have some.
    pub gates: Option<Value>,
}

impl Scan {
    /// What reads a state directly has the gradient D, which autodiff gives; all else goes through the next step. Where Δ is the gradient by
    /// what that step adds the recurrent weights W to, `dh[t] = D[t] + Wᵀ·Δ[t+1]`, and of a gru, which also hands on a share z of its state,
    /// `+ z[t+1]·dh[t+1]`. This last recurrence is unrolled by doubling: after k rounds a step holds what comes from the 2ᵏ steps behind it.
    fn gradient(&self, cx: &mut Builder, [by_projections, by_states, by_last]: [Value; 3]) -> Result<Value, OpError> {
        let shape = cx.graph.shape(self.states).clone();
        let &[rows, steps, hidden] = &shape[..] else { return Err(OpError::new(HIDDEN, "states are [rows, steps, hidden]")) };
        let ends = self.ends(cx, rows, steps)?;
        let (g, parts) = (&mut cx.graph, self.recurrence.cell.parts());
        let by_last = g.reshape(by_last, [rows, 1, hidden])?;
        let at_the_end = g.mul(ends, by_last)?;
        let direct = g.plus(by_states, at_the_end)?;
        let by_recurrent = self.by_recurrent(g, by_projections, hidden)?;
        let flat = g.reshape(by_recurrent, [rows * steps, parts * hidden])?;
        let through = g.matmul(flat, self.weight)?;
        let through = g.reshape(through, shape)?;
        let through = self.later(g, through, 1)?;
        let mut sum = g.plus(direct, through)?;
        if let (RecurrentCell::Gru, Some(gates)) = (self.recurrence.cell, self.gates) {
            let z = gate(g, gates, 1)?;
            let mut share = self.later(g, z, 1)?;
            let mut reach = 1;
            while reach < steps {
                let behind = self.later(g, sum, reach)?;
                let handed = g.mul(share, behind)?;
                sum = g.plus(sum, handed)?;
                let further = self.later(g, share, reach)?;
                share = g.mul(share, further)?;
                reach *= 2;
            }
        }
        let Some(lengths) = self.lengths else { return Ok(sum) };
        let positions = cx.positions(steps)?;
        let counts = cx.graph.binary(BinaryOp::Lt, positions, lengths)?;
        let counts = cx.graph.reshape(counts, [rows, steps, 1])?;
        cx.graph.mul(sum, counts)
    }

    /// The gradient by what the recurrent weights give: that by the projections, of which a gru's reset gate lets through a share.
    fn by_recurrent(&self, g: &mut Graph, by_projections: Value, hidden: usize) -> Result<Value, OpError> {
        let (RecurrentCell::Gru, Some(gates)) = (self.recurrence.cell, self.gates) else { return Ok(by_projections) };
        let first = g.slice(by_projections, -1, 0, 2 * hidden)?;
        let new = g.slice(by_projections, -1, 2 * hidden, 3 * hidden)?;
        let reset = gate(g, gates, 0)?;
        let new = g.mul(new, reset)?;
        g.concat(&[first, new], -1)
    }

    /// What stands so many steps later in the order of computation, zeros behind the last.
    fn later(&self, g: &mut Graph, x: Value, by: usize) -> Result<Value, OpError> {
        let steps = g.shape(x).get(1).copied().unwrap_or_default();
        let by = by.min(steps);
        if by == steps {
            return g.scale(0.0, x);
        }
        let (kept, border) = if self.recurrence.reverse {
            (g.slice(x, 1, 0, steps - by)?, (1, by, 0))
        } else {
            (g.slice(x, 1, by, steps)?, (1, 0, by))
        };
        g.pad(kept, &[border], 0.0)
    }

    /// 1 at the step after which the last state is given, 0 elsewhere: `[rows, steps, 1]`.
    fn ends(&self, cx: &mut Builder, rows: usize, steps: usize) -> Result<Value, OpError> {
        let positions = cx.positions(steps)?;
        let g = &mut cx.graph;
        let one = g.constant(1.0)?;
        let lengths = match self.lengths {
            Some(lengths) => lengths,
            None => g.full([rows, 1], steps as f32)?,
        };
        let first = if self.recurrence.reverse { g.binary(BinaryOp::Min, lengths, one)? } else { lengths };
        let before = g.sub(first, one)?;
        let [upto, below] = [first, before].map(|end| g.binary(BinaryOp::Lt, positions, end));
        let end = g.sub(upto?, below?)?;
        g.reshape(end, [rows, steps, 1])
    }
}

/// One of the gates, `[rows, steps, hidden]`.
fn gate(g: &mut Graph, gates: Value, at: usize) -> Result<Value, OpError> {
    let shape = g.shape(gates).clone();
    let one = g.slice(gates, 2, at, at + 1)?;
    g.reshape(one, [shape[0], shape[1], shape[3]])
}

#[cfg(test)]
mod tests {
    use downhill_graph::interp::run;
    use downhill_graph::tensors::{Env, Tensor};
    use downhill_graph::verify;
    use serde_json::json;

    use crate::{Checked, Experiment, ProgramKind, Signature, build, check};

    const STEPS: usize = 5;
    const HIDDEN: usize = 3;
    const TRUTH: f64 = 0.3;

    /// A recurrent layer of this kind before a linear one, on sequences of two numbers a step of different lengths.
    fn checked(cell: &str, both: bool, output: &str) -> Checked {
        let layer = json!({ cell: { "hidden_size": HIDDEN, "bidirectional": both, "output": output } });
        let document = json!({
            "data": { "adding": { "samples": 20, "min_length": 3, "max_length": STEPS } },
            "model": [layer, { "linear": { "out": "targets" } }],
            "loss": "mse",
        });
        let experiment = Experiment::from_value(&document).unwrap().experiment;
        let signature = Signature::of(&experiment.data).unwrap();
        check(experiment, signature).unwrap()
    }

    /// Some number between −0.8 and 0.8: element `i` of parameter `seed`.
    fn number(seed: usize, i: usize) -> f64 {
        0.8 * ((seed * 131 + i * 37 + 11) as f64 * 0.618).sin()
    }

    /// The numbers of a step of the sample.
    fn input(step: usize) -> [f64; 2] {
        [number(90, 2 * step), number(90, 2 * step + 1)]
    }

    /// What the interpreter gives for these names, for one sample of `length` steps.
    fn looked_at(checked: &Checked, length: usize, names: &[String]) -> Vec<Vec<f64>> {
        let kind = ProgramKind::Inspect { rows: 1, tensors: names.to_vec(), with_gradients: false };
        let graph = build(checked, &kind).unwrap();
        verify(&graph).unwrap();
        let parameters = graph.parameters().iter().enumerate();
        let parameters =
            parameters.map(|(seed, p)| Tensor::f32(p.shape.to_vec(), (0..p.shape.numel()).map(|i| number(seed, i)).collect()));
        let feeds = graph.feeds().iter().map(|feed| {
            let numbers = match feed.name.as_str() {
                "rows.length" => vec![length as f64],
                "rows.x" => (0..STEPS).flat_map(input).collect(),
                "rows.y" => vec![TRUTH],
                _ => (0..feed.ty.shape.numel()).map(|i| i as f64).collect(),
            };
            Tensor::new(&feed.ty, numbers)
        });
        let mut env = Env { parameters: parameters.collect(), feeds: feeds.collect(), ..Env::default() };
        let ran = run(&graph, &mut env);
        names.iter().map(|name| ran.output(&graph, name).unwrap().data.clone()).collect()
    }

    /// `W·v + b` of the parameters with these numbers.
    fn affine(weight: usize, bias: usize, rows: usize, v: &[f64]) -> Vec<f64> {
        let width = v.len();
        let dot = |row: usize| v.iter().enumerate().map(|(i, x)| number(weight, row * width + i) * x).sum::<f64>();
        (0..rows).map(|row| number(bias, row) + dot(row)).collect()
    }

    /// One step of a cell as PyTorch's documentation has it, with parameters from number `first` on: state, cell state, gates.
    fn step(cell: &str, first: usize, x: &[f64], (h, c): (&[f64], &[f64])) -> (Vec<f64>, Vec<f64>, Vec<Vec<f64>>) {
        let sigmoid = |v: f64| 1.0 / (1.0 + (-v).exp());
        let parts = match cell {
            "rnn" => 1,
            "gru" => 3,
            _ => 4,
        };
        let (own, recurrent) = (affine(first, first + 2, parts * HIDDEN, x), affine(first + 1, first + 3, parts * HIDDEN, h));
        let sum = |part: usize, j: usize| own[part * HIDDEN + j] + recurrent[part * HIDDEN + j];
        let each = |f: &dyn Fn(usize) -> f64| (0..HIDDEN).map(f).collect::<Vec<f64>>();
        match cell {
            "rnn" => (each(&|j| sum(0, j).tanh()), c.to_vec(), Vec::new()),
            "gru" => {
                let (r, z) = (each(&|j| sigmoid(sum(0, j))), each(&|j| sigmoid(sum(1, j))));
                let q = each(&|j| recurrent[2 * HIDDEN + j]);
                let n = each(&|j| (own[2 * HIDDEN + j] + r[j] * q[j]).tanh());
                (each(&|j| (1.0 - z[j]) * n[j] + z[j] * h[j]), c.to_vec(), vec![r, z, n, q])
            }
            _ => {
                let [i, f, o] = [0, 1, 3].map(|part| each(&|j| sigmoid(sum(part, j))));
                let g = each(&|j| sum(2, j).tanh());
                let c = each(&|j| f[j] * c[j] + i[j] * g[j]);
                (each(&|j| o[j] * c[j].tanh()), c.clone(), vec![i, f, g, o, c])
            }
        }
    }

    #[test]
    fn gates_and_the_gradient_by_every_state_are_those_of_the_cell() {
        for (cell, both, output, length) in [
            ("rnn", false, "last", STEPS),
            ("rnn", true, "mean", 4),
            ("lstm", false, "last", 4),
            ("lstm", true, "last", STEPS),
            ("lstm", false, "mean", STEPS),
            ("gru", false, "last", STEPS),
            ("gru", true, "last", 4),
            ("gru", false, "mean", 3),
        ] {
            let (first, suffix) = if both { (4, "l0_reverse") } else { (0, "l0") };
            let mut names = vec![format!("model[0].hidden_{suffix}"), format!("grad:model[0].hidden_{suffix}")];
            if cell != "rnn" {
                names.push(format!("model[0].gates_{suffix}"));
            }
            let got = looked_at(&checked(cell, both, output), length, &names);
            let order: Vec<usize> = if both { (0..length).rev().collect() } else { (0..length).collect() };
            // Runs on from behind the first `from` steps of that order, of which these are the states, to the loss.
            let loss = |from: usize, states: &[Vec<f64>], c: &[f64]| {
                let (mut states, mut c) = (states.to_vec(), c.to_vec());
                for &t in &order[from..] {
                    let h = states.last().cloned().unwrap_or_else(|| vec![0.0; HIDDEN]);
                    let (h, next, _) = step(cell, first, &input(t), (&h, &c));
                    (c, _) = (next, states.push(h));
                }
                let seen: Vec<f64> = (0..HIDDEN)
                    .map(|j| match output {
                        "last" => states[length - 1][j],
                        _ => states.iter().map(|h| h[j]).sum::<f64>() / length as f64,
                    })
                    .collect();
                // The other direction adds a constant to the answer.
                let linear = if both { 8 } else { 4 };
                let place = if both { HIDDEN } else { 0 };
                let own: f64 = seen.iter().enumerate().map(|(j, h)| number(linear, place + j) * h).sum();
                (states, c, own, number(linear + 1, 0))
            };
            let zeros = vec![0.0; HIDDEN];
            let other: f64 = if both {
                let (mut h, mut c, mut sum) = (zeros.clone(), zeros.clone(), zeros.clone());
                for t in 0..length {
                    let (new, next, _) = step(cell, 0, &input(t), (&h, &c));
                    (h, c) = (new, next);
                    sum.iter_mut().zip(&h).for_each(|(sum, h)| *sum += h / length as f64);
                }
                let seen = if output == "last" { h } else { sum };
                seen.iter().enumerate().map(|(j, h)| number(8, j) * h).sum()
            } else {
                0.0
            };
            let cost = |(_, _, own, bias): (Vec<Vec<f64>>, Vec<f64>, f64, f64)| (own + other + bias - TRUTH).powi(2);
            let (mut states, mut c) = (Vec::new(), zeros.clone());
            for (n, &t) in order.iter().enumerate() {
                let before = states.last().cloned().unwrap_or_else(|| zeros.clone());
                let (h, next, gates) = step(cell, first, &input(t), (&before, &c));
                c = next;
                states.push(h.clone());
                for j in 0..HIDDEN {
                    let at = t * HIDDEN + j;
                    assert!((got[0][at] - h[j]).abs() < 1e-6, "{cell} {suffix} h[{t}][{j}]");
                    for (g, gate) in gates.iter().enumerate() {
                        let kept = got[2][(t * gates.len() + g) * HIDDEN + j];
                        assert!((kept - gate[j]).abs() < 1e-6, "{cell} {suffix} gate {g} at {t}: {kept}, expected {}", gate[j]);
                    }
                    let moved = |by: f64| {
                        let mut states = states.clone();
                        states[n][j] += by;
                        cost(loss(n + 1, &states, &c))
                    };
                    let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                    assert!((got[1][at] - slope).abs() < 1e-6, "{cell} {suffix} {output} {t}: {} for {slope}", got[1][at]);
                }
            }
            assert!(
                got[0][length * HIDDEN..].iter().chain(&got[1][length * HIDDEN..]).all(|v| *v == 0.0),
                "{cell} past its end"
            );
        }
    }
}
