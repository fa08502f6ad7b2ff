//! A training step allocates nothing: what is allocated belongs to looking at the metrics now and then.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

use downhill_data::NoAssets;
use downhill_model::Experiment;
use downhill_train::{Session, ready};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is handed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_training_step_allocates_nothing() {
    let document = r#"{ "version": 1, "data": "spirals", "training": { "batch_size": 10, "eval_every": 1000000 },
        "model": [{ "linear": { "out": 8 } }, "tanh", { "linear": { "out": "classes" } }] }"#;
    let mut session = Session::new(Experiment::parse(document).unwrap().experiment, &NoAssets).unwrap();
    let mut count = |steps: u64| {
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        session.step(steps);
        ready(session.run_until_rest()).unwrap();
        ALLOCATIONS.load(Ordering::Relaxed) - before
    };
    count(2_000);
    let (some, many) = (count(2_000), count(42_000));
    let per_step = (many as f64 - some as f64) / 40_000.0;
    // A look at the metrics is due after 128 recorded steps or 20 ms, and takes a handful of allocations.
    assert!(per_step < 0.08, "{per_step} allocations per step ({some}, {many})");
}
