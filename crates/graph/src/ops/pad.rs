//! A border along one dimension.

use std::fmt;

use downhill_tensor::{Shape, TensorTy};
use smallvec::{SmallVec, smallvec};

use super::case::normal;
use super::check::{around, axis, floats, with_size};
use super::{OpCase, OpDef, Slice, Vjp};
use crate::kernel::{CopyIntoSpec, Kernel, Launch, Lowered, MapSpec, Operand};
use crate::tensors::{Env, Tensor};
use crate::{Expr, Graph, Node, OpError, Value};

/// `before` and `after` elements of `value` around one dimension.
#[derive(Clone, Debug, PartialEq)]
pub struct Pad {
    /// The dimension.
    pub axis: usize,
    /// New elements before the first.
    pub before: usize,
    /// New elements behind the last.
    pub after: usize,
    /// What they are.
    pub value: f32,
}

impl OpDef for Pad {
    const NAME: &'static str = "pad";
    const AT_ONCE: bool = false;

    fn infer(&self, inputs: &[&TensorTy], _: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
        let [x] = floats(Self::NAME, inputs)?;
        let size = axis(Self::NAME, x, self.axis)?;
        let size = size.saturating_add(self.before).saturating_add(self.after);
        Ok(smallvec![TensorTy::f32(with_size(x, self.axis, size))])
    }

    fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
        let end = self.before + cx.input_shape(0)[self.axis];
        let grad = cx.grad();
        smallvec![grad.map(|g| cx.apply(Slice { axis: self.axis, start: self.before, end, step: 1 }, &[g]))]
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorTy], _: &mut Env) -> Vec<Tensor> {
        let (outer, size, inner) = around(&inputs[0].ty.shape, self.axis);
        let border = |n: usize| std::iter::repeat_n(f64::from(self.value), n * inner);
        let mut data = Vec::with_capacity(outputs[0].shape.numel());
        for block in 0..outer {
            data.extend(border(self.before));
            data.extend_from_slice(&inputs[0].data[block * size * inner..(block + 1) * size * inner]);
            data.extend(border(self.after));
        }
        vec![Tensor::new(&outputs[0], data)]
    }

    fn lower(&self, node: &Node, graph: &Graph) -> Lowered {
        let (outer, size, inner) = around(graph.shape(node.inputs[0]), self.axis);
        let total = &node.outputs[0].shape;
        let mut expr = Expr::default();
        let value = expr.constant(self.value);
        expr.outputs.push(value);
        let fill = MapSpec { shape: smallvec![total.numel() as u32], expr, read_strides: smallvec![] };
        let copy = Kernel::CopyInto(CopyIntoSpec {
            outer: outer as u32,
            len: (size * inner) as u32,
            stride: (total[self.axis] * inner) as u32,
            start: (self.before * inner) as u32,
        });
        Lowered::Kernels(smallvec![
            Launch { kernel: Kernel::Map(fill), reads: smallvec![], writes: smallvec![Operand::Output(0)] },
            Launch { kernel: copy, reads: smallvec![Operand::Input(0)], writes: smallvec![Operand::Output(0)] },
        ])
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pad<{}, {}, {}; {}>", self.axis, self.before, self.after, self.value)
    }

    fn cases() -> Vec<OpCase> {
        let case = |shape: &[usize], axis, before, after, value| {
            let name = format!("pad {} axis {axis} by {before}, {after} with {value}", Shape::from(shape));
            OpCase::new(name, Pad { axis, before, after, value }, vec![normal(shape, 1)]).gradients(&[0]).tolerance(0.0)
        };
        vec![
            case(&[1], 0, 0, 0, 0.0),
            case(&[3], 0, 2, 1, 0.0),
            case(&[3, 5], 0, 1, 0, 0.0),
            case(&[3, 5], 1, 0, 3, -2.5),
            case(&[2, 3, 4], 1, 1, 1, 0.0),
            case(&[2, 3], 1, 1, 2, f32::NEG_INFINITY).gradients(&[]),
        ]
    }
}
