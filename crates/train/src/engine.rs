use std::time::Duration;

use downhill_compile::{
    Completed, ExecError, Executor, LayoutSpec, Options, Plan, PlanOutput, ProgramId, Progress, ReadId, Region, Space,
    StateLayout, Ticket, compile,
};
use downhill_cpu::CpuExecutor;
use downhill_graph::{Feed, Graph, StepScalars};
use downhill_tensor::UserError;
use web_time::Instant;

/// A program that is ready to run.
#[derive(Clone, Debug)]
pub struct Program {
    /// For submits.
    pub id: ProgramId,
    /// What can be read after a run.
    pub outputs: Vec<PlanOutput>,
    /// Kernels per run.
    pub kernels: usize,
    /// Floating-point operations per run.
    pub flops: u64,
}

impl Program {
    /// Where the output of this name lies.
    pub fn output(&self, name: &str) -> Option<&PlanOutput> {
        self.outputs.iter().find(|o| o.name == name)
    }
}

/// An executor with the layout that all programs of a run share.
///
/// Work takes effect in the order it is queued, so whoever queues a read after a step sees the state behind that step.
pub struct Engine {
    executor: CpuExecutor,
    layout: StateLayout,
    completed: Vec<Completed>,
}

impl Engine {
    /// An engine for state and data of this layout, all zero.
    ///
    /// # Errors
    /// When the state is larger than an arena can be.
    pub fn new(spec: &LayoutSpec) -> Result<Self, UserError> {
        let layout = StateLayout::new(spec).map_err(|e| too_large(&e))?;
        Ok(Self { executor: CpuExecutor::new(), layout, completed: Vec::new() })
    }

    /// The layout.
    pub fn layout(&self) -> &StateLayout {
        &self.layout
    }

    /// Compiles a graph and makes it ready.
    ///
    /// # Errors
    /// When it needs too much memory or cannot run here.
    pub fn load(&mut self, graph: &Graph, name: &str) -> Result<(Program, Plan), UserError> {
        let layout = self.layout_for(graph);
        let plan = compile(graph, name, &layout, &Options::default()).map_err(|e| too_large(&e))?;
        let id = self.executor.load(&plan).map_err(|e| failed(&e))?;
        let program = Program { id, outputs: plan.outputs.clone(), kernels: plan.steps.len(), flops: plan.flops() };
        Ok((program, plan))
    }

    /// The layout as this graph sees it: a program with fewer rows reads the head of a feed's place.
    fn layout_for(&self, graph: &Graph) -> StateLayout {
        let mut layout = self.layout.clone();
        for (known, _) in &mut layout.feeds {
            let same = |f: &&Feed| f.name == known.name && f.kind == known.kind && f.ty.shape.numel() <= known.ty.shape.numel();
            if let Some(feed) = graph.feeds().iter().find(same) {
                known.ty = feed.ty.clone();
            }
        }
        layout
    }

    /// Queues words for a feed; `row` is the row of a per-step feed's ring, 0 for a resident one. A feed that no program reads is
    /// skipped.
    ///
    /// # Errors
    /// When the words reach beyond the feed's place.
    pub fn feed(&mut self, name: &str, row: u32, words: &[u32]) -> Result<(), UserError> {
        let Some((at, stride)) = self.layout.feed(name) else { return Ok(()) };
        self.executor.upload(Space::Data, at + row * stride, words).map_err(|e| failed(&e))
    }

    /// Queues a write to the arena.
    ///
    /// # Errors
    /// When the words reach beyond the arena.
    pub fn write(&mut self, at: u32, words: &[u32]) -> Result<(), UserError> {
        self.executor.upload(Space::Arena, at, words).map_err(|e| failed(&e))
    }

    /// Queues runs of a program.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn submit(&mut self, program: ProgramId, steps: &[StepScalars]) -> Result<Ticket, UserError> {
        self.executor.submit(program, steps).map_err(|e| failed(&e))
    }

    /// Queues a read.
    ///
    /// # Errors
    /// When a region lies outside its buffer.
    pub fn read(&mut self, regions: &[Region]) -> Result<ReadId, UserError> {
        self.executor.request_read(regions).map_err(|e| failed(&e))
    }

    /// Works until the deadline, or until nothing is queued.
    pub fn pump(&mut self, deadline: Instant) -> Progress {
        self.executor.pump(deadline)
    }

    /// Appends what is done to `out`.
    pub fn take_completed(&mut self, out: &mut Vec<Completed>) {
        out.append(&mut self.completed);
        self.executor.take_completed(out);
    }

    /// Nanoseconds that each kernel of a program takes. The state is afterwards as it was.
    ///
    /// # Errors
    /// When there is no memory for a copy of the state.
    pub fn profile(&mut self, program: ProgramId, step: &StepScalars) -> Result<Vec<f64>, UserError> {
        let times = self.executor.profile(program, step).map_err(|e| failed(&e))?;
        Ok(times.into_iter().map(|(_, nanoseconds)| nanoseconds).collect())
    }

    /// Works off everything queued.
    pub fn finish(&mut self) {
        while self.pump(Instant::now() + Duration::from_secs(1)) == Progress::Busy {}
    }

    /// Reads regions now, working off everything queued before. Other completions stay for [`Engine::take_completed`].
    ///
    /// # Errors
    /// When a region lies outside its buffer or the device is lost.
    pub fn fetch(&mut self, regions: &[Region]) -> Result<Vec<u32>, UserError> {
        let id = self.read(regions)?;
        self.finish();
        self.executor.take_completed(&mut self.completed);
        let at = self.completed.iter().position(|c| matches!(c, Completed::Read(read, _) if *read == id));
        match at.map(|at| self.completed.remove(at)) {
            Some(Completed::Read(_, words)) => Ok(words),
            _ => Err(UserError::new("A value could not be read back from the device.")),
        }
    }
}

fn too_large(error: &dyn std::error::Error) -> UserError {
    UserError::at("model", format!("This network cannot be set up: {error}."))
        .hint("Make layers smaller, use fewer of them, or lower the batch size.")
}

fn failed(error: &ExecError) -> UserError {
    UserError::new(format!("The training engine cannot go on: {error}.")).hint("Make layers smaller or lower the batch size.")
}
