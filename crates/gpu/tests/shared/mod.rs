//! What every device has to pass: the cases of all ops and their gradients, compiled in every way, against the f64 interpreter.

#![allow(dead_code, reason = "every test binary uses its part")]

use downhill_compile::{Completed, Executor, LayoutSpec, Options, Plan, ProgramId, Region, Space, StateLayout, compile};
use downhill_gpu::{GpuDevice, GpuExecutor};
use downhill_graph::interp::{Env, Tensor, run};
use downhill_graph::ops::{OpCase, all_cases, compare};
use downhill_graph::{Graph, ScalarId, StepScalars};
use downhill_tensor::{Dtype, TensorTy};

#[cfg(not(target_arch = "wasm32"))]
pub mod native;
pub mod net;
#[cfg(not(target_arch = "wasm32"))]
pub mod networks;
pub mod products;

/// What lies where nothing may be written.
const GUARD: u32 = 0x7fc0_beef;

const OPTIONS: [Options; 4] = [
    Options { fuse: false, alias: false },
    Options { fuse: false, alias: true },
    Options { fuse: true, alias: false },
    Options { fuse: true, alias: true },
];

/// A program with its state, as a session would have them.
pub struct Bench {
    pub executor: GpuExecutor,
    pub plan: Plan,
    pub layout: StateLayout,
    pub program: ProgramId,
}

pub fn layout(graph: &Graph, slots: usize) -> StateLayout {
    let mut spec = LayoutSpec { slots, ring: 2, metrics: 8, ..LayoutSpec::default() };
    spec.include(graph);
    let groups = graph.parameters().iter().map(|p| p.group as usize + 1).max().unwrap_or(0);
    spec.groups = vec![(ScalarId::LR, ScalarId::DECAY); groups];
    StateLayout::new(&spec).expect("a test's state fits")
}

fn words(tensor: &Tensor) -> Vec<u32> {
    let integers = tensor.is_integer();
    tensor.data.iter().map(|&v| if integers { v as u32 } else { (v as f32).to_bits() }).collect()
}

/// Puts the environment into an executor's buffers, guards into the scratch.
pub fn fill(executor: &mut dyn Executor, plan: &Plan, layout: &StateLayout, graph: &Graph, env: &Env) {
    let mut put = |space, at, words: &[u32]| executor.upload(space, at, words).expect("it fits");
    put(Space::Arena, plan.state_len, &vec![GUARD; (plan.arena_len - plan.state_len) as usize]);
    for (p, tensor) in env.parameters.iter().enumerate() {
        let offset = layout.entries[layout.order[p] as usize].offset;
        put(Space::Arena, layout.offsets.parameters + offset, &words(tensor));
        for (s, slot) in env.slots.iter().enumerate() {
            let base = layout.offsets.slots + s as u32 * layout.offsets.parameter_len;
            put(Space::Arena, base + offset, &words(&slot[p]));
        }
    }
    for (feed, tensor) in graph.feeds().iter().zip(&env.feeds) {
        let (at, row) = layout.feed(&feed.name).expect("the layout has every feed");
        put(Space::Data, at + row * env.step.batch, &words(tensor));
    }
}

impl Bench {
    /// Compiles and loads a graph, with the environment in the buffers and guards in the scratch.
    pub fn new(device: &GpuDevice, graph: &Graph, env: &Env, options: &Options) -> Self {
        let layout = layout(graph, env.slots.len());
        let plan = compile(graph, "test", &layout, options).expect("a test compiles");
        let mut executor = GpuExecutor::new(device);
        let program = executor.load(&plan).unwrap_or_else(|e| panic!("a test's plan is supported: {e}\n{plan}"));
        fill(&mut executor, &plan, &layout, graph, env);
        Self { executor, plan, layout, program }
    }

    /// Queues one step.
    pub fn step(&mut self, step: &StepScalars) {
        self.executor.submit(self.program, &[*step]).expect("the program is loaded");
    }

    /// The whole arena, once everything queued has run.
    pub async fn arena(&mut self) -> Vec<u32> {
        let all = Region { space: Space::Arena, offset: 0, len: self.plan.arena_len };
        read(&mut self.executor, &[all]).await
    }
}

/// Reads regions, once everything queued has run.
pub async fn read(executor: &mut GpuExecutor, regions: &[Region]) -> Vec<u32> {
    let id = executor.request_read(regions).expect("the region exists");
    executor.finish().await;
    let mut done = Vec::new();
    executor.take_completed(&mut done);
    let found = done.into_iter().find_map(|c| match c {
        Completed::Read(read, words) if read == id => Some(words),
        Completed::DeviceLost(why) => panic!("the device was lost: {why}"),
        _ => None,
    });
    found.expect("a read completes")
}

/// An arena as it was read back, with what tells its parts.
struct Seen<'a> {
    arena: Vec<u32>,
    plan: &'a Plan,
    layout: &'a StateLayout,
}

impl Seen<'_> {
    fn floats(&self, at: u32, len: u32) -> Vec<f32> {
        self.arena[at as usize..(at + len) as usize].iter().map(|&w| f32::from_bits(w)).collect()
    }

    fn outputs(&self, graph: &Graph, run: &downhill_graph::interp::Run, tolerance: f64) -> Result<(), String> {
        for (out, value) in graph.outputs() {
            let want = run.value(*value);
            let found = self.plan.output(out).ok_or("an output is missing")?;
            if found.region.space == Space::Data {
                continue;
            }
            let got = &self.arena[found.region.offset as usize..found.region.end() as usize];
            if want.ty.dtype == Dtype::U32 {
                if words(want) != got {
                    return Err(format!("{out}: {got:?}, expected {:?}", want.data));
                }
                continue;
            }
            let got: Vec<f32> = got.iter().map(|&w| f32::from_bits(w)).collect();
            compare(&rounded(want), &got, tolerance).map_err(|e| format!("{out}: {e}"))?;
        }
        Ok(())
    }

    /// Whether every scratch word that no step writes still holds its guard.
    fn guards(&self) -> Result<(), String> {
        let mut written = vec![false; self.plan.arena_len as usize];
        for arg in self.plan.steps.iter().flat_map(|s| &s.writes) {
            written[arg.region.offset as usize..arg.region.end() as usize].fill(true);
        }
        let state = self.plan.state_len as usize;
        let broken = (state..written.len()).find(|&i| !written[i] && self.arena[i] != GUARD);
        broken.map_or(Ok(()), |i| Err(format!("a kernel wrote to {i}, where it may not")))
    }

    fn state(&self, after: &Env, tolerance: f64) -> Result<(), String> {
        let offsets = &self.layout.offsets;
        for (p, tensor) in after.parameters.iter().enumerate() {
            let entry = &self.layout.entries[self.layout.order[p] as usize];
            compare(&rounded(tensor), &self.floats(offsets.parameters + entry.offset, entry.len), tolerance)?;
            for (s, slot) in after.slots.iter().enumerate() {
                let base = offsets.slots + s as u32 * offsets.parameter_len;
                compare(&rounded(&slot[p]), &self.floats(base + entry.offset, entry.len), tolerance)?;
            }
            let padding = entry.offset + entry.len..entry.offset + entry.len.div_ceil(4) * 4;
            if padding.into_iter().any(|i| self.arena[(offsets.gradients + i) as usize] != 0) {
                return Err(format!("the padding behind {} is not zero", entry.name));
            }
        }
        let flag = self.arena[offsets.flag as usize];
        if (flag != 0) == after.non_finite { Ok(()) } else { Err(format!("the flag is {flag}")) }
    }

    fn ring(&self, after: &Env, tolerance: f64) -> Result<(), String> {
        if after.step.record == StepScalars::NO_RECORD || after.recorded.is_empty() {
            return Ok(());
        }
        let offsets = &self.layout.offsets;
        let row = offsets.ring + after.step.record * offsets.ring_stride;
        if self.arena[row as usize] != after.step.step {
            return Err("the row does not name its step".into());
        }
        let want = Tensor { ty: TensorTy::f32([after.recorded.len()]), data: after.recorded.clone() };
        compare(&want, &self.floats(row + 2, after.recorded.len() as u32), tolerance)
    }
}

/// Runs a graph in all four ways and compares everything that can be seen afterwards.
pub async fn check(device: &GpuDevice, name: &str, graph: &Graph, env: &Env, tolerance: f64) -> Result<(), String> {
    let mut after = env.clone();
    let reference = run(graph, &mut after);
    let mut known: Vec<Plan> = Vec::new();
    for options in OPTIONS {
        let mut bench = Bench::new(device, graph, env, &options);
        if known.contains(&bench.plan) {
            continue;
        }
        bench.step(&env.step);
        let arena = bench.arena().await;
        let seen = Seen { arena, plan: &bench.plan, layout: &bench.layout };
        let outcome = seen
            .outputs(graph, &reference, tolerance)
            .and_then(|()| seen.state(&after, tolerance))
            .and_then(|()| seen.ring(&after, tolerance))
            .and_then(|()| seen.guards());
        outcome.map_err(|e| format!("{name} {options:?}: {e}\n{}", bench.plan))?;
        known.push(bench.plan);
    }
    Ok(())
}

/// What can be stored in f32: what is larger is infinite there.
fn rounded(tensor: &Tensor) -> Tensor {
    Tensor { ty: tensor.ty.clone(), data: tensor.data.iter().map(|&v| f64::from(v as f32)).collect() }
}

fn is_empty(case: &OpCase) -> bool {
    case.inputs.iter().any(|t| t.ty.shape.numel() == 0)
}

/// Every case of every op, and the gradients of those that have some. Tolerances are the cases' own, but for gradients, which are
/// chains of several kernels.
pub async fn all_cases_agree(device: &GpuDevice) {
    let mut failures = Vec::new();
    let cases = all_cases();
    assert!(cases.len() > 100);
    for case in cases.iter().filter(|c| !is_empty(c)) {
        let (graph, env) = case.graph();
        failures.extend(check(device, &case.name, &graph, &env, case.tolerance).await.err());
        if let Some((graph, env)) = case.gradient_graph() {
            let name = format!("gradient of {}", case.name);
            failures.extend(check(device, &name, &graph, &env, case.tolerance.max(1e-5)).await.err());
        }
    }
    assert!(failures.is_empty(), "{} of {} cases fail:\n{}", failures.len(), cases.len(), failures.join("\n"));
}
