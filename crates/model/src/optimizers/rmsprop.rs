//! RMSprop: the gradient divided by the root of a running average of its squares, as in `torch.optim.RMSprop`.

use downhill_graph::kernel::UpdateRule;
use downhill_graph::{BinaryOp, Expr, ScalarId, StepScalars, UnaryOp};

use super::{Momentum, OptimizerDef, SLOT, average, gradient, step_along};
use crate::Training;
use crate::registry::fields;
use crate::scalars::{EPS, MOMENTUM, SQUARE_KEEP, SQUARE_TAKE, set};

fields! {
    /// Every weight has its own step length, shorter where gradients are large.
    #[schemars(title = "RMSprop")]
    RmsProp {
        /// Length of a step.
        #[schemars(title = "Learning rate", range(min = 0.0, max = 1000.0), extend("x-scale" = "log"))]
        lr: f64 = 0.01,
        /// How slowly the average of squared gradients moves.
        #[schemars(title = "Alpha", range(min = 0.0, max = 1.0))]
        alpha: f64 = 0.99,
        /// Added to the denominator.
        #[schemars(title = "Epsilon", range(min = 0.0, max = 1.0), extend("x-scale" = "log"))]
        eps: f64 = 1e-8,
        /// How much of the previous step is kept.
        #[schemars(title = "Momentum", range(min = 0.0, max = 1.0))]
        momentum: f64 = 0.0,
        /// Pull of every weight towards zero.
        #[schemars(title = "Weight decay", range(min = 0.0, max = 10.0), extend("x-scale" = "log"))]
        weight_decay: f64 = 0.0,
    }
}

impl OptimizerDef for RmsProp {
    fn lr(&self) -> f64 {
        self.lr
    }

    /// `s ← α·s + (1 − α)·g²`; `w ← w − lr · g / (√s + eps)`; with momentum `b ← momentum · b + g / (√s + eps)`, `w ← w − lr
    /// · b`.
    fn rule(&self, training: &Training) -> UpdateRule {
        let mut e = Expr::default();
        let g = gradient(&mut e, training, Some(ScalarId::DECAY));
        let old = e.read(SLOT);
        let squared = e.unary(UnaryOp::Square, g);
        let square = average(&mut e, (SQUARE_KEEP, old), (SQUARE_TAKE, squared));
        let root = e.unary(UnaryOp::Sqrt, square);
        let eps = e.scalar(EPS);
        let denominator = e.binary(BinaryOp::Add, root, eps);
        let direction = e.binary(BinaryOp::Div, g, denominator);
        let heavy = self.momentum > 0.0;
        let momentum = Momentum { keep: MOMENTUM, take: None, nesterov: false };
        step_along(&mut e, direction, &[square], heavy.then_some(momentum));
        let slots = if heavy { vec!["square_avg", "momentum_buffer"] } else { vec!["square_avg"] };
        UpdateRule::new("rmsprop", e, slots)
    }

    fn scalars(&self, _: u64, lr: f64, training: &Training, out: &mut [f32; StepScalars::COUNT]) {
        set(out, ScalarId::LR, lr);
        set(out, ScalarId::DECAY, self.weight_decay + training.l2);
        set(out, SQUARE_KEEP, self.alpha);
        set(out, SQUARE_TAKE, 1.0 - self.alpha);
        set(out, EPS, self.eps);
        set(out, MOMENTUM, self.momentum);
    }

    fn torch(&self, l2: f64) -> String {
        format!(
            "torch.optim.RMSprop(model.parameters(), alpha={}, eps={}, momentum={}, weight_decay={}",
            self.alpha,
            self.eps,
            self.momentum,
            self.weight_decay + l2
        )
    }
}
