//! What a training step costs whatever the adapter: dispatches and pipelines, against a table.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used)]

use downhill_compile::{LayoutSpec, Options, Plan, StateLayout, compile};
use downhill_gpu::{Counts, counts};
use downhill_model::{Experiment, ProgramKind, Signature, Task, build};
use serde_json::{Value, json};

/// The networks of the benchmark.
fn plan(model: Value, loss: &str, batch: usize, features: usize, task: Task, outputs: usize) -> Plan {
    let experiment = json!({
        "version": 1, "seed": 1, "data": "circles", "model": model, "loss": loss, "optimizer": { "adam": { "lr": 0.01 } },
        "training": { "batch_size": batch },
    });
    let experiment = Experiment::from_value(&experiment).unwrap().experiment;
    let signature = Signature { features, input_shape: vec![features], task, outputs, train: 8 * batch, validation: 0 };
    let graph = build(&experiment, &signature, ProgramKind::Train { batch }).unwrap();
    let metrics = experiment.metric_names().len() as u32;
    let mut spec =
        LayoutSpec { groups: experiment.groups(), slots: experiment.slots().len(), ring: 16, metrics, ..LayoutSpec::default() };
    spec.include(&graph);
    compile(&graph, "train", &StateLayout::new(&spec).unwrap(), &Options::default()).unwrap()
}

fn small(batch: usize) -> Plan {
    let linear = |out: usize| json!({ "linear": { "out": out } });
    plan(json!([linear(8), "tanh", linear(8), "tanh", linear(1), "tanh"]), "mse", batch, 2, Task::Regression, 1)
}

fn large() -> Plan {
    let linear = |out: usize| json!({ "linear": { "out": out } });
    plan(json!([linear(512), "relu", linear(256), "relu", linear(10)]), "cross_entropy", 128, 784, Task::Classification, 10)
}

#[test]
fn a_training_step_takes_the_dispatches_and_pipelines_of_the_table() {
    let table = [
        ("mlp-s-10", small(10), Counts { dispatches: 14, pipelines: 11 }),
        ("mlp-s-128", small(128), Counts { dispatches: 14, pipelines: 11 }),
        ("mlp-l", large(), Counts { dispatches: 14, pipelines: 13 }),
    ];
    for (name, plan, expected) in table {
        assert_eq!(counts(&plan).unwrap(), expected, "{name}\n{plan}");
        assert!(expected.dispatches <= if name == "mlp-l" { 16 } else { 14 } && expected.pipelines <= 16, "{name}");
    }
}
