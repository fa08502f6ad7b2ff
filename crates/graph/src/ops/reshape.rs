//! The same elements in another shape.

use std::fmt;

use downhill_tensor::{Shape, TensorTy};
use smallvec::{SmallVec, smallvec};

use super::case::normal;
use super::check::types;
use super::{OpCase, OpDef, Vjp};
use crate::kernel::{Lowered, ViewSpec};
use crate::tensors::{Env, Tensor};
use crate::{Graph, Node, OpError, Value};

/// The elements in row-major order as `shape`.
#[derive(Clone, Debug, PartialEq)]
pub struct Reshape {
    /// The new shape.
    pub shape: Shape,
}

impl OpDef for Reshape {
    const NAME: &'static str = "reshape";

    fn infer(&self, inputs: &[&TensorTy], _: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
        let [x] = types(Self::NAME, inputs)?;
        if x.shape.numel() != self.shape.numel() {
            return Err(OpError::new(Self::NAME, format!("{} has not as many elements as {}", x.shape, self.shape)));
        }
        Ok(smallvec![TensorTy { shape: self.shape.clone(), dtype: x.dtype }])
    }

    fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
        let shape = cx.input_shape(0);
        let grad = cx.grad();
        smallvec![grad.map(|g| cx.apply(Reshape { shape }, &[g]))]
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorTy], _: &mut Env) -> Vec<Tensor> {
        vec![Tensor::new(&outputs[0], inputs[0].data.clone())]
    }

    fn lower(&self, _: &Node, _: &Graph) -> Lowered {
        Lowered::View(ViewSpec { offset: 0, strides: self.shape.strides() })
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAME) // the new shape stands in the type
    }

    fn cases() -> Vec<OpCase> {
        let case = |from: &[usize], to: &[usize]| {
            let shape = Shape::from(to);
            let name = format!("reshape {} to {shape}", Shape::from(from));
            OpCase::new(name, Reshape { shape }, vec![normal(from, 1)]).gradients(&[0]).tolerance(0.0)
        };
        vec![
            case(&[], &[1, 1]),
            case(&[1], &[]),
            case(&[6], &[2, 3]),
            case(&[2, 3, 4], &[4, 6]),
            case(&[2, 3, 4], &[24]),
            case(&[5, 7], &[7, 5]),
        ]
    }
}
