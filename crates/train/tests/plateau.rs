//! A learning rate that follows the validation loss: where it stands belongs to the run, whatever interrupts that.

#![allow(clippy::unwrap_used, reason = "a helper that cannot go on has failed its test")]

use downhill_data::Bundled;
use downhill_model::Experiment;
use downhill_model::schedules::{Plateau, ReduceOnPlateau};
use downhill_train::{Session, ready};
use serde_json::{Value, json};

const RULE: ReduceOnPlateau = ReduceOnPlateau { factor: 0.4, patience: 1, threshold: 0.05, cooldown: 1, min_lr: 0.01 };

fn document() -> Value {
    json!({
        "seed": 3,
        "data": { "sine": { "samples": 200, "noise": 0.3 } },
        "model": [{ "linear": { "out": 8 } }, "tanh", { "linear": { "out": "targets" } }],
        "loss": "mse",
        "optimizer": { "sgd": { "lr": 0.2, "momentum": 0.9 } },
        "schedule": { "reduce_on_plateau": { "factor": 0.4, "patience": 1, "threshold": 0.05, "cooldown": 1, "min_lr": 0.01 } },
        "training": { "batch_size": 10, "eval_every": 5 },
    })
}

fn session(document: &Value) -> Session {
    Session::new(Experiment::from_value(document).unwrap().experiment, &Bundled).unwrap()
}

fn steps(session: &mut Session, steps: u64) {
    session.keep_losses();
    session.step(steps);
    ready(session.run_until_rest()).unwrap();
}

fn edit(session: &mut Session, document: &Value) {
    ready(session.edit(Experiment::from_value(document).unwrap().experiment, &Bundled, false)).unwrap();
}

fn snapshot(session: &mut Session) -> Vec<u8> {
    ready(session.snapshot()).unwrap()
}

/// A curve as it was drawn: step and value.
fn curve(session: &Session, name: &str) -> Vec<(u64, f32)> {
    session.curves().points(name).iter().map(|point| (point.step, point.last)).collect()
}

#[test]
fn the_rate_of_every_step_is_what_the_evaluations_before_it_make_of_it() {
    let mut session = session(&document());
    steps(&mut session, 100);
    let mut plateau = Plateau::default();
    let losses = curve(&session, "validation_loss");
    assert_eq!(losses.len(), 21);
    for (step, loss) in losses.into_iter().filter(|(step, _)| *step > 0) {
        plateau.note(&RULE, 0.2, step, f64::from(loss));
    }
    let rates = curve(&session, "lr");
    assert_eq!(rates.len(), 100);
    for (step, rate) in &rates {
        assert_eq!(*rate, (0.2 * plateau.scale_at(*step)) as f32, "{step}");
    }
    let mut levels: Vec<f32> = rates.iter().map(|(_, rate)| *rate).collect();
    levels.dedup();
    assert!(levels.len() > 3 && levels.is_sorted_by(|a, b| a > b), "{levels:?}");
    assert_eq!(*levels.last().unwrap(), 0.01);
    assert!((session.status().lr - 0.01).abs() < 1e-12);
}

#[test]
fn the_same_steps_are_taken_in_whatever_pieces() {
    let (mut whole, mut pieces) = (session(&document()), session(&document()));
    steps(&mut whole, 60);
    [1, 4, 5, 13, 7, 20, 10].into_iter().for_each(|n| steps(&mut pieces, n));
    assert_eq!(snapshot(&mut whole), snapshot(&mut pieces));
    assert!(whole.status().lr < 0.2);
}

#[test]
fn a_run_resumed_in_the_middle_goes_on_bit_for_bit() {
    let mut whole = session(&document());
    let mut lowest = f64::INFINITY;
    for _ in 0..9 {
        steps(&mut whole, 8);
        let saved = snapshot(&mut whole);
        let mut resumed = Session::restore(&saved, &Bundled).unwrap();
        assert_eq!(snapshot(&mut resumed), saved);
        assert_eq!(resumed.status().lr, whole.status().lr);
        steps(&mut resumed, 40);
        let mut on = Session::restore(&saved, &Bundled).unwrap();
        (0..8).for_each(|_| steps(&mut on, 5));
        assert_eq!(snapshot(&mut resumed), snapshot(&mut on));
        lowest = resumed.status().lr;
    }
    assert!(lowest < 0.05);
    let mut other = session(&document());
    steps(&mut other, 72);
    assert_eq!(snapshot(&mut other), snapshot(&mut whole));
}

#[test]
fn an_edit_of_the_rate_keeps_the_falls_and_another_schedule_forgets_them() {
    let mut session = session(&document());
    steps(&mut session, 60);
    let fallen = session.status().lr / 0.2;
    assert!(fallen < 1.0);
    let mut half = document();
    half["optimizer"]["sgd"]["lr"] = json!(0.1);
    // An evaluation more often than before, where the run rests on one that did not count.
    half["training"]["eval_every"] = json!(4);
    steps(&mut session, 4);
    edit(&mut session, &half);
    steps(&mut session, 1);
    assert!((session.status().lr - 0.1 * fallen).abs() < 1e-12, "{}", session.status().lr);
    half["schedule"] = json!("constant");
    edit(&mut session, &half);
    steps(&mut session, 1);
    assert_eq!(session.status().lr, 0.1);
    edit(&mut session, &document());
    steps(&mut session, 1);
    assert_eq!(session.status().lr, 0.2);
    steps(&mut session, 100);
    assert!(session.status().lr < 0.2);
    ready(session.reset()).unwrap();
    steps(&mut session, 1);
    assert_eq!(session.status().lr, 0.2);
}

#[test]
fn without_samples_held_out_there_is_nothing_to_follow() {
    let mut all = document();
    all["data"]["sine"]["validation"] = json!(0.0);
    let refused = Session::new(Experiment::from_value(&all).unwrap().experiment, &Bundled).map(|_| ()).unwrap_err();
    assert!(refused.to_string().starts_with("schedule.reduce_on_plateau: It follows the loss"), "{refused}");
}
