//! Small checks that shape rules share.

use downhill_tensor::{Dtype, Shape, TensorTy};

use crate::OpError;

/// The types of exactly `N` inputs.
pub(super) fn types<'a, const N: usize>(op: &'static str, inputs: &[&'a TensorTy]) -> Result<[&'a TensorTy; N], OpError> {
    inputs.try_into().map_err(|_| OpError::new(op, format!("takes {N} input(s), gets {}", inputs.len())))
}

/// The shapes of exactly `N` float inputs.
pub(super) fn floats<'a, const N: usize>(op: &'static str, inputs: &[&'a TensorTy]) -> Result<[&'a Shape; N], OpError> {
    let types = types::<N>(op, inputs)?;
    for ty in types {
        float(op, ty)?;
    }
    Ok(types.map(|ty| &ty.shape))
}

/// The shape of a float.
pub(super) fn float<'a>(op: &'static str, ty: &'a TensorTy) -> Result<&'a Shape, OpError> {
    match ty.dtype {
        Dtype::F32 => Ok(&ty.shape),
        Dtype::U32 => Err(OpError::new(op, format!("computes with floats, gets {ty}"))),
    }
}

/// The shape of an integer.
pub(super) fn integer<'a>(op: &'static str, ty: &'a TensorTy) -> Result<&'a Shape, OpError> {
    match ty.dtype {
        Dtype::U32 => Ok(&ty.shape),
        Dtype::F32 => Err(OpError::new(op, format!("wants whole numbers, gets {ty}"))),
    }
}

/// An axis that the shape has.
pub(super) fn axis(op: &'static str, shape: &Shape, axis: usize) -> Result<usize, OpError> {
    shape.get(axis).copied().ok_or_else(|| OpError::new(op, format!("{shape} has no dimension {axis}")))
}

/// `shape` with one size replaced.
pub(super) fn with_size(shape: &Shape, axis: usize, size: usize) -> Shape {
    shape.iter().enumerate().map(|(d, &n)| if d == axis { size } else { n }).collect()
}

/// Elements before, at and behind an axis: the shape as `[outer, size, inner]`.
pub(super) fn around(shape: &Shape, axis: usize) -> (usize, usize, usize) {
    (shape[..axis].iter().product(), shape[axis], shape[axis + 1..].iter().product())
}
