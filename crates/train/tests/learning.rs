//! Runs of whole experiments: they learn, repeat, pause, resume and stop where they should.

#![allow(clippy::unwrap_used, reason = "a helper that cannot go on has failed its test")]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use downhill_data::Bundled;
use downhill_model::Experiment;
use downhill_protocol::{Event, KeptWeights};
use downhill_train::{Edited, Session, ready};
use serde_json::{Value, json};

fn experiment(change: impl FnOnce(&mut Value)) -> Experiment {
    let mut document = json!({
        "version": 1,
        "seed": 7,
        "data": { "spirals": { "samples": 300, "noise": 0.05, "validation": 0.3 } },
        "model": [{ "linear": { "out": 16 } }, "tanh", { "linear": { "out": 16 } }, "tanh", { "linear": { "out": "classes" } }],
        "optimizer": { "adam": { "lr": 0.01 } },
        "training": { "batch_size": 16, "eval_every": 50 },
        "view": { "pace": "max" },
    });
    change(&mut document);
    Experiment::from_value(&document).unwrap().experiment
}

fn plain() -> Experiment {
    experiment(|_| {})
}

fn session(experiment: Experiment) -> Session {
    Session::new(experiment, &Bundled).unwrap()
}

fn steps(session: &mut Session, n: u64) {
    session.step(n);
    ready(session.run_until_rest()).unwrap();
}

fn metric(session: &Session, name: &str) -> f64 {
    session.metrics().iter().find(|(n, _)| n == name).map_or(f64::NAN, |(_, value)| *value)
}

fn bits(session: &mut Session) -> Vec<u32> {
    ready(session.parameters()).unwrap().into_iter().flat_map(|(_, _, values)| values).map(f32::to_bits).collect()
}

#[test]
fn the_spirals_preset_is_learned() {
    let preset = downhill_model::presets::find("spirals").unwrap();
    let mut session = session(Experiment::parse(preset.json).unwrap().experiment);
    session.set_pace(None);
    session.start();
    ready(session.run_until_rest()).unwrap();
    let accuracy = metric(&session, "validation_accuracy");
    assert!(accuracy >= 0.97, "{accuracy}");
    assert!(session.take_events().iter().any(|m| matches!(m.header, Event::Finished { .. })));
}

#[test]
fn two_runs_of_one_seed_are_the_same_bit_for_bit() {
    let (mut a, mut b) = (session(plain()), session(plain()));
    steps(&mut a, 500);
    (0..5).for_each(|_| steps(&mut b, 100));
    assert_eq!(bits(&mut a), bits(&mut b));
    let mut other = session(experiment(|d| d["seed"] = json!(8)));
    steps(&mut other, 500);
    assert_ne!(bits(&mut a), bits(&mut other));
}

#[test]
fn a_resumed_run_goes_on_bit_for_bit() {
    let document = || experiment(|d| d["model"][1] = json!({ "dropout": { "p": 0.2 } }));
    let mut whole = session(document());
    steps(&mut whole, 333);
    let snapshot = ready(whole.snapshot()).unwrap();
    steps(&mut whole, 200);
    let mut resumed = Session::restore(&snapshot, &Bundled).unwrap();
    assert_eq!(resumed.step_count(), 333);
    assert_eq!(ready(resumed.snapshot()).unwrap(), snapshot);
    steps(&mut resumed, 200);
    assert_eq!(bits(&mut resumed), bits(&mut whole));
}

#[test]
fn steps_are_counted_exactly_and_evaluations_come_on_the_beat() {
    let mut session = session(plain());
    steps(&mut session, 1);
    assert_eq!(session.step_count(), 1);
    steps(&mut session, 176);
    assert_eq!(session.step_count(), 177);
    let evaluated: Vec<u64> = session.curves().points("validation_loss").iter().map(|p| p.step).collect();
    assert_eq!(evaluated, [0, 1, 50, 100, 150, 177]);
    let losses: Vec<u64> = session.curves().points("loss").iter().map(|p| p.step).collect();
    assert_eq!(losses, (0..177).collect::<Vec<_>>());
}

#[test]
fn losses_are_told_also_where_a_step_takes_longer_than_a_slice_of_time() {
    let wide = json!([{ "linear": { "out": 1000 } }, "tanh", { "linear": { "out": 1000 } }, "tanh", { "linear": { "out": "classes" } }]);
    let mut session = session(experiment(|d| {
        d["model"] = wide;
        d["training"] = json!({ "batch_size": 200, "eval_every": 100_000 });
    }));
    session.step(100_000);
    let start = Instant::now();
    while session.curves().points("loss").is_empty() {
        ready(session.advance(Instant::now() + Duration::from_millis(1))).unwrap();
        assert!(start.elapsed() < Duration::from_secs(10), "no loss after {} steps", session.step_count());
    }
}

#[test]
fn a_pause_stops_and_a_start_goes_on_to_the_end_and_past_it() {
    let mut session = session(experiment(|d| d["training"]["steps"] = json!(120)));
    session.start();
    session.pause();
    ready(session.run_until_rest()).unwrap();
    assert_eq!(session.step_count(), 0);
    session.start();
    ready(session.run_until_rest()).unwrap();
    assert_eq!(session.step_count(), 120);
    session.start();
    ready(session.advance(Instant::now() + Duration::from_millis(20))).unwrap();
    assert!(session.step_count() > 120 && session.is_running());
}

#[test]
fn a_run_without_progress_rests_when_its_patience_is_out_and_goes_on_when_it_is_started_again() {
    // A rate of nothing: the evaluations are all alike.
    let document = experiment(|d| {
        d["optimizer"] = json!({ "sgd": { "lr": 0.0 } });
        d["training"] = json!({ "batch_size": 16, "eval_every": 10, "patience": 3, "patience_metric": "validation_accuracy", "steps": 500 });
    });
    let mut session = session(document);
    session.start();
    ready(session.run_until_rest()).unwrap();
    let stopped = session.step_count();
    assert!((30..60).contains(&stopped), "{stopped}");
    assert!(session.take_events().iter().any(|m| matches!(m.header, Event::Finished { .. })));
    session.start();
    ready(session.run_until_rest()).unwrap();
    assert_eq!(session.step_count(), 500);
}

#[test]
fn a_reset_brings_the_same_initial_weights_back() {
    let mut session = session(plain());
    let before = bits(&mut session);
    steps(&mut session, 50);
    let after = bits(&mut session);
    assert_ne!(before, after);
    ready(session.reset()).unwrap();
    assert_eq!((bits(&mut session), session.step_count()), (before, 0));
    steps(&mut session, 50);
    assert_eq!(bits(&mut session), after);
}

#[test]
fn editing_the_rate_live_compiles_nothing_and_changes_the_next_step() {
    let mut edited = session(plain());
    steps(&mut edited, 100);
    let programs = edited.compiled_programs();
    let mut plain = session(plain());
    steps(&mut plain, 100);
    let slower = experiment(|d| {
        d["optimizer"]["adam"] = json!({ "lr": 0.001, "betas": [0.8, 0.99] });
        d["schedule"] = json!({ "step": { "every": 100, "gamma": 0.5 } });
    });
    assert_eq!(ready(edited.edit(slower, &Bundled, false)).unwrap(), Edited::Live);
    assert_eq!(edited.compiled_programs(), programs);
    assert_eq!(bits(&mut edited), bits(&mut plain));
    steps(&mut edited, 1);
    steps(&mut plain, 1);
    assert_ne!(bits(&mut edited), bits(&mut plain));
}

#[test]
fn an_edited_model_keeps_the_weights_of_layers_that_did_not_change() {
    let mut session = session(plain());
    steps(&mut session, 100);
    let before = ready(session.parameters()).unwrap();
    let wider = experiment(|d| {
        d["model"] = json!([{ "linear": { "out": 16 } }, "tanh", { "linear": { "out": 16 } }, "relu", { "linear": { "out": 5 } }, "tanh",
            { "linear": { "out": "classes" } }]);
    });
    assert_eq!(ready(session.edit(wider, &Bundled, false)).unwrap(), Edited::Rebuilt(KeptWeights { layers: 2, of: 4 }));
    assert_eq!(session.step_count(), 100);
    let after = ready(session.parameters()).unwrap();
    let get = |list: &[(String, Vec<usize>, Vec<f32>)], name: &str| list.iter().find(|p| p.0 == name).unwrap().2.clone();
    for name in ["0.weight", "0.bias", "2.weight", "2.bias"] {
        assert_eq!(get(&after, name), get(&before, name), "{name}");
    }
    assert_eq!(get(&after, "4.weight").len(), 80);
    steps(&mut session, 20);
    assert!(metric(&session, "train_loss").is_finite());
}

#[test]
fn an_edit_that_keeps_no_weights_is_bit_for_bit_a_new_run_of_the_new_experiment_also_out_of_a_snapshot() {
    let other_data = |d: &mut Value| d["data"] = json!("circles");
    let other_seed = |d: &mut Value| d["seed"] = json!(77);
    let other_layers =
        |d: &mut Value| d["model"] = json!([{ "linear": { "out": 5 } }, "tanh", { "linear": { "out": "classes" } }]);
    let changes: [&dyn Fn(&mut Value); 3] = [&other_data, &other_seed, &other_layers];
    for change in changes {
        let new = experiment(|d| change(d));
        let mut edited = session(plain());
        steps(&mut edited, 60);
        let mut restored = Session::restore(&ready(edited.snapshot()).unwrap(), &Bundled).unwrap();
        let mut wanted = session(new.clone());
        steps(&mut wanted, 30);
        for run in [&mut edited, &mut restored] {
            assert_eq!(ready(run.edit(new.clone(), &Bundled, false)).unwrap(), Edited::Fresh);
            assert_eq!((run.step_count(), run.curves().points("loss").len()), (0, 0));
            steps(run, 30);
            assert_eq!(bits(run), bits(&mut wanted));
        }
    }
}

#[test]
fn other_noise_keeps_the_weights_and_the_steps_and_the_end_counts_from_the_runs_start() {
    let noisy = |d: &mut Value| d["data"] = json!({ "spirals": { "samples": 300, "noise": 0.2 } });
    let mut session = session(experiment(|d| d["training"] = json!({ "steps": 100 })));
    steps(&mut session, 60);
    let before = bits(&mut session);
    let all = KeptWeights { layers: 3, of: 3 };
    let new = experiment(|d| {
        noisy(d);
        d["training"] = json!({ "steps": 100 });
    });
    assert_eq!(ready(session.edit(new, &Bundled, false)).unwrap(), Edited::Rebuilt(all));
    assert_eq!((session.step_count(), bits(&mut session)), (60, before));
    session.set_pace(None);
    session.start();
    ready(session.run_until_rest()).unwrap();
    assert_eq!(session.step_count(), 100);
    // A new run has all of its steps before it.
    let other = experiment(|d| {
        d["data"] = json!("circles");
        d["training"] = json!({ "steps": 100 });
    });
    assert_eq!(ready(session.edit(other, &Bundled, false)).unwrap(), Edited::Fresh);
    session.start();
    ready(session.run_until_rest()).unwrap();
    assert_eq!(session.step_count(), 100);
}

#[test]
fn an_edit_that_cannot_be_trained_leaves_the_run_as_it_was() {
    let mut session = session(plain());
    steps(&mut session, 10);
    let before = bits(&mut session);
    let broken = experiment(|d| d["model"] = json!([{ "linear": { "out": 7 } }]));
    let error = ready(session.edit(broken, &Bundled, false)).unwrap_err();
    assert_eq!(error.path.as_deref(), Some("model[0]"));
    assert_eq!(bits(&mut session), before);
    steps(&mut session, 10);
    assert_eq!(session.step_count(), 20);
}

#[test]
fn a_run_that_diverges_stops_before_the_bad_step_and_names_the_layer() {
    let mut session = session(experiment(|d| {
        d["data"] = json!("sine");
        d["model"] = json!([{ "linear": { "out": 16 } }, { "leaky_relu": {} }, { "linear": { "out": "targets" } }]);
        d["loss"] = json!("mse");
        d["optimizer"] = json!({ "sgd": { "lr": 1000.0 } });
    }));
    steps(&mut session, 2000);
    let told = session.take_events().into_iter().find_map(|m| if let Event::Diverged(d) = m.header { Some(d) } else { None });
    let told = told.unwrap();
    assert_eq!((session.step_count(), session.diverged_at()), (told.step, Some(told.step)));
    assert!(!session.is_running() && told.layer.contains(" #"), "{told:?}");
    assert!(told.why.contains("1000") && told.why.contains("learning rate"), "{}", told.why);
    assert!(ready(session.parameters()).unwrap().iter().all(|(_, _, values)| values.iter().all(|v| v.is_finite())));

    // The weights are those before the bad step: as many good steps taken alone lead to the same.
    let mut again = Session::new(session.experiment().clone(), &Bundled).unwrap();
    steps(&mut again, told.step);
    assert_eq!(bits(&mut again), bits(&mut session));
}

#[test]
fn a_weight_set_by_hand_stays_set() {
    let mut session = session(plain());
    session.set_weight("2.weight", &[0, 5], 0.25).unwrap();
    let weight = ready(session.parameters()).unwrap().into_iter().find(|p| p.0 == "2.weight").unwrap().2;
    assert_eq!(weight[5], 0.25);
    assert!(session.set_weight("2.weight", &[256, 0], 0.0).is_err());
    assert!(session.set_weight("9.weight", &[0, 0], 0.0).is_err());
    assert!(session.set_weight("2.weight", &[0, 0], f32::NAN).is_err());
}

#[test]
fn a_file_that_is_no_snapshot_is_refused_with_a_sentence() {
    let mut whole = session(plain());
    let mut snapshot = ready(whole.snapshot()).unwrap();
    assert!(Session::restore(&snapshot[..snapshot.len() / 2], &Bundled).is_err());
    assert!(Session::restore(b"no tensors at all", &Bundled).is_err());
    snapshot[0] ^= 0xff;
    assert!(Session::restore(&snapshot, &Bundled).is_err());
}

#[test]
fn weights_of_another_model_are_refused_by_name() {
    let mut small = session(plain());
    let snapshot = ready(small.snapshot()).unwrap();
    let mut large = session(experiment(|d| d["model"][2]["linear"]["out"] = json!(20)));
    let error = ready(large.load_weights(&snapshot)).unwrap_err();
    assert_eq!(error.path.as_deref(), Some("2.weight"));
}

#[test]
fn a_file_of_others_is_taken_as_far_as_it_fits_and_what_does_not_is_told() {
    use safetensors::{Dtype, SafeTensors, serialize, tensor::TensorView};
    let mut trained = session(plain());
    steps(&mut trained, 30);
    let saved = ready(trained.weights(false)).unwrap();
    let file = SafeTensors::deserialize(&saved).unwrap();
    let zeros = [0u8; 64];
    let odd = |name: &str, shape: &[usize]| {
        (name.to_string(), TensorView::new(Dtype::F32, shape.to_vec(), &zeros[..4 * shape.iter().product::<usize>()]).unwrap())
    };
    let kept = file.iter().filter(|(name, _)| *name != "0.bias" && *name != "2.bias");
    let kept: Vec<_> = kept.map(|(name, view)| (name.to_string(), view)).collect();
    let all = kept
        .iter()
        .map(|(name, view)| (name.clone(), TensorView::new(view.dtype(), view.shape().to_vec(), view.data()).unwrap()));
    let other = serialize(all.chain([odd("2.bias", &[1, 2]), odd("head.weight", &[3])]), None).unwrap();
    let mut fresh = session(plain());
    let before = ready(fresh.parameters()).unwrap();
    let refused = ready(fresh.load_weights(&other)).unwrap_err();
    assert_eq!(refused.path.as_deref(), Some("0.bias"));
    assert!(refused.message.ends_with("2 more tensors do not fit: 2.bias, head.weight."), "{refused}");
    assert_eq!(ready(fresh.parameters()).unwrap(), before);
    let (taken, refused) = ready(fresh.take_weights(&other)).unwrap();
    let names: Vec<&str> = refused.iter().filter_map(|e| e.path.as_deref()).collect();
    assert_eq!((taken as usize, names), (before.len() - 2, vec!["0.bias", "2.bias", "head.weight"]));
    assert!(refused[0].message.contains("does not hold") && refused[1].message.contains("shape [1,2]"), "{refused:?}");
    assert!(refused[2].message.contains("no tensor of this name"), "{refused:?}");
    let learned = ready(trained.parameters()).unwrap();
    for ((name, _, now), ((_, _, before), (_, _, learned))) in
        ready(fresh.parameters()).unwrap().iter().zip(before.iter().zip(&learned))
    {
        assert_eq!(now, if ["0.bias", "2.bias"].contains(&name.as_str()) { before } else { learned }, "{name}");
    }
}

#[test]
fn a_weight_that_two_layers_share_is_read_under_either_name_and_from_no_file_where_both_differ() {
    use safetensors::{Dtype, SafeTensors, serialize, tensor::TensorView};
    let document = json!({ "data": { "reverse": { "samples": 100 } }, "model": [{ "embedding": { "dim": 2 } }, "tanh",
        { "linear": { "out": "classes", "tied": true } }], "training": { "batch_size": 8 } });
    let tied = || session(Experiment::from_value(&document).unwrap().experiment);
    let mut trained = tied();
    steps(&mut trained, 20);
    let saved = ready(trained.weights(false)).unwrap();
    let file = SafeTensors::deserialize(&saved).unwrap();
    let names: BTreeSet<&str> = file.iter().map(|(name, _)| name).collect();
    assert_eq!(names, BTreeSet::from(["0.weight", "2.bias"]), "a file holds it once");
    let learned = ready(trained.parameters()).unwrap();
    let with = |first: bool, second: Option<&[u8]>| {
        let shared = file.tensor("0.weight").unwrap();
        let view = |data| TensorView::new(Dtype::F32, shared.shape().to_vec(), data).unwrap();
        let kept = file.iter().filter(|(name, _)| first || *name != "0.weight").map(|(name, view)| (name.to_string(), view));
        serialize(kept.chain(second.map(|data| ("2.weight".to_string(), view(data)))), None).unwrap()
    };
    let shared = file.tensor("0.weight").unwrap().data().to_vec();
    for bytes in [saved.clone(), with(true, Some(&shared)), with(false, Some(&shared))] {
        let mut fresh = tied();
        assert_ne!(ready(fresh.parameters()).unwrap(), learned);
        ready(fresh.load_weights(&bytes)).unwrap();
        assert_eq!(ready(fresh.parameters()).unwrap(), learned);
    }
    let other = vec![0; shared.len()];
    let refused = ready(tied().load_weights(&with(true, Some(&other)))).unwrap_err();
    assert_eq!(refused.path.as_deref(), Some("2.weight"));
    assert!(refused.message.contains("the same as `0.weight`"), "{refused}");
    let (taken, refused) = ready(tied().take_weights(&with(true, Some(&other)))).unwrap();
    assert_eq!((taken, refused.len()), (2, 1));
}

#[test]
fn a_state_dict_of_gpt2_is_read_by_its_names() {
    use downhill_model::gpt2;
    use safetensors::{Dtype, SafeTensors, serialize, tensor::TensorView};
    let document = |dim: usize| {
        let block = json!({ "transformer_block": { "num_heads": 2, "causal": true, "activation": "gelu_tanh" } });
        Experiment::from_value(&json!({ "data": { "sort": { "samples": 100 } }, "model": [{ "embedding": { "dim": dim } }, "positions",
            { "repeat": { "times": 2, "body": [block] } }, "layer_norm", { "linear": { "out": "classes", "bias": false, "tied": true } }],
            "training": { "batch_size": 8 } }))
        .unwrap()
        .experiment
    };
    let mut trained = session(document(8));
    steps(&mut trained, 20);
    let learned = ready(trained.parameters()).unwrap();
    let saved = ready(trained.weights(false)).unwrap();
    let file = SafeTensors::deserialize(&saved).unwrap();
    let tensors = gpt2::tensors(trained.checked());
    assert_eq!(tensors.iter().filter(|t| t.transposed).count(), 8, "four matrices of every block");
    // As Hugging Face saves one, and as one without what is around it.
    for prefix in [gpt2::PREFIX, ""] {
        let theirs: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
            .iter()
            .filter_map(|tensor| {
                let name = format!("{prefix}{}", tensor.name);
                let Some(ours) = &tensor.ours else { return Some((name, vec![1], vec![0; 4])) };
                // The embedding once more: it is saved once.
                let view = file.tensor(ours).ok()?;
                let mut shape = view.shape().to_vec();
                let mut data = view.data().to_vec();
                if tensor.transposed {
                    let (rows, columns) = (shape[0], shape[1]);
                    let at = |i: usize| (i % rows * columns + i / rows) * 4;
                    data = (0..rows * columns).flat_map(|i| view.data()[at(i)..at(i) + 4].to_vec()).collect();
                    shape.reverse();
                }
                Some((name, shape, data))
            })
            .collect();
        assert!(theirs.iter().any(|(name, ..)| *name == format!("{prefix}h.1.mlp.c_fc.weight")), "{theirs:?}");
        let views =
            || theirs.iter().map(|(name, shape, data)| (name, TensorView::new(Dtype::F32, shape.clone(), data).unwrap()));
        let bytes = serialize(views(), None).unwrap();
        let mut fresh = session(document(8));
        assert_ne!(ready(fresh.parameters()).unwrap(), learned);
        ready(fresh.load_weights(&bytes)).unwrap();
        assert_eq!(ready(fresh.parameters()).unwrap(), learned);
        // Of another width: a sentence with the place and both shapes.
        let refused = ready(session(document(6)).load_weights(&bytes)).unwrap_err();
        assert_eq!(refused.path.as_deref(), Some("0.weight"));
        assert!(refused.message.contains("[11,8]") && refused.message.contains("[11, 6]"), "{refused}");
    }
}

#[test]
fn weights_of_other_precisions_are_read() {
    use safetensors::{Dtype, SafeTensors, serialize, tensor::TensorView};
    let mut trained = session(plain());
    steps(&mut trained, 30);
    let saved = ready(trained.weights(false)).unwrap();
    let file = SafeTensors::deserialize(&saved).unwrap();
    let floats = |data: &[u8]| data.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect::<Vec<f32>>();
    for (dtype, apart) in [(Dtype::F64, 0.0), (Dtype::BF16, 0.01)] {
        let bytes: Vec<(String, Vec<usize>, Vec<u8>)> = file
            .iter()
            .map(|(name, view)| {
                let of = |v: f32| {
                    if dtype == Dtype::F64 { f64::from(v).to_le_bytes().to_vec() } else { v.to_le_bytes()[2..].to_vec() }
                };
                (name.to_string(), view.shape().to_vec(), floats(view.data()).into_iter().flat_map(of).collect())
            })
            .collect();
        let views =
            bytes.iter().map(|(name, shape, data)| (name.clone(), TensorView::new(dtype, shape.clone(), data).unwrap()));
        let mut fresh = session(plain());
        ready(fresh.load_weights(&serialize(views, None).unwrap())).unwrap();
        for ((name, _, ours), (_, _, theirs)) in
            ready(fresh.parameters()).unwrap().iter().zip(&ready(trained.parameters()).unwrap())
        {
            assert!(ours.iter().zip(theirs).all(|(a, b)| (a - b).abs() <= apart * b.abs()), "{dtype:?} {name}");
        }
    }
}

/// A run of 25 steps that version 1 saved; such files are read for ever.
const SAVED: &[u8] = include_bytes!("fixtures/run.v1.safetensors");

#[test]
fn a_run_that_version_1_saved_goes_on_as_if_it_had_never_stopped() {
    let mut saved = Session::restore(SAVED, &Bundled).unwrap();
    assert_eq!((saved.step_count(), saved.experiment().name.as_str()), (25, "Saved by version 1"));
    // The data is that of then, so that the order of samples goes on too.
    assert!(saved.data().notes.is_empty(), "{:?}", saved.data().notes);
    let mut whole = session(saved.experiment().clone());
    steps(&mut whole, 100);
    steps(&mut saved, 75);
    let (saved, whole) = (ready(saved.parameters()).unwrap(), ready(whole.parameters()).unwrap());
    for ((name, _, saved), (_, _, whole)) in saved.iter().zip(&whole) {
        // Another machine may have rounded the first steps otherwise.
        let apart = saved.iter().zip(whole).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(apart < 1e-4, "{name}: {apart}");
    }
}
