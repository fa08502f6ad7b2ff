//! The reference interpreter: every op in f64, one after the other. The oracle that backends are compared with.

use downhill_tensor::{Dtype, Shape, TensorTy};

use crate::StepScalars;

/// A contiguous row-major tensor of the interpreter. Integers are kept exactly in f64.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Shape and element type.
    pub ty: TensorTy,
    /// `ty.shape.numel()` elements.
    pub data: Vec<f64>,
}

impl Tensor {
    /// A float tensor.
    pub fn f32(shape: impl Into<Shape>, data: Vec<f64>) -> Self {
        let ty = TensorTy::f32(shape);
        assert_eq!(ty.shape.numel(), data.len(), "a tensor has as many elements as its shape says");
        Self { ty, data }
    }

    /// An integer tensor.
    pub fn u32(shape: impl Into<Shape>, data: &[u32]) -> Self {
        let ty = TensorTy::u32(shape);
        assert_eq!(ty.shape.numel(), data.len(), "a tensor has as many elements as its shape says");
        Self { ty, data: data.iter().map(|&v| f64::from(v)).collect() }
    }

    /// Whether elements are integers.
    pub fn is_integer(&self) -> bool {
        self.ty.dtype == Dtype::U32
    }
}

/// What lies outside the graph: parameters, optimizer slots, feeds, the step, and what the program recorded.
#[derive(Clone, Debug, Default)]
pub struct Env {
    /// Current parameters, by [`crate::ParamId`].
    pub parameters: Vec<Tensor>,
    /// Optimizer slots: `slots[slot][parameter]`.
    pub slots: Vec<Vec<Tensor>>,
    /// Feeds as this step sees them, by [`crate::FeedId`].
    pub feeds: Vec<Tensor>,
    /// The step.
    pub step: StepScalars,
    /// The sticky flag: a loss or gradient was not finite.
    pub non_finite: bool,
    /// What [`crate::kernel::Kernel::Record`] wrote last.
    pub recorded: Vec<f64>,
}
