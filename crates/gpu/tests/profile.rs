//! How long kernels take and what a device can do, with timestamps and without.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used)]

use downhill_compile::conformance::{block_on, net, step};
use downhill_compile::{ExecError, Executor, Region, Space};
use downhill_gpu::{Clock, DeviceOptions, GpuDevice};
use shared::Gpu;
use shared::native::open;
use web_time::Instant;

mod shared;

fn with_both_clocks(check: impl Fn(&GpuDevice, Clock)) {
    for no_timestamps in [false, true] {
        let Some(device) = open(&DeviceOptions { no_timestamps, ..DeviceOptions::default() }) else { return };
        check(&device, if no_timestamps { Clock::Replay } else { Clock::Timestamps });
    }
}

#[test]
fn a_profile_has_every_step_and_changes_not_a_bit() {
    with_both_clocks(|device, clock| {
        // Wide enough that gradients are checked in a dispatch of their own: a step of two dispatches.
        let mut bench = net(&Gpu(device), &[64, 96, 64, 3], 20);
        bench.step(&step(0, 0.1));
        let before = block_on(bench.arena());
        let profile = block_on(bench.executor.profile(bench.program, &step(1, 0.1))).unwrap();
        assert_eq!(profile.clock, clock);
        assert_eq!(profile.nanos.len(), bench.plan.steps.len());
        assert!(profile.nanos.iter().all(|t| t.is_finite() && *t >= 0.0), "{profile:?}");
        assert!(profile.nanos.iter().filter(|t| **t > 0.0).count() > profile.nanos.len() / 2, "{profile:?}");
        let products = bench.plan.steps.iter().zip(&profile.nanos).filter(|(s, _)| s.kernel.family() == "matmul");
        assert!(products.map(|(_, t)| *t).sum::<f64>() > 0.0, "{profile:?}");
        assert_eq!(block_on(bench.arena()), before);
    });
}

#[test]
fn training_goes_on_as_if_nobody_had_looked() {
    let Some(device) = open(&DeviceOptions::default()) else { return };
    let run = |look: bool| {
        let mut bench = net(&Gpu(&device), &[7, 33, 12, 3], 20);
        bench.step(&step(0, 0.1));
        if look {
            block_on(bench.executor.profile(bench.program, &step(5, 0.1))).unwrap();
        }
        bench.step(&step(1, 0.1));
        let o = bench.layout.offsets;
        block_on(bench.read(Region { space: Space::Arena, offset: 0, len: o.ring }))
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn a_profile_of_what_is_not_there_is_refused() {
    let Some(device) = open(&DeviceOptions::default()) else { return };
    let mut bench = net(&Gpu(&device), &[7, 33, 12, 3], 20);
    let no_such_batch = downhill_graph::StepScalars { batch: 2, ..step(0, 0.1) };
    let refused = block_on(bench.executor.profile(bench.program, &no_such_batch));
    assert!(matches!(refused, Err(ExecError::Unsupported(_))), "{refused:?}");
    bench.executor.unload(bench.program);
    let refused = block_on(bench.executor.profile(bench.program, &step(0, 0.1)));
    assert!(matches!(refused, Err(ExecError::Unsupported(_))), "{refused:?}");
    device.destroy();
    let refused = block_on(bench.executor.profile(bench.program, &step(0, 0.1)));
    assert!(matches!(refused, Err(ExecError::DeviceLost(_))), "{refused:?}");
}

#[test]
fn the_ceilings_of_a_device_are_measured_once_and_soon() {
    with_both_clocks(|device, _| {
        let start = Instant::now();
        let ceilings = block_on(device.ceilings()).unwrap();
        eprintln!("{ceilings:?} in {:?}", start.elapsed());
        // No machine that runs this test is slower than 10 MB/s and 10 MFLOP/s, or faster than 100 TB/s and 10 PFLOP/s.
        assert!((1e7..1e14).contains(&ceilings.bytes_per_second), "{ceilings:?}");
        assert!((1e7..1e16).contains(&ceilings.flops_per_second), "{ceilings:?}");
        let created = device.created();
        assert_eq!(block_on(device.ceilings()).unwrap(), ceilings);
        assert_eq!(device.created(), created);
    });
}
