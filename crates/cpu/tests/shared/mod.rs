//! What every target has to pass: the cases of all ops and their gradients, compiled in every way, against the f64 interpreter.

#![allow(dead_code, reason = "every test binary uses its part")]
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use downhill_compile::{Executor, LayoutSpec, Options, Plan, ProgramId, Progress, Region, Space, StateLayout, compile};
use downhill_cpu::CpuExecutor;
use downhill_graph::interp::{Env, Tensor, run};
use downhill_graph::ops::{OpCase, all_cases, compare};
use downhill_graph::{Graph, ScalarId, StepScalars};
use downhill_tensor::{Dtype, TensorTy};
use web_time::Instant;

pub mod net;

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
    pub executor: CpuExecutor,
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

impl Bench {
    /// Compiles and loads a graph, with the environment in the buffers and guards in the scratch.
    pub fn new(graph: &Graph, env: &Env, options: &Options) -> Self {
        let layout = layout(graph, env.slots.len());
        let plan = compile(graph, "test", &layout, options).expect("a test compiles");
        let mut executor = CpuExecutor::new();
        let program = executor.load(&plan).expect("a test's plan is supported");
        let mut put = |space, at, words: &[u32]| executor.upload(space, at, words).expect("it fits");
        let scratch = (plan.arena_len - plan.state_len) as usize;
        put(Space::Arena, plan.state_len, &vec![GUARD; scratch]);
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
        Self { executor, plan, layout, program }
    }

    /// Runs one step.
    pub fn step(&mut self, step: &StepScalars) {
        self.executor.submit(self.program, &[*step]).expect("the program is loaded");
        while self.executor.pump(Instant::now() + Duration::from_secs(60)) == Progress::Busy {}
    }

    pub fn floats(&self, at: u32, len: u32) -> Vec<f32> {
        self.executor.arena()[at as usize..(at + len) as usize].iter().map(|&w| f32::from_bits(w)).collect()
    }

    fn region(&self, region: &Region) -> Vec<u32> {
        match region.space {
            Space::Arena => self.executor.arena()[region.offset as usize..region.end() as usize].to_vec(),
            Space::Data => Vec::new(),
        }
    }
}

/// Whether every scratch word that no step writes still holds its guard.
fn guards_hold(bench: &Bench) -> bool {
    let mut written = vec![false; bench.plan.arena_len as usize];
    let writes = bench.plan.steps.iter().flat_map(|s| &s.writes);
    for arg in writes {
        written[arg.region.offset as usize..arg.region.end() as usize].fill(true);
    }
    let state = bench.plan.state_len as usize;
    written.iter().enumerate().skip(state).all(|(i, &w)| w || bench.executor.arena()[i] == GUARD)
}

/// Runs a graph on the executor in all four ways and compares everything that can be seen afterwards.
pub fn check(name: &str, graph: &Graph, env: &Env, tolerance: f64) -> Result<(), String> {
    let mut after = env.clone();
    let reference = run(graph, &mut after);
    for options in OPTIONS {
        let mut bench = Bench::new(graph, env, &options);
        bench.step(&env.step);
        let here = |part: &str, e: String| format!("{name} {options:?}, {part}: {e}\n{}", bench.plan);
        for (out, value) in graph.outputs() {
            let want = reference.value(*value);
            let Some(found) = bench.plan.output(out) else { return Err(here(out, "it is missing".into())) };
            if found.region.space == Space::Data {
                continue;
            }
            let got = bench.region(&found.region);
            if want.ty.dtype == Dtype::U32 {
                let same = words(want) == got;
                if !same {
                    return Err(here(out, format!("{got:?}, expected {:?}", want.data)));
                }
            } else {
                let got: Vec<f32> = got.into_iter().map(f32::from_bits).collect();
                compare(&rounded(want), &got, tolerance).map_err(|e| here(out, e))?;
            }
        }
        check_state(&bench, &after, tolerance).map_err(|e| here("state", e))?;
        check_ring(&bench, &after, tolerance).map_err(|e| here("ring", e))?;
        if !guards_hold(&bench) {
            return Err(here("guards", "a kernel wrote where it may not".into()));
        }
    }
    Ok(())
}

fn check_state(bench: &Bench, after: &Env, tolerance: f64) -> Result<(), String> {
    let offsets = &bench.layout.offsets;
    for (p, tensor) in after.parameters.iter().enumerate() {
        let entry = &bench.layout.entries[bench.layout.order[p] as usize];
        compare(&rounded(tensor), &bench.floats(offsets.parameters + entry.offset, entry.len), tolerance)?;
        for (s, slot) in after.slots.iter().enumerate() {
            let base = offsets.slots + s as u32 * offsets.parameter_len;
            compare(&rounded(&slot[p]), &bench.floats(base + entry.offset, entry.len), tolerance)?;
        }
        let padding = entry.offset + entry.len..entry.offset + entry.len.div_ceil(4) * 4;
        for i in padding {
            if bench.executor.arena()[(offsets.gradients + i) as usize] != 0 {
                return Err(format!("the padding behind {} is not zero", entry.name));
            }
        }
    }
    let flag = bench.executor.arena()[offsets.flag as usize];
    if (flag != 0) == after.non_finite { Ok(()) } else { Err(format!("the flag is {flag}")) }
}

fn check_ring(bench: &Bench, after: &Env, tolerance: f64) -> Result<(), String> {
    if after.step.record == StepScalars::NO_RECORD || after.recorded.is_empty() {
        return Ok(());
    }
    let offsets = &bench.layout.offsets;
    let row = offsets.ring + after.step.record * offsets.ring_stride;
    if bench.executor.arena()[row as usize] != after.step.step {
        return Err("the row does not name its step".into());
    }
    let want = Tensor { ty: TensorTy::f32([after.recorded.len()]), data: after.recorded.clone() };
    compare(&want, &bench.floats(row + 2, after.recorded.len() as u32), tolerance)
}

/// What can be stored in f32: what is larger is infinite there.
fn rounded(tensor: &Tensor) -> Tensor {
    Tensor { ty: tensor.ty.clone(), data: tensor.data.iter().map(|&v| f64::from(v as f32)).collect() }
}

fn is_empty(case: &OpCase) -> bool {
    case.inputs.iter().any(|t| t.ty.shape.numel() == 0)
}

/// Every case of every op, and the gradients of those that have some.
pub fn all_cases_agree() {
    let mut failures = Vec::new();
    let cases = all_cases();
    assert!(cases.len() > 100);
    for case in cases.iter().filter(|c| !is_empty(c)) {
        let (graph, env) = case.graph();
        failures.extend(check(&case.name, &graph, &env, case.tolerance).err());
        if let Some((graph, env)) = case.gradient_graph() {
            failures.extend(check(&format!("gradient of {}", case.name), &graph, &env, case.tolerance.max(1e-5)).err());
        }
    }
    assert!(failures.is_empty(), "{} of {} cases fail:\n{}", failures.len(), cases.len(), failures.join("\n"));
}
