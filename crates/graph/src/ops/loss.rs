//! Losses between predictions and targets, each with its gradient in the same pass.

use std::fmt;

use downhill_tensor::{Dtype, Shape, TensorTy};
use smallvec::{SmallVec, smallvec};

use super::case::{normal, values};
use super::check::float;
use super::softmax::{log_sum_exp, lower_rows, rows};
use super::{OpCase, OpDef, Vjp};
use crate::interp::{Env, Tensor};
use crate::kernel::{LossKind, Lowered, RowsKind};
use crate::{Graph, Node, OpError, UnaryOp, Value};

/// Inputs: prediction `[rows…, cols]`, target (like the prediction, for cross-entropy labels u32 `[rows…]`) and, optionally, weights
/// `[rows…]`. Outputs: the loss, shape `[]`, and its gradient with respect to the prediction. The loss is the weighted mean over the rows; a row
/// whose label is no class weighs nothing, and all weights zero give 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Loss {
    /// Which loss.
    pub kind: LossKind,
}

/// Number of inputs is right, and where there are weights there is one per row.
pub(super) fn check_weights(op: &'static str, inputs: &[&TensorTy]) -> Result<(), OpError> {
    if !(2..=3).contains(&inputs.len()) {
        return Err(OpError::new(
            op,
            format!("takes a prediction, a target and perhaps weights, gets {} input(s)", inputs.len()),
        ));
    }
    let prediction = float(op, inputs[0])?;
    if rows(prediction).is_none() {
        return Err(OpError::new(op, format!("a prediction {prediction} has no rows")));
    }
    let Some(weights) = inputs.get(2) else { return Ok(()) };
    let (weights, expected) = (float(op, weights)?, leading(prediction));
    if *weights == expected {
        Ok(())
    } else {
        Err(OpError::new(op, format!("weights {weights} should be {expected}, one per row of {prediction}")))
    }
}

/// All sizes but the last.
pub(super) fn leading(shape: &Shape) -> Shape {
    shape[..shape.rank().saturating_sub(1)].into()
}

/// The target has the type that the prediction asks for.
pub(super) fn check_target(op: &'static str, target: &TensorTy, expected: &TensorTy) -> Result<(), OpError> {
    if target == expected {
        return Ok(());
    }
    let what = if expected.dtype == Dtype::U32 { "a label per row" } else { "a number per prediction" };
    Err(OpError::new(op, format!("target {target} should be {expected}, {what}")))
}

/// Loss of one row and its gradient; `None` where the label is no class. `target` is the row's, for labels one number.
fn row_loss(kind: LossKind, p: &[f64], target: &[f64]) -> Option<(f64, Vec<f64>)> {
    let cols = p.len() as f64;
    if let LossKind::CrossEntropy { label_smoothing } = kind {
        let (label, smooth) = (target[0] as usize, f64::from(label_smoothing));
        let (total, own) = (log_sum_exp(p), *p.get(label)?);
        let loss = (1.0 - smooth) * (total - own) + smooth * (total - p.iter().sum::<f64>() / cols);
        let wanted = |c| smooth / cols + if c == label { 1.0 - smooth } else { 0.0 };
        return Some((loss, p.iter().enumerate().map(|(c, x)| libm::exp(x - total) - wanted(c)).collect()));
    }
    let element = |x: f64, t: f64| match kind {
        LossKind::Mse => ((x - t) * (x - t), 2.0 * (x - t)),
        LossKind::L1 => ((x - t).abs(), UnaryOp::Sign.eval(x - t)),
        LossKind::Huber(delta) => {
            let (d, delta) = (x - t, f64::from(delta));
            let loss = if d.abs() <= delta { 0.5 * d * d } else { delta * (d.abs() - 0.5 * delta) };
            (loss, d.clamp(-delta, delta))
        }
        LossKind::BceWithLogits => (x.max(0.0) - x * t + libm::log1p(libm::exp(-x.abs())), UnaryOp::Sigmoid.eval(x) - t),
        LossKind::CrossEntropy { .. } => unreachable!("handled above"),
    };
    let elements: Vec<(f64, f64)> = p.iter().zip(target).map(|(&x, &t)| element(x, t)).collect();
    let loss = elements.iter().map(|(l, _)| l).sum::<f64>() / cols;
    Some((loss, elements.into_iter().map(|(_, d)| d / cols).collect()))
}

impl OpDef for Loss {
    const NAME: &'static str = "loss";

    fn infer(&self, inputs: &[&TensorTy], _: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
        check_weights(self.kind.name(), inputs)?;
        let prediction = inputs[0];
        match self.kind {
            LossKind::CrossEntropy { label_smoothing } => {
                if !(0.0..=1.0).contains(&label_smoothing) {
                    return Err(OpError::new(self.kind.name(), format!("label smoothing is a share, not {label_smoothing}")));
                }
                check_target(self.kind.name(), inputs[1], &TensorTy::u32(leading(&prediction.shape)))?;
            }
            LossKind::Huber(delta) if delta.is_nan() || delta <= 0.0 => {
                return Err(OpError::new(self.kind.name(), format!("delta is positive, not {delta}")));
            }
            _ => check_target(self.kind.name(), inputs[1], prediction)?,
        }
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
        let results: Vec<Option<(f64, Vec<f64>)>> =
            (0..rows).map(|r| row_loss(self.kind, &row(inputs[0], r, cols), &row(inputs[1], r, target_cols))).collect();
        let weight = |r: usize| match &results[r] {
            Some(_) => inputs.get(2).map_or(1.0, |w| w.data[r]),
            None => 0.0,
        };
        let total: f64 = (0..rows).map(weight).sum();
        let share = |r: usize| if total == 0.0 { 0.0 } else { weight(r) / total };
        let (mut loss, mut gradient) = (0.0, Vec::with_capacity(rows * cols));
        for (r, result) in results.iter().enumerate() {
            match result {
                // A row without weight adds nothing, even where its own loss is infinite.
                Some((l, d)) if share(r) != 0.0 => {
                    loss += share(r) * l;
                    gradient.extend(d.iter().map(|d| share(r) * d));
                }
                _ => gradient.extend(std::iter::repeat_n(0.0, cols)),
            }
        }
        vec![Tensor::new(&outputs[0], vec![loss]), Tensor::new(&outputs[1], gradient)]
    }

    fn lower(&self, node: &Node, graph: &Graph) -> Lowered {
        lower_rows(RowsKind::Loss { kind: self.kind, weighted: node.inputs.len() > 2 }, node, graph)
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        match self.kind {
            LossKind::Huber(delta) => write!(f, "<{delta}>"),
            LossKind::CrossEntropy { label_smoothing } if label_smoothing > 0.0 => write!(f, "<{label_smoothing}>"),
            _ => Ok(()),
        }
    }

    fn cases() -> Vec<OpCase> {
        let kinds = [LossKind::Mse, LossKind::L1, LossKind::Huber(1.0), LossKind::Huber(0.3), LossKind::BceWithLogits];
        kinds.into_iter().flat_map(elementwise_cases).chain(cross_entropy_cases()).collect()
    }
}

/// Exponentials, logarithms, and sums over rows in f32.
const TOLERANCE: f64 = 1e-5;

fn case(kind: LossKind, what: &str, inputs: Vec<Tensor>) -> OpCase {
    OpCase::new(format!("{:?} {what}", kind), Loss { kind }, inputs).tolerance(TOLERANCE)
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

fn cross_entropy_cases() -> Vec<OpCase> {
    let mut cases = Vec::new();
    for label_smoothing in [0.0, 0.1, 1.0] {
        let kind = LossKind::CrossEntropy { label_smoothing };
        let labels = |n: usize, classes: u32| (0..n as u32).map(|i| (i * 7 + 3) % classes).collect::<Vec<_>>();
        let plain = |rows: usize, classes: usize| {
            vec![normal([rows, classes], 30).map(|x| 3.0 * x), Tensor::u32([rows], &labels(rows, classes as u32))]
        };
        let weighted = |weights: Tensor| plain(3, 4).into_iter().chain([weights]).collect::<Vec<_>>();
        let sequence = vec![normal([2, 3, 5], 31), Tensor::u32([2, 3], &labels(6, 5))];
        let odd = vec![normal([3, 3], 32), Tensor::u32([3], &[1, 3, u32::MAX - 99])];
        let large = vec![values([2, 3], &[800.0, 0.0, -800.0, -5.0, -5.0, -5.0]), Tensor::u32([2], &[1, 2])];
        cases.extend([
            case(kind, "of one class", plain(1, 1)).gradients(&[0]),
            case(kind, "of 5×2", plain(5, 2)).gradients(&[0]),
            case(kind, "of 4×10", plain(4, 10)).gradients(&[0]),
            case(kind, "of a sequence", sequence).gradients(&[0]),
            case(kind, "with weights", weighted(values([3], &[0.5, 0.0, 2.0]))).gradients(&[0]),
            case(kind, "with all weights zero", weighted(values([3], &[0.0; 3]))).gradients(&[0]),
            case(kind, "with labels that are no class", odd).gradients(&[0]),
            case(kind, "of large logits and ties", large),
            case(kind, "of many rows", plain(130, 7)),
        ]);
    }
    cases
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
