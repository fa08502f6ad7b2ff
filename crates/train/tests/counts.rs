//! What a training step of the benchmark's networks takes on any GPU: dispatches and pipelines, against a table.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, reason = "a helper that cannot go on has failed its test")]

use downhill_gpu::{Counts, counts};
use downhill_train::bench::plan;

#[test]
fn a_training_step_takes_the_dispatches_and_pipelines_of_the_table() {
    let found = ["cnn", "lstm", "gpt-s"].map(|name| (name, counts(&plan(name).unwrap()).unwrap()));
    let table = [
        ("cnn", Counts { dispatches: 21, pipelines: 18 }),
        ("lstm", Counts { dispatches: 22, pipelines: 17 }),
        ("gpt-s", Counts { dispatches: 121, pipelines: 28 }),
    ];
    assert_eq!(found, table);
}
