//! Texts that are read on: a batch goes on with the states that recurrent layers had at the end of the one before.

#![allow(clippy::unwrap_used, reason = "a helper that cannot go on has failed its test")]

use downhill_data::NoAssets;
use downhill_model::Experiment;
use downhill_protocol::{Event, Generate};
use downhill_train::{Session, ready};
use safetensors::SafeTensors;
use serde_json::{Value, json};

/// Units of the recurrent layers.
const UNITS: usize = 5;

/// So many letters that follow no short rule.
fn letters(count: usize) -> String {
    (0..count).map(|i| char::from(b'a' + (i * i / 7 % 9) as u8)).collect()
}

fn document(text: usize, context: usize, batch: usize) -> Value {
    let cell = json!({ "hidden_size": UNITS, "output": "all" });
    json!({
        "seed": 11,
        "data": { "text": { "text": letters(text), "context": context, "validation": 0.0, "carry": true } },
        "model": [{ "embedding": { "dim": 4 } }, { "lstm": cell }, { "gru": cell }, { "linear": { "out": "classes" } }],
        "optimizer": { "adam": { "lr": 0.01 } },
        "training": { "batch_size": batch, "steps": 500, "eval_every": 10 },
    })
}

fn session(document: &Value) -> Session {
    Session::new(Experiment::from_value(document).unwrap().experiment, &NoAssets).unwrap()
}

fn refusal(document: &Value) -> String {
    let experiment = Experiment::from_value(document).unwrap().experiment;
    Session::new(experiment, &NoAssets).map(|_| ()).unwrap_err().to_string()
}

fn steps(session: &mut Session, steps: u64) {
    session.step(steps);
    ready(session.run_until_rest()).unwrap();
}

fn edit(session: &mut Session, document: &Value) {
    let experiment = Experiment::from_value(document).unwrap().experiment;
    ready(session.edit(experiment, &NoAssets, false)).unwrap();
}

fn snapshot(session: &mut Session) -> Vec<u8> {
    ready(session.snapshot()).unwrap()
}

fn weights(session: &mut Session) -> Vec<u8> {
    ready(session.weights(true)).unwrap()
}

/// What the last batch left to the next.
fn carried(session: &mut Session) -> Vec<(String, Vec<f32>)> {
    let bytes = snapshot(session);
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let floats = |data: &[u8]| data.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    let of_batch = file.iter().filter_map(|(name, t)| Some((name.strip_prefix("carried.")?.to_string(), floats(t.data()))));
    let mut all: Vec<(String, Vec<f32>)> = of_batch.collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

fn looked_at(session: &mut Session, name: &str) -> Vec<f32> {
    ready(session.probe()).unwrap().into_iter().find(|(found, _)| found == name).unwrap().1
}

fn assert_close(what: &str, ours: &[f32], theirs: &[f32]) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    // The same sums in f32, cut into other kernels.
    assert!(ours.iter().zip(theirs).all(|(a, b)| (a - b).abs() < 1e-5), "{what}: {ours:?}, expected {theirs:?}");
}

/// Of a text in which both begin at the same places, and with weights that stay.
#[test]
fn states_of_short_windows_that_are_read_on_are_those_of_a_long_one() {
    let (rows, short, long) = (2, 6, 24);
    let still = |context: usize| {
        let mut document = document(rows * 4 * long + 1, context, rows);
        document["optimizer"] = json!({ "sgd": { "lr": 0 } });
        document
    };
    let (mut ours, mut whole) = (session(&still(short)), session(&still(long)));
    let theirs = looked_at(&mut whole, "model[2]");
    for batch in 0..long / short {
        let states = looked_at(&mut ours, "model[2]");
        let width = short * UNITS;
        for row in 0..rows {
            let at = (row * long + batch * short) * UNITS;
            assert_close(&format!("batch {batch}"), &states[row * width..(row + 1) * width], &theirs[at..at + width]);
        }
        steps(&mut ours, 1);
    }
    // In 16 batches a row has read its share of the text, and all begin anew.
    steps(&mut ours, 12);
    let (again, first) = (looked_at(&mut ours, "model[2]"), looked_at(&mut session(&still(short)), "model[2]"));
    assert_close("the second pass", &again, &first);
}

#[test]
fn an_evaluation_reads_every_part_from_zero_in_streams() {
    let (short, long) = (6, 96);
    let held_out = |context: usize, carry: bool| {
        let mut document = document(4 * (long + 1), context, 2);
        document["data"]["text"]["validation"] = json!(0.25);
        document["data"]["text"]["carry"] = json!(carry);
        document
    };
    // 16 windows of 6 that follow each other are one of 96, which is all that is held out.
    let (mut ours, mut theirs) = (session(&held_out(short, true)), session(&held_out(long, false)));
    steps(&mut ours, 25);
    ready(theirs.load_weights(&weights(&mut ours))).unwrap();
    let before = carried(&mut ours);
    let loss = |session: &mut Session| {
        ready(session.run_until_rest()).unwrap();
        session.metrics().iter().find(|(name, _)| name == "validation_loss").unwrap().1
    };
    let (ours_loss, theirs_loss) = (loss(&mut ours), loss(&mut theirs));
    assert!((ours_loss - theirs_loss).abs() < 1e-5 * theirs_loss, "{ours_loss} {theirs_loss}");
    assert_eq!(carried(&mut ours), before, "training goes on with the states it had");
}

#[test]
fn a_run_resumed_in_the_middle_of_a_stream_goes_on_bit_for_bit() {
    for accumulate in [1, 3] {
        let mut document = document(400, 5, 3);
        document["training"]["accumulate"] = json!(accumulate);
        let mut whole = session(&document);
        steps(&mut whole, 17);
        let saved = snapshot(&mut whole);
        let left = carried(&mut whole);
        assert_eq!(left.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["1.c_l0", "1.h_l0", "2.h_l0"]);
        assert!(left.iter().all(|(_, state)| state.len() == 3 * UNITS && state.iter().any(|v| *v != 0.0)));
        steps(&mut whole, 40);
        let mut resumed = Session::restore(&saved, &NoAssets).unwrap();
        assert_eq!(snapshot(&mut resumed), saved);
        steps(&mut resumed, 40);
        assert_eq!(snapshot(&mut resumed), snapshot(&mut whole));
    }
}

#[test]
fn what_a_batch_leaves_belongs_to_the_run_and_not_to_the_weights() {
    let mut trained = session(&document(400, 5, 3));
    steps(&mut trained, 20);
    let bytes = weights(&mut trained);
    let file = SafeTensors::deserialize(&bytes).unwrap();
    assert!(
        file.names().iter().all(|name| ![".h_l0", ".c_l0"].iter().any(|state| name.ends_with(state))),
        "{:?}",
        file.names()
    );
    let mut fresh = session(&document(400, 5, 3));
    steps(&mut fresh, 7);
    ready(fresh.load_weights(&bytes)).unwrap();
    assert!(carried(&mut fresh).iter().all(|(_, state)| state.iter().all(|v| *v == 0.0)), "other weights, other states");
    ready(fresh.load_weights(&snapshot(&mut trained))).unwrap();
    assert_eq!(weights(&mut fresh), bytes);
    assert!(ready(fresh.take_weights(&snapshot(&mut trained))).unwrap().1.is_empty());
}

#[test]
fn looks_between_steps_change_no_bit_and_a_step_that_is_not_finite_leaves_the_states() {
    let (mut alone, mut watched) = (session(&document(400, 5, 3)), session(&document(400, 5, 3)));
    steps(&mut alone, 21);
    for _ in 0..7 {
        looked_at(&mut watched, "model[1]");
        steps(&mut watched, 3);
    }
    assert_eq!(snapshot(&mut watched), snapshot(&mut alone));
    // The output is thrown far, the states before it are not.
    watched.set_weight("3.bias", &[0], 3.4e38).unwrap();
    (0..UNITS as u32).for_each(|unit| watched.set_weight("3.weight", &[0, unit], 3.4e38).unwrap());
    let before = carried(&mut watched);
    steps(&mut watched, 4);
    assert_eq!(watched.diverged_at(), Some(21));
    assert_eq!(carried(&mut watched), before);
}

#[test]
fn an_edit_keeps_weights_and_keeps_the_states_where_the_batches_stay_the_same() {
    let mut run = session(&document(400, 5, 3));
    steps(&mut run, 20);
    let (before, left) = (weights(&mut run), carried(&mut run));
    let mut clipped = document(400, 5, 3);
    clipped["training"]["clip_norm"] = json!(1.0);
    edit(&mut run, &clipped);
    assert_eq!((weights(&mut run), carried(&mut run)), (before.clone(), left));
    let mut wider = clipped.clone();
    wider["training"]["batch_size"] = json!(4);
    edit(&mut run, &wider);
    assert_eq!((weights(&mut run), run.step_count()), (before.clone(), 20));
    let anew = carried(&mut run);
    assert!(anew.iter().all(|(_, state)| state.len() == 4 * UNITS && state.iter().all(|v| *v == 0.0)));
    steps(&mut run, 5);
    wider["training"]["accumulate"] = json!(2);
    edit(&mut run, &wider);
    assert!(carried(&mut run).iter().all(|(_, state)| state.iter().all(|v| *v == 0.0)), "other batches");
    let trained = weights(&mut run);
    let mut without = wider.clone();
    without["data"]["text"]["carry"] = json!(false);
    edit(&mut run, &without);
    assert_eq!((weights(&mut run), carried(&mut run)), (trained, Vec::new()));
    edit(&mut run, &wider);
    steps(&mut run, 5);
    assert_eq!(run.diverged_at(), None);
}

#[test]
fn a_text_goes_on_with_its_states_beyond_the_context() {
    let mut short = session(&document(1200, 6, 4));
    steps(&mut short, 150);
    let mut long = session(&document(1200, 64, 4));
    ready(long.load_weights(&weights(&mut short))).unwrap();
    let written = |session: &mut Session, cache: bool| {
        let ask = Generate { prompt: "abc".to_string(), tokens: 50, temperature: 0.0, cache, ..Generate::default() };
        session.generate(1, ask).unwrap();
        ready(session.run_until_rest()).unwrap();
        let text = |event: Event| if let Event::Generated(text) = event { Some(text.text) } else { None };
        session.take_events().into_iter().find_map(|message| text(message.header)).unwrap()
    };
    let whole = written(&mut long, true);
    assert!(whole.len() == 53, "{whole}");
    assert_eq!(written(&mut short, true), whole);
    assert_eq!(written(&mut short, false), whole);
}

#[test]
fn what_cannot_be_read_on_is_refused_with_a_way_out() {
    assert_eq!(
        refusal(&document(400, 50, 4)),
        "training.batch_size: There are 400 tokens to learn from; 4 rows that each read on for two windows of 50 need 401. Lower the batch size \
         or the context, use a longer text, or turn `carry` off."
    );
    session(&document(401, 50, 4));
    let mut normed = document(400, 5, 3);
    normed["model"][1]["lstm"]["layer_norm"] = json!(true);
    assert!(
        refusal(&normed).starts_with("model[1].lstm.layer_norm: What has layer norm inside cannot go on"),
        "{}",
        refusal(&normed)
    );
    let mut both = document(400, 5, 3);
    both["model"][1]["lstm"]["bidirectional"] = json!(true);
    assert!(
        refusal(&both).starts_with("model[1].lstm.bidirectional: What reads from the end too cannot go on"),
        "{}",
        refusal(&both)
    );
}
