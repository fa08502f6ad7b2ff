//! The executor's promises about order, repetition, loss of the device and what it refuses.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used)]

use downhill_compile::conformance::promises::{self, WIDTHS};
use downhill_compile::conformance::{Backend, Bench, block_on, net, step};
use downhill_compile::{Completed, Executor, Options, Progress};
use downhill_cpu::CpuExecutor;
use downhill_gpu::{DeviceOptions, GpuDevice, self_test};
use downhill_graph::ops::IndexAdd;
use downhill_graph::tensors::{Env, Tensor};
use downhill_graph::{FeedId, FeedKind, Graph, StepScalars};
use downhill_tensor::rng::{Rng, Stream};
use shared::Gpu;
use shared::native::device;
use web_time::Instant;

mod shared;

#[test]
fn the_self_test_passes_against_the_cpu() {
    let Some(device) = device() else { return };
    block_on(self_test(&device, &mut CpuExecutor::new())).unwrap();
    let hardware = GpuDevice::open(&DeviceOptions { as_hardware: true, ..DeviceOptions::default() }).unwrap();
    block_on(self_test(&hardware, &mut CpuExecutor::new())).unwrap();
}

#[test]
fn rows_added_up_by_index_give_the_bits_of_the_cpu() {
    let Some(device) = device() else { return };
    let (rows, entries) = (3000, 700);
    let (mut graph, mut env) = (Graph::new(), Env::default());
    let mut rng = Rng::new(5, Stream::Data, 0);
    // Some entries get hundreds of rows, most a few or none.
    let indices: Vec<u32> = (0..rows).map(|_| (rng.uniform().powi(4) * 900.0) as u32).collect();
    let values = (0..rows * 8).map(|_| f64::from(rng.normal() as f32)).collect();
    for tensor in [Tensor::f32([rows, 8], values), Tensor::u32([rows], &indices)] {
        let name = format!("in{}", env.feeds.len());
        graph.new_feed(name, tensor.ty.clone(), FeedKind::Resident).unwrap();
        env.feeds.push(tensor);
    }
    let [values, indices] = [0, 1].map(|i| graph.feed(FeedId(i)).unwrap());
    let sums = graph.apply(IndexAdd { entries }, &[values, indices]).unwrap();
    graph.output("sums", sums);
    let mut gpu = Bench::new(&Gpu(&device), &graph, &env, &Options::default());
    let mut cpu = Bench::new(&Cpu, &graph, &env, &Options::default());
    let region = gpu.plan.output("sums").unwrap().region;
    gpu.step(&StepScalars::default());
    cpu.step(&StepScalars::default());
    assert_eq!(block_on(gpu.read(region)), block_on(cpu.read(region)));
}

/// The executor that others are compared with.
struct Cpu;

impl Backend for Cpu {
    type Executor = CpuExecutor;

    fn executor(&self) -> CpuExecutor {
        CpuExecutor::new()
    }
}

#[test]
fn many_steps_go_in_few_submits_without_a_wait() {
    let Some(device) = device() else { return };
    let mut bench = net(&Gpu(&device), &WIDTHS, 20);
    let steps: Vec<StepScalars> = (0..64).map(|i| step(i, 0.05)).collect();
    bench.executor.submit(bench.program, &steps).unwrap();
    block_on(bench.completed());
    let before = bench.executor.submits();
    let ticket = bench.executor.submit(bench.program, &steps).unwrap();
    let start = Instant::now();
    assert_eq!(bench.executor.pump(start), Progress::Busy, "a deadline that is over is not waited for");
    assert_eq!(block_on(bench.completed()), [Completed::Steps(ticket)]);
    assert!(bench.executor.submits() - before < 64);
}

#[test]
fn two_runs_give_the_same_bits_and_lower_the_loss() {
    let Some(device) = device() else { return };
    block_on(promises::two_runs_give_the_same_bits_and_lower_the_loss(&Gpu(&device)));
}

#[test]
fn uploads_and_reads_take_effect_between_the_steps_they_stand_between() {
    let Some(device) = device() else { return };
    block_on(promises::uploads_and_reads_take_effect_between_the_steps_they_stand_between(&Gpu(&device)));
}

#[test]
fn a_gradient_that_is_not_finite_names_its_step_and_freezes_the_weights() {
    let Some(device) = device() else { return };
    block_on(promises::a_gradient_that_is_not_finite_names_its_step_and_freezes_the_weights(&Gpu(&device)));
}

#[test]
fn a_state_goes_on_from_step_to_step_and_rests_from_a_bad_one_on() {
    let Some(device) = device() else { return };
    block_on(promises::a_state_goes_on_from_step_to_step_and_rests_from_a_bad_one_on(&Gpu(&device)));
}

#[test]
fn a_program_that_needs_more_memory_keeps_what_is_there() {
    let Some(device) = device() else { return };
    block_on(promises::a_program_that_needs_more_memory_keeps_what_is_there(&Gpu(&device)));
}

#[test]
fn what_does_not_fit_is_refused() {
    let Some(device) = device() else { return };
    promises::what_does_not_fit_is_refused(&Gpu(&device));
}
