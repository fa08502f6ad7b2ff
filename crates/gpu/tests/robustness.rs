//! What goes wrong with a device is said in a sentence and ends every wait.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use downhill_compile::conformance::promises::WIDTHS;
use downhill_compile::conformance::{Bench, block_on, net, step};
use downhill_compile::{Completed, ExecError, Executor, Progress, Region, Space};
use downhill_gpu::{DeviceOptions, GpuDevice, GpuExecutor};
use shared::Gpu;
use shared::native::{device, open};
use web_time::Instant;

mod shared;

/// Pumps until nothing is left, which has to be soon.
fn pump_all(executor: &mut GpuExecutor) -> Vec<Completed> {
    let limit = Instant::now() + Duration::from_secs(10);
    while executor.pump(Instant::now() + Duration::from_millis(100)) == Progress::Busy {
        assert!(Instant::now() < limit, "it hangs");
    }
    let mut done = Vec::new();
    executor.take_completed(&mut done);
    done
}

fn weights(bench: &Bench<Gpu>) -> Region {
    let o = bench.layout.offsets;
    Region { space: Space::Arena, offset: o.parameters, len: o.slots + o.slot_count * o.parameter_len - o.parameters }
}

#[test]
fn a_lost_device_is_told_once_and_refuses_what_follows() {
    let Some(device) = device() else { return };
    let mut bench = net(&Gpu(&device), &WIDTHS, 20);
    bench.step(&step(0, 0.1));
    device.destroy();
    let done = pump_all(&mut bench.executor);
    assert!(matches!(done.last(), Some(Completed::DeviceLost(_))), "{done:?}");
    assert!(pump_all(&mut bench.executor).is_empty());
    let refused = bench.executor.submit(bench.program, &[step(1, 0.1)]);
    assert!(matches!(refused, Err(ExecError::DeviceLost(_))), "{refused:?}");
}

#[test]
fn a_device_lost_at_step_ten_ends_the_training_loop() {
    let Some(device) = device() else { return };
    let mut bench = net(&Gpu(&device), &WIDTHS, 20);
    let mut lost = Vec::new();
    for number in 0..100 {
        if number == 10 {
            device.destroy();
        }
        match bench.executor.submit(bench.program, &[step(number, 0.1)]) {
            Ok(_) => assert!(number <= 10),
            Err(why) => assert!(number >= 10 && matches!(why, ExecError::DeviceLost(_)), "{number}: {why}"),
        }
        bench.executor.pump(Instant::now());
        bench.executor.take_completed(&mut lost);
    }
    block_on(bench.executor.finish());
    bench.executor.take_completed(&mut lost);
    assert_eq!(lost.iter().filter(|c| matches!(c, Completed::DeviceLost(_))).count(), 1, "{lost:?}");
}

#[test]
fn a_device_lost_every_second_step_is_replaced_and_training_comes_to_the_same_end() {
    let Some(steady) = device() else { return };
    let state = |bench: &mut Bench<Gpu>| {
        let all = weights(bench);
        block_on(bench.read(all))
    };
    let mut whole = net(&Gpu(&steady), &WIDTHS, 20);
    (0..12).for_each(|number| whole.step(&step(number, 0.1)));
    let expected = state(&mut whole);

    let mut saved: Option<Vec<u32>> = None;
    for pair in 0..6 {
        let fleeting = device().unwrap();
        let mut bench = net(&Gpu(&fleeting), &WIDTHS, 20);
        if let Some(words) = &saved {
            bench.executor.upload(Space::Arena, weights(&bench).offset, words).unwrap();
        }
        bench.step(&step(2 * pair, 0.1));
        bench.step(&step(2 * pair + 1, 0.1));
        saved = Some(state(&mut bench));
        bench.step(&step(99, 0.1));
        fleeting.destroy();
        let done = pump_all(&mut bench.executor);
        assert!(matches!(done.last(), Some(Completed::DeviceLost(_))), "{done:?}");
    }
    assert_eq!(saved.unwrap(), expected);
}

#[test]
fn loss_of_the_device_ends_every_wait() {
    let Some(device) = device() else { return };
    let mut bench = net(&Gpu(&device), &WIDTHS, 20);
    (0..50).for_each(|number| bench.step(&step(number, 0.1)));
    bench.executor.request_read(&[weights(&bench)]).unwrap();
    bench.executor.pump(Instant::now());
    let landing = bench.executor.landing();
    device.destroy();
    block_on(landing);
    block_on(bench.executor.finish());
    assert!(matches!(block_on(device.ceilings()), Err(ExecError::DeviceLost(_))));
    let refused = block_on(device.warm(&bench.plan));
    assert!(matches!(refused, Ok(()) | Err(ExecError::DeviceLost(_))), "what is compiled stays: {refused:?}");
    assert!(device.fault().is_some());
}

#[test]
fn a_device_with_small_buffers_says_what_to_lower() {
    if device().is_none() {
        return;
    }
    let tiny = GpuDevice::open(&DeviceOptions { max_buffer: Some(1 << 16), ..DeviceOptions::default() }).unwrap();
    assert_eq!(tiny.max_buffer(), 1 << 16);
    let mut bench = net(&Gpu(&tiny), &WIDTHS, 20);
    let mut plan = bench.plan.clone();
    plan.arena_len = 1 << 20;
    let refused = bench.executor.load(&plan).unwrap_err();
    assert!(matches!(refused, ExecError::OutOfMemory { needed } if needed > 4 << 20), "{refused}");
    assert!(refused.to_string().contains("lower the batch size"), "{refused}");
    bench.step(&step(0, 0.1));
    let done = pump_all(&mut bench.executor);
    assert!(matches!(done[..], [Completed::Steps(_)]), "what was loaded before goes on: {done:?}");
}

#[test]
fn a_device_of_few_workgroups_says_what_to_lower() {
    let Some(tiny) = open(&DeviceOptions { max_workgroups: Some(2), ..DeviceOptions::default() }) else { return };
    let plan = net(&Gpu(&device().unwrap()), &[64, 96, 64, 3], 20).plan;
    let refused = GpuExecutor::new(&tiny).load(&plan).unwrap_err();
    let text = refused.to_string();
    assert!(matches!(refused, ExecError::Unsupported(_)), "{text}");
    assert!(text.contains("workgroups") && text.contains("lower the batch size"), "{text}");
}

#[test]
fn a_device_too_small_for_any_kernel_is_not_opened() {
    if device().is_none() {
        return;
    }
    let refused = GpuDevice::open(&DeviceOptions { max_buffer: Some(1 << 10), ..DeviceOptions::default() }).err().unwrap();
    assert!(refused.to_string().contains("too limited"), "{refused}");
    let missing = GpuDevice::open(&DeviceOptions { name: Some("no such adapter".into()), ..DeviceOptions::default() });
    assert!(missing.err().unwrap().to_string().contains("no such adapter"));
}
