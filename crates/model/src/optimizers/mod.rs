//! The registry of optimizers: one file each, one line in the list below.
//!
//! An optimizer is two halves that agree through [`crate::scalars`]: a rule for one weight, compiled once, and the numbers of
//! a step, computed on the host in f64. An optimizer that looks at whole matrices gives their direction as nodes of the graph (`matrices.rs`). Only what changes the *shape* of the rule (momentum at all, Nesterov, an L1 penalty
//! at all, …) needs another program.

mod adagrad;
mod adam;
mod adamw;
mod lion;
pub(crate) mod matrices;
mod muon;
mod rmsprop;
mod sgd;

use downhill_graph::kernel::UpdateRule;
use downhill_graph::{BinaryOp, Expr, ExprOp, Reg, ScalarId, StepScalars, UnaryOp};
use downhill_tensor::{UserError, apart};

pub use adagrad::Adagrad;
pub use adam::Adam;
pub use adamw::AdamW;
pub use lion::Lion;
pub(crate) use matrices::MatrixRule;
pub use muon::{AdjustLr, Muon};
pub use rmsprop::RmsProp;
pub use sgd::Sgd;

use crate::Training;
use crate::layers::def::Resolved;
use crate::registry::registry;
use crate::scalars::{AVERAGE_TAKE, CLIP_VALUE, ENDS, L1, NO_DECAY, set};

/// What every optimizer can do.
pub(crate) trait OptimizerDef {
    /// The learning rate before the schedule.
    fn lr(&self) -> f64;

    /// How one weight changes.
    fn rule(&self, training: &Training) -> UpdateRule;

    /// How weights that are matrices change, where they do otherwise; with the same slots.
    fn matrix_rule(&self, _training: &Training) -> Option<MatrixRule> {
        None
    }

    /// Whether the page can train with it from the start. The code of others is fetched when it is chosen: see [`downhill_tensor::apart`].
    fn is_at_once(&self) -> bool {
        true
    }

    /// Writes the numbers of the `age`-th update (0 is the first) since the slots were zero, at learning rate `lr`.
    fn scalars(&self, age: u64, lr: f64, training: &Training, out: &mut [f32; StepScalars::COUNT]);

    /// The `torch.optim` call of the exported program, up to the closing parenthesis, without `lr`. `l2` is added to a
    /// coupled decay.
    fn torch(&self, l2: f64) -> String;

    /// What the exported program's parameter groups say beside their parameters, that of the matrices and the others; nothing where all are alike.
    fn torch_matrices(&self) -> Option<[String; 2]> {
        None
    }

    /// The class that [`torch`](Self::torch) calls, where `torch.optim` has none.
    fn torch_helper(&self) -> Option<&'static str> {
        None
    }

    /// Whether `weight_decay` acts on the gradient, as an L2 penalty would.
    fn coupled_decay(&self) -> bool {
        true
    }

    /// What the ranges of the single fields cannot say.
    fn validate(&self) -> Result<(), UserError> {
        Ok(())
    }
}

registry! {
    /// How gradients become changes of weights.
    "optimizer" at "/properties/optimizer/anyOf/1/properties"
    Optimizer: OptimizerDef {
        "sgd" => sgd::Sgd,
        "adagrad" => adagrad::Adagrad,
        "rmsprop" => rmsprop::RmsProp,
        "adam" => adam::Adam,
        "adamw" => adamw::AdamW,
        "lion" => lion::Lion,
        "muon" => muon::Muon,
    }
}

impl Default for Optimizer {
    fn default() -> Self {
        Optimizer::Adam(Adam::default())
    }
}

impl Optimizer {
    /// The learning rate before the schedule.
    pub fn lr(&self) -> f64 {
        self.def().lr()
    }

    /// How one weight changes; the same for all numbers, so that editing those recompiles nothing.
    pub fn rule(&self, training: &Training) -> UpdateRule {
        let mut rule = self.def().rule(training);
        complete(&mut rule, training);
        rule
    }

    /// How weights that are matrices of hidden layers change, where they do otherwise.
    pub(crate) fn matrix_rule(&self, training: &Training) -> Option<MatrixRule> {
        let mut matrices = self.def().matrix_rule(training)?;
        complete(&mut matrices.rule, training);
        Some(matrices)
    }

    /// Floating-point operations of a step beside those for every weight.
    pub(crate) fn matrix_flops(&self, training: &Training, model: &[Resolved]) -> u64 {
        self.matrix_rule(training).map_or(0, |rule| apart(|| matrices::flops(model, rule.rounds)))
    }

    /// Writes the numbers of the `age`-th update (0 is the first) since the slots were zero, at learning rate `lr`.
    pub fn scalars(&self, age: u64, lr: f64, training: &Training, out: &mut [f32; StepScalars::COUNT]) {
        set(out, L1, training.l1);
        // A coupled decay is added to the gradient, any other is a factor of the weight.
        set(out, NO_DECAY, if self.def().coupled_decay() { 0.0 } else { 1.0 });
        set(out, CLIP_VALUE, training.clip_value.unwrap_or(f64::from(f32::MAX)));
        if let Some(decay) = training.ema {
            set(out, AVERAGE_TAKE, if age == 0 { 1.0 } else { 1.0 - decay });
        }
        self.def().scalars(age, lr, training, out);
    }
}

/// Adds to a rule what is the same for all optimizers.
fn complete(rule: &mut UpdateRule, training: &Training) {
    if training.ema.is_some() {
        average_weights(rule);
    }
    if training.accumulate > 1 {
        wait_for_the_last(rule);
    }
}

/// Name of the slot with the averages of the weights: the last one, where there is one.
pub const AVERAGE: &str = "ema";

/// Lets a rule keep the average of the new weight in one more slot, `average ← average + take · (weight − average)`: the
/// `torch.optim.swa_utils.get_ema_multi_avg_fn` of an `AveragedModel`, whose first update copies the weights. It is part of the rule, so that
/// it costs no kernel and a step that is not finite leaves it as it was.
fn average_weights(rule: &mut UpdateRule) {
    let e = &mut rule.expr;
    let before = e.read(SLOT + rule.slots.len() as u8);
    if let Some(&weight) = e.outputs.first() {
        let away = e.binary(BinaryOp::Sub, weight, before);
        let part = scaled(e, AVERAGE_TAKE, away);
        let next = e.binary(BinaryOp::Add, before, part);
        e.outputs.push(next);
        rule.slots.push(AVERAGE);
    }
}

/// Name of the slot with the gradient that a step has accumulated, behind all others. It means something only within a step, so it is in no file.
pub(crate) const ACCUMULATED: &str = "accumulated";

/// Lets a rule change weight and slots only where [`ENDS`] says so, and keep the gradient that it is given, the sum so far, in one more slot.
fn wait_for_the_last(rule: &mut UpdateRule) {
    let e = &mut rule.expr;
    let ends = e.scalar(ENDS);
    for i in 0..e.outputs.len() {
        let before = e.read(if i == 0 { WEIGHT } else { SLOT + i as u8 - 1 });
        let after = e.outputs[i];
        e.outputs[i] = e.push(ExprOp::Select(ends, after, before));
    }
    let sum = e.read(GRADIENT);
    e.outputs.push(sum);
    rule.slots.push(ACCUMULATED);
}

/// The reads every rule begins with.
const WEIGHT: u8 = 0;
const GRADIENT: u8 = 1;
/// Slot `i` is read `SLOT + i`.
const SLOT: u8 = 2;

/// The gradient after clipping by value and with the penalties, in this order; penalties are left unclipped so that they keep
/// pulling where the loss pulls hard.
fn gradient(e: &mut Expr, training: &Training, coupled: Option<ScalarId>) -> Reg {
    let mut g = e.read(GRADIENT);
    if training.clip_value.is_some() {
        let limit = e.scalar(CLIP_VALUE);
        let low = e.unary(UnaryOp::Neg, limit);
        let capped = e.binary(BinaryOp::Min, g, limit);
        g = e.binary(BinaryOp::Max, capped, low);
    }
    let w = e.read(WEIGHT);
    if let Some(id) = coupled {
        let pull = scaled(e, id, w);
        g = e.binary(BinaryOp::Add, g, pull);
    }
    if training.l1 > 0.0 {
        let sign = e.unary(UnaryOp::Sign, w);
        let pull = scaled(e, L1, sign);
        g = e.binary(BinaryOp::Add, g, pull);
    }
    g
}

/// `factor · x`.
fn scaled(e: &mut Expr, factor: ScalarId, x: Reg) -> Reg {
    let factor = e.scalar(factor);
    e.binary(BinaryOp::Mul, factor, x)
}

/// `keep · old + take · new`, the running average of a slot.
fn average(e: &mut Expr, (keep, old): (ScalarId, Reg), (take, new): (ScalarId, Reg)) -> Reg {
    let kept = scaled(e, keep, old);
    let taken = scaled(e, take, new);
    e.binary(BinaryOp::Add, kept, taken)
}

/// `w − LR · direction`.
fn descend(e: &mut Expr, w: Reg, direction: Reg) -> Reg {
    let change = scaled(e, ScalarId::LR, direction);
    e.binary(BinaryOp::Sub, w, change)
}

/// How a rule remembers the directions of former steps: in a slot of its own, its last.
struct Momentum {
    /// What the slot keeps of itself.
    keep: ScalarId,
    /// What it takes of the new direction; nothing where it takes all of it.
    take: Option<ScalarId>,
    /// Whether a step goes along the new direction and the slot as it will be then: Nesterov's look ahead.
    nesterov: bool,
}

/// Ends a rule whose other slots become `slots`: a step along `direction`, or along its momentum `buffer ← keep · buffer + take ·
/// direction`; with Nesterov along `direction + keep · buffer`.
fn step_along(e: &mut Expr, direction: Reg, slots: &[Reg], momentum: Option<Momentum>) {
    let w = e.read(WEIGHT);
    let Some(Momentum { keep, take, nesterov }) = momentum else {
        let new = descend(e, w, direction);
        e.outputs.push(new);
        e.outputs.extend(slots.iter().copied());
        return;
    };
    let before = e.read(SLOT + slots.len() as u8);
    let kept = scaled(e, keep, before);
    let taken = take.map_or(direction, |take| scaled(e, take, direction));
    let buffer = e.binary(BinaryOp::Add, kept, taken);
    let ahead = if nesterov {
        let more = scaled(e, keep, buffer);
        e.binary(BinaryOp::Add, direction, more)
    } else {
        buffer
    };
    let new = descend(e, w, ahead);
    e.outputs.push(new);
    e.outputs.extend(slots.iter().copied().chain([buffer]));
}

#[cfg(test)]
mod tests;
