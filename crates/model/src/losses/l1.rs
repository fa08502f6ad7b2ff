//! The loss `l1`.

use downhill_data::Labels;
use downhill_graph::kernel::LossKind;
use downhill_tensor::UserError;

use super::{Asked, LossDef, Targets, baseline, differences};
use crate::Signature;
use crate::registry::fields;

fields! {
    /// Mean of the absolute differences: outliers pull no harder than others. Two classes are −1 and 1.
    #[schemars(title = "Mean absolute error")]
    L1 {}
}

impl LossDef for L1 {
    fn kind(&self) -> Option<LossKind> {
        Some(LossKind::L1)
    }

    fn torch(&self) -> String {
        "nn.L1Loss()".to_string()
    }

    fn targets(&self, signature: &Signature) -> Result<Targets, UserError> {
        differences("l1", signature)
    }

    fn of_difference(&self, d: f64) -> f64 {
        d.abs()
    }

    fn baseline(&self, learned: Labels<'_>, shown: Labels<'_>, asked: Asked) -> f64 {
        baseline::differences(learned, shown, asked.outputs, |d| self.of_difference(d))
    }
}
