//! Matrix product over the last two dimensions, like `torch.matmul` for ranks of two and more.

use std::fmt;

use downhill_tensor::{Shape, TensorTy};
use smallvec::{SmallVec, smallvec};

use super::case::normal;
use super::check::floats;
use super::{Expand, Op, OpCase, OpDef, Reshape, Vjp};
use crate::kernel::{Kernel, Launch, Lowered, MatLayout, MatMulSpec, Operand};
use crate::tensors::{Env, Tensor};
use crate::{Graph, Node, OpError, Outputs, Value};

/// a · b over the last two dimensions; the dimensions before broadcast.
#[derive(Clone, Debug, PartialEq)]
pub struct MatMul {
    /// The last two dimensions of a are swapped first.
    pub transpose_a: bool,
    /// The last two dimensions of b are swapped first.
    pub transpose_b: bool,
}

/// Sizes of a product: `[batch…, m, k] · [batch…, k, n]`.
struct Sizes {
    m: usize,
    k: usize,
    n: usize,
    batch: Shape,
}

/// Last two sizes and those before.
fn split(shape: &Shape, transpose: bool) -> Option<(Shape, usize, usize)> {
    let [batch @ .., rows, cols] = &shape[..] else { return None };
    Some((Shape::from(batch), if transpose { *cols } else { *rows }, if transpose { *rows } else { *cols }))
}

impl MatMul {
    /// Neither side transposed.
    pub const NN: MatMul = MatMul { transpose_a: false, transpose_b: false };
    /// a · bᵀ: a linear layer with PyTorch's `[out, in]` weight.
    pub const NT: MatMul = MatMul { transpose_a: false, transpose_b: true };

    fn sizes(&self, a: &Shape, b: &Shape) -> Result<Sizes, OpError> {
        let error = |why: &str| OpError::new("matmul", format!("{a} and {b} {why}"));
        let ((batch_a, m, k), (batch_b, rows, n)) = split(a, self.transpose_a)
            .zip(split(b, self.transpose_b))
            .ok_or_else(|| error("must both have two dimensions or more"))?;
        if k != rows {
            return Err(error(&format!("do not go together: {k} columns meet {rows} rows")));
        }
        let batch = batch_a.broadcast(&batch_b).map_err(|_| error("have batch dimensions that do not broadcast"))?;
        Ok(Sizes { m, k, n, batch })
    }

    /// A batch of rows times one matrix is one product with more rows.
    fn flattens(&self, a: &Shape, b: &Shape) -> bool {
        !self.transpose_a && b[..b.rank() - 2].iter().all(|&n| n == 1) && a.rank() >= b.rank()
    }
}

/// Whether the matrices of `own` are walked with one stride while those of `all` are counted through.
fn one_stride(own: &[usize], all: &[usize]) -> bool {
    let lead = all.len().saturating_sub(own.len());
    own.iter().all(|&n| n == 1) || (all[lead..] == *own && all[..lead].iter().all(|&n| n == 1))
}

fn layout(shape: &Shape, transpose: bool) -> MatLayout {
    let [.., rows, cols] = shape[..] else { unreachable!("the shape rule has checked this") };
    let single = shape.numel() == rows * cols;
    MatLayout {
        batch_stride: if single { 0 } else { (rows * cols) as u32 },
        segment_stride: 0,
        row_stride: if transpose { 1 } else { cols as u32 },
        col_stride: if transpose { cols as u32 } else { 1 },
    }
}

impl OpDef for MatMul {
    const NAME: &'static str = "matmul";

    fn infer(&self, inputs: &[&TensorTy], _: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
        let [a, b] = floats(Self::NAME, inputs)?;
        let Sizes { m, n, batch, .. } = self.sizes(a, b)?;
        Ok(smallvec![TensorTy::f32(batch.iter().copied().chain([m, n]).collect::<Shape>())])
    }

    fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
        let Some(g) = cx.grad() else { return smallvec![None, None] };
        let (a, b) = (cx.input(0), cx.input(1));
        let (ta, tb) = (self.transpose_a, self.transpose_b);
        let product =
            |cx: &mut Vjp<'_>, transpose_a, transpose_b, x, y| Some(cx.apply(MatMul { transpose_a, transpose_b }, &[x, y]));
        let da = match (cx.needs[0], ta) {
            (false, _) => None,
            (true, false) => product(cx, false, !tb, g, b),
            (true, true) => product(cx, tb, true, b, g),
        };
        if !cx.needs[1] {
            return smallvec![da, None];
        }
        let (a, g) = if self.flattens(cx.graph.shape(a), cx.graph.shape(b)) && cx.graph.shape(b).rank() == 2 {
            (flat(cx, a), flat(cx, g)) // one product that sums over the batch instead of many that are summed after
        } else {
            (a, g)
        };
        let db = if tb { product(cx, true, ta, g, a) } else { product(cx, !ta, false, a, g) };
        smallvec![da, db]
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorTy], _: &mut Env) -> Vec<Tensor> {
        let Sizes { m, k, n, batch } = self.sizes(&inputs[0].ty.shape, &inputs[1].ty.shape).expect("checked by the shape rule");
        let matrix = |t: &Tensor| -> Vec<f64> {
            let [.., rows, cols] = t.ty.shape[..] else { unreachable!("checked by the shape rule") };
            t.broadcast(&batch.iter().copied().chain([rows, cols]).collect())
        };
        let (a, b) = (matrix(inputs[0]), matrix(inputs[1]));
        let mut data = Vec::with_capacity(outputs[0].shape.numel());
        for batch in 0..batch.numel() {
            for i in 0..m {
                for j in 0..n {
                    let at = |l| a[batch * m * k + if self.transpose_a { l * m + i } else { i * k + l }];
                    let bt = |l| b[batch * k * n + if self.transpose_b { j * k + l } else { l * n + j }];
                    data.push((0..k).map(|l| at(l) * bt(l)).sum());
                }
            }
        }
        vec![Tensor::new(&outputs[0], data)]
    }

    fn lower(&self, node: &Node, graph: &Graph) -> Lowered {
        let (a, b) = (graph.shape(node.inputs[0]), graph.shape(node.inputs[1]));
        let Sizes { m, k, n, batch } = self.sizes(a, b).expect("checked by the shape rule");
        let batch = batch.numel();
        let (batch, m) = if self.flattens(a, b) { (1, batch * m) } else { (batch, m) };
        let (mut a, b) = (layout(a, self.transpose_a), layout(b, self.transpose_b));
        if batch == 1 {
            a.batch_stride = 0;
        }
        let spec = MatMulSpec::plain([batch, m, n, k].map(|size| size as u32), a, b);
        Lowered::Kernels(smallvec![Launch {
            kernel: Kernel::MatMul(spec),
            reads: smallvec![Operand::Input(0), Operand::Input(1)],
            writes: smallvec![Operand::Output(0)],
        }])
    }

    /// Batch dimensions that repeat only in part are written out first: a kernel has one stride for all of them.
    fn decompose(&self, graph: &mut Graph, inputs: &[Value]) -> Option<Outputs> {
        let (a, b) = (graph.shape(inputs[0]).clone(), graph.shape(inputs[1]).clone());
        let batch = self.sizes(&a, &b).ok()?.batch;
        if self.flattens(&a, &b) || (one_stride(&a[..a.rank() - 2], &batch) && one_stride(&b[..b.rank() - 2], &batch)) {
            return None;
        }
        let mut full = |value: Value, shape: &Shape| {
            let shape: Shape = batch.iter().chain(&shape[shape.rank() - 2..]).copied().collect();
            let expanded = graph.typed(Expand { shape: shape.clone() }, &[value]);
            graph.typed(Reshape { shape }, &[expanded])
        };
        let (a, b) = (full(inputs[0], &a), full(inputs[1], &b));
        Some(smallvec![graph.typed(self.clone(), &[a, b])])
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let t = |transpose| if transpose { 't' } else { 'n' };
        write!(f, "matmul<{}{}>", t(self.transpose_a), t(self.transpose_b))
    }

    fn cases() -> Vec<OpCase> {
        cases()
    }
}

/// All dimensions but the last as one.
fn flat(cx: &mut Vjp<'_>, v: Value) -> Value {
    let shape = cx.graph.shape(v).clone();
    if shape.rank() == 2 {
        return v;
    }
    let cols = shape[shape.rank() - 1];
    let rows = shape[..shape.rank() - 1].iter().product();
    cx.apply(Reshape { shape: [rows, cols].into() }, &[v])
}

fn cases() -> Vec<OpCase> {
    let mut cases = Vec::new();
    for (transpose_a, transpose_b) in [(false, false), (false, true), (true, false), (true, true)] {
        let op = MatMul { transpose_a, transpose_b };
        for (m, k, n) in [(1, 1, 1), (1, 5, 1), (3, 5, 7), (8, 8, 8), (5, 1, 4), (1, 65, 37), (17, 33, 9), (70, 65, 37)] {
            let a = if transpose_a { [k, m] } else { [m, k] };
            let b = if transpose_b { [n, k] } else { [k, n] };
            let name = format!("{} {m}×{k}×{n}", Op::from(op.clone()));
            // Finite differences over large products take long and say no more than the small ones.
            let gradients: &[usize] = if m * k < 200 { &[0, 1] } else { &[] };
            cases.push(OpCase::new(name, op.clone(), vec![normal(a, 1), normal(b, 2)]).tolerance(SUM).gradients(gradients));
        }
        let batches: [(&[usize], &[usize]); 7] =
            [(&[4], &[4]), (&[4], &[]), (&[], &[4]), (&[2, 3], &[2, 3]), (&[2, 1], &[1, 3]), (&[2, 3], &[3]), (&[1], &[1, 1])];
        for (batch_a, batch_b) in batches {
            let (m, k, n) = (3, 4, 5);
            let a: Shape = batch_a.iter().copied().chain(if transpose_a { [k, m] } else { [m, k] }).collect();
            let b: Shape = batch_b.iter().copied().chain(if transpose_b { [n, k] } else { [k, n] }).collect();
            let name = format!("{} {a} by {b}", Op::from(op.clone()));
            cases.push(OpCase::new(name, op.clone(), vec![normal(a, 3), normal(b, 4)]).tolerance(SUM).gradients(&[0, 1]));
        }
    }
    cases
}

/// Sums of up to 65 products in f32, in any order.
const SUM: f64 = 4e-6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_of_rows_times_one_matrix_is_one_product() {
        let case = OpCase::new("", MatMul::NN, vec![normal([2, 3, 4], 0), normal([4, 5], 1)]);
        let (graph, _) = case.graph();
        let (_, node) = graph.nodes().last().unwrap();
        let Lowered::Kernels(launches) = node.op.lower(node, &graph) else { panic!("matmul is a kernel") };
        let Kernel::MatMul(spec) = &launches[0].kernel else { panic!("of its own family") };
        assert_eq!((spec.batch, spec.m, spec.n, spec.k), (1, 6, 5, 4));
    }

    #[test]
    fn an_error_names_both_shapes() {
        let error = MatMul::NN.infer(&[&TensorTy::f32([2, 3]), &TensorTy::f32([4, 5])], &Graph::new()).unwrap_err();
        assert_eq!(error.to_string(), "matmul: [2, 3] and [4, 5] do not go together: 3 columns meet 4 rows");
    }
}
