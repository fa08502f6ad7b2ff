//! Muon: momentum made orthogonal, as in `torch.optim.Muon`, and AdamW for all that is no matrix of a hidden layer.

use downhill_graph::kernel::UpdateRule;
use downhill_graph::{BinaryOp, Expr, Reg, ScalarId, StepScalars};
use downhill_tensor::apart;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::adam::{rule, step_scalars};
use super::matrices::{Lengthened, MATRIX_SCALARS, MatrixRule};
use super::{OptimizerDef, SLOT, WEIGHT, descend, gradient, scaled};
use crate::Training;
use crate::registry::fields;
use crate::scalars::{L2, NS_COEFFICIENTS, NS_EPS, TAKE_MATRIX, set};

/// How a step's length depends on the matrix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AdjustLr {
    /// By √max(1, outputs / inputs)
    #[default]
    Original,
    /// As long as AdamW's: by 0.2 √max(outputs, inputs)
    MatchRmsAdamw,
}

fields! {
    /// Weights of hidden layers move as matrices, equally far in all directions; embeddings, biases, norms, kernels of convolutions and the last layer as with AdamW.
    #[schemars(title = "Muon")]
    Muon {
        /// Length of a step of the matrices; 0.02 is usual, or AdamW's where lengths match it.
        #[schemars(title = "Learning rate", range(min = 0.000000001, max = 1000.0), extend("x-scale" = "log"))]
        lr: f64 = 0.001,
        /// Share of every matrix that a step takes away, times the learning rate.
        #[schemars(title = "Weight decay", range(min = 0.0, max = 10.0), extend("x-scale" = "log"))]
        weight_decay: f64 = 0.1,
        /// How slowly the average of the gradients moves.
        #[schemars(title = "Momentum", range(min = 0.0, max = 0.999999))]
        momentum: f64 = 0.95,
        /// Look ahead along the momentum.
        #[schemars(title = "Nesterov")]
        nesterov: bool = true,
        /// What makes a matrix orthogonal: a, b and c of a·x + b·x³ + c·x⁵, which moves its singular values towards 1.
        #[schemars(title = "Coefficients", inner(range(min = -10.0, max = 10.0)))]
        ns_coefficients: [f64; 3] = [3.4445, -4.775, 2.0315],
        /// The smallest norm that a matrix is divided by.
        #[schemars(title = "Epsilon", range(min = 0.0, max = 1.0), extend("x-scale" = "log"))]
        eps: f64 = 1e-7,
        /// How often this is done; more rounds come closer to orthogonal.
        #[schemars(title = "Rounds", range(min = 1, max = 10))]
        ns_steps: usize = 5,
        /// How a step's length depends on the matrix.
        #[schemars(title = "Adjusted by")]
        adjust_lr_fn: AdjustLr = AdjustLr::Original,
        /// Length of a step of everything else. The schedule changes both alike.
        #[schemars(title = "AdamW's learning rate", range(min = 0.0, max = 1000.0), extend("x-scale" = "log"))]
        adamw_lr: f64 = 0.001,
        /// How slowly AdamW's averages of gradients and of squared gradients move.
        #[schemars(title = "AdamW's betas", inner(range(min = 0.0, max = 0.999999)))]
        adamw_betas: [f64; 2] = [0.9, 0.999],
        /// Added to AdamW's denominator.
        #[schemars(title = "AdamW's epsilon", range(min = 0.0, max = 1.0), extend("x-scale" = "log"))]
        adamw_eps: f64 = 1e-8,
        /// Share of everything else that a step takes away, times AdamW's learning rate.
        #[schemars(title = "AdamW's weight decay", range(min = 0.0, max = 10.0), extend("x-scale" = "log"))]
        adamw_weight_decay: f64 = 0.01,
    }
}

/// The class of the exported program: `torch.optim.Muon` computes in bfloat16, which has three digits, and AdamW would be an optimizer of its own.
const MUON: &str = "\
class Muon(torch.optim.Optimizer):
    \"\"\"torch.optim.Muon in float32 for groups of matrices, AdamW for the others, whose rate is lr * scale.\"\"\"

    def __init__(self, parameters, lr, **fields):
        super().__init__(parameters, dict(lr=lr, matrices=False, scale=1.0, **fields))

    def step(self):
        for group in self.param_groups:
            for p in group[\"params\"]:
                with torch.no_grad():
                    (self.matrix if group[\"matrices\"] else self.adamw)(p, p.grad, self.state[p], group)

    def matrix(self, p, g, state, group):
        m = state.setdefault(\"momentum_buffer\", torch.zeros_like(p)).lerp_(g, 1 - group[\"momentum\"])
        x = g.lerp(m, group[\"momentum\"]) if group[\"nesterov\"] else m
        out, width = x.shape
        x = x.T if out > width else x
        x = x / x.norm().clamp(min=group[\"eps\"])
        a, b, c = group[\"ns_coefficients\"]
        for _ in range(group[\"ns_steps\"]):
            gram = x.mm(x.T)
            x = a * x + (b * gram + c * gram.mm(gram)).mm(x)
        x = x.T if out > width else x
        ratio = 0.2 * max(out, width) ** 0.5 if group[\"adjust_lr_fn\"] == \"match_rms_adamw\" else max(1, out / width) ** 0.5
        p.mul_(1 - group[\"lr\"] * group[\"weight_decay\"]).add_(x, alpha=-group[\"lr\"] * ratio)

    def adamw(self, p, g, state, group):
        lr, (b1, b2) = group[\"lr\"] * group[\"scale\"], group[\"adamw_betas\"]
        t = state[\"step\"] = state.get(\"step\", 0) + 1
        m = state.setdefault(\"exp_avg\", torch.zeros_like(p)).lerp_(g, 1 - b1)
        v = state.setdefault(\"exp_avg_sq\", torch.zeros_like(p)).mul_(b2).addcmul_(g, g, value=1 - b2)
        p.mul_(1 - lr * group[\"weight_decay\"])
        p.addcdiv_(m, (v / (1 - b2**t)).sqrt() + group[\"adamw_eps\"], value=-lr / (1 - b1**t))
";

impl Muon {
    /// The part of the gradient's average that is new: `m + take · (g − m)`.
    fn moved(e: &mut Expr, g: Reg) -> Reg {
        let m = e.read(SLOT);
        let away = e.binary(BinaryOp::Sub, g, m);
        let part = scaled(e, TAKE_MATRIX, away);
        e.binary(BinaryOp::Add, m, part)
    }

    /// What is made orthogonal: the new momentum, with Nesterov its mean with the gradient, `m + take · (g − m)` once more.
    fn before(&self, training: &Training) -> Expr {
        let mut e = Expr::default();
        let g = gradient(&mut e, training, (training.l2 > 0.0).then_some(L2));
        let m = Self::moved(&mut e, g);
        let x = if self.nesterov {
            let away = e.binary(BinaryOp::Sub, g, m);
            let part = scaled(&mut e, TAKE_MATRIX, away);
            e.binary(BinaryOp::Add, m, part)
        } else {
            m
        };
        e.outputs.push(x);
        e
    }
}

impl OptimizerDef for Muon {
    fn lr(&self) -> f64 {
        self.lr
    }

    fn is_at_once(&self) -> bool {
        false
    }

    fn coupled_decay(&self) -> bool {
        false
    }

    /// AdamW's, for everything but matrices.
    fn rule(&self, training: &Training) -> UpdateRule {
        let mut e = Expr::default();
        let w = e.read(WEIGHT);
        let g = gradient(&mut e, training, (training.l2 > 0.0).then_some(L2));
        let shrunk = scaled(&mut e, ScalarId::DECAY, w);
        rule("muon_rest", e, shrunk, g)
    }

    /// `m ← m + (1 − μ)·(g − m)`; `w ← (1 − lr · decay)·w − lr · direction`, as `torch.optim.Muon`. The first slot is the momentum; the second has no
    /// other use here, so the direction lies in it within a step, and zeros between two of them.
    fn matrix_rule(&self, training: &Training) -> Option<MatrixRule> {
        apart(|| {
            let mut e = Expr::default();
            let w = e.read(WEIGHT);
            let g = gradient(&mut e, training, (training.l2 > 0.0).then_some(L2));
            let m = Self::moved(&mut e, g);
            let shrunk = scaled(&mut e, ScalarId::DECAY, w);
            let direction = e.read(SLOT + 1);
            let new = descend(&mut e, shrunk, direction);
            let nothing = e.constant(0.0);
            e.outputs.extend([new, m, nothing]);
            let slots = self.rule(training).slots;
            let lengthened = match self.adjust_lr_fn {
                AdjustLr::Original => Lengthened::Original,
                AdjustLr::MatchRmsAdamw => Lengthened::MatchRmsAdamw,
            };
            Some(MatrixRule {
                rule: UpdateRule { given: Some(1), ..UpdateRule::new("muon", e, slots) },
                before: self.before(training),
                rounds: self.ns_steps,
                lengthened,
            })
        })
    }

    fn scalars(&self, age: u64, lr: f64, training: &Training, out: &mut [f32; StepScalars::COUNT]) {
        let adamw_lr = self.adamw_lr * (lr / self.lr);
        step_scalars(self.adamw_betas, self.adamw_eps, adamw_lr, age, out);
        set(out, ScalarId::DECAY, 1.0 - adamw_lr * self.adamw_weight_decay);
        set(out, L2, training.l2);
        let (rate, decay) = MATRIX_SCALARS;
        set(out, rate, lr);
        set(out, decay, 1.0 - lr * self.weight_decay);
        set(out, TAKE_MATRIX, 1.0 - self.momentum);
        set(out, NS_EPS, self.eps);
        for (id, coefficient) in NS_COEFFICIENTS.into_iter().zip(self.ns_coefficients) {
            set(out, id, coefficient);
        }
    }

    fn torch(&self, _: f64) -> String {
        let [b1, b2] = self.adamw_betas;
        let [a, b, c] = self.ns_coefficients;
        let adjust = match self.adjust_lr_fn {
            AdjustLr::Original => "original",
            AdjustLr::MatchRmsAdamw => "match_rms_adamw",
        };
        format!(
            "Muon(model.parameters(), momentum={}, nesterov={}, ns_coefficients=({a}, {b}, {c}), eps={}, ns_steps={}, \
             adjust_lr_fn=\"{adjust}\", adamw_betas=({b1}, {b2}), adamw_eps={}, weight_decay={}",
            self.momentum,
            if self.nesterov { "True" } else { "False" },
            self.eps,
            self.ns_steps,
            self.adamw_eps,
            self.adamw_weight_decay
        )
    }

    fn torch_matrices(&self) -> Option<[String; 2]> {
        let matrices = format!("\"matrices\": True, \"weight_decay\": {}", self.weight_decay);
        Some([matrices, format!("\"scale\": {}", self.adamw_lr / self.lr)])
    }

    fn torch_helper(&self) -> Option<&'static str> {
        Some(MUON)
    }
}
