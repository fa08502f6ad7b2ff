//! What a training step of the benchmark's networks takes on any GPU: dispatches and pipelines, against a table.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, reason = "a helper that cannot go on has failed its test")]

use downhill_gpu::{Counts, counts};
use downhill_train::bench::plan;

#[test]
fn a_training_step_takes_the_dispatches_and_pipelines_of_the_table() {
    let found = ["cnn", "lstm", "gpt-s"].map(|name| {
        let plan = plan(name).unwrap();
        (name, [false, true].map(|software| counts(&plan, software).unwrap()))
    });
    let of = |dispatches, pipelines| Counts { dispatches, pipelines };
    // On a GPU, and on a software adapter.
    let table = [("cnn", [of(21, 18), of(21, 17)]), ("lstm", [of(20, 17), of(20, 15)]), ("gpt-s", [of(111, 27), of(102, 26)])];
    assert_eq!(found, table);
}
