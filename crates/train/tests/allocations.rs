//! A training step allocates nothing: what is allocated belongs to looking at the metrics now and then.

#![allow(clippy::unwrap_used, reason = "a helper that cannot go on has failed its test")]

use allocation_counter::measure;
use downhill_data::NoAssets;
use downhill_model::Experiment;
use downhill_train::{Session, ready};

fn allocates_nothing(data: &str, norm: &str, ema: &str) {
    let document = format!(
        r#"{{ "version": 1, "data": {data}, "training": {{ "batch_size": 10, "eval_every": 1000000 {ema} }},
        "model": [{{ "linear": {{ "out": 8 }} }}, {norm} "tanh", {{ "linear": {{ "out": "classes" }} }}] }}"#
    );
    let mut session = Session::new(Experiment::parse(&document).unwrap().experiment, &NoAssets).unwrap();
    let mut count = |steps: u64| {
        let info = measure(|| {
            session.step(steps);
            ready(session.run_until_rest()).unwrap();
        });
        info.count_total
    };
    count(2_000);
    let (some, many) = (count(2_000), count(42_000));
    let per_step = (many as f64 - some as f64) / 40_000.0;
    // A look at the metrics is due after 128 recorded steps or 20 ms, and takes a handful of allocations.
    assert!(per_step < 0.08, "{per_step} allocations per step ({some}, {many})");
}

#[test]
fn a_training_step_allocates_nothing() {
    allocates_nothing("\"spirals\"", "", "");
}

#[test]
fn a_step_on_new_samples_allocates_nothing_either() {
    allocates_nothing(r#"{ "spirals": { "endless": true } }"#, "", "");
}

#[test]
fn a_step_that_moves_running_statistics_and_averages_of_weights_allocates_nothing_either() {
    allocates_nothing("\"spirals\"", "\"batch_norm\",", ", \"ema\": 0.99");
}
