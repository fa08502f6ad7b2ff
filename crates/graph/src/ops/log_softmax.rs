//! Logarithm of softmax of the last dimension.

use downhill_tensor::{Shape, TensorTy};
use smallvec::{SmallVec, smallvec};

use super::case::{normal, values};
use super::check::floats;
use super::rows::{ROW, eval_rows, like_rows, lower_rows, row_inputs, row_sum};
use super::{OpCase, OpDef, Vjp};
use crate::kernel::{Lowered, RowsKind};
use crate::tensors::{Env, Tensor};
use crate::{Graph, Node, OpError, UnaryOp, Value};

/// x − log Σ eˣ along the last dimension. A row that is masked completely, all −∞, gives −∞, the logarithm of [`super::Softmax`]'s zeros, and zero
/// gradients, where PyTorch gives NaN.
#[derive(Clone, Debug, PartialEq)]
pub struct LogSoftmax;

/// Gradient of [`LogSoftmax`]: from its output y and dy, dy − eʸ·Σ dy.
#[derive(Clone, Debug, PartialEq)]
pub struct LogSoftmaxGrad;

impl OpDef for LogSoftmax {
    const NAME: &'static str = "log_softmax";

    fn infer(&self, inputs: &[&TensorTy], _: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
        like_rows(Self::NAME, &floats::<1>(Self::NAME, inputs)?)
    }

    fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
        let (y, grad) = (cx.output(0), cx.grad());
        smallvec![grad.map(|g| cx.apply(LogSoftmaxGrad, &[y, g]))]
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorTy], _: &mut Env) -> Vec<Tensor> {
        eval_rows(RowsKind::LogSoftmax, inputs, &outputs[0])
    }

    fn lower(&self, node: &Node, graph: &Graph) -> Lowered {
        lower_rows(RowsKind::LogSoftmax, node, graph)
    }

    fn cases() -> Vec<OpCase> {
        let case = |(name, x): (&str, Tensor)| {
            let smooth = x.data.iter().all(|v| v.abs() < 100.0);
            let case = OpCase::new(format!("log_softmax of {name}"), LogSoftmax, vec![x]).tolerance(ROW);
            if smooth { case.gradients(&[0]) } else { case }
        };
        row_inputs().into_iter().map(case).collect()
    }
}

impl OpDef for LogSoftmaxGrad {
    const NAME: &'static str = "log_softmax_grad";

    fn infer(&self, inputs: &[&TensorTy], _: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
        like_rows(Self::NAME, &floats::<2>(Self::NAME, inputs)?)
    }

    /// ∂/∂dy is g − Σ g·eʸ; ∂/∂y is −g·eʸ·Σ dy.
    fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
        let Some(g) = cx.grad() else { return smallvec![None, None] };
        let (y, dy) = (cx.input(0), cx.input(1));
        let p = cx.unary(UnaryOp::Exp, y);
        let weighted = cx.mul(g, p);
        let total = row_sum(cx, weighted);
        let by_dy = cx.sub(g, total);
        let sum = row_sum(cx, dy);
        let product = cx.mul(weighted, sum);
        smallvec![Some(cx.unary(UnaryOp::Neg, product)), Some(by_dy)]
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorTy], _: &mut Env) -> Vec<Tensor> {
        eval_rows(RowsKind::LogSoftmaxGrad, inputs, &outputs[0])
    }

    fn lower(&self, node: &Node, graph: &Graph) -> Lowered {
        lower_rows(RowsKind::LogSoftmaxGrad, node, graph)
    }

    fn cases() -> Vec<OpCase> {
        let case = |shape: &[usize]| {
            let inputs = vec![normal(shape, 8), normal(shape, 9)];
            let name = format!("log_softmax_grad {}", Shape::from(shape));
            OpCase::new(name, LogSoftmaxGrad, inputs).tolerance(ROW).gradients(&[0, 1])
        };
        let (inf, mut long) = (f64::NEG_INFINITY, normal([2, 301], 8));
        long.data[..301].fill(inf);
        let masked = |name: &str, y: Tensor| {
            let dy = normal(y.ty.shape.clone(), 9);
            OpCase::new(format!("log_softmax_grad of {name}"), LogSoftmaxGrad, vec![y, dy]).tolerance(ROW)
        };
        vec![
            case(&[1, 1]),
            case(&[4, 3]),
            case(&[2, 3, 5]),
            case(&[2, 67]),
            masked("masked rows", values([3, 2], &[inf, inf, -0.5, -1.0, inf, inf])),
            masked("a masked long row", long),
        ]
    }
}
