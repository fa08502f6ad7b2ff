//! The optimizer's step on all parameters at once.

use std::fmt;
use std::sync::Arc;

use super::KernelDef;
use super::operands::{Access, Operands};
use crate::{Expr, ScalarId};

/// One range of parameters that shares its rule, rate and decay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpdateGroup {
    /// First element, counted from the start of the parameters.
    pub start: u32,
    /// Number of elements, padding included.
    pub len: u32,
    /// An index into [`FlatUpdateSpec::rules`].
    pub rule: u8,
    /// Taken where the rule says [`ScalarId::LR`].
    pub lr: ScalarId,
    /// Taken where the rule says [`ScalarId::DECAY`].
    pub decay: ScalarId,
}

/// How an optimizer changes one weight: elementwise, the same for all weights of a group.
#[derive(Clone, Debug, PartialEq)]
pub struct UpdateRule {
    /// Name of the optimizer.
    pub name: &'static str,
    /// `Read(0)` the weight, `Read(1)` its gradient (already scaled when clipped by norm), `Read(2 + i)` slot `i`; outputs: the new weight, then the
    /// new slots.
    pub expr: Expr,
    /// Names of the optimizer's slots (`exp_avg`, …); all start at zero.
    pub slots: Vec<&'static str>,
    /// The slot that the program fills itself in every step, before the update: with what takes more than an element to know, such as the direction of a
    /// whole matrix.
    pub given: Option<u8>,
}

impl UpdateRule {
    /// A rule that is given nothing but the gradient.
    pub fn new(name: &'static str, expr: Expr, slots: Vec<&'static str>) -> Self {
        Self { name, expr, slots, given: None }
    }

    /// Checks that every slot is written, and that what is given has one.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.expr.outputs.len() != 1 + self.slots.len() {
            return Err(format!("{} does not write every slot", self.name));
        }
        if self.given.is_some_and(|slot| usize::from(slot) >= self.slots.len()) {
            return Err(format!("{} has no slot for what it is given", self.name));
        }
        Ok(())
    }
}

/// Reads the loss (one element) and, where `scaled`, a factor for the gradients (one element). Changes parameters and slots in place, reading
/// the gradients, all at the places that the state layout gives. If the loss or any gradient is not finite it changes nothing
/// and sets the sticky flag to the step's number plus one (at least 1); while the flag is not 0 it does nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct FlatUpdateSpec {
    /// The optimizer: a rule, or several for parameters of different kinds, with the same slots.
    pub rules: Vec<Arc<UpdateRule>>,
    /// Ranges, ascending, together all parameters.
    pub groups: Vec<UpdateGroup>,
    /// Whether gradients are multiplied by a factor first.
    pub scaled: bool,
}

impl FlatUpdateSpec {
    fn parameters(&self) -> u64 {
        self.groups.iter().map(|g| u64::from(g.len)).sum()
    }

    /// The rule of a group; none where the index points nowhere.
    pub fn rule(&self, group: &UpdateGroup) -> Option<&UpdateRule> {
        self.rules.get(usize::from(group.rule)).map(Arc::as_ref)
    }

    /// Slots of each parameter.
    pub fn slots(&self) -> usize {
        self.rules.first().map_or(0, |rule| rule.slots.len())
    }
}

impl KernelDef for FlatUpdateSpec {
    const FAMILY: &'static str = "flat_update";
    const EFFECT: bool = true;

    fn check(&self) -> Result<(), String> {
        if let Some(group) = self.groups.iter().find(|group| self.rule(group).is_none()) {
            return Err(format!("there is no rule {}", group.rule));
        }
        for rule in &self.rules {
            rule.check()?;
            rule.expr.check(2 + rule.slots.len())?;
            if rule.slots.len() != self.slots() {
                return Err(format!("{} has other slots", rule.name));
            }
        }
        Ok(())
    }

    /// Only the two numbers: what lies in the state is found there.
    fn operands(&self) -> Operands {
        let factor = self.scaled.then(|| Access::floats("factor", 1));
        Operands::new([Access::floats("loss", 1)].into_iter().chain(factor), [])
    }

    fn flops(&self) -> u64 {
        let of = |group: &UpdateGroup| self.rule(group).map_or(0, |rule| rule.expr.operations()) + u64::from(self.scaled);
        self.groups.iter().map(|group| u64::from(group.len) * of(group)).sum()
    }

    /// Weight, gradient and slots are read; weight and slots are written.
    fn bytes(&self) -> u64 {
        4 * self.parameters() * (3 + 2 * self.slots() as u64)
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scaled = if self.scaled { ", scaled" } else { "" };
        let names: Vec<&str> = self.rules.iter().map(|rule| rule.name).collect();
        write!(f, "flat_update {} in {} group(s){scaled}", names.join(" and "), self.groups.len())
    }
}
