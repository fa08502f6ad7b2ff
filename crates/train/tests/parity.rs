//! Agreement with PyTorch, as written down in `tests/parity/fixtures` by `cargo xtask fixtures`: natively, and in the browser.

#![allow(clippy::unwrap_used, reason = "a helper that cannot go on has failed its test")]

use downhill_data::NoAssets;
use downhill_model::Experiment;
use downhill_train::{Session, ready};
use safetensors::SafeTensors;

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

struct Fixture {
    name: &'static str,
    experiment: &'static str,
    first: &'static [u8],
    losses: &'static str,
}

macro_rules! fixture {
    ($name:literal) => {
        Fixture {
            name: $name,
            experiment: include_str!(concat!("../../../tests/parity/fixtures/", $name, "/experiment.json")),
            first: include_bytes!(concat!("../../../tests/parity/fixtures/", $name, "/first.safetensors")),
            losses: include_str!(concat!("../../../tests/parity/fixtures/", $name, "/losses.json")),
        }
    };
}

const FIXTURES: [Fixture; 3] = [fixture!("classification_adam"), fixture!("regression_sgd"), fixture!("adamw_cosine_clip")];

/// Half of what native and wasm runs may differ by, so that both being this close to PyTorch makes them agree.
const LOSS_TOLERANCE: f64 = 5e-5;

fn session(fixture: &Fixture) -> Session {
    Session::new(Experiment::parse(fixture.experiment).unwrap().experiment, &NoAssets).unwrap()
}

/// ‖a − b‖∞ ≤ 1e-4·‖b‖∞ + 1e-6: both sides sum in f32, in different orders.
fn assert_close(what: &str, ours: &[f32], theirs: &[f32]) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let difference = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    let size = theirs.iter().map(|b| b.abs()).fold(0.0, f32::max);
    assert!(difference <= 1e-4 * size + 1e-6, "{what}: {difference:e} of {size:e}");
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
        let values: Vec<f32> = view.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
        let (_, mine) = ours.iter().find(|(name, _)| *name == key).unwrap_or_else(|| panic!("{key} is computed"));
        assert_close(&format!("{name} {tensor}"), mine, &values);
    }
    assert_eq!(gradients, ready(session.parameters()).unwrap().len(), "{name}: a gradient for every parameter");
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
