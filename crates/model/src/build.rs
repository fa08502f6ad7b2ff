//! From a checked experiment to graphs, one per kind of program. What layers add to a graph they say themselves (`layers/`).

use std::sync::Arc;

use downhill_graph::kernel::{LossKind, ReduceKind};
use downhill_graph::ops::Updated;
use downhill_graph::{BinaryOp, Feed, FeedKind, Graph, OpError, Origin, ParamId, Parameter, ScalarId, Value, autodiff};
use downhill_tensor::{Dtype, NameMap, TensorTy, UserError, apart};

use crate::check::Checked;
use crate::feeds::FieldFeed;
use crate::layers::ablation::{Ablation, is_without};
use crate::layers::def::{Begins, Builder, CACHE, FROZEN, Given, MATRICES, Mode, NOT_DECAYING, Resolved, flat};
use crate::layers::scanned::HIDDEN;
use crate::layers::{ATTENTION_WEIGHTS, CROSS_WEIGHTS, Layer, PLACE};
use crate::lens::{end_of_stream, looks_after};
use crate::losses::Targets;
use crate::optimizers::MatrixRule;
use crate::optimizers::matrices::{MATRIX_SCALARS, matrices};
use crate::port::Port;
use crate::scalars::{CARRY, CLIP_NORM, NO_DECAY, NO_RATE, SHARE};
use crate::signature::Ahead;
use crate::{Experiment, Signature, Task};

/// Which part of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Split {
    /// What is learned from.
    Train,
    /// What is held out.
    Validation,
}

impl Split {
    /// Prefix of its feeds: `train` or `validation`.
    pub fn name(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Validation => "validation",
        }
    }
}

/// What a program does. A program computes what it is asked to output and keeps nothing else: memory is reused as soon as nobody
/// needs what is in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProgramKind {
    /// One training step: forward, backward, update, move of the running statistics, record. Output `loss`, and `grad_norm` where gradients are clipped by
    /// norm.
    Train {
        /// Samples per step.
        batch: usize,
    },
    /// Outputs `loss` and, for classes, `accuracy`, for numbers `mae`, the mean distance from them: weighted means over some rows of a part, `weight`, the weights of the loss summed up, where
    /// classes weigh differently, and of the validation part where recall, whole sequences or what is found are told the `prediction`; without dropout, with running statistics and
    /// where there are some with the averages of the weights.
    Eval {
        /// Rows at a time.
        rows: usize,
        /// Which part.
        split: Split,
    },
    /// The answer to some rows: forward only, as [`ProgramKind::Eval`] computes it, on the feeds `rows.<input>`. Its one output is `output`:
    /// probabilities, or values.
    Predict {
        /// Rows.
        rows: usize,
    },
    /// How a sequence goes on: the scores of what follows every position of one row, `scores` `[1, positions, classes]`, on the feeds `rows.<input>`; forward only, as
    /// [`ProgramKind::Eval`] computes it.
    Continue {
        /// Whether what layers keep of every position is given too, each under the name of a feed of [`ProgramKind::Next`], `[1, positions, numbers]`.
        keeps: bool,
    },
    /// The same for the next position alone, `[1, 1, …]`: its token is the feed [`NEXT`], its place that of the feeds [`PLACE`], and what was kept of those
    /// before lies in the feeds whose names begin with [`CACHE`], a row for each place, or the one of the last where it is a state; what was read before anything was
    /// written does not run again, and what layers kept of it lies in feeds of [`MEMORY`](crate::MEMORY). Only
    /// where [`Checked::stepwise`] says so.
    Next,
    /// Some of the tensors on the way, each an output under the name it was asked for by.
    ///
    /// | name | what |
    /// |---|---|
    /// | `input` | the samples as the first layer sees them, `[rows, …]` |
    /// | `model[2]`, `model[0].residual[1]` | what the layer at this path gives, `[rows, …]` |
    /// | `model[2].attention` | the weights that the attention at this path looks with, `[rows, heads, queries, keys]` |
    /// | `model[2].cross_attention` | the same of its second attention, to another sequence |
    /// | `model[2].hidden_l0`, `model[2].hidden_l1_reverse` | the hidden states of a recurrent layer, `[rows, steps, hidden]` |
    /// | `model[2].gates_l0` | its gates, `[rows, steps, n, hidden]`: i, f, g, o and the cell state of an lstm; r, z, n and `W_hn·h + b_hn` of a gru |
    /// | `output` | probabilities, or values, as those of [`ProgramKind::Predict`] |
    /// | `output:without:model[2].attention:0` | the same without the first head of the attention at this path |
    /// | `output:without:model[2].attention:0:5:3` | the same without what the sixth query of that head takes from the fourth key |
    /// | `model[4].lens:model[0]` | of the last layer: what the layers behind all attention say of what the layer at the second path gives |
    /// | `continuation` | where samples are windows of series: the answer, and what the network says when it is given its own answers in turn, `[rows, steps, predicted]`; only of one row |
    /// | `saliency` | the gradient of the likeliest class's score, or of the sum of the values, by `input`, `[rows, …]`; only without gradients |
    /// | `loss` | the mean loss |
    /// | `grad:input`, `grad:model[2]`, `grad:0.weight` | the loss's gradient by that tensor or parameter |
    /// | `grad:model[2].hidden_l0` | the loss's gradient by the hidden state of every step, on all ways that lead from there |
    Inspect {
        /// Rows.
        rows: usize,
        /// What to output, in this order; a name that comes twice is one output.
        tensors: Vec<String>,
        /// Without: on the feeds `rows.<input>`, as [`ProgramKind::Predict`] computes; where a `grad:` or the loss is asked for, on the feed of the target
        /// too. With: as a training step of the same scalars computes it, with its dropout and the statistics of the batch, on the feeds
        /// `batch.<field>`. Either goes back as far as a `grad:` asks.
        /// Running statistics stay as they are.
        with_gradients: bool,
    },
}

impl ProgramKind {
    /// An inspection of these tensors; with gradients where one of them is a `grad:` or the `loss`.
    pub fn inspect<S: Into<String>>(rows: usize, tensors: impl IntoIterator<Item = S>) -> Self {
        let tensors: Vec<String> = tensors.into_iter().map(Into::into).collect();
        let with_gradients = tensors.iter().any(|name| goes_back(name));
        ProgramKind::Inspect { rows, tensors, with_gradients }
    }

    /// In what it differs from other programs of the experiment.
    fn mode(&self, Checked { experiment, signature, .. }: &Checked) -> Mode {
        let carried = signature.read_on.map_or(Begins::Zero, |_| Begins::Carried);
        match self {
            ProgramKind::Train { .. } => Mode { noise: true, moves: true, begins: carried, ..Mode::default() },
            ProgramKind::Inspect { with_gradients: true, rows, .. } => {
                let begins = if *rows == experiment.training.batch_size { carried } else { Begins::Zero };
                Mode { noise: true, begins, ..Mode::default() }
            }
            _ => {
                let given = match self {
                    ProgramKind::Continue { keeps: true } => Given::AndKept,
                    ProgramKind::Next => Given::Next,
                    _ => Given::All,
                };
                let averages = experiment.average_slot().and_then(|slot| u8::try_from(slot).ok());
                let begins = match (self, signature.read_on.map(|cut| cut.measured)) {
                    (ProgramKind::Eval { split: Split::Train, .. }, Some([rows, _])) => Begins::Joined(rows),
                    (ProgramKind::Eval { split: Split::Validation, .. }, Some([_, rows])) => Begins::Joined(rows),
                    _ => Begins::Zero,
                };
                Mode { averages, given, begins, ..Mode::default() }
            }
        }
    }
}

/// The feed with the next token, u32 `[1, 1]`.
pub const NEXT: &str = "next.token";
/// What the name of a gradient begins with.
const GRADIENT: &str = "grad:";
/// The mean loss.
const LOSS: &str = "loss";
/// How each number of the input would move the score (K. Simonyan, A. Vedaldi and A. Zisserman, 2013).
const SALIENCY: &str = "saliency";
/// What a network that forecasts says when it is given its own answers.
const CONTINUATION: &str = "continuation";
/// The field with what is known of the steps behind a window without predicting it.
pub const KNOWN_AHEAD: &str = "known";

/// The feed `[1, steps, numbers]` of [`KNOWN_AHEAD`], where there is something that is known without predicting it.
pub fn known_ahead(signature: &Signature) -> Option<Feed> {
    let ahead = signature.ahead?;
    let width = *signature.first().port.shape.last()?;
    let ty = TensorTy::f32([1, ahead.rounds * ahead.horizon, width.checked_sub(ahead.predicted).filter(|known| *known > 0)?]);
    Some(Feed { name: format!("rows.{KNOWN_AHEAD}"), ty, kind: FeedKind::Resident })
}

/// Makes the graph of one program. All programs of an experiment declare the same parameters and states.
///
/// # Errors
/// When a part of the data that the program reads is empty, and when a tensor that is asked for does not exist; the path is then its name.
pub fn build(checked: &Checked, kind: &ProgramKind) -> Result<Graph, UserError> {
    let Checked { experiment, signature, .. } = checked;
    let samples = match kind {
        ProgramKind::Train { .. } | ProgramKind::Eval { split: Split::Train, .. } => signature.train,
        ProgramKind::Eval { split: Split::Validation, .. } => signature.validation,
        ProgramKind::Predict { rows } | ProgramKind::Inspect { rows, .. } => *rows,
        ProgramKind::Continue { .. } | ProgramKind::Next => 1,
    };
    if samples == 0 {
        return Err(UserError::at("data", "There are no samples in this part of the data.")
            .hint("Change `validation`, the share held out."));
    }
    if let ProgramKind::Inspect { tensors, with_gradients, .. } = kind {
        tensors.iter().try_for_each(|name| known(name, &checked.layers, *with_gradients))?;
        if tensors.iter().any(|name| name == SALIENCY) && signature.first().port.dtype != Dtype::F32 {
            return Err(UserError::at(SALIENCY, "Tokens are whole numbers, so the score has no gradient by them."));
        }
    }
    if let ProgramKind::Inspect { rows, tensors, .. } = kind
        && tensors.iter().any(|name| name == CONTINUATION)
        && (*rows != 1 || signature.ahead.is_none())
    {
        return Err(UserError::at(CONTINUATION, "Only a single window of a series is continued."));
    }
    let rule = experiment.optimizer.matrix_rule(&experiment.training);
    let matrices: Vec<&str> = match rule {
        Some(_) => apart(|| matrices(&checked.layers)).into_iter().map(|p| p.name.as_str()).collect(),
        None => Vec::new(),
    };
    let is_matrix = |name: &str| matrices.contains(&name);
    let mut builder = Builder::new(&checked.layers, kind.mode(checked), &experiment.training, &is_matrix);
    let program = Program { checked, experiment, signature, samples };
    let built = match kind {
        ProgramKind::Train { batch } => program.train(&mut builder, *batch),
        ProgramKind::Eval { rows, split } => program.eval(&mut builder, *rows, *split),
        ProgramKind::Predict { rows } => program.predict(&mut builder, *rows),
        ProgramKind::Continue { .. } | ProgramKind::Next => apart(|| program.go_on(&mut builder, kind)),
        ProgramKind::Inspect { rows, tensors, with_gradients: false } => program.inspect(&mut builder, *rows, tensors),
        ProgramKind::Inspect { rows, tensors, with_gradients: true } => program.inspect_step(&mut builder, *rows, tensors),
    };
    // The shapes were checked, so a refusal is a gap between what a layer promised and what its ops do.
    built.map_err(|e| {
        UserError::at("model", format!("This model cannot be built ({e})."))
            .hint("Please report this together with the experiment.")
    })?;
    Ok(builder.graph)
}

/// Whether an inspection can output a tensor of this name.
fn known(name: &str, model: &[Resolved], with_gradients: bool) -> Result<(), UserError> {
    let layers = flat(model);
    let inside = |layer: &Resolved, name: &str| {
        let own = name.strip_prefix(layer.path.as_str()).and_then(|rest| rest.strip_prefix('.'));
        own.filter(|own| layer.inner.iter().any(|inner| inner == own)).map(ToString::to_string)
    };
    let inner = |name: &str| layers.iter().find_map(|layer| inside(layer, name));
    let layer = |name: &str| name == "input" || layers.iter().any(|layer| layer.path == name);
    let parameter = |name: &str| layers.iter().any(|layer| layer.parameters.iter().any(|p| p.name == name));
    let numbers = |name: &str| layers.iter().any(|layer| layer.path == name && layer.output.dtype == Dtype::F32);
    // Nothing goes back through what is only kept to be looked at, nor to tokens.
    let has_gradient =
        |of: &str| of == "input" || numbers(of) || parameter(of) || inner(of).is_some_and(|inner| inner.starts_with(HIDDEN));
    match name.strip_prefix(GRADIENT) {
        Some(of) if has_gradient(of) => Ok(()),
        None if with_gradients && looks_after(name).is_some() => Err(only_of_samples(name)),
        None if is_without(name) && with_gradients => Err(only_of_samples(name)),
        None if layer(name) || inner(name).is_some() || name == "output" || name == LOSS => Ok(()),
        None if Ablation::of(name).is_some_and(|part| layers.iter().any(|layer| has(layer, &part))) => Ok(()),
        None if name == SALIENCY && !with_gradients => Ok(()),
        None if name == CONTINUATION && !with_gradients => Ok(()),
        _ => Err(UserError::at(name, "This network has no tensor of this name to look at.")
            .hint("There are `input`, `output`, `loss`, `saliency`, paths like `model[0]`, and gradients like `grad:model[0]` and `grad:0.weight`.")),
    }
}

/// Whether a layer has this part of attention.
fn has(layer: &Resolved, part: &Ablation) -> bool {
    let steps = |port: &Port| port.shape.first().copied().unwrap_or(0);
    let looks = layer.inner.iter().any(|inner| inner == part.looks);
    // A block that looks at two sequences looks at its own first.
    let own = part.looks == ATTENTION_WEIGHTS && layer.inner.iter().any(|inner| inner == CROSS_WEIGHTS);
    let keys = if own { Some(layer.input()) } else { layer.inputs.last() }.map_or(0, steps);
    let cell = part.cell.is_none_or(|[query, key]| query < steps(layer.input()) && key < keys);
    layer.path == part.path && looks && part.head < layer.heads && cell
}

fn only_of_samples(name: &str) -> UserError {
    UserError::at(name, "What another network would say is worked out of samples, not of a training step.")
        .hint("Ask about a sample of the data.")
}

impl Checked {
    /// Whether a sequence can go on one position at a time, beside what is kept of those before.
    ///
    /// # Errors
    /// Says what keeps it from that.
    pub fn stepwise(&self) -> Result<(), UserError> {
        let refused = |path: &str, message: String| Err(UserError::at(path, message));
        if self.signature.inputs.len() > 1 && self.signature.written == 0 {
            return refused("data", "The network has several inputs.".to_string());
        }
        let (input, from) = (self.signature.written(), self.writes_from());
        let [positions] = self.signature.positions.as_slice() else {
            return refused("data", "The network does not answer at every position.".to_string());
        };
        let layers = self.layers.get(from..).unwrap_or_default();
        let read = names(self.experiment.model.get(..from).unwrap_or_default());
        if let Some((path, layer)) = not_stepwise(self.experiment.model.get(from..).unwrap_or_default(), layers, &read) {
            return refused(path, format!("`{}` looks at several positions at once, and keeps nothing of them.", layer.name()));
        }
        let is_sequence = |port: &Port| port.shape.first() == Some(positions) && port.lengths.is_none();
        let own = |layer: &Resolved| layer.field.as_ref().is_none_or(|field| *field == input.name);
        let begins = self.signature.written == 0 || layers.first().is_some_and(|layer| layer.field.is_some());
        if !begins || !flat(layers).into_iter().all(own) {
            return refused("model", "What is read does not come before what is written.".to_string());
        }
        match flat(layers).into_iter().find(|layer| !is_sequence(&layer.output)) {
            Some(layer) => refused(&layer.path, format!("`{}` does not answer at every position.", layer.name)),
            None if is_sequence(&input.port) && input.port.dtype == Dtype::U32 => Ok(()),
            None => refused("data", "The network is given no tokens.".to_string()),
        }
    }

    /// The place of the first layer of what writes: of a network with a single input the first, else the last that goes on from an input.
    fn writes_from(&self) -> usize {
        let is_input = |layer: &Layer| matches!(layer, Layer::Input(_));
        let last = self.experiment.model.iter().rposition(is_input).filter(|_| self.signature.written > 0);
        last.unwrap_or_default()
    }

    /// Whether a sequence can go on for ever with the states of recurrent layers alone, as the batches of training steps do.
    pub fn reads_on(&self) -> bool {
        let needs_no_place =
            || build(self, &ProgramKind::Next).is_ok_and(|next| next.feeds().iter().all(|feed| feed.name != PLACE[0]));
        self.signature.read_on.is_some() && self.stepwise().is_ok() && needs_no_place()
    }

    /// Names of the states of recurrent layers, which have a gradient at every step: `model[0].hidden_l0`.
    pub fn recurrent_states(&self) -> Vec<String> {
        let states = |layer: &&Resolved| {
            let inner = layer.inner.iter().filter(|inner| inner.starts_with(HIDDEN));
            inner.map(|inner| format!("{}.{inner}", layer.path)).collect::<Vec<_>>()
        };
        flat(&self.layers).iter().flat_map(states).collect()
    }
}

/// The first layer that cannot be built for a position alone, with its path; `read` are the names of what was read before anything is written.
fn not_stepwise<'a>(layers: &'a [Layer], at: &'a [Resolved], read: &[&str]) -> Option<(&'a str, &'a Layer)> {
    layers.iter().zip(at).find_map(|(layer, at)| {
        let mut inside = layer.branches().into_iter().zip(&at.branches);
        let is_read = layer.def().from().is_some_and(|name| read.contains(&name));
        let ends = at.inputs.get(1).is_some_and(|memory| memory.lengths.is_some());
        let can = if is_read { layer.def().keeps_memory() && !ends } else { layer.def().is_stepwise() };
        let own = (!can).then_some((at.path.as_str(), layer));
        own.or_else(|| inside.find_map(|(layers, at)| not_stepwise(layers, at, read)))
    })
}

/// All names that layers give.
fn names(layers: &[Layer]) -> Vec<&str> {
    let mut all = Vec::new();
    for layer in layers {
        if let Layer::Name(name) = layer {
            all.push(name.name.as_str());
        }
        all.extend(layer.branches().into_iter().flat_map(names));
    }
    all
}

/// The feed with what a sample of each class weighs, where that differs.
pub const CLASS_WEIGHTS: &str = "class.weight";

struct Program<'a> {
    checked: &'a Checked,
    experiment: &'a Experiment,
    signature: &'a Signature,
    /// Rows of the part of the data that is read.
    samples: usize,
}

impl Program<'_> {
    fn train(&self, cx: &mut Builder, batch: usize) -> Result<(), OpError> {
        let y = if self.signature.streamed {
            self.fed(cx, "step", batch, FeedKind::PerStep)?
        } else {
            let indices = cx.graph.new_feed("train.indices", TensorTy::u32([batch]), FeedKind::PerStep)?;
            self.rows_of(cx, Split::Train, indices)?
        };
        let prediction = self.forward(cx)?;
        let weights = self.class_weights(cx, y)?;
        let loss = self.experiment.loss.build(cx, prediction, y, weights)?;
        let gradients = self.learned_gradients(cx, loss)?;
        cx.graph.set_origin(Origin::Update);
        let (loss, gradients) = self.accumulated(cx, loss, gradients)?;
        cx.graph.output("loss", loss);
        let (mut metrics, mut factor) = (vec![loss], None);
        if self.experiment.training.clip_norm.is_some() {
            let norm = cx.graph.grad_norm(&gradients)?;
            cx.graph.output("grad_norm", norm);
            metrics.push(norm);
            factor = Some(clip_factor(&mut cx.graph, norm)?);
        }
        self.update(cx, loss, factor, gradients)?;
        cx.assign()?;
        cx.graph.record(&metrics).map(|_| ())
    }

    /// The optimizer's step, behind the directions of matrices where it looks at these.
    fn update(&self, cx: &mut Builder, loss: Value, factor: Option<Value>, gradients: Vec<Value>) -> Result<(), OpError> {
        let Experiment { optimizer, training, .. } = self.experiment;
        let updated = |(i, parameter): (usize, &Parameter)| {
            let (rule, (lr, decay)) = match parameter.group {
                MATRICES => (1, MATRIX_SCALARS),
                NOT_DECAYING => (0, (ScalarId::LR, NO_DECAY)),
                FROZEN => (0, (NO_RATE, NO_DECAY)),
                _ => (0, (ScalarId::LR, ScalarId::DECAY)),
            };
            Updated { id: ParamId(i as u32), lr, decay, rule }
        };
        let params: Vec<Updated> = cx.graph.parameters().iter().enumerate().map(updated).collect();
        let mut rules = vec![Arc::new(optimizer.rule(training))];
        let mut tensors = gradients;
        if let Some(matrices) = optimizer.matrix_rule(training).filter(|_| params.iter().any(|p| p.rule > 0)) {
            tensors.extend(apart(|| directions(&mut cx.graph, &matrices, &params, factor, &tensors))?);
            rules.push(Arc::new(matrices.rule));
        }
        cx.graph.flat_update(rules, params, loss, factor, &tensors).map(|_| ())
    }

    /// The gradients of all parameters: those that keep their values have none, and nothing is computed for them.
    fn learned_gradients(&self, cx: &mut Builder, loss: Value) -> Result<Vec<Value>, OpError> {
        let parameters = cx.all_parameters()?;
        let frozen: Vec<bool> = cx.graph.parameters().iter().map(|parameter| parameter.group == FROZEN).collect();
        let trained: Vec<Value> = parameters.iter().zip(&frozen).filter(|(_, frozen)| !**frozen).map(|(p, _)| *p).collect();
        let mut found = autodiff::grad(&mut cx.graph, loss, &trained)?.into_iter();
        let gradient = |(parameter, frozen): (Value, bool)| match if frozen { None } else { found.next() } {
            Some(gradient) => Ok(gradient),
            None => {
                let shape = cx.graph.shape(parameter).clone();
                cx.graph.full(shape, 0.0)
            }
        };
        parameters.into_iter().zip(frozen).map(gradient).collect()
    }

    /// Loss and gradients of a step so far: each of its micro batches counts for its share, and the first begins anew. A slot keeps the
    /// gradients between two of them, and the optimizer's rule fills it.
    fn accumulated(&self, cx: &mut Builder, loss: Value, mut gradients: Vec<Value>) -> Result<(Value, Vec<Value>), OpError> {
        if self.experiment.training.accumulate < 2 {
            return Ok((loss, gradients));
        }
        let (carry, share) = (cx.graph.scalar(CARRY)?, cx.graph.scalar(SHARE)?);
        let add = |graph: &mut Graph, before: Value, new: Value| {
            let (kept, part) = (graph.mul(carry, before)?, graph.mul(share, new)?);
            graph.plus(kept, part)
        };
        let before = cx.loss_so_far()?;
        let loss = add(&mut cx.graph, before, loss)?;
        cx.move_loss(loss);
        let slot = self.experiment.slots().len() as u8;
        for (id, gradient) in (0..).map(ParamId).zip(&mut gradients) {
            let before = cx.graph.slot(slot, id)?;
            *gradient = add(&mut cx.graph, before, *gradient)?;
        }
        Ok((loss, gradients))
    }

    fn eval(&self, cx: &mut Builder, rows: usize, split: Split) -> Result<(), OpError> {
        let indices = cx.graph.new_feed("eval.indices", TensorTy::u32([rows]), FeedKind::PerStep)?;
        let weights = cx.graph.new_feed("eval.weights", TensorTy::f32([rows]), FeedKind::PerStep)?;
        let y = self.rows_of(cx, split, indices)?;
        let prediction = self.forward(cx)?;
        let weights = self.at_every_position(cx, weights, rows)?;
        let of_class = self.class_weights(cx, y)?;
        let of_loss = of_class.map(|of_class| cx.graph.mul(of_class, weights)).transpose()?;
        for metric in self.signature.task.metrics() {
            let value = match *metric {
                "accuracy" => cx.graph.accuracy(prediction, y, Some(weights))?,
                "mae" => cx.graph.loss(LossKind::L1, prediction, y, Some(weights))?,
                _ => self.experiment.loss.build(cx, prediction, y, Some(of_loss.unwrap_or(weights)))?,
            };
            cx.graph.output(*metric, value);
        }
        if let Some(of_loss) = of_loss {
            let weight = cx.graph.sum_all(of_loss)?;
            cx.graph.output("weight", weight);
        }
        if split == Split::Validation && self.signature.reads_back() {
            cx.graph.output("prediction", prediction);
        }
        Ok(())
    }

    /// What each row weighs, for every answer that it gives.
    fn at_every_position(&self, cx: &mut Builder, weights: Value, rows: usize) -> Result<Value, OpError> {
        let positions = &self.signature.positions;
        if positions.is_empty() {
            return Ok(weights);
        }
        let column: Vec<usize> = [rows].into_iter().chain(positions.iter().map(|_| 1)).collect();
        let weights = cx.graph.reshape(weights, column.as_slice())?;
        let all: Vec<usize> = [rows].into_iter().chain(positions.iter().copied()).collect();
        cx.graph.expand(weights, all.as_slice())
    }

    /// What each row weighs because of its class; none where all weigh the same.
    fn class_weights(&self, cx: &mut Builder, y: Value) -> Result<Option<Value>, OpError> {
        if !self.experiment.loss.weighs_classes() {
            return Ok(None);
        }
        let ty = TensorTy::f32([self.signature.outputs, 1]);
        let table = cx.graph.new_feed(CLASS_WEIGHTS, ty, FeedKind::Resident)?;
        let rows = cx.graph.index_select(table, y)?;
        let shape = cx.graph.ty(y).shape.clone();
        cx.graph.reshape(rows, shape).map(Some)
    }

    fn predict(&self, cx: &mut Builder, rows: usize) -> Result<(), OpError> {
        self.fed_inputs(cx, "rows", rows, FeedKind::Resident)?;
        let prediction = self.forward(cx)?;
        let output = self.experiment.loss.answer(&mut cx.graph, prediction)?;
        cx.graph.output("output", output);
        Ok(())
    }

    fn go_on(&self, cx: &mut Builder, kind: &ProgramKind) -> Result<(), OpError> {
        let scores = if *kind == ProgramKind::Next {
            let token = cx.graph.new_feed(NEXT, TensorTy::u32([1, 1]), FeedKind::Resident)?;
            cx.add_field(&self.signature.written().name, token);
            let from = self.checked.writes_from();
            let (model, layers) = (self.experiment.model.get(from..), self.checked.layers.get(from..));
            cx.list(model.unwrap_or_default(), layers.unwrap_or_default(), token)?
        } else {
            self.fed_inputs(cx, "rows", 1, FeedKind::Resident)?;
            self.forward(cx)?
        };
        cx.graph.output("scores", scores);
        let writes = flat(self.checked.layers.get(self.checked.writes_from()..).unwrap_or_default());
        for (name, value) in std::mem::take(&mut cx.kept) {
            // What reads runs once for a text, and nothing of it is asked for again.
            if writes.iter().any(|layer| name.strip_prefix(CACHE).is_some_and(|own| own.starts_with(&layer.path))) {
                cx.graph.output(name, value);
            }
        }
        Ok(())
    }

    fn inspect(&self, cx: &mut Builder, rows: usize, tensors: &[String]) -> Result<(), OpError> {
        let backward = tensors.iter().any(|name| goes_back(name));
        let y = if backward {
            Some(self.fed(cx, "rows", rows, FeedKind::Resident)?)
        } else {
            self.fed_inputs(cx, "rows", rows, FeedKind::Resident)?;
            None
        };
        let prediction = self.forward(cx)?;
        let mut named = self.named(cx, prediction, tensors)?;
        if tensors.iter().any(|name| name == SALIENCY) {
            named.insert(SALIENCY.to_string(), self.saliency(cx, prediction)?);
        }
        if let Some(y) = y {
            self.gradients(cx, (prediction, y), tensors, &mut named)?;
        }
        if let Some(ahead) = self.signature.ahead.filter(|_| tensors.iter().any(|name| name == CONTINUATION)) {
            named.insert(CONTINUATION.to_string(), self.continuation(cx, ahead, prediction, rows)?);
        }
        if tensors.iter().any(|name| is_without(name) || looks_after(name).is_some()) {
            apart(|| self.others(cx, tensors, &mut named))?;
        }
        put_out(cx, tensors, named);
        Ok(())
    }

    /// Adds what the network would say otherwise: without a part of it, or with its end right behind an earlier layer.
    fn others(&self, cx: &mut Builder, tensors: &[String], named: &mut NameMap<Value>) -> Result<(), OpError> {
        let (model, layers) = (&self.experiment.model, &self.checked.layers);
        for name in tensors {
            let prediction = if let Some(part) = Ablation::of(name) {
                cx.ablation = Some(part);
                let prediction = self.forward(cx)?;
                cx.ablation = None;
                prediction
            } else if let Some(x) = looks_after(name).and_then(|path| named.get(path).copied()) {
                let end = end_of_stream(layers).unwrap_or(layers.len());
                let y = cx.list(model.get(end..).unwrap_or_default(), layers.get(end..).unwrap_or_default(), x)?;
                self.as_answers(cx, y)?
            } else {
                continue;
            };
            named.insert(name.clone(), self.experiment.loss.answer(&mut cx.graph, prediction)?);
        }
        Ok(())
    }

    /// Rows do not look at each other, so the gradient of the sum of all their scores is that of each.
    fn saliency(&self, cx: &mut Builder, prediction: Value) -> Result<Value, OpError> {
        let classes = self.signature.task == Task::Classification;
        let score = if classes { cx.graph.reduce(ReduceKind::Max, prediction, &[-1], false)? } else { prediction };
        let score = cx.graph.sum_all(score)?;
        let input = cx.field(&self.signature.first().name)?;
        autodiff::grad(&mut cx.graph, score, &[input])?.pop().ok_or_else(|| OpError::new(SALIENCY, "there is no gradient"))
    }

    /// The answer, then the answers to windows that end in answers: of a window of 5 steps and a horizon of 2 the second round is given the
    /// last 3 steps of the window and the first answer.
    fn continuation(&self, cx: &mut Builder, ahead: Ahead, answer: Value, rows: usize) -> Result<Value, OpError> {
        let Ahead { horizon, predicted, rounds } = ahead;
        let input = self.signature.first();
        let [window, _] = *input.port.shape.as_slice() else {
            return Err(OpError::new(CONTINUATION, "the input is no window"));
        };
        let known = known_ahead(self.signature).map(|feed| cx.graph.new_feed(feed.name, feed.ty, feed.kind)).transpose()?;
        let (mut x, mut answer) = (cx.field(&input.name)?, answer);
        let mut answers = Vec::with_capacity(rounds);
        loop {
            let mut steps = cx.graph.reshape(answer, [rows, horizon, predicted])?;
            answers.push(steps);
            let at = (answers.len() - 1) * horizon;
            if answers.len() == rounds {
                return cx.graph.concat(&answers, 1);
            }
            if let Some(known) = known {
                let known = cx.graph.slice(known, 1, at, at + horizon)?;
                steps = cx.graph.concat(&[steps, known], 2)?;
            }
            x = if horizon >= window {
                cx.graph.slice(steps, 1, horizon - window, horizon)?
            } else {
                let kept = cx.graph.slice(x, 1, horizon, window)?;
                cx.graph.concat(&[kept, steps], 1)?
            };
            cx.add_field(&input.name, x);
            answer = cx.list(&self.experiment.model, &self.checked.layers, x)?;
        }
    }

    fn inspect_step(&self, cx: &mut Builder, rows: usize, tensors: &[String]) -> Result<(), OpError> {
        let y = self.fed(cx, "batch", rows, FeedKind::Resident)?;
        let prediction = self.forward(cx)?;
        let mut named = self.named(cx, prediction, tensors)?;
        self.gradients(cx, (prediction, y), tensors, &mut named)?;
        put_out(cx, tensors, named);
        Ok(())
    }

    /// Adds the loss and the gradients that are asked for, by name.
    fn gradients(
        &self,
        cx: &mut Builder,
        (prediction, y): (Value, Value),
        tensors: &[String],
        named: &mut NameMap<Value>,
    ) -> Result<(), OpError> {
        let weights = self.class_weights(cx, y)?;
        let loss = self.experiment.loss.build(cx, prediction, y, weights)?;
        let scans = std::mem::take(&mut cx.scans);
        let (mut by, mut values) = (Vec::new(), Vec::new());
        for of in tensors.iter().filter_map(|name| name.strip_prefix(GRADIENT)) {
            // What autodiff knows of a state is what reads it outside of its cell.
            if let Some((_, scan)) = scans.iter().find(|(name, _)| name == of) {
                let reads = scan.values();
                by.push((of, Some((scan, reads.len()))));
                values.extend(reads);
                continue;
            }
            let value = match cx.number(of) {
                Some(i) => Some(cx.parameter_at(i)?),
                None => named.get(of).copied(),
            };
            if let Some(value) = value {
                by.push((of, None));
                values.push(value);
            }
        }
        let mut gradients = autodiff::grad(&mut cx.graph, loss, &values)?.into_iter();
        named.insert(LOSS.to_string(), loss);
        for (of, scan) in by {
            let mut next = || gradients.next().ok_or_else(|| OpError::new("grad", "there is no gradient"));
            let gradient = match scan {
                Some((scan, count)) => {
                    let by = (0..count).map(|_| next()).collect::<Result<Vec<_>, _>>()?;
                    scan.gradient(cx, &by)?
                }
                None => next()?,
            };
            named.insert(format!("{GRADIENT}{of}"), gradient);
        }
        Ok(())
    }

    /// Everything that the forward pass gave, by name; the answer only where it is asked for.
    fn named(&self, cx: &mut Builder, prediction: Value, tensors: &[String]) -> Result<NameMap<Value>, OpError> {
        let mut named: NameMap<Value> = std::mem::take(&mut cx.activations).into_iter().collect();
        named.insert("input".to_string(), cx.field(&self.signature.first().name)?);
        if tensors.iter().any(|name| name == "output") {
            named.insert("output".to_string(), self.experiment.loss.answer(&mut cx.graph, prediction)?);
        }
        Ok(named)
    }

    /// The prediction as losses read it, a row for each answer: `[rows, columns]`, or `[rows, …positions, columns]`.
    fn forward(&self, cx: &mut Builder) -> Result<Value, OpError> {
        let x = cx.field(&self.signature.first().name)?;
        let y = cx.list(&self.experiment.model, &self.checked.layers, x)?;
        self.as_answers(cx, y)
    }

    /// What the last layer gives, with a row for each answer.
    fn as_answers(&self, cx: &mut Builder, y: Value) -> Result<Value, OpError> {
        if self.signature.of_pixels() {
            return cx.graph.permute(y, &[0, 2, 3, 1]);
        }
        if self.checked.targets == Targets::Input { self.as_rows(cx, y) } else { Ok(y) }
    }

    /// All numbers of each sample in a row.
    fn as_rows(&self, cx: &mut Builder, x: Value) -> Result<Value, OpError> {
        let rows = cx.graph.shape(x).first().copied().unwrap_or(1);
        cx.reshape(x, rows, &[self.signature.outputs])
    }

    /// Gives layers the samples that `indices` names; returns their targets.
    fn rows_of(&self, cx: &mut Builder, split: Split, indices: Value) -> Result<Value, OpError> {
        self.each_field(cx, true, |cx, field| {
            let table = cx.graph.new_feed(
                format!("{}.{}", split.name(), field.name),
                field.table_ty(self.samples),
                FeedKind::Resident,
            )?;
            field.select(&mut cx.graph, table, indices)
        })
    }

    /// Gives layers finished samples, from the feeds `<prefix>.<field>`; returns their targets.
    fn fed(&self, cx: &mut Builder, prefix: &str, rows: usize, kind: FeedKind) -> Result<Value, OpError> {
        self.each_field(cx, true, |cx, field| cx.graph.new_feed(format!("{prefix}.{}", field.name), field.ty(rows), kind))
    }

    /// The same without targets.
    fn fed_inputs(&self, cx: &mut Builder, prefix: &str, rows: usize, kind: FeedKind) -> Result<(), OpError> {
        let fed =
            |cx: &mut Builder, field: &FieldFeed| cx.graph.new_feed(format!("{prefix}.{}", field.name), field.ty(rows), kind);
        self.each_field(cx, false, fed).map(|_| ())
    }

    /// Makes the value of every field and gives it to the layers; returns the target if that is wanted.
    fn each_field(
        &self,
        cx: &mut Builder,
        with_target: bool,
        make: impl Fn(&mut Builder, &FieldFeed) -> Result<Value, OpError>,
    ) -> Result<Value, OpError> {
        let mut last = Err(OpError::new("feed", "there is no field"));
        for field in self.checked.feeds().iter().filter(|field| with_target || !field.target) {
            let value = make(cx, field)?;
            if !field.target {
                cx.add_field(&field.name, value);
            }
            last = Ok(value);
        }
        if with_target && self.checked.targets == Targets::Input {
            let x = cx.field(&self.signature.first().name)?;
            return self.as_rows(cx, x);
        }
        last
    }
}

/// The directions of all matrices, in their order; gradients are multiplied by the factor first, as the update does.
fn directions(
    graph: &mut Graph,
    matrices: &MatrixRule,
    params: &[Updated],
    factor: Option<Value>,
    gradients: &[Value],
) -> Result<Vec<Value>, OpError> {
    let direction = |(updated, gradient): (&Updated, &Value)| {
        let gradient = factor.map_or(Ok(*gradient), |factor| graph.mul(*gradient, factor))?;
        let (weight, momentum) = (graph.parameter(updated.id)?, graph.slot(0, updated.id)?);
        matrices.direction(graph, [weight, gradient, momentum])
    };
    params.iter().zip(gradients).filter(|(updated, _)| updated.rule > 0).map(direction).collect()
}

/// Whether a tensor is known only from the right answer: the loss, or a gradient of it.
pub fn goes_back(name: &str) -> bool {
    name == LOSS || name.starts_with(GRADIENT)
}

/// Makes outputs of the tensors that are asked for, each once.
fn put_out(cx: &mut Builder, tensors: &[String], mut named: NameMap<Value>) {
    for name in tensors {
        if let Some((name, value)) = named.remove(name) {
            cx.graph.output(name, value);
        }
    }
}

/// `min(1, max / (norm + 1e-6))`, as `torch.nn.utils.clip_grad_norm_`.
fn clip_factor(graph: &mut Graph, norm: Value) -> Result<Value, OpError> {
    let small = graph.constant(1e-6)?;
    let denominator = graph.plus(norm, small)?;
    let limit = graph.scalar(CLIP_NORM)?;
    let ratio = graph.div(limit, denominator)?;
    let one = graph.constant(1.0)?;
    graph.binary(BinaryOp::Min, ratio, one)
}

#[cfg(test)]
mod tests {
    use downhill_graph::verify;
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::check::check;
    use crate::layers::Layer;
    use crate::presets;

    fn checked(model: Json) -> Checked {
        checked_on("spirals", model)
    }

    fn checked_on(data: &str, model: Json) -> Checked {
        let document = json!({ "data": data, "model": model, "training": { "clip_norm": 1 } });
        let experiment = Experiment::from_value(&document).unwrap().experiment;
        let signature = Signature::of(&experiment.data).unwrap();
        check(experiment, signature).unwrap()
    }

    /// One of each kind; the inspections ask for every layer and, with gradients, for every gradient.
    fn kinds(checked: &Checked) -> [ProgramKind; 6] {
        let (batch, rows) = match checked.signature.read_on {
            Some(cut) => (checked.experiment.training.batch_size, cut.measured[0]),
            None => (5, 7),
        };
        let eval = |split| ProgramKind::Eval { rows, split };
        let layers: Vec<String> = flat(&checked.layers).iter().map(|layer| layer.path.clone()).collect();
        let parameters = flat(&checked.layers).into_iter().flat_map(|l| &l.parameters).map(|p| p.name.clone());
        let numbers =
            flat(&checked.layers).into_iter().filter(|layer| layer.output.dtype == Dtype::F32).map(|layer| layer.path.clone());
        let gradients: Vec<String> = numbers.chain(parameters).map(|name| format!("grad:{name}")).collect();
        let named = |name: &str| std::iter::once(name.to_string());
        [
            ProgramKind::Train { batch },
            eval(Split::Train),
            eval(Split::Validation),
            ProgramKind::Predict { rows: 9 },
            ProgramKind::inspect(9, layers.iter().cloned().chain(named("output"))),
            ProgramKind::inspect(batch, named("loss").chain(layers.clone()).chain(gradients)),
        ]
    }

    fn outputs(graph: &Graph) -> Vec<&str> {
        graph.outputs().iter().map(|(name, _)| name.as_str()).collect()
    }

    #[test]
    fn every_program_of_every_preset_is_sound_and_they_share_parameters_and_feeds() {
        for preset in presets::all() {
            let experiment = Experiment::parse(preset.json).unwrap().experiment;
            let signature = Signature::of(&experiment.data).unwrap();
            let checked = check(experiment, signature).unwrap();
            let programs: Vec<Graph> = kinds(&checked).iter().map(|kind| build(&checked, kind).unwrap()).collect();
            let feeds: Vec<_> = programs.iter().flat_map(Graph::feeds).collect();
            for program in &programs {
                verify(program).unwrap();
                assert_eq!(program.parameters(), programs[0].parameters(), "{}", preset.id);
                assert_eq!(program.states(), programs[0].states(), "{}", preset.id);
                assert!(program.feeds().iter().all(|feed| feeds.iter().all(|f| f.name != feed.name || *f == feed)));
            }
        }
    }

    #[test]
    fn what_a_program_keeps_is_what_the_one_for_the_next_position_is_given() {
        let mut stepwise = 0;
        for preset in presets::all() {
            let experiment = Experiment::parse(preset.json).unwrap().experiment;
            let signature = Signature::of(&experiment.data).unwrap();
            let checked = check(experiment, signature).unwrap();
            if checked.stepwise().is_err() {
                continue;
            }
            stepwise += 1;
            let [whole, kept, next] =
                [ProgramKind::Continue { keeps: false }, ProgramKind::Continue { keeps: true }, ProgramKind::Next]
                    .map(|kind| build(&checked, &kind).unwrap());
            [&whole, &kept, &next].into_iter().for_each(|graph| verify(graph).unwrap());
            assert_eq!(outputs(&whole), ["scores"]);
            let of_position = |name: &&str| !name.ends_with(crate::MEMORY);
            let by_position: Vec<&str> = outputs(&kept).into_iter().filter(of_position).collect();
            assert_eq!(by_position, outputs(&next), "{}", preset.id);
            let feeds: Vec<&str> =
                next.feeds().iter().map(|f| f.name.as_str()).filter(|name| name.starts_with(CACHE)).collect();
            let (mut given, mut gives) = (feeds, outputs(&kept)[1..].to_vec());
            given.sort_unstable();
            gives.sort_unstable();
            assert_eq!(given, gives, "{}", preset.id);
            assert!(next.feeds().iter().all(|feed| kept.feeds().iter().all(|f| f.name != feed.name || f == feed)));
        }
        assert!(stepwise > 2, "texts are among the presets");
    }

    #[test]
    fn programs_name_what_can_be_read_from_them() {
        let checked = checked(json!([{ "residual": [{ "linear": { "out": 2 } }] }, { "linear": { "out": "classes" } }]));
        let named = kinds(&checked)
            .map(|kind| outputs(&build(&checked, &kind).unwrap()).into_iter().map(String::from).collect::<Vec<_>>());
        assert_eq!(named[0], ["loss", "grad_norm"]);
        assert_eq!(named[1], ["loss", "accuracy"]);
        assert_eq!(named[3], ["output"]);
        let layers = ["model[0].residual[0]", "model[0]", "model[1]"];
        assert_eq!(named[4], [&layers[..], &["output"]].concat());
        let step = &named[5];
        assert_eq!(step[..4], [&["loss"], &layers[..]].concat());
        assert_eq!(step[4..7], layers.map(|path| format!("grad:{path}")));
        assert_eq!(step[7..], ["0.0.weight", "0.0.bias", "1.weight", "1.bias"].map(|name| format!("grad:{name}")));
        assert_eq!(checked.experiment.metric_names(), ["loss", "grad_norm"]);
    }

    #[test]
    fn dropout_draws_the_same_in_a_probe_as_in_a_training_step_and_nothing_elsewhere() {
        let checked = checked(
            json!(["dropout", { "linear": { "out": 4 } }, { "dropout": { "p": 0.1 } }, { "linear": { "out": "classes" } }]),
        );
        let [train, eval, _, predict, inspect, step] = kinds(&checked).map(|kind| {
            let graph = build(&checked, &kind).unwrap();
            let forward = graph.nodes().filter(|(_, node)| node.origin == Origin::Forward && node.op.name() == "dropout");
            forward.map(|(_, node)| format!("{:?}", node.op)).collect::<Vec<_>>()
        });
        assert!(train.len() == 2 && train[0] != train[1] && step == train);
        assert!(eval.is_empty() && predict.is_empty() && inspect.is_empty());
    }

    #[test]
    fn an_inspection_holds_the_tensors_it_is_asked_for_and_no_others() {
        let checked = checked(json!([{ "linear": { "out": 4 } }, "tanh", { "linear": { "out": "classes" } }]));
        let graph = |tensors: &[&str]| build(&checked, &ProgramKind::inspect(3, tensors.iter().copied())).unwrap();
        assert_eq!(outputs(&graph(&["output", "model[1]", "output", "input"])), ["output", "model[1]", "input"]);
        let asked = ["grad:input", "grad:0.bias", "model[0]"];
        let step = graph(&asked);
        assert_eq!(outputs(&step), asked);
        let shapes: Vec<Vec<usize>> = step.outputs().iter().map(|(_, value)| step.shape(*value).to_vec()).collect();
        assert_eq!(shapes, [vec![3, 2], vec![4], vec![3, 4]]);
        assert!(
            graph(&["grad:2.bias"]).len() < graph(&["grad:0.bias"]).len(),
            "backward goes only as far as a gradient is asked"
        );
    }

    #[test]
    fn a_tensor_that_does_not_exist_is_refused_by_name() {
        let checked = checked(json!([{ "linear": { "out": "classes" } }]));
        let refused = |name: &str, with_gradients| {
            let kind = ProgramKind::Inspect { rows: 3, tensors: vec!["output".to_string(), name.to_string()], with_gradients };
            build(&checked, &kind).unwrap_err().path
        };
        for name in ["model[1]", "grad:output", "grad:1.weight", "0.weight", "", "saliency"] {
            assert_eq!(refused(name, true).as_deref(), Some(name));
        }
        for name in ["model[0].hidden_l0", "grad:model[1]"] {
            assert_eq!(refused(name, false).as_deref(), Some(name));
        }
    }

    #[test]
    fn a_look_at_samples_reads_their_answers_only_where_it_goes_back() {
        let checked = checked_on("parity", json!([{ "gru": {} }, { "linear": { "out": "classes" } }]));
        let feeds = |name: &str| {
            let kind = ProgramKind::Inspect { rows: 1, tensors: vec![name.to_string()], with_gradients: false };
            let graph = build(&checked, &kind).unwrap();
            verify(&graph).unwrap();
            graph.feeds().iter().any(|feed| feed.name == "rows.y")
        };
        assert_eq!(["model[0].gates_l0", "saliency", "loss", "grad:model[0].hidden_l0"].map(feeds), [false, false, true, true]);
        let kept = ProgramKind::inspect(1, ["grad:model[0].gates_l0"]);
        assert!(build(&checked, &kept).is_err(), "what is only looked at has no gradient");
    }

    #[test]
    fn every_layer_builds_what_it_promises() {
        for name in Layer::NAMES {
            let (model, data) = crate::layers::example(name);
            let checked = checked_on(data, model);
            let layers = flat(&checked.layers);
            let kind = ProgramKind::inspect(3, layers.iter().map(|layer| layer.path.as_str()));
            let graph = build(&checked, &kind).unwrap();
            for layer in layers {
                let (_, value) = graph.outputs().iter().find(|(path, _)| *path == layer.path).unwrap();
                assert_eq!(graph.shape(*value)[1..], layer.output.shape[..], "{name}");
            }
        }
    }

    #[test]
    fn a_program_over_no_samples_is_refused() {
        let mut checked = checked(json!([{ "linear": { "out": "classes" } }]));
        checked.signature.validation = 0;
        let kinds = kinds(&checked);
        let error = build(&checked, &kinds[2]).unwrap_err();
        assert_eq!(error.path.as_deref(), Some("data"));
        assert!(build(&checked, &kinds[0]).is_ok());
    }
}
