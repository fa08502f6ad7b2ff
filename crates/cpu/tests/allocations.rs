//! A training step allocates nothing.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use allocation_counter::measure;
use downhill_compile::conformance::{net, step};
use downhill_compile::{Executor, Progress};
use shared::Cpu;
use web_time::Instant;

mod shared;

#[test]
fn steps_allocate_nothing_once_the_queue_has_its_size() {
    for (widths, batch) in [(&[7, 33, 12, 3][..], 20), (&[90, 80, 70, 60][..], 100)] {
        let mut bench = net(&Cpu, widths, batch);
        let steps: Vec<_> = (0..32).map(|i| step(i, 0.01)).collect();
        let mut done = Vec::with_capacity(64);
        let mut run = || {
            bench.executor.submit(bench.program, &steps).unwrap();
            while bench.executor.pump(Instant::now() + Duration::from_millis(8)) == Progress::Busy {}
            bench.executor.take_completed(&mut done);
            done.clear();
        };
        assert!(measure(&mut run).count_total > 0, "the queue grows to its size");
        assert_eq!(measure(|| (0..2).for_each(|_| run())).count_total, 0, "{widths:?}");
    }
}
