//! Runs all passes in order and turns what they leave into a [`Plan`]. What a pass does is in its own file.

use downhill_graph::Graph;
use downhill_graph::kernel::{GradNormSpec, Kernel};
use downhill_tensor::sort_short;
use smallvec::{SmallVec, smallvec};

use crate::canonicalise::canonicalise;
use crate::lower::lower;
use crate::memory::{Placement, plan_memory};
use crate::schedule::schedule;
use crate::verify::{verify_lifetimes, verify_plan};
use crate::work::{BufferId, Home, Task, Work};
use crate::{Arg, CompileError, Plan, PlanOutput, Region, Space, StateLayout, Step, fuse};

/// Which optional passes run. Results are the same with and without; tests compare them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Put elementwise work into the kernels around it.
    pub fuse: bool,
    /// Let values that never live at the same time share memory.
    pub alias: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { fuse: true, alias: true }
    }
}

/// Compiles a graph whose parameters, states and feeds are in `layout` into a verified plan.
///
/// # Errors
/// When a node is not supported at its size, the layout is not the graph's, or the program needs too much memory.
pub fn compile(graph: &Graph, name: &str, layout: &StateLayout, options: &Options) -> Result<Plan, CompileError> {
    check_layout(graph, layout)?;
    let work = fused(graph, layout, options)?;
    let placement = plan_memory(&work, graph, layout, options.alias)?;
    let plan = assemble(&work, &placement, name, layout);
    let broken = |message| CompileError::Broken { pass: "plan_memory", message };
    verify_plan(&plan).map_err(broken)?;
    verify_lifetimes(&work, &plan).map_err(broken)?;
    Ok(plan)
}

/// All passes up to the scheduled work, with a check after each.
pub(crate) fn fused(graph: &Graph, layout: &StateLayout, options: &Options) -> Result<Work, CompileError> {
    let canonical = canonicalise(graph)?;
    let mut work = lower(&canonical, layout)?;
    work.verify("lower")?;
    if options.fuse {
        fuse::fuse(&mut work);
        work.verify("fuse")?;
    }
    schedule(&mut work);
    work.verify("schedule")?;
    Ok(work)
}

fn check_layout(graph: &Graph, layout: &StateLayout) -> Result<(), CompileError> {
    let known = |i: usize| layout.order.get(i).and_then(|&at| layout.entries.get(at as usize));
    for (i, parameter) in graph.parameters().iter().enumerate() {
        if known(i).is_none_or(|e| e.name != parameter.name || e.shape != parameter.shape) {
            return Err(CompileError::Layout(format!("parameter {} {} is not in it", parameter.name, parameter.shape)));
        }
    }
    for (i, state) in graph.states().iter().enumerate() {
        if layout.states.get(i).is_none_or(|e| e.name != state.name || e.shape != state.shape) {
            return Err(CompileError::Layout(format!("state {} {} is not in it", state.name, state.shape)));
        }
    }
    match graph.feeds().iter().find(|f| !layout.feeds.iter().any(|(known, _)| known == *f)) {
        Some(feed) => Err(CompileError::Layout(format!("feed {} {} is not in it", feed.name, feed.ty))),
        None => Ok(()),
    }
}

pub(crate) fn assemble(work: &Work, placement: &Placement, name: &str, layout: &StateLayout) -> Plan {
    let steps = work.tasks.iter().map(|task| step(work, task, placement, layout)).collect();
    let outputs = work.outputs.iter().map(|out| {
        let (region, _) = placement.regions[out.buffer.index()];
        let region = Region { offset: region.offset + out.start as u32, len: out.shape.numel() as u32, ..region };
        PlanOutput { name: out.name.clone(), region, shape: out.shape.clone() }
    });
    Plan {
        name: name.to_string(),
        steps,
        outputs: outputs.collect(),
        arena_len: placement.arena_len,
        state_len: layout.state_len,
        data_len: layout.data_len,
        state: layout.offsets,
    }
}

fn step(work: &Work, task: &Task, placement: &Placement, layout: &StateLayout) -> Step {
    let arg = |buffer: BufferId, start: usize| {
        let (region, per_batch) = placement.regions[buffer.index()];
        Arg { region, start: start as u32, per_batch }
    };
    let reads: SmallVec<[Arg; 4]> = match all_gradients(work, task, layout) {
        Some(region) => smallvec![Arg { region, start: 0, per_batch: 0 }],
        None => task.reads.iter().map(|r| arg(r.buffer, r.start)).collect(),
    };
    let writes: SmallVec<[Arg; 2]> = task.writes.iter().map(|w| arg(*w, 0)).collect();
    let kernel = match (&task.kernel, &reads[..]) {
        (Kernel::GradNorm(_), [all]) => Kernel::GradNorm(GradNormSpec { lens: smallvec![all.region.len - all.start] }),
        (kernel, _) => kernel.clone(),
    };
    Step {
        flops: kernel.flops(),
        bytes: kernel.bytes(),
        kernel,
        reads,
        writes,
        nodes: task.nodes.clone(),
        scope: task.scope.clone(),
        origin: task.origin,
    }
}

/// The gradients region, where a norm reads the gradient of every parameter once: they lie side by side, with zeros between them.
fn all_gradients(work: &Work, task: &Task, layout: &StateLayout) -> Option<Region> {
    if !matches!(task.kernel, Kernel::GradNorm(_)) {
        return None;
    }
    let gradient = |b: BufferId| if let Home::Gradient(p) = work.buffer(b).home { Some(p.index()) } else { None };
    let mut found: Vec<usize> = task.reads.iter().map(|r| gradient(r.buffer)).collect::<Option<_>>()?;
    sort_short(&mut found);
    let all = found.len() == layout.order.len() && found.iter().enumerate().all(|(i, p)| i == *p);
    all.then_some(Region { space: Space::Arena, offset: layout.offsets.gradients, len: layout.offsets.parameter_len })
}
