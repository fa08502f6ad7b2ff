//! The workloads that are measured beside other engines: the same sizes, the same kind of data, the session's own loop.

use std::time::Duration;

use downhill_compile::{LayoutSpec, ProgramId};
use downhill_data::{Column, DataCard, Dataset, Field, INPUT, Normalisation, Part, TARGET, Task};
use downhill_gpu::GpuDevice;
use downhill_graph::ops::{FeedOp, MatMul};
use downhill_graph::{Feed, FeedKind, Graph, OpError, StepScalars};
use downhill_model::Experiment;
use downhill_protocol::{Backend, BenchRequest, BenchResult};
use downhill_tensor::{TensorTy, UserError, sort_short_by_key};
use serde_json::json;
use web_time::Instant;

use crate::compile_bench::{self, compile_times};
use crate::machine::engine::Engine;
use crate::session::Session;
use crate::session::next::Next;

/// All workloads.
pub const WORKLOADS: [&str; 8] =
    ["mlp-s-10", "mlp-s-128", "mlp-l", "gemm-512", "gemm-512-nt", "gemm-512-tn", "gemm-1024", "gemm-1024-nt"];
/// Batches that are cycled through.
const BATCHES: usize = 8;
/// Windows of a measurement; their median counts.
const WINDOWS: usize = 7;
const WARM_UP: Duration = Duration::from_secs(1);
/// Products on a device are submitted together until they take this long.
const PRODUCTS_TAKE: Duration = Duration::from_millis(20);
const SLICE: Duration = Duration::from_millis(8);

/// Measures a workload on a device, or on the CPU.
///
/// # Errors
/// When there is no workload of this name, or it does not run there.
pub async fn run(request: &BenchRequest, device: Option<&GpuDevice>) -> Result<BenchResult, UserError> {
    let seconds = if request.seconds.is_finite() { request.seconds.clamp(0.1, 600.0) } else { 3.0 };
    let window = downhill_tensor::seconds(seconds / WINDOWS as f64);
    let workload = request.workload.as_str();
    if let Some(gemm) = Gemm::parse(workload) {
        return gemm.run(workload, window, device).await;
    }
    if let Some(layers) = compile_bench::parse(workload) {
        return compiled(layers, Duration::from_secs_f64(seconds));
    }
    let mut session = session(workload)?;
    if device.is_some() {
        session.move_to(device).await?;
    }
    let began = Instant::now();
    session.set_pace(None);
    session.start();
    let rates = measure(window, async |until| advance(&mut session, until).await).await?;
    session.pause();
    session.run_until_rest().await?;
    let points = session.curves().points("loss");
    let tail = &points[points.len().saturating_sub(5)..];
    let last = tail.iter().map(|p| p.mean).sum::<f64>() / tail.len().max(1) as f64;
    let result = BenchResult {
        gflops: rates.median * session.machine.train().flops as f64 / 1e9,
        first_loss: points.first().map_or(f64::NAN, |p| p.mean),
        last_loss: last,
        notes: session.bench_notes(device, began.elapsed().as_secs_f64()),
        ..rates.result(workload)
    };
    Ok(result)
}

/// All programs of a network of so many layers, compiled: networks per second, and the milliseconds of each part.
fn compiled(layers: usize, time: Duration) -> Result<BenchResult, UserError> {
    let times = compile_times(&[layers], time)?.pop().ok_or_else(|| UserError::new("Nothing was measured."))?;
    let parts: Vec<String> = times.parts.iter().map(|(name, ms)| format!("{name} {ms:.2}")).collect();
    Ok(BenchResult {
        workload: format!("compile-{layers}"),
        steps_per_second: 1e3 / times.median,
        min: 1e3 / times.median,
        max: 1e3 / times.total,
        notes: format!("{:.2} ms for {} kernels: {}", times.total, times.kernels, parts.join(", ")),
        ..BenchResult::default()
    })
}

/// One training run of a workload, ready to start.
///
/// # Errors
/// When there is no workload of this name.
pub fn session(workload: &str) -> Result<Session, UserError> {
    let (batch, lr, data) = match workload {
        "mlp-s-10" => (10, 0.01, circles(10)),
        "mlp-s-128" => (128, 0.01, circles(128)),
        "mlp-l" => (128, 0.001, images(128)),
        _ => {
            let known = WORKLOADS.join(", ");
            return Err(UserError::new(format!("There is no workload `{workload}`.")).hint(format!("There are {known}.")));
        }
    };
    let linear = |out: usize, std: f64| json!({ "linear": { "out": out, "init": { "normal": { "std": std } } } });
    let (model, loss) = if workload == "mlp-l" {
        (json!([linear(512, 0.05), "relu", linear(256, 0.06), "relu", linear(10, 0.08)]), "cross_entropy")
    } else {
        (json!([linear(8, 0.7), "tanh", linear(8, 0.35), "tanh", linear(1, 0.35), "tanh"]), "mse")
    };
    let experiment = json!({
        "version": 1, "seed": 1, "data": "circles", "model": model, "loss": loss, "optimizer": { "adam": { "lr": lr } },
        "training": { "batch_size": batch, "eval_every": 1_000_000 }, "view": { "pace": "max" },
    });
    Session::with_data(Experiment::from_value(&experiment)?.experiment, data)
}

/// Which SIMD the CPU's kernels use.
pub(crate) fn simd() -> &'static str {
    match (cfg!(target_arch = "wasm32"), cfg!(feature = "relaxed-simd")) {
        (true, true) => "wasm relaxed-simd",
        (true, false) => "wasm simd128",
        _ => "native SIMD",
    }
}

/// What computes.
fn place(device: Option<&GpuDevice>) -> String {
    device.map_or_else(|| simd().to_string(), |d| format!("{} ({})", d.adapter().name, d.adapter().api))
}

impl Session {
    /// What computes and with how many kernels; on a device also what its kernels are made of and what giving them to it takes.
    fn bench_notes(&self, device: Option<&GpuDevice>, seconds: f64) -> String {
        let mut notes = format!("{}, {} kernels per step", place(device), self.machine.train().kernels);
        let counts = self.machine.engine().plan(self.machine.train().id).and_then(|plan| downhill_gpu::counts(plan).ok());
        if let (Some(gpu), Some(counts)) = (self.machine.engine().gpu(), counts) {
            let each = self.machine.engine().encoding_time(self.machine.train().id).unwrap_or_default() / 1e3;
            let together = self.run.done() as f64 / gpu.submits().max(1) as f64;
            let readbacks = gpu.readbacks() as f64 / seconds;
            notes += &format!(
                ", {} dispatches, {} pipelines, {each:.2} µs to encode a dispatch, {together:.1} steps per submit, {readbacks:.0} \
                 readbacks per second",
                counts.dispatches, counts.pipelines
            );
        }
        notes
    }
}

async fn advance(session: &mut Session, until: Instant) -> Result<u64, UserError> {
    let before = session.step_count();
    while Instant::now() < until {
        if session.advance((Instant::now() + SLICE).min(until)).await? == Next::Device {
            session.landing().await;
        }
        session.take_events();
    }
    if session.backend() == Backend::Gpu {
        // A step may outlast a window: what is counted has ended when the window does.
        session.settle().await?;
    }
    if let Some(why) = session.take_loss() {
        return Err(UserError::new(why));
    }
    Ok(session.step_count() - before)
}

struct Rates {
    median: f64,
    min: f64,
    max: f64,
}

impl Rates {
    fn result(&self, workload: &str) -> BenchResult {
        BenchResult {
            workload: workload.to_string(),
            steps_per_second: self.median,
            min: self.min,
            max: self.max,
            ..BenchResult::default()
        }
    }
}

/// Runs `work` until a moment again and again: warm-up, then [`WINDOWS`] windows. `work` says how much it did.
async fn measure(window: Duration, mut work: impl AsyncFnMut(Instant) -> Result<u64, UserError>) -> Result<Rates, UserError> {
    work(Instant::now() + WARM_UP).await?;
    let mut rates = Vec::with_capacity(WINDOWS);
    for _ in 0..WINDOWS {
        let start = Instant::now();
        let done = work(start + window).await?;
        rates.push(done as f64 / start.elapsed().as_secs_f64());
    }
    // Rates are not negative, so their bits sort as they do.
    sort_short_by_key(&mut rates, |rate: &f64| rate.to_bits());
    Ok(Rates { median: rates[WINDOWS / 2], min: rates[0], max: rates[WINDOWS - 1] })
}

/// A square product; `nt` and `tn` have one side stored transposed, as the gradients of a linear layer have.
pub(crate) struct Gemm {
    n: usize,
    op: MatMul,
}

impl Gemm {
    /// `n × n` times `n × n`.
    pub fn square(n: usize) -> Self {
        Self { n, op: MatMul { transpose_a: false, transpose_b: false } }
    }

    fn parse(workload: &str) -> Option<Self> {
        let rest = workload.strip_prefix("gemm-")?;
        let (size, kind) = rest.split_once('-').unwrap_or((rest, "nn"));
        let n = size.parse().ok().filter(|n| (1..=4096).contains(n))?;
        let op = match kind {
            "nn" => MatMul { transpose_a: false, transpose_b: false },
            "nt" => MatMul { transpose_a: false, transpose_b: true },
            "tn" => MatMul { transpose_a: true, transpose_b: false },
            _ => return None,
        };
        Some(Self { n, op })
    }

    fn graph(&self) -> Result<Graph, OpError> {
        let mut graph = Graph::new();
        let ty = TensorTy::f32([self.n, self.n]);
        let mut feed = |name: &str| {
            let feed = graph.declare_feed(Feed { name: name.to_string(), ty: ty.clone(), kind: FeedKind::Resident });
            graph.apply(FeedOp(feed), &[])
        };
        let (a, b) = (feed("a")?, feed("b")?);
        let c = graph.apply(self.op.clone(), &[a, b])?;
        graph.output("c", c);
        Ok(graph)
    }

    /// Floating-point operations per second that the product reaches in some time.
    ///
    /// # Errors
    /// When it does not run there.
    pub async fn flops_per_second(&self, device: Option<&GpuDevice>, time: Duration) -> Result<f64, UserError> {
        let (mut engine, program) = self.engine(device)?;
        let start = Instant::now();
        let products = multiply(&mut engine, program, start + time).await?;
        Ok(products as f64 * self.flops() / start.elapsed().as_secs_f64())
    }

    fn flops(&self) -> f64 {
        2.0 * (self.n as f64).powi(3)
    }

    fn engine(&self, device: Option<&GpuDevice>) -> Result<(Engine, ProgramId), UserError> {
        let graph = self.graph().map_err(|e| UserError::new(e.to_string()))?;
        let mut spec = LayoutSpec { ring: 1, ..LayoutSpec::default() };
        spec.include(&graph);
        let mut engine = Engine::new(&spec, device)?;
        let (program, _) = engine.load(&graph, "product")?;
        for (name, seed) in [("a", 1), ("b", 2)] {
            engine.feed(name, 0, bytemuck::cast_slice(&normal(self.n * self.n, 1.0, seed)))?;
        }
        Ok((engine, program.id))
    }

    async fn run(&self, workload: &str, window: Duration, device: Option<&GpuDevice>) -> Result<BenchResult, UserError> {
        let (mut engine, program) = self.engine(device)?;
        let rates = measure(window, async |until| multiply(&mut engine, program, until).await).await?;
        let gflops = rates.median * self.flops() / 1e9;
        Ok(BenchResult { gflops, notes: place(device), ..rates.result(workload) })
    }
}

/// Products until a moment: one by one on the CPU, on a device enough at a time to hide the way there and back.
async fn multiply(engine: &mut Engine, program: ProgramId, until: Instant) -> Result<u64, UserError> {
    let mut done = 0;
    let mut batch = 1u64;
    while Instant::now() < until {
        let start = Instant::now();
        for _ in 0..batch {
            engine.submit(program, &[StepScalars::default()])?;
        }
        engine.finish().await;
        engine.take_completed(&mut Vec::new());
        if let Some(why) = engine.lost() {
            return Err(UserError::new(format!("The GPU was lost: {why}.")));
        }
        done += batch;
        if engine.backend() == Backend::Gpu && start.elapsed() < PRODUCTS_TAKE {
            batch = (2 * batch).min(256);
        }
    }
    Ok(done)
}

/// Uniform numbers in [0, 1), by mulberry32: the generator that all measured engines share.
fn uniform(seed: u32) -> impl FnMut() -> f64 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x6d2b_79f5);
        let mut t = (state ^ (state >> 15)).wrapping_mul(1 | state);
        t = t.wrapping_add((t ^ (t >> 7)).wrapping_mul(61 | t)) ^ t;
        f64::from(t ^ (t >> 14)) / 4_294_967_296.0
    }
}

fn normal_from(next: &mut impl FnMut() -> f64) -> f64 {
    let radius = libm::sqrt(-2.0 * libm::log(1.0 - next()));
    radius * libm::cos(std::f64::consts::TAU * next())
}

fn normal(count: usize, std: f64, seed: u32) -> Vec<f32> {
    let mut next = uniform(seed);
    (0..count).map(|_| (std * normal_from(&mut next)) as f32).collect()
}

/// The circle of the 2-D playgrounds: the first class in the ring, the second inside.
fn circles(batch: usize) -> Dataset {
    let mut next = uniform(1);
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for _ in 0..BATCHES * batch {
        let inner = next() < 0.5;
        let radius = if inner { next() * 0.5 } else { 0.7 + 0.3 * next() };
        let angle = next() * std::f64::consts::TAU;
        x.extend([(radius * libm::cos(angle)) as f32, (radius * libm::sin(angle)) as f32]);
        y.push(u32::from(inner));
    }
    dataset(2, 2, x, y)
}

/// Ten classes of 28 × 28 images: a prototype and noise.
fn images(batch: usize) -> Dataset {
    const PIXELS: usize = 784;
    let prototypes: Vec<Vec<f32>> = (0..10).map(|class| normal(PIXELS, 1.0, 100 + class)).collect();
    let mut next = uniform(2);
    let (mut x, mut y) = (Vec::with_capacity(BATCHES * batch * PIXELS), Vec::new());
    for _ in 0..BATCHES * batch {
        let class = (next() * 10.0) as usize;
        x.extend(prototypes[class].iter().map(|p| (0.3 * f64::from(*p) + 0.5 * normal_from(&mut next)) as f32));
        y.push(class as u32);
    }
    dataset(PIXELS, 10, x, y)
}

fn dataset(features: usize, classes: usize, x: Vec<f32>, y: Vec<u32>) -> Dataset {
    let part = |samples, x, y| {
        let fields =
            vec![Field::new(INPUT, [features], Column::F32(x)), Field::new(TARGET, [], Column::U32(y)).vocabulary(classes)];
        Part::new(samples, fields, Vec::new())
    };
    Dataset {
        task: Task::Classification { classes: (0..classes).map(|c| c.to_string()).collect() },
        features: (0..features).map(|f| f.to_string()).collect(),
        inputs: vec![INPUT.to_string()],
        target: Some(TARGET.to_string()),
        train: part(y.len(), x, y),
        validation: part(0, Vec::new(), Vec::new()),
        stream: None,
        plane: None,
        image: None,
        notes: Vec::new(),
        card: DataCard::default(),
        normalisation: Normalisation::identity(features, 0),
        table: None,
        label_noise: 0.0,
        floor: None,
    }
}
