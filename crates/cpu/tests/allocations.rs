//! A training step allocates nothing.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use downhill_compile::conformance::{net, step};
use downhill_compile::{Executor, Progress};
use shared::Cpu;
use web_time::Instant;

mod shared;

struct Counting;

thread_local! {
    /// Allocations of this thread: the one that started the test is still busy with its own.
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: everything is handed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

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
        run();
        let before = COUNT.get();
        assert!(before > 0, "building a network is counted");
        run();
        run();
        assert_eq!(COUNT.get() - before, 0, "{widths:?}");
    }
}
