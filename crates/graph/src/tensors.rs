//! Tensors of the reference evaluation, and what lies outside of a graph while it is evaluated. Evaluating is `interp.rs`.

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
    /// A tensor of this type.
    pub fn new(ty: &TensorTy, data: Vec<f64>) -> Self {
        assert_eq!(ty.shape.numel(), data.len(), "a tensor has as many elements as its shape says");
        Self { ty: ty.clone(), data }
    }

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

    /// Elements of the tensor repeated to the shape it broadcasts to.
    pub(crate) fn broadcast(&self, to: &Shape) -> Vec<f64> {
        let strides = self.ty.shape.broadcast_strides(to).expect("the shape rule has checked this");
        read_strided(&self.data, 0, to, &strides)
    }

    /// Whether elements are integers.
    pub fn is_integer(&self) -> bool {
        self.ty.dtype == Dtype::U32
    }
}

/// What lies outside the graph: parameters, optimizer slots, states, feeds, the step, and what the program recorded.
#[derive(Clone, Debug, Default)]
pub struct Env {
    /// Current parameters, by [`crate::ParamId`].
    pub parameters: Vec<Tensor>,
    /// Optimizer slots: `slots[slot][parameter]`.
    pub slots: Vec<Vec<Tensor>>,
    /// Current states, by [`crate::StateId`].
    pub states: Vec<Tensor>,
    /// Feeds as this step sees them, by [`crate::FeedId`].
    pub feeds: Vec<Tensor>,
    /// The step.
    pub step: StepScalars,
    /// The sticky flag: a loss or gradient was not finite.
    pub non_finite: bool,
    /// What [`crate::kernel::Kernel::Record`] wrote last.
    pub recorded: Vec<f64>,
}

/// The elements of a strided view in row-major order of its shape.
pub(crate) fn read_strided(data: &[f64], offset: usize, shape: &Shape, strides: &[usize]) -> Vec<f64> {
    let mut index = vec![0usize; shape.rank()];
    let mut out = Vec::with_capacity(shape.numel());
    for _ in 0..shape.numel() {
        out.push(data[offset + index.iter().zip(strides).map(|(i, s)| i * s).sum::<usize>()]);
        for d in (0..index.len()).rev() {
            index[d] += 1;
            if index[d] < shape[d] {
                break;
            }
            index[d] = 0;
        }
    }
    out
}
