//! The optimizer's step on all parameters at once.

use std::fmt;
use std::sync::Arc;

use super::KernelDef;
use super::operands::{Access, Operands};
use crate::{Expr, ScalarId};

/// One range of parameters that shares its rate and decay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpdateGroup {
    /// First element, counted from the start of the parameters.
    pub start: u32,
    /// Number of elements, padding included.
    pub len: u32,
    /// Taken where the rule says [`ScalarId::LR`].
    pub lr: ScalarId,
    /// Taken where the rule says [`ScalarId::DECAY`].
    pub decay: ScalarId,
}

/// How an optimizer changes one weight: elementwise, the same for all.
#[derive(Clone, Debug, PartialEq)]
pub struct UpdateRule {
    /// Name of the optimizer.
    pub name: &'static str,
    /// `Read(0)` the weight, `Read(1)` its gradient (already scaled when clipped by norm), `Read(2 + i)` slot `i`; outputs: the new weight, then the
    /// new slots.
    pub expr: Expr,
    /// Names of the optimizer's slots (`exp_avg`, …); all start at zero.
    pub slots: Vec<&'static str>,
}

/// Reads the loss (one element) and, where `scaled`, a factor for the gradients (one element). Changes parameters and slots in place, reading
/// the gradients, all at the places that the state layout gives. If the loss or any gradient is not finite it changes nothing
/// and sets the sticky flag to the step's number plus one (at least 1); while the flag is not 0 it does nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct FlatUpdateSpec {
    /// The optimizer.
    pub rule: Arc<UpdateRule>,
    /// Ranges, ascending, together all parameters.
    pub groups: Vec<UpdateGroup>,
    /// Whether gradients are multiplied by a factor first.
    pub scaled: bool,
}

impl FlatUpdateSpec {
    fn parameters(&self) -> u64 {
        self.groups.iter().map(|g| u64::from(g.len)).sum()
    }
}

impl KernelDef for FlatUpdateSpec {
    const FAMILY: &'static str = "flat_update";
    const EFFECT: bool = true;

    fn check(&self) -> Result<(), String> {
        if self.rule.expr.outputs.len() != 1 + self.rule.slots.len() {
            return Err(format!("{} does not write every slot", self.rule.name));
        }
        self.rule.expr.check(2 + self.rule.slots.len())
    }

    /// Only the two numbers: what lies in the state is found there.
    fn operands(&self) -> Operands {
        let factor = self.scaled.then(|| Access::floats("factor", 1));
        Operands::new([Access::floats("loss", 1)].into_iter().chain(factor), [])
    }

    fn flops(&self) -> u64 {
        self.parameters() * (self.rule.expr.operations() + u64::from(self.scaled))
    }

    /// Weight, gradient and slots are read; weight and slots are written.
    fn bytes(&self) -> u64 {
        4 * self.parameters() * (3 + 2 * self.rule.slots.len() as u64)
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scaled = if self.scaled { ", scaled" } else { "" };
        write!(f, "flat_update {} in {} group(s){scaled}", self.rule.name, self.groups.len())
    }
}
