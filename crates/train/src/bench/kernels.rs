//! Single kernels at the sizes of the benchmark: matrix products, and the kernels that are to come close to their rate or to that of a copy.

use std::time::Duration;

use downhill_compile::{LayoutSpec, ProgramId};
use downhill_gpu::GpuDevice;
use downhill_graph::kernel::{Attend, Recurrence, RecurrentCell};
use downhill_graph::ops::{
    Attention, AttentionGrad, Conv, ConvTranspose, ConvWeight, Convolution, FeedOp, LayerNorm, LayerNormGrad, MatMul, Scan,
    ScanGrad,
};
use downhill_graph::{Feed, FeedKind, Graph, Op, OpError, StepScalars, UnaryOp};
use downhill_protocol::{Backend, BenchResult};
use downhill_tensor::{TensorTy, UserError};
use web_time::Instant;

use super::rates::{measure, place};
use super::samples::normal;
use crate::machine::engine::Engine;

/// All of them. `-input` and `-weight` are gradients, `-back` all gradients of a kernel.
pub(super) const KERNELS: [&str; 26] = [
    "gemm-512",
    "gemm-512-nt",
    "gemm-512-tn",
    "gemm-1024",
    "gemm-1024-nt",
    "copy",
    "conv",
    "conv-input",
    "conv-weight",
    "depthwise",
    "depthwise-input",
    "depthwise-weight",
    "scan-lstm",
    "scan-lstm-back",
    "scan-gru",
    "scan-gru-back",
    "scan-rnn",
    "scan-rnn-back",
    "attention-64",
    "attention-64-back",
    "attention-256",
    "attention-256-back",
    "attention-1024",
    "attention-1024-back",
    "layer-norm",
    "layer-norm-back",
];

/// Runs on a device are submitted together until they take this long.
const RUNS_TAKE: Duration = Duration::from_millis(20);

/// A graph of little more than one kernel, with what it reads.
pub(crate) struct KernelBench {
    graph: Graph,
    sizes: Vec<usize>,
}

/// `n × n` times `n × n`.
///
/// # Errors
/// When the engine does not know its own ops.
pub(crate) fn square(n: usize) -> Result<KernelBench, UserError> {
    product(n, "nn").map_err(|e| UserError::new(e.to_string()))
}

/// The kernel of this name, or any square product `gemm-N`, of which `-nt` and `-tn` have one side stored transposed, as the gradients of a linear
/// layer have.
pub(super) fn parse(workload: &str) -> Option<KernelBench> {
    if let Some(rest) = workload.strip_prefix("gemm-") {
        let (size, kind) = rest.split_once('-').unwrap_or((rest, "nn"));
        let n = size.parse().ok().filter(|n| (1..=4096).contains(n))?;
        return product(n, kind).ok();
    }
    let (name, way) = match workload.rsplit_once('-') {
        Some((name, way @ ("input" | "weight" | "back"))) => (name, way),
        _ => (workload, ""),
    };
    let built = match name {
        "copy" if way.is_empty() => copy(),
        "conv" => conv(way, [32, 64], 1),
        "depthwise" => conv(way, [64, 64], 64),
        "scan-lstm" => scan(RecurrentCell::Lstm, way),
        "scan-gru" => scan(RecurrentCell::Gru, way),
        "scan-rnn" => scan(RecurrentCell::RnnTanh, way),
        "layer-norm" => layer_norm(way),
        _ => attention(name.strip_prefix("attention-")?.parse().ok().filter(|steps| (1..=8192).contains(steps))?, way),
    };
    built.ok()
}

fn unknown() -> OpError {
    OpError::new("bench", "there is no such kernel")
}

fn product(n: usize, kind: &str) -> Result<KernelBench, OpError> {
    let op = match kind {
        "nn" => MatMul { transpose_a: false, transpose_b: false },
        "nt" => MatMul { transpose_a: false, transpose_b: true },
        "tn" => MatMul { transpose_a: true, transpose_b: false },
        _ => return Err(unknown()),
    };
    KernelBench::new(op, &[&[n, n], &[n, n]])
}

/// Samples, channels of an image, and its height and width; the kernel's height and width.
const SAMPLES: usize = 32;
const SIDE: usize = 28;
const KERNEL: usize = 3;

/// As much as the depthwise convolution reads, times a constant: the yardstick of what computes little.
fn copy() -> Result<KernelBench, OpError> {
    KernelBench::new(UnaryOp::Neg, &[&[SAMPLES, 64, SIDE, SIDE]])
}

fn conv(way: &str, [from, to]: [usize; 2], groups: usize) -> Result<KernelBench, OpError> {
    let convolution = Convolution { padding: [(1, 1); 2], groups, ..Convolution::default() };
    let (x, y, weight) = ([SAMPLES, from, SIDE, SIDE], [SAMPLES, to, SIDE, SIDE], [to, from / groups, KERNEL, KERNEL]);
    match way {
        "" => KernelBench::new(Conv { convolution }, &[&x, &weight]),
        "input" => KernelBench::new(ConvTranspose { convolution, size: [SIDE; 2], turned: false }, &[&y, &weight]),
        "weight" => KernelBench::new(ConvWeight { convolution, kernel: [KERNEL; 2] }, &[&x, &y]),
        _ => Err(unknown()),
    }
}

/// The recurrent layer of the training runs: 32 sequences of 64 steps, 128 units.
fn scan(cell: RecurrentCell, way: &str) -> Result<KernelBench, OpError> {
    let recurrence = Recurrence { cell, reverse: false, lengths: false, initial: false };
    let (batch, steps, hidden, parts) = (32, 64, 128, cell.parts());
    let (x, w, h) = ([batch, steps, parts * hidden], [parts * hidden, hidden], [batch, steps, hidden]);
    let kept = [batch, steps, cell.kept(), hidden];
    match way {
        "" => KernelBench::new(Scan { recurrence }, &[&x, &w, &[parts * hidden]]),
        "back" => {
            let op = ScanGrad { recurrence, by_steps: true, by_last: false };
            let mut reads: Vec<&[usize]> = vec![&w, &h];
            if cell.kept() > 0 {
                reads.push(&kept);
            }
            reads.push(&h);
            KernelBench::new(op, &reads)
        }
        _ => Err(unknown()),
    }
}

/// Four causal heads of 32 numbers, as many samples as make 1024 queries.
fn attention(steps: usize, way: &str) -> Result<KernelBench, OpError> {
    let (heads, width) = (4, 32);
    let how = Attend { causal: true, ..Attend::new(width as u32) };
    let op = Attention { heads: heads as u32, kv_heads: heads as u32, how };
    let batch = (1024 / steps).max(1);
    let (qkv, out, lse) = ([batch, steps, 3 * heads * width], [batch, steps, heads * width], [batch, heads, steps]);
    match way {
        "" => KernelBench::new(op, &[&qkv]),
        "back" => KernelBench::new(AttentionGrad(op), &[&out, &out, &lse, &qkv]),
        _ => Err(unknown()),
    }
}

/// Rows of the transformer's training run.
fn layer_norm(way: &str) -> Result<KernelBench, OpError> {
    let op = LayerNorm { centered: true, weight: true, bias: true, eps: 1e-5 };
    let (x, columns, per_row): (&[usize], &[usize], &[usize]) = (&[1024, 128], &[128], &[1024]);
    match way {
        "" => KernelBench::new(op, &[x, columns, columns]),
        "back" => KernelBench::new(LayerNormGrad(op), &[x, x, columns, per_row, per_row]),
        _ => Err(unknown()),
    }
}

impl KernelBench {
    /// `op` over feeds of these shapes.
    fn new(op: impl Into<Op>, shapes: &[&[usize]]) -> Result<Self, OpError> {
        let mut graph = Graph::new();
        let mut inputs = Vec::new();
        for (i, shape) in shapes.iter().enumerate() {
            let ty = TensorTy::f32(*shape);
            let feed = graph.declare_feed(Feed { name: format!("feed {i}"), ty, kind: FeedKind::Resident });
            inputs.push(graph.apply(FeedOp(feed), &[])?);
        }
        let result = graph.apply(op, &inputs)?;
        for (i, out) in graph.outputs_of(result.node).into_iter().enumerate() {
            graph.output(format!("out {i}"), out);
        }
        Ok(Self { graph, sizes: shapes.iter().map(|shape| shape.iter().product()).collect() })
    }

    /// Floating-point operations per second that it reaches in some time.
    ///
    /// # Errors
    /// When it does not run there.
    pub async fn flops_per_second(&self, device: Option<&GpuDevice>, time: Duration) -> Result<f64, UserError> {
        let mut ready = self.engine(device)?;
        let start = Instant::now();
        let runs = repeat(&mut ready, start + time).await?;
        Ok(runs as f64 * ready.flops / start.elapsed().as_secs_f64())
    }

    fn engine(&self, device: Option<&GpuDevice>) -> Result<Ready, UserError> {
        let mut spec = LayoutSpec { ring: 1, ..LayoutSpec::default() };
        spec.include(&self.graph);
        let mut engine = Engine::new(&spec, device)?;
        let (program, plan) = engine.load(&self.graph, "kernel")?;
        for (i, size) in self.sizes.iter().enumerate() {
            // Numbers so small that nothing a kernel computes from them overflows.
            engine.feed(&format!("feed {i}"), 0, bytemuck::cast_slice(&normal(*size, 0.1, 1 + i as u32)))?;
        }
        let bytes = plan.steps.iter().map(|step| step.bytes as f64).sum();
        Ok(Ready { engine, program: program.id, flops: program.flops as f64, bytes })
    }

    /// Measures it.
    ///
    /// # Errors
    /// When it does not run there.
    pub async fn run(&self, workload: &str, window: Duration, device: Option<&GpuDevice>) -> Result<BenchResult, UserError> {
        let mut ready = self.engine(device)?;
        let rates = measure(window, async |until| repeat(&mut ready, until).await).await?;
        let gigabytes = rates.median * ready.bytes / 1e9;
        let notes = format!("{}, {gigabytes:.1} GB/s", place(device));
        Ok(BenchResult { gflops: rates.median * ready.flops / 1e9, notes, ..rates.result(workload) })
    }
}

/// A kernel that is ready to run, with what a run computes and what it reads and writes.
struct Ready {
    engine: Engine,
    program: ProgramId,
    flops: f64,
    bytes: f64,
}

/// Runs until a moment: one by one on the CPU, on a device enough at a time to hide the way there and back.
async fn repeat(ready: &mut Ready, until: Instant) -> Result<u64, UserError> {
    let engine = &mut ready.engine;
    let mut done = 0;
    let mut batch = 1u64;
    while Instant::now() < until {
        let start = Instant::now();
        for _ in 0..batch {
            engine.submit(ready.program, &[StepScalars::default()])?;
        }
        engine.finish().await;
        engine.take_completed(&mut Vec::new());
        if let Some(why) = engine.lost() {
            return Err(UserError::new(format!("The GPU was lost: {why}.")));
        }
        done += batch;
        if engine.backend() == Backend::Gpu && start.elapsed() < RUNS_TAKE {
            batch = (2 * batch).min(256);
        }
    }
    Ok(done)
}
