//! Stochastic gradient descent, with momentum, dampening and Nesterov as in `torch.optim.SGD`.

use downhill_graph::kernel::UpdateRule;
use downhill_graph::{Expr, ScalarId, StepScalars};
use downhill_tensor::UserError;

use super::{Momentum, OptimizerDef, gradient, step_along};
use crate::Training;
use crate::registry::fields;
use crate::scalars::{KEEP, TAKE, set};

fields! {
    /// A step straight downhill, with momentum if wanted.
    #[schemars(title = "SGD")]
    Sgd {
        /// Length of a step relative to the slope.
        #[schemars(title = "Learning rate", range(min = 0.0, max = 1000.0), extend("x-scale" = "log"))]
        lr: f64 = 0.001,
        /// How much of the previous step is kept.
        #[schemars(title = "Momentum", range(min = 0.0, max = 1.0))]
        momentum: f64 = 0.0,
        /// How much of the gradient does not enter the momentum.
        #[schemars(title = "Dampening", range(min = 0.0, max = 1.0))]
        dampening: f64 = 0.0,
        /// Look ahead along the momentum.
        #[schemars(title = "Nesterov")]
        nesterov: bool = false,
        /// Pull of every weight towards zero.
        #[schemars(title = "Weight decay", range(min = 0.0, max = 10.0), extend("x-scale" = "log"))]
        weight_decay: f64 = 0.0,
    }
}

impl OptimizerDef for Sgd {
    fn lr(&self) -> f64 {
        self.lr
    }

    fn validate(&self) -> Result<(), UserError> {
        if self.nesterov && (self.momentum == 0.0 || self.dampening != 0.0) {
            return Err(UserError::at("nesterov", "Nesterov needs a momentum above 0 and a dampening of 0.")
                .hint("Set `momentum` to 0.9, or leave `nesterov` out."));
        }
        Ok(())
    }

    /// `buffer ← momentum · buffer + (1 − dampening) · g`, the first time `buffer ← g`; `w ← w − lr · buffer`, with Nesterov
    /// `w ← w − lr · (g + momentum · buffer)`.
    fn rule(&self, training: &Training) -> UpdateRule {
        let mut e = Expr::default();
        let g = gradient(&mut e, training, Some(ScalarId::DECAY));
        let heavy = self.momentum > 0.0;
        let momentum = Momentum { keep: KEEP, take: Some(TAKE), nesterov: self.nesterov };
        step_along(&mut e, g, &[], heavy.then_some(momentum));
        UpdateRule::new("sgd", e, if heavy { vec!["momentum_buffer"] } else { Vec::new() })
    }

    fn scalars(&self, age: u64, lr: f64, training: &Training, out: &mut [f32; StepScalars::COUNT]) {
        set(out, ScalarId::LR, lr);
        set(out, ScalarId::DECAY, self.weight_decay + training.l2);
        set(out, KEEP, self.momentum);
        set(out, TAKE, if age == 0 { 1.0 } else { 1.0 - self.dampening });
    }

    fn torch(&self, l2: f64) -> String {
        let nesterov = if self.nesterov { "True" } else { "False" };
        format!(
            "torch.optim.SGD(model.parameters(), momentum={}, dampening={}, nesterov={nesterov}, weight_decay={}",
            self.momentum,
            self.dampening,
            self.weight_decay + l2
        )
    }
}
