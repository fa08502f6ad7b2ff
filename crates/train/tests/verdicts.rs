//! Whole runs and what is said of them: healthy ones are never warned of, and what ails a sick one is named within a third of its steps.
//! Their experiments stand in `verdicts/`; what a sick one ails from is its file's name up to the dashes.

#![allow(clippy::unwrap_used, reason = "a helper that cannot go on has failed its test")]

use std::path::{Path, PathBuf};

use downhill_data::Bundled;
use downhill_model::{Experiment, presets};
use downhill_protocol::{Level, Verdict};
use downhill_train::{Edited, Session, ready};

/// The experiments of a folder, in the order of their names.
fn documents(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verdicts").join(folder);
    let mut found: Vec<PathBuf> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    assert!(found.len() >= 12, "only {} experiments", found.len());
    found
}

fn name(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}

fn experiment(path: &Path) -> Experiment {
    Experiment::parse(&std::fs::read_to_string(path).unwrap()).unwrap().experiment
}

fn sick(name: &str) -> Experiment {
    experiment(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verdicts/sick").join(name).with_extension("json"))
}

/// Trains up to a step, or as far as its numbers are finite; gives what is said at every evaluation.
fn verdicts(session: &mut Session, until: u64) -> Vec<Verdict> {
    let every = session.experiment().training.eval_every;
    let mut found = Vec::new();
    while session.step_count() < until && session.diverged_at().is_none() {
        session.step(every.min(until - session.step_count()));
        ready(session.run_until_rest()).unwrap();
        found.push(session.verdict());
    }
    found
}

fn session(experiment: Experiment) -> Session {
    Session::new(experiment, &Bundled).unwrap()
}

/// The names in the order in which they came, with the step of each change.
fn story(found: &[Verdict]) -> String {
    let mut changes: Vec<&Verdict> = found.iter().collect();
    changes.dedup_by_key(|v| &v.name);
    changes.iter().map(|v| format!("{} from step {}", v.name, v.step)).collect::<Vec<_>>().join(", ")
}

#[test]
fn nothing_is_said_against_a_healthy_run_after_a_tenth_of_it() {
    let preset = |id: &str| (id.to_string(), Experiment::parse(presets::find(id).unwrap().json).unwrap().experiment);
    let documents = documents("healthy").into_iter().map(|path| (name(&path), experiment(&path)));
    for (name, experiment) in documents.chain(["lenet", "parity"].map(preset)) {
        let steps = experiment.training.steps.unwrap();
        let found = verdicts(&mut session(experiment), steps);
        let alarm = found.iter().find(|v| v.step > steps / 10 && v.level.is_alarm());
        assert!(alarm.is_none(), "{name}: {}\n{alarm:?}", story(&found));
        let last = found.last().unwrap();
        assert!(["learned", "finished"].contains(&last.name.as_str()), "{name}: {}", story(&found));
    }
}

#[test]
fn what_ails_a_sick_run_is_named_within_a_third_of_it_and_a_change_offered() {
    for path in documents("sick") {
        let name = name(&path);
        let (expected, _) = name.split_once("--").unwrap();
        let experiment = experiment(&path);
        let third = experiment.training.steps.unwrap() / 3;
        let found = verdicts(&mut session(experiment), third);
        let last = found.last().unwrap();
        assert_eq!(last.name, expected, "{name}: {}", story(&found));
        assert!(last.level.is_alarm() && last.fix.is_some() && !last.evidence.is_empty(), "{name}: {last:?}");
        // Whether guessing is a loss or a share is said, and is what stands there.
        for (what, value) in found.iter().flat_map(|v| &v.evidence).filter(|(what, _)| what.contains("guessing")) {
            let named = if value.ends_with('%') { "accuracy of guessing" } else { "loss of guessing" };
            assert_eq!(what, named, "{name}: {value}");
        }
    }
}

#[test]
fn no_run_is_called_healthy_where_guessing_does_as_well() {
    for path in documents("sick").into_iter().chain(documents("healthy")) {
        let experiment = experiment(&path);
        let mut session = session(experiment);
        let every = session.experiment().training.eval_every;
        while session.step_count() < 1000 && session.diverged_at().is_none() {
            let until = session.step_count() + every;
            let verdict = verdicts(&mut session, until).pop().unwrap();
            let loss = session.metrics().iter().find(|(name, _)| name == "train_loss").map_or(f64::NAN, |(_, loss)| *loss);
            let guessing = verdict.evidence.iter().find(|(what, _)| what == "loss of guessing");
            let Some(guessing) = guessing.filter(|_| verdict.level == Level::Good) else { continue };
            // A single evaluation may jump; what counts is that of late.
            let of_late: f64 = verdict.evidence.iter().find(|(what, _)| what == "loss").unwrap().1.parse().unwrap();
            assert!(of_late < guessing.1.parse().unwrap(), "{}: {verdict:?}, {loss} now", name(&path));
        }
    }
}

/// Trains with the change that was offered; gives what is said at the end.
fn after_its_fix(name: &str, before: u64, more: u64) -> (Verdict, Vec<Verdict>) {
    let mut session = session(sick(name));
    let found = verdicts(&mut session, before).pop().unwrap();
    let mut document = session.experiment().to_full_value();
    let fix = found.fix.clone().unwrap();
    for (path, value) in &fix.changes {
        let pointer = format!("/{}", path.replace(['.', '['], "/").replace(']', ""));
        *document.pointer_mut(&pointer).unwrap() = serde_json::from_str(value).unwrap();
    }
    let new = Experiment::from_value(&document).unwrap().experiment;
    let edited = ready(session.edit(new, &Bundled, fix.fresh)).unwrap();
    // The only layer of a linear model has other shapes behind a hidden one: nothing of it goes on.
    assert_eq!(edited == Edited::Fresh, fix.fresh || name == "underfitting--linear_circles", "{name}");
    let until = session.step_count() + more;
    (found, verdicts(&mut session, until))
}

#[test]
fn a_change_that_is_offered_mends_the_run_and_takes_the_verdict_back_at_once() {
    let mended = [
        ("creeping--adam_a_thousandth_on_spirals", 2000, 2000),
        ("vanishing--eight_sigmoids", 1000, 2000),
        ("alike--zeros", 1000, 1000),
        ("plateau--weight_decay", 1000, 1000),
        ("underfitting--linear_circles", 1000, 2000),
        ("diverged--sgd_on_sine", 1000, 1000),
        ("dead--filters_thrown_by_adam", 500, 500),
    ];
    let families = [
        ("context_unused--tales_without_attention", 600, 400),
        ("same_heads--window_of_one", 600, 400),
        ("small_batches--two_samples", 800, 1200),
    ];
    for (name, before, more) in mended.into_iter().chain(families) {
        let (found, after) = after_its_fix(name, before, more);
        assert_ne!(after[0].name, found.name, "{name}: what was changed does not show yet");
        if name.starts_with("diverged") {
            continue;
        }
        let last = after.last().unwrap();
        assert_eq!(last.level, Level::Good, "{name}: {found:?}\n{}", story(&after));
    }
}

#[test]
fn units_that_a_rate_has_thrown_away_are_offered_another_rate_and_not_another_activation() {
    for name in ["dead--filters_thrown_by_adam", "dead--relu_thrown_by_adam"] {
        let found = verdicts(&mut session(sick(name)), 1000).pop().unwrap();
        let fix = found.fix.unwrap();
        assert_eq!(fix.changes, [("optimizer.adam.lr".to_string(), "0.005".to_string())], "{name}");
        assert!(fix.fresh && found.sentence.contains("A learning rate of"), "{name}: {}", found.sentence);
    }
}

#[test]
fn the_end_is_told_as_such_and_a_training_loss_of_nothing_still_overfits() {
    let mut experiment = experiment(&documents("healthy").into_iter().find(|path| name(path) == "moons_gelu_adamw").unwrap());
    experiment.training.steps = Some(300);
    let mut run = session(experiment);
    let found = verdicts(&mut run, 300);
    assert_eq!(found[found.len() - 2].name, "learning", "{}", story(&found));
    let last = found.last().unwrap();
    assert_eq!(last.name, "finished", "{}", story(&found));
    assert!(last.sentence.starts_with("After 300 steps the loss had fallen from"), "{}", last.sentence);
    // Twice the steps are offered, and with them it goes on.
    let fix = last.fix.as_ref().unwrap();
    assert_eq!(fix.changes, [("training.steps".to_string(), "600".to_string())]);
    let mut by_heart = session(sick("overfitting--few_moons"));
    assert!(verdicts(&mut by_heart, 3000).iter().skip(10).all(|v| v.name == "overfitting"));
}
