//! Repetition along dimensions of size 1.

use std::fmt;

use downhill_tensor::{Shape, TensorTy};
use smallvec::{SmallVec, smallvec};

use super::case::normal;
use super::check::types;
use super::{OpCase, OpDef, Vjp};
use crate::kernel::{Lowered, ViewSpec};
use crate::tensors::{Env, Tensor};
use crate::{Graph, Node, OpError, Value};

/// The input broadcast to `shape`.
#[derive(Clone, Debug, PartialEq)]
pub struct Expand {
    /// The new shape.
    pub shape: Shape,
}

impl OpDef for Expand {
    const NAME: &'static str = "expand";

    fn infer(&self, inputs: &[&TensorTy], _: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
        let [x] = types(Self::NAME, inputs)?;
        x.shape
            .broadcast_strides(&self.shape)
            .map_err(|_| OpError::new(Self::NAME, format!("{} does not broadcast to {}", x.shape, self.shape)))?;
        Ok(smallvec![TensorTy { shape: self.shape.clone(), dtype: x.dtype }])
    }

    fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
        smallvec![cx.grad()] // the caller sums over what was repeated
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorTy], _: &mut Env) -> Vec<Tensor> {
        vec![Tensor::new(&outputs[0], inputs[0].broadcast(&self.shape))]
    }

    fn lower(&self, node: &Node, graph: &Graph) -> Lowered {
        let strides = graph.shape(node.inputs[0]).broadcast_strides(&self.shape).expect("checked by the shape rule");
        Lowered::View(ViewSpec { offset: 0, strides })
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAME) // the new shape stands in the type
    }

    fn cases() -> Vec<OpCase> {
        let case = |from: &[usize], to: &[usize]| {
            let shape = Shape::from(to);
            let name = format!("expand {} to {shape}", Shape::from(from));
            OpCase::new(name, Expand { shape }, vec![normal(from, 1)]).gradients(&[0]).tolerance(0.0)
        };
        vec![
            case(&[], &[2, 3]),
            case(&[1], &[5]),
            case(&[3], &[4, 3]),
            case(&[3, 1], &[3, 4]),
            case(&[2, 1, 3], &[5, 2, 4, 3]),
            case(&[2, 3], &[2, 3]),
        ]
    }
}
