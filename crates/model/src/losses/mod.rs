//! The registry of losses: one file each, one line in the list below.

mod bce_with_logits;
mod cross_entropy;
mod huber;
mod l1;
mod mse;

use downhill_graph::kernel::LossKind;
use downhill_tensor::UserError;

pub use bce_with_logits::BceWithLogits;
pub use cross_entropy::CrossEntropy;
pub use huber::Huber;
pub use l1::L1;
pub use mse::Mse;

use crate::registry::registry;
use crate::{Signature, Task};

/// What every loss can do.
pub(crate) trait LossDef {
    /// What the engine computes.
    fn kind(&self) -> LossKind;

    /// The `torch.nn` module of the exported program.
    fn torch(&self) -> String;

    /// What the ranges of the single fields cannot say.
    fn validate(&self) -> Result<(), UserError> {
        Ok(())
    }

    /// How labels become targets.
    ///
    /// # Errors
    /// When the loss does not go with the task.
    fn targets(&self, signature: &Signature) -> Result<Targets, UserError>;
}

/// How the labels of a data set become the `*.y` feeds of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Targets {
    /// Class numbers, u32 `[rows]`.
    Classes,
    /// One column of f32 from two classes: the first class is `first`, the second 1.
    Binary {
        /// 0, or −1 for losses of a difference.
        first: i8,
    },
    /// Real targets, f32 `[rows, targets]`.
    Values,
}

registry! {
    /// What training makes small.
    "loss" at "/properties/loss/anyOf/1/properties"
    Loss: LossDef {
        "cross_entropy" => cross_entropy::CrossEntropy,
        "bce_with_logits" => bce_with_logits::BceWithLogits,
        "mse" => mse::Mse,
        "l1" => l1::L1,
        "huber" => huber::Huber,
    }
}

impl Default for Loss {
    fn default() -> Self {
        Loss::CrossEntropy(CrossEntropy::default())
    }
}

impl Loss {
    /// What the engine computes.
    pub fn kind(&self) -> LossKind {
        self.def().kind()
    }

    /// How labels become targets.
    ///
    /// # Errors
    /// When the loss does not go with the task; the path is `loss.<name>`.
    pub fn targets(&self, signature: &Signature) -> Result<Targets, UserError> {
        self.def().targets(signature).map_err(|e| e.under(self.name()).under("loss"))
    }

    /// Number of columns the network must give.
    ///
    /// # Errors
    /// As [`Loss::targets`].
    pub fn columns(&self, signature: &Signature) -> Result<usize, UserError> {
        Ok(match self.targets(signature)? {
            Targets::Binary { .. } => 1,
            Targets::Classes | Targets::Values => signature.outputs,
        })
    }
}

/// Targets of a loss that measures a difference: the values, or −1 and 1 for two classes.
fn differences(name: &str, signature: &Signature) -> Result<Targets, UserError> {
    match (signature.task, signature.outputs) {
        (Task::Regression, _) => Ok(Targets::Values),
        (Task::Classification, 2) => Ok(Targets::Binary { first: -1 }),
        (Task::Classification, n) => {
            let message = format!("`{name}` compares numbers and tells two classes apart, but the data has {n}.");
            Err(UserError::new(message).hint("Use `cross_entropy`."))
        }
    }
}
