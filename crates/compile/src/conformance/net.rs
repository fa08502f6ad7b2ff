//! A small network with its whole training step, as a session would compile it.

use std::sync::Arc;

use downhill_graph::interp::{Env, Tensor};
use downhill_graph::kernel::{LossKind, UpdateRule};
use downhill_graph::ops::Updated;
use downhill_graph::{BinaryOp, Expr, FeedKind, Graph, Parameter, ScalarId, StepScalars, UnaryOp, autodiff};
use downhill_tensor::TensorTy;
use downhill_tensor::rng::{Rng, Stream};

use super::bench::{Backend, Bench};
use crate::{Executor, Options, Space};

/// SGD with momentum 0.9.
fn rule() -> UpdateRule {
    let mut e = Expr::default();
    let (w, g, m) = (e.read(0), e.read(1), e.read(2));
    let (keep, lr) = (e.constant(0.9), e.scalar(ScalarId::LR));
    let kept = e.binary(BinaryOp::Mul, keep, m);
    let m = e.binary(BinaryOp::Add, kept, g);
    let change = e.binary(BinaryOp::Mul, lr, m);
    let w = e.binary(BinaryOp::Sub, w, change);
    e.outputs.extend([w, m]);
    UpdateRule { name: "sgd", expr: e, slots: vec!["momentum"] }
}

fn normal(shape: [usize; 2], scale: f64, seed: u32) -> Tensor {
    let mut rng = Rng::new(seed, Stream::Init, 0);
    let data = (0..shape[0] * shape[1]).map(|_| f64::from((rng.normal() * scale) as f32)).collect();
    Tensor::f32(shape, data)
}

/// A perceptron of these widths with tanh and dropout between the layers, mean squared error, momentum, and one batch of data.
pub fn net<B: Backend>(backend: &B, widths: &[usize], batch: usize) -> Bench<B> {
    let mut graph = Graph::new();
    let mut env = Env::default();
    let feed = |graph: &mut Graph, env: &mut Env, name: &str, width: usize| {
        env.feeds.push(normal([batch, width], 1.0, width as u32));
        graph.new_feed(name, TensorTy::f32([batch, width]), FeedKind::PerStep).expect("a feed")
    };
    let mut h = feed(&mut graph, &mut env, "x", widths[0]);
    let target = feed(&mut graph, &mut env, "y", widths[widths.len() - 1]);
    let mut params = Vec::new();
    let mut updates = Vec::new();
    for (i, w) in widths.windows(2).enumerate() {
        for (name, shape) in [("weight", [w[1], w[0]]), ("bias", [1, w[1]])] {
            let id = graph.declare_parameter(Parameter { name: format!("{i}.{name}"), shape: shape.into(), group: 0 });
            env.parameters.push(normal(shape, 1.0 / (w[0] as f64).sqrt(), i as u32));
            params.push(graph.parameter(id).expect("declared"));
            updates.push(Updated { id, lr: ScalarId::LR, decay: ScalarId::DECAY });
        }
        let [.., weight, bias] = params[..] else { unreachable!("two were added") };
        h = graph.linear(h, weight, Some(bias)).expect("widths fit");
        if i + 2 < widths.len() {
            h = graph.unary(UnaryOp::Tanh, h).expect("floats");
            h = graph.dropout(h, 0.1, i as u32).expect("floats");
        }
    }
    env.slots = vec![env.parameters.iter().map(|p| Tensor { data: vec![0.0; p.data.len()], ..p.clone() }).collect()];
    let loss = graph.loss(LossKind::Mse, h, target, None).expect("shapes fit");
    let grads = autodiff::grad(&mut graph, loss, &params).expect("rules are right");
    graph.flat_update(Arc::new(rule()), updates, loss, None, &grads).expect("all parameters");
    graph.record(&[loss]).expect("a scalar");
    graph.output("loss", loss);
    Bench::new(backend, &graph, &env, &Options::default())
}

/// A step of [`net`].
pub fn step(number: u32, lr: f32) -> StepScalars {
    let mut step = StepScalars { step: number, seed: 7, record: number % 2, ..StepScalars::default() };
    step.values[0] = lr;
    step
}

impl<B: Backend> Bench<B> {
    /// Overwrites one word of the inputs of batch row 0 of a [`net`].
    pub fn poison(&mut self, bits: u32) {
        let (at, _) = self.layout.feed("x").expect("it has inputs");
        self.executor.upload(Space::Data, at, &[bits]).expect("it fits");
    }
}
