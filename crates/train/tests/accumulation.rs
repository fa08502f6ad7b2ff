//! Steps that accumulate the gradients of several micro batches: they are those of one large batch, whatever interrupts them.

#![allow(clippy::unwrap_used, reason = "a helper that cannot go on has failed its test")]

use downhill_data::Bundled;
use downhill_model::Experiment;
use downhill_protocol::Event;
use downhill_train::{Session, ready};
use serde_json::{Value, json};

fn document(batch_size: u64, accumulate: u64) -> Value {
    json!({
        "seed": 3,
        "data": { "spirals": { "samples": 250 } },
        "model": [{ "linear": { "out": 8 } }, "tanh", { "linear": { "out": "classes" } }],
        "optimizer": { "adam": { "lr": 0.02 } },
        "schedule": { "cosine": { "warmup": 5 } },
        "training": { "batch_size": batch_size, "accumulate": accumulate, "clip_norm": 0.3, "ema": 0.9, "l1": 0.001, "eval_every": 10, "steps": 60 },
    })
}

/// With what depends on the batch that a layer sees, and on random numbers.
fn noisy() -> Value {
    let mut document = document(8, 4);
    document["model"].as_array_mut().unwrap().insert(1, json!("batch_norm"));
    document["model"].as_array_mut().unwrap().insert(2, json!({ "dropout": { "p": 0.2 } }));
    document
}

fn session(document: &Value) -> Session {
    Session::new(Experiment::from_value(document).unwrap().experiment, &Bundled).unwrap()
}

fn steps(session: &mut Session, steps: u64) {
    session.step(steps);
    ready(session.run_until_rest()).unwrap();
}

fn edit(session: &mut Session, document: &Value) {
    ready(session.edit(Experiment::from_value(document).unwrap().experiment, &Bundled, false)).unwrap();
}

fn losses(session: &mut Session, count: u64) -> Vec<(u64, f32)> {
    session.keep_losses();
    steps(session, count);
    session.take_losses()
}

fn snapshot(session: &mut Session) -> Vec<u8> {
    ready(session.snapshot()).unwrap()
}

fn assert_alike(ours: &[f32], theirs: &[f32], tolerance: f32) {
    assert_eq!(ours.len(), theirs.len());
    let size = theirs.iter().fold(0.0f32, |size, v| size.max(v.abs()));
    for (a, b) in ours.iter().zip(theirs) {
        assert!((a - b).abs() <= tolerance * size, "{a} {b}");
    }
}

/// Sums of f32 in another order, over sixty steps.
const ROUNDING: f32 = 1e-4;

#[test]
fn a_step_of_several_batches_is_that_of_one_as_large_as_all_of_them() {
    for (batch_size, accumulate) in [(8, 4), (1, 32), (16, 2)] {
        let (mut parts, mut whole) = (session(&document(batch_size, accumulate)), session(&document(32, 1)));
        let (ours, theirs) = (losses(&mut parts, 60), losses(&mut whole, 60));
        assert_eq!((ours.len(), ours.last().unwrap().0), (60, 59));
        let values = |losses: &[(u64, f32)]| losses.iter().map(|(_, loss)| *loss).collect::<Vec<_>>();
        assert_alike(&values(&ours), &values(&theirs), ROUNDING);
        for ((name, _, ours), (_, _, theirs)) in
            ready(parts.parameters()).unwrap().iter().zip(&ready(whole.parameters()).unwrap())
        {
            assert!(!name.is_empty());
            assert_alike(ours, theirs, 10.0 * ROUNDING);
        }
        let epoch = |session: &mut Session| session.status().epoch;
        assert_eq!(epoch(&mut parts), epoch(&mut whole));
        let value = |session: &Session, of: &str| session.metrics().iter().find(|(name, _)| name == of).unwrap().1;
        // The averages of the weights are what is evaluated.
        let (ours, theirs) = (value(&parts, "validation_loss"), value(&whole, "validation_loss"));
        assert!((ours - theirs).abs() <= f64::from(ROUNDING) * theirs, "{ours} {theirs}");
    }
}

#[test]
fn a_run_resumed_in_the_middle_goes_on_bit_for_bit() {
    let mut whole = session(&noisy());
    steps(&mut whole, 17);
    let saved = snapshot(&mut whole);
    steps(&mut whole, 30);
    let mut resumed = Session::restore(&saved, &Bundled).unwrap();
    assert_eq!(snapshot(&mut resumed), saved);
    steps(&mut resumed, 30);
    assert_eq!(snapshot(&mut resumed), snapshot(&mut whole));
}

#[test]
fn more_batches_than_a_ring_has_rows_otherwise_give_the_same_steps_in_any_pieces() {
    let mut many = document(1, 200);
    many["data"] = json!({ "xor": { "endless": true } });
    let (mut whole, mut pieces) = (session(&many), session(&many));
    steps(&mut whole, 5);
    (0..5).for_each(|_| steps(&mut pieces, 1));
    assert_eq!(snapshot(&mut whole), snapshot(&mut pieces));
}

#[test]
fn every_micro_batch_draws_random_numbers_and_samples_of_its_own() {
    let noise = json!({ "data": { "spirals": { "samples": 250 } }, "seed": 3,
        "model": [{ "dropout": { "p": 0.5 } }, { "linear": { "out": "classes" } }],
        "optimizer": { "sgd": { "lr": 0.1 } }, "training": { "batch_size": 200, "accumulate": 1 } });
    let mut twice = noise.clone();
    twice["training"]["accumulate"] = json!(2);
    let (mut once, mut twice) = (session(&noise), session(&twice));
    let (first, mean) = (losses(&mut once, 2), losses(&mut twice, 1));
    assert_ne!(first[0].1, mean[0].1);
    // The second micro batch has the samples and the noise that a second step has; only its weights are others.
    let mut still = noise;
    still["optimizer"]["sgd"]["lr"] = json!(0.0);
    let (mut once, mut both) = (session(&still), {
        still["training"]["accumulate"] = json!(2);
        session(&still)
    });
    let (first, mean) = (losses(&mut once, 4), losses(&mut both, 2));
    for step in 0..2 {
        let expected = (first[2 * step].1 + first[2 * step + 1].1) / 2.0;
        assert!((mean[step].1 - expected).abs() <= 1e-6, "{} {expected}", mean[step].1);
    }
}

#[test]
fn a_micro_batch_that_is_not_finite_takes_its_step_back_and_nothing_of_it_stays() {
    let (mut hurt, mut sound) = (session(&noisy()), session(&noisy()));
    steps(&mut hurt, 20);
    steps(&mut sound, 20);
    let before = ready(hurt.parameters()).unwrap();
    let old = before.iter().find(|(name, ..)| name == "0.weight").unwrap().2[0];
    hurt.set_weight("0.weight", &[0, 0], 3e38).unwrap();
    steps(&mut hurt, 5);
    assert_eq!((hurt.diverged_at(), hurt.step_count()), (Some(20), 20));
    let told = hurt.take_events();
    let divergence = told.iter().find_map(|m| if let Event::Diverged(d) = &m.header { Some(d) } else { None }).unwrap();
    assert!(divergence.step == 20 && divergence.layer != "training", "{divergence:?}");
    hurt.set_weight("0.weight", &[0, 0], old).unwrap();
    // The average was set with the weight: what is trained is the same.
    steps(&mut hurt, 10);
    steps(&mut sound, 10);
    assert_eq!(ready(hurt.parameters()).unwrap(), ready(sound.parameters()).unwrap());
}

#[test]
fn an_edit_of_the_count_keeps_weights_optimizer_averages_and_the_order_of_samples() {
    let (mut edited, mut whole) = (session(&document(32, 1)), session(&document(32, 1)));
    steps(&mut edited, 20);
    steps(&mut whole, 20);
    for (batch_size, accumulate) in [(8, 4), (32, 1), (4, 8)] {
        edit(&mut edited, &document(batch_size, accumulate));
        let (ours, theirs) = (losses(&mut edited, 10), losses(&mut whole, 10));
        let values = |losses: &[(u64, f32)]| losses.iter().map(|(_, loss)| *loss).collect::<Vec<_>>();
        assert_alike(&values(&ours), &values(&theirs), ROUNDING);
    }
    let mut plain = document(4, 8);
    plain["training"]["ema"] = Value::Null;
    edit(&mut edited, &plain);
    edit(&mut edited, &document(4, 8));
    let averages = ready(edited.weights(true)).unwrap();
    let file = safetensors::SafeTensors::deserialize(&averages).unwrap();
    assert_eq!(file.tensor("ema.0.weight").unwrap().data(), file.tensor("0.weight").unwrap().data());
    assert!(file.names().iter().all(|name| !name.contains("accumulated") && !name.contains("so_far")));
}
