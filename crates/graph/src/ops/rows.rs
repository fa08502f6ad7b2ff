//! What ops along the rows of the last dimension share: softmax, its logarithm, losses, accuracy.

use downhill_tensor::{Shape, TensorTy};
use smallvec::{SmallVec, smallvec};

use super::case::{normal, values};
use super::{Reduce, Vjp};
use crate::kernel::{Kernel, Launch, Lowered, Operand, ReduceKind, RowsKind, RowsSpec};
use crate::tensors::Tensor;
use crate::{Graph, Node, OpError, Value};

/// Exponentials, and sums over a row in f32: what a backend may be off.
pub(super) const ROW: f64 = 5e-6;

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

/// One kernel over the rows of the first input that reads all inputs and writes all outputs; `kernel` gets the numbers of rows and columns.
pub(super) fn launch_rows(node: &Node, graph: &Graph, kernel: impl FnOnce(u32, u32) -> Kernel) -> Lowered {
    let (rows, cols) = rows(graph.shape(node.inputs[0])).expect("checked by the shape rule");
    Lowered::Kernels(smallvec![Launch {
        kernel: kernel(rows as u32, cols as u32),
        reads: (0..node.inputs.len()).map(Operand::Input).collect(),
        writes: (0..node.outputs.len()).map(Operand::Output).collect(),
    }])
}

/// The same for a kind of the family of softmax.
pub(super) fn lower_rows(kind: RowsKind, node: &Node, graph: &Graph) -> Lowered {
    launch_rows(node, graph, |rows, cols| Kernel::Rows(RowsSpec { kind, rows, cols }))
}

/// Each row of the inputs in f64.
pub(super) fn eval_rows(kind: RowsKind, inputs: &[&Tensor], out: &TensorTy) -> Vec<Tensor> {
    let (rows, cols) = rows(&out.shape).expect("checked by the shape rule");
    let part = |t: &Tensor, r: usize| t.data[r * cols..(r + 1) * cols].to_vec();
    let each = |r| kind.row(&part(inputs[0], r), &inputs.get(1).map_or(Vec::new(), |dy| part(dy, r)));
    vec![Tensor::new(out, (0..rows).flat_map(each).collect())]
}

/// Sum along the last dimension, which stays with size 1.
pub(super) fn row_sum(cx: &mut Vjp<'_>, x: Value) -> Value {
    let last = cx.graph.shape(x).rank() - 1;
    cx.apply(Reduce { kind: ReduceKind::Sum, axes: smallvec![last], keep_dims: true }, &[x])
}

/// Rows as they come: short, long, tied, far apart, masked.
pub(super) fn row_inputs() -> Vec<(&'static str, Tensor)> {
    let inf = f64::NEG_INFINITY;
    let (mut long, masked) = (normal([3, 301], 6), 301..602);
    long.data[masked].fill(inf);
    vec![
        ("one column", normal([3, 1], 1)),
        ("4×3", normal([4, 3], 2)),
        ("a vector", normal([5], 3)),
        ("2×3×7", normal([2, 3, 7], 4)),
        ("long rows", normal([2, 301], 5)),
        ("ties", values([1, 4], &[1.0, 1.0, 1.0, 1.0])),
        ("large values", values([2, 3], &[1000.0, 999.0, -1000.0, -1000.0, -1001.0, -2000.0])),
        ("masked columns", values([1, 4], &[0.5, inf, -0.5, inf])),
        ("masked rows", values([3, 2], &[inf, inf, 1.0, 2.0, inf, inf])),
        ("a masked long row", long),
    ]
}
