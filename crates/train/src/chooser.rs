//! What trains: opens the GPU beside the run, tests it, measures both backends on the program of now, and moves the run to the better one.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use downhill_compile::{Plan, ProgramId, Progress, StateLayout};
use downhill_cpu::CpuExecutor;
use downhill_gpu::{DeviceOptions, GpuDevice, no_gpu, self_test};
use downhill_graph::StepScalars;
use downhill_protocol::{Backend, Backends, Choice, GpuInfo, GpuState, later};
use downhill_tensor::UserError;
use web_time::Instant;

use crate::machine::engine::Engine;
use crate::session::Session;

/// The GPU is looked for once the run is on its way.
const PATIENCE: Duration = Duration::from_millis(800);
/// How often a trial is looked after while the run rests.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(20);
/// What a backend is measured for, at least.
const ENOUGH: Duration = Duration::from_millis(50);
/// Longest time that the CPU is measured without a pause.
const SLICE: Duration = Duration::from_millis(4);
/// The GPU takes over only where it is so much faster: moving has its price, and measuring its error.
const CLEARLY: f64 = 1.15;

type Trial = Pin<Box<dyn Future<Output = Tried>>>;

struct Tried {
    device: Result<GpuDevice, UserError>,
    /// Steps per second on the CPU and on the device, as far as they were measured.
    cpu: Option<f64>,
    gpu: Option<f64>,
}

/// Chooses what trains a session, and says why.
pub struct Chooser {
    options: DeviceOptions,
    backends: Backends,
    device: Option<GpuDevice>,
    trial: Option<Trial>,
    /// Whether the trial measures the device: what else the thread does would be taken for the device's own slowness.
    quiet: Rc<Cell<bool>>,
    /// When the next trial begins.
    due: Option<Instant>,
    /// Build of the session that was tried.
    tried: Option<u32>,
    changed: bool,
}

impl Chooser {
    /// A chooser that looks for the GPU that is meant.
    pub fn new(options: DeviceOptions) -> Self {
        Self {
            options,
            backends: Backends::default(),
            device: None,
            trial: None,
            quiet: Rc::default(),
            due: Some(Instant::now() + PATIENCE),
            tried: None,
            changed: true,
        }
    }

    /// Decides who decides; takes effect with the next [`Chooser::advance`].
    pub fn choose(&mut self, choice: Choice) {
        self.backends.choice = choice;
        self.backends.note.clear();
        self.backends.may_return = false;
        let measured = matches!(&self.backends.gpu, GpuState::Ready(info) if info.rate.is_some());
        if !measured && choice != Choice::Fixed(Backend::Cpu) {
            self.tried = None;
        }
        self.due = Some(Instant::now());
        self.changed = true;
    }

    /// Whether a trial is under way or comes, so that somebody has to look after it.
    pub fn is_busy(&self, session: &Session) -> bool {
        self.trial.is_some() || self.due.is_some() && self.is_wanted(session)
    }

    /// Whether it matters what trains: a run that rests opens no device, unless somebody asks for one.
    fn is_wanted(&self, session: &Session) -> bool {
        self.backends.choice != Choice::Auto || session.is_running()
    }

    /// Whether the run has to rest for a moment, so that the device is measured fairly.
    pub fn wants_quiet(&self) -> bool {
        self.trial.is_some() && self.quiet.get()
    }

    /// The backends, if anything about them has changed since the last call.
    pub fn take_news(&mut self, session: &Session) -> Option<Backends> {
        let active = session.backend();
        self.changed |= self.backends.active != active;
        self.backends.active = active;
        std::mem::take(&mut self.changed).then(|| self.backends.clone())
    }

    /// The device, opened and tested now if it has not been.
    ///
    /// # Errors
    /// When there is none, or it failed its test.
    pub async fn device(&mut self) -> Result<GpuDevice, UserError> {
        if let Some(device) = self.device.as_ref().filter(|device| device.fault().is_none()) {
            return Ok(device.clone());
        }
        let device = open(&self.options).await;
        self.note_tried(Tried { device: device.clone(), cpu: None, gpu: None });
        device
    }

    /// Does what is due: takes note of a lost device, goes on with a trial, moves the session.
    pub async fn advance(&mut self, session: &mut Session) {
        if let Some(why) = session.take_loss() {
            self.note_loss(session, &why);
        } else if let (Backend::Cpu, Some(why)) = (session.backend(), self.device.as_ref().and_then(GpuDevice::fault)) {
            self.note_refusal(&UserError::new(format!("The GPU was lost ({why}).")));
        }
        self.begin_trial(session);
        if let Some(tried) = self.poll_trial().await {
            self.note_tried(tried);
        }
        let device = match self.wanted() {
            Some(Backend::Cpu) => None,
            Some(Backend::Gpu) => self.device.clone(),
            None => return,
        };
        if device.is_some() == (session.backend() == Backend::Gpu) {
            return;
        }
        match session.move_to(device.as_ref()).await {
            Ok(()) => self.note_move(session),
            Err(error) => self.note_refusal(&error),
        }
    }

    /// What is to train; `None` while that is not known.
    fn wanted(&self) -> Option<Backend> {
        match self.backends.choice {
            Choice::Fixed(Backend::Cpu) => Some(Backend::Cpu),
            Choice::Fixed(Backend::Gpu) => {
                (self.device.is_some() && self.trial.is_none() && self.due.is_none()).then_some(Backend::Gpu)
            }
            Choice::Auto => {
                let GpuState::Ready(info) = &self.backends.gpu else { return None };
                if info.software {
                    return Some(Backend::Cpu);
                }
                Some(if info.rate? > CLEARLY * self.backends.cpu_rate? { Backend::Gpu } else { Backend::Cpu })
            }
        }
    }

    /// A new program is tried, once the run is on its way.
    fn begin_trial(&mut self, session: &Session) {
        if self.trial.is_some() {
            return;
        }
        let now = Instant::now();
        if self.tried.is_some_and(|build| build != session.machine.builds()) {
            self.tried = None;
            self.due = Some(now + PATIENCE);
        }
        if self.due.is_none_or(|due| now < due) || !self.is_wanted(session) {
            return;
        }
        self.due = None;
        if self.tried.is_some() || self.backends.choice == Choice::Fixed(Backend::Cpu) {
            return;
        }
        self.tried = Some(session.machine.builds());
        let by_hand = self.backends.choice != Choice::Auto;
        let subject = Subject::of(session);
        self.trial = Some(Box::pin(try_out(self.device.clone(), self.options.clone(), subject, by_hand, self.quiet.clone())));
        if self.device.is_none() {
            self.backends.gpu = GpuState::Preparing;
        }
        self.changed = true;
    }

    /// Lets the trial go on as far as it can; it wakes whoever advances the session.
    async fn poll_trial(&mut self) -> Option<Tried> {
        let trial = self.trial.as_mut()?;
        let polled = poll_fn(|cx| Poll::Ready(trial.as_mut().poll(cx))).await;
        let Poll::Ready(tried) = polled else { return None };
        self.trial = None;
        Some(tried)
    }

    fn note_tried(&mut self, tried: Tried) {
        self.changed = true;
        self.backends.cpu_rate = tried.cpu.or(self.backends.cpu_rate);
        match tried.device {
            Ok(device) => {
                let adapter = device.adapter();
                self.backends.gpu = GpuState::Ready(GpuInfo {
                    adapter: adapter.name.clone(),
                    api: adapter.api.to_string(),
                    software: adapter.software,
                    rate: tried.gpu,
                });
                self.device = Some(device);
            }
            Err(error) => self.note_refusal(&error),
        }
    }

    fn note_refusal(&mut self, error: &UserError) {
        self.changed = true;
        (self.device, self.tried) = (None, None);
        self.backends.gpu = GpuState::Unusable { why: error.to_string() };
        if self.backends.choice == Choice::Fixed(Backend::Gpu) {
            self.backends.choice = Choice::Fixed(Backend::Cpu);
            self.backends.note = error.to_string();
        }
    }

    fn note_loss(&mut self, session: &Session, why: &str) {
        self.changed = true;
        // A device that is well refused this one network; another may fit.
        self.device = self.device.take().filter(|device| device.fault().is_none());
        (self.trial, self.due, self.tried) = (None, None, None);
        self.backends.choice = Choice::Fixed(Backend::Cpu);
        self.backends.gpu = GpuState::Unusable { why: why.to_string() };
        self.backends.note = format!("{why} Training went on on the CPU from step {}.", session.step_count());
        self.backends.may_return = true;
    }

    fn note_move(&mut self, session: &Session) {
        self.changed = true;
        let step = session.step_count();
        let rates = match &self.backends.gpu {
            GpuState::Ready(info) => info.rate.zip(self.backends.cpu_rate),
            _ => None,
        };
        self.backends.note = match (session.backend(), self.backends.choice, rates) {
            (Backend::Gpu, Choice::Auto, Some((gpu, cpu))) => {
                format!("The GPU took over at step {step}: it is {:.1}× as fast for this network.", gpu / cpu)
            }
            (Backend::Gpu, ..) => format!("The GPU trains since step {step}."),
            (Backend::Cpu, ..) => format!("The CPU trains since step {step}."),
        };
    }
}

/// Opens a device and tests it: every kernel family against the CPU.
///
/// # Errors
/// When there is none, or a kernel of it computes something else.
pub async fn open(options: &DeviceOptions) -> Result<GpuDevice, UserError> {
    if !later::may_have_gpu().await {
        return Err(no_gpu());
    }
    later::run(|| opened(options)).await
}

/// [`open`], where the code for it has arrived.
async fn opened(options: &DeviceOptions) -> Result<GpuDevice, UserError> {
    let device = GpuDevice::request(options).await?;
    self_test(&device, &mut CpuExecutor::new()).await.map_err(|e| {
        // Browsers end their sentences themselves.
        let (name, why) = (&device.adapter().name, e.to_string());
        UserError::new(format!("The GPU {name} is not used, because it failed its test: {}.", why.trim_end_matches('.')))
            .hint("Training goes on on the CPU.")
    })?;
    Ok(device)
}

/// The programs of a session, to be tried beside it.
struct Subject {
    layout: StateLayout,
    /// The training program first.
    plans: Vec<Plan>,
    /// What the optimizer is given, so that weights and slots stay finite as in the run.
    scalars: StepScalars,
    /// Runs of the training program that make a step.
    micros: usize,
}

impl Subject {
    fn of(session: &Session) -> Self {
        let machine = &session.machine;
        let (train, others): (Vec<_>, Vec<_>) = machine.engine().plans().partition(|(id, _)| *id == machine.train().id);
        let plans = train.into_iter().chain(others).map(|(_, plan)| plan.clone()).collect();
        Self {
            layout: machine.layout().clone(),
            plans,
            scalars: session.run.experiment().step_scalars(0),
            micros: session.run.micros(),
        }
    }

    /// Steps per second of the training program; `quiet` is set while a device is measured.
    async fn rate(&self, device: Option<&GpuDevice>, quiet: &Cell<bool>) -> Result<f64, UserError> {
        let plan = self.plans.first().ok_or_else(|| UserError::new("Nothing is compiled yet."))?;
        if let Some(device) = device {
            device.warm(plan).await.map_err(|e| UserError::new(format!("The GPU cannot run this network: {e}.")))?;
        }
        let engine = Engine::with_plans(self.layout.clone(), [Some(plan.clone())], device)?;
        quiet.set(device.is_some());
        Ok(rate(engine, self.scalars).await? / self.micros as f64)
    }
}

/// Opens a device if there is none yet, and measures both backends; a software adapter only where it was asked for `by_hand`. What the
/// session needs to move there without a pause is then ready.
async fn try_out(
    device: Option<GpuDevice>,
    options: DeviceOptions,
    subject: Subject,
    by_hand: bool,
    quiet: Rc<Cell<bool>>,
) -> Tried {
    let cpu = subject.rate(None, &quiet).await.ok();
    let opened = match device {
        Some(device) => Ok(device),
        None => open(&options).await,
    };
    let (device, gpu) = match opened {
        Ok(device) if by_hand || !device.adapter().software => {
            let gpu = subject.rate(Some(&device), &quiet).await;
            quiet.set(false);
            match gpu {
                Ok(gpu) => (Ok(device), Some(gpu)),
                Err(error) => (Err(error), None),
            }
        }
        opened => (opened, None),
    };
    if let (Ok(device), Some(gpu)) = (&device, gpu)
        && (by_hand || cpu.is_none_or(|cpu| gpu > CLEARLY * cpu))
    {
        for plan in &subject.plans {
            // What does not compile is told when it is loaded.
            let _ = device.warm(plan).await;
        }
    }
    Tried { device, cpu, gpu }
}

impl Session {
    /// Steps per second that the training program reaches on a device or on the CPU, measured for a moment on zeros, beside the run.
    ///
    /// # Errors
    /// When it does not run there.
    pub async fn rate_on(&self, device: Option<&GpuDevice>) -> Result<f64, UserError> {
        Subject::of(self).rate(device, &Cell::new(false)).await
    }
}

async fn rate(mut engine: Engine, scalars: StepScalars) -> Result<f64, UserError> {
    let program = ProgramId(0);
    let ring = engine.layout().ring.max(1) as usize;
    // The first step shows what is compiled or allocated late.
    timed(&mut engine, program, scalars, 1).await?;
    let mut steps = 1;
    loop {
        let time = timed(&mut engine, program, scalars, steps).await?.as_secs_f64();
        if time >= ENOUGH.as_secs_f64() || steps >= 64 * ring {
            return Ok(steps as f64 / time.max(1e-9));
        }
        let factor = (1.5 * ENOUGH.as_secs_f64() / time.max(1e-6)).clamp(2.0, 16.0);
        steps = (steps as f64 * factor) as usize;
    }
}

/// Time that some steps take. The CPU is timed while it works and gives the thread back in between; a device works meanwhile.
async fn timed(engine: &mut Engine, program: ProgramId, scalars: StepScalars, steps: usize) -> Result<Duration, UserError> {
    let ring = engine.layout().ring.max(1) as usize;
    let scalars = vec![scalars; steps.min(ring)];
    let mut left = steps;
    let start = Instant::now();
    while left > 0 {
        let now = left.min(ring);
        engine.submit(program, &scalars[..now])?;
        left -= now;
    }
    if engine.backend() == Backend::Gpu {
        engine.finish().await;
        return match engine.lost() {
            Some(why) => Err(UserError::new(format!("The GPU was lost while it was measured: {why}."))),
            None => Ok(start.elapsed()),
        };
    }
    let mut worked = Duration::ZERO;
    loop {
        let start = Instant::now();
        let progress = engine.pump(start + SLICE);
        worked += start.elapsed();
        if progress == Progress::Idle {
            return Ok(worked);
        }
        give_way().await;
    }
}

/// Lets whoever polls do something else once.
async fn give_way() {
    let mut waited = false;
    poll_fn(|_| if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }).await;
}

#[cfg(all(test, not(target_arch = "wasm32")))]
#[allow(clippy::unwrap_used, reason = "a helper that cannot go on has failed its test")]
mod tests {
    use downhill_data::Bundled;
    use downhill_model::Experiment;

    use super::*;
    use crate::ready;

    const RUN: &str = r#"{ "version": 1, "data": { "spirals": { "samples": 100 } }, "model": [{ "linear": { "out": "classes" } }],
        "training": { "batch_size": 10 }, "view": { "pace": "max" } }"#;

    /// A chooser that has measured both, on a device of this kind.
    fn measured(cpu: f64, gpu: f64, software: bool) -> Chooser {
        let mut chooser = Chooser::new(DeviceOptions::default());
        let info = GpuInfo { adapter: "a card".into(), api: "WebGPU".into(), software, rate: Some(gpu) };
        (chooser.backends.gpu, chooser.backends.cpu_rate) = (GpuState::Ready(info), Some(cpu));
        (chooser.due, chooser.tried) = (None, Some(1));
        chooser
    }

    #[test]
    fn auto_takes_the_gpu_where_it_is_clearly_faster_and_no_program_that_computes_on_the_cpu() {
        assert_eq!(measured(100.0, 200.0, false).wanted(), Some(Backend::Gpu));
        assert_eq!(measured(100.0, 110.0, false).wanted(), Some(Backend::Cpu));
        assert_eq!(measured(100_000.0, 2_000.0, false).wanted(), Some(Backend::Cpu));
        assert_eq!(measured(100.0, 200.0, true).wanted(), Some(Backend::Cpu));
        let mut unmeasured = measured(100.0, 200.0, false);
        unmeasured.backends.cpu_rate = None;
        assert_eq!(unmeasured.wanted(), None);
    }

    #[test]
    fn a_run_moves_to_the_faster_backend_in_the_middle_and_says_so() {
        let device = match ready(GpuDevice::request(&DeviceOptions::default())) {
            Ok(device) => device,
            Err(error) if std::env::var_os("DOWNHILL_REQUIRE_GPU").is_some() => panic!("{error}"),
            Err(error) => return eprintln!("skipped on the GPU: {error}"),
        };
        let mut session = Session::new(Experiment::parse(RUN).unwrap().experiment, &Bundled).unwrap();
        session.step(7);
        ready(session.run_until_rest()).unwrap();
        for (cpu, gpu, backend, told) in [
            (100.0, 250.0, Backend::Gpu, "The GPU took over at step 7: it is 2.5× as fast for this network."),
            (250.0, 100.0, Backend::Cpu, "The CPU trains since step 7."),
        ] {
            let mut chooser = measured(cpu, gpu, false);
            (chooser.device, chooser.tried) = (Some(device.clone()), Some(session.machine.builds()));
            ready(chooser.advance(&mut session));
            assert_eq!((session.backend(), session.step_count()), (backend, 7));
            assert_eq!(chooser.backends.note, told);
        }
    }
}
