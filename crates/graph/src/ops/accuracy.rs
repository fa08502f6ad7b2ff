//! Share of predictions that are right.

use downhill_tensor::{Shape, TensorTy};
use smallvec::{SmallVec, smallvec};

use super::case::{normal, values};
use super::rows::{launch_rows, rows};
use super::target::{check_target, check_weights, leading};
use super::{OpCase, OpDef, Vjp};
use crate::kernel::{AccuracySpec, Kernel, Lowered};
use crate::tensors::{Env, Tensor};
use crate::{Graph, Node, OpError, Value};

/// Inputs: logits `[rows…, cols]`, target and, optionally, weights `[rows…]`; output `[]`. One column: logit > 0 against target > 0.5 (f32, like the
/// logits). More: the first largest logit against a label u32 `[rows…]`; a row whose label is no class weighs nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Accuracy;

impl OpDef for Accuracy {
    const NAME: &'static str = "accuracy";

    fn infer(&self, inputs: &[&TensorTy], _: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
        check_weights(Self::NAME, inputs)?;
        let logits = inputs[0];
        let binary = logits.shape.last() == Some(&1);
        let expected = if binary { logits.clone() } else { TensorTy::u32(leading(&logits.shape)) };
        check_target(Self::NAME, inputs[1], &expected)?;
        Ok(smallvec![TensorTy::f32(Shape::scalar())])
    }

    fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
        smallvec![None; cx.graph.node(cx.node).inputs.len()] // constant almost everywhere
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorTy], _: &mut Env) -> Vec<Tensor> {
        let (rows, cols) = rows(&inputs[0].ty.shape).expect("checked by the shape rule");
        let (mut right, mut total) = (0.0, 0.0);
        for r in 0..rows {
            let (logits, target) = (&inputs[0].data[r * cols..(r + 1) * cols], inputs[1].data[r]);
            let hit = if cols == 1 {
                (logits[0] > 0.0) == (target > 0.5)
            } else {
                let best = (1..cols).fold(0, |best, c| if logits[c] > logits[best] { c } else { best });
                best == target as usize
            };
            let is_class = cols == 1 || target < cols as f64;
            let weight = if is_class { inputs.get(2).map_or(1.0, |w| w.data[r]) } else { 0.0 };
            total += weight;
            right += if hit { weight } else { 0.0 };
        }
        vec![Tensor::new(&outputs[0], vec![if total == 0.0 { 0.0 } else { right / total }])]
    }

    fn lower(&self, node: &Node, graph: &Graph) -> Lowered {
        let weighted = node.inputs.len() > 2;
        launch_rows(node, graph, |rows, cols| Kernel::Accuracy(AccuracySpec { weighted, rows, cols }))
    }

    fn cases() -> Vec<OpCase> {
        let case = |name: &str, inputs| OpCase::new(format!("accuracy {name}"), Accuracy, inputs);
        let labels = Tensor::u32([5], &[0, 1, 2, 1, 0]);
        let binary = vec![values([4, 1], &[-1.0, 0.0, 0.5, 3.0]), values([4, 1], &[0.0, 0.0, 1.0, 0.0])];
        vec![
            case("of three classes", vec![normal([5, 3], 1), labels.clone()]),
            case("of ties", vec![values([2, 3], &[1.0, 1.0, 1.0, 0.0, 2.0, 2.0]), Tensor::u32([2], &[0, 2])]),
            case("of one row", vec![normal([1, 2], 2), Tensor::u32([1], &[1])]),
            case("of logits", binary.clone()),
            case("of logits with weights", [binary, vec![values([4], &[1.0, 2.0, 0.0, 1.0])]].concat()),
            case("with weights", vec![normal([5, 3], 3), labels.clone(), values([5], &[1.0, 0.0, 2.0, 0.0, 1.0])]),
            case("with all weights zero", vec![normal([5, 3], 4), labels, values([5], &[0.0; 5])]),
            case("with a label that is no class", vec![normal([2, 3], 5), Tensor::u32([2], &[1, u32::MAX])]),
            case("of a sequence", vec![normal([2, 3, 4], 6), Tensor::u32([2, 3], &[0, 1, 2, 3, 0, 1])]),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_to_the_first_class() {
        let case = &Accuracy::cases()[1];
        let (graph, mut env) = case.graph();
        assert_eq!(crate::interp::run(&graph, &mut env).output(&graph, "0").unwrap().data, [0.5]);
    }
}
