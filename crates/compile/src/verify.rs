//! What must hold of a plan, checked from the plan alone and (for lifetimes) against the program it came from.

use downhill_graph::kernel::{Kernel, MapSpec};
use downhill_tensor::sort_short;

use crate::operands::check_operands;
use crate::program::{BufferId, Program};
use crate::{Arg, Plan, Region, Space, Step};

/// Checks a plan by itself: regions in bounds and aligned, operands as large as kernels walk, everything written before it is
/// read, no state overwritten but gradients.
///
/// # Errors
/// The first rule that is broken, with the step.
pub fn verify_plan(plan: &Plan) -> Result<(), String> {
    let mut written: Vec<Region> = Vec::new();
    for (i, step) in plan.steps.iter().enumerate() {
        let fail = |message: String| Err(format!("step {i} ({}): {message}", step.kernel));
        for arg in step.reads.iter().chain(&step.writes) {
            if let Err(message) = check_bounds(plan, arg) {
                return fail(message);
            }
        }
        let sizes: Vec<(usize, usize)> = step.reads.iter().map(|a| (a.start as usize, a.region.len as usize)).collect();
        let writes: Vec<usize> = step.writes.iter().map(|a| a.region.len as usize).collect();
        if let Err(message) = check_operands(&step.kernel, &sizes, &writes) {
            return fail(message);
        }
        for read in &step.reads {
            let computed = read.region.space == Space::Arena && read.region.offset >= plan.state_len;
            if computed && !covered(read.region, &written) {
                return fail(format!("{} is read before it is written", read.region));
            }
        }
        if let Err(message) = check_writes(plan, step) {
            return fail(message);
        }
        written.extend(step.writes.iter().map(|w| w.region));
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

/// Writes stay behind the state or inside the gradients, and meet a read only where an elementwise kernel replaces it in place.
fn check_writes(plan: &Plan, step: &Step) -> Result<(), String> {
    let s = &plan.state;
    for (i, write) in step.writes.iter().enumerate() {
        let r = write.region;
        let gradient = r.offset >= s.gradients && r.end() <= s.gradients + s.parameter_len;
        if r.space != Space::Arena || (r.offset < plan.state_len && !gradient) {
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

/// Whether the region lies within the union of others.
fn covered(region: Region, by: &[Region]) -> bool {
    let mut parts: Vec<(u32, u32)> = by.iter().filter(|r| r.overlaps(&region)).map(|r| (r.offset, r.end())).collect();
    sort_short(&mut parts);
    let mut at = region.offset;
    for (start, end) in parts {
        if start > at {
            return false;
        }
        at = at.max(end);
    }
    at >= region.end()
}

/// Replays the steps, tracking whose value lies where, and checks that every task of the program finds the values it reads.
pub(crate) fn verify_lifetimes(program: &Program, plan: &Plan) -> Result<(), String> {
    let mut held: Vec<(Region, BufferId)> = Vec::new();
    let find = |held: &[(Region, BufferId)], b: BufferId, at: &str| match held.iter().any(|(_, owner)| *owner == b) {
        true => Ok(()),
        false => Err(format!("{at}: the value of b{} has been overwritten", b.0)),
    };
    if program.tasks.len() != plan.steps.len() {
        return Err("steps and tasks differ in number".into());
    }
    for (i, (task, step)) in program.tasks.iter().zip(&plan.steps).enumerate() {
        for b in task.inputs().filter(|b| program.buffer(*b).is_computed()) {
            find(&held, b, &format!("step {i}"))?;
        }
        for (&b, write) in task.writes.iter().zip(&step.writes) {
            held.retain(|(region, owner)| *owner == b || !region.overlaps(&write.region));
            held.push((write.region, b));
        }
    }
    for out in program.outputs.iter().filter(|o| program.buffer(o.buffer).is_computed()) {
        find(&held, out.buffer, &format!("output {}", out.name))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(offset: u32, len: u32) -> Region {
        Region { space: Space::Arena, offset, len }
    }

    #[test]
    fn a_region_is_covered_by_parts_that_touch() {
        assert!(covered(region(4, 8), &[region(8, 8), region(0, 8)]));
        assert!(!covered(region(4, 8), &[region(9, 8), region(0, 8)]));
        assert!(!covered(region(4, 8), &[]));
    }
}
