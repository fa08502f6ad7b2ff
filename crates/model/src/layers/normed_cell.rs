//! Recurrent cells with layer norm inside (Ba, Kiros and Hinton 2016), step by step.
//!
//! What the state before gives is normed, all parts of the cell together, before it is added to what the input gives, which is normed, too; so is
//! an lstm's cell state. No kernel goes over all steps of that: each step is nodes of its own, and autodiff leads back through them.

use downhill_graph::kernel::RecurrentCell;
use downhill_graph::{BinaryOp, Graph, OpError, UnaryOp, Value};

use super::def::Builder;

/// Added to the variance, as `nn.LayerNorm` has it.
const EPS: f32 = 1e-5;

/// A cell of one layer and direction.
pub(super) struct NormedCell {
    pub cell: RecurrentCell,
    /// Whether it runs from the last step of every sequence to its first.
    pub reverse: bool,
    /// The lengths of the sequences, `[rows, 1]`; all steps count where there are none.
    pub lengths: Option<Value>,
    /// The states before the first step, `[rows, hidden]`; zeros where there are none.
    pub begin: Vec<Value>,
    /// The recurrent weights, `[parts·hidden, hidden]`, and for what they give the norm's factors and the bias, `[parts·hidden]`.
    pub recurrent: [Value; 3],
    /// The norm's factors and constants of an lstm's cell state, `[hidden]`.
    pub cell_norm: Option<[Value; 2]>,
}

/// What a cell gives.
pub(super) struct Steps {
    /// The hidden states, `[rows, steps, hidden]`, zeros past the end of a sequence.
    pub states: Value,
    /// The last of each sequence, `[rows, hidden]`.
    pub last: Value,
    /// The gates as a scan has them, `[rows, steps, n, hidden]`, of cells that have some; behind an lstm's cell state what it was before its norm.
    pub gates: Option<Value>,
    /// The new hidden state of each step, `[rows, hidden]`.
    pub each: Vec<Value>,
}

/// `x` normed along the last axis, times `factors`.
pub(super) fn normed(g: &mut Graph, x: Value, factors: Value) -> Result<Value, OpError> {
    g.layer_norm(x, true, EPS, Some(factors), None)
}

impl NormedCell {
    /// Runs over all steps of the input projections `x`, `[rows, steps, parts·hidden]`, normed and with their bias.
    pub fn run(&self, cx: &mut Builder, x: Value) -> Result<Steps, OpError> {
        let g = &mut cx.graph;
        let (shape, hidden) = (g.shape(x).clone(), g.shape(self.recurrent[0])[1]);
        let &[rows, steps, width] = &shape[..] else {
            return Err(OpError::new("cell", "projections are [rows, steps, parts]"));
        };
        let pieces = g.split(x, 1, 1)?;
        let zeros = g.full([rows, hidden], 0.0)?;
        let mut states = [self.begin.first(), self.begin.get(1)].map(|state| state.copied().unwrap_or(zeros));
        let (mut each, mut all, mut kept) = (vec![zeros; steps], vec![zeros; steps], Vec::new());
        let mut order: Vec<usize> = (0..steps).collect();
        if self.reverse {
            order.reverse();
        }
        for t in order {
            let x = g.reshape(pieces[t], [rows, width])?;
            let (mut new, gates) = self.step(g, x, states, hidden)?;
            (each[t], all[t]) = (new[0], new[0]);
            if let Some(lengths) = self.lengths {
                let number = g.constant(t as f32)?;
                let counts = g.binary(BinaryOp::Lt, number, lengths)?;
                all[t] = g.mul(new[0], counts)?;
                for (new, before) in new.iter_mut().zip(states) {
                    *new = g.select(counts, *new, before)?;
                }
            }
            states = new;
            all[t] = g.reshape(all[t], [rows, 1, hidden])?;
            if !gates.is_empty() {
                let beside = g.concat(&gates, -1)?;
                kept.push((t, g.reshape(beside, [rows, 1, gates.len(), hidden])?));
            }
        }
        kept.sort_by_key(|&(t, _)| t);
        let kept: Vec<Value> = kept.into_iter().map(|(_, gates)| gates).collect();
        let gates = if kept.is_empty() { None } else { Some(g.concat(&kept, 1)?) };
        Ok(Steps { states: g.concat(&all, 1)?, last: states[0], gates, each })
    }

    /// The states h and c after one step, and the gates of it.
    fn step(&self, g: &mut Graph, x: Value, [h, c]: [Value; 2], hidden: usize) -> Result<([Value; 2], Vec<Value>), OpError> {
        let [weight, factors, bias] = self.recurrent;
        let q = g.linear(h, weight, None)?;
        let q = normed(g, q, factors)?;
        let q = g.plus(q, bias)?;
        match self.cell {
            RecurrentCell::RnnTanh | RecurrentCell::RnnRelu => {
                let f = if self.cell == RecurrentCell::RnnTanh { UnaryOp::Tanh } else { UnaryOp::Relu };
                let sum = g.plus(x, q)?;
                Ok(([g.unary(f, sum)?, c], Vec::new()))
            }
            RecurrentCell::Lstm => {
                let sum = g.plus(x, q)?;
                let parts = g.split(sum, hidden, -1)?;
                let [i, f, o] = [0, 1, 3].map(|part| g.unary(UnaryOp::Sigmoid, parts[part]));
                let (i, f, n, o) = (i?, f?, g.unary(UnaryOp::Tanh, parts[2])?, o?);
                let (stays, comes) = (g.mul(f, c)?, g.mul(i, n)?);
                let sum = g.plus(stays, comes)?;
                let c = match self.cell_norm {
                    Some([factors, constants]) => g.layer_norm(sum, true, EPS, Some(factors), Some(constants))?,
                    None => sum,
                };
                let shown = g.unary(UnaryOp::Tanh, c)?;
                Ok(([g.mul(o, shown)?, c], vec![i, f, n, o, c, sum]))
            }
            RecurrentCell::Gru => {
                let (x, q) = (g.split(x, hidden, -1)?, g.split(q, hidden, -1)?);
                let [r, z] = [0, 1].map(|part| {
                    let sum = g.plus(x[part], q[part])?;
                    g.unary(UnaryOp::Sigmoid, sum)
                });
                let (r, z) = (r?, z?);
                let through = g.mul(r, q[2])?;
                let sum = g.plus(x[2], through)?;
                let n = g.unary(UnaryOp::Tanh, sum)?;
                let away = g.sub(h, n)?;
                let share = g.mul(z, away)?;
                Ok(([g.plus(n, share)?, c], vec![r, z, n, q[2]]))
            }
        }
    }
}

/// Makes a module like that of [`super::recurrent::HELPER`] with the norms inside, and parameters of the names above.
pub(super) const HELPER: &str = "\
class NormedRecurrent(nn.Module):
    def __init__(self, wires, lengths, cell, features, hidden, output, num_layers=1, bidirectional=False, dropout=0.0, nonlinearity=\"tanh\"):
        super().__init__()
        self.wires, self.lengths, self.cell, self.hidden, self.output = wires, lengths, cell, hidden, output
        self.num_layers, self.ends, self.dropout = num_layers, [\"\", \"_reverse\"][:1 + bidirectional], dropout
        self.nonlinearity = getattr(torch, nonlinearity)
        rows = {nn.RNN: 1, nn.GRU: 3, nn.LSTM: 4}[cell] * hidden
        for layer in range(num_layers):
            columns = features if layer == 0 else hidden * len(self.ends)
            for end in self.ends:
                shapes = {\"weight_ih\": (rows, columns), \"weight_hh\": (rows, hidden), \"bias_ih\": (rows,), \"bias_hh\": (rows,)}
                shapes |= {\"norm_ih\": (rows,), \"norm_hh\": (rows,)}
                shapes |= {\"norm_c\": (hidden,), \"norm_c_bias\": (hidden,)} if cell is nn.LSTM else {}
                for name, shape in shapes.items():
                    value = torch.empty(shape).uniform_(-hidden ** -0.5, hidden ** -0.5)
                    if name.startswith(\"norm\"):
                        value = torch.zeros(shape) if name.endswith(\"bias\") else torch.ones(shape)
                    self.register_parameter(f\"{name}_l{layer}{end}\", nn.Parameter(value))

    def step(self, own, x, h, c):
        q = nn.functional.layer_norm(h @ own[\"weight_hh\"].T, own[\"norm_hh\"].shape, own[\"norm_hh\"]) + own[\"bias_hh\"]
        if self.cell is nn.RNN:
            return self.nonlinearity(x + q), c
        if self.cell is nn.LSTM:
            i, f, g, o = (x + q).chunk(4, dim=1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            c = nn.functional.layer_norm(c, own[\"norm_c\"].shape, own[\"norm_c\"], own[\"norm_c_bias\"])
            return torch.sigmoid(o) * torch.tanh(c), c
        (xr, xz, xn), (qr, qz, qn) = x.chunk(3, dim=1), q.chunk(3, dim=1)
        z, n = torch.sigmoid(xz + qz), torch.tanh(xn + torch.sigmoid(xr + qr) * qn)
        return n + z * (h - n), c

    def forward(self, x):
        steps = x.shape[1]
        ends = torch.full((len(x), 1), steps) if self.lengths is None else self.wires[self.lengths].reshape(-1, 1)
        counts = (torch.arange(steps) < ends.cpu()).to(x.device).unsqueeze(2)
        for layer in range(self.num_layers):
            if layer > 0:
                x = nn.functional.dropout(x, self.dropout, self.training)
            all, last = [], []
            for end in self.ends:
                own = {name.removesuffix(f\"_l{layer}{end}\"): p for name, p in self.named_parameters() if name.endswith(f\"_l{layer}{end}\")}
                inputs = nn.functional.layer_norm(x @ own[\"weight_ih\"].T, own[\"norm_ih\"].shape, own[\"norm_ih\"]) + own[\"bias_ih\"]
                h = c = x.new_zeros(len(x), self.hidden)
                states = [None] * steps
                for t in reversed(range(steps)) if end else range(steps):
                    new, cell = self.step(own, inputs[:, t], h, c)
                    h, c = torch.where(counts[:, t], new, h), torch.where(counts[:, t], cell, c)
                    states[t] = new * counts[:, t]
                all.append(torch.stack(states, dim=1))
                last.append(h)
            x = torch.cat(all, dim=2)
        if self.output == \"all\":
            return x
        if self.output == \"mean\":
            return x.sum(dim=1) / counts.sum(dim=1)
        if self.output == \"max\":
            return x.masked_fill(~counts, -torch.inf).amax(dim=1)
        return torch.cat(last, dim=1)
";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::{Experiment, Signature, check};

    #[test]
    fn sequences_of_too_many_steps_are_refused_by_their_number() {
        let refusal = |steps: usize, layers: usize, both: bool| {
            let cell = json!({ "lstm": { "layer_norm": true, "num_layers": layers, "bidirectional": both } });
            let document = json!({
                "data": { "adding": { "samples": 20, "min_length": 3, "max_length": steps } },
                "model": [cell, { "linear": { "out": "targets" } }],
                "loss": "mse",
            });
            let experiment = Experiment::from_value(&document).unwrap().experiment;
            let signature = Signature::of(&experiment.data).unwrap();
            check(experiment, signature).err().map(|error| error.to_string()).unwrap_or_default()
        };
        assert_eq!([refusal(128, 2, false), refusal(64, 2, true)], ["", ""]);
        let wide = "model[0].lstm.layer_norm: What has layer norm inside takes 256 steps at most, all layers and directions together; with this one \
            there are 260.";
        for (steps, layers, both) in [(130, 2, false), (65, 2, true)] {
            assert!(refusal(steps, layers, both).starts_with(wide), "{}", refusal(steps, layers, both));
        }
    }
}
