use downhill_graph::kernel::UpdateRule;
use downhill_graph::{BinaryOp, Expr, ScalarId, StepScalars};

use super::adam::{direction, step_scalars};
use super::{OptimizerDef, WEIGHT, descend, gradient};
use crate::Training;
use crate::registry::fields;
use crate::scalars::{L2, set};

fields! {
    /// Adam with a weight decay that does not pass through the gradient.
    #[schemars(title = "AdamW")]
    AdamW {
        /// Length of a step.
        #[schemars(title = "Learning rate", range(min = 0.0, max = 1000.0), extend("x-scale" = "log"))]
        lr: f64 = 0.001,
        /// How slowly the averages of gradients and of squared gradients move.
        #[schemars(title = "Betas", inner(range(min = 0.0, max = 0.999999)))]
        betas: [f64; 2] = [0.9, 0.999],
        /// Added to the denominator.
        #[schemars(title = "Epsilon", range(min = 0.0, max = 1.0), extend("x-scale" = "log"))]
        eps: f64 = 1e-8,
        /// Share of every weight that a step takes away, times the learning rate.
        #[schemars(title = "Weight decay", range(min = 0.0, max = 10.0), extend("x-scale" = "log"))]
        weight_decay: f64 = 0.01,
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
        let (direction, m, v) = direction(&mut e, g);
        let shrink = e.scalar(ScalarId::DECAY);
        let shrunk = e.binary(BinaryOp::Mul, shrink, w);
        let new = descend(&mut e, shrunk, direction);
        e.outputs.extend([new, m, v]);
        UpdateRule { name: "adamw", expr: e, slots: vec!["exp_avg", "exp_avg_sq"] }
    }

    fn scalars(&self, age: u64, lr: f64, training: &Training, out: &mut [f32; StepScalars::COUNT]) {
        step_scalars(self.betas, self.eps, lr, age, out);
        set(out, ScalarId::DECAY, 1.0 - lr * self.weight_decay);
        set(out, L2, training.l2);
    }

    fn torch(&self, _: f64) -> String {
        let [b1, b2] = self.betas;
        let (eps, decay) = (self.eps, self.weight_decay);
        format!("torch.optim.AdamW(model.parameters(), betas=({b1}, {b2}), eps={eps}, weight_decay={decay}")
    }
}
