//! The optimizer over all parameters: one fused expression per group.

use std::collections::TryReserveError;

use downhill_compile::ExecError;
use downhill_graph::kernel::{FlatUpdateSpec, Strides, UpdateGroup, UpdateRule};
use smallvec::SmallVec;

use super::{Bound, CpuKernel, Cursor, Cx, Loader, Scratch};
use crate::arena::Operand;
use crate::rewrite::{with_scalars, with_scaled_gradient};
use crate::simd::rows;
use crate::vm::{MapOp, Walk};

/// The kernel with its operands.
#[derive(Clone, Debug)]
pub(crate) struct UpdateOp {
    loss: Operand,
    gradients: Operand,
    flag: Operand,
    groups: Vec<MapOp>,
}

impl CpuKernel for UpdateOp {
    type Spec = FlatUpdateSpec;

    fn load(spec: &FlatUpdateSpec, operands: Bound, loader: &mut Loader<'_>) -> Result<Self, ExecError> {
        let state = loader.offsets();
        if spec.slots() as u32 > state.slot_count {
            return Err(loader.fail("the rule and the state disagree about slots"));
        }
        let factor = spec.scaled.then(|| operands.reads[1]);
        let groups = spec.groups.iter().filter(|g| g.len > 0);
        let load = |g: &UpdateGroup| {
            let rule = spec.rule(g).ok_or_else(|| loader.fail("a group of the update has no rule"))?;
            group(rule, g, factor, loader)
        };
        let groups = groups.map(load).collect::<Result<_, _>>()?;
        Ok(Self {
            loss: operands.reads[0],
            gradients: loader.state(state.gradients, state.parameter_len)?,
            flag: loader.state(state.flag, 1)?,
            groups,
        })
    }

    fn reserve(&self, scratch: &mut Scratch) -> Result<(), TryReserveError> {
        self.groups.iter().try_for_each(|map| scratch.machine.reserve(map))
    }

    /// `cursor.part` is the group, `cursor.at` the element of it. What is found before the first element holds for all of them.
    fn run(&self, cursor: &mut Cursor, cx: &mut Cx<'_>) -> bool {
        if (cursor.part, cursor.at) == (0, 0) {
            let flag = &cx.memory.cells(&self.flag)[0];
            if flag.get().to_bits() != 0 {
                return true;
            }
            if ![&self.loss, &self.gradients].iter().all(|o| rows::all_finite(cx.memory.cells(o))) {
                // Zero means fine, so the word names the step plus one.
                flag.set(f32::from_bits(cx.step.step.wrapping_add(1).max(1)));
                return true;
            }
        }
        while let Some(group) = self.groups.get(cursor.part) {
            if !group.go_on(cursor, cx) {
                return false;
            }
            (cursor.part, cursor.at) = (cursor.part + 1, 0);
        }
        true
    }
}

/// The update of one group. Slots lose their subnormals: Adam's second moment decays into them.
fn group(rule: &UpdateRule, group: &UpdateGroup, factor: Option<Operand>, loader: &mut Loader<'_>) -> Result<MapOp, ExecError> {
    let state = loader.offsets();
    let mut at = |base: u32| loader.state(base.saturating_add(group.start), group.len);
    let weights = at(state.parameters)?;
    let mut reads: SmallVec<[Operand; 4]> = SmallVec::from_slice(&[weights, at(state.gradients)?]);
    let mut writes: SmallVec<[Operand; 2]> = SmallVec::from_slice(&[weights]);
    for slot in 0..rule.slots.len() as u32 {
        let slot = at(state.slots.saturating_add(slot.saturating_mul(state.parameter_len)))?;
        reads.push(slot);
        writes.push(slot);
    }
    let mut strides: Vec<Strides> = reads.iter().map(|_| Strides::from_slice(&[1])).collect();
    let mut expr = with_scalars(&rule.expr, group.lr, group.decay);
    if let Some(factor) = factor {
        expr = with_scaled_gradient(&expr, reads.len() as u8);
        reads.push(factor);
        strides.push(Strides::from_slice(&[0]));
    }
    MapOp::new(&expr, Walk::new(&[group.len], &strides), reads, writes, &|output| output > 0)
}
