use downhill_graph::StepScalars;

use crate::arena::{Memory, Operand};
use crate::simd::rows;
use crate::vm::{Machine, MapOp, Target};

/// The optimizer over all parameters: one fused expression per group.
#[derive(Clone, Debug)]
pub(crate) struct UpdateOp {
    pub loss: Operand,
    pub gradients: Operand,
    pub flag: Operand,
    pub groups: Vec<MapOp>,
}

impl UpdateOp {
    pub fn run(&self, machine: &mut Machine, memory: &Memory<'_>, step: &StepScalars) {
        let flag = &memory.cells(&self.flag)[0];
        if flag.get().to_bits() != 0 {
            return;
        }
        if !rows::all_finite(memory.cells(&self.loss)) || !rows::all_finite(memory.cells(&self.gradients)) {
            // Zero means fine, so the word names the step plus one.
            flag.set(f32::from_bits(step.step.wrapping_add(1).max(1)));
            return;
        }
        for group in &self.groups {
            machine.run(group, memory, step, (0, group.walk.total()), None, Target::Writes);
        }
    }
}

/// One row of the metrics ring.
#[derive(Clone, Debug)]
pub(crate) struct RecordOp {
    pub scalars: Vec<Operand>,
    pub flag: Operand,
    pub ring: Operand,
    pub rows: u32,
    pub stride: usize,
}

impl RecordOp {
    pub fn run(&self, memory: &Memory<'_>, step: &StepScalars) {
        if step.record >= self.rows {
            return;
        }
        let at = step.record as usize * self.stride;
        let row = &memory.cells(&self.ring)[at..at + self.stride];
        row[0].set(f32::from_bits(step.step));
        row[1].set(memory.cells(&self.flag)[0].get());
        for (to, from) in row[2..].iter().zip(&self.scalars) {
            to.set(memory.cells(from)[0].get());
        }
    }
}
