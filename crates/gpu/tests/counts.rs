//! What a training step costs whatever the adapter: dispatches and pipelines, against a table.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used)]

use downhill_gpu::{Counts, counts};
use shared::native::device;
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

#[test]
fn encoding_a_dispatch_takes_two_microseconds_at_most() {
    let Some(device) = device() else { return };
    for network in [Network::small(10), Network::small(128), Network::large()] {
        let (executor, program) = network.load(&device);
        // Other tests run meanwhile: the quickest of several tries is what it takes.
        let nanos = (0..20).map(|_| executor.encoding_time(program).unwrap()).fold(f64::INFINITY, f64::min);
        eprintln!("{nanos:.0} ns to encode a dispatch");
        assert!(nanos <= 2000.0, "{nanos} ns");
    }
}
