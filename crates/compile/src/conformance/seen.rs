//! Compares an arena that a backend left behind with what the interpreter gives.

use downhill_graph::interp::Run;
use downhill_graph::ops::compare;
use downhill_graph::tensors::{Env, Tensor};
use downhill_graph::{Graph, StepScalars};
use downhill_tensor::{Dtype, TensorTy};

use super::bench::{GUARD, words};
use crate::{Plan, Space, StateLayout};

/// An arena as it was read back, with what tells its parts.
pub(super) struct Seen<'a> {
    pub arena: Vec<u32>,
    pub plan: &'a Plan,
    pub layout: &'a StateLayout,
    pub relative: f64,
    pub absolute: f64,
}

impl Seen<'_> {
    /// Compares everything with what the interpreter left.
    pub fn compare(&self, graph: &Graph, run: &Run, after: &Env) -> Result<(), String> {
        self.outputs(graph, run)?;
        self.state(after)?;
        self.ring(after)?;
        self.guards()
    }

    fn floats(&self, want: &Tensor, at: u32) -> Result<(), String> {
        // What is too large for f32 is infinite there.
        let want = Tensor { ty: want.ty.clone(), data: want.data.iter().map(|&v| f64::from(v as f32)).collect() };
        let got: Vec<f32> = self.arena[at as usize..][..want.data.len()].iter().map(|&w| f32::from_bits(w)).collect();
        compare(&want, &got, self.relative, self.absolute)
    }

    fn outputs(&self, graph: &Graph, run: &Run) -> Result<(), String> {
        for (out, value) in graph.outputs() {
            let want = run.value(*value);
            let region = self.plan.output(out).ok_or("an output is missing")?.region;
            if region.space == Space::Data {
                continue;
            }
            if want.ty.dtype == Dtype::F32 {
                self.floats(want, region.offset).map_err(|e| format!("{out}: {e}"))?;
                continue;
            }
            let got = &self.arena[region.offset as usize..region.end() as usize];
            if words(want) != got {
                return Err(format!("{out}: {got:?}, expected {:?}", want.data));
            }
        }
        Ok(())
    }

    fn state(&self, after: &Env) -> Result<(), String> {
        let offsets = &self.layout.offsets;
        for (p, tensor) in after.parameters.iter().enumerate() {
            let entry = &self.layout.entries[self.layout.order[p] as usize];
            self.floats(tensor, offsets.parameters + entry.offset).map_err(|e| format!("{}: {e}", entry.name))?;
            for (s, slot) in after.slots.iter().enumerate() {
                let base = offsets.slots + s as u32 * offsets.parameter_len;
                self.floats(&slot[p], base + entry.offset).map_err(|e| format!("slot {s} of {}: {e}", entry.name))?;
            }
            let mut padding = entry.offset + entry.len..entry.offset + entry.len.next_multiple_of(4);
            if padding.any(|i| self.arena[(offsets.gradients + i) as usize] != 0) {
                return Err(format!("the padding behind {} is not zero", entry.name));
            }
        }
        for (entry, tensor) in self.layout.states.iter().zip(&after.states) {
            self.floats(tensor, offsets.states + entry.offset).map_err(|e| format!("{}: {e}", entry.name))?;
        }
        let flag = self.arena[offsets.flag as usize];
        if (flag != 0) == after.non_finite { Ok(()) } else { Err(format!("the flag is {flag}")) }
    }

    fn ring(&self, after: &Env) -> Result<(), String> {
        if after.step.record == StepScalars::NO_RECORD || after.recorded.is_empty() {
            return Ok(());
        }
        let offsets = &self.layout.offsets;
        let row = offsets.ring + after.step.record * offsets.ring_stride;
        if self.arena[row as usize] != after.step.step {
            return Err("the row does not name its step".into());
        }
        let want = Tensor { ty: TensorTy::f32([after.recorded.len()]), data: after.recorded.clone() };
        self.floats(&want, row + 2).map_err(|e| format!("ring: {e}"))
    }

    /// Every scratch word that no step writes still holds its guard.
    fn guards(&self) -> Result<(), String> {
        let mut written = vec![false; self.plan.arena_len as usize];
        for arg in self.plan.steps.iter().flat_map(|s| &s.writes) {
            written[arg.region.offset as usize..arg.region.end() as usize].fill(true);
        }
        let state = self.plan.state_len as usize;
        let broken = (state..written.len()).find(|&i| !written[i] && self.arena[i] != GUARD);
        broken.map_or(Ok(()), |i| Err(format!("a kernel wrote to {i}, where it may not")))
    }
}
