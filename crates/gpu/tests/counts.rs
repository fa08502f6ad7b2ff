//! What a training step costs whatever the adapter: dispatches and pipelines, against a table.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used)]

use downhill_gpu::{Counts, counts};
use shared::networks::Network;

mod shared;

#[test]
fn a_training_step_takes_the_dispatches_and_pipelines_of_the_table() {
    let table = [
        ("mlp-s-10", Network::small(10).plan, Counts { dispatches: 14, pipelines: 11 }),
        ("mlp-s-128", Network::small(128).plan, Counts { dispatches: 14, pipelines: 11 }),
        ("mlp-l", Network::large().plan, Counts { dispatches: 14, pipelines: 13 }),
    ];
    for (name, plan, expected) in table {
        assert_eq!(counts(&plan).unwrap(), expected, "{name}\n{plan}");
        assert!(expected.dispatches <= if name == "mlp-l" { 16 } else { 14 } && expected.pipelines <= 16, "{name}");
    }
}
