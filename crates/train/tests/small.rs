//! Weights in eight or sixteen bits, as links carry them: the network predicts with them what it predicts without.

#![allow(clippy::unwrap_used, reason = "a helper that cannot go on has failed its test")]

use downhill_data::Bundled;
use downhill_model::{Experiment, presets};
use downhill_train::{Session, ready};
use serde_json::{Value, json};

fn trained(document: &Value, steps: u64) -> Session {
    let experiment = Experiment::from_value(document).unwrap().experiment;
    let mut session = Session::new(experiment, &Bundled).unwrap();
    session.step(steps);
    ready(session.run_until_rest()).unwrap();
    session
}

fn preset(id: &str) -> Value {
    serde_json::from_str(presets::find(id).unwrap().json).unwrap()
}

fn accuracy(session: &Session) -> f64 {
    session.metrics().iter().find(|(name, _)| name == "validation_accuracy").unwrap().1
}

#[test]
fn a_network_predicts_the_same_with_fewer_bits() {
    let normed = json!({
        "data": { "moons": { "samples": 200 } },
        "model": [{ "linear": { "out": 33 } }, "batch_norm", "tanh", { "linear": { "out": "classes" } }],
        "training": { "ema": 0.9 },
    });
    for (document, steps) in [(preset("spirals"), 600), (preset("digits"), 300), (normed, 200)] {
        let mut session = trained(&document, steps);
        let small = ready(session.small_weights()).unwrap();
        assert!(small.farthest <= 0.05 && small.samples > 0, "{small:?}");
        let exact = ready(session.weights(true)).unwrap();
        assert!(small.bytes.len() * if small.bits == 8 { 3 } else { 1 } < exact.len(), "{small:?}");
        // Somebody else's run, not trained at all.
        let mut other = trained(&document, 0);
        ready(other.take_small(&small.bytes)).unwrap();
        other.step(0);
        ready(other.run_until_rest()).unwrap();
        let again = ready(other.small_weights()).unwrap();
        assert!(again.farthest < 1e-3, "what was in few bits stays: {}", again.farthest);
        assert!((accuracy(&other) - accuracy(&session)).abs() < 0.02, "{} {}", accuracy(&other), accuracy(&session));
        for at in (0..small.bytes.len()).step_by(97) {
            let refused = ready(other.take_small(&small.bytes[..at])).unwrap_err();
            assert!(refused.message.contains("damaged, or belong to another network"), "{refused}");
        }
    }
}

#[test]
fn weights_of_another_network_or_too_many_are_refused() {
    let mut spirals = trained(&preset("spirals"), 5);
    let small = ready(spirals.small_weights()).unwrap();
    let mut digits = trained(&preset("digits"), 0);
    assert!(ready(digits.take_small(&small.bytes)).unwrap_err().message.contains("another network"));
    let wide = json!({ "data": "moons", "model": [{ "linear": { "out": 6000 } }, "relu", { "linear": { "out": "classes" } }] });
    let refused = ready(trained(&wide, 1).small_weights()).unwrap_err();
    assert!(refused.message.contains("20000 at most") && refused.hint.is_some(), "{refused}");
}

#[test]
fn what_few_bits_would_change_is_told_and_refused() {
    let steep = json!({
        "data": { "spirals": { "samples": 200 } },
        "model": [{ "linear": { "out": 32 } }, "tanh", { "linear": { "out": "classes" } }],
    });
    let mut session = trained(&steep, 1);
    // A thousandfold in one row: the others fall between the steps of the scale.
    for unit in 0..32 {
        session.set_weight("0.weight", &[unit, 0], if unit == 0 { 3e6 } else { 1.5 }).unwrap();
        session.set_weight("2.weight", &[0, unit], if unit == 0 { 0.0 } else { 4.0 }).unwrap();
    }
    let refused = ready(session.small_weights()).unwrap_err();
    assert!(refused.message.contains("would move by"), "{refused}");
}
