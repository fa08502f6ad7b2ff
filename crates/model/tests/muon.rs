//! Muon's steps, in f64, against `torch/optim/_muon.py` and `torch.optim.AdamW` written out.

#![allow(clippy::unwrap_used, reason = "a helper that cannot go on has failed its test")]

use downhill_graph::interp::run;
use downhill_graph::ops::FlatUpdate;
use downhill_graph::tensors::{Env, Tensor};
use downhill_graph::{Op, Parameter, verify};
use downhill_model::{Checked, Effect, Experiment, ProgramKind, Signature, build, check, effect};
use downhill_tensor::Dtype;
use serde_json::{Value as Json, json};

type Matrix = Vec<Vec<f64>>;

fn product(a: &Matrix, b: &Matrix) -> Matrix {
    let entry = |row: &Vec<f64>, j: usize| row.iter().zip(b).map(|(x, other)| x * other[j]).sum();
    a.iter().map(|row| (0..b[0].len()).map(|j| entry(row, j)).collect()).collect()
}

fn turned(a: &Matrix) -> Matrix {
    (0..a[0].len()).map(|j| a.iter().map(|row| row[j]).collect()).collect()
}

fn sum(a: &Matrix, [p, q]: [f64; 2], b: &Matrix) -> Matrix {
    a.iter().zip(b).map(|(a, b)| a.iter().zip(b).map(|(a, b)| p * a + q * b).collect()).collect()
}

fn matrix(data: &[f64], columns: usize) -> Matrix {
    data.chunks(columns).map(<[f64]>::to_vec).collect()
}

/// `_zeropower_via_newtonschulz` of `torch/optim/_muon.py`, in f64.
fn orthogonal(x: &Matrix) -> Matrix {
    let tall = x.len() > x[0].len();
    let norm = x.iter().flatten().map(|v| v * v).sum::<f64>().sqrt().max(1e-7);
    let mut x: Matrix = x.iter().map(|row| row.iter().map(|v| v / norm).collect()).collect();
    if tall {
        x = turned(&x);
    }
    for _ in 0..5 {
        let gram = product(&x, &turned(&x));
        let change = sum(&gram, [-4.775, 2.0315], &product(&gram, &gram));
        x = sum(&x, [3.4445, 1.0], &product(&change, &x));
    }
    if tall { turned(&x) } else { x }
}

fn checked(data: &str, model: Json, training: Json) -> Checked {
    let fields = json!({ "lr": 0.02, "weight_decay": 0.1, "momentum": 0.9, "adamw_lr": 0.01, "adamw_weight_decay": 0.2 });
    let document = json!({ "data": data, "model": model, "optimizer": { "muon": fields }, "training": training });
    let experiment = Experiment::from_value(&document).unwrap().experiment;
    let signature = Signature::of(&experiment.data).unwrap();
    check(experiment, signature).unwrap()
}

/// A wide and a tall matrix, and the last layer.
fn three_layers(training: Json) -> Checked {
    let hidden = |out: usize| json!({ "linear": { "out": out } });
    checked("xor", json!([hidden(5), "tanh", hidden(3), "tanh", { "linear": { "out": "classes" } }]), training)
}

#[test]
fn matrices_of_hidden_layers_move_as_torchs_and_all_else_as_adamw() {
    for (training, l2, no_decay) in
        [(json!({}), 0.0, false), (json!({ "clip_norm": 0.05, "l2": 0.3, "decay_all": false }), 0.3, true)]
    {
        let checked = three_layers(training);
        let graph = build(&checked, &ProgramKind::Train { batch: 4 }).unwrap();
        verify(&graph).unwrap();
        let number = |i: usize, k: usize| ((i * 7 + k * 13) % 11) as f64 / 11.0 - 0.45;
        let filled = |f: &dyn Fn(usize, usize) -> f64| -> Vec<Tensor> {
            let tensor =
                |(k, p): (usize, &Parameter)| Tensor::f32(p.shape.to_vec(), (0..p.shape.numel()).map(|i| f(i, k)).collect());
            graph.parameters().iter().enumerate().map(tensor).collect()
        };
        let feeds = graph.feeds().iter().map(|feed| {
            let whole = feed.ty.dtype != Dtype::F32;
            let number = |i: usize| if whole { (i % 2) as f64 } else { number(i, 3) };
            Tensor::new(&feed.ty, (0..feed.ty.shape.numel()).map(number).collect())
        });
        let (slots, parameters) = (vec![filled(&|_, _| 0.0); 2], filled(&number));
        let mut env = Env { parameters, slots, feeds: feeds.collect(), ..Env::default() };
        let (update, node) = graph.nodes().find_map(|(_, node)| Some((update(&node.op)?, node))).unwrap();
        let mut moments: Vec<[Vec<f64>; 2]> =
            env.parameters.iter().map(|p| [vec![0.0; p.data.len()], vec![0.0; p.data.len()]]).collect();
        for t in 0..3 {
            env.step = checked.experiment.step_scalars(t);
            let before = env.parameters.clone();
            let ran = run(&graph, &mut env);
            let gradients: Vec<Vec<f64>> = node.inputs[1 + usize::from(update.scaled)..]
                .iter()
                .take(before.len())
                .map(|g| ran.value(*g).data.clone())
                .collect();
            let norm = gradients.iter().flatten().map(|g| g * g).sum::<f64>().sqrt();
            let factor = if update.scaled { (0.05 / (norm + 1e-6)).min(1.0) } else { 1.0 };
            for (k, parameter) in graph.parameters().iter().enumerate() {
                let w = &before[k].data;
                let g: Vec<f64> = gradients[k].iter().zip(w).map(|(g, w)| g * factor + l2 * w).collect();
                let [m, v] = &mut moments[k];
                let expected: Vec<f64> = if ["0.weight", "2.weight"].contains(&parameter.name.as_str()) {
                    m.iter_mut().zip(&g).for_each(|(m, g)| *m = 0.9 * *m + 0.1 * g);
                    let ahead: Vec<f64> = m.iter().zip(&g).map(|(m, g)| 0.1 * g + 0.9 * m).collect();
                    let (rows, columns) = (parameter.shape[0], parameter.shape[1]);
                    let direction = orthogonal(&matrix(&ahead, columns)).concat();
                    let ratio = (rows as f64 / columns as f64).max(1.0).sqrt();
                    w.iter().zip(direction).map(|(w, d)| w * (1.0 - 0.02 * 0.1) - 0.02 * ratio * d).collect()
                } else {
                    m.iter_mut().zip(&g).for_each(|(m, g)| *m = 0.9 * *m + 0.1 * g);
                    v.iter_mut().zip(&g).for_each(|(v, g)| *v = 0.999 * *v + 0.001 * g * g);
                    let [c1, c2] = [0.9f64, 0.999].map(|beta| 1.0 - beta.powi(t as i32 + 1));
                    let decay = if no_decay && parameter.shape.rank() < 2 { 0.0 } else { 0.2 };
                    let step = |((w, m), v): ((&f64, &f64), &f64)| {
                        w * (1.0 - 0.01 * decay) - 0.01 * (m / c1) / ((v / c2).sqrt() + 1e-8)
                    };
                    w.iter().zip(&*m).zip(&*v).map(step).collect()
                };
                for (got, want) in env.parameters[k].data.iter().zip(&expected) {
                    assert!((got - want).abs() < 2e-6, "step {t}, {}: {got}, expected {want}", parameter.name);
                }
            }
        }
        assert!(!env.non_finite);
    }
}

fn update(op: &Op) -> Option<&FlatUpdate> {
    if let Op::FlatUpdate(update) = op { Some(update) } else { None }
}

#[test]
fn only_weights_of_two_dimensions_that_vectors_are_multiplied_by_are_matrices_and_the_last_layer_has_none() {
    let names = |data: &str, model: Json| -> Vec<String> {
        let graph = build(&checked(data, model, json!({})), &ProgramKind::Train { batch: 2 }).unwrap();
        verify(&graph).unwrap();
        let update = graph.nodes().find_map(|(_, node)| update(&node.op)).unwrap();
        update.given().map(|(_, id)| graph.parameters()[id.index()].name.clone()).collect()
    };
    let classes = json!({ "linear": { "out": "classes" } });
    let block = json!({ "transformer_block": { "num_heads": 2 } });
    let text = names("sort", json!([{ "embedding": { "dim": 8 } }, "positions", block, "layer_norm", classes]));
    let inside = ["self_attn.in_proj_weight", "self_attn.out_proj.weight", "linear1.weight", "linear2.weight"];
    assert_eq!(text, inside.map(|name| format!("2.{name}")));
    let conv = json!({ "conv2d": { "out_channels": 4, "padding": 1 } });
    let digits = json!({ "reshape": { "channels": 1, "height": 8, "width": 8 } });
    let pictures = names("digits", json!([digits, conv, "flatten", { "linear": { "out": 4 } }, "relu", classes]));
    assert_eq!(pictures, ["3.weight"]);
    assert!(names("xor", json!([classes])).is_empty());
}

#[test]
fn numbers_are_edited_while_it_trains_and_what_its_program_is_made_of_compiles_it_anew() {
    let with = |fields: Json| {
        let document =
            json!({ "data": "xor", "model": ["tanh", { "linear": { "out": "classes" } }], "optimizer": { "muon": fields } });
        Experiment::from_value(&document).unwrap().experiment
    };
    let old = with(json!({}));
    for live in ["lr", "weight_decay", "momentum", "eps", "adamw_lr", "adamw_eps", "adamw_weight_decay"] {
        assert_eq!(effect(&old, &with(json!({ live: 0.5 }))), Effect::Live, "{live}");
    }
    assert_eq!(effect(&old, &with(json!({ "ns_coefficients": [2.0, -1.5, 0.5], "adamw_betas": [0.5, 0.5] }))), Effect::Live);
    for shape in [json!({ "ns_steps": 3 }), json!({ "nesterov": false }), json!({ "adjust_lr_fn": "match_rms_adamw" })] {
        assert_eq!(effect(&old, &with(shape)), Effect::Rebuild { keep_slots: true });
    }
    let mut deeper = old.clone();
    deeper.model.push(deeper.model[0].clone());
    assert_eq!(effect(&old, &deeper), Effect::Rebuild { keep_slots: false }, "what was the last layer may be a hidden one now");
}
