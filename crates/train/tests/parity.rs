//! Agreement with PyTorch, as written down in `tests/parity/fixtures` by `cargo xtask fixtures`: natively, and in the browser. What
//! an experiment can choose is in one of them, or stands in a list with the reason why not.

#![allow(clippy::unwrap_used, reason = "a helper that cannot go on has failed its test")]

use downhill_data::Bundled;
use downhill_model::Experiment;
use downhill_protocol::{About, Event, Generate};
use downhill_train::{Session, ready};
use safetensors::SafeTensors;

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

struct Fixture {
    name: &'static str,
    experiment: &'static str,
    first: &'static [u8],
    losses: &'static str,
    last: &'static [u8],
}

macro_rules! fixtures {
    ($($name:literal),* $(,)?) => {
        const FIXTURES: &[Fixture] = &[$(Fixture {
            name: $name,
            experiment: include_str!(concat!("../../../tests/parity/experiments/", $name, ".json")),
            first: include_bytes!(concat!("../../../tests/parity/fixtures/", $name, "/first.safetensors")),
            losses: include_str!(concat!("../../../tests/parity/fixtures/", $name, "/losses.json")),
            last: include_bytes!(concat!("../../../tests/parity/fixtures/", $name, "/last.safetensors")),
        }),*];
    };
}

fixtures![
    "accumulated",
    "adagrad_exponential",
    "adamw_cosine_clip",
    "adamw_no_decay",
    "adamw_penalties",
    "attention_causal",
    "attention_lengths",
    "attention_variants",
    "batch_norm_sgd",
    "bce_rmsprop_step",
    "cells_gru",
    "cells_lstm",
    "cells_normed",
    "cells_rnn",
    "cells_rnn_relu",
    "classification_adam",
    "convolutions",
    "dice",
    "ema_adam",
    "fields_of_tokens",
    "fields_of_two_points",
    "frozen_layers",
    "gru_all_rnn",
    "gru_both_last",
    "huber_sgd_linear",
    "l1_adam_penalties",
    "larger_images",
    "lion_one_cycle",
    "lstm_both_mean",
    "lstm_last",
    "masked_pairs",
    "masks",
    "mse_classes_rmsprop_cosine",
    "muon_matched",
    "patches_and_lines",
    "reconstruction",
    "reduce_on_plateau",
    "regression_sgd",
    "rnn_last",
    "rnn_relu_max",
    "skip_gram",
    "text_carried",
    "text_gru",
    "text_tied",
    "text_transformer",
    "two_towers",
    "vision_transformer",
    "written_captions",
    "written_decoder",
    "written_qk_norm",
    "z_loss",
];

/// Half of what native and wasm runs may differ by, so that both being this close to PyTorch makes them agree.
const LOSS_TOLERANCE: f64 = 5e-5;

fn session(fixture: &Fixture) -> Session {
    Session::new(Experiment::parse(fixture.experiment).unwrap().experiment, &Bundled).unwrap()
}

/// ‖a − b‖∞ ≤ 1e-4·‖b‖∞ + 1e-6: both sides sum in f32, in different orders.
fn assert_close(what: &str, ours: &[f32], theirs: &[f32]) {
    assert_within(1e-4, what, ours, theirs);
}

/// ‖a − b‖∞ ≤ relative·‖b‖∞ + 1e-6
fn assert_within(relative: f32, what: &str, ours: &[f32], theirs: &[f32]) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let difference = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    let size = theirs.iter().map(|b| b.abs()).fold(0.0, f32::max);
    assert!(difference <= relative * size + 1e-6, "{what}: {difference:e} of {size:e}");
}

fn first_batch_agrees(fixture: &Fixture) {
    let name = fixture.name;
    let theirs = SafeTensors::deserialize(fixture.first).unwrap();
    let mut session = session(fixture);
    let ours = ready(session.probe()).unwrap();
    let last = format!("model[{}]", session.experiment().model.len() - 1);
    let mut gradients = 0;
    for (tensor, view) in theirs.iter() {
        let key = match tensor.strip_prefix("grad.") {
            Some(parameter) => {
                gradients += 1;
                format!("grad:{parameter}")
            }
            None if tensor == "logits" => last.clone(),
            None => tensor.to_string(),
        };
        let values = floats(view.data());
        let (_, mine) = ours.iter().find(|(name, _)| *name == key).unwrap_or_else(|| panic!("{key} is computed"));
        assert_close(&format!("{name} {tensor}"), mine, &values);
    }
    // PyTorch has none for what keeps its values.
    assert_eq!(gradients, learning(&mut session), "{name}: a gradient for every parameter that learns");
}

/// How many parameters do not keep their values.
fn learning(session: &mut Session) -> usize {
    let frozen = session.experiment().training.frozen;
    let learns =
        |name: &str| name.split('.').next().and_then(|layer| layer.parse().ok()).is_none_or(|layer: usize| layer >= frozen);
    ready(session.parameters()).unwrap().iter().filter(|parameter| learns(&parameter.0)).count()
}

fn loss_curve_agrees(fixture: &Fixture) {
    let theirs: Vec<f64> = serde_json::from_str(fixture.losses).unwrap();
    assert_eq!(theirs.len(), 100);
    let mut session = session(fixture);
    session.keep_losses();
    session.step(100);
    ready(session.run_until_rest()).unwrap();
    let ours = session.take_losses();
    assert_eq!(ours.len(), 100);
    for ((step, ours), theirs) in ours.into_iter().zip(theirs) {
        let relative = (f64::from(ours) - theirs).abs() / theirs.abs();
        assert!(relative <= LOSS_TOLERANCE, "{} step {step}: {ours} {theirs}", fixture.name);
    }
    end_agrees(fixture, &mut session);
}

/// What may differ after a hundred steps relative to the largest element, for the weights differ too.
const END_TOLERANCE: f32 = 5e-4;

/// Buffers, averages of weights and weights that stay, and the evaluation that takes them.
fn end_agrees(fixture: &Fixture, session: &mut Session) {
    let name = fixture.name;
    let bytes = ready(session.weights(true)).unwrap();
    let (ours, theirs) = (SafeTensors::deserialize(&bytes).unwrap(), SafeTensors::deserialize(fixture.last).unwrap());
    let extra = ours.len() - learning(session);
    assert_eq!(theirs.len(), extra + 1, "{name}: what is no weight that learns, and the loss of the evaluation");
    for (tensor, view) in theirs.iter() {
        let what = format!("{name} {tensor}");
        if tensor == "validation_loss" {
            let (_, loss) = session.metrics().iter().find(|(metric, _)| metric == tensor).unwrap();
            assert_within(END_TOLERANCE, &what, &[*loss as f32], &floats(view.data()));
            continue;
        }
        let mine = ours.tensor(tensor).unwrap();
        assert_eq!((mine.dtype(), mine.shape()), (view.dtype(), view.shape()), "{what}");
        if view.dtype() == safetensors::Dtype::F32 {
            assert_within(END_TOLERANCE, &what, &floats(mine.data()), &floats(view.data()));
        } else {
            assert_eq!(mine.data(), view.data(), "{what}");
        }
    }
}

fn floats(data: &[u8]) -> Vec<f32> {
    data.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
#[cfg_attr(not(target_arch = "wasm32"), test)]
fn logits_loss_and_gradients_of_a_batch_are_those_of_pytorch() {
    FIXTURES.iter().for_each(first_batch_agrees);
}

#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
#[cfg_attr(not(target_arch = "wasm32"), test)]
fn a_hundred_losses_are_those_of_pytorch() {
    FIXTURES.iter().for_each(loss_curve_agrees);
}

/// What PyTorch goes on with after the hundred steps, always with the likeliest token: as it is, where what was said already counts less, and
/// up to a stop word.
const TEXTS: [(&str, [&str; 3]); 3] = [
    (
        "text_gru",
        [
            include_str!("../../../tests/parity/fixtures/text_gru/greedy.json"),
            include_str!("../../../tests/parity/fixtures/text_gru/penalised.json"),
            include_str!("../../../tests/parity/fixtures/text_gru/stopped.json"),
        ],
    ),
    (
        "text_tied",
        [
            include_str!("../../../tests/parity/fixtures/text_tied/greedy.json"),
            include_str!("../../../tests/parity/fixtures/text_tied/penalised.json"),
            include_str!("../../../tests/parity/fixtures/text_tied/stopped.json"),
        ],
    ),
    (
        "text_transformer",
        [
            include_str!("../../../tests/parity/fixtures/text_transformer/greedy.json"),
            include_str!("../../../tests/parity/fixtures/text_transformer/penalised.json"),
            include_str!("../../../tests/parity/fixtures/text_transformer/stopped.json"),
        ],
    ),
];

#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
#[cfg_attr(not(target_arch = "wasm32"), test)]
fn a_text_goes_on_as_with_pytorch() {
    for (name, texts) in TEXTS {
        let fixture = FIXTURES.iter().find(|fixture| fixture.name == name).unwrap();
        let [greedy, penalised, stopped] = texts.map(|theirs| serde_json::from_str::<serde_json::Value>(theirs).unwrap());
        let tokens = |of: &serde_json::Value| {
            of["tokens"].as_array().unwrap().iter().map(|token| token.as_u64().unwrap()).collect::<Vec<_>>()
        };
        let different: std::collections::BTreeSet<u64> = tokens(&greedy).into_iter().collect();
        assert!(tokens(&greedy).len() == 81 && different.len() > 5, "{name}: {greedy}");
        assert_ne!(tokens(&greedy), tokens(&penalised), "{name}");
        assert!(
            tokens(&greedy).starts_with(&tokens(&stopped)) && (2..60).contains(&tokens(&stopped).len()),
            "{name}: {stopped}"
        );
        let mut session = session(fixture);
        session.step(100);
        ready(session.run_until_rest()).unwrap();
        session.take_events();
        let ask = Generate { prompt: "T".to_string(), tokens: 80, temperature: 0.0, ..Generate::default() };
        let stop = vec!["sat t".to_string(), "n, and".to_string()];
        let asked = [
            (ask.clone(), greedy),
            (Generate { repetition_penalty: 1.3, ..ask.clone() }, penalised),
            (Generate { stop, ..ask }, stopped),
        ];
        for (ask, theirs) in asked {
            session.generate(7, ask).unwrap();
            ready(session.run_until_rest()).unwrap();
            let events = session.take_events();
            let ours =
                events.iter().find_map(|m| if let Event::Generated(text) = &m.header { Some(text) } else { None }).unwrap();
            assert_eq!(ours.text, theirs["text"].as_str().unwrap(), "{name}");
            assert_eq!(ours.tokens.len(), tokens(&theirs).len(), "{name}");
        }
    }
}

/// What the decoders of PyTorch write of some held-out samples after the hundred steps.
const ANSWERS: [(&str, &str); 3] = [
    ("written_captions", include_str!("../../../tests/parity/fixtures/written_captions/answers.json")),
    ("written_decoder", include_str!("../../../tests/parity/fixtures/written_decoder/answers.json")),
    ("written_qk_norm", include_str!("../../../tests/parity/fixtures/written_qk_norm/answers.json")),
];

#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
#[cfg_attr(not(target_arch = "wasm32"), test)]
fn a_decoder_writes_of_a_sample_what_it_writes_with_pytorch() {
    for (name, answers) in ANSWERS {
        let fixture = FIXTURES.iter().find(|fixture| fixture.name == name).unwrap();
        let theirs: Vec<serde_json::Value> = serde_json::from_str(answers).unwrap();
        let different: std::collections::BTreeSet<&str> =
            theirs.iter().map(|answer| answer["text"].as_str().unwrap()).collect();
        assert!(theirs.len() == 6 && different.len() > 1, "{name}: {different:?}");
        let mut session = session(fixture);
        session.step(100);
        ready(session.run_until_rest()).unwrap();
        session.take_events();
        for (sample, theirs) in (0..).zip(&theirs) {
            let about = About::Sample(sample);
            session.generate(7, Generate { about, tokens: 80, temperature: 0.0, ..Generate::default() }).unwrap();
            ready(session.run_until_rest()).unwrap();
            let events = session.take_events();
            let ours =
                events.iter().find_map(|m| if let Event::Generated(text) = &m.header { Some(text) } else { None }).unwrap();
            assert_eq!(ours.text, theirs["text"].as_str().unwrap(), "{name}, sample {sample}");
        }
    }
}

/// The text is longer than the windows of training, so that it goes on with the states alone.
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
#[cfg_attr(not(target_arch = "wasm32"), test)]
fn a_text_that_is_read_on_goes_on_as_with_pytorch() {
    let mut session = session(FIXTURES.iter().find(|fixture| fixture.name == "text_carried").unwrap());
    session.step(100);
    ready(session.run_until_rest()).unwrap();
    let ask = Generate { prompt: "T".to_string(), tokens: 80, temperature: 0.0, ..Generate::default() };
    let stop = vec!["sat t".to_string(), "n, and".to_string()];
    let asked = [
        (ask.clone(), include_str!("../../../tests/parity/fixtures/text_carried/greedy.json")),
        (
            Generate { repetition_penalty: 1.3, ..ask.clone() },
            include_str!("../../../tests/parity/fixtures/text_carried/penalised.json"),
        ),
        (Generate { stop, ..ask }, include_str!("../../../tests/parity/fixtures/text_carried/stopped.json")),
    ];
    for (ask, theirs) in asked {
        let theirs: serde_json::Value = serde_json::from_str(theirs).unwrap();
        session.take_events();
        session.generate(7, ask).unwrap();
        ready(session.run_until_rest()).unwrap();
        let events = session.take_events();
        let ours = events.iter().find_map(|m| if let Event::Generated(text) = &m.header { Some(text) } else { None }).unwrap();
        assert_eq!(ours.text, theirs["text"].as_str().unwrap());
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod coverage {
    //! What can be chosen in an experiment and is compared with PyTorch.

    use std::collections::BTreeSet;
    use std::path::Path;

    use downhill_data::spec;
    use downhill_model::{Layer, Loss, Optimizer, Schedule};
    use serde_json::Value;

    use super::*;

    /// What no fixture compares, and why.
    const NOT_COMPARED: &[(&str, &str)] = &[
        ("layer.dropout", "PyTorch draws other random numbers"),
        ("layer.dropout.p", "PyTorch draws other random numbers"),
        ("layer.dropout2d", "PyTorch draws other random numbers"),
        ("layer.dropout2d.p", "PyTorch draws other random numbers"),
        ("layer.transformer_block.dropout", "PyTorch draws other random numbers"),
        ("layer.transformer_decoder_block.dropout", "PyTorch draws other random numbers"),
        ("layer.gru.dropout", "PyTorch draws other random numbers"),
        ("layer.lstm.dropout", "PyTorch draws other random numbers"),
        ("layer.rnn.dropout", "PyTorch draws other random numbers"),
        ("loss.cross_entropy.weight", "tables.rs holds it to the formula of PyTorch's documentation, worked out on all rows"),
        ("training.patience", "the exported program takes the steps that it is told to"),
        ("training.patience_metric", "the exported program takes the steps that it is told to"),
    ];

    /// Everything that can be chosen: `loss.huber`, and every field of it, `loss.huber.delta`.
    fn choices() -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        let mut add = |kind: &str, names: &[&str], schema: fn(&str) -> &'static Value| {
            for name in names {
                all.insert(format!("{kind}.{name}"));
                let fields = schema(name)["properties"].as_object();
                all.extend(fields.into_iter().flatten().map(|(field, _)| format!("{kind}.{name}.{field}")));
            }
        };
        add("layer", Layer::NAMES, Layer::schema);
        add("loss", Loss::NAMES, Loss::schema);
        add("optimizer", Optimizer::NAMES, Optimizer::schema);
        add("schedule", Schedule::NAMES, Schedule::schema);
        let training = spec::document()["properties"]["training"]["properties"].as_object();
        all.extend(training.unwrap().keys().map(|field| format!("training.{field}")));
        all
    }

    /// The choices that a part of a document makes: every name and every field that is written, however deep.
    fn chosen(kind: &str, part: &Value, found: &mut BTreeSet<String>) {
        match part {
            Value::String(name) => {
                found.insert(format!("{kind}.{name}"));
            }
            Value::Array(parts) => parts.iter().for_each(|part| chosen(kind, part, found)),
            Value::Object(map) => {
                for (name, fields) in map {
                    found.insert(format!("{kind}.{name}"));
                    let written = fields.as_object().into_iter().flatten();
                    found.extend(written.map(|(field, _)| format!("{kind}.{name}.{field}")));
                    chosen(kind, fields, found);
                }
            }
            _ => {}
        }
    }

    #[test]
    fn everything_that_can_be_chosen_is_compared_with_pytorch() {
        let mut compared = BTreeSet::new();
        for fixture in FIXTURES {
            let document: Value = serde_json::from_str(fixture.experiment).unwrap();
            chosen("layer", &document["model"], &mut compared);
            // What a document leaves out is the default.
            let experiment = Experiment::from_value(&document).unwrap().experiment;
            let names = [
                ("loss", experiment.loss.name()),
                ("optimizer", experiment.optimizer.name()),
                ("schedule", experiment.schedule.name()),
            ];
            for (kind, name) in names {
                compared.insert(format!("{kind}.{name}"));
                chosen(kind, &document[kind], &mut compared);
            }
            compared.extend(document["training"].as_object().unwrap().keys().map(|field| format!("training.{field}")));
        }
        let excused: BTreeSet<String> = NOT_COMPARED.iter().map(|(choice, _)| choice.to_string()).collect();
        let all = choices();
        assert!(all.len() > 60, "{all:?}");
        let forgotten: Vec<&String> = all.difference(&compared).filter(|choice| !excused.contains(*choice)).collect();
        assert!(
            forgotten.is_empty(),
            "{forgotten:?}: add them to an experiment in tests/parity/experiments and run `cargo xtask fixtures`, or say in \
             NOT_COMPARED why they cannot be compared"
        );
        let idle: Vec<&String> = excused.iter().filter(|choice| compared.contains(*choice) || !all.contains(*choice)).collect();
        assert!(idle.is_empty(), "{idle:?}: these excuses are not needed");
    }

    #[test]
    fn every_experiment_of_the_folder_is_compared() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/parity/experiments");
        let mut names: Vec<String> = folder
            .read_dir()
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap_or_default().to_string_lossy().into_owned())
            .collect();
        names.sort();
        assert_eq!(names, FIXTURES.iter().map(|fixture| fixture.name).collect::<Vec<_>>());
    }
}
