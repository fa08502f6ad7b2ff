//! The executor's promises about order, time, repetition and what it refuses.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use downhill_compile::conformance::promises::{self, WIDTHS};
use downhill_compile::conformance::{Backend, Bench, block_on, net, step};
use downhill_compile::{Arg, ExecError, Executor, Options, Plan, Progress, Region, Space, Step};
use downhill_cpu::CpuExecutor;
use downhill_graph::kernel::{Epilogue, Kernel, LossKind, MatLayout, MatMulSpec, ReduceKind};
use downhill_graph::ops::{ConvWeight, Convolution, IndexAdd};
use downhill_graph::tensors::{Env, Tensor};
use downhill_graph::{BinaryOp, Expr, FeedKind, Graph, Origin, StepScalars, UnaryOp};
use shared::Cpu;
use web_time::Instant;

mod shared;

#[test]
fn two_runs_give_the_same_bits_and_lower_the_loss() {
    block_on(promises::two_runs_give_the_same_bits_and_lower_the_loss(&Cpu));
}

#[test]
fn uploads_and_reads_take_effect_between_the_steps_they_stand_between() {
    block_on(promises::uploads_and_reads_take_effect_between_the_steps_they_stand_between(&Cpu));
}

#[test]
fn a_gradient_that_is_not_finite_names_its_step_and_freezes_the_weights() {
    block_on(promises::a_gradient_that_is_not_finite_names_its_step_and_freezes_the_weights(&Cpu));
}

#[test]
fn a_state_goes_on_from_step_to_step_and_rests_from_a_bad_one_on() {
    block_on(promises::a_state_goes_on_from_step_to_step_and_rests_from_a_bad_one_on(&Cpu));
}

#[test]
fn a_program_that_needs_more_memory_keeps_what_is_there() {
    block_on(promises::a_program_that_needs_more_memory_keeps_what_is_there(&Cpu));
}

#[test]
fn a_run_that_is_interrupted_everywhere_ends_with_the_same_bits() {
    let run = |hurried: bool| {
        let mut bench = net(&Cpu, &[300, 280, 270, 260], 256);
        let steps: Vec<StepScalars> = (0..4).map(|i| step(i, 0.01)).collect();
        bench.executor.submit(bench.program, &steps).unwrap();
        let mut pumps = 0;
        let ahead = if hurried { Duration::ZERO } else { Duration::from_secs(10) };
        while bench.executor.pump(Instant::now() + ahead) == Progress::Busy {
            pumps += 1;
        }
        (pumps, bench.executor.arena().to_vec())
    };
    let (pumps, hurried) = run(true);
    let (none, calm) = run(false);
    assert!(pumps > 40 && none == 0, "{pumps} and {none}");
    assert_eq!(hurried, calm);
}

/// One kernel of every family whose time grows with its operands, over half a million elements.
fn large_kernels() -> (Graph, Env) {
    let (mut graph, mut env) = (Graph::new(), Env::default());
    let mut feed = |graph: &mut Graph, tensor: Tensor| {
        let name = format!("x{}", env.feeds.len());
        env.feeds.push(tensor.clone());
        graph.new_feed(name, tensor.ty, FeedKind::Resident).unwrap()
    };
    let (rows, cols) = (1 << 10, 1 << 9);
    let wave = |n: usize| (0..n).map(|i| f64::from((i as f32 * 0.37).sin())).collect::<Vec<_>>();
    let x = feed(&mut graph, Tensor::f32([rows, cols], wave(rows * cols)));
    let labels = feed(&mut graph, Tensor::u32([rows], &(0..rows as u32).map(|i| i * 7 % 513).collect::<Vec<_>>()));
    let weights = feed(&mut graph, Tensor::f32([rows], wave(rows)));
    let order = feed(&mut graph, Tensor::u32([rows], &(0..rows as u32).map(|i| i * i % 1031).collect::<Vec<_>>()));
    let image = [16, 64, 28, 28];
    let images = feed(&mut graph, Tensor::f32(image, wave(image.iter().product())));
    let softmax = graph.softmax(x, 1).unwrap();
    let selected = graph.index_select(x, order).unwrap();
    let added = graph.apply(IndexAdd { entries: rows }, &[x, order]).unwrap();
    let both = graph.concat(&[softmax, added], 1).unwrap();
    let waves = graph.unary(UnaryOp::Sin, both).unwrap();
    let by_row = graph.sum(waves, &[1], false).unwrap();
    let by_column = graph.reduce(ReduceKind::Mean, selected, &[0], false).unwrap();
    let loss = graph.loss(LossKind::CrossEntropy { label_smoothing: 0.1 }, x, labels, Some(weights)).unwrap();
    let plain = graph.loss(LossKind::Huber(1.0), x, selected, None).unwrap();
    let accuracy = graph.accuracy(x, labels, Some(weights)).unwrap();
    let norm = graph.grad_norm(&[x, waves]).unwrap();
    let convolution = Convolution { padding: [(1, 1); 2], groups: 64, ..Convolution::default() };
    let by_channel = graph.apply(ConvWeight { convolution, kernel: [3; 2] }, &[images, images]).unwrap();
    for (i, value) in [waves, by_row, by_column, loss, plain, accuracy, norm, by_channel].into_iter().enumerate() {
        graph.output(i.to_string(), value);
    }
    (graph, env)
}

#[test]
fn every_kernel_that_takes_long_stops_at_the_deadline_and_goes_on_to_the_same_bits() {
    let (graph, env) = large_kernels();
    let run = |hurried: bool| {
        let mut bench = Bench::new(&Cpu, &graph, &env, &Options { fuse: false, alias: false });
        bench.step(&StepScalars::default());
        let ahead = if hurried { Duration::ZERO } else { Duration::from_secs(10) };
        let mut pumps = 0;
        while bench.executor.pump(Instant::now() + ahead) == Progress::Busy {
            pumps += 1;
        }
        (pumps, bench.plan.steps.len(), bench.executor.arena().to_vec())
    };
    let (pumps, steps, hurried) = run(true);
    let (none, _, calm) = run(false);
    assert!(pumps > 8 * steps && none == 0, "{pumps} and {none} for {steps} kernels");
    assert_eq!(hurried, calm);
}

#[test]
fn profiling_names_every_step_and_changes_nothing() {
    let mut bench = net(&Cpu, &WIDTHS, 20);
    bench.step(&step(0, 0.1));
    let before = block_on(bench.arena());
    let times = bench.executor.profile(bench.program, &step(1, 0.1)).unwrap();
    assert!(times.iter().map(|t| t.0).eq(0..bench.plan.steps.len()));
    assert!(times.iter().all(|t| t.1 > 0.0 && t.1 < 1e6), "{times:?}");
    assert_eq!(block_on(bench.arena()), before);
}

#[test]
fn what_does_not_fit_is_refused() {
    promises::what_does_not_fit_is_refused(&Cpu);
    let mut bench = net(&Cpu, &WIDTHS, 20);
    let mut plan: Plan = bench.plan.clone();
    plan.steps[0].writes[0].region.len -= 1;
    let refused = bench.executor.load(&plan);
    assert!(matches!(refused, Err(ExecError::Unsupported(_))), "an operand that leaves its region");
}

/// `c = (a·b) ∘ c` of whole small numbers, which no order of summation rounds.
fn product_over_its_factor(m: u32, n: u32, k: u32) -> Plan {
    let mut expr = Expr::default();
    let (product, factor) = (expr.read(0), expr.read(1));
    let out = expr.binary(BinaryOp::Mul, product, factor);
    expr.outputs.push(out);
    let rows = |length: u32| MatLayout { batch_stride: 0, segment_stride: 0, row_stride: length, col_stride: 1 };
    let epilogue = Some(Epilogue { expr, read_strides: [[0, n, 1]].into_iter().collect() });
    let spec = MatMulSpec { epilogue, ..MatMulSpec::plain([1, m, n, k], rows(k), rows(n)) };
    let arg = |offset, len| Arg { region: Region { space: Space::Arena, offset, len }, start: 0, per_batch: 0 };
    let c = arg(m * k + k * n, m * n);
    let step = Step {
        kernel: Kernel::MatMul(spec),
        reads: [arg(0, m * k), arg(m * k, k * n), c].into_iter().collect(),
        writes: [c].into_iter().collect(),
        nodes: Default::default(),
        scope: String::new(),
        origin: Origin::Forward,
        flops: 0,
        bytes: 0,
    };
    Plan {
        name: "product".to_string(),
        steps: vec![step],
        outputs: Vec::new(),
        arena_len: m * k + k * n + m * n,
        state_len: 0,
        data_len: 0,
        state: Default::default(),
    }
}

#[test]
fn a_product_may_be_written_over_a_factor_that_its_epilogue_reads() {
    let (m, n, k) = (600, 20, 600);
    let plan = product_over_its_factor(m as u32, n as u32, k as u32);
    let mut executor = CpuExecutor::new();
    let program = executor.load(&plan).unwrap();
    let values: Vec<f32> = (0..plan.arena_len).map(|i| (i * 37 % 11) as f32 - 5.0).collect();
    let words: Vec<u32> = values.iter().map(|v| v.to_bits()).collect();
    executor.upload(Space::Arena, 0, &words).unwrap();
    executor.submit(program, &[StepScalars::default()]).unwrap();
    block_on(Cpu::finish(&mut executor));
    let (a, rest) = values.split_at(m * k);
    let (b, factors) = rest.split_at(k * n);
    for (i, factor) in factors.iter().enumerate() {
        let sum: f32 = (0..k).map(|p| a[i / n * k + p] * b[p * n + i % n]).sum();
        assert_eq!(f32::from_bits(executor.arena()[m * k + k * n + i]), sum * factor, "element {i}");
    }
}
