//! A tensor in pieces along one dimension.

use std::fmt;

use downhill_tensor::{Shape, TensorTy};
use smallvec::{SmallVec, smallvec};

use super::case::normal;
use super::check::{around, axis, floats, with_size};
use super::{Concat, Constant, OpCase, OpDef, Slice, Vjp};
use crate::kernel::Lowered;
use crate::tensors::{Env, Tensor};
use crate::{Graph, Node, OpError, Outputs, Value};

/// Pieces at most: outputs of a node are counted in a byte.
const MOST: usize = 256;

/// Pieces of `size` along `axis`, the last one smaller where they do not go in. As one op their gradients are put together once; as ranges each
/// would be a tensor as large as all.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// The dimension.
    pub axis: usize,
    /// Length of a piece, at least 1.
    pub size: usize,
}

impl Split {
    /// The ranges of a dimension of so many elements.
    fn ranges(&self, all: usize) -> impl Iterator<Item = Slice> {
        let Self { axis, size } = *self;
        (0..all).step_by(size).map(move |start| Slice { axis, start, end: (start + size).min(all), step: 1 })
    }
}

impl OpDef for Split {
    const NAME: &'static str = "split";
    const AT_ONCE: bool = false;

    fn infer(&self, inputs: &[&TensorTy], _: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
        let [shape] = floats(Self::NAME, inputs)?;
        let all = axis(Self::NAME, shape, self.axis)?;
        if self.size == 0 || all == 0 || all.div_ceil(self.size) > MOST {
            let message = format!("pieces of {} of dimension {} of {shape} are not 1 to {}", self.size, self.axis, MOST);
            return Err(OpError::new(Self::NAME, message));
        }
        Ok(self.ranges(all).map(|range| TensorTy::f32(with_size(shape, self.axis, range.end - range.start))).collect())
    }

    /// The gradients side by side, zeros for what nothing depends on.
    fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
        let shapes: Vec<_> = cx.graph.node(cx.node).outputs.iter().map(|ty| ty.shape.clone()).collect();
        let grads = cx.grads.clone();
        let parts: Vec<Value> = grads
            .into_iter()
            .zip(shapes)
            .map(|(grad, shape)| grad.unwrap_or_else(|| cx.apply(Constant { value: 0.0, shape }, &[])))
            .collect();
        smallvec![Some(cx.apply(Concat { axis: self.axis }, &parts))]
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorTy], _: &mut Env) -> Vec<Tensor> {
        let (outer, all, inner) = around(&inputs[0].ty.shape, self.axis);
        let piece = |(range, ty): (Slice, &TensorTy)| {
            let rows = (0..outer).flat_map(|block| {
                let from = block * all * inner;
                inputs[0].data[from + range.start * inner..from + range.end * inner].iter().copied()
            });
            Tensor::new(ty, rows.collect())
        };
        self.ranges(all).zip(outputs).map(piece).collect()
    }

    fn decompose(&self, graph: &mut Graph, inputs: &[Value]) -> Option<Outputs> {
        let all = graph.shape(inputs[0])[self.axis];
        Some(self.ranges(all).map(|range| graph.typed(range, inputs)).collect())
    }

    fn lower(&self, _: &Node, _: &Graph) -> Lowered {
        unreachable!("it is decomposed")
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "split<{}, {}>", self.axis, self.size)
    }

    fn cases() -> Vec<OpCase> {
        let case = |shape: &[usize], axis, size| {
            let name = format!("split {} axis {axis} by {size}", Shape::from(shape));
            OpCase::new(name, Split { axis, size }, vec![normal(shape, 1)]).gradients(&[0]).tolerance(0.0)
        };
        vec![case(&[1], 0, 1), case(&[7], 0, 3), case(&[3, 4], 1, 1), case(&[2, 6, 3], 1, 2), case(&[2, 5, 3], 1, 7)]
    }
}
