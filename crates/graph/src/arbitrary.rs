//! Random small programs, well typed and well conditioned, for property tests: whoever runs graphs compares with [`crate::interp`].

use std::fmt;

use downhill_tensor::rng::{Rng, Stream};
use downhill_tensor::{Dtype, Shape, TensorTy};
use proptest::collection::vec;
use proptest::prelude::{Strategy, any};
use smallvec::SmallVec;

use crate::expr::Nature;
use crate::kernel::{LossKind, ReduceKind};
use crate::ops::{
    AvgPool, Binary, Concat, Conv, ConvTranspose, Convolution, Dropout, Expand, IndexSelect, LogSoftmax, Loss, MatMul, MaxPool,
    Op, Pad, Permute, Pooling, Reduce, Reshape, Select, Slice, Softmax, Unary,
};
use crate::tensors::{Env, Tensor};
use crate::{
    BinaryOp, ComposedOp, Feed, FeedKind, Graph, NodeId, NodeOp, Parameter, StateTensor, StepScalars, UnaryOp, Value, autodiff,
};

/// A graph with named outputs and all that it needs from outside.
#[derive(Clone)]
pub struct Program {
    /// The graph.
    pub graph: Graph,
    /// Parameters, feeds and step; every number is exact in f32.
    pub env: Env,
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.graph)
    }
}

/// Forward programs of up to 14 ops; every value that nothing reads is an output (`0`, `1`, …). They read a state, and end in giving it its
/// next value.
pub fn programs() -> impl Strategy<Value = Program> {
    let (unary, binary) = (functions(&CONTINUOUS), pairings(&CONTINUOUS));
    recipes().prop_map(move |(seed, recipe)| {
        let mut builder = Builder::follow(seed, &recipe, &unary, &binary, &REDUCE);
        builder.name_unread();
        builder.assign();
        builder.program
    })
}

/// Programs of smooth ops that end in a `loss`, with its gradient for every parameter (`grad0`, `grad1`, …). Kinks are left out: where f32 and
/// f64 fall on different sides of one, gradients differ rightly.
pub fn training_programs() -> impl Strategy<Value = Program> {
    let (unary, binary) = (functions(&[Nature::Smooth]), pairings(&[Nature::Smooth]));
    recipes().prop_map(move |(seed, recipe)| {
        let mut builder = Builder::follow(seed, &recipe, &unary, &binary, &SMOOTH_REDUCE);
        builder.differentiate();
        builder.program
    })
}

/// A seed for the numbers, and per op what it is and three choices.
fn recipes() -> impl Strategy<Value = (u32, Vec<(u8, [u8; 3])>)> {
    (any::<u32>(), vec((0..KINDS, any::<[u8; 3]>()), 1..=14))
}

const KINDS: u8 = 19;
/// Elements of the largest value.
const MAX_ELEMENTS: usize = 600;
/// Values that grow beyond this go through tanh, so that f32 and f64 stay comparable.
const MAX_MAGNITUDE: f64 = 20.0;

/// Functions of one number that a random program may contain; see [`Nature`].
fn functions(natures: &[Nature]) -> Vec<Op> {
    let unary = UnaryOp::tries().into_iter().filter(|op| natures.contains(&op.nature())).map(Op::from);
    let composed = ComposedOp::ALL.iter().copied().filter(|op| natures.contains(&op.nature())).map(Op::from);
    unary.chain(composed).collect()
}

/// Functions of two numbers that a random program may contain.
fn pairings(natures: &[Nature]) -> Vec<BinaryOp> {
    BinaryOp::ALL.iter().copied().filter(|op| natures.contains(&op.nature())).collect()
}

const CONTINUOUS: [Nature; 2] = [Nature::Smooth, Nature::Kinked];
const REDUCE: [ReduceKind; 4] = [ReduceKind::Sum, ReduceKind::Mean, ReduceKind::Max, ReduceKind::Min];
const SMOOTH_REDUCE: [ReduceKind; 2] = [ReduceKind::Sum, ReduceKind::Mean];

/// Grows a program op by op, knowing every value.
struct Builder<'a> {
    program: Program,
    pool: Vec<(Value, Tensor)>,
    rng: Rng,
    unary: &'a [Op],
    binary: &'a [BinaryOp],
    reduce: &'a [ReduceKind],
}

impl<'a> Builder<'a> {
    fn follow(seed: u32, recipe: &[(u8, [u8; 3])], unary: &'a [Op], binary: &'a [BinaryOp], reduce: &'a [ReduceKind]) -> Self {
        let step = StepScalars { seed, step: 3, ..StepScalars::default() };
        let program = Program { graph: Graph::new(), env: Env { step, ..Env::default() } };
        let mut builder = Builder { program, pool: Vec::new(), rng: Rng::new(seed, Stream::Data, 0), unary, binary, reduce };
        let sizes = [1, 2, 3, 5, 8, 17];
        for rank in [2, 1 + (seed % 3) as usize] {
            let shape: Shape = (0..rank).map(|_| sizes[builder.rng.below(sizes.len())]).collect();
            builder.parameter(shape);
        }
        builder.state([sizes[seed as usize / 3 % sizes.len()]].into());
        for (kind, choices) in recipe {
            builder.grow(*kind, choices.map(usize::from));
        }
        builder
    }

    /// Standard normal numbers, exact in f32.
    fn normal(&mut self, shape: Shape) -> Tensor {
        let data = (0..shape.numel()).map(|_| f64::from(self.rng.normal() as f32)).collect();
        Tensor::f32(shape, data)
    }

    fn parameter(&mut self, shape: Shape) -> (Value, Tensor) {
        let tensor = self.normal(shape.clone());
        let name = format!("w{}", self.program.env.parameters.len());
        let id = self.program.graph.declare_parameter(Parameter { name, shape, group: 0 });
        self.program.env.parameters.push(tensor.clone());
        let value = self.program.graph.parameter(id).expect("it was declared");
        self.pool.push((value, tensor.clone()));
        (value, tensor)
    }

    fn state(&mut self, shape: Shape) {
        let tensor = self.normal(shape.clone());
        let id = self.program.graph.declare_state(StateTensor { name: "state".to_string(), shape });
        self.program.env.states.push(tensor.clone());
        let value = self.program.graph.state(id).expect("it was declared");
        self.pool.push((value, tensor));
    }

    /// Gives the state the last value of its shape.
    fn assign(&mut self) {
        let ty = self.program.env.states[0].ty.clone();
        let last = self.pool.iter().rev().find(|(_, tensor)| tensor.ty == ty).expect("its own value has its shape");
        self.program.graph.assign(&[last.0]).expect("it is of the state's shape");
    }

    fn feed(&mut self, tensor: Tensor) -> (Value, Tensor) {
        let name = format!("x{}", self.program.env.feeds.len());
        let id = self.program.graph.declare_feed(Feed { name, ty: tensor.ty.clone(), kind: FeedKind::Resident });
        self.program.env.feeds.push(tensor.clone());
        (self.program.graph.feed(id).expect("it was declared"), tensor)
    }

    /// Adds an op if it fits and its result is not too large.
    fn apply(&mut self, op: impl Into<Op>, inputs: &[(Value, Tensor)]) -> bool {
        let op = op.into();
        let types: Vec<&TensorTy> = inputs.iter().map(|(_, t)| &t.ty).collect();
        let Ok(outputs) = op.infer(&types, &self.program.graph) else { return false };
        if outputs[0].shape.numel() > MAX_ELEMENTS || outputs[0].shape.rank() > 4 {
            return false;
        }
        let tensors: Vec<&Tensor> = inputs.iter().map(|(_, t)| t).collect();
        let result = op.eval(&tensors, &outputs, &mut self.program.env).swap_remove(0);
        let values: Vec<Value> = inputs.iter().map(|(v, _)| *v).collect();
        let value = self.program.graph.typed(op, &values);
        let large = result.data.iter().any(|v| v.abs() > MAX_MAGNITUDE);
        self.pool.push((value, result));
        if large {
            let last = self.pool.len() - 1;
            let last = self.pool[last].clone();
            return self.apply(Unary(UnaryOp::Tanh), &[last]);
        }
        true
    }

    /// The first value from `start` on (around the end) that `accept` takes.
    fn find(&self, start: usize, accept: impl Fn(&Tensor) -> bool) -> Option<(Value, Tensor)> {
        let n = self.pool.len();
        (0..n).map(|i| &self.pool[(start + i) % n]).find(|(_, t)| accept(t)).cloned()
    }

    /// One more op; nothing where the choices do not fit.
    fn grow(&mut self, kind: u8, [a, b, c]: [usize; 3]) {
        let x = self.pool[a % self.pool.len()].clone();
        let shape = x.1.ty.shape.clone();
        let rank = shape.rank();
        match kind {
            0..=2 => self.apply(self.unary[b % self.unary.len()].clone(), &[x]),
            3..=5 => {
                let op = Binary(self.binary[c % self.binary.len()]);
                let y = self.find(b, |t| t.ty.shape.broadcast(&shape).is_ok()).expect("it broadcasts with itself");
                if c & 128 == 0 { self.apply(op, &[x, y]) } else { self.apply(op, &[y, x]) }
            }
            6 | 7 => self.grow_matmul(x, b, c),
            8 => {
                let axes: SmallVec<[usize; 4]> = (0..rank).filter(|d| c >> d & 1 == 1).collect();
                let kind = self.reduce[b % self.reduce.len()];
                self.apply(Reduce { kind, axes, keep_dims: c & 128 == 0 }, &[x])
            }
            9 if c & 1 == 0 => self.apply(Softmax, &[x]),
            9 => self.apply(LogSoftmax, &[x]),
            10 => self.apply(Dropout { p: 0.25, salt: c as u32 }, &[x]),
            11 => self.grow_selection(x, b, c),
            _ if rank == 0 => self.apply(Reshape { shape: [1, 1].into() }, &[x]),
            16.. => self.grow_sliding(kind, x, b, c),
            _ => self.grow_movement(kind, x, b, c),
        };
    }

    fn grow_matmul(&mut self, x: (Value, Tensor), b: usize, c: usize) -> bool {
        let (transpose_a, transpose_b) = (c & 1 == 1, c & 2 == 2);
        let op = MatMul { transpose_a, transpose_b };
        let fits = |t: &Tensor| op.infer_shapes(&x.1.ty, &t.ty);
        if let Some(y) = self.find(b, fits) {
            return self.apply(op, &[x, y]);
        }
        let [.., rows, cols] = x.1.ty.shape[..] else { return false };
        let (k, n) = (if transpose_a { rows } else { cols }, 1 + b % 7);
        let y = self.parameter(if transpose_b { [n, k] } else { [k, n] }.into());
        self.apply(op, &[x, y])
    }

    /// A kernel or a window that slides over the value as images.
    fn grow_sliding(&mut self, kind: u8, x: (Value, Tensor), b: usize, c: usize) -> bool {
        let shape = x.1.ty.shape.clone();
        let ones = 4 - shape.rank();
        let [_, channels, height, width] = std::array::from_fn(|i| if i < ones { 1 } else { shape[i - ones] });
        let image: Shape = (0..4).map(|i| if i < ones { 1 } else { shape[i - ones] }).collect();
        if image != shape && !self.apply(Reshape { shape: image }, std::slice::from_ref(&x)) {
            return false;
        }
        let x = if ones > 0 { self.pool[self.pool.len() - 1].clone() } else { x };
        let (kernel, stride) = ([1 + b % 3, 1 + b / 3 % 3], [1 + c % 3, 1 + c / 3 % 2]);
        let padding = [b / 9 % 2, b / 18 % 3];
        if kind == 16 {
            let pooling = Pooling {
                kernel,
                stride,
                padding: [0, 1].map(|i| padding[i].min(kernel[i] / 2)),
                count_include_pad: c & 64 == 0,
            };
            // The largest of a window has kinks, as that of a reduction.
            let kinked = c & 128 == 0 && self.reduce.contains(&ReduceKind::Max);
            return if kinked { self.apply(MaxPool { pooling }, &[x]) } else { self.apply(AvgPool { pooling }, &[x]) };
        }
        let groups = if c & 128 == 0 { 1 } else { channels };
        let dilation = [1 + c / 6 % 2, 1 + c / 12 % 2];
        let convolution = Convolution { stride, padding: padding.map(|n| (n, n)), dilation, groups };
        let per_group = 1 + c / 24 % 3;
        if kind == 17 {
            let weight = self.parameter([groups * per_group, channels / groups, kernel[0], kernel[1]].into());
            return self.apply(Conv { convolution }, &[x, weight]);
        }
        // The size whose places the image is: no smaller one has them.
        let side = |axis: usize, n: usize| {
            ((n - 1) * stride[axis] + dilation[axis] * (kernel[axis] - 1) + 1)
                .checked_sub(2 * padding[axis])
                .filter(|side| *side > 0)
        };
        let (Some(down), Some(across)) = (side(0, height), side(1, width)) else { return false };
        let weight = self.parameter([channels, per_group, kernel[0], kernel[1]].into());
        self.apply(ConvTranspose { convolution, size: [down, across], turned: false }, &[x, weight])
    }

    /// A choice by a mask that the host gives, or rows by indices.
    fn grow_selection(&mut self, x: (Value, Tensor), b: usize, c: usize) -> bool {
        let shape = x.1.ty.shape.clone();
        if c & 1 == 1 && shape.rank() > 0 {
            let indices: Vec<u32> = (0..1 + b % 5).map(|i| (i * b) as u32 % (shape[0] as u32 + 1)).collect();
            let indices = self.feed(Tensor::u32([indices.len()], &indices));
            return self.apply(IndexSelect::ROWS, &[x, indices]);
        }
        let last = shape.last().copied().unwrap_or(1);
        let mask = (0..last).map(|i| f64::from(b >> (i % 8) as u32 & 1 == 1)).collect();
        let mask = self.feed(Tensor::f32([last], mask));
        let y = self.find(b, |t| t.ty.shape.broadcast(&shape).is_ok()).expect("it broadcasts with itself");
        self.apply(Select, &[mask, x, y])
    }

    fn grow_movement(&mut self, kind: u8, x: (Value, Tensor), b: usize, c: usize) -> bool {
        let shape = x.1.ty.shape.clone();
        let (rank, axis) = (shape.rank(), b % shape.rank());
        match kind {
            12 => {
                let mut axes: SmallVec<[usize; 4]> = (0..rank).collect();
                axes.rotate_left(axis);
                axes.swap(0, c % rank);
                self.apply(Permute { axes }, &[x])
            }
            13 => {
                let start = c % shape[axis];
                let step = 1 + c / 64;
                self.apply(Slice { axis, start, end: shape[axis], step }, &[x])
            }
            14 if c & 1 == 0 => self.apply(Pad { axis, before: c / 2 % 3, after: c / 8 % 3, value: 0.5 }, &[x]),
            14 => {
                let y = self.find(c, |t| {
                    t.ty.shape.rank() == rank
                        && t.ty.shape[..axis] == shape[..axis]
                        && t.ty.shape[axis + 1..] == shape[axis + 1..]
                });
                let y = y.expect("it goes with itself");
                self.apply(Concat { axis }, &[x, y])
            }
            _ if c & 1 == 0 => {
                let shape = if c & 2 == 0 {
                    [&[3], &shape[..]].concat()
                } else {
                    shape.iter().map(|&n| if n == 1 { 4 } else { n }).collect()
                };
                self.apply(Expand { shape: shape.into() }, &[x])
            }
            _ => {
                let rest = shape.numel() / shape[axis];
                self.apply(Reshape { shape: [rest, shape[axis]].into() }, &[x])
            }
        }
    }

    /// Names every float that nothing reads.
    fn name_unread(&mut self) {
        let graph = &mut self.program.graph;
        let read: Vec<NodeId> = graph.nodes().flat_map(|(_, n)| n.inputs.iter().map(|v| v.node).collect::<Vec<_>>()).collect();
        let unread = self.pool.iter().filter(|(v, t)| t.ty.dtype == Dtype::F32 && !read.contains(&v.node));
        for (i, (value, _)) in unread.enumerate() {
            graph.output(i.to_string(), *value);
        }
    }

    /// Ends in the mean squared distance of the last value from a random target.
    fn differentiate(&mut self) {
        let (mut last, tensor) = self.pool[self.pool.len() - 1].clone();
        let mut shape = tensor.ty.shape;
        if shape.rank() == 0 {
            shape = [1].into();
            last = self.program.graph.typed(Reshape { shape: shape.clone() }, &[last]);
        }
        let target = self.normal(shape);
        let (target, _) = self.feed(target);
        let graph = &mut self.program.graph;
        let loss = graph.typed(Loss { kind: LossKind::Mse }, &[last, target]);
        let parameters: Vec<Value> = graph
            .nodes()
            .filter(|(_, n)| matches!(n.op, Op::ParameterOp(_)))
            .map(|(node, _)| Value { node, slot: 0 })
            .collect();
        let grads = autodiff::grad(graph, loss, &parameters).expect("rules are right");
        graph.output("loss", loss);
        for (i, grad) in grads.into_iter().enumerate() {
            graph.output(format!("grad{i}"), grad);
        }
    }
}

impl MatMul {
    /// Whether the shape rule accepts the two.
    fn infer_shapes(&self, a: &TensorTy, b: &TensorTy) -> bool {
        Op::from(self.clone()).infer(&[a, b], &Graph::new()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::test_runner::Config;
    use proptest::{prop_assert, prop_assert_eq, proptest};

    use super::*;
    use crate::interp::run;
    use crate::{decompose, verify};

    proptest! {
        #![proptest_config(Config::with_cases(150))]

        #[test]
        fn random_programs_are_well_formed_and_decompose_into_the_same(program in programs()) {
            prop_assert_eq!(verify(&program.graph), Ok(()));
            let canonical = decompose(&program.graph);
            prop_assert_eq!(verify(&canonical), Ok(()));
            let (want, got) = (run(&program.graph, &mut program.env.clone()), run(&canonical, &mut program.env.clone()));
            for (name, value) in program.graph.outputs() {
                let (want, got) = (want.value(*value), got.output(&canonical, name).expect("outputs stay"));
                let close = want.data.iter().zip(&got.data).all(|(a, b)| (a - b).abs() < 1e-9);
                prop_assert!(close, "output {}: {:?} became {:?}", name, want.data, got.data);
            }
        }

        #[test]
        fn gradients_of_random_programs_agree_with_finite_differences(program in training_programs()) {
            prop_assert_eq!(verify(&program.graph), Ok(()));
            let loss = |env: &Env| run(&program.graph, &mut env.clone()).output(&program.graph, "loss").expect("a loss").data[0];
            let values = run(&program.graph, &mut program.env.clone());
            for p in 0..program.env.parameters.len() {
                let grad = values.output(&program.graph, &format!("grad{p}")).expect("a gradient").data[0];
                let [up, down] = [1e-5, -1e-5].map(|by| {
                    let mut env = program.env.clone();
                    env.parameters[p].data[0] += by;
                    loss(&env)
                });
                let numeric = (up - down) / 2e-5;
                prop_assert!((numeric - grad).abs() < 1e-5 * (1.0 + grad.abs()), "parameter {}: {} but {}", p, grad, numeric);
            }
        }
    }
}
