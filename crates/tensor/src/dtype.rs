//! Element types, and the type of a tensor: a shape with an element type.

use std::fmt;

use crate::Shape;

/// Element type of a tensor. Booleans are [`Dtype::F32`] with 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dtype {
    /// 32-bit float.
    F32,
    /// 32-bit unsigned integer: token ids, labels, indices. Never differentiated.
    U32,
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Dtype::F32 => "f32",
            Dtype::U32 => "u32",
        })
    }
}

/// Shape and element type of a tensor.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TensorTy {
    /// Sizes, outermost first (row-major).
    pub shape: Shape,
    /// Element type.
    pub dtype: Dtype,
}

impl TensorTy {
    /// A float tensor of this shape.
    pub fn f32(shape: impl Into<Shape>) -> Self {
        Self { shape: shape.into(), dtype: Dtype::F32 }
    }

    /// An integer tensor of this shape.
    pub fn u32(shape: impl Into<Shape>) -> Self {
        Self { shape: shape.into(), dtype: Dtype::U32 }
    }
}

impl fmt::Display for TensorTy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.dtype, self.shape)
    }
}
