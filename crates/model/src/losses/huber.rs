//! The loss `huber`.

use downhill_data::Labels;
use downhill_graph::kernel::LossKind;
use downhill_tensor::UserError;

use super::{Asked, LossDef, Targets, baseline, differences};
use crate::Signature;
use crate::registry::fields;

fields! {
    /// Squared for small differences, absolute for large ones. Two classes are −1 and 1.
    #[schemars(title = "Huber")]
    Huber {
        /// Where small ends.
        #[schemars(title = "Delta", range(min = 0.001, max = 1000.0))]
        delta: f64 = 1.0,
    }
}

impl LossDef for Huber {
    fn kind(&self) -> Option<LossKind> {
        Some(LossKind::Huber(self.delta as f32))
    }

    fn torch(&self) -> String {
        format!("nn.HuberLoss(delta={})", self.delta)
    }

    fn targets(&self, signature: &Signature) -> Result<Targets, UserError> {
        differences("huber", signature)
    }

    fn of_difference(&self, d: f64) -> f64 {
        let delta = self.delta;
        if d.abs() <= delta { 0.5 * d * d } else { delta * (d.abs() - 0.5 * delta) }
    }

    fn baseline(&self, learned: Labels<'_>, shown: Labels<'_>, asked: Asked) -> f64 {
        baseline::differences(learned, shown, asked.outputs, |d| self.of_difference(d))
    }
}
