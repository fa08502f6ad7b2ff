//! A program under test on a backend: compiled, loaded, with its state in the buffers and guards in the scratch.

use std::future::Future;
use std::time::Duration;

use downhill_graph::tensors::{Env, Tensor};
use downhill_graph::{Graph, StepScalars};
use web_time::Instant;

use crate::{Completed, Executor, LayoutSpec, Options, Plan, ProgramId, Progress, Region, Space, StateLayout, compile};

/// What lies where nothing may be written.
pub(super) const GUARD: u32 = 0x7fc0_beef;

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
        for (entry, tensor) in layout.states.iter().zip(&env.states) {
            put(Space::Arena, layout.offsets.states + entry.offset, &words(tensor));
        }
        put(Space::Arena, layout.offsets.flag, &[u32::from(env.non_finite)]);
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
            Completed::DeviceLost(why) => panic!("the device was lost: {why}\n{}", self.plan),
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
    StateLayout::new(&spec).expect("a test's state fits")
}

/// A tensor as a buffer holds it.
pub(super) fn words(tensor: &Tensor) -> Vec<u32> {
    let integers = tensor.is_integer();
    tensor.data.iter().map(|&v| if integers { v as u32 } else { (v as f32).to_bits() }).collect()
}
