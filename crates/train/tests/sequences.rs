//! What is asked about sequences: states, gates and gradients over time, what attention looks with, and answers at every position.

#![allow(clippy::unwrap_used, reason = "a helper that cannot go on has failed its test")]

use downhill_data::Bundled;
use downhill_model::Experiment;
use downhill_protocol::{Event, Input, Part, Query, Watch};
use downhill_train::{Session, ready};
use serde_json::{Value, json};

/// Shape and elements of a tensor.
type Found = (Vec<u32>, Vec<f32>);

fn session_of(data: Value, model: Value, loss: &str) -> Session {
    let document = json!({ "data": data, "model": model, "loss": loss, "training": { "steps": 20 } });
    let mut session = Session::new(Experiment::from_value(&document).unwrap().experiment, &Bundled).unwrap();
    session.step(20);
    ready(session.run_until_rest()).unwrap();
    session
}

fn answer(session: &mut Session, input: Input, names: &[&str]) -> Result<Vec<Found>, String> {
    let tensors = names.iter().map(|name| Query::all(*name)).collect();
    session.watch(Watch { key: 1, input, tensors, every_ms: 0.0 });
    let heard = loop {
        ready(session.run_until_rest()).unwrap();
        let events = session.take_events();
        let found = events.into_iter().find(|m| matches!(m.header, Event::Answer { .. } | Event::Unanswered { .. }));
        if let Some(found) = found {
            break found;
        }
    };
    match &heard.header {
        Event::Answer { tensors, .. } => Ok(tensors.iter().map(|t| (t.shape.clone(), heard.array(t.data).to_vec())).collect()),
        Event::Unanswered { error, .. } => Err(error.to_string()),
        _ => unreachable!("one of the two"),
    }
}

fn sample(row: u32) -> Input {
    Input::Samples { part: Part::Validation, rows: Some(vec![row]) }
}

fn parity(cell: &str) -> Session {
    parity_by(cell, false)
}

fn parity_by(cell: &str, layer_norm: bool) -> Session {
    let data = json!({ "parity": { "samples": 60, "min_length": 2, "max_length": 6 } });
    let cell = json!({ cell: { "hidden_size": 4, "layer_norm": layer_norm } });
    session_of(data, json!([cell, { "linear": { "out": "classes" } }]), "cross_entropy")
}

#[test]
fn the_gradient_of_a_sample_reaches_every_step_that_counts_and_begins_with_that_of_the_last_state() {
    for (cell, normed) in ["rnn", "lstm", "gru"].into_iter().flat_map(|cell| [(cell, false), (cell, true)]) {
        let mut session = parity_by(cell, normed);
        let names = ["grad:model[0].hidden_l0", "output", "target", "raw", "1.weight", "model[0].hidden_l0", "model[0]"];
        for row in 0..4 {
            let found = answer(&mut session, sample(row), &names).unwrap();
            let [(shape, slopes), (_, p), (_, truth), (_, raw), (_, weights), (_, states), (_, last)] = &found[..] else {
                panic!("seven tensors")
            };
            let length = raw.iter().filter(|v| !v.is_nan()).count();
            assert_eq!(shape, &[1, 6, 4]);
            assert_eq!(states[4 * (length - 1)..][..4], last[..]);
            for unit in 0..4 {
                let by_score = |class: usize| p[class] - if truth[0] as usize == class { 1.0 } else { 0.0 };
                let slope: f32 = (0..2).map(|class| by_score(class) * weights[4 * class + unit]).sum();
                assert!((slopes[4 * (length - 1) + unit] - slope).abs() < 1e-5, "{cell} {row}: {slopes:?}");
            }
            let norm = |step: usize| slopes[4 * step..][..4].iter().map(|v| v * v).sum::<f32>();
            assert!((0..length).all(|step| norm(step) > 0.0) && (length..6).all(|step| norm(step) == 0.0), "{cell} {slopes:?}");
        }
        let error = answer(&mut session, Input::Given(vec![vec![1.0, 0.0]]), &names[..1]).unwrap_err();
        assert!(error.contains("no right answer"), "{error}");
        let all = Input::Samples { part: Part::Validation, rows: None };
        assert!(answer(&mut session, all, &["loss"]).unwrap_err().contains("one by one"));
    }
}

#[test]
fn the_gates_of_an_lstm_with_layer_norm_inside_show_its_cell_before_and_behind_the_norm() {
    let mut session = parity_by("lstm", true);
    let names = ["model[0].gates_l0", "model[0].hidden_l0", "raw", "0.norm_c_l0", "0.norm_c_bias_l0"];
    let found = answer(&mut session, sample(0), &names).unwrap();
    let [(shape, gates), (_, states), (_, raw), (_, factors), (_, constants)] = &found[..] else { panic!("five tensors") };
    assert_eq!(shape, &[1, 6, 6, 4]);
    for step in 0..raw.iter().filter(|v| !v.is_nan()).count() {
        let part = |step: usize, part: usize| &gates[(step * 6 + part) * 4..][..4];
        let [i, f, g, o, c, s] = [0, 1, 2, 3, 4, 5].map(|n| part(step, n));
        let mean = s.iter().sum::<f32>() / 4.0;
        let deviation = (s.iter().map(|s| (s - mean).powi(2)).sum::<f32>() / 4.0 + 1e-5).sqrt();
        for unit in 0..4 {
            let before = if step > 0 { part(step - 1, 4)[unit] } else { 0.0 };
            assert!((s[unit] - f[unit] * before - i[unit] * g[unit]).abs() < 1e-6);
            let normed = (s[unit] - mean) / deviation * factors[unit] + constants[unit];
            assert!((c[unit] - normed).abs() < 1e-4);
            assert!((states[4 * step + unit] - o[unit] * c[unit].tanh()).abs() < 1e-6);
        }
    }
}

#[test]
fn a_sequence_that_is_typed_is_as_long_as_it_is_and_answered_like_the_sample() {
    let mut session = parity("gru");
    for row in 0..6 {
        let found = answer(&mut session, sample(row), &["raw", "output"]).unwrap();
        let typed: Vec<f32> = found[0].1.iter().copied().filter(|v| !v.is_nan()).collect();
        let again = answer(&mut session, Input::Given(vec![typed]), &["raw", "output"]).unwrap();
        assert_eq!(again[1].1, found[1].1);
        assert!(again[0].1.iter().zip(&found[0].1).all(|(a, b)| a == b || (a.is_nan() && b.is_nan())));
    }
    let error = answer(&mut session, Input::Given(vec![vec![1.0; 7]]), &["output"]).unwrap_err();
    assert!(error.contains("from 1 to 6 steps"), "{error}");
    let data = json!({ "adding": { "samples": 20, "min_length": 3, "max_length": 4, "validation": 0.3 } });
    let mut adding = session_of(data, json!([{ "rnn": { "hidden_size": 3 } }, { "linear": { "out": "targets" } }]), "mse");
    for row in 0..3 {
        let raw = answer(&mut adding, sample(row), &["raw"]).unwrap().remove(0).1;
        let count = raw.iter().filter(|v| !v.is_nan()).count();
        assert!(count == 6 || count == 8, "two numbers of every step: {raw:?}");
    }
    let error = answer(&mut adding, Input::Given(vec![vec![1.0; 3]]), &["output"]).unwrap_err();
    assert!(error.contains("2 numbers each"), "{error}");
}

#[test]
fn answers_stand_at_their_positions_and_attention_looks_back_with_weights_that_sum_to_one() {
    let data = json!({ "sort": { "samples": 40, "length": 3, "vocabulary": 5 } });
    let block = json!({ "transformer_block": { "num_heads": 2, "causal": true } });
    let model = json!([{ "embedding": { "dim": 8 } }, { "repeat": { "times": 2, "body": [block] } }, { "linear": { "out": "classes" } }]);
    let mut session = session_of(data, model, "cross_entropy");
    let second = "model[1].repeat.body#2[0].attention";
    let found = answer(&mut session, sample(1), &["output", "target", second]).unwrap();
    let [(shape, output), (asked, target), (axes, weights)] = &found[..] else { panic!("three tensors") };
    assert_eq!((&shape[..], &asked[..], &axes[..]), (&[1, 6, 6][..], &[1, 6][..], &[1, 2, 6, 6][..]));
    assert!(target[..3].iter().all(|t| t.is_nan()) && target[3..].iter().all(|t| *t < 5.0), "{target:?}");
    for row in output.chunks(6).chain(weights.chunks(6)) {
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{row:?}");
    }
    let ahead = weights.chunks(6).enumerate().flat_map(|(i, row)| row[i % 6 + 1..].to_vec());
    assert!(ahead.into_iter().all(|w| w == 0.0));
}

/// `y = x Wᵀ + b` of one vector.
fn linear(x: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
    let row = |(row, b): (&[f32], &f32)| row.iter().zip(x).map(|(w, x)| w * x).sum::<f32>() + b;
    weight.chunks(x.len()).zip(bias).map(row).collect()
}

fn softmax(scores: &[f32]) -> Vec<f32> {
    let largest = scores.iter().copied().fold(f32::MIN, f32::max);
    let all: Vec<f32> = scores.iter().map(|s| (s - largest).exp()).collect();
    let sum: f32 = all.iter().sum();
    all.into_iter().map(|e| e / sum).collect()
}

#[test]
fn the_answer_without_a_part_of_attention_and_after_an_earlier_layer_are_those_worked_out_by_hand() {
    const WIDTH: usize = 8;
    const HEADS: usize = 2;
    let data = json!({ "sort": { "samples": 40, "length": 3, "vocabulary": 5 } });
    let attention = json!({ "multi_head_attention": { "num_heads": HEADS, "causal": true } });
    let model = json!([{ "embedding": { "dim": WIDTH } }, { "residual": [attention] }, { "linear": { "out": "classes" } }]);
    let mut session = session_of(data, model, "cross_entropy");
    let looked = "model[1].residual[0].attention";
    let [head, cell] = ["1", "1:4:2"].map(|part| format!("output:without:{looked}:{part}"));
    let own = ["in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"].map(|name| format!("1.0.{name}"));
    let mut names = vec!["output", &head, &cell, "model[2].lens:model[0]", "model[2].lens:model[1]", "model[0]", looked];
    names.extend(own.iter().map(String::as_str).chain(["2.weight", "2.bias"]));
    let found = answer(&mut session, sample(1), &names).unwrap();
    assert!(found[..5].iter().all(|(shape, _)| shape[..] == [1, 6, 6]));
    let [output, no_head, no_cell, first, last, x, weights, in_w, in_b, out_w, out_b, end_w, end_b] =
        &found.into_iter().map(|(_, values)| values).collect::<Vec<_>>()[..]
    else {
        panic!("thirteen tensors")
    };
    assert_eq!(last, output, "nothing comes between the last block and the end");
    let values: Vec<Vec<f32>> = x.chunks(WIDTH).map(|x| linear(x, in_w, in_b)[2 * WIDTH..].to_vec()).collect();
    let said = |query: usize, counts: &dyn Fn(usize, usize) -> bool| {
        let mut taken = vec![0.0; WIDTH];
        for head in 0..HEADS {
            for (key, value) in values.iter().enumerate().filter(|(key, _)| counts(head, *key)) {
                let weight = weights[(head * 6 + query) * 6 + key];
                let columns = head * WIDTH / HEADS..(head + 1) * WIDTH / HEADS;
                columns.for_each(|i| taken[i] += weight * value[i]);
            }
        }
        let added = linear(&taken, out_w, out_b);
        let sum: Vec<f32> = x[query * WIDTH..].iter().zip(added).map(|(x, added)| x + added).collect();
        softmax(&linear(&sum, end_w, end_b))
    };
    let assert_close = |got: &[f32], want: &[f32]| {
        assert!(got.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-5), "{got:?}, expected {want:?}");
    };
    for query in 0..6 {
        let at = query * 6..(query + 1) * 6;
        assert_close(&output[at.clone()], &said(query, &|_, _| true));
        assert_close(&no_head[at.clone()], &said(query, &|head, _| head != 1));
        assert_close(&no_cell[at.clone()], &said(query, &|head, key| (query, head, key) != (4, 1, 2)));
        assert_close(&first[at], &softmax(&linear(&x[query * WIDTH..][..WIDTH], end_w, end_b)));
    }
    assert_ne!(no_head, output);
    assert!(no_cell[24..30] != output[24..30] && no_cell[..24] == output[..24]);
    for beyond in ["2", "1:6:0", "1:0:6", "1:0", ""] {
        let error = answer(&mut session, sample(1), &[&format!("output:without:{looked}:{beyond}")]).unwrap_err();
        assert!(error.contains("no tensor of this name"), "{beyond}: {error}");
    }
    let error = answer(&mut session, Input::Batch, &[&head]).unwrap_err();
    assert!(error.contains("Ask about a sample"), "{error}");
}

#[test]
fn a_decoder_without_its_look_at_what_was_read_says_the_same_of_every_sample_and_its_two_attentions_are_told_apart() {
    let data = json!({ "addition": { "samples": 40, "encoder_decoder": true } });
    let decoder = json!({ "transformer_decoder_block": { "from": "read", "num_heads": 1 } });
    let embedding = json!({ "embedding": { "dim": 8 } });
    let model = json!([embedding, "positions", { "name": "read" }, { "input": "answer" }, embedding, decoder, { "linear": { "out": "classes" } }]);
    let mut session = session_of(data, model, "cross_entropy");
    let [own, cross] = ["attention", "cross_attention"].map(|looks| format!("model[5].{looks}"));
    let [no_own, no_cross] = [&own, &cross].map(|looked| format!("output:without:{looked}:0"));
    // Every answer begins with the same token.
    let mut first = |row| {
        let found = answer(&mut session, sample(row), &["output", &no_own, &no_cross]).unwrap();
        [0, 1, 2].map(|i| found[i].1[..found[i].0[2] as usize].to_vec())
    };
    let ([output, no_own, no_cross], [other, other_no_own, other_no_cross]) = (first(0), first(1));
    assert!(output != other && no_own != other_no_own, "what was read decides");
    assert_eq!(no_cross, other_no_cross);
    assert!(no_cross != output && no_own != output && no_own != no_cross);
    let axes = answer(&mut session, sample(0), &[&own, &cross]).unwrap();
    let [queries, keys] = [axes[1].0[2], axes[1].0[3]];
    assert_eq!((&axes[0].0[..], queries != keys), (&[1, 1, queries, queries][..], true), "{axes:?}");
    for (looked, keys) in [(own, queries), (cross, keys)] {
        let mut of = |query, key| answer(&mut session, sample(0), &[&format!("output:without:{looked}:0:{query}:{key}")]);
        assert!(of(queries - 1, keys - 1).is_ok(), "{looked}");
        assert!(of(queries - 1, keys).is_err() && of(queries, keys - 1).is_err(), "{looked}");
    }
}

/// Two towers that read the mean of their words, behind so many steps.
fn towers(loss: Value, steps: u64) -> Session {
    let tower = |name: &str| {
        vec![
            json!({ "input": name }),
            json!({ "embedding": { "dim": 12 } }),
            json!("mean_over_time"),
            json!({ "linear": { "out": 12 } }),
        ]
    };
    let end = [json!({ "cat": { "from": "document" } })];
    let model: Vec<Value> =
        tower("document").into_iter().chain([json!({ "name": "document" })]).chain(tower("query")).chain(end).collect();
    let document = json!({
        "data": { "search": { "samples": 400 } }, "model": model, "loss": loss,
        "optimizer": { "adam": { "lr": 0.02 } }, "training": { "steps": steps, "batch_size": 32 },
    });
    let mut session = Session::new(Experiment::from_value(&document).unwrap().experiment, &Bundled).unwrap();
    session.step(steps);
    ready(session.run_until_rest()).unwrap();
    session
}

fn metric(session: &Session, name: &str) -> f64 {
    session.metrics().iter().find(|(known, _)| known == name).unwrap().1
}

#[test]
fn a_query_that_is_typed_finds_its_document_among_all_that_are_held_out() {
    let mut session = towers(json!("info_nce"), 400);
    let mut firsts = 0.0;
    for row in 0..40u8 {
        let found = answer(&mut session, sample(u32::from(row)), &["raw", "output"]).unwrap();
        let [(_, query), (shape, own)] = &found[..] else { panic!("two tensors") };
        assert_eq!(shape, &[1, 1]);
        let query: Vec<f32> = query.iter().copied().filter(|t| !t.is_nan()).collect();
        let found = answer(&mut session, Input::Search(query), &["output", "raw:1"]).unwrap();
        let [(shape, scores), (_, documents)] = &found[..] else { panic!("two tensors") };
        assert_eq!((shape, documents.len()), (&vec![40, 1], 40 * 17));
        let at = usize::from(row);
        assert!((scores[at] - own[0]).abs() < 1e-5 && scores.iter().all(|cosine| cosine.abs() < 1.0 + 1e-5));
        firsts += f64::from(u8::from((0..40).all(|other| other == at || scores[other] < scores[at])));
    }
    let recall = metric(&session, "validation_recall_at_1");
    assert!((recall - firsts / 40.0).abs() < 1e-9 && recall > 0.8, "{recall} {firsts}");
    assert!(metric(&session, "validation_recall_at_5") >= recall);
}

#[test]
fn guessing_the_document_costs_the_logarithm_of_how_many_are_compared() {
    // At so high a temperature all are as likely; 40 are held out, 32 and 8 of them together.
    let flat = towers(json!({ "info_nce": { "temperature": 10.0 } }), 1);
    let Event::Loaded(told) = flat.loaded().header else { panic!("it is loaded") };
    let guessing = (32.0 * 32f64.ln() + 8.0 * 8f64.ln()) / 40.0;
    assert!((told.baseline_loss - guessing).abs() < 1e-9 && told.baseline_accuracy == Some(1.0 / 40.0));
    assert!((metric(&flat, "validation_loss") - guessing).abs() < 0.05, "{}", metric(&flat, "validation_loss"));
    assert_eq!(told.data.task, "retrieval");
}

#[test]
fn a_query_that_is_none_is_refused_with_a_sentence() {
    let mut session = towers(json!("info_nce"), 1);
    let refused =
        |session: &mut Session, query: &[f32]| answer(session, Input::Search(query.to_vec()), &["output"]).unwrap_err();
    assert_eq!(refused(&mut session, &[]), "The sequence has 0 tokens; the network takes up to 10.");
    assert_eq!(refused(&mut session, &[1.0; 11]), "The sequence has 11 tokens; the network takes up to 10.");
    assert!(refused(&mut session, &[999.0]).starts_with("999 is no token"));
    assert!(refused(&mut parity("gru"), &[1.0]).starts_with("This data has no documents"));
}
