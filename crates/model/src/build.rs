//! From an experiment to graphs, one per kind of program.

use std::sync::Arc;

use downhill_graph::kernel::LossKind;
use downhill_graph::ops::{
    Accuracy, Binary, Concat, Constant, Dropout, FeedOp, FlatUpdate, Gather, Loss as LossOp, MatMul, Norm, ParameterOp, Record,
    Reshape, Scalar, Softmax, Unary, Updated,
};
use downhill_graph::{
    BinaryOp, Feed, FeedKind, Graph, Op, OpError, Origin, ParamId, Parameter, ScalarId, UnaryOp, Value, autodiff,
};
use downhill_tensor::{Shape, TensorTy, UserError};

use crate::check::resolved;
use crate::layers::Layer;
use crate::losses::Targets;
use crate::resolve::{Resolved, flat};
use crate::scalars::CLIP_NORM;
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

/// What a program does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProgramKind {
    /// One training step: forward, backward, update, record. Output `loss`, and `grad_norm` where gradients are clipped by norm.
    Train {
        /// Samples per step.
        batch: usize,
    },
    /// Outputs `loss` and, for classes, `accuracy`, weighted means over some rows of a part; without dropout.
    Eval {
        /// Rows at a time.
        rows: usize,
        /// Which part.
        split: Split,
    },
    /// Forward only, without dropout, on the feed `map.x` `[rows, features]`. Outputs: every layer's activation under its path, and
    /// `output`: probabilities, or values.
    Map {
        /// Rows.
        rows: usize,
    },
    /// Forward and backward on the feeds `probe.x` and `probe.y`, with dropout as a training step of the same scalars has it. Outputs: `loss`, every layer's
    /// activation under its path, its gradient under `grad:<path>`, every parameter's gradient under `grad:<name>`.
    Probe {
        /// Rows.
        rows: usize,
    },
}

/// Makes the graph of one program. All programs of an experiment declare the same parameters.
///
/// # Errors
/// As [`crate::check`], and when a part of the data that the program reads is empty.
pub fn build(experiment: &Experiment, signature: &Signature, kind: ProgramKind) -> Result<Graph, UserError> {
    let model = resolved(experiment, signature)?;
    let targets = experiment.loss.targets(signature)?;
    let training = matches!(kind, ProgramKind::Train { .. } | ProgramKind::Probe { .. });
    let mut builder = Builder::new(&model, training);
    let program = Program { experiment, signature, model: &model, targets };
    match kind {
        ProgramKind::Train { batch } => program.train(&mut builder, batch)?,
        ProgramKind::Eval { rows, split } => program.eval(&mut builder, rows, split)?,
        ProgramKind::Map { rows } => program.map(&mut builder, rows)?,
        ProgramKind::Probe { rows } => program.probe(&mut builder, rows)?,
    }
    Ok(builder.graph)
}

struct Program<'a> {
    experiment: &'a Experiment,
    signature: &'a Signature,
    model: &'a [Resolved],
    targets: Targets,
}

impl Program<'_> {
    fn train(&self, cx: &mut Builder, batch: usize) -> Result<(), UserError> {
        let indices = cx.feed("train.indices", TensorTy::u32([batch]), FeedKind::PerStep)?;
        let (x, y) = self.rows_of(cx, Split::Train, indices)?;
        let prediction = cx.list(&self.experiment.model, self.model, x)?;
        let loss = cx.op(LossOp { kind: self.experiment.loss.kind() }, &[prediction, y])?;
        cx.graph.output("loss", loss);
        let parameters = cx.all_parameters()?;
        let gradients = autodiff::grad(&mut cx.graph, loss, &parameters);
        cx.graph.set_origin(Origin::Update);
        cx.root_scope();
        let mut metrics = vec![loss];
        let mut inputs = vec![loss];
        if self.experiment.training.clip_norm.is_some() {
            let norm = cx.op(Norm, &gradients)?;
            cx.graph.output("grad_norm", norm);
            metrics.push(norm);
            inputs.push(clip_factor(cx, norm)?);
        }
        let scaled = inputs.len() > 1;
        inputs.extend(gradients);
        let rule = Arc::new(self.experiment.optimizer.rule(&self.experiment.training));
        let updated = |i| Updated { id: ParamId(i as u32), lr: ScalarId::LR, decay: ScalarId::DECAY };
        let params = (0..parameters.len()).map(updated).collect();
        cx.node(FlatUpdate { rule, params, scaled }, &inputs)?;
        cx.node(Record, &metrics)
    }

    fn eval(&self, cx: &mut Builder, rows: usize, split: Split) -> Result<(), UserError> {
        let indices = cx.feed("eval.indices", TensorTy::u32([rows]), FeedKind::PerStep)?;
        let weights = cx.feed("eval.weights", TensorTy::f32([rows]), FeedKind::PerStep)?;
        let (x, y) = self.rows_of(cx, split, indices)?;
        let prediction = cx.list(&self.experiment.model, self.model, x)?;
        let loss = cx.op(LossOp { kind: self.experiment.loss.kind() }, &[prediction, y, weights])?;
        cx.graph.output("loss", loss);
        if self.signature.task == Task::Classification {
            let accuracy = cx.op(Accuracy, &[prediction, y, weights])?;
            cx.graph.output("accuracy", accuracy);
        }
        Ok(())
    }

    fn map(&self, cx: &mut Builder, rows: usize) -> Result<(), UserError> {
        let x = cx.feed("map.x", self.input_ty(rows), FeedKind::Resident)?;
        let x = self.shaped(cx, x, rows)?;
        let y = cx.list(&self.experiment.model, self.model, x)?;
        cx.root_scope();
        let output = match self.experiment.loss.kind() {
            LossKind::CrossEntropy { .. } => cx.op(Softmax, &[y])?,
            LossKind::BceWithLogits => cx.op(Unary(UnaryOp::Sigmoid), &[y])?,
            LossKind::Mse | LossKind::L1 | LossKind::Huber(_) => y,
        };
        for (path, value) in std::mem::take(&mut cx.activations) {
            cx.graph.output(path, value);
        }
        cx.graph.output("output", output);
        Ok(())
    }

    fn probe(&self, cx: &mut Builder, rows: usize) -> Result<(), UserError> {
        let x = cx.feed("probe.x", self.input_ty(rows), FeedKind::Resident)?;
        let y = cx.feed("probe.y", self.target_ty(rows), FeedKind::Resident)?;
        let x = self.shaped(cx, x, rows)?;
        let prediction = cx.list(&self.experiment.model, self.model, x)?;
        let loss = cx.op(LossOp { kind: self.experiment.loss.kind() }, &[prediction, y])?;
        cx.graph.output("loss", loss);
        let parameters = cx.all_parameters()?;
        let mut named: Vec<(String, Value)> = std::mem::take(&mut cx.activations);
        for (path, value) in &named {
            cx.graph.output(path.clone(), *value);
        }
        let names: Vec<String> = cx.graph.parameters().iter().map(|p| p.name.clone()).collect();
        named.extend(names.into_iter().zip(parameters));
        let values: Vec<Value> = named.iter().map(|(_, value)| *value).collect();
        let gradients = autodiff::grad(&mut cx.graph, loss, &values);
        for ((name, _), gradient) in named.iter().zip(gradients) {
            cx.graph.output(format!("grad:{name}"), gradient);
        }
        Ok(())
    }

    /// Inputs and targets of the samples that `indices` names.
    fn rows_of(&self, cx: &mut Builder, split: Split, indices: Value) -> Result<(Value, Value), UserError> {
        let name = split.name();
        let samples = match split {
            Split::Train => self.signature.train,
            Split::Validation => self.signature.validation,
        };
        if samples == 0 {
            return Err(
                UserError::at("data", format!("There are no {name} samples.")).hint("Change `validation`, the share held out.")
            );
        }
        let table = cx.feed(&format!("{name}.x"), self.input_ty(samples), FeedKind::Resident)?;
        let labels = cx.feed(&format!("{name}.y"), self.target_ty(samples), FeedKind::Resident)?;
        let x = cx.op(Gather, &[table, indices])?;
        let y = cx.op(Gather, &[labels, indices])?;
        let rows = cx.graph.shape(indices).numel();
        Ok((self.shaped(cx, x, rows)?, y))
    }

    fn input_ty(&self, rows: usize) -> TensorTy {
        TensorTy::f32([rows, self.signature.features])
    }

    fn target_ty(&self, rows: usize) -> TensorTy {
        match self.targets {
            Targets::Classes => TensorTy::u32([rows]),
            Targets::Binary { .. } => TensorTy::f32([rows, 1]),
            Targets::Values => TensorTy::f32([rows, self.signature.outputs]),
        }
    }

    /// Samples as the first layer sees them: a row of features becomes an image where the data has images.
    fn shaped(&self, cx: &mut Builder, x: Value, rows: usize) -> Result<Value, UserError> {
        if self.signature.input_shape.len() == 1 {
            return Ok(x);
        }
        cx.op(Reshape { shape: batched(rows, &self.signature.input_shape) }, &[x])
    }
}

/// `min(1, max / (norm + 1e-6))`, as `torch.nn.utils.clip_grad_norm_`.
fn clip_factor(cx: &mut Builder, norm: Value) -> Result<Value, UserError> {
    let constant = |value| Constant { value, shape: Shape::scalar() };
    let small = cx.op(constant(1e-6), &[])?;
    let denominator = cx.binary(BinaryOp::Add, norm, small)?;
    let limit = cx.op(Scalar(CLIP_NORM), &[])?;
    let ratio = cx.binary(BinaryOp::Div, limit, denominator)?;
    let one = cx.op(constant(1.0), &[])?;
    cx.binary(BinaryOp::Min, ratio, one)
}

fn batched(rows: usize, shape: &[usize]) -> Shape {
    std::iter::once(rows).chain(shape.iter().copied()).collect()
}

/// A graph in the making, with what layers need to add themselves.
pub(crate) struct Builder {
    pub graph: Graph,
    training: bool,
    /// Next number that tells apart the dropouts.
    salt: u32,
    /// What every layer gave, by path.
    activations: Vec<(String, Value)>,
    /// Parameters in use, by [`ParamId`].
    values: Vec<Option<Value>>,
}

impl Builder {
    fn new(model: &[Resolved], training: bool) -> Self {
        let mut graph = Graph::new();
        for parameter in flat(model).iter().flat_map(|layer| &layer.parameters) {
            let shape = Shape::from(parameter.shape.as_slice());
            graph.declare_parameter(Parameter { name: parameter.name.clone(), shape, group: 0 });
        }
        let values = vec![None; graph.parameters().len()];
        Self { graph, training, salt: 0, activations: Vec::new(), values }
    }

    /// Applies an op; a refusal is a gap between the shapes a layer promised and those of its ops.
    pub fn op(&mut self, op: impl Into<Op>, inputs: &[Value]) -> Result<Value, UserError> {
        self.graph.apply(op, inputs).map_err(|e| self.refused(&e))
    }

    fn node(&mut self, op: impl Into<Op>, inputs: &[Value]) -> Result<(), UserError> {
        self.graph.add(op.into(), inputs).map(|_| ()).map_err(|e| self.refused(&e))
    }

    fn refused(&self, error: &OpError) -> UserError {
        UserError::at("model", format!("This model cannot be built ({error})."))
            .hint("Please report this together with the experiment.")
    }

    /// f(x).
    pub fn unary(&mut self, op: UnaryOp, x: Value) -> Result<Value, UserError> {
        self.op(Unary(op), &[x])
    }

    /// f(a, b), broadcast.
    pub fn binary(&mut self, op: BinaryOp, a: Value, b: Value) -> Result<Value, UserError> {
        self.op(Binary(op), &[a, b])
    }

    /// `x Wᵀ` for x `[batch, in]` and W `[out, in]`.
    pub fn matmul_t(&mut self, x: Value, weight: Value) -> Result<Value, UserError> {
        self.op(MatMul { transpose_a: false, transpose_b: true }, &[x, weight])
    }

    /// `x` as `[batch, …shape]`.
    pub fn reshape(&mut self, x: Value, shape: &[usize]) -> Result<Value, UserError> {
        let rows = self.graph.shape(x).first().copied().unwrap_or(1);
        let shape = batched(rows, shape);
        if *self.graph.shape(x) == shape {
            return Ok(x);
        }
        self.op(Reshape { shape }, &[x])
    }

    /// Vectors side by side.
    pub fn concat(&mut self, parts: &[Value]) -> Result<Value, UserError> {
        self.op(Concat { axis: 1 }, parts)
    }

    /// Dropout where the program trains; elsewhere nothing. Every call counts, so that a dropout keeps its random numbers in all programs.
    pub fn dropout(&mut self, p: f64, x: Value) -> Result<Value, UserError> {
        self.salt += 1;
        if !self.training || p == 0.0 {
            return Ok(x);
        }
        let salt = self.salt;
        self.op(Dropout { p: p as f32, salt }, &[x])
    }

    /// The value of a layer's parameter.
    pub fn parameter(&mut self, at: &Resolved, name: &str) -> Result<Value, UserError> {
        let full = format!("{}.{name}", at.scope);
        match self.graph.parameters().iter().position(|p| p.name == full) {
            Some(i) => self.parameter_at(i),
            None => Err(UserError::at(&at.path, format!("The parameter `{full}` was not declared."))),
        }
    }

    fn parameter_at(&mut self, i: usize) -> Result<Value, UserError> {
        if let Some(Some(value)) = self.values.get(i) {
            return Ok(*value);
        }
        let value = self.op(ParameterOp(ParamId(i as u32)), &[])?;
        if let Some(slot) = self.values.get_mut(i) {
            *slot = Some(value);
        }
        Ok(value)
    }

    fn all_parameters(&mut self) -> Result<Vec<Value>, UserError> {
        (0..self.values.len()).map(|i| self.parameter_at(i)).collect()
    }

    fn feed(&mut self, name: &str, ty: TensorTy, kind: FeedKind) -> Result<Value, UserError> {
        let feed = self.graph.declare_feed(Feed { name: name.to_string(), ty, kind });
        self.op(FeedOp(feed), &[])
    }

    fn root_scope(&mut self) {
        self.graph.enter_scope("");
    }

    /// Adds layers one after the other, each in its scope, and remembers what they give.
    pub fn list(&mut self, layers: &[Layer], at: &[Resolved], x: Value) -> Result<Value, UserError> {
        layers.iter().zip(at).try_fold(x, |x, (layer, at)| {
            let outer = self.graph.enter_scope(&at.scope);
            let y = layer.def().build(self, at, x)?;
            self.graph.set_scope(outer);
            self.activations.push((at.path.clone(), y));
            Ok(y)
        })
    }
}
