//! Data that is no table of rows: sequences with lengths, two inputs, and samples without end.

#![allow(clippy::unwrap_used, reason = "a helper that cannot go on has failed its test")]

use downhill_data::Bundled;
use downhill_model::{Experiment, presets};
use downhill_protocol::{Event, Input, Part, Query, Watch};
use downhill_train::{Session, ready};
use serde_json::{Value, json};

fn session(document: &Value) -> Session {
    Session::new(Experiment::from_value(document).unwrap().experiment, &Bundled).unwrap()
}

fn preset(id: &str) -> Session {
    let document: Value = serde_json::from_str(presets::find(id).unwrap().json).unwrap();
    session(&document)
}

fn trained_to_the_end(id: &str) -> Session {
    let mut session = preset(id);
    session.set_pace(None);
    session.start();
    ready(session.run_until_rest()).unwrap();
    session
}

fn metric(session: &Session, name: &str) -> f64 {
    session.metrics().iter().find(|(n, _)| n == name).map_or(f64::NAN, |(_, value)| *value)
}

fn endless(data: &Value) -> Session {
    session(&json!({
        "version": 1, "seed": 9, "data": data, "view": { "pace": "max" },
        "model": [{ "linear": { "out": 8 } }, "tanh", { "dropout": { "p": 0.1 } }, { "linear": { "out": "classes" } }],
        "training": { "batch_size": 20, "eval_every": 1000 },
    }))
}

fn losses(session: &mut Session, steps: u64) -> Vec<(u64, u32)> {
    session.keep_losses();
    session.step(steps);
    ready(session.run_until_rest()).unwrap();
    session.take_losses().into_iter().map(|(step, loss)| (step, loss.to_bits())).collect()
}

fn bits(session: &mut Session) -> Vec<u32> {
    ready(session.parameters()).unwrap().into_iter().flat_map(|(_, _, values)| values).map(f32::to_bits).collect()
}

#[test]
fn sequences_of_varying_length_are_learned_within_the_steps_of_their_preset() {
    let session = trained_to_the_end("majority");
    assert!(metric(&session, "validation_accuracy") >= 0.99, "{:?}", session.metrics());
}

#[test]
fn two_inputs_are_learned_within_the_steps_of_their_preset() {
    let session = trained_to_the_end("pairs");
    assert!(metric(&session, "validation_accuracy") >= 0.97, "{:?}", session.metrics());
}

#[test]
fn what_follows_a_sequence_changes_nothing() {
    // The row of the padding token is zero, so that only a mean over too many steps would show it.
    let mut document: Value = serde_json::from_str(presets::find("majority").unwrap().json).unwrap();
    let mut loss = |longest: u32| {
        document["data"] = json!({ "majority": { "min_length": 4, "max_length": longest } });
        ready(session(&document).probe()).unwrap().into_iter().find(|(name, _)| name == "loss").unwrap().1[0]
    };
    // Sequences of exactly four tokens: with and without a place for more, which a length of four does not use.
    assert!(loss(4).is_finite() && loss(40).is_finite());
    let mut session = preset("majority");
    let outputs = ready(session.probe()).unwrap();
    let output = |name: &str| outputs.iter().find(|(n, _)| n == name).unwrap().1.clone();
    let (vectors, means) = (output("model[0]"), output("model[1]"));
    let (steps, width) = (16, 4);
    for (row, mean) in vectors.chunks_exact(steps * width).zip(means.chunks_exact(width)) {
        let length = row.chunks_exact(width).take_while(|vector| vector.iter().any(|v| *v != 0.0)).count();
        assert!((3..=steps).contains(&length));
        for (unit, mean) in mean.iter().enumerate() {
            let sum: f32 = row.iter().skip(unit).step_by(width).sum();
            assert!((sum / length as f32 - mean).abs() < 1e-5, "{length} steps");
        }
    }
}

/// Name, shape and elements.
type Named = (String, Vec<u32>, Vec<f32>);

/// The last answer to a watch, or why there is none.
fn answer(session: &mut Session, input: Input, names: &[&str]) -> Result<Vec<Named>, String> {
    let tensors = names.iter().map(|name| Query::all(*name)).collect();
    session.watch(Watch { key: 1, input, tensors, every_ms: 0.0 });
    ready(session.run_until_rest()).unwrap();
    let found = session.take_events().into_iter().rev().find_map(|m| match &m.header {
        Event::Answer { tensors, .. } => {
            Some(Ok(tensors.iter().map(|t| (t.query.name.clone(), t.shape.clone(), m.array(t.data).to_vec())).collect()))
        }
        Event::Unanswered { error, .. } => Some(Err(error.to_string())),
        _ => None,
    });
    found.expect("an answer")
}

#[test]
fn predictions_of_several_inputs_are_answered_with_what_a_person_would_read() {
    for (id, raw) in [("majority", vec!["raw"]), ("pairs", vec!["raw", "raw:1"]), ("digits", vec!["raw"])] {
        let mut session = preset(id);
        session.step(1);
        ready(session.run_until_rest()).unwrap();
        let names: Vec<&str> = ["row", "target", "output"].into_iter().chain(raw).collect();
        let tensors = answer(&mut session, Input::Worst { limit: 5 }, &names).unwrap();
        assert!(tensors.len() == names.len() && tensors.iter().all(|t| t.1[0] == 5), "{id}: {tensors:?}");
        // The same sample, given as it was read, is answered the same.
        let given: Vec<Vec<f32>> = tensors[3..]
            .iter()
            .map(|(_, shape, values)| {
                let width: u32 = shape[1..].iter().product();
                values[..width as usize].iter().copied().filter(|v| !v.is_nan()).collect()
            })
            .collect();
        let again = answer(&mut session, Input::Given(given), &["output", "model[1]"]).unwrap();
        let (_, shape, worst) = &tensors[2];
        assert!(again[0].2.iter().zip(worst).all(|(a, b)| (a - b).abs() < 1e-5), "{id}: {:?} {worst:?}", again[0]);
        assert_eq!(again[0].1, [1, shape[1]]);
    }
}

#[test]
fn a_sequence_that_is_typed_is_as_long_as_it_is_and_holds_known_tokens_only() {
    let mut session = preset("majority");
    let given = |tokens: &[f32]| Input::Given(vec![tokens.to_vec()]);
    let tensors = answer(&mut session, given(&[1.0, 2.0, 2.0]), &["raw", "model[0]"]).unwrap();
    assert_eq!((&tensors[0].1[..], &tensors[0].2[..]), (&[1, 3][..], &[1.0, 2.0, 2.0][..]));
    assert_eq!(tensors[1].1, [1, 16, 4]);
    for (tokens, why) in [(&[99.0][..], "no token"), (&[1.5], "no token"), (&[], "0 tokens"), (&[1.0; 17], "17 tokens")] {
        let error = answer(&mut session, given(tokens), &["output"]).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
    let rows = answer(&mut session, Input::Samples { part: Part::Train, rows: Some(vec![0, 1]) }, &["raw", "input"]).unwrap();
    let (raw, input) = (&rows[0].2, &rows[1].2);
    assert!(raw.iter().zip(input).all(|(raw, input)| raw == input || (raw.is_nan() && *input == 0.0)), "{rows:?}");
    assert!(raw.iter().any(|v| v.is_nan()), "padding is no token: {raw:?}");
}

#[test]
fn endless_data_goes_on_bit_for_bit_after_a_snapshot() {
    let data = json!({ "spirals": { "endless": true } });
    let mut whole = endless(&data);
    let all = losses(&mut whole, 40);
    let mut first = endless(&data);
    let mut parts = losses(&mut first, 17);
    let mut second = Session::restore(&ready(first.snapshot()).unwrap(), &Bundled).unwrap();
    parts.extend(losses(&mut second, 23));
    assert_eq!(all, parts);
    assert_eq!(bits(&mut whole), bits(&mut second));
}

#[test]
fn endless_data_never_comes_twice_and_what_measures_stays() {
    let mut endless = endless(&json!({ "spirals": { "endless": true, "samples": 40 } }));
    let validation = endless.data().validation.clone();
    // With a rate of zero the loss of a step is that of its samples alone: no two batches are alike, though only 28 samples are kept.
    let mut document = endless.experiment().to_value();
    document["optimizer"] = json!({ "sgd": { "lr": 0 } });
    document["model"] = json!([{ "linear": { "out": "classes" } }]);
    let mut still = session(&document);
    let mut seen = losses(&mut still, 200).into_iter().map(|(_, loss)| loss).collect::<Vec<_>>();
    seen.sort_unstable();
    seen.dedup();
    assert!(seen.len() > 195, "{} different losses", seen.len());
    losses(&mut endless, 30);
    assert_eq!(endless.data().validation, validation);
}

#[test]
fn a_probe_sees_the_samples_of_the_next_step() {
    let runs =
        [json!({ "spirals": { "endless": true } }), json!("spirals"), json!({ "digits": {} })].map(|data| endless(&data));
    for (i, mut session) in runs.into_iter().chain([augmented()]).enumerate() {
        losses(&mut session, 7);
        let probed = ready(session.probe()).unwrap().into_iter().find(|(name, _)| name == "loss").unwrap().1[0];
        let (_, trained) = losses(&mut session, 1)[0];
        // The same sums, in the order of another plan.
        assert!((probed - f32::from_bits(trained)).abs() <= 1e-5 * probed.abs(), "run {i}");
    }
}

#[test]
fn a_continuation_is_what_the_network_says_to_its_own_answers() {
    let mut session = preset("sine_forecast");
    session.step(50);
    ready(session.run_until_rest()).unwrap();
    let input = Input::Samples { part: Part::Validation, rows: Some(vec![3]) };
    let names = ["raw", "target", "ahead", "output", "continuation"];
    let tensors = answer(&mut session, input, &names).unwrap();
    let [raw, target, ahead, output, continuation] =
        tensors.iter().map(|t| t.2.clone()).collect::<Vec<_>>().try_into().unwrap();
    assert_eq!((tensors[4].1.as_slice(), &tensors[2].1), ([1, 80, 1].as_slice(), &tensors[4].1));
    let near = |a: &[f32], b: &[f32]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4);
    assert!(near(&continuation[..8], &output) && near(&ahead[..8], &target), "{tensors:?}");
    let window = [&raw[8..], &output].concat();
    let next = answer(&mut session, Input::Given(vec![window]), &["output"]).unwrap();
    assert!(near(&continuation[8..16], &next[0].2), "{continuation:?} {next:?}");
}

#[test]
fn a_sound_is_heard_as_its_frames_were_made_and_one_of_ones_own_is_not() {
    let mut session = session(&json!({
        "seed": 3, "data": { "chirps": { "samples": 60, "seconds": 0.3 } },
        "model": [{ "gru": { "hidden_size": 4 } }, { "linear": { "out": "classes" } }],
    }));
    let input = Input::Samples { part: Part::Validation, rows: Some(vec![2, 5]) };
    let tensors = answer(&mut session, input, &["sound", "input"]).unwrap();
    let sound = session.data().sound.clone().unwrap();
    assert_eq!((tensors[0].1.as_slice(), tensors[1].1.as_slice()), ([2, 2400].as_slice(), [2, 17, 24].as_slice()));
    assert_eq!(tensors[0].2, [sound.wave(false, 2), sound.wave(false, 5)].concat());
    let given = Input::Given(vec![tensors[1].2[..17 * 24].to_vec()]);
    assert!(answer(&mut session, given, &["sound"]).is_err(), "nobody knows what it sounds like");
}

#[test]
fn a_forecast_is_measured_against_the_naive_one() {
    let session = trained_to_the_end("sine_forecast");
    let Event::Loaded(info) = session.loaded().header else { panic!("it is told what was loaded") };
    let forecast = info.data.forecast.unwrap();
    assert_eq!((forecast.window, forecast.horizon, forecast.predicted), (40, 8, 1));
    let (mae, naive) = (metric(&session, "validation_mae"), forecast.naive_error);
    // The noise alone has a mean distance of 0.8 of its deviation, a tenth of the wave's.
    assert!(mae > 0.05 && mae < 0.1 && naive > 5.0 * mae, "{mae} {naive}");
    assert!(metric(&session, "validation_loss") < 0.1 * info.baseline_loss);
}

#[test]
fn what_is_known_of_the_steps_ahead_is_given_and_not_predicted() {
    let heat = |i: usize| ((i * i) % 7) as f32;
    let lines: String = (0..40).map(|i| format!("{},{}\n", (i * 5) % 13, heat(i))).collect();
    let mut session = session(&json!({
        "seed": 3, "loss": "mse",
        "data": { "csv": { "text": format!("load,heat\n{lines}"), "target": "load", "window": 6, "horizon": 2, "validation": 0.25 } },
        "model": [{ "rnn": { "hidden_size": 5 } }, { "linear": { "out": "targets" } }],
    }));
    let input = Input::Samples { part: Part::Train, rows: Some(vec![4]) };
    let tensors = answer(&mut session, input, &["raw", "output", "continuation"]).unwrap();
    let [raw, output, continuation] = tensors.iter().map(|t| t.2.clone()).collect::<Vec<_>>().try_into().unwrap();
    // The window begins with row 4, so the steps ahead are the rows 10 and 11.
    let window = [&raw[4..], &[output[0], heat(10), output[1], heat(11)]].concat();
    let next = answer(&mut session, Input::Given(vec![window]), &["output", "continuation"]).unwrap();
    let near = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-3);
    assert!(near(&continuation[2..4], &next[0].2), "{continuation:?} {next:?}");
    let refused = answer(&mut session, Input::Worst { limit: 2 }, &["continuation"]).unwrap_err();
    assert!(refused.contains("single window"), "{refused}");
}

/// Digits whose steps are given changed pictures.
fn augmented() -> Session {
    session(&json!({
        "version": 1, "seed": 4, "data": "digits", "view": { "pace": "max" },
        "augment": { "shift": 0.1, "rotate": 10, "scale": 0.1, "noise": 0.05, "cutout": 0.2, "mixup": 0.3 },
        "model": [{ "linear": { "out": 8 } }, "tanh", { "linear": { "out": "classes" } }],
        "training": { "batch_size": 32, "eval_every": 1000 },
    }))
}

#[test]
fn augmented_pictures_go_on_bit_for_bit_after_a_snapshot_and_are_learned_from_alone() {
    let mut whole = augmented();
    let all = losses(&mut whole, 60);
    let mut first = augmented();
    let mut parts = losses(&mut first, 41);
    let mut second = Session::restore(&ready(first.snapshot()).unwrap(), &Bundled).unwrap();
    parts.extend(losses(&mut second, 19));
    assert_eq!(all, parts);
    assert_eq!(bits(&mut whole), bits(&mut second));
    // 1258 pictures to learn from: 40 steps of 32 are an epoch and a bit.
    assert_eq!(whole.status().epoch.floor(), 1.0);
    let plain = session(&json!({ "seed": 4, "data": "digits", "model": [{ "linear": { "out": "classes" } }] }));
    assert_eq!(whole.data().validation, plain.data().validation);
    assert_eq!(whole.data().train, plain.data().train);
}

#[test]
fn augmentation_is_changed_while_it_trains_and_shown_beside_the_original() {
    let mut run = augmented();
    losses(&mut run, 5);
    let input = || Input::Samples { part: Part::Train, rows: Some(vec![3, 9]) };
    let tensors = answer(&mut run, input(), &["input", "augmented"]).unwrap();
    assert_eq!(tensors[0].1, tensors[1].1);
    assert_ne!(tensors[0].2, tensors[1].2);
    let mut document = run.experiment().to_value();
    document.as_object_mut().unwrap().remove("augment");
    let weights = bits(&mut run);
    ready(run.edit(Experiment::from_value(&document).unwrap().experiment, &Bundled, false)).unwrap();
    assert_eq!((run.step_count(), bits(&mut run)), (5, weights));
    assert!(answer(&mut run, input(), &["augmented"]).unwrap()[0].2.is_empty());
    losses(&mut run, 1);
}
