//! What the layers `rnn`, `lstm` and `gru` share: parameters, graph and PyTorch module of stacked recurrent cells of one or two directions.

use downhill_graph::kernel::{Recurrence, RecurrentCell, ReduceKind};
use downhill_graph::{OpError, Origin, Value};
use downhill_tensor::UserError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::def::{Begins, Builder, Given, Inferred, Port, Resolved, Resolver};
use super::mean_over_time::{counted, mean};
use super::normed_cell::{self, NormedCell, normed};
use super::scanned::{GATES, HIDDEN, Scan, Scanned};
use super::{Draw, Init};
use crate::scalars::GOES_ON;

/// What a recurrent layer gives of the states of all steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum States {
    /// The last one of each sequence
    #[default]
    Last,
    /// All of them, a sequence again
    All,
    /// Their mean
    Mean,
    /// The largest number of each unit
    Max,
}

impl States {
    fn name(self) -> &'static str {
        match self {
            States::Last => "last",
            States::All => "all",
            States::Mean => "mean",
            States::Max => "max",
        }
    }
}

/// A recurrent layer, whatever its cell.
pub(super) struct Recurrent {
    pub cell: RecurrentCell,
    /// Name in the registry.
    pub name: &'static str,
    pub hidden_size: usize,
    pub num_layers: usize,
    pub bidirectional: bool,
    pub dropout: f64,
    pub output: States,
    /// Whether there is layer norm inside the cells.
    pub layer_norm: bool,
    /// How the weights from a state to the next are drawn.
    pub init: Init,
    /// What the bias of the forget gate begins with, in place of what is drawn.
    pub forget_bias: Option<f64>,
}

/// What a cell keeps of the steps before: the hidden state, and the cell state, which stands behind an lstm's gates.
const STATES: [&str; 2] = ["h", "c"];
/// Steps of cells with layer norm that a model may have: each is a part of the program.
const NORMED_STEPS: usize = 256;
/// Forget gate among the parts of an lstm.
const FORGET: usize = 1;

impl Recurrent {
    pub fn label(&self) -> String {
        let both = if self.bidirectional { " ×2" } else { "" };
        format!("{} {}{both}", self.name, self.hidden_size)
    }

    fn directions(&self) -> usize {
        if self.bidirectional { 2 } else { 1 }
    }

    /// What PyTorch calls a parameter of a layer and direction: `weight_ih_l0_reverse`.
    fn parameter(what: &str, layer: usize, direction: usize) -> String {
        format!("{what}_l{layer}{}", if direction == 0 { "" } else { "_reverse" })
    }

    /// As PyTorch, evenly from ±1/√hidden, all of them.
    fn draw(&self, bias: Option<f64>) -> Draw {
        let bound = 1.0 / (self.hidden_size as f64).sqrt();
        match bias {
            Some(value) => {
                let part = (FORGET * self.hidden_size, (FORGET + 1) * self.hidden_size);
                Draw::UniformAround { bound, fixed: part, value }
            }
            None => Draw::Uniform(bound),
        }
    }

    pub fn infer(&self, cx: &mut Resolver<'_>, input: &Port) -> Result<Inferred, UserError> {
        let &[steps, features] = input.shape.as_slice() else {
            let message = format!("{} expects a sequence of vectors, gets {input}.", self.name);
            return Err(
                UserError::new(message).hint("Use data with sequences; put it behind an `embedding` if these are tokens.")
            );
        };
        let carried = cx.carried_rows();
        if carried.is_some() && self.bidirectional {
            let message = "What reads from the end too cannot go on from the batch before.";
            return Err(UserError::at("bidirectional", message).hint("Turn it off, or `carry` of the data."));
        }
        if self.layer_norm {
            let steps = steps.saturating_mul(self.num_layers * self.directions());
            check_norm(cx.unrolled(steps), carried.is_some())?;
        }
        let width = self.hidden_size * self.directions();
        let port = match self.output {
            States::All => Port { lengths: input.lengths.clone(), ..Port::numbers([steps, width]) },
            _ => Port::numbers([width]),
        };
        let (rows, mut inferred, mut flops) = (self.cell.parts() * self.hidden_size, Inferred::new(port), 0u64);
        for layer in 0..self.num_layers {
            let columns = if layer == 0 { features } else { width };
            for direction in 0..self.directions() {
                let name = |what: &str| Self::parameter(what, layer, direction);
                inferred.parameter(name("weight_ih"), &[rows, columns], self.draw(None));
                inferred.parameter(name("weight_hh"), &[rows, self.hidden_size], self.init.weight(self.hidden_size, rows));
                inferred.parameter(name("bias_ih"), &[rows], self.draw(self.forget_bias));
                inferred.parameter(name("bias_hh"), &[rows], self.draw(self.forget_bias.map(|_| 0.0)));
                if self.layer_norm {
                    inferred.parameter(name("norm_ih"), &[rows], Draw::Constant(1.0));
                    inferred.parameter(name("norm_hh"), &[rows], Draw::Constant(1.0));
                    if self.cell == RecurrentCell::Lstm {
                        inferred.parameter(name("norm_c"), &[self.hidden_size], Draw::Constant(1.0));
                        inferred.parameter(name("norm_c_bias"), &[self.hidden_size], Draw::Constant(0.0));
                    }
                    // As of the layer `layer_norm`: six for each number that is normed.
                    let normed = 2 * rows + if self.cell == RecurrentCell::Lstm { self.hidden_size } else { 0 };
                    flops = flops.saturating_add((6 * normed as u64).saturating_mul(steps as u64));
                }
                for state in STATES[..self.cell.states()].iter().filter(|_| carried.is_some()) {
                    inferred.carried(&name(state), &[carried.unwrap_or_default(), self.hidden_size]);
                }
                inferred.inner.push(name(HIDDEN));
                inferred.inner.extend((self.cell.kept() > 0).then(|| name(GATES)));
                let products = (rows as u64).saturating_mul((columns + self.hidden_size) as u64);
                flops = flops.saturating_add(products.saturating_mul(2 * steps as u64));
            }
        }
        Ok(inferred.flops(flops))
    }

    /// The input projections of all steps are one product; the scan does the rest, and knows where sequences end.
    pub fn build(&self, cx: &mut Builder, at: &Resolved, x: Value) -> Result<Value, OpError> {
        let lengths = at.input().lengths.as_deref();
        let given = lengths.map(|field| cx.field(field)).transpose()?;
        let rows = cx.graph.shape(x).first().copied().unwrap_or_default();
        let x = joined_rows(cx, x)?;
        let (mut x, mut last) = (x, x);
        for layer in 0..self.num_layers {
            if layer > 0 {
                x = cx.dropout(self.dropout, x)?;
            }
            let (mut states, mut ends) = (Vec::new(), Vec::new());
            for direction in 0..self.directions() {
                let mut parameter = |what: &str| cx.parameter(at, &Self::parameter(what, layer, direction));
                let (input, hidden) = (parameter("weight_ih")?, parameter("weight_hh")?);
                let (bias, hidden_bias) = (parameter("bias_ih")?, parameter("bias_hh")?);
                let begin = self.begin(cx, at, layer, direction)?;
                let reverse = direction > 0;
                let (state, end, gates, scanned) = if self.layer_norm {
                    let mut parameter = |what: &str| cx.parameter(at, &Self::parameter(what, layer, direction));
                    let (input_norm, hidden_norm) = (parameter("norm_ih")?, parameter("norm_hh")?);
                    let of_cell = self.cell == RecurrentCell::Lstm;
                    let cell_norm = if of_cell { Some([parameter("norm_c")?, parameter("norm_c_bias")?]) } else { None };
                    let recurrent = [hidden, hidden_norm, hidden_bias];
                    let projections = cx.graph.linear(x, input, None)?;
                    let projections = normed(&mut cx.graph, projections, input_norm)?;
                    let projections = cx.graph.plus(projections, bias)?;
                    let cell = NormedCell { cell: self.cell, reverse, lengths: given, begin, recurrent, cell_norm };
                    let steps = cell.run(cx, projections)?;
                    (steps.states, steps.last, steps.gates, Scanned::Steps(steps.each))
                } else {
                    let projections = cx.graph.linear(x, input, Some(bias))?;
                    let recurrence =
                        Recurrence { cell: self.cell, reverse, lengths: given.is_some(), initial: !begin.is_empty() };
                    let inputs: Vec<Value> = [projections, hidden, hidden_bias].into_iter().chain(given).chain(begin).collect();
                    let outputs = cx.graph.scan(recurrence, &inputs)?;
                    let [states, last, ..] = outputs[..] else { return Err(OpError::new("scan", "it gives two values")) };
                    let gates = outputs.get(2).copied();
                    let scan = Scan { recurrence, lengths: given, projections, weight: hidden, states, last, gates };
                    (states, last, gates, Scanned::Scan(scan))
                };
                let named = |what: &str| format!("{}.{}", at.path, Self::parameter(what, layer, direction));
                self.leave(cx, at, layer, end, gates)?;
                cx.keep(at, &Self::parameter(STATES[0], layer, direction), |_| Ok(state))?;
                if let Some(gates) = gates.filter(|_| self.cell.states() > 1) {
                    cx.keep(at, &Self::parameter(STATES[1], layer, direction), |cx| {
                        let all = cx.graph.shape(gates).clone();
                        let place = self.cell.kept();
                        let cell = cx.graph.slice(gates, 2, place - 1, place)?;
                        cx.graph.reshape(cell, [all[0], all[1], all[3]])
                    })?;
                }
                cx.activations.push((named(HIDDEN), state));
                cx.activations.extend(gates.map(|gates| (named(GATES), gates)));
                cx.scans.push((named(HIDDEN), scanned));
                states.push(state);
                ends.push(end);
            }
            x = joined(cx, &states)?;
            last = joined(cx, &ends)?;
        }
        if let Begins::Joined(_) = cx.mode().begins {
            let steps = at.input().shape.first().copied().unwrap_or_default();
            x = cx.reshape(x, rows, &[steps, self.hidden_size])?;
            last = step_of(cx, x, steps - 1)?;
        }
        match self.output {
            States::Last => Ok(last),
            States::All => Ok(x),
            States::Mean => mean(cx, lengths, x),
            States::Max => self.max(cx, lengths, x),
        }
    }

    /// The states that a cell begins with, h and of an lstm c; none where they are zero.
    fn begin(&self, cx: &mut Builder, at: &Resolved, layer: usize, direction: usize) -> Result<Vec<Value>, OpError> {
        let names = STATES[..self.cell.states()].iter().map(|state| Self::parameter(state, layer, direction));
        if cx.mode().given == Given::Next {
            return names.map(|name| cx.kept_before(at, &name, [1, self.hidden_size])).collect();
        }
        if cx.mode().begins != Begins::Carried {
            return Ok(Vec::new());
        }
        let goes_on = cx.graph.scalar(GOES_ON)?;
        let before = |name: String| {
            let state = cx.buffer(at, &name)?;
            cx.graph.mul(goes_on, state)
        };
        names.map(before).collect()
    }

    /// Leaves the states of the last step to the batch that goes on from this one. No gradient comes back from there.
    fn leave(&self, cx: &mut Builder, at: &Resolved, layer: usize, end: Value, gates: Option<Value>) -> Result<(), OpError> {
        if cx.mode().begins != Begins::Carried || !cx.mode().moves {
            return Ok(());
        }
        let origin = cx.graph.set_origin(Origin::Update);
        cx.move_buffer(at, &Self::parameter(STATES[0], layer, 0), end)?;
        if let Some(gates) = gates.filter(|_| self.cell.states() > 1) {
            let steps = cx.graph.shape(gates)[1];
            let last = step_of(cx, gates, steps - 1)?;
            let cell = step_of(cx, last, self.cell.kept() - 1)?;
            cx.move_buffer(at, &Self::parameter(STATES[1], layer, 0), cell)?;
        }
        cx.graph.set_origin(origin);
        Ok(())
    }

    /// The largest of the steps that count; of a sequence without a step 0.
    fn max(&self, cx: &mut Builder, lengths: Option<&str>, x: Value) -> Result<Value, OpError> {
        let Some(field) = lengths else { return cx.graph.reduce(ReduceKind::Max, x, &[1], false) };
        let (zero, least) = (cx.graph.constant(0.0)?, cx.graph.constant(f32::NEG_INFINITY)?);
        let counts = counted(cx, field, x, least)?;
        let largest = cx.graph.reduce(ReduceKind::Max, counts, &[1], false)?;
        let lengths = cx.field(field)?;
        cx.graph.select(lengths, largest, zero)
    }

    pub fn is_stepwise(&self) -> bool {
        !self.bidirectional && self.output == States::All
    }

    pub fn torch(&self, at: &Resolved, module: &str, more: &str) -> String {
        let features = at.input().shape.last().copied().unwrap_or_default();
        let maker = if self.layer_norm { "NormedRecurrent" } else { "recurrent" };
        let wires = match &at.input().lengths {
            Some(field) => format!("wires, \"{field}\""),
            None => "None, None".to_string(),
        };
        let mut text = format!("{maker}({wires}, {module}, {features}, {}", self.hidden_size);
        text += more;
        if self.num_layers > 1 {
            text += &format!(", num_layers={}", self.num_layers);
        }
        if self.bidirectional {
            text += ", bidirectional=True";
        }
        if self.dropout > 0.0 && self.num_layers > 1 {
            text += &format!(", dropout={}", self.dropout);
        }
        text + &format!(", output=\"{}\")", self.output.name())
    }

    pub fn torch_helper(&self) -> &'static str {
        if self.layer_norm { normed_cell::HELPER } else { HELPER }
    }
}

/// What layer norm inside the cells does not go with, where the model has so many steps of such cells.
fn check_norm(steps: usize, carried: bool) -> Result<(), UserError> {
    if carried {
        let message = "What has layer norm inside cannot go on from the batch before.";
        return Err(UserError::at("layer_norm", message).hint("Turn it off, or `carry` of the data."));
    }
    if steps > NORMED_STEPS {
        let message = format!(
            "What has layer norm inside takes {NORMED_STEPS} steps at most, all layers and directions together; with this one there are {steps}."
        );
        return Err(UserError::at("layer_norm", message).hint("Turn it off, or take shorter sequences."));
    }
    Ok(())
}

/// Where rows follow each other, all that do as one long sequence; otherwise `x` as it is.
fn joined_rows(cx: &mut Builder, x: Value) -> Result<Value, OpError> {
    let (Begins::Joined(each), &[rows, steps, features]) = (cx.mode().begins, &cx.graph.shape(x).clone()[..]) else {
        return Ok(x);
    };
    cx.reshape(x, rows / each, &[each * steps, features])
}

/// What stands at place `at` of the axis behind the rows: of `[rows, steps, hidden]` a step, `[rows, hidden]`.
fn step_of(cx: &mut Builder, x: Value, at: usize) -> Result<Value, OpError> {
    let one = cx.graph.slice(x, 1, at, at + 1)?;
    let shape = cx.graph.shape(one).clone();
    cx.reshape(one, shape[0], &shape[2..])
}

/// Both directions side by side.
fn joined(cx: &mut Builder, values: &[Value]) -> Result<Value, OpError> {
    match values {
        [one] => Ok(*one),
        all => cx.graph.concat(all, -1),
    }
}

/// Makes a module of `torch.nn` that gives what the layer gives, with the module's own parameter names.
const HELPER: &str = "\
def recurrent(wires, lengths, cell, *sizes, output, **options):
    class Recurrent(cell):
        before = after = None

        def forward(self, x):
            steps = x.shape[1]
            ends = torch.full((len(x),), steps) if lengths is None else self.wires[lengths].flatten().long()
            packed = nn.utils.rnn.pack_padded_sequence(x, ends.cpu(), batch_first=True, enforce_sorted=False)
            states, self.after = super().forward(packed, self.before)
            last = self.after[0] if isinstance(self.after, tuple) else self.after
            states = nn.utils.rnn.pad_packed_sequence(states, batch_first=True, total_length=steps)[0]
            counts = (torch.arange(steps) < ends.cpu().unsqueeze(1)).to(x.device).unsqueeze(2)
            if output == \"all\":
                return states
            if output == \"mean\":
                return states.sum(dim=1) / counts.sum(dim=1)
            if output == \"max\":
                return states.masked_fill(~counts, -torch.inf).amax(dim=1)
            return torch.cat([last[-2], last[-1]], dim=1) if self.bidirectional else last[-1]

    module = Recurrent(*sizes, batch_first=True, **options)
    module.wires = wires
    return module
";

/// Implements a layer whose `cells()` says what it is made of.
macro_rules! recurrent_layer {
    ($layer:ty, $module:literal, $more:expr) => {
        impl $crate::layers::def::SimpleLayer for $layer {
            fn label(&self) -> String {
                self.cells().label()
            }

            fn infer(
                &self,
                cx: &mut $crate::layers::def::Resolver<'_>,
                input: &$crate::layers::def::Port,
            ) -> Result<$crate::layers::def::Inferred, downhill_tensor::UserError> {
                self.cells().infer(cx, input)
            }

            fn build(
                &self,
                cx: &mut $crate::layers::def::Builder,
                at: &$crate::layers::def::Resolved,
                x: downhill_graph::Value,
            ) -> Result<downhill_graph::Value, downhill_graph::OpError> {
                self.cells().build(cx, at, x)
            }

            fn is_stepwise(&self) -> bool {
                self.cells().is_stepwise()
            }

            fn torch(&self, at: &$crate::layers::def::Resolved) -> String {
                let more: fn(&$layer) -> &'static str = $more;
                self.cells().torch(at, $module, more(self))
            }

            fn torch_helper(&self) -> Option<&'static str> {
                Some(self.cells().torch_helper())
            }
        }
    };
}
pub(super) use recurrent_layer;
