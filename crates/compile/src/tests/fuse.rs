//! What each fusion rule does, and where it must not.

use downhill_graph::autodiff;
use downhill_graph::ops::LayerNorm;
use downhill_graph::tensors::{Env, Tensor};
use downhill_graph::{FeedKind, Graph, UnaryOp, Value};
use downhill_tensor::rng::{Rng, Stream};
use downhill_tensor::{Shape, TensorTy};

use super::{check, layout};
use crate::{Options, compile};

/// A graph under construction with random numbers for its feeds.
#[derive(Default)]
struct Case {
    graph: Graph,
    env: Env,
}

impl Case {
    fn feed(&mut self, shape: impl Into<Shape>) -> Value {
        let shape = shape.into();
        let i = self.env.feeds.len();
        let mut rng = Rng::new(i as u32, Stream::Data, 0);
        let data = (0..shape.numel()).map(|_| f64::from(rng.normal() as f32)).collect();
        self.env.feeds.push(Tensor::f32(shape.clone(), data));
        self.graph.new_feed(format!("x{i}"), TensorTy::f32(shape), FeedKind::Resident).unwrap()
    }

    /// Checks the results and returns the kernels, one per line.
    fn kernels(mut self, outputs: &[Value]) -> Vec<String> {
        for (i, v) in outputs.iter().enumerate() {
            self.graph.output(i.to_string(), *v);
        }
        check("case", &self.graph, &self.env);
        let plan = compile(&self.graph, "case", &layout(&self.graph, 0), &Options::default()).unwrap();
        plan.steps.iter().map(|s| s.kernel.to_string()).collect()
    }
}

#[test]
fn a_chain_of_elementwise_ops_is_one_kernel() {
    let mut c = Case::default();
    let (x, b) = (c.feed([6, 5]), c.feed([5]));
    let g = &mut c.graph;
    let sum = g.plus(x, b).unwrap();
    let (tanh, half) = (g.unary(UnaryOp::Tanh, sum).unwrap(), g.constant(0.5).unwrap());
    let y = g.mul(tanh, half).unwrap();
    assert_eq!(c.kernels(&[y]), ["map [6, 5] mul(tanh(add(r0, r1)), 0.5)"]);
}

#[test]
fn a_sum_of_squares_is_one_reduction() {
    let mut c = Case::default();
    let x = c.feed([6, 5]);
    let square = c.graph.unary(UnaryOp::Square, x).unwrap();
    let y = c.graph.sum(square, &[0], false).unwrap();
    assert_eq!(c.kernels(&[y]), ["reduce Sum [1, 6, 5] square(r0)"]);
}

#[test]
fn a_costly_value_with_several_readers_is_computed_once() {
    let mut c = Case::default();
    let x = c.feed([7]);
    let e = c.graph.unary(UnaryOp::Exp, x).unwrap();
    let (a, b) = (c.graph.scale(2.0, e).unwrap(), c.graph.unary(UnaryOp::Neg, e).unwrap());
    assert_eq!(c.kernels(&[a, b]), ["map [7] mul(exp(r0), 2); neg(exp(r0))"]);
}

#[test]
fn a_costly_value_that_is_repeated_is_stored() {
    let mut c = Case::default();
    let (x, b) = (c.feed([6, 5]), c.feed([5]));
    let e = c.graph.unary(UnaryOp::Exp, b).unwrap();
    let y = c.graph.plus(x, e).unwrap();
    assert_eq!(c.kernels(&[y]), ["map [5] exp(r0)", "map [6, 5] add(r0, r1)"]);
}

#[test]
fn elementwise_work_on_a_transposed_value_walks_its_source() {
    let mut c = Case::default();
    let (x, z) = (c.feed([6, 5]), c.feed([5, 6]));
    let negative = c.graph.unary(UnaryOp::Neg, x).unwrap();
    let transposed = c.graph.transpose(negative).unwrap();
    let y = c.graph.plus(transposed, z).unwrap();
    assert_eq!(c.kernels(&[y]), ["map [5, 6] add(neg(r0), r1)"]);
}

#[test]
fn random_numbers_stay_with_their_positions() {
    let mut c = Case::default();
    let x = c.feed([6, 5]);
    let dropped = c.graph.dropout(x, 0.5, 1).unwrap();
    let transposed = c.graph.transpose(dropped).unwrap();
    let y = c.graph.unary(UnaryOp::Exp, transposed).unwrap();
    assert_eq!(c.kernels(&[y]).len(), 2);
}

#[test]
fn operands_of_a_product_may_be_transposed_views() {
    let mut c = Case::default();
    let (a, b) = (c.feed([5, 6]), c.feed([7, 6]));
    let b = c.graph.transpose(b).unwrap();
    let y = c.graph.matmul(a, b).unwrap();
    assert_eq!(c.kernels(&[y]), ["matmul.nt 5×7×6"]);
}

#[test]
fn a_batched_product_takes_bias_and_activation_along() {
    let mut c = Case::default();
    let (a, b, bias) = (c.feed([3, 4, 5]), c.feed([3, 5, 6]), c.feed([6]));
    let product = c.graph.matmul(a, b).unwrap();
    let sum = c.graph.plus(product, bias).unwrap();
    let y = c.graph.unary(UnaryOp::Relu, sum).unwrap();
    assert_eq!(c.kernels(&[y]), ["matmul.nn 4×6×5 ×3 → relu(add(r0, r1))"]);
}

#[test]
fn a_value_along_the_batch_alone_is_no_obstacle() {
    let mut c = Case::default();
    let (a, b, scale) = (c.feed([3, 4, 5]), c.feed([3, 5, 6]), c.feed([3, 1, 1]));
    let product = c.graph.matmul(a, b).unwrap();
    let y = c.graph.mul(product, scale).unwrap();
    assert_eq!(c.kernels(&[y]), ["matmul.nn 4×6×5 ×3 → mul(r0, r1)"]);
}

#[test]
fn a_sum_that_the_product_itself_reads_stays_a_reduction() {
    let mut c = Case::default();
    let (a, b) = (c.feed([4, 5]), c.feed([5, 6]));
    let sums = c.graph.sum(a, &[1], true).unwrap();
    let product = c.graph.matmul(a, b).unwrap();
    let y = c.graph.plus(product, sums).unwrap();
    assert_eq!(c.kernels(&[y]), ["reduce Sum [4, 5, 1] r0", "matmul.nn 4×6×5 → add(r0, r1)"]);
}

#[test]
fn sums_over_the_rows_of_a_product_ride_along() {
    let mut c = Case::default();
    let (dy, x) = (c.feed([9, 4]), c.feed([9, 6]));
    let transposed = c.graph.transpose(dy).unwrap();
    let (dw, db) = (c.graph.matmul(transposed, x).unwrap(), c.graph.sum(dy, &[0], false).unwrap());
    assert_eq!(c.kernels(&[dw, db]), ["matmul.tn 4×6×9 + row sums"]);
}

#[test]
fn times_one_plus_zero_runs_no_kernel() {
    let mut c = Case::default();
    let x = c.feed([6]);
    let (zero, one) = (c.graph.constant(0.0).unwrap(), c.graph.constant(1.0).unwrap());
    let sum = c.graph.plus(x, zero).unwrap();
    let y = c.graph.binary(downhill_graph::BinaryOp::Div, sum, one).unwrap();
    let back = c.graph.reshape(y, [2, 3]).unwrap();
    assert!(c.kernels(&[back]).is_empty(), "a feed is its own output");
}

#[test]
fn what_goes_around_a_norm_is_added_by_its_gradient_unless_that_is_wanted_by_itself() {
    for alone in [true, false] {
        let mut c = Case::default();
        let (x, slope) = (c.feed([4, 6]), c.feed([4, 6]));
        let g = &mut c.graph;
        let norm = g.apply(LayerNorm { centered: true, weight: false, bias: false, eps: 0.1 }, &[x]).unwrap();
        let weighted = g.mul(norm, slope).unwrap();
        let loss = g.sum_all(weighted).unwrap();
        let dx = autodiff::grad(g, loss, &[x]).unwrap()[0];
        let sum = g.plus(slope, dx).unwrap();
        let kernels = c.kernels(&[sum, dx][..if alone { 1 } else { 2 }]);
        let fused = ["layer_norm 4×6", "layer_norm_grad 4×6 + r"];
        assert_eq!(kernels.len(), if alone { 2 } else { 3 }, "{kernels:?}");
        assert_eq!(kernels[..2] == fused, alone, "{kernels:?}");
    }
}
