//! AdamW: Adam with a weight decay apart from the gradient.

use downhill_graph::kernel::UpdateRule;
use downhill_graph::{Expr, ScalarId, StepScalars};

use super::adam::{adam_fields, rule, step_scalars};
use super::{OptimizerDef, WEIGHT, gradient, scaled};
use crate::Training;
use crate::scalars::{L2, set};

adam_fields! {
    /// Adam with a weight decay that does not pass through the gradient.
    #[schemars(title = "AdamW")]
    AdamW {
        /// Share of every weight that a step takes away, times the learning rate.
        0.01
    }
}

impl OptimizerDef for AdamW {
    fn lr(&self) -> f64 {
        self.lr
    }

    fn coupled_decay(&self) -> bool {
        false
    }

    /// Loshchilov and Hutter (2019): `w ← (1 − lr · decay) · w`, then Adam's step. [`ScalarId::DECAY`] holds `1 − lr · decay`.
    fn rule(&self, training: &Training) -> UpdateRule {
        let mut e = Expr::default();
        let w = e.read(WEIGHT);
        let g = gradient(&mut e, training, (training.l2 > 0.0).then_some(L2));
        let shrunk = scaled(&mut e, ScalarId::DECAY, w);
        rule("adamw", e, shrunk, g)
    }

    fn scalars(&self, age: u64, lr: f64, training: &Training, out: &mut [f32; StepScalars::COUNT]) {
        step_scalars(self.betas, self.eps, lr, age, out);
        set(out, ScalarId::DECAY, 1.0 - lr * self.weight_decay);
        set(out, L2, training.l2);
    }

    fn torch(&self, _: f64) -> String {
        self.torch_call(self.weight_decay)
    }
}
