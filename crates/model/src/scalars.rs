//! Which [`StepScalars`](downhill_graph::StepScalars) value means what: agreed between the optimizers' rules and the numbers
//! computed for them.
//!
//! [`ScalarId::LR`] and [`ScalarId::DECAY`] are what an [`UpdateGroup`](downhill_graph::kernel::UpdateGroup) may replace;
//! what exactly they hold is up to the optimizer (see its file).

use downhill_graph::ScalarId;

/// L1 penalty: added to the gradient as `l1 · sign(w)`.
pub const L1: ScalarId = ScalarId(2);
/// L2 penalty, where it is not part of [`ScalarId::DECAY`]: added to the gradient as `l2 · w`.
pub const L2: ScalarId = ScalarId(3);
/// Largest magnitude of a gradient element.
pub const CLIP_VALUE: ScalarId = ScalarId(4);
/// Largest norm of all gradients together.
pub const CLIP_NORM: ScalarId = ScalarId(5);
/// What the first slot keeps of itself: momentum, β₁.
pub const KEEP: ScalarId = ScalarId(6);
/// What the first slot takes of the gradient: 1 − dampening, 1 − β₁.
pub const TAKE: ScalarId = ScalarId(7);
/// What the slot of squares keeps of itself: α, β₂.
pub const SQUARE_KEEP: ScalarId = ScalarId(8);
/// What the slot of squares takes of the squared gradient.
pub const SQUARE_TAKE: ScalarId = ScalarId(9);
/// Added to a denominator.
pub const EPS: ScalarId = ScalarId(10);
/// Momentum of a rule whose first slot holds something else.
pub const MOMENTUM: ScalarId = ScalarId(11);

/// How much the averages of the weights take of the difference to the weights: 1 at the first update, then 1 − decay.
pub const AVERAGE_TAKE: ScalarId = ScalarId(12);

/// In place of [`ScalarId::DECAY`] for parameters that do not decay.
pub const NO_DECAY: ScalarId = ScalarId(13);

/// What stays of what a step has accumulated before a micro batch: nothing at the first one, all of it at the others.
pub const CARRY: ScalarId = ScalarId(14);
/// What a micro batch counts in the mean of its step.
pub const SHARE: ScalarId = ScalarId(15);
/// 1 at the last micro batch of a step, which updates the weights; otherwise 0.
pub const ENDS: ScalarId = ScalarId(16);

/// 1 where a batch goes on from the one before it, with the states that recurrent layers had there; 0 where these begin anew.
pub const GOES_ON: ScalarId = ScalarId(17);

/// Length of a step of matrices, where they have one of their own.
pub const MATRIX_LR: ScalarId = ScalarId(18);
/// What a matrix keeps of itself in a step, `1 − rate · decay`.
pub const MATRIX_DECAY: ScalarId = ScalarId(19);
/// What the momentum of a matrix takes of the difference to the gradient.
pub const TAKE_MATRIX: ScalarId = ScalarId(20);
/// The smallest norm that a matrix is divided by before it is made orthogonal.
pub const NS_EPS: ScalarId = ScalarId(21);
/// The polynomial that makes it orthogonal.
pub const NS_COEFFICIENTS: [ScalarId; 3] = [ScalarId(22), ScalarId(23), ScalarId(24)];

/// In place of [`ScalarId::LR`] for parameters that keep their values: 0 at every step.
pub const NO_RATE: ScalarId = ScalarId(25);

/// Writes a value computed in f64.
pub(crate) fn set(values: &mut [f32], id: ScalarId, value: f64) {
    if let Some(slot) = values.get_mut(usize::from(id.0)) {
        *slot = value as f32;
    }
}
