//! What an entry of the lists of elementwise functions says beside its value and its derivative: what tests need, and what it costs.

/// How smooth a function is: which random programs may contain it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// Defined and differentiable everywhere, and no steeper than the largest argument makes it.
    Smooth,
    /// Continuous, with kinks: where f32 and f64 fall on different sides of one, gradients differ rightly.
    Kinked,
    /// It jumps, so values differ rightly too.
    Jumps,
    /// Not defined everywhere, or it grows so fast that small errors become large ones.
    Partial,
}

/// How exact a backend's function is: over `from..to` its error is at most `error`, relative to the larger one of |f| and `floor`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Accuracy {
    /// Lower end of the range.
    pub from: f32,
    /// Upper end.
    pub to: f32,
    /// Below this magnitude errors are absolute.
    pub floor: f64,
    /// Largest error.
    pub error: f64,
}

/// A row of a list of accuracies.
pub(super) const fn within(from: f32, to: f32, floor: f64, error: f64) -> Accuracy {
    Accuracy { from, to, floor, error }
}

/// A floor below which nothing normal lies.
pub(super) const TINY: f64 = 1e-37;

/// What a backend's one rounding, or one polynomial of a few units in the last place, may cost.
pub(super) const ONE_ROUNDING: f64 = 1e-6;
/// Exponentials and what is built from them: arguments are reduced, polynomials are evaluated in f32.
pub(super) const TRANSCENDENTAL: f64 = 5e-6;

/// Zeros and what is close to them.
pub(super) const ZEROS: &[f64] = &[0.0, -0.0, 1e-30, -1e-30];
/// What is not finite, and large numbers.
pub(super) const EDGES: &[f64] = &[f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 100.0, -100.0];
/// Large finite numbers, for functions whose formula is ∞·0 at infinity where a kernel clamps.
pub(super) const LARGE: &[f64] = &[100.0, -100.0, 40.0, -40.0];
/// The end of the range of a function that is defined above 0, and what lies around it.
pub(super) const BORDER: &[f64] = &[0.0, f64::INFINITY, 1.0];
