//! What goes on from step to step and is not trained: running statistics of `batch_norm`, and averages of the weights.

#![allow(clippy::unwrap_used, reason = "a helper that cannot go on has failed its test")]

use std::collections::BTreeMap;

use downhill_data::Bundled;
use downhill_model::Experiment;
use downhill_train::{Session, ready};
use safetensors::SafeTensors;
use serde_json::{Value, json};

fn document() -> Value {
    json!({
        "seed": 3,
        "data": { "spirals": { "samples": 200 } },
        "model": [
            { "linear": { "out": 6, "bias": false } }, "batch_norm", { "dropout": { "p": 0.1 } }, "tanh", { "linear": { "out": "classes" } },
        ],
        "optimizer": { "adam": { "lr": 0.01 } },
        "training": { "batch_size": 16, "eval_every": 100, "steps": 300, "ema": 0.9 },
    })
}

fn experiment(document: &Value) -> Experiment {
    Experiment::from_value(document).unwrap().experiment
}

fn session(document: &Value) -> Session {
    Session::new(experiment(document), &Bundled).unwrap()
}

fn steps(session: &mut Session, steps: u64) {
    session.step(steps);
    ready(session.run_until_rest()).unwrap();
}

fn edit(session: &mut Session, document: &Value) {
    ready(session.edit(experiment(document), &Bundled, false)).unwrap();
}

/// The words of everything that a file of weights holds.
fn weights(session: &mut Session) -> BTreeMap<String, Vec<f32>> {
    let bytes = ready(session.weights(true)).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let floats = |data: &[u8]| data.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    let number = |data: &[u8]| vec![i64::from_le_bytes(data.try_into().unwrap()) as f32];
    let values = |data: &[u8], count: bool| if count { number(data) } else { floats(data) };
    file.iter().map(|(name, t)| (name.to_string(), values(t.data(), t.dtype() == safetensors::Dtype::I64))).collect()
}

fn snapshot(session: &mut Session) -> Vec<u8> {
    ready(session.snapshot()).unwrap()
}

#[test]
fn buffers_begin_as_in_pytorch_and_move_with_every_step() {
    let mut session = session(&document());
    let before = weights(&mut session);
    assert_eq!(before["1.running_mean"], [0.0; 6]);
    assert_eq!(before["1.running_var"], [1.0; 6]);
    assert_eq!(before["1.num_batches_tracked"], [0.0]);
    assert_eq!(before["1.weight"], [1.0; 6]);
    assert_eq!(before["ema.0.weight"], before["0.weight"]);
    steps(&mut session, 1);
    let first = weights(&mut session);
    // The first update of the average copies the weights, to within the rounding of the difference that is added.
    for (average, weight) in first["ema.0.weight"].iter().zip(&first["0.weight"]) {
        assert!((average - weight).abs() <= 1e-7, "{average} {weight}");
    }
    steps(&mut session, 6);
    let after = weights(&mut session);
    assert_eq!(after["1.num_batches_tracked"], [7.0]);
    assert!(after["1.running_mean"].iter().zip(&before["1.running_mean"]).all(|(a, b)| a != b));
    assert_ne!(after["ema.0.weight"], after["0.weight"]);
}

#[test]
fn a_run_resumed_in_the_middle_goes_on_bit_for_bit() {
    let mut whole = session(&document());
    steps(&mut whole, 133);
    let saved = snapshot(&mut whole);
    steps(&mut whole, 100);
    let mut resumed = Session::restore(&saved, &Bundled).unwrap();
    assert_eq!(snapshot(&mut resumed), saved);
    steps(&mut resumed, 100);
    assert_eq!(snapshot(&mut resumed), snapshot(&mut whole));
}

#[test]
fn a_probe_between_steps_changes_no_bit_of_the_run() {
    let (mut alone, mut watched) = (session(&document()), session(&document()));
    steps(&mut alone, 30);
    for _ in 0..10 {
        let before = snapshot(&mut watched);
        let probe = ready(watched.probe()).unwrap();
        assert_eq!(snapshot(&mut watched), before);
        // It takes the statistics of the batch, as the step does: what is left as the mean of a unit is its bias.
        let (_, normed) = probe.iter().find(|(name, _)| name == "model[1]").unwrap();
        let mean = normed.iter().step_by(6).sum::<f32>() / 16.0;
        let bias = weights(&mut watched)["1.bias"][0];
        assert!((mean - bias).abs() < 1e-6, "{mean} {bias}");
        steps(&mut watched, 3);
    }
    assert_eq!(snapshot(&mut watched), snapshot(&mut alone));
}

#[test]
fn a_step_that_is_not_finite_leaves_statistics_and_averages_as_they_were() {
    let mut session = session(&document());
    steps(&mut session, 20);
    session.set_weight("0.weight", &[0, 0], 3e38).unwrap();
    let before = weights(&mut session);
    steps(&mut session, 3);
    assert_eq!(session.diverged_at(), Some(20));
    assert_eq!(weights(&mut session), before);
    assert!(before.values().flatten().all(|v| v.is_finite()));
}

#[test]
fn a_layer_that_is_kept_keeps_its_statistics_and_one_that_is_not_begins_anew() {
    let mut session = session(&document());
    steps(&mut session, 40);
    let before = weights(&mut session);
    let mut edited = document();
    edited["model"][1] = json!({ "batch_norm": { "eps": 0.001 } });
    edited["model"].as_array_mut().unwrap().insert(4, json!("batch_norm"));
    edit(&mut session, &edited);
    let after = weights(&mut session);
    for name in ["1.running_mean", "1.running_var", "1.num_batches_tracked", "1.weight", "ema.1.weight"] {
        assert_eq!(after[name], before[name], "{name}");
    }
    assert_eq!((&after["4.running_mean"], &after["4.num_batches_tracked"]), (&vec![0.0; 6], &vec![0.0]));
    edited["model"][0]["linear"]["out"] = json!(7);
    edit(&mut session, &edited);
    let wider = weights(&mut session);
    assert_eq!(wider["1.running_var"], [1.0; 7]);
    assert_eq!(wider["ema.0.weight"], wider["0.weight"]);
}

#[test]
fn averages_begin_with_the_weights_and_end_while_the_optimizer_goes_on() {
    let mut plain = document();
    plain["training"]["ema"] = Value::Null;
    let (mut session, mut other) = (session(&plain), session(&plain));
    steps(&mut session, 40);
    assert!(weights(&mut session).keys().all(|name| !name.starts_with("ema.")));
    edit(&mut session, &document());
    let begun = weights(&mut session);
    assert_eq!(begun["ema.4.weight"], begun["4.weight"]);
    steps(&mut session, 20);
    let averaged = weights(&mut session);
    assert_ne!(averaged["ema.4.weight"], averaged["4.weight"]);
    edit(&mut session, &plain);
    steps(&mut session, 20);
    steps(&mut other, 80);
    assert_eq!(snapshot(&mut session), snapshot(&mut other), "training took the same steps throughout");
}

#[test]
fn weights_of_a_file_come_with_their_buffers_and_averages() {
    let (mut trained, mut fresh) = (session(&document()), session(&document()));
    steps(&mut trained, 40);
    ready(fresh.load_weights(&ready(trained.weights(true)).unwrap())).unwrap();
    assert_eq!(weights(&mut fresh), weights(&mut trained));
    ready(fresh.load_weights(&snapshot(&mut trained))).unwrap();
    assert_eq!(weights(&mut fresh), weights(&mut trained), "a run is a file of weights too");
    ready(fresh.load_weights(&ready(trained.weights(false)).unwrap())).unwrap();
    let loaded = weights(&mut fresh);
    assert_eq!(loaded["ema.0.weight"], loaded["0.weight"], "without averages these begin with the weights");
    let mut other = document();
    other["model"][1] = json!("relu");
    let without = ready(session(&other).weights(true)).unwrap();
    assert!(ready(fresh.load_weights(&without)).is_err());
}

#[test]
fn evaluations_and_predictions_take_the_averages_and_the_running_statistics() {
    let mut session = session(&document());
    steps(&mut session, 100);
    let averaged = session.metrics().to_vec();
    // The same run without averages, its weights set to them: what is left to differ is nothing.
    let mut plain = document();
    plain["training"]["ema"] = Value::Null;
    let mut other = self::session(&plain);
    let bytes = ready(session.weights(true)).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensors: Vec<_> = file
        .iter()
        .map(|(name, view)| (name, file.tensor(&format!("ema.{name}")).unwrap_or(view)))
        .filter(|(name, _)| !name.starts_with("ema."))
        .collect();
    ready(other.load_weights(&safetensors::serialize(tensors, None).unwrap())).unwrap();
    ready(other.run_until_rest()).unwrap();
    assert_eq!(other.metrics(), averaged);
    assert!(averaged.len() >= 4, "{averaged:?}");
}

#[test]
fn a_batch_of_one_sample_has_no_statistics() {
    let mut one = document();
    one["training"]["batch_size"] = json!(1);
    let error = Session::new(experiment(&one), &Bundled).map(|_| ()).unwrap_err();
    assert_eq!(error.path.as_deref(), Some("training.batch_size"));
    assert!(error.to_string().contains("`batch_norm`") && error.to_string().contains("2 or more"), "{error}");
}
