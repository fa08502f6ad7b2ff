//! Adam, and what AdamW shares with it: the fields, the averages and their numbers.

use downhill_graph::kernel::UpdateRule;
use downhill_graph::{BinaryOp, Expr, Reg, ScalarId, StepScalars, UnaryOp};

use super::{OptimizerDef, SLOT, WEIGHT, average, descend, gradient};
use crate::Training;
use crate::scalars::{EPS, KEEP, SQUARE_KEEP, SQUARE_TAKE, TAKE, set};

/// An optimizer with Adam's fields; of its own it has its name, and what its weight decay is.
macro_rules! adam_fields {
    ($(#[$meta:meta])* $name:ident { $(#[$decay:meta])* $default:literal }) => {
        $crate::registry::fields! {
            $(#[$meta])*
            $name {
                /// Length of a step.
                #[schemars(title = "Learning rate", range(min = 0.0, max = 1000.0), extend("x-scale" = "log"))]
                lr: f64 = 0.001,
                /// How slowly the averages of gradients and of squared gradients move.
                #[schemars(title = "Betas", inner(range(min = 0.0, max = 0.999999)))]
                betas: [f64; 2] = [0.9, 0.999],
                /// Added to the denominator.
                #[schemars(title = "Epsilon", range(min = 0.0, max = 1.0), extend("x-scale" = "log"))]
                eps: f64 = 1e-8,
                $(#[$decay])*
                #[schemars(title = "Weight decay", range(min = 0.0, max = 10.0), extend("x-scale" = "log"))]
                weight_decay: f64 = $default,
            }
        }

        impl $name {
            /// The call of the optimizer of this name in `torch.optim`, as [`OptimizerDef::torch`] wants it.
            fn torch_call(&self, weight_decay: f64) -> String {
                let ([b1, b2], eps) = (self.betas, self.eps);
                let name = stringify!($name);
                format!("torch.optim.{name}(model.parameters(), betas=({b1}, {b2}), eps={eps}, weight_decay={weight_decay}")
            }
        }
    };
}
pub(super) use adam_fields;

adam_fields! {
    /// Momentum and a step length of its own for every weight: works nearly everywhere without much tuning.
    #[schemars(title = "Adam")]
    Adam {
        /// Pull of every weight towards zero, through the gradient.
        0.0
    }
}

/// Ends Adam's rule: a step from `from`, along the averages of the gradient `g` and of its square.
///
/// Kingma and Ba (2015), end of section 2: with bias corrections `c₁ = 1 − β₁ᵗ`, `c₂ = 1 − β₂ᵗ` the step `lr · (m/c₁) /
/// (√(v/c₂) + ε)` equals `(lr·√c₂/c₁) · m / (√v + ε·√c₂)`, so the corrections go into two step scalars and cost nothing per
/// weight.
pub(super) fn rule(name: &'static str, mut e: Expr, from: Reg, g: Reg) -> UpdateRule {
    let (m, v) = (e.read(SLOT), e.read(SLOT + 1));
    let m = average(&mut e, (KEEP, m), (TAKE, g));
    let squared = e.unary(UnaryOp::Square, g);
    let v = average(&mut e, (SQUARE_KEEP, v), (SQUARE_TAKE, squared));
    let root = e.unary(UnaryOp::Sqrt, v);
    let eps = e.scalar(EPS);
    let denominator = e.binary(BinaryOp::Add, root, eps);
    let direction = e.binary(BinaryOp::Div, m, denominator);
    let new = descend(&mut e, from, direction);
    e.outputs.extend([new, m, v]);
    UpdateRule::new(name, e, vec!["exp_avg", "exp_avg_sq"])
}

/// The scalars that [`rule`] reads.
pub(super) fn step_scalars(betas: [f64; 2], eps: f64, lr: f64, age: u64, out: &mut [f32; StepScalars::COUNT]) {
    let [c1, c2] = betas.map(|beta| 1.0 - power(beta, age.saturating_add(1)));
    let root = libm::sqrt(c2);
    set(out, ScalarId::LR, lr * root / c1);
    set(out, EPS, eps * root);
    set(out, KEEP, betas[0]);
    set(out, TAKE, 1.0 - betas[0]);
    set(out, SQUARE_KEEP, betas[1]);
    set(out, SQUARE_TAKE, 1.0 - betas[1]);
}

/// `base^n` by squaring: at most 64 rounds, since this runs for every step.
fn power(base: f64, mut n: u64) -> f64 {
    let (mut result, mut factor) = (1.0, base);
    while n > 0 && result > 0.0 {
        if n & 1 == 1 {
            result *= factor;
        }
        factor *= factor;
        n >>= 1;
    }
    result
}

impl OptimizerDef for Adam {
    fn lr(&self) -> f64 {
        self.lr
    }

    fn rule(&self, training: &Training) -> UpdateRule {
        let mut e = Expr::default();
        let w = e.read(WEIGHT);
        let g = gradient(&mut e, training, Some(ScalarId::DECAY));
        rule("adam", e, w, g)
    }

    fn scalars(&self, age: u64, lr: f64, training: &Training, out: &mut [f32; StepScalars::COUNT]) {
        step_scalars(self.betas, self.eps, lr, age, out);
        set(out, ScalarId::DECAY, self.weight_decay + training.l2);
    }

    fn torch(&self, l2: f64) -> String {
        self.torch_call(self.weight_decay + l2)
    }
}
