//! Layers that keep their weights: whatever the optimizer does with the others, and where other data are to be learned.

#![allow(clippy::unwrap_used, reason = "a helper that cannot go on has failed its test")]

use downhill_data::Bundled;
use downhill_model::Experiment;
use downhill_train::{Session, ready};
use serde_json::{Value, json};

const LAYERS: usize = 3;

fn document(data: &str, frozen: usize, optimizer: &Value) -> Value {
    json!({
        "seed": 4,
        "data": data,
        "model": [{ "linear": { "out": 6 } }, "tanh", { "linear": { "out": 6 } }, "batch_norm", { "linear": { "out": "classes" } }],
        "optimizer": optimizer,
        "training": { "frozen": frozen, "batch_size": 16, "l1": 0.01, "l2": 0.01 }
    })
}

fn experiment(document: &Value) -> Experiment {
    Experiment::from_value(document).unwrap().experiment
}

fn steps(session: &mut Session, steps: u64) {
    session.step(steps);
    ready(session.run_until_rest()).unwrap();
}

/// The weights of frozen layers, and those of the others.
fn weights(session: &mut Session) -> [Vec<(String, Vec<f32>)>; 2] {
    let parameters = ready(session.parameters()).unwrap();
    let all = parameters.into_iter().map(|(name, _, values)| (name, values));
    let (frozen, others) = all.partition(|(name, _)| name.split('.').next().unwrap().parse::<usize>().unwrap() < LAYERS);
    [frozen, others]
}

#[test]
fn frozen_layers_keep_every_bit_under_every_optimizer_and_the_others_learn() {
    for optimizer in [
        json!({ "sgd": { "momentum": 0.9, "nesterov": true, "weight_decay": 0.1 } }),
        json!({ "adam": { "weight_decay": 0.1 } }),
        json!({ "adamw": { "weight_decay": 0.1 } }),
        json!("rmsprop"),
        json!("adagrad"),
        json!("lion"),
        json!("muon"),
    ] {
        let mut session = Session::new(experiment(&document("circles", LAYERS, &optimizer)), &Bundled).unwrap();
        let [frozen, others] = weights(&mut session);
        steps(&mut session, 30);
        let [frozen_after, others_after] = weights(&mut session);
        assert_eq!((frozen.len(), frozen), (4, frozen_after), "{optimizer}");
        assert!(others.iter().zip(&others_after).all(|(before, after)| before.1 != after.1), "{optimizer}");
    }
}

#[test]
fn what_was_learned_from_other_data_stays_in_frozen_layers_and_moves_again_once_they_are_not() {
    let adam = json!({ "adam": { "lr": 0.01 } });
    let mut session = Session::new(experiment(&document("circles", 0, &adam)), &Bundled).unwrap();
    steps(&mut session, 50);
    let [learned, _] = weights(&mut session);
    let edit = |session: &mut Session, data: &str, frozen: usize| {
        ready(session.edit(experiment(&document(data, frozen, &adam)), &Bundled, false)).unwrap();
    };
    // Six classes where there were two.
    edit(&mut session, "gaussians", LAYERS);
    steps(&mut session, 50);
    let [kept, _] = weights(&mut session);
    assert_eq!(learned, kept);
    edit(&mut session, "gaussians", 0);
    steps(&mut session, 5);
    let [moved, _] = weights(&mut session);
    assert!(kept.iter().zip(&moved).all(|(before, after)| before.1 != after.1));
}

#[test]
fn where_nothing_is_left_to_learn_it_is_said() {
    let error = Session::new(experiment(&document("circles", 5, &json!("adam"))), &Bundled).err().unwrap();
    assert_eq!(error.path.as_deref(), Some("training.frozen"));
}
