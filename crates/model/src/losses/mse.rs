//! The loss `mse`.

use downhill_data::Labels;
use downhill_graph::kernel::LossKind;
use downhill_tensor::UserError;

use super::{Asked, LossDef, Targets, baseline, differences};
use crate::Signature;
use crate::registry::fields;

fields! {
    /// Mean of the squared differences; two classes are −1 and 1.
    #[schemars(title = "Mean squared error")]
    Mse {}
}

impl LossDef for Mse {
    fn kind(&self) -> Option<LossKind> {
        Some(LossKind::Mse)
    }

    fn torch(&self) -> String {
        "nn.MSELoss()".to_string()
    }

    fn targets(&self, signature: &Signature) -> Result<Targets, UserError> {
        differences("mse", signature)
    }

    fn of_difference(&self, d: f64) -> f64 {
        d * d
    }

    fn baseline(&self, learned: Labels<'_>, shown: Labels<'_>, asked: Asked) -> f64 {
        baseline::differences(learned, shown, asked.outputs, |d| self.of_difference(d))
    }
}
