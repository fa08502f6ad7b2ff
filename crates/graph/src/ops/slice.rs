//! A range of one dimension.

use std::fmt;

use downhill_tensor::{Shape, TensorTy};
use smallvec::{SmallVec, smallvec};

use super::case::normal;
use super::check::{axis, types, with_size};
use super::{OpCase, OpDef, Pad, Reshape, Vjp};
use crate::kernel::{Lowered, ViewSpec};
use crate::tensors::{Env, Tensor, read_strided};
use crate::{Graph, Node, OpError, Value};

/// Elements `start, start + step, …` before `end` of one dimension.
#[derive(Clone, Debug, PartialEq)]
pub struct Slice {
    /// The dimension.
    pub axis: usize,
    /// First element.
    pub start: usize,
    /// First element that is not taken.
    pub end: usize,
    /// Distance between elements, at least 1.
    pub step: usize,
}

impl Slice {
    fn view(&self, shape: &Shape) -> ViewSpec {
        let mut strides = shape.strides();
        let offset = self.start * strides[self.axis];
        strides[self.axis] *= self.step;
        ViewSpec { offset, strides }
    }
}

impl OpDef for Slice {
    const NAME: &'static str = "slice";

    fn infer(&self, inputs: &[&TensorTy], _: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
        let [x] = types(Self::NAME, inputs)?;
        let size = axis(Self::NAME, &x.shape, self.axis)?;
        if self.start >= self.end || self.end > size || self.step == 0 {
            let message =
                format!("{}..{} by {} is not within dimension {} of {}", self.start, self.end, self.step, self.axis, x.shape);
            return Err(OpError::new(Self::NAME, message));
        }
        let shape = with_size(&x.shape, self.axis, (self.end - self.start).div_ceil(self.step));
        Ok(smallvec![TensorTy { shape, dtype: x.dtype }])
    }

    /// The gradient with zeros around it, and for a step above 1 with zeros between: `[…, n, 1] → […, n, step] → […, n·step]`.
    fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
        let Some(mut g) = cx.grad() else { return smallvec![None] };
        let axis = self.axis;
        let size = cx.input_shape(0)[axis];
        let mut shape = cx.graph.shape(g).clone();
        if self.step > 1 {
            let apart: Shape =
                shape.iter().take(axis + 1).copied().chain([1]).chain(shape.iter().skip(axis + 1).copied()).collect();
            g = cx.apply(Reshape { shape: apart }, &[g]);
            g = cx.apply(Pad { axis: axis + 1, before: 0, after: self.step - 1, value: 0.0 }, &[g]);
            shape = with_size(&shape, axis, shape[axis] * self.step);
            g = cx.apply(Reshape { shape: shape.clone() }, &[g]);
            let room = size - self.start;
            if shape[axis] > room {
                g = cx.apply(Slice { axis, start: 0, end: room, step: 1 }, &[g]);
                shape = with_size(&shape, axis, room);
            }
        }
        let (before, after) = (self.start, size - self.start - shape[axis]);
        if before + after > 0 {
            g = cx.apply(Pad { axis, before, after, value: 0.0 }, &[g]);
        }
        smallvec![Some(g)]
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorTy], _: &mut Env) -> Vec<Tensor> {
        let view = self.view(&inputs[0].ty.shape);
        vec![Tensor::new(&outputs[0], read_strided(&inputs[0].data, view.offset, &outputs[0].shape, &view.strides))]
    }

    fn lower(&self, node: &Node, graph: &Graph) -> Lowered {
        Lowered::View(self.view(graph.shape(node.inputs[0])))
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slice<{}, {}..{}", self.axis, self.start, self.end)?;
        if self.step == 1 { f.write_str(">") } else { write!(f, " by {}>", self.step) }
    }

    fn cases() -> Vec<OpCase> {
        let case = |shape: &[usize], axis, start, end, step| {
            let name = format!("slice {} axis {axis} {start}..{end} by {step}", Shape::from(shape));
            OpCase::new(name, Slice { axis, start, end, step }, vec![normal(shape, 1)]).gradients(&[0]).tolerance(0.0)
        };
        vec![
            case(&[1], 0, 0, 1, 1),
            case(&[7], 0, 2, 5, 1),
            case(&[7], 0, 0, 7, 2),
            case(&[8], 0, 1, 8, 3),
            case(&[9], 0, 0, 4, 2),
            case(&[3, 5], 0, 1, 2, 1),
            case(&[3, 5], 1, 1, 5, 1),
            case(&[3, 5], 1, 0, 5, 4),
            case(&[2, 6, 3], 1, 1, 6, 2),
        ]
    }
}
