//! Labels of a data set as the targets that the experiment's loss compares with.

use downhill_data::Labels;

use crate::check::Checked;
use crate::losses::Targets;

/// Labels as the `*.y` feeds want them.
#[derive(Clone, Debug, PartialEq)]
pub enum EncodedTargets {
    /// Class numbers, u32 `[rows]`.
    Classes(Vec<u32>),
    /// f32 `[rows, columns]`, row-major.
    Values(Vec<f32>),
}

impl EncodedTargets {
    /// As 32-bit words, for an upload.
    pub fn words(&self) -> Vec<u32> {
        match self {
            EncodedTargets::Classes(classes) => classes.clone(),
            EncodedTargets::Values(values) => values.iter().map(|v| v.to_bits()).collect(),
        }
    }
}

/// Turns labels into what the experiment's loss compares with.
pub fn encode_targets(checked: &Checked, labels: &Labels) -> EncodedTargets {
    match (checked.targets, labels) {
        (Targets::Binary { first }, Labels::Class(classes)) => {
            let value = |&class: &u32| if class == 0 { f32::from(first) } else { 1.0 };
            EncodedTargets::Values(classes.iter().map(value).collect())
        }
        (_, Labels::Class(classes)) => EncodedTargets::Classes(classes.clone()),
        (_, Labels::Real(values)) => EncodedTargets::Values(values.clone()),
    }
}
