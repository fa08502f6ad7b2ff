//! Dimensions in another order.

use std::fmt;

use downhill_tensor::{Shape, TensorTy, sort_short};
use smallvec::{SmallVec, smallvec};

use super::case::normal;
use super::check::types;
use super::{OpCase, OpDef, Vjp};
use crate::kernel::{Lowered, ViewSpec};
use crate::tensors::{Env, Tensor, read_strided};
use crate::{Graph, Node, OpError, Value};

/// Dimension `i` of the result is dimension `axes[i]` of the input.
#[derive(Clone, Debug, PartialEq)]
pub struct Permute {
    /// Each dimension once.
    pub axes: SmallVec<[usize; 4]>,
}

impl Permute {
    fn strides(&self, shape: &Shape) -> SmallVec<[usize; 4]> {
        let strides = shape.strides();
        self.axes.iter().map(|&d| strides[d]).collect()
    }
}

impl OpDef for Permute {
    const NAME: &'static str = "permute";
    const AT_ONCE: bool = false;

    fn infer(&self, inputs: &[&TensorTy], _: &Graph) -> Result<SmallVec<[TensorTy; 1]>, OpError> {
        let [x] = types(Self::NAME, inputs)?;
        let mut sorted = self.axes.clone();
        sort_short(&mut sorted);
        if !sorted.iter().copied().eq(0..x.shape.rank()) {
            let message = format!("{:?} does not name each dimension of {} once", self.axes.as_slice(), x.shape);
            return Err(OpError::new(Self::NAME, message));
        }
        let shape = self.axes.iter().map(|&d| x.shape[d]).collect();
        Ok(smallvec![TensorTy { shape, dtype: x.dtype }])
    }

    fn vjp(&self, cx: &mut Vjp<'_>) -> SmallVec<[Option<Value>; 4]> {
        let mut axes: SmallVec<[usize; 4]> = smallvec![0; self.axes.len()];
        for (i, &d) in self.axes.iter().enumerate() {
            axes[d] = i;
        }
        let grad = cx.grad();
        smallvec![grad.map(|g| cx.apply(Permute { axes }, &[g]))]
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorTy], _: &mut Env) -> Vec<Tensor> {
        let data = read_strided(&inputs[0].data, 0, &outputs[0].shape, &self.strides(&inputs[0].ty.shape));
        vec![Tensor::new(&outputs[0], data)]
    }

    fn lower(&self, node: &Node, graph: &Graph) -> Lowered {
        Lowered::View(ViewSpec { offset: 0, strides: self.strides(graph.shape(node.inputs[0])) })
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("permute<")?;
        for (i, axis) in self.axes.iter().enumerate() {
            write!(f, "{}{axis}", if i > 0 { ", " } else { "" })?;
        }
        f.write_str(">")
    }

    fn cases() -> Vec<OpCase> {
        let case = |shape: &[usize], axes: &[usize]| {
            let name = format!("permute {} by {axes:?}", Shape::from(shape));
            OpCase::new(name, Permute { axes: axes.into() }, vec![normal(shape, 1)]).gradients(&[0]).tolerance(0.0)
        };
        vec![
            case(&[], &[]),
            case(&[4], &[0]),
            case(&[3, 5], &[1, 0]),
            case(&[1, 5], &[1, 0]),
            case(&[2, 3, 4], &[2, 0, 1]),
            case(&[2, 3, 4], &[0, 2, 1]),
            case(&[2, 3, 4, 5], &[3, 1, 0, 2]),
            case(&[33, 65], &[1, 0]),
            case(&[3, 2, 2, 5, 4], &[0, 3, 1, 4, 2]),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transposed_matrix_has_rows_for_columns() {
        let x = Tensor::f32([2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let y = &Permute { axes: smallvec![1, 0] }.eval(&[&x], &[TensorTy::f32([3, 2])], &mut Env::default())[0];
        assert_eq!(y.data, [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    }
}
