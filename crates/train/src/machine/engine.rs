//! One executor, on the CPU or on a device, with the layout that all its programs share. Work is queued in order; nothing here knows of
//! training.

use std::time::Duration;

use downhill_compile::{
    Completed, ExecError, Executor, LayoutSpec, Options, Plan, PlanOutput, ProgramId, Progress, ReadId, Region, Slots, Space,
    StateLayout, Ticket, compile,
};
use downhill_cpu::CpuExecutor;
use downhill_gpu::{Clock, GpuDevice, GpuExecutor};
use downhill_graph::{Feed, Graph, StepScalars};
use downhill_protocol::Backend;
use downhill_tensor::UserError;
use web_time::Instant;

/// A program that is ready to run.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// For submits.
    pub id: ProgramId,
    /// What can be read after a run.
    pub outputs: Vec<PlanOutput>,
    /// Kernels per run.
    pub kernels: usize,
    /// Floating-point operations per run.
    pub flops: u64,
}

impl Loaded {
    /// Where the output of this name lies.
    pub fn output(&self, name: &str) -> Option<&PlanOutput> {
        self.outputs.iter().find(|o| o.name == name)
    }
}

/// What runs the plans.
#[allow(clippy::large_enum_variant, reason = "there is one in a session, and it stays where it is")]
enum Runner {
    Cpu(CpuExecutor),
    Gpu(GpuExecutor),
}

impl Runner {
    /// On this device, or on the CPU.
    fn new(device: Option<&GpuDevice>) -> Self {
        match device {
            Some(device) => Self::Gpu(GpuExecutor::new(device)),
            None => Self::Cpu(CpuExecutor::new()),
        }
    }

    fn backend(&self) -> Backend {
        match self {
            Self::Cpu(_) => Backend::Cpu,
            Self::Gpu(_) => Backend::Gpu,
        }
    }

    fn load(&mut self, plan: &Plan) -> Result<ProgramId, UserError> {
        let backend = self.backend();
        self.executor().load(plan).map_err(|e| failed(backend, &e))
    }

    fn executor(&mut self) -> &mut dyn Executor {
        match self {
            Self::Cpu(cpu) => cpu,
            Self::Gpu(gpu) => gpu,
        }
    }
}

/// A plan and the number under which the executor of now knows it.
struct Slot {
    plan: Plan,
    there: ProgramId,
}

/// An executor with the layout that all programs of a run share.
///
/// Work takes effect in the order it is queued, so whoever queues a read after a step sees the state behind that step. What waits for the
/// device is asynchronous: in a browser its answers come only while the thread is given back.
pub struct Engine {
    runner: Runner,
    layout: StateLayout,
    /// What is loaded, by the number that [`Loaded::id`] gives it here, so that another executor can take over.
    slots: Slots<Slot>,
    completed: Vec<Completed>,
}

impl Engine {
    /// An engine for state and data of this layout, all zero, on a device or on the CPU.
    ///
    /// # Errors
    /// When the state is larger than an arena can be.
    pub fn new(spec: &LayoutSpec, device: Option<&GpuDevice>) -> Result<Self, UserError> {
        let layout = StateLayout::new(spec).map_err(|e| too_large(&e))?;
        Ok(Self { runner: Runner::new(device), layout, slots: Slots::default(), completed: Vec::new() })
    }

    /// Another engine with the same programs under the same numbers, its state and data all zero.
    ///
    /// # Errors
    /// When a program cannot run there.
    pub fn replica(&self, device: Option<&GpuDevice>) -> Result<Self, UserError> {
        Self::with_plans(self.layout.clone(), self.slots.iter().map(|slot| Some(slot?.plan.clone())), device)
    }

    /// An engine with these programs, numbered in their order; `None` leaves a number free.
    ///
    /// # Errors
    /// When a program cannot run there.
    pub fn with_plans(
        layout: StateLayout,
        plans: impl IntoIterator<Item = Option<Plan>>,
        device: Option<&GpuDevice>,
    ) -> Result<Self, UserError> {
        let mut runner = Runner::new(device);
        let mut load = |plan: Plan| runner.load(&plan).map(|there| Slot { there, plan });
        let slots = plans.into_iter().map(|plan| plan.map(&mut load).transpose()).collect::<Result<_, _>>()?;
        Ok(Self { runner, layout, slots, completed: Vec::new() })
    }

    /// What runs the programs.
    pub fn backend(&self) -> Backend {
        self.runner.backend()
    }

    /// The device that runs the programs, if it is not the CPU.
    pub fn device(&self) -> Option<&GpuDevice> {
        self.gpu().map(GpuExecutor::device)
    }

    /// What runs the programs on a device.
    pub fn gpu(&self) -> Option<&GpuExecutor> {
        match &self.runner {
            Runner::Cpu(_) => None,
            Runner::Gpu(gpu) => Some(gpu),
        }
    }

    /// Why the device can no longer be used; the CPU is never lost.
    pub fn lost(&self) -> Option<String> {
        self.device().and_then(GpuDevice::fault)
    }

    /// The layout.
    pub fn layout(&self) -> &StateLayout {
        &self.layout
    }

    /// The plan of a program.
    pub fn plan(&self, program: ProgramId) -> Option<&Plan> {
        Some(&self.slot(program)?.plan)
    }

    fn slot(&self, program: ProgramId) -> Option<&Slot> {
        self.slots.get(program)
    }

    /// The executor's own number of a program.
    fn there(&self, program: ProgramId) -> Result<ProgramId, UserError> {
        self.slot(program).map(|slot| slot.there).ok_or_else(|| UserError::new("A program was used after it was unloaded."))
    }

    /// All plans with their numbers.
    pub fn plans(&self) -> impl Iterator<Item = (ProgramId, &Plan)> {
        (0..).map(ProgramId).zip(self.slots.iter()).filter_map(|(id, slot)| Some((id, &slot?.plan)))
    }

    /// Compiles a graph and makes it ready.
    ///
    /// # Errors
    /// When it needs too much memory or cannot run here.
    pub fn load(&mut self, graph: &Graph, name: &str) -> Result<(Loaded, Plan), UserError> {
        self.take_up(self.compile(graph, name)?)
    }

    /// Compiles a graph and makes it ready, as [`Engine::load`] does, but waits for the shaders of a device one by one: a browser that compiles
    /// all of them at once does not draw meanwhile.
    ///
    /// # Errors
    /// As [`Engine::load`].
    pub async fn load_gently(&mut self, graph: &Graph, name: &str) -> Result<(Loaded, Plan), UserError> {
        let plan = self.compile(graph, name)?;
        if let Some(device) = self.device() {
            // What does not compile is told when it is loaded.
            let _ = device.warm(&plan).await;
        }
        self.take_up(plan)
    }

    /// Compiles a graph for this layout; loads nothing.
    ///
    /// # Errors
    /// When it needs too much memory.
    pub fn compile(&self, graph: &Graph, name: &str) -> Result<Plan, UserError> {
        compile(graph, name, &self.layout_for(graph), &Options::default()).map_err(|e| too_large(&e))
    }

    fn take_up(&mut self, plan: Plan) -> Result<(Loaded, Plan), UserError> {
        let there = self.runner.load(&plan)?;
        let id = self.slots.put(Slot { plan: plan.clone(), there });
        let program = Loaded { id, outputs: plan.outputs.clone(), kernels: plan.steps.len(), flops: plan.flops() };
        Ok((program, plan))
    }

    /// Forgets a program that nothing queued refers to.
    pub fn unload(&mut self, program: ProgramId) {
        if let Some(slot) = self.slots.take(program) {
            self.runner.executor().unload(slot.there);
        }
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
        self.runner.executor().upload(Space::Data, at + row * stride, words).map_err(|e| failed(self.backend(), &e))
    }

    /// Queues words for a part of a resident feed, from an element of it on; nothing where no program reads it.
    ///
    /// # Errors
    /// When the words reach beyond the data.
    pub fn feed_from(&mut self, name: &str, element: u32, words: &[u32]) -> Result<(), UserError> {
        let Some((at, _)) = self.layout.feed(name) else { return Ok(()) };
        self.runner.executor().upload(Space::Data, at + element, words).map_err(|e| failed(self.backend(), &e))
    }

    /// Queues a write to the arena.
    ///
    /// # Errors
    /// When the words reach beyond the arena.
    pub fn write(&mut self, at: u32, words: &[u32]) -> Result<(), UserError> {
        self.runner.executor().upload(Space::Arena, at, words).map_err(|e| failed(self.backend(), &e))
    }

    /// Queues runs of a program.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn submit(&mut self, program: ProgramId, steps: &[StepScalars]) -> Result<Ticket, UserError> {
        let program = self.there(program)?;
        self.runner.executor().submit(program, steps).map_err(|e| failed(self.backend(), &e))
    }

    /// Queues a read.
    ///
    /// # Errors
    /// When a region lies outside its buffer.
    pub fn read(&mut self, regions: &[Region]) -> Result<ReadId, UserError> {
        self.runner.executor().request_read(regions).map_err(|e| failed(self.backend(), &e))
    }

    /// Works until the deadline, or until nothing is queued.
    pub fn pump(&mut self, deadline: Instant) -> Progress {
        self.runner.executor().pump(deadline)
    }

    /// Appends what is done to `out`.
    pub fn take_completed(&mut self, out: &mut Vec<Completed>) {
        out.append(&mut self.completed);
        self.runner.executor().take_completed(out);
    }

    /// Nanoseconds that each kernel of a program takes, and by which clock. The state is afterwards as it was.
    ///
    /// # Errors
    /// When there is no memory for a copy of the state, or the device is lost.
    pub async fn profile(&mut self, program: ProgramId, step: &StepScalars) -> Result<(Vec<f64>, &'static str), UserError> {
        let program = self.there(program)?;
        match &mut self.runner {
            Runner::Cpu(cpu) => {
                let times = cpu.profile(program, step).map_err(|e| failed(Backend::Cpu, &e))?;
                Ok((times.into_iter().map(|(_, nanoseconds)| nanoseconds).collect(), "clock"))
            }
            Runner::Gpu(gpu) => {
                let profile = gpu.profile(program, step).await.map_err(|e| failed(Backend::Gpu, &e))?;
                let clock = match profile.clock {
                    Clock::Timestamps => "timestamps",
                    Clock::Replay => "replay",
                };
                Ok((profile.nanos, clock))
            }
        }
    }

    /// Nanoseconds that giving a dispatch of a program to a device takes; `None` on the CPU.
    pub fn encoding_time(&self, program: ProgramId) -> Option<f64> {
        self.gpu()?.encoding_time(self.slot(program)?.there)
    }

    /// Works off everything queued.
    pub async fn finish(&mut self) {
        match &mut self.runner {
            Runner::Cpu(cpu) => while cpu.pump(Instant::now() + Duration::from_secs(1)) == Progress::Busy {},
            Runner::Gpu(gpu) => gpu.finish().await,
        }
    }

    /// Waits until the device has done some of what was queued; at once where the CPU works.
    pub fn landing(&self) -> impl Future<Output = ()> + use<> {
        let landing = self.gpu().map(GpuExecutor::landing);
        async {
            if let Some(landing) = landing {
                landing.await;
            }
        }
    }

    /// Reads regions now, working off everything queued before. Other completions stay for [`Engine::take_completed`].
    ///
    /// # Errors
    /// When a region lies outside its buffer or the device is lost.
    pub async fn fetch(&mut self, regions: &[Region]) -> Result<Vec<u32>, UserError> {
        let id = self.read(regions)?;
        self.finish().await;
        self.runner.executor().take_completed(&mut self.completed);
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

fn failed(backend: Backend, error: &ExecError) -> UserError {
    let place = match backend {
        Backend::Cpu => "CPU",
        Backend::Gpu => "GPU",
    };
    match error {
        ExecError::DeviceLost(why) => UserError::new(format!("The GPU was lost: {why}.")),
        _ => UserError::new(format!("This network cannot run on the {place}: {error}."))
            .hint("Make layers smaller, use fewer of them, or lower the batch size."),
    }
}
