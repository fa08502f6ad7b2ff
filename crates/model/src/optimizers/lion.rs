//! Lion: a step of the same length for every weight, along the sign of its momentum.

use downhill_graph::kernel::UpdateRule;
use downhill_graph::{Expr, ScalarId, StepScalars, UnaryOp};

use super::{OptimizerDef, SLOT, WEIGHT, average, descend, gradient, scaled};
use crate::Training;
use crate::registry::fields;
use crate::scalars::{KEEP, L2, SQUARE_KEEP, SQUARE_TAKE, TAKE, set};

fields! {
    /// Every weight moves by the same amount, only the direction is learned: wants a third to a tenth of Adam's learning rate.
    #[schemars(title = "Lion")]
    Lion {
        /// Length of a step.
        #[schemars(title = "Learning rate", range(min = 0.0, max = 1000.0), extend("x-scale" = "log"))]
        lr: f64 = 0.0001,
        /// How much of the momentum is in a step's direction, and how slowly the momentum itself moves.
        #[schemars(title = "Betas", inner(range(min = 0.0, max = 0.999999)))]
        betas: [f64; 2] = [0.9, 0.99],
        /// Share of every weight that a step takes away, times the learning rate.
        #[schemars(title = "Weight decay", range(min = 0.0, max = 10.0), extend("x-scale" = "log"))]
        weight_decay: f64 = 0.0,
    }
}

/// The class of the exported program, for `torch.optim` has none.
const LION: &str = "\
class Lion(torch.optim.Optimizer):
    def __init__(self, parameters, lr, betas, weight_decay):
        super().__init__(parameters, dict(lr=lr, betas=betas, weight_decay=weight_decay))

    def step(self):
        for group in self.param_groups:
            (b1, b2), lr = group[\"betas\"], group[\"lr\"]
            for p in group[\"params\"]:
                with torch.no_grad():
                    m = self.state[p].setdefault(\"exp_avg\", torch.zeros_like(p))
                    direction = (b1 * m + (1 - b1) * p.grad).sign()
                    p.mul_(1 - lr * group[\"weight_decay\"]).add_(direction, alpha=-lr)
                    m.mul_(b2).add_(p.grad, alpha=1 - b2)
";

impl OptimizerDef for Lion {
    fn lr(&self) -> f64 {
        self.lr
    }

    fn coupled_decay(&self) -> bool {
        false
    }

    /// Chen et al. (2023), algorithm 2: `c = β₁·m + (1 − β₁)·g`; `w ← (1 − lr · decay) · w − lr · sign(c)`; `m ← β₂·m + (1 − β₂)·g`.
    /// [`ScalarId::DECAY`] holds `1 − lr · decay`; β₂ stands where other rules have that of their squares.
    fn rule(&self, training: &Training) -> UpdateRule {
        let mut e = Expr::default();
        let w = e.read(WEIGHT);
        let g = gradient(&mut e, training, (training.l2 > 0.0).then_some(L2));
        let m = e.read(SLOT);
        let mixed = average(&mut e, (KEEP, m), (TAKE, g));
        let direction = e.unary(UnaryOp::Sign, mixed);
        let shrunk = scaled(&mut e, ScalarId::DECAY, w);
        let new = descend(&mut e, shrunk, direction);
        let momentum = average(&mut e, (SQUARE_KEEP, m), (SQUARE_TAKE, g));
        e.outputs.extend([new, momentum]);
        UpdateRule::new("lion", e, vec!["exp_avg"])
    }

    fn scalars(&self, _: u64, lr: f64, training: &Training, out: &mut [f32; StepScalars::COUNT]) {
        set(out, ScalarId::LR, lr);
        set(out, ScalarId::DECAY, 1.0 - lr * self.weight_decay);
        set(out, KEEP, self.betas[0]);
        set(out, TAKE, 1.0 - self.betas[0]);
        set(out, SQUARE_KEEP, self.betas[1]);
        set(out, SQUARE_TAKE, 1.0 - self.betas[1]);
        set(out, L2, training.l2);
    }

    fn torch(&self, _: f64) -> String {
        format!("Lion(model.parameters(), betas=({}, {}), weight_decay={}", self.betas[0], self.betas[1], self.weight_decay)
    }

    fn torch_helper(&self) -> Option<&'static str> {
        Some(LION)
    }
}
