//! The loss `reconstruction`: the target is the input.

use downhill_data::Labels;
use downhill_graph::kernel::LossKind;
use downhill_tensor::{Dtype, UserError};

use super::{Asked, LossDef, Targets, baseline};
use crate::Signature;
use crate::registry::fields;

fields! {
    /// Mean of the squared differences between what the network gives and what it was given: for autoencoders, which learn without answers.
    #[schemars(title = "Reconstruction")]
    Reconstruction {}
}

impl LossDef for Reconstruction {
    fn kind(&self) -> Option<LossKind> {
        Some(LossKind::Mse)
    }

    fn torch(&self) -> String {
        "lambda output, x: nn.functional.mse_loss(output.flatten(1), x.flatten(1))".to_string()
    }

    fn reconstructs(&self) -> bool {
        true
    }

    fn targets(&self, signature: &Signature) -> Result<Targets, UserError> {
        if signature.first().port.dtype == Dtype::F32 {
            return Ok(Targets::Input);
        }
        let message = "`reconstruction` compares numbers, but the input of this data is tokens.";
        Err(UserError::new(message).hint("Use `cross_entropy`, or data whose input is numbers or images."))
    }

    fn baseline(&self, learned: Labels<'_>, shown: Labels<'_>, asked: Asked) -> f64 {
        baseline::differences(learned, shown, asked.outputs, |d| d * d)
    }
}
