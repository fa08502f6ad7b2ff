//! What stands between two layers, and how a person reads it. Which port a layer gives for which is said by the layer.

use downhill_tensor::Dtype;

/// What stands between two layers: the type of one sample, without the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Dimensions.
    pub shape: Vec<usize>,
    /// Numbers, or whole numbers such as tokens.
    pub dtype: Dtype,
    /// Whole numbers are below this.
    pub vocabulary: Option<usize>,
    /// The field with the number of steps that count of the first dimension; what follows them is padding.
    pub lengths: Option<String>,
}

impl Port {
    /// Numbers of this shape.
    pub fn numbers(shape: impl Into<Vec<usize>>) -> Self {
        Self { shape: shape.into(), dtype: Dtype::F32, vocabulary: None, lengths: None }
    }
}

impl std::fmt::Display for Port {
    /// `16×7×7`, or `24 tokens`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&times(&self.shape))?;
        if self.dtype == Dtype::F32 { Ok(()) } else { f.write_str(" tokens") }
    }
}

/// A shape as a person writes it: `16×7×7`.
pub(crate) fn times(shape: &[usize]) -> String {
    if shape.is_empty() {
        return "a single number".to_string();
    }
    shape.iter().map(ToString::to_string).collect::<Vec<_>>().join("×")
}
