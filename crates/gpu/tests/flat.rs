//! Ten thousand steps leave nothing behind: neither objects of the device nor memory of the host.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use downhill_compile::{Completed, Executor, Progress};
use shared::native::device;
use shared::networks::Network;
use web_time::Instant;

mod shared;

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicI64 = AtomicI64::new(0);

// SAFETY: every call is handed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(size as i64 - layout.size() as i64, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Steps queued at once.
const CHUNK: u64 = 50;

#[test]
fn ten_thousand_steps_create_nothing_and_keep_nothing() {
    let Some(device) = device() else { return };
    let network = Network::small(10);
    let (mut executor, program) = network.load(&device);
    let (mut number, mut done) = (0, Vec::new());
    let mut train = |steps: u64, chunk: u64| {
        let executor = &mut executor;
        let start = (ALLOCATIONS.load(Ordering::Relaxed), executor.submits(), executor.encoding());
        for _ in 0..steps / chunk {
            executor.submit(program, &network.steps(number, chunk)).unwrap();
            executor.request_read(&[network.ring()]).unwrap();
            while executor.pump(Instant::now() + Duration::from_secs(10)) == Progress::Busy {}
            executor.take_completed(&mut done);
            number += chunk;
            let Some(Completed::Read(_, words)) = done.last() else { panic!("{done:?}") };
            assert_eq!(words[0], 0, "everything is finite");
            done.clear();
        }
        let encoding = executor.encoding();
        (
            ALLOCATIONS.load(Ordering::Relaxed) - start.0,
            executor.submits() - start.1,
            (encoding.nanos - start.2.nanos) as f64 / (encoding.dispatches - start.2.dispatches) as f64,
        )
    };
    train(1_000, CHUNK);
    let before = (device.created(), device.pipelines(), device.live().unwrap(), BYTES.load(Ordering::Relaxed));
    let (allocations, submits, nanos) = train(10_000, CHUNK);
    let after = (device.created(), device.pipelines(), device.live().unwrap(), BYTES.load(Ordering::Relaxed));
    assert_eq!((after.0, after.1, after.2), (before.0, before.1, before.2));
    assert!(after.3 - before.3 < 64 << 10, "{} bytes more", after.3 - before.3);
    eprintln!("{:.1} steps per submit, {nanos:.0} ns to encode a dispatch", 10_000.0 / submits as f64);

    let per_submit = |(allocations, submits, _): (u64, u64, f64)| (allocations as f64 / submits as f64, submits as f64);
    let (single, _) = per_submit(train(200, 1));
    let (several, submits) = per_submit(train(800, 4));
    let more_steps = 800.0 / submits - 1.0;
    if more_steps < 1.0 {
        eprintln!("skipped: a step takes so long here that few submits have several");
        return;
    }
    let per_step = (several - single) / more_steps;
    // wgpu collects the barriers of every dispatch in a list of their own and lets its list of commands grow; we allocate nothing.
    let dispatches = executor.dispatches(program) as f64;
    eprintln!("{allocations} allocations in all, {single:.0} per submit of one step, {per_step:.1} per further step");
    assert!(per_step <= dispatches + 4.0, "{per_step} allocations per step of {dispatches} dispatches");
}
