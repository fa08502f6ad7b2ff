//! What every backend has to pass: the cases of all ops and their gradients, compiled in every way, against the f64 interpreter, and
//! what [`Executor`] promises about order, repetition and refusal.

mod net;
pub mod promises;
mod seen;

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use downhill_graph::interp::{Env, Tensor, run};
use downhill_graph::ops::{OpCase, all_cases};
use downhill_graph::{Graph, ScalarId, StepScalars};
use web_time::Instant;

pub use net::{net, step};
use seen::Seen;

use crate::{Completed, Executor, LayoutSpec, Options, Plan, ProgramId, Progress, Region, Space, StateLayout, compile};

/// What lies where nothing may be written.
const GUARD: u32 = 0x7fc0_beef;

/// All ways to compile.
pub(crate) const OPTIONS: [Options; 4] = [
    Options { fuse: false, alias: false },
    Options { fuse: false, alias: true },
    Options { fuse: true, alias: false },
    Options { fuse: true, alias: true },
];

/// A backend under test.
pub trait Backend {
    /// What runs its plans.
    type Executor: Executor;

    /// An executor with empty buffers.
    fn executor(&self) -> Self::Executor;

    /// Runs everything queued.
    fn finish(executor: &mut Self::Executor) -> impl Future<Output = ()> {
        async { while executor.pump(Instant::now() + Duration::from_secs(60)) == Progress::Busy {} }
    }
}

/// A program with its state, as a session would have them.
pub struct Bench<B: Backend> {
    /// What runs it.
    pub executor: B::Executor,
    /// The compiled graph.
    pub plan: Plan,
    /// Where the state lies.
    pub layout: StateLayout,
    /// The loaded plan.
    pub program: ProgramId,
}

impl<B: Backend> Bench<B> {
    /// Compiles and loads a graph, with the environment in the buffers and guards in the scratch.
    pub fn new(backend: &B, graph: &Graph, env: &Env, options: &Options) -> Self {
        let layout = layout(graph, env.slots.len());
        let plan = compile(graph, "test", &layout, options).expect("a test compiles");
        let mut executor = backend.executor();
        let program = executor.load(&plan).unwrap_or_else(|e| panic!("a test's plan is supported: {e}\n{plan}"));
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
        Self { executor, plan, layout, program }
    }

    /// Queues one step.
    pub fn step(&mut self, step: &StepScalars) {
        self.executor.submit(self.program, &[*step]).expect("the program is loaded");
    }

    /// Runs everything queued and collects what has completed.
    pub async fn completed(&mut self) -> Vec<Completed> {
        B::finish(&mut self.executor).await;
        let mut done = Vec::new();
        self.executor.take_completed(&mut done);
        done
    }

    /// Reads a region, once everything queued has run.
    pub async fn read(&mut self, region: Region) -> Vec<u32> {
        let id = self.executor.request_read(&[region]).expect("the region exists");
        let found = self.completed().await.into_iter().find_map(|c| match c {
            Completed::Read(read, words) if read == id => Some(words),
            Completed::DeviceLost(why) => panic!("the device was lost: {why}"),
            _ => None,
        });
        found.expect("a read completes")
    }

    /// The whole arena, once everything queued has run.
    pub async fn arena(&mut self) -> Vec<u32> {
        self.read(Region { space: Space::Arena, offset: 0, len: self.plan.arena_len }).await
    }
}

/// The state of a graph with so many optimizer slots.
pub(crate) fn layout(graph: &Graph, slots: usize) -> StateLayout {
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

/// Runs a graph in all four ways and compares everything that can be seen afterwards.
///
/// # Errors
/// The first difference, with the plan.
pub async fn check<B: Backend>(backend: &B, name: &str, graph: &Graph, env: &Env, tolerance: f64) -> Result<(), String> {
    let mut after = env.clone();
    let reference = run(graph, &mut after);
    let mut known: Vec<Plan> = Vec::new();
    for options in OPTIONS {
        let mut bench = Bench::new(backend, graph, env, &options);
        if known.contains(&bench.plan) {
            continue;
        }
        bench.step(&env.step);
        let seen = Seen { arena: bench.arena().await, plan: &bench.plan, layout: &bench.layout, tolerance };
        let outcome = seen.compare(graph, &reference, &after);
        outcome.map_err(|e| format!("{name} {options:?}: {e}\n{}", bench.plan))?;
        known.push(bench.plan);
    }
    Ok(())
}

/// The cases of all ops that have something to compute.
pub(crate) fn cases() -> Vec<OpCase> {
    let cases: Vec<OpCase> =
        all_cases().into_iter().filter(|case| case.inputs.iter().all(|t| t.ty.shape.numel() > 0)).collect();
    assert!(cases.len() > 100);
    cases
}

/// Every case of every op, and the gradients of those that have some. Tolerances are the cases' own, but for gradients, which are
/// chains of several kernels.
pub async fn all_cases_agree<B: Backend>(backend: &B) {
    let mut failures = Vec::new();
    let cases = cases();
    for case in &cases {
        let (graph, env) = case.graph();
        failures.extend(check(backend, &case.name, &graph, &env, case.tolerance).await.err());
        if let Some((graph, env)) = case.gradient_graph() {
            let name = format!("gradient of {}", case.name);
            failures.extend(check(backend, &name, &graph, &env, case.tolerance.max(1e-5)).await.err());
        }
    }
    assert!(failures.is_empty(), "{} of {} cases fail:\n{}", failures.len(), cases.len(), failures.join("\n"));
}

/// Runs a future on this thread.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
        std::thread::yield_now();
    }
}
