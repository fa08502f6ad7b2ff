//! The numbers that change from step to step: inputs of a plan, never part of it.

use std::fmt;

/// One of the numbers in [`StepScalars::values`]; what it stands for is agreed between the model and its update rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScalarId(pub u8);

impl ScalarId {
    /// Learning rate of the first parameter group. An [`crate::kernel::UpdateGroup`] may put another in its place.
    pub const LR: ScalarId = ScalarId(0);
    /// Weight decay of the first parameter group.
    pub const DECAY: ScalarId = ScalarId(1);
}

impl fmt::Display for ScalarId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            ScalarId::LR => f.write_str("lr"),
            ScalarId::DECAY => f.write_str("decay"),
            ScalarId(i) => write!(f, "s{i}"),
        }
    }
}

/// Everything that changes from one step to the next. Never baked into a plan, so that editing a rate recompiles nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct StepScalars {
    /// The step's number, low 32 bits: counter of the random numbers.
    pub step: u32,
    /// Seed of the run.
    pub seed: u32,
    /// Row of every per-step feed that this step reads.
    pub batch: u32,
    /// Row of the metrics ring to write, or [`StepScalars::NO_RECORD`].
    pub record: u32,
    /// Rates, decays, bias corrections, …, computed on the host in f64.
    pub values: [f32; StepScalars::COUNT],
}

impl StepScalars {
    /// How many values a step carries.
    pub const COUNT: usize = 28;
    /// A step that writes no metrics.
    pub const NO_RECORD: u32 = u32::MAX;

    /// The value behind `id`; 0 for an id out of range.
    #[inline]
    pub fn get(&self, id: ScalarId) -> f32 {
        self.values.get(usize::from(id.0)).copied().unwrap_or(0.0)
    }
}

impl Default for StepScalars {
    fn default() -> Self {
        Self { step: 0, seed: 0, batch: 0, record: Self::NO_RECORD, values: [0.0; Self::COUNT] }
    }
}
