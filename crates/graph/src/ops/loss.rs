//! Losses between predictions and targets, each with its gradient in the same pass.

use std::fmt;

use downhill_tensor::{Shape, TensorTy};
use smallvec::{SmallVec, smallvec};

use super::case::{normal, values};
use super::rows::{launch_rows, rows};
use super::target::{check_target, check_weights, leading};
use super::{OpCase, OpDef, Vjp};
use crate::kernel::{Kernel, LossKind, LossSpec, Lowered, weighted_mean};
use crate::tensors::{Env, Tensor};
use crate::{Graph, Node, OpError, UnaryOp, Value};

/// Inputs: prediction `[rows…, cols]`, target (like the prediction, for cross-entropy labels u32 `[rows…]`) and, optionally, weights
/// `[rows…]`. Outputs: the loss, shape `[]`, and its gradient with respect to the prediction. The loss is the weighted mean over the rows; a row
/// whose label is no class weighs nothing, and all weights zero give 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Loss {
    /// Which loss.
    pub kind: LossKind,
}

impl OpDef for Loss {
    const NAME: &'static str = "loss";

    fn infer(&self, inputs: &[&TensorTy], _: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
        check_weights(self.kind.name(), inputs)?;
        let prediction = inputs[0];
        self.kind.check().map_err(|message| OpError::new(self.kind.name(), message))?;
        let labels = self.kind.takes_labels().then(|| TensorTy::u32(leading(&prediction.shape)));
        check_target(self.kind.name(), inputs[1], labels.as_ref().unwrap_or(prediction))?;
        Ok(smallvec![TensorTy::f32(Shape::scalar()), prediction.clone()])
    }

    /// Second derivatives are not offered: the gradient output counts as a constant.
    fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
        let (gradient, upstream) = (cx.output(1), cx.grad());
        let none = cx.graph.node(cx.node).inputs.len() - 1;
        let grad = upstream.map(|g| cx.mul(gradient, g));
        std::iter::once(grad).chain(std::iter::repeat_n(None, none)).collect()
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorTy], _: &mut Env) -> Vec<Tensor> {
        let (rows, cols) = rows(&inputs[0].ty.shape).expect("checked by the shape rule");
        let target_cols = if inputs[1].is_integer() { 1 } else { cols };
        let row = |t: &Tensor, r: usize, cols: usize| t.data[r * cols..(r + 1) * cols].to_vec();
        let result = |r| self.kind.row(&row(inputs[0], r, cols), &row(inputs[1], r, target_cols));
        let results: Vec<Option<(f64, Vec<f64>)>> = (0..rows).map(result).collect();
        let (loss, gradient) = weighted_mean(&results, cols, |r| inputs.get(2).map_or(1.0, |w| w.data[r]));
        vec![Tensor::new(&outputs[0], vec![loss]), Tensor::new(&outputs[1], gradient)]
    }

    fn lower(&self, node: &Node, graph: &Graph) -> Lowered {
        let (kind, weighted) = (self.kind, node.inputs.len() > 2);
        launch_rows(node, graph, |rows, cols| Kernel::Loss(LossSpec { kind, weighted, rows, cols }))
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)
    }

    fn cases() -> Vec<OpCase> {
        let of = |kind: LossKind| if kind.takes_labels() { cross_entropy_cases(kind) } else { elementwise_cases(kind) };
        LossKind::tries().into_iter().flat_map(of).collect()
    }
}

/// Exponentials, logarithms, and sums over rows in f32.
const TOLERANCE: f64 = 1e-5;

fn case(kind: LossKind, what: &str, inputs: Vec<Tensor>) -> OpCase {
    OpCase::new(format!("{:?} {what}", kind), Loss { kind }, inputs).tolerance(TOLERANCE).constants(&[1])
}

fn elementwise_cases(kind: LossKind) -> Vec<OpCase> {
    let target = |shape: &[usize], seed| {
        let t = normal(shape, seed);
        if kind == LossKind::BceWithLogits { t.map(|x| UnaryOp::Sigmoid.eval(x)) } else { t }
    };
    let smooth = |shape: &[usize], seed| vec![normal(shape, seed).map(|x| 2.0 * x), target(shape, seed + 1)];
    let weighted = |shape: &[usize], weights: Tensor| smooth(shape, 20).into_iter().chain([weights]).collect::<Vec<_>>();
    let large = values([2, 2], &[90.0, -90.0, 0.0, 1.0]);
    vec![
        case(kind, "of one number", smooth(&[1, 1], 10)).gradients(&[0]),
        case(kind, "of a column", smooth(&[7, 1], 12)).gradients(&[0]),
        case(kind, "of 5×3", smooth(&[5, 3], 14)).gradients(&[0]),
        case(kind, "of 2×3×4", smooth(&[2, 3, 4], 16)).gradients(&[0]),
        case(kind, "of a vector", smooth(&[6], 18)).gradients(&[0]),
        case(kind, "with weights", weighted(&[3, 2], values([3], &[1.0, 0.0, 2.5]))).gradients(&[0]),
        case(kind, "with all weights zero", weighted(&[2, 2], values([2], &[0.0, 0.0]))).gradients(&[0]),
        case(kind, "of equal and of large values", vec![large, values([2, 2], &[1.0, 1.0, 0.0, 1.0])]),
        case(kind, "of many rows", smooth(&[130, 3], 22)),
    ]
}

fn cross_entropy_cases(kind: LossKind) -> Vec<OpCase> {
    let labels = |n: usize, classes: u32| (0..n as u32).map(|i| (i * 7 + 3) % classes).collect::<Vec<_>>();
    let plain = |rows: usize, classes: usize| {
        vec![normal([rows, classes], 30).map(|x| 3.0 * x), Tensor::u32([rows], &labels(rows, classes as u32))]
    };
    let weighted = |weights: Tensor| plain(3, 4).into_iter().chain([weights]).collect::<Vec<_>>();
    let sequence = vec![normal([2, 3, 5], 31), Tensor::u32([2, 3], &labels(6, 5))];
    let odd = vec![normal([3, 3], 32), Tensor::u32([3], &[1, 3, u32::MAX - 99])];
    let large = vec![values([2, 3], &[800.0, 0.0, -800.0, -5.0, -5.0, -5.0]), Tensor::u32([2], &[1, 2])];
    vec![
        case(kind, "of one class", plain(1, 1)).gradients(&[0]),
        case(kind, "of 5×2", plain(5, 2)).gradients(&[0]),
        case(kind, "of 4×10", plain(4, 10)).gradients(&[0]),
        case(kind, "of a sequence", sequence).gradients(&[0]),
        case(kind, "with weights", weighted(values([3], &[0.5, 0.0, 2.0]))).gradients(&[0]),
        case(kind, "with all weights zero", weighted(values([3], &[0.0; 3]))).gradients(&[0]),
        case(kind, "with labels that are no class", odd).gradients(&[0]),
        case(kind, "of large logits and ties", large),
        case(kind, "of many rows", plain(130, 7)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loss(kind: LossKind, inputs: &[Tensor]) -> f64 {
        let (graph, mut env) = OpCase::new("", Loss { kind }, inputs.to_vec()).graph();
        crate::interp::run(&graph, &mut env).output(&graph, "0").unwrap().data[0]
    }

    #[test]
    fn losses_follow_the_formulas_of_pytorch() {
        let (p, t) = (values([2, 2], &[0.5, -1.0, 2.0, 3.0]), values([2, 2], &[0.0, 1.0, 1.0, 0.0]));
        // The formulas of PyTorch's documentation, worked out with NumPy.
        let expected = [
            (LossKind::Mse, 3.5625),
            (LossKind::L1, 1.625),
            (LossKind::Huber(1.0), 1.15625),
            (LossKind::BceWithLogits, 1.365_713_5),
        ];
        for (kind, expected) in expected {
            assert!((loss(kind, &[p.clone(), t.clone()]) - expected).abs() < 1e-6, "{kind:?}");
        }
        let logits = values([2, 3], &[1.0, 2.0, 3.0, 0.0, 0.0, 0.0]);
        let labels = Tensor::u32([2], &[2, 0]);
        for (label_smoothing, expected) in [(0.0, 0.753_109_1), (0.1, 0.803_109_1)] {
            let kind = LossKind::CrossEntropy { label_smoothing };
            assert!((loss(kind, &[logits.clone(), labels.clone()]) - expected).abs() < 1e-6, "{kind:?}");
        }
    }

    #[test]
    fn a_target_of_the_wrong_type_is_named() {
        let kind = LossKind::CrossEntropy { label_smoothing: 0.0 };
        let error = Loss { kind }.infer(&[&TensorTy::f32([4, 3]), &TensorTy::f32([4, 3])], &Graph::new()).unwrap_err();
        assert_eq!(error.to_string(), "cross_entropy: target f32[4, 3] should be u32[4], a label per row");
    }
}
