//! The executor's promises about order, repetition, loss of the device and what it refuses.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use downhill_compile::{Completed, ExecError, Executor, Plan, Progress, Region, Space};
use downhill_cpu::CpuExecutor;
use downhill_gpu::{DeviceOptions, GpuDevice, GpuExecutor, self_test};
use downhill_graph::StepScalars;
use shared::native::{block_on, device};
use shared::net::{net, poison, step};
use web_time::Instant;

mod shared;

const WIDTHS: [usize; 4] = [7, 33, 12, 3];

fn pump_all(executor: &mut GpuExecutor) -> Vec<Completed> {
    while executor.pump(Instant::now() + Duration::from_secs(10)) == Progress::Busy {}
    let mut done = Vec::new();
    executor.take_completed(&mut done);
    done
}

fn float(words: &[u32], at: u32) -> f32 {
    f32::from_bits(words[at as usize])
}

#[test]
fn the_self_test_passes_against_the_cpu() {
    let Some(device) = device() else { return };
    block_on(self_test(&device, &mut CpuExecutor::new())).unwrap();
    let hardware = GpuDevice::open(&DeviceOptions { as_hardware: true, ..DeviceOptions::default() }).unwrap();
    block_on(self_test(&hardware, &mut CpuExecutor::new())).unwrap();
}

#[test]
fn two_runs_give_the_same_bits_and_lower_the_loss() {
    let Some(device) = device() else { return };
    let run = || {
        let mut bench = net(&device, &WIDTHS, 20);
        let steps: Vec<StepScalars> = (0..300).map(|i| step(i, 0.05)).collect();
        bench.executor.submit(bench.program, &steps[..1]).unwrap();
        let first = block_on(bench.arena());
        bench.executor.submit(bench.program, &steps[1..]).unwrap();
        (bench.layout.offsets.ring + 2, first, block_on(bench.arena()))
    };
    let (at, first, last) = run();
    // Rows alternate: step 298 wrote where step 0 did.
    assert!(float(&last, at) < 0.5 * float(&first, at), "{} to {}", float(&first, at), float(&last, at));
    assert_eq!(run().2, last);
}

#[test]
fn many_steps_go_in_few_submits_without_a_wait() {
    let Some(device) = device() else { return };
    let mut bench = net(&device, &WIDTHS, 20);
    let steps: Vec<StepScalars> = (0..64).map(|i| step(i, 0.05)).collect();
    bench.executor.submit(bench.program, &steps).unwrap();
    pump_all(&mut bench.executor);
    let before = bench.executor.submits();
    let ticket = bench.executor.submit(bench.program, &steps).unwrap();
    let start = Instant::now();
    assert_eq!(bench.executor.pump(start), Progress::Busy, "a deadline that is over is not waited for");
    assert_eq!(pump_all(&mut bench.executor), [Completed::Steps(ticket)]);
    assert!(bench.executor.submits() - before < 64);
}

#[test]
fn uploads_and_reads_take_effect_between_the_steps_they_stand_between() {
    let Some(device) = device() else { return };
    let mut bench = net(&device, &WIDTHS, 20);
    let o = bench.layout.offsets;
    let weights = Region { space: Space::Arena, offset: o.parameters, len: o.parameter_len };
    let (executor, program) = (&mut bench.executor, bench.program);
    let before = executor.request_read(&[weights]).unwrap();
    let first = executor.submit(program, &[step(0, 0.1)]).unwrap();
    let between = executor.request_read(&[weights]).unwrap();
    executor.upload(Space::Arena, o.parameters, &vec![0; o.parameter_len as usize]).unwrap();
    let zeros = executor.request_read(&[weights]).unwrap();
    let second = executor.submit(program, &[step(1, 0.1)]).unwrap();
    let after = executor.request_read(&[weights]).unwrap();
    let done = pump_all(executor);
    let [
        Completed::Read(a, was),
        Completed::Steps(b),
        Completed::Read(c, is),
        Completed::Read(d, cleared),
        Completed::Steps(e),
        Completed::Read(f, moved),
    ] = done.as_slice()
    else {
        panic!("six things were asked for: {done:?}")
    };
    assert_eq!((*a, *b, *c, *d, *e, *f), (before, first, between, zeros, second, after));
    assert_ne!(was, is, "the step changed the weights");
    assert!(cleared.iter().all(|&w| w == 0));
    assert!(moved.iter().any(|&w| w != 0), "the second step started from zero and moved");
}

#[test]
fn a_gradient_that_is_not_finite_names_its_step_and_freezes_the_weights() {
    let Some(device) = device() else { return };
    // The second has so many parameters that gradients are checked in a dispatch of their own.
    for widths in [&WIDTHS[..], &[64, 96, 64, 3][..]] {
        let mut bench = net(&device, widths, 20);
        let o = bench.layout.offsets;
        bench.step(&step(0, 0.1));
        let good = block_on(bench.arena());
        poison(&mut bench, f32::NAN.to_bits());
        bench.step(&step(1, 0.1));
        assert_eq!(block_on(bench.arena())[o.flag as usize], 2);
        poison(&mut bench, 0);
        bench.step(&step(2, 0.1));
        let now = block_on(bench.arena());
        let weights = o.parameters as usize..(o.parameters + o.parameter_len) as usize;
        assert_eq!(now[weights.clone()], good[weights], "also after the cause is gone");
        assert_eq!(now[(o.ring + 1) as usize], 2, "the record carries the flag");
    }
}

#[test]
fn a_program_that_needs_more_memory_keeps_what_is_there() {
    let Some(device) = device() else { return };
    let mut bench = net(&device, &WIDTHS, 20);
    bench.step(&step(0, 0.1));
    let before = block_on(bench.arena());
    let mut larger: Plan = bench.plan.clone();
    larger.arena_len += 1 << 16;
    larger.data_len += 1 << 12;
    bench.executor.load(&larger).unwrap();
    assert_eq!(block_on(bench.arena()), before);
    bench.step(&step(1, 0.1));
    assert_ne!(block_on(bench.arena()), before, "the old program runs in the new buffers");
}

#[test]
fn what_does_not_fit_is_refused() {
    let Some(device) = device() else { return };
    let mut bench = net(&device, &WIDTHS, 20);
    let end = (bench.plan.arena_len).next_multiple_of(4);
    let refused = |r: Result<(), ExecError>| matches!(r, Err(ExecError::Unsupported(_)));
    assert!(refused(bench.executor.upload(Space::Arena, end - 1, &[0, 0])));
    let beyond = Region { space: Space::Data, offset: u32::MAX, len: 1 };
    assert!(refused(bench.executor.request_read(&[beyond]).map(|_| ())));
    let no_such_batch = StepScalars { batch: 2, ..step(0, 0.1) };
    assert!(refused(bench.executor.submit(bench.program, &[no_such_batch]).map(|_| ())));
    bench.executor.unload(bench.program);
    assert!(refused(bench.executor.submit(bench.program, &[step(0, 0.1)]).map(|_| ())));
}
