//! Softmax of the last dimension.

use downhill_tensor::{Shape, TensorTy};
use smallvec::{SmallVec, smallvec};

use super::case::{normal, values};
use super::check::floats;
use super::rows::{ROW, eval_rows, like_rows, lower_rows, row_inputs, row_sum};
use super::{OpCase, OpDef, Vjp};
use crate::kernel::{Lowered, RowsKind};
use crate::tensors::{Env, Tensor};
use crate::{Graph, Node, OpError, Value};

/// eˣ / Σ eˣ along the last dimension. A row that is masked completely, all −∞, gives zeros and zero gradients, where PyTorch gives NaN: an
/// attention that may look at nothing takes nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Softmax;

/// Gradient of [`Softmax`]: from its output y and dy, y·(dy − Σ y·dy).
#[derive(Clone, Debug, PartialEq)]
pub struct SoftmaxGrad;

impl OpDef for Softmax {
    const NAME: &'static str = "softmax";

    fn infer(&self, inputs: &[&TensorTy], _: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
        like_rows(Self::NAME, &floats::<1>(Self::NAME, inputs)?)
    }

    fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
        let (y, grad) = (cx.output(0), cx.grad());
        smallvec![grad.map(|g| cx.apply(SoftmaxGrad, &[y, g]))]
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorTy], _: &mut Env) -> Vec<Tensor> {
        eval_rows(RowsKind::Softmax, inputs, &outputs[0])
    }

    fn lower(&self, node: &Node, graph: &Graph) -> Lowered {
        lower_rows(RowsKind::Softmax, node, graph)
    }

    fn cases() -> Vec<OpCase> {
        let case = |(name, x): (&str, Tensor)| {
            // Finite differences see no slope at −∞, which is right, and overflow at 1000.
            let smooth = x.data.iter().all(|v| v.abs() < 100.0 || *v == f64::NEG_INFINITY);
            let case = OpCase::new(format!("softmax of {name}"), Softmax, vec![x]).tolerance(ROW);
            if smooth { case.gradients(&[0]) } else { case }
        };
        row_inputs().into_iter().map(case).collect()
    }
}

impl OpDef for SoftmaxGrad {
    const NAME: &'static str = "softmax_grad";

    fn infer(&self, inputs: &[&TensorTy], _: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
        like_rows(Self::NAME, &floats::<2>(Self::NAME, inputs)?)
    }

    /// ∂/∂dy is the same map; ∂/∂y is g·(dy − Σ y·dy) − dy·Σ g·y.
    fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
        let Some(g) = cx.grad() else { return smallvec![None, None] };
        let (y, dy) = (cx.input(0), cx.input(1));
        let by_dy = cx.apply(SoftmaxGrad, &[y, g]);
        let weighted = cx.mul(y, dy);
        let mean = row_sum(cx, weighted);
        let centred = cx.sub(dy, mean);
        let direct = cx.mul(g, centred);
        let product = cx.mul(g, y);
        let total = row_sum(cx, product);
        let through = cx.mul(dy, total);
        smallvec![Some(cx.sub(direct, through)), Some(by_dy)]
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorTy], _: &mut Env) -> Vec<Tensor> {
        eval_rows(RowsKind::SoftmaxGrad, inputs, &outputs[0])
    }

    fn lower(&self, node: &Node, graph: &Graph) -> Lowered {
        lower_rows(RowsKind::SoftmaxGrad, node, graph)
    }

    fn cases() -> Vec<OpCase> {
        let case = |shape: &[usize]| {
            let inputs = vec![normal(shape, 6), normal(shape, 7)];
            OpCase::new(format!("softmax_grad {}", Shape::from(shape)), SoftmaxGrad, inputs).tolerance(ROW).gradients(&[0, 1])
        };
        let masked = vec![values([2, 2], &[0.0, 0.0, 0.25, 0.75]), normal([2, 2], 7)];
        let masked = OpCase::new("softmax_grad of a masked row", SoftmaxGrad, masked).tolerance(ROW).gradients(&[0, 1]);
        vec![case(&[1, 1]), case(&[4, 3]), case(&[2, 3, 5]), case(&[2, 67]), masked]
    }
}
