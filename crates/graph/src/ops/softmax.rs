//! Softmax of the last dimension.

use downhill_tensor::{Shape, TensorTy};
use smallvec::{SmallVec, smallvec};

use super::case::{normal, values};
use super::check::floats;
use super::{OpCase, OpDef, Reduce, Vjp};
use crate::interp::{Env, Tensor};
use crate::kernel::{Kernel, Launch, Lowered, Operand, ReduceKind, RowsKind};
use crate::{Graph, Node, OpError, Value};

/// eˣ / Σ eˣ along the last dimension.
#[derive(Clone, Debug, PartialEq)]
pub struct Softmax;

/// Gradient of [`Softmax`]: from its output y and dy, y·(dy − Σ y·dy).
#[derive(Clone, Debug, PartialEq)]
pub struct SoftmaxGrad;

/// The shape as `[rows, cols]`, where there is a last dimension that is not empty.
pub(super) fn rows(shape: &Shape) -> Option<(usize, usize)> {
    let (&cols, rows) = shape.split_last()?;
    (cols > 0).then(|| (rows.iter().product(), cols))
}

/// Type of an op along the rows of equally shaped inputs.
pub(super) fn like_rows(op: &'static str, shapes: &[&Shape]) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
    let first = shapes[0];
    if rows(first).is_none() {
        return Err(OpError::new(op, format!("{first} has no rows")));
    }
    match shapes.iter().find(|s| **s != first) {
        Some(other) => Err(OpError::new(op, format!("{first} and {other} should be equal"))),
        None => Ok(smallvec![TensorTy::f32(first.clone())]),
    }
}

/// One kernel over rows that reads all inputs and writes the only output.
pub(super) fn lower_rows(kind: RowsKind, node: &Node, graph: &Graph) -> Lowered {
    let (rows, cols) = rows(graph.shape(node.inputs[0])).expect("checked by the shape rule");
    Lowered::Kernels(smallvec![Launch {
        kernel: Kernel::Rows { kind, rows: rows as u32, cols: cols as u32 },
        reads: (0..node.inputs.len()).map(Operand::Input).collect(),
        writes: (0..node.outputs.len()).map(Operand::Output).collect(),
    }])
}

/// Each row of the inputs through `f`.
pub(super) fn eval_rows(inputs: &[&Tensor], out: &TensorTy, f: impl Fn(&[&[f64]]) -> Vec<f64>) -> Vec<Tensor> {
    let (rows, cols) = rows(&out.shape).expect("checked by the shape rule");
    let row = |r: usize| inputs.iter().map(|t| &t.data[r * cols..(r + 1) * cols]).collect::<Vec<_>>();
    vec![Tensor::new(out, (0..rows).flat_map(|r| f(&row(r))).collect())]
}

/// log Σ eˣ, from the largest element so that nothing overflows.
pub(super) fn log_sum_exp(x: &[f64]) -> f64 {
    let max = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    max + libm::log(x.iter().map(|v| libm::exp(v - max)).sum())
}

/// Sum along the last dimension, which stays with size 1.
pub(super) fn row_sum(cx: &mut Vjp<'_>, x: Value) -> Value {
    let last = cx.graph.shape(x).rank() - 1;
    cx.apply(Reduce { kind: ReduceKind::Sum, axes: smallvec![last], keep_dims: true }, &[x])
}

/// Rows as they come: short, long, tied, far apart, masked.
pub(super) fn row_inputs() -> Vec<(&'static str, Tensor)> {
    let inf = f64::NEG_INFINITY;
    vec![
        ("one column", normal([3, 1], 1)),
        ("4×3", normal([4, 3], 2)),
        ("a vector", normal([5], 3)),
        ("2×3×7", normal([2, 3, 7], 4)),
        ("long rows", normal([2, 301], 5)),
        ("ties", values([1, 4], &[1.0, 1.0, 1.0, 1.0])),
        ("large values", values([2, 3], &[1000.0, 999.0, -1000.0, -1000.0, -1001.0, -2000.0])),
        ("masked columns", values([1, 4], &[0.5, inf, -0.5, inf])),
    ]
}

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
        eval_rows(inputs, &outputs[0], |rows| {
            let total = log_sum_exp(rows[0]);
            rows[0].iter().map(|x| libm::exp(x - total)).collect()
        })
    }

    fn lower(&self, node: &Node, graph: &Graph) -> Lowered {
        lower_rows(RowsKind::Softmax, node, graph)
    }

    fn cases() -> Vec<OpCase> {
        let case = |(name, x): (&str, Tensor)| {
            let smooth = x.data.iter().all(|v| v.abs() < 100.0);
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
        eval_rows(inputs, &outputs[0], |rows| {
            let mean: f64 = rows[0].iter().zip(rows[1]).map(|(y, dy)| y * dy).sum();
            rows[0].iter().zip(rows[1]).map(|(y, dy)| y * (dy - mean)).collect()
        })
    }

    fn lower(&self, node: &Node, graph: &Graph) -> Lowered {
        lower_rows(RowsKind::SoftmaxGrad, node, graph)
    }

    fn cases() -> Vec<OpCase> {
        let case = |shape: &[usize]| {
            let inputs = vec![normal(shape, 6), normal(shape, 7)];
            OpCase::new(format!("softmax_grad {}", Shape::from(shape)), SoftmaxGrad, inputs).tolerance(ROW).gradients(&[0, 1])
        };
        vec![case(&[1, 1]), case(&[4, 3]), case(&[2, 3, 5]), case(&[2, 67])]
    }
}

/// Exponentials, and sums over a row in f32.
pub(super) const ROW: f64 = 5e-6;
