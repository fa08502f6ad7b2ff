//! Ten thousand steps leave nothing behind: neither objects of the device nor memory of the host.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use allocation_counter::measure;
use downhill_compile::{Completed, Executor, Progress};
use shared::native::device;
use shared::networks;
use web_time::Instant;

mod shared;

/// Steps queued at once.
const CHUNK: u64 = 50;

#[test]
fn ten_thousand_steps_create_nothing_and_keep_nothing() {
    let Some(device) = device() else { return };
    let mut bench = networks::on(&device, &networks::small(10));
    let ring = networks::ring(&bench.plan);
    let (mut number, mut done) = (0, Vec::new());
    let mut train = |steps: u64| {
        for _ in 0..steps / CHUNK {
            bench.executor.submit(bench.program, &networks::steps(number, CHUNK)).unwrap();
            bench.executor.request_read(&[ring]).unwrap();
            while bench.executor.pump(Instant::now() + Duration::from_secs(10)) == Progress::Busy {}
            bench.executor.take_completed(&mut done);
            number += CHUNK;
            let Some(Completed::Read(_, words)) = done.last() else { panic!("{done:?}") };
            assert_eq!(words[0], 0, "everything is finite");
            done.clear();
        }
    };
    train(1_000);
    let before = (device.created(), device.pipelines(), device.live().unwrap());
    let memory = measure(|| train(10_000));
    let after = (device.created(), device.pipelines(), device.live().unwrap());
    assert_eq!(after, before);
    assert!(memory.bytes_current < 64 << 10, "{} bytes more", memory.bytes_current);
}
