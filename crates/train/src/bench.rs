//! The workloads that are measured beside other engines: the same sizes, the same kind of data, the session's own loop.

use std::time::Duration;

use downhill_compile::LayoutSpec;
use downhill_data::{DataCard, Dataset, Labels, Normalisation, Table, Task};
use downhill_graph::ops::{FeedOp, MatMul};
use downhill_graph::{Feed, FeedKind, Graph, OpError, StepScalars};
use downhill_model::Experiment;
use downhill_protocol::{BenchRequest, BenchResult};
use downhill_tensor::{Shape, TensorTy, UserError, sort_short_by_key};
use serde_json::json;
use web_time::Instant;

use crate::engine::Engine;
use crate::session::Session;

/// All workloads.
pub const WORKLOADS: [&str; 8] =
    ["mlp-s-10", "mlp-s-128", "mlp-l", "gemm-512", "gemm-512-nt", "gemm-512-tn", "gemm-1024", "gemm-1024-nt"];
/// Batches that are cycled through.
const BATCHES: usize = 8;
/// Windows of a measurement; their median counts.
const WINDOWS: usize = 7;
const WARM_UP: Duration = Duration::from_secs(1);
const SLICE: Duration = Duration::from_millis(8);

/// Measures a workload.
///
/// # Errors
/// When there is no workload of this name.
pub fn run(request: &BenchRequest) -> Result<BenchResult, UserError> {
    let seconds = if request.seconds.is_finite() { request.seconds.clamp(0.1, 600.0) } else { 3.0 };
    let window = Duration::from_secs_f64(seconds / WINDOWS as f64);
    let workload = request.workload.as_str();
    if let Some(gemm) = Gemm::parse(workload) {
        return gemm.run(workload, window);
    }
    let mut session = session(workload)?;
    session.set_pace(None);
    session.start();
    let rates = measure(window, |until| advance(&mut session, until))?;
    session.pause();
    session.run_until_rest()?;
    let points = session.curves().points("loss");
    let tail = &points[points.len().saturating_sub(5)..];
    let last = tail.iter().map(|p| p.mean).sum::<f64>() / tail.len().max(1) as f64;
    let result = BenchResult {
        gflops: rates.median * session.train.flops as f64 / 1e9,
        first_loss: points.first().map_or(f64::NAN, |p| p.mean),
        last_loss: last,
        notes: format!("{}, {} kernels per step", backend(), session.train.kernels),
        ..rates.result(workload)
    };
    Ok(result)
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

/// Which SIMD the kernels use.
fn backend() -> &'static str {
    match (cfg!(target_arch = "wasm32"), cfg!(feature = "relaxed-simd")) {
        (true, true) => "wasm relaxed-simd",
        (true, false) => "wasm simd128",
        _ => "native",
    }
}

fn advance(session: &mut Session, until: Instant) -> Result<u64, UserError> {
    let before = session.step_count();
    while Instant::now() < until {
        session.advance((Instant::now() + SLICE).min(until))?;
        session.take_events();
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
fn measure(window: Duration, mut work: impl FnMut(Instant) -> Result<u64, UserError>) -> Result<Rates, UserError> {
    work(Instant::now() + WARM_UP)?;
    let mut rates = Vec::with_capacity(WINDOWS);
    for _ in 0..WINDOWS {
        let start = Instant::now();
        let done = work(start + window)?;
        rates.push(done as f64 / start.elapsed().as_secs_f64());
    }
    // Rates are not negative, so their bits sort as they do.
    sort_short_by_key(&mut rates, |rate: &f64| rate.to_bits());
    Ok(Rates { median: rates[WINDOWS / 2], min: rates[0], max: rates[WINDOWS - 1] })
}

/// A square product; `nt` and `tn` have one side stored transposed, as the gradients of a linear layer have.
struct Gemm {
    n: usize,
    op: MatMul,
}

impl Gemm {
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

    fn run(&self, workload: &str, window: Duration) -> Result<BenchResult, UserError> {
        let graph = self.graph().map_err(|e| UserError::new(e.to_string()))?;
        let mut spec = LayoutSpec { ring: 1, ..LayoutSpec::default() };
        spec.include(&graph);
        let mut engine = Engine::new(&spec)?;
        let (program, plan) = engine.load(&graph, workload)?;
        for (name, seed) in [("a", 1), ("b", 2)] {
            engine.feed(name, 0, bytemuck::cast_slice(&normal(self.n * self.n, 1.0, seed)))?;
        }
        let rates = measure(window, |until| {
            let mut done = 0;
            while Instant::now() < until {
                engine.submit(program.id, &[StepScalars::default()])?;
                engine.finish();
                engine.take_completed(&mut Vec::new());
                done += 1;
            }
            Ok(done)
        })?;
        let gflops = rates.median * 2.0 * (self.n as f64).powi(3) / 1e9;
        let notes = format!("{}, {} kernel(s)", backend(), plan.steps.len());
        Ok(BenchResult { gflops, notes, ..rates.result(workload) })
    }
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
    Dataset {
        task: Task::Classification { classes: (0..classes).map(|c| c.to_string()).collect() },
        features: (0..features).map(|f| f.to_string()).collect(),
        input_shape: Shape::from([features]),
        train: Table::new(y.len(), x, Labels::Class(y), Vec::new()),
        validation: Table::new(0, Vec::new(), Labels::Class(Vec::new()), Vec::new()),
        plane: None,
        image: None,
        notes: Vec::new(),
        card: DataCard::default(),
        normalisation: Normalisation::identity(features, 0),
    }
}
