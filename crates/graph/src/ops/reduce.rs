//! Sum, mean, largest and smallest over any dimensions.

use std::fmt;

use downhill_tensor::{Shape, TensorTy};
use smallvec::{SmallVec, smallvec};

use super::case::{normal, values};
use super::check::{axis, floats};
use super::{Expand, OpCase, OpDef, Reshape, Vjp};
use crate::kernel::{Kernel, Launch, Lowered, MapSpec, Operand, ReduceKind, ReduceSpec};
use crate::tensors::{Env, Tensor};
use crate::{BinaryOp, Expr, Graph, Node, OpError, Outputs, Value};

/// Reduces `axes`; without axes it is the identity.
#[derive(Clone, Debug, PartialEq)]
pub struct Reduce {
    /// How elements are combined.
    pub kind: ReduceKind,
    /// Dimensions that go, ascending.
    pub axes: SmallVec<[usize; 4]>,
    /// Whether they stay with size 1.
    pub keep_dims: bool,
}

impl Reduce {
    fn shape(&self, x: &Shape, keep_dims: bool) -> Shape {
        let kept = x.iter().enumerate().filter(|(d, _)| keep_dims || !self.axes.contains(d));
        kept.map(|(d, &n)| if self.axes.contains(&d) { 1 } else { n }).collect()
    }

    /// Number of elements behind each result.
    fn count(&self, x: &Shape) -> usize {
        self.axes.iter().map(|&d| x[d]).product()
    }
}

/// Runs of neighbouring axes, last first. Dimensions of size 1 in between do not part a run.
fn runs(axes: &[usize], shape: &Shape) -> Vec<SmallVec<[usize; 4]>> {
    let mut runs: Vec<SmallVec<[usize; 4]>> = Vec::new();
    for &axis in axes.iter().rev() {
        match runs.last_mut() {
            Some(run) if shape[axis + 1..run[0]].iter().all(|&n| n == 1) => run.insert(0, axis),
            _ => runs.push(smallvec![axis]),
        }
    }
    runs
}

impl OpDef for Reduce {
    const NAME: &'static str = "reduce";

    fn infer(&self, inputs: &[&TensorTy], _: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
        let [x] = floats(name(self.kind), inputs)?;
        for &d in &self.axes {
            axis(name(self.kind), x, d)?;
        }
        if self.axes.windows(2).any(|w| w[0] >= w[1]) {
            return Err(OpError::new(name(self.kind), format!("axes ascend, not {:?}", self.axes.as_slice())));
        }
        if self.count(x) == 0 {
            return Err(OpError::new(name(self.kind), format!("there is nothing to reduce in {x}")));
        }
        Ok(smallvec![TensorTy::f32(self.shape(x, self.keep_dims))])
    }

    fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
        let Some(g) = cx.grad() else { return smallvec![None] };
        let (x, shape) = (cx.input(0), cx.input_shape(0));
        let kept = self.shape(&shape, true);
        let spread = |cx: &mut Vjp<'_>, v: Value| {
            let v = if self.keep_dims { v } else { cx.apply(Reshape { shape: kept.clone() }, &[v]) };
            cx.apply(Expand { shape: shape.clone() }, &[v])
        };
        let grad = match self.kind {
            ReduceKind::Sum => spread(cx, g),
            ReduceKind::Mean => {
                let share = cx.scale(1.0 / self.count(&cx.input_shape(0)) as f32, g);
                spread(cx, share)
            }
            // Shared evenly among ties, as PyTorch's amax and amin do.
            ReduceKind::Max | ReduceKind::Min => {
                let y = spread(cx, cx.output(0));
                let hit = cx.binary(BinaryOp::Eq, x, y);
                let ties = cx.apply(Reduce { kind: ReduceKind::Sum, ..self.clone() }, &[hit]);
                let share = cx.div(g, ties);
                let share = spread(cx, share);
                cx.masked(hit, share)
            }
        };
        smallvec![Some(grad)]
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorTy], _: &mut Env) -> Vec<Tensor> {
        let x = inputs[0];
        let into = self.shape(&x.ty.shape, true);
        let strides = into.broadcast_strides(&x.ty.shape).expect("a reduced shape broadcasts back");
        let places: Vec<f64> = (0..into.numel()).map(|i| i as f64).collect();
        let places = crate::tensors::read_strided(&places, 0, &x.ty.shape, &strides);
        let mut groups: Vec<Vec<f64>> = vec![Vec::new(); into.numel()];
        for (&v, place) in x.data.iter().zip(places) {
            groups[place as usize].push(v);
        }
        let combine = |group: &Vec<f64>| match self.kind {
            ReduceKind::Sum => group.iter().sum(),
            ReduceKind::Mean => group.iter().sum::<f64>() / group.len() as f64,
            ReduceKind::Max => group.iter().copied().reduce(|a, b| BinaryOp::Max.eval(a, b)).unwrap_or(f64::NEG_INFINITY),
            ReduceKind::Min => group.iter().copied().reduce(|a, b| BinaryOp::Min.eval(a, b)).unwrap_or(f64::INFINITY),
        };
        vec![Tensor::new(&outputs[0], groups.iter().map(combine).collect())]
    }

    fn lower(&self, node: &Node, graph: &Graph) -> Lowered {
        let shape = graph.shape(node.inputs[0]);
        let reduced = self.count(shape) as u32;
        let inner: usize = self.axes.last().map_or(1, |&last| shape[last + 1..].iter().product());
        let outer = (shape.numel() / (reduced as usize * inner).max(1)) as u32;
        let inner = inner as u32;
        let mut expr = Expr::default();
        let x = expr.read(0);
        expr.outputs.push(x);
        let map = MapSpec {
            shape: smallvec![outer, reduced, inner],
            expr,
            read_strides: smallvec![smallvec![reduced * inner, inner, 1]],
        };
        Lowered::Kernels(smallvec![Launch {
            kernel: Kernel::Reduce(ReduceSpec { map, kind: self.kind }),
            reads: smallvec![Operand::Input(0)],
            writes: smallvec![Operand::Output(0)],
        }])
    }

    /// Axes that are no neighbours go one run after the other, the last first.
    fn decompose(&self, graph: &mut Graph, inputs: &[Value]) -> Option<Outputs> {
        let shape = graph.shape(inputs[0]).clone();
        let runs = runs(&self.axes, &shape);
        if runs.len() < 2 {
            return None;
        }
        let reduced =
            runs.into_iter().fold(inputs[0], |x, axes| graph.typed(Reduce { kind: self.kind, axes, keep_dims: true }, &[x]));
        let shape = self.shape(&shape, self.keep_dims);
        Some(smallvec![if self.keep_dims { reduced } else { graph.typed(Reshape { shape }, &[reduced]) }])
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}<", name(self.kind))?;
        for (i, axis) in self.axes.iter().enumerate() {
            write!(f, "{}{axis}", if i > 0 { ", " } else { "" })?;
        }
        f.write_str(if self.keep_dims { "; keep>" } else { ">" })
    }

    fn cases() -> Vec<OpCase> {
        let mut cases = Vec::new();
        for kind in [ReduceKind::Sum, ReduceKind::Mean, ReduceKind::Max, ReduceKind::Min] {
            let shapes: [(&[usize], &[usize], bool); 14] = [
                (&[], &[], false),
                (&[1], &[0], false),
                (&[7], &[0], true),
                (&[3, 5], &[], false),
                (&[3, 5], &[0], false),
                (&[3, 5], &[1], true),
                (&[3, 5], &[0, 1], false),
                (&[2, 3, 4], &[1], false),
                (&[2, 3, 4], &[0, 2], false),
                (&[2, 3, 4], &[0, 2], true),
                (&[2, 1, 4], &[0, 2], false),
                (&[2, 3, 2, 3], &[1, 3], false),
                (&[2, 3, 2, 3], &[0, 2, 3], false),
                (&[2, 3, 2, 1], &[0, 2, 3], true),
            ];
            for (i, (shape, axes, keep_dims)) in shapes.into_iter().enumerate() {
                let op = Reduce { kind, axes: axes.into(), keep_dims };
                let case = format!("{} of {}", super::Op::from(op.clone()), Shape::from(shape));
                cases.push(OpCase::new(case, op, vec![normal(shape, i as u32)]).tolerance(SUM).gradients(&[0]));
            }
            let long = Reduce { kind, axes: smallvec![1], keep_dims: false };
            cases.push(OpCase::new(format!("{} of long rows", name(kind)), long, vec![normal([2, 1003], 8)]).tolerance(SUM));
            let tall = Reduce { kind, axes: smallvec![0], keep_dims: false };
            cases.push(
                OpCase::new(format!("{} of a tall matrix", name(kind)), tall.clone(), vec![normal([513, 3], 9)]).tolerance(SUM),
            );
            let infinite = values([2, 3], &[f64::INFINITY, f64::NEG_INFINITY, 1.0, 2.0, -3.0, 1.0]);
            cases.push(OpCase::new(format!("{} with infinities", name(kind)), tall, vec![infinite]));
        }
        cases
    }
}

/// Sums of up to a thousand numbers in f32, in any order.
const SUM: f64 = 1e-5;

fn name(kind: ReduceKind) -> &'static str {
    match kind {
        ReduceKind::Sum => "sum",
        ReduceKind::Mean => "mean",
        ReduceKind::Max => "amax",
        ReduceKind::Min => "amin",
    }
}
