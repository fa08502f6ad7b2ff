//! Rules and their numbers together, against PyTorch's pseudo-code written out in f64.

use serde_json::{Value, json};

use super::*;
use crate::Experiment;
use crate::registry::Reader;

const GRADIENTS: [f64; 6] = [0.5, -0.25, 2.0, -3.0, 0.0, 0.125];
const START: f64 = 0.75;

/// The weight after each gradient, by the rule that is compiled and the numbers that are fed to it.
fn by_rule(optimizer: Value, training: Value) -> Vec<f64> {
    let document = json!({ "data": "xor", "model": ["relu"], "optimizer": optimizer, "training": training });
    let experiment = Experiment::from_value(&document).unwrap().experiment;
    let rule = experiment.optimizer.rule(&experiment.training);
    let mut state = vec![0.0; 1 + rule.slots.len()];
    state[0] = START;
    let mut weights = Vec::new();
    for (t, g) in (0..).zip(GRADIENTS) {
        let scalars = experiment.step_scalars(t);
        let reads: Vec<f64> = [state[0], g].into_iter().chain(state[1..].iter().copied()).collect();
        state = rule.expr.eval(&reads, &|id| f64::from(scalars.get(id)), &|_| 0.0).to_vec();
        assert_eq!(state.len(), 1 + rule.slots.len());
        weights.push(state[0]);
    }
    weights
}

/// The weight after each gradient, where `step(t, w, g)` is one update (t counts from 1).
fn by_hand(mut step: impl FnMut(i32, f64, f64) -> f64) -> Vec<f64> {
    let mut w = START;
    (1..)
        .zip(GRADIENTS)
        .map(|(t, g)| {
            w = step(t, w, g);
            w
        })
        .collect()
}

fn assert_close(a: &[f64], b: &[f64]) {
    let close = a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6);
    assert!(close, "{a:?} is not {b:?}");
}

#[test]
fn sgd_is_torchs_with_momentum_dampening_nesterov_and_decay() {
    let plain = by_hand(|_, w, g| w - 0.1 * (g + 0.01 * w));
    assert_close(&by_rule(json!({ "sgd": { "lr": 0.1, "weight_decay": 0.01 } }), json!({})), &plain);
    let mut b = 0.0;
    let dampened = by_hand(|t, w, g| {
        b = if t == 1 { g } else { 0.9 * b + 0.5 * g };
        w - 0.1 * b
    });
    assert_close(&by_rule(json!({ "sgd": { "lr": 0.1, "momentum": 0.9, "dampening": 0.5 } }), json!({})), &dampened);
    let mut b = 0.0;
    let nesterov = by_hand(|_, w, g| {
        b = 0.9 * b + g;
        w - 0.1 * (g + 0.9 * b)
    });
    assert_close(&by_rule(json!({ "sgd": { "lr": 0.1, "momentum": 0.9, "nesterov": true } }), json!({})), &nesterov);
}

#[test]
fn rmsprop_is_torchs_with_and_without_momentum() {
    let mut s = 0.0;
    let plain = by_hand(|_, w, g| {
        s = 0.9 * s + 0.1 * g * g;
        w - 0.01 * g / (s.sqrt() + 1e-3)
    });
    assert_close(&by_rule(json!({ "rmsprop": { "alpha": 0.9, "eps": 1e-3 } }), json!({})), &plain);
    let (mut s, mut b) = (0.0, 0.0);
    let heavy = by_hand(|_, w, g| {
        s = 0.99 * s + 0.01 * g * g;
        b = 0.5 * b + g / (s.sqrt() + 1e-8);
        w - 0.01 * b
    });
    assert_close(&by_rule(json!({ "rmsprop": { "momentum": 0.5 } }), json!({})), &heavy);
}

#[test]
fn adam_and_adamw_are_torchs() {
    let adam = |coupled: f64, decoupled: f64| {
        let (mut m, mut v) = (0.0f64, 0.0f64);
        by_hand(move |t, w, g| {
            let w = w * (1.0 - 0.05 * decoupled);
            let g = g + coupled * w;
            m = 0.8 * m + 0.2 * g;
            v = 0.99 * v + 0.01 * g * g;
            let (m, v) = (m / (1.0 - 0.8f64.powi(t)), v / (1.0 - 0.99f64.powi(t)));
            w - 0.05 * m / (v.sqrt() + 1e-4)
        })
    };
    let fields = json!({ "lr": 0.05, "betas": [0.8, 0.99], "eps": 1e-4, "weight_decay": 0.1 });
    assert_close(&by_rule(json!({ "adam": fields }), json!({})), &adam(0.1, 0.0));
    assert_close(&by_rule(json!({ "adamw": fields }), json!({})), &adam(0.0, 0.1));
}

#[test]
fn adagrad_is_torchs() {
    let mut sum = 0.0;
    let expected = by_hand(|t, w, g| {
        let g = g + 0.01 * w;
        sum += g * g;
        w - 0.1 / (1.0 + 0.5 * f64::from(t - 1)) * g / (sum.sqrt() + 1e-3)
    });
    let fields = json!({ "lr": 0.1, "lr_decay": 0.5, "eps": 1e-3, "weight_decay": 0.01 });
    assert_close(&by_rule(json!({ "adagrad": fields }), json!({})), &expected);
}

#[test]
fn lion_goes_along_the_sign_of_its_momentum() {
    let mut m = 0.0;
    let expected = by_hand(|_, w, g: f64| {
        let direction = 0.8 * m + 0.2 * g;
        m = 0.9 * m + 0.1 * g;
        w * (1.0 - 0.05 * 0.1) - 0.05 * direction.signum()
    });
    let fields = json!({ "lr": 0.05, "betas": [0.8, 0.9], "weight_decay": 0.1 });
    assert_close(&by_rule(json!({ "lion": fields }), json!({})), &expected);
}

#[test]
fn penalties_and_clipping_by_value_act_on_the_gradient_in_this_order() {
    let expected = by_hand(|_, w, g| w - 0.1 * (g.clamp(-0.3, 0.3) + 0.02 * w + 0.01 * w.signum()));
    let training = json!({ "clip_value": 0.3, "l1": 0.01, "l2": 0.02 });
    assert_close(&by_rule(json!({ "sgd": { "lr": 0.1 } }), training), &expected);
}

#[test]
fn adamw_decays_apart_from_the_gradient_and_takes_the_penalty_through_it() {
    let (mut m, mut v) = (0.0f64, 0.0f64);
    let expected = by_hand(|t, w, g| {
        let g = g + 0.5 * w;
        m = 0.9 * m + 0.1 * g;
        v = 0.999 * v + 0.001 * g * g;
        let (m, v) = (m / (1.0 - 0.9f64.powi(t)), v / (1.0 - 0.999f64.powi(t)));
        w * (1.0 - 0.05 * 0.2) - 0.05 * m / (v.sqrt() + 1e-8)
    });
    let adamw = json!({ "adamw": { "lr": 0.05, "weight_decay": 0.2 } });
    assert_close(&by_rule(adamw, json!({ "l2": 0.5 })), &expected);
}

#[test]
fn editing_a_number_leaves_the_rule_as_it_is() {
    let rule = |fields: Value| {
        let optimizer = Optimizer::read(&fields, &mut Reader::default()).unwrap();
        optimizer.rule(&Training::default())
    };
    for name in Optimizer::NAMES {
        assert_eq!(rule(json!(name)), rule(json!({ *name: { "lr": 0.5, "weight_decay": 0.3 } })));
    }
    assert_ne!(rule(json!("sgd")), rule(json!({ "sgd": { "momentum": 0.9 } })));
}
