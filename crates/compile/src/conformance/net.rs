//! Perceptrons with their whole training step, as a session would compile them: what tests of plans, of backends and of devices train.

use std::sync::Arc;

use downhill_graph::kernel::{LossKind, UpdateRule};
use downhill_graph::ops::Updated;
use downhill_graph::tensors::{Env, Tensor};
use downhill_graph::{
    BinaryOp, Expr, Feed, FeedKind, Graph, Origin, ParamId, Parameter, ScalarId, StepScalars, UnaryOp, Value, autodiff,
};
use downhill_tensor::rng::{Rng, Stream};
use downhill_tensor::{Shape, TensorTy};

use super::bench::{Backend, Bench, layout};
use crate::{Executor, Options, Plan, Space, StateLayout, compile};

/// What a training step consists of.
#[derive(Clone, Debug)]
pub struct Mlp {
    /// Widths from the features to the outputs.
    pub sizes: Vec<usize>,
    /// Between the layers.
    pub activation: UnaryOp,
    /// Dropped between the layers.
    pub dropout: f32,
    /// At the end.
    pub loss: LossKind,
    /// Rows of a step.
    pub batch: usize,
    /// Rows of the data set.
    pub samples: usize,
    /// Whether gradients are clipped by their norm.
    pub clip_norm: bool,
    /// Adam, or SGD with momentum.
    pub adam: bool,
}

impl Mlp {
    /// 2 → 8 → 8 → 1 with tanh, 10 rows a step.
    pub fn small() -> Self {
        Mlp {
            sizes: vec![2, 8, 8, 1],
            activation: UnaryOp::Tanh,
            dropout: 0.0,
            loss: LossKind::Mse,
            batch: 10,
            samples: 50,
            clip_norm: false,
            adam: true,
        }
    }

    /// 784 → 256 → 128 → 10 with relu, 128 rows a step.
    pub fn digits() -> Self {
        Mlp {
            sizes: vec![784, 256, 128, 10],
            activation: UnaryOp::Relu,
            loss: LossKind::CrossEntropy { label_smoothing: 0.0 },
            batch: 128,
            samples: 1000,
            ..Self::small()
        }
    }

    fn is_classifier(&self) -> bool {
        matches!(self.loss, LossKind::CrossEntropy { .. })
    }

    /// The batch out of the data, forward, loss, gradients, update and record.
    pub fn graph(&self) -> Graph {
        let mut g = Graph::new();
        let (first, last) = (self.sizes[0], self.sizes[self.sizes.len() - 1]);
        let feed = |name: &str, ty, kind| Feed { name: name.into(), ty, kind };
        let x = g.declare_feed(feed("x", TensorTy::f32([self.samples, first]), FeedKind::Resident));
        let target = if self.is_classifier() { TensorTy::u32([self.samples]) } else { TensorTy::f32([self.samples, last]) };
        let y = g.declare_feed(feed("y", target, FeedKind::Resident));
        let indices = g.declare_feed(feed("indices", TensorTy::u32([self.batch]), FeedKind::PerStep));
        let [x, y, indices] = [x, y, indices].map(|f| g.feed(f).expect("widths fit"));
        let (mut h, target) =
            (g.index_select(x, indices).expect("widths fit"), g.index_select(y, indices).expect("widths fit"));
        let mut params = Vec::new();
        for (i, pair) in self.sizes.windows(2).enumerate() {
            g.enter_scope(&format!("{}.linear", 2 * i));
            let weight = declare(&mut g, format!("{}.weight", 2 * i), [pair[1], pair[0]].into());
            let bias = declare(&mut g, format!("{}.bias", 2 * i), [pair[1]].into());
            params.extend([weight, bias]);
            h = g.linear(h, weight, Some(bias)).expect("widths fit");
            if i + 2 < self.sizes.len() {
                g.enter_scope(&format!("{}.{}", 2 * i + 1, self.activation.name()));
                h = g.unary(self.activation, h).expect("widths fit");
                if self.dropout > 0.0 {
                    h = g.dropout(h, self.dropout, i as u32).expect("widths fit");
                }
            }
        }
        g.enter_scope("");
        let loss = g.loss(self.loss, h, target, None).expect("widths fit");
        let grads = autodiff::grad(&mut g, loss, &params).expect("widths fit");
        g.set_origin(Origin::Update);
        let factor = self.clip_norm.then(|| clip(&mut g, &grads));
        let updated = |i| Updated { id: ParamId(i as u32), lr: ScalarId::LR, decay: ScalarId::DECAY, rule: 0 };
        let updated = (0..params.len()).map(updated);
        g.flat_update(vec![Arc::new(self.rule())], updated.collect(), loss, factor, &grads).expect("widths fit");
        g.record(&[loss]).expect("widths fit");
        g.output("loss", loss);
        g
    }

    /// Parameters, slots and data, and a step that writes row 1 of the rings.
    pub fn env(&self, graph: &Graph) -> Env {
        let mut rng = Rng::new(3, Stream::Data, 0);
        let mut normal = |shape: &Shape, scale: f64| {
            Tensor::f32(shape.clone(), (0..shape.numel()).map(|_| f64::from((scale * rng.normal()) as f32)).collect())
        };
        let parameters: Vec<Tensor> = graph.parameters().iter().map(|p| normal(&p.shape, 0.3)).collect();
        let classes = self.sizes[self.sizes.len() - 1] as u32;
        let indices: Vec<u32> = (0..self.batch).map(|i| (i * 7 % self.samples) as u32).collect();
        let labels: Vec<u32> = (0..self.samples).map(|i| i as u32 % classes).collect();
        let feeds = graph.feeds().iter().map(|f| match f.name.as_str() {
            "indices" => Tensor::u32(f.ty.shape.clone(), &indices),
            "y" if self.is_classifier() => Tensor::u32(f.ty.shape.clone(), &labels),
            _ => normal(&f.ty.shape, 1.0),
        });
        let feeds = feeds.collect();
        let filled = |v: f64| parameters.iter().map(|t| Tensor::f32(t.ty.shape.clone(), vec![v; t.data.len()])).collect();
        let slots = if self.adam { vec![parameters.clone(), filled(0.5)] } else { vec![filled(0.0)] };
        let mut step = StepScalars { step: 4, batch: 1, record: 1, ..StepScalars::default() };
        step.values[..6].copy_from_slice(&[0.01, 0.0, 0.9, 0.999, 1.5, 1.2]);
        Env { parameters, slots, feeds, step, ..Env::default() }
    }

    fn rule(&self) -> UpdateRule {
        if self.adam { adam() } else { momentum() }
    }

    /// The compiled program and where its state lies.
    pub fn plan(&self) -> (Plan, StateLayout) {
        let graph = self.graph();
        let layout = layout(&graph, self.rule().slots.len());
        (compile(&graph, "train", &layout, &Options::default()).expect("widths fit"), layout)
    }
}

fn declare(g: &mut Graph, name: String, shape: Shape) -> Value {
    let id = g.declare_parameter(Parameter { name, shape, group: 0 });
    g.parameter(id).expect("widths fit")
}

/// min(1, 1 / (‖g‖ + 1e-6))
fn clip(g: &mut Graph, grads: &[Value]) -> Value {
    let (norm, tiny, one) =
        (g.grad_norm(grads).expect("widths fit"), g.constant(1e-6).expect("widths fit"), g.constant(1.0).expect("widths fit"));
    let sum = g.plus(norm, tiny).expect("widths fit");
    let factor = g.div(one, sum).expect("widths fit");
    g.binary(BinaryOp::Min, one, factor).expect("widths fit")
}

/// Adam (Kingma, Ba 2015) with betas in scalars 2 and 3 and the bias corrections 1/(1 − βᵗ) in 4 and 5.
fn adam() -> UpdateRule {
    let mut e = Expr::default();
    let (w, g, m, v) = (e.read(0), e.read(1), e.read(2), e.read(3));
    let [beta1, beta2, first, second] = [2, 3, 4, 5].map(|i| e.scalar(ScalarId(i)));
    let lr = e.scalar(ScalarId::LR);
    let lerp = |e: &mut Expr, old, new, beta| {
        let difference = e.binary(BinaryOp::Sub, old, new);
        let kept = e.binary(BinaryOp::Mul, beta, difference);
        e.binary(BinaryOp::Add, new, kept)
    };
    let square = e.unary(UnaryOp::Square, g);
    let (m, v) = (lerp(&mut e, m, g, beta1), lerp(&mut e, v, square, beta2));
    let (mean, variance) = (e.binary(BinaryOp::Mul, m, first), e.binary(BinaryOp::Mul, v, second));
    let (deviation, epsilon) = (e.unary(UnaryOp::Sqrt, variance), e.constant(1e-8));
    let divisor = e.binary(BinaryOp::Add, deviation, epsilon);
    let direction = e.binary(BinaryOp::Div, mean, divisor);
    let change = e.binary(BinaryOp::Mul, lr, direction);
    let w = e.binary(BinaryOp::Sub, w, change);
    e.outputs.extend([w, m, v]);
    UpdateRule::new("adam", e, vec!["exp_avg", "exp_avg_sq"])
}

/// SGD with momentum 0.9.
fn momentum() -> UpdateRule {
    let mut e = Expr::default();
    let (w, g, m) = (e.read(0), e.read(1), e.read(2));
    let (keep, lr) = (e.constant(0.9), e.scalar(ScalarId::LR));
    let kept = e.binary(BinaryOp::Mul, keep, m);
    let m = e.binary(BinaryOp::Add, kept, g);
    let change = e.binary(BinaryOp::Mul, lr, m);
    let w = e.binary(BinaryOp::Sub, w, change);
    e.outputs.extend([w, m]);
    UpdateRule::new("sgd", e, vec!["momentum_buffer"])
}

/// A perceptron of these widths with tanh and dropout between the layers, mean squared error and momentum, whose batch is all of its data.
pub fn net<B: Backend>(backend: &B, widths: &[usize], batch: usize) -> Bench<B> {
    let mlp = Mlp { sizes: widths.to_vec(), dropout: 0.1, batch, samples: batch, adam: false, ..Mlp::small() };
    let graph = mlp.graph();
    let mut env = mlp.env(&graph);
    // Every row once, in both rows of the ring.
    let order: Vec<u32> = (0..batch as u32).collect();
    let indices = graph.feeds().iter().position(|f| f.name == "indices").expect("it has indices");
    env.feeds[indices] = Tensor::u32([batch], &order);
    let mut bench = Bench::new(backend, &graph, &env, &Options::default());
    let (at, row) = bench.layout.feed("indices").expect("it has indices");
    [0, row].iter().for_each(|row| bench.executor.upload(Space::Data, at + row, &order).expect("it fits"));
    bench
}

/// A step of [`net`].
pub fn step(number: u32, lr: f32) -> StepScalars {
    let mut step = StepScalars { step: number, seed: 7, record: number % 2, ..StepScalars::default() };
    step.values[0] = lr;
    step
}

impl<B: Backend> Bench<B> {
    /// Overwrites the first number of the data of a [`net`].
    pub fn poison(&mut self, bits: u32) {
        let (at, _) = self.layout.feed("x").expect("it has inputs");
        self.executor.upload(Space::Data, at, &[bits]).expect("it fits");
    }
}
