//! What must hold of a plan, checked from the plan alone and (for lifetimes) against the work it came from.

use std::collections::BTreeMap;

use downhill_graph::kernel::{FlatUpdateSpec, Kernel, MapSpec};

use crate::work::{BufferId, Work};
use crate::{Arg, Plan, Region, Space, Step};

/// Checks a plan by itself: regions in bounds and aligned, operands as large as kernels walk, everything written before it is
/// read, no state overwritten but gradients and next values.
///
/// # Errors
/// The first rule that is broken, with the step.
pub fn verify_plan(plan: &Plan) -> Result<(), String> {
    let mut written = Written::default();
    for (i, step) in plan.steps.iter().enumerate() {
        let fail = |message: String| Err(format!("step {i} ({}): {message}", step.kernel));
        for arg in step.reads.iter().chain(&step.writes) {
            if let Err(message) = check_bounds(plan, arg) {
                return fail(message);
            }
        }
        let sizes: Vec<(usize, usize)> = step.reads.iter().map(|a| (a.start as usize, a.region.len as usize)).collect();
        let writes: Vec<usize> = step.writes.iter().map(|a| a.region.len as usize).collect();
        if let Err(message) = step.kernel.check().and_then(|()| step.kernel.operands().check(&sizes, &writes)) {
            return fail(message);
        }
        for read in &step.reads {
            let computed = read.region.space == Space::Arena && read.region.offset >= plan.state_len;
            if computed && !written.covers(read.region) {
                return fail(format!("{} is read before it is written", read.region));
            }
        }
        if let Err(message) = check_writes(plan, step) {
            return fail(message);
        }
        step.writes.iter().for_each(|w| written.add(w.region));
    }
    for out in &plan.outputs {
        let end = if out.region.space == Space::Arena { plan.arena_len } else { plan.data_len };
        if out.region.end() > end || !out.region.offset.is_multiple_of(4) || out.shape.numel() != out.region.len as usize {
            return Err(format!("output {} at {} is out of bounds", out.name, out.region));
        }
    }
    Ok(())
}

fn check_bounds(plan: &Plan, arg: &Arg) -> Result<(), String> {
    let end = if arg.region.space == Space::Arena { plan.arena_len } else { plan.data_len };
    if arg.region.end() > end {
        return Err(format!("{} ends behind {end}", arg.region));
    }
    if !arg.region.offset.is_multiple_of(4) || !arg.per_batch.is_multiple_of(4) {
        return Err(format!("{} is not aligned", arg.region));
    }
    if arg.per_batch != 0 && arg.region.space == Space::Arena {
        return Err(format!("{} is a ring outside the data buffer", arg.region));
    }
    Ok(())
}

/// Whether the update is given what a kernel writes here: it lies in a slot that a rule says is filled before, of a parameter of that rule.
fn is_given(plan: &Plan, r: Region) -> bool {
    let given = |spec: &FlatUpdateSpec| {
        spec.groups.iter().any(|group| {
            let slot = spec.rule(group).and_then(|rule| rule.given);
            slot.is_some_and(|slot| {
                let start = plan.state.slots + u32::from(slot) * plan.state.parameter_len + group.start;
                r.offset >= start && r.end() <= start + group.len
            })
        })
    };
    plan.steps.iter().any(|step| matches!(&step.kernel, Kernel::FlatUpdate(spec) if given(spec)))
}

/// Writes stay behind the state or inside the gradients, slots that the update is given, or the next values of the states, and meet a read only where an elementwise kernel replaces it in place.
fn check_writes(plan: &Plan, step: &Step) -> Result<(), String> {
    let s = &plan.state;
    for (i, write) in step.writes.iter().enumerate() {
        let r = write.region;
        let inside = |from: u32, len: u32| r.offset >= from && r.end() <= from + len;
        let open = inside(s.gradients, s.parameter_len) || inside(s.next_states(), s.states_len);
        if r.space != Space::Arena || (r.offset < plan.state_len && !open && !is_given(plan, r)) {
            return Err(format!("{r} is not for kernels to write"));
        }
        if step.writes[..i].iter().any(|other| other.region.overlaps(&r)) {
            return Err(format!("{r} is written twice"));
        }
        for (n, read) in step.reads.iter().enumerate().filter(|(_, a)| a.region.overlaps(&r)) {
            let alone = step.reads.iter().enumerate().all(|(m, a)| m == n || !a.region.overlaps(&r));
            let in_place = matches!(&step.kernel, Kernel::Map(map) if row_major(map, n));
            if !(in_place && alone && read.region == r && read.start == 0) {
                return Err(format!("{r} is written while {} is read", read.region));
            }
        }
    }
    Ok(())
}

fn row_major(map: &MapSpec, read: usize) -> bool {
    let mut stride = 1;
    map.shape.iter().zip(&map.read_strides[read]).rev().all(|(&n, &s)| {
        let fits = n == 1 || s == stride;
        stride *= n;
        fits
    })
}

/// The elements of the arena that have been written: ranges that neither overlap nor touch, by their start.
#[derive(Default)]
struct Written(BTreeMap<u32, u32>);

impl Written {
    fn add(&mut self, region: Region) {
        let (mut start, mut end) = (region.offset, region.end());
        while let Some((&from, &to)) = self.0.range(..=end).next_back().filter(|(_, to)| **to >= start) {
            self.0.remove(&from);
            (start, end) = (start.min(from), end.max(to));
        }
        self.0.insert(start, end);
    }

    fn covers(&self, region: Region) -> bool {
        self.0.range(..=region.offset).next_back().is_some_and(|(_, to)| *to >= region.end())
    }
}

/// Whose value lies where, of buffers that tasks have written and that nothing has been put over since.
struct Held {
    /// Start, then end and owner; no two overlap.
    ranges: BTreeMap<u32, (u32, BufferId)>,
    holds: Vec<bool>,
}

impl Held {
    fn put(&mut self, owner: BufferId, region: Region) {
        while let Some((&from, &(_, last))) = self.ranges.range(..region.end()).next_back().filter(|(_, r)| r.0 > region.offset)
        {
            self.ranges.remove(&from);
            self.holds[last.index()] = false;
        }
        self.ranges.insert(region.offset, (region.end(), owner));
        self.holds[owner.index()] = true;
    }
}

/// Replays the steps, tracking whose value lies where, and checks that every task of the work finds the values it reads.
pub(crate) fn verify_lifetimes(work: &Work, plan: &Plan) -> Result<(), String> {
    let mut held = Held { ranges: BTreeMap::new(), holds: vec![false; work.buffers.len()] };
    let overwritten = |b: BufferId, at: String| Err(format!("{at}: the value of b{} has been overwritten", b.0));
    if work.tasks.len() != plan.steps.len() {
        return Err("steps and tasks differ in number".into());
    }
    for (i, (task, step)) in work.tasks.iter().zip(&plan.steps).enumerate() {
        if let Some(b) = task.inputs().find(|b| work.buffer(*b).is_computed() && !held.holds[b.index()]) {
            return overwritten(b, format!("step {i}"));
        }
        task.writes.iter().zip(&step.writes).for_each(|(&b, write)| held.put(b, write.region));
    }
    match work.outputs.iter().find(|o| work.buffer(o.buffer).is_computed() && !held.holds[o.buffer.index()]) {
        Some(out) => overwritten(out.buffer, format!("output {}", out.name)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(offset: u32, len: u32) -> Region {
        Region { space: Space::Arena, offset, len }
    }

    #[test]
    fn a_region_is_covered_by_parts_that_touch() {
        let covered = |by: &[Region]| {
            let mut written = Written::default();
            by.iter().for_each(|r| written.add(*r));
            written.covers(region(4, 8))
        };
        assert!(covered(&[region(8, 8), region(0, 8)]));
        assert!(covered(&[region(6, 2), region(10, 2), region(4, 2), region(8, 2)]), "in any order");
        assert!(covered(&[region(6, 2), region(0, 100), region(4, 2)]), "by one that swallows others");
        assert!(!covered(&[region(9, 8), region(0, 8)]));
        assert!(!covered(&[]));
    }
}
