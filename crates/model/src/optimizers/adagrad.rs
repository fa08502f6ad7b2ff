//! Adagrad: the gradient divided by the root of the sum of all its squares so far, as in `torch.optim.Adagrad`.

use downhill_graph::kernel::UpdateRule;
use downhill_graph::{BinaryOp, Expr, ScalarId, StepScalars, UnaryOp};

use super::{OptimizerDef, SLOT, gradient, step_along};
use crate::Training;
use crate::registry::fields;
use crate::scalars::{EPS, set};

fields! {
    /// Every weight has its own step length, which only gets shorter, soonest where gradients are large.
    #[schemars(title = "Adagrad")]
    Adagrad {
        /// Length of a step.
        #[schemars(title = "Learning rate", range(min = 0.0, max = 1000.0), extend("x-scale" = "log"))]
        lr: f64 = 0.01,
        /// How fast the learning rate falls besides: `lr / (1 + lr_decay · t)` at step t.
        #[schemars(title = "Rate decay", range(min = 0.0, max = 10.0), extend("x-scale" = "log"))]
        lr_decay: f64 = 0.0,
        /// Added to the denominator.
        #[schemars(title = "Epsilon", range(min = 0.0, max = 1.0), extend("x-scale" = "log"))]
        eps: f64 = 1e-10,
        /// Pull of every weight towards zero.
        #[schemars(title = "Weight decay", range(min = 0.0, max = 10.0), extend("x-scale" = "log"))]
        weight_decay: f64 = 0.0,
    }
}

impl OptimizerDef for Adagrad {
    fn lr(&self) -> f64 {
        self.lr
    }

    /// Duchi et al. (2011): `s ← s + g²`; `w ← w − lr · g / (√s + eps)`.
    fn rule(&self, training: &Training) -> UpdateRule {
        let mut e = Expr::default();
        let g = gradient(&mut e, training, Some(ScalarId::DECAY));
        let old = e.read(SLOT);
        let squared = e.unary(UnaryOp::Square, g);
        let sum = e.binary(BinaryOp::Add, old, squared);
        let root = e.unary(UnaryOp::Sqrt, sum);
        let eps = e.scalar(EPS);
        let denominator = e.binary(BinaryOp::Add, root, eps);
        let direction = e.binary(BinaryOp::Div, g, denominator);
        step_along(&mut e, direction, &[sum], None);
        UpdateRule::new("adagrad", e, vec!["sum"])
    }

    fn scalars(&self, age: u64, lr: f64, training: &Training, out: &mut [f32; StepScalars::COUNT]) {
        set(out, ScalarId::LR, lr / (1.0 + age as f64 * self.lr_decay));
        set(out, ScalarId::DECAY, self.weight_decay + training.l2);
        set(out, EPS, self.eps);
    }

    fn torch(&self, l2: f64) -> String {
        format!(
            "torch.optim.Adagrad(model.parameters(), lr_decay={}, eps={}, weight_decay={}",
            self.lr_decay,
            self.eps,
            self.weight_decay + l2
        )
    }
}
