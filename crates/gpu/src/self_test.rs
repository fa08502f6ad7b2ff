//! A tiny training step with every kernel family, on the device and on an executor that is trusted.

use std::sync::Arc;
use std::time::Duration;

use downhill_compile::{
    Completed, ExecError, Executor, LayoutSpec, Options, Plan, ProgramId, Progress, Region, Space, StateLayout, compile,
};
use downhill_graph::kernel::{Attend, Kernel, LossKind, Recurrence, RecurrentCell, ReduceKind, UpdateRule};
use downhill_graph::ops::{Pooling, Updated};
use downhill_graph::{
    BinaryOp, Expr, FeedKind, Graph, OpError, Parameter, ScalarId, StateTensor, StepScalars, UnaryOp, Value, autodiff,
};
use downhill_tensor::rng::{Rng, Stream};
use downhill_tensor::{Shape, TensorTy};
use web_time::Instant;

use crate::device::GpuDevice;
use crate::executor::GpuExecutor;

/// Allowed difference relative to the largest magnitude of a result: a chain of some twenty kernels in f32.
const TOLERANCE: f32 = 1e-3;
/// Steps that are run, so that the second meets weights and slots that the first has changed.
const STEPS: u32 = 2;
const ROWS: usize = 32;
const ENTRIES: usize = 6;
const CLASSES: usize = 5;

/// Why a device is not to be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelfTestError {
    /// A kernel computes something else than the reference.
    #[error("the kernel {kernel} gives {got} where {want} is right")]
    Kernel {
        /// The kernel as a plan prints it.
        kernel: String,
        /// What the device gives.
        got: String,
        /// What the reference gives.
        want: String,
    },
    /// It cannot run the test at all.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// The reference did not answer, or the test itself is wrong.
    #[error("the self-test cannot be run: {0}")]
    Broken(String),
}

/// Trains a tiny network on the device and on `reference`, and compares the results of every kernel.
///
/// # Errors
/// The first kernel that differs, or why the device cannot run it.
pub async fn self_test(device: &GpuDevice, reference: &mut dyn Executor) -> Result<(), SelfTestError> {
    let broken = |e: &dyn std::fmt::Display| SelfTestError::Broken(e.to_string());
    let graph = network().map_err(|e| broken(&e))?;
    let mut spec = LayoutSpec { slots: 1, ring: STEPS, metrics: 2, ..LayoutSpec::default() };
    spec.include(&graph);
    let layout = StateLayout::new(&spec).map_err(|e| broken(&e))?;
    // Nothing shares memory, so that every result is still there at the end.
    let options = Options { fuse: true, alias: false };
    let plan = compile(&graph, "self-test", &layout, &options).map_err(|e| broken(&e))?;
    device.warm(&plan).await?;

    let all = Region { space: Space::Arena, offset: 0, len: plan.arena_len };
    queue(reference, &plan, &layout)?;
    reference.request_read(&[all])?;
    let deadline = Instant::now() + Duration::from_secs(10);
    while reference.pump(deadline) == Progress::Busy && Instant::now() < deadline {}
    let want = words(reference)?;

    let mut executor = GpuExecutor::new(device);
    queue(&mut executor, &plan, &layout)?;
    executor.request_read(&[all])?;
    executor.finish().await;
    let got = words(&mut executor)?;
    compare(&plan, &want, &got)
}

/// Loads the plan, its data and its state, and queues the steps.
fn queue(executor: &mut dyn Executor, plan: &Plan, layout: &StateLayout) -> Result<ProgramId, ExecError> {
    let program = executor.load(plan)?;
    let mut rng = Rng::new(1, Stream::Data, 0);
    for (feed, at) in &layout.feeds {
        let numel = feed.ty.shape.numel();
        let classes = if feed.name == "entries" { ENTRIES } else { CLASSES };
        let words: Vec<u32> = (0..numel)
            .map(|_| match feed.name.as_str() {
                "entries" | "labels" => rng.below(classes) as u32,
                _ => (rng.uniform() as f32).to_bits(),
            })
            .collect();
        executor.upload(Space::Data, *at, &words)?;
    }
    for entry in &layout.entries {
        let words: Vec<u32> = (0..entry.len).map(|_| (0.3 * rng.normal() as f32).to_bits()).collect();
        executor.upload(Space::Arena, layout.offsets.parameters + entry.offset, &words)?;
    }
    let mut steps = [StepScalars::default(); STEPS as usize];
    for (i, step) in steps.iter_mut().enumerate() {
        (step.step, step.seed, step.record) = (i as u32, 3, i as u32);
        step.values[..4].copy_from_slice(&[0.1, 0.01, 0.05, 0.0]);
    }
    executor.submit(program, &steps)?;
    Ok(program)
}

fn words(executor: &mut dyn Executor) -> Result<Vec<u32>, SelfTestError> {
    let mut done = Vec::new();
    executor.take_completed(&mut done);
    for completed in done {
        match completed {
            Completed::Read(_, words) => return Ok(words),
            Completed::DeviceLost(why) => return Err(ExecError::DeviceLost(why).into()),
            Completed::Steps(_) => {}
        }
    }
    Err(SelfTestError::Broken("a result did not come back".to_string()))
}

/// In the order in which kernels ran, so that the first difference names the culprit.
fn compare(plan: &Plan, want: &[u32], got: &[u32]) -> Result<(), SelfTestError> {
    for step in &plan.steps {
        let state = [
            Region { space: Space::Arena, offset: plan.state.parameters, len: plan.state.parameter_len },
            Region { space: Space::Arena, offset: plan.state.slots, len: plan.state.slot_count * plan.state.parameter_len },
        ];
        let ring = [Region { space: Space::Arena, offset: plan.state.flag, len: plan.state_len - plan.state.flag }];
        let writes: Vec<Region> = match &step.kernel {
            Kernel::FlatUpdate { .. } => state.to_vec(),
            Kernel::Assign(_) => vec![Region { space: Space::Arena, offset: plan.state.states, len: plan.state.states_len }],
            Kernel::Record(_) => ring.to_vec(),
            _ => step.writes.iter().map(|w| w.region).collect(),
        };
        for region in writes {
            let part = region.offset as usize..region.end() as usize;
            let (Some(want), Some(got)) = (want.get(part.clone()), got.get(part)) else {
                return Err(SelfTestError::Broken("a result is too short".to_string()));
            };
            if let Some(i) = differs(want, got) {
                let text = |word: u32| f32::from_bits(word).to_string();
                let kernel = step.kernel.to_string();
                return Err(SelfTestError::Kernel { kernel, got: text(got[i]), want: text(want[i]) });
            }
        }
    }
    Ok(())
}

/// The first element that is neither the same word nor close enough.
fn differs(want: &[u32], got: &[u32]) -> Option<usize> {
    let largest = want.iter().map(|w| f32::from_bits(*w).abs()).filter(|w| w.is_finite()).fold(0.0, f32::max);
    let close = |(w, g): (&u32, &u32)| {
        let (a, b) = (f32::from_bits(*w), f32::from_bits(*g));
        // An integer is a subnormal here: it has to be the same word.
        let integer = a != 0.0 && !a.is_normal();
        w == g || (!integer && (a - b).abs() <= TOLERANCE * largest + 1e-6)
    };
    want.iter().zip(got).position(|pair| !close(pair))
}

/// Embedding → linear → gelu → dropout → concatenation → layer norm → attention, beside an lstm → concatenation → linear → cross-entropy with
/// penalties, clipped by norm, with momentum and a running mean of the loss.
fn network() -> Result<Graph, OpError> {
    let mut graph = Graph::new();
    let entries = graph.new_feed("entries", TensorTy::u32([ROWS]), FeedKind::Resident)?;
    let labels = graph.new_feed("labels", TensorTy::u32([ROWS]), FeedKind::Resident)?;
    let weights = graph.new_feed("weights", TensorTy::f32([ROWS]), FeedKind::Resident)?;
    let shapes: [&[usize]; 7] = [&[ENTRIES, 8], &[40, 8], &[40], &[CLASSES, 69], &[CLASSES], &[20, 5], &[20]];
    let mut params = Vec::new();
    let mut updates = Vec::new();
    for (i, shape) in shapes.iter().enumerate() {
        let parameter = Parameter { name: i.to_string(), shape: (*shape).into(), group: (i % 2) as u32 };
        let id = graph.declare_parameter(parameter);
        params.push(graph.parameter(id)?);
        let (lr, decay) = if i % 2 == 0 { (ScalarId::LR, ScalarId::DECAY) } else { (ScalarId(2), ScalarId(3)) };
        updates.push(Updated { id, lr, decay, rule: 0 });
    }
    let x = graph.index_select(params[0], entries)?;
    let h = graph.linear(x, params[1], Some(params[2]))?;
    let h = graph.unary(UnaryOp::Gelu, h)?;
    let h = graph.dropout(h, 0.25, 1)?;
    let sequences = graph.reshape(h, [ROWS, 2, 20])?;
    let recurrence = Recurrence { cell: RecurrentCell::Lstm, reverse: false, lengths: false, initial: false };
    let last = graph.scan(recurrence, &[sequences, params[5], params[6]])?[1];
    let h = graph.concat(&[h, x], 1)?;
    let h = graph.layer_norm(h, true, 1e-5, None, None)?;
    let attended = attended(&mut graph, h)?;
    let h = graph.concat(&[h, attended, last], 1)?;
    let logits = graph.linear(h, params[3], Some(params[4]))?;
    let loss = graph.loss(LossKind::CrossEntropy { label_smoothing: 0.1 }, logits, labels, Some(weights))?;
    let probabilities = graph.softmax(logits, 1)?;
    let logs = graph.log_softmax(h, 1)?;
    let pooled = pooled(&mut graph, x)?;
    let mut loss = loss;
    for (x, kind) in [(probabilities, ReduceKind::Mean), (logs, ReduceKind::Max), (pooled, ReduceKind::Mean)] {
        let penalty = penalty(&mut graph, x, kind)?;
        loss = graph.plus(loss, penalty)?;
    }
    let accuracy = graph.accuracy(logits, labels, Some(weights))?;

    let gradients = autodiff::grad(&mut graph, loss, &params)?;
    let norm = graph.grad_norm(&gradients)?;
    let one = graph.constant(1.0)?;
    let factor = graph.div(one, norm)?;
    let factor = graph.binary(BinaryOp::Min, factor, one)?;
    graph.flat_update(vec![Arc::new(momentum())], updates, loss, Some(factor), &gradients)?;
    let running = graph.declare_state(StateTensor { name: "running_loss".to_string(), shape: Shape::scalar() });
    let running = graph.state(running)?;
    let away = graph.sub(loss, running)?;
    let part = graph.scale(0.1, away)?;
    let next = graph.plus(running, part)?;
    graph.assign(&[next])?;
    graph.record(&[loss, accuracy])?;
    Ok(graph)
}

/// What sequences of eight rows of 48 numbers see of themselves: two heads of queries, keys and values, 8 numbers each.
fn attended(graph: &mut Graph, x: Value) -> Result<Value, OpError> {
    let qkv = graph.reshape(x, [ROWS / 8, 8, 48])?;
    let how = Attend { causal: true, ..Attend::new(8) };
    let out = graph.attention(2, 2, how, &[qkv])?;
    graph.reshape(out, [ROWS, 16])
}

/// Rows of eight as images of 2 × 4, and the means of their halves. Means, for which of two numbers is the larger hangs on their last bit.
fn pooled(graph: &mut Graph, x: Value) -> Result<Value, OpError> {
    let images = graph.reshape(x, [ROWS, 1, 2, 4])?;
    let pooling = Pooling { kernel: [2, 2], stride: [2, 2], padding: [0, 0], count_include_pad: true };
    let halves = graph.avg_pool2d(pooling, images)?;
    graph.reshape(halves, [ROWS, 2])
}

/// A hundredth of the largest or mean square.
fn penalty(graph: &mut Graph, x: Value, kind: ReduceKind) -> Result<Value, OpError> {
    let squares = graph.unary(UnaryOp::Square, x)?;
    let rows = graph.reduce(kind, squares, &[0], false)?;
    let mean = graph.mean(rows, &[0], false)?;
    graph.scale(0.01, mean)
}

/// SGD with momentum and decay.
fn momentum() -> UpdateRule {
    let mut e = Expr::default();
    let (w, g, m) = (e.read(0), e.read(1), e.read(2));
    let (keep, lr, decay) = (e.constant(0.9), e.scalar(ScalarId::LR), e.scalar(ScalarId::DECAY));
    let pull = e.binary(BinaryOp::Mul, decay, w);
    let g = e.binary(BinaryOp::Add, g, pull);
    let kept = e.binary(BinaryOp::Mul, keep, m);
    let m = e.binary(BinaryOp::Add, kept, g);
    let change = e.binary(BinaryOp::Mul, lr, m);
    let w = e.binary(BinaryOp::Sub, w, change);
    e.outputs.extend([w, m]);
    UpdateRule::new("sgd", e, vec!["momentum_buffer"])
}

/// The self-test's plan, for tests that look at its shaders.
#[cfg(test)]
pub(crate) fn plan(fuse: bool) -> Plan {
    let graph = network().expect("the network is well typed");
    let mut spec = LayoutSpec { slots: 1, ring: STEPS, metrics: 2, ..LayoutSpec::default() };
    spec.include(&graph);
    let layout = StateLayout::new(&spec).expect("it fits");
    compile(&graph, "self-test", &layout, &Options { fuse, alias: false }).expect("it compiles")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_self_test_has_every_kernel_family() {
        let families: BTreeSet<&str> = [true, false].iter().flat_map(|f| plan(*f).steps).map(|s| s.kernel.family()).collect();
        let all: BTreeSet<&str> = Kernel::FAMILIES.iter().copied().collect();
        assert_eq!(families, all);
    }

    #[test]
    fn integers_have_to_be_the_same_words_and_floats_close() {
        let f = |x: f32| x.to_bits();
        assert_eq!(differs(&[f(1.0), f(2.0)], &[f(1.0), f(2.001)]), None);
        assert_eq!(differs(&[f(1.0), f(2.0)], &[f(1.0), f(2.1)]), Some(1));
        assert_eq!(differs(&[f(1.0), 7], &[f(1.0), 8]), Some(1));
        assert_eq!(differs(&[f(f32::NAN)], &[f(1.0)]), Some(0));
    }
}
