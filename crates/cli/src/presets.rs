//! `downhill presets`: lists the presets, prints one, or trains them to what they are said to come to.

use std::time::Instant;

use downhill_data::Bundled;
use downhill_model::Experiment;
use downhill_model::presets::{self, Preset, Reaches};
use downhill_tensor::UserError;
use downhill_train::{Session, ready};

use crate::document::say;

/// Lists the presets, or prints the one of this name; with `train` trains it, or all of them.
///
/// # Errors
/// When there is no such preset, or one does not come to what it is said to.
pub fn run(name: Option<&str>, train: bool) -> Result<(), UserError> {
    let chosen = name.map(find).transpose()?;
    match chosen {
        _ if train => trained(chosen.map_or(presets::all(), std::slice::from_ref)),
        None => {
            presets::all().iter().for_each(|p| say(&format!("{:14} {}: {}", p.id, p.title, p.description)));
            Ok(())
        }
        Some(preset) => {
            say(preset.json.trim_end());
            Ok(())
        }
    }
}

fn find(name: &str) -> Result<&'static Preset, UserError> {
    presets::find(name).ok_or_else(|| {
        let known: Vec<&str> = presets::all().iter().map(|p| p.id).collect();
        UserError::new(format!("There is no preset `{name}`.")).hint(format!("There are {}.", known.join(", ")))
    })
}

/// Trains presets to their end, a line each.
fn trained(presets: &[Preset]) -> Result<(), UserError> {
    let mut missed = Vec::new();
    for preset in presets {
        let start = Instant::now();
        let (found, reached) = reached(preset)?;
        let mark = if reached { "" } else { "  missed" };
        say(&format!(
            "{:16} {:6.1} s  {found}, stated {}{mark}",
            preset.id,
            start.elapsed().as_secs_f64(),
            stated(preset.reaches)
        ));
        missed.extend((!reached).then_some(preset.id));
    }
    if missed.is_empty() {
        return Ok(());
    }
    Err(UserError::new(format!("Not all of them come to what is stated: {}.", missed.join(", "))))
}

/// What a preset comes to, and whether that is what is stated.
fn reached(preset: &Preset) -> Result<(String, bool), UserError> {
    let experiment = Experiment::parse(preset.json)?.experiment;
    let steps = experiment.training.steps.unwrap_or_default();
    let mut session = Session::new(experiment, &Bundled)?;
    // A run that is started keeps the pace of its document and rests between two steps; what was asked for by number is done at once.
    session.step(steps);
    ready(session.run_until_rest())?;
    let metric = |name: &str| session.metrics().iter().find(|(known, _)| known == name).map_or(f64::NAN, |(_, value)| *value);
    Ok(match preset.reaches {
        Reaches::AtLeast(name, least) => (format!("{name} {:.4}", metric(name)), metric(name) >= least),
        Reaches::AtMost(name, most) => (format!("{name} {:.4}", metric(name)), metric(name) <= most),
        Reaches::Verdict(name) => {
            let verdict = session.verdict().name;
            (format!("verdict {verdict}"), verdict == name)
        }
    })
}

fn stated(reaches: Reaches) -> String {
    match reaches {
        Reaches::AtLeast(_, least) => format!("at least {least}"),
        Reaches::AtMost(_, most) => format!("at most {most}"),
        Reaches::Verdict(name) => name.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preset_with_a_slow_pace_is_trained_to_its_end() {
        let json = r#"{ "version": 1, "data": "circles", "optimizer": { "adam": { "lr": 0.03 } }, "training": { "steps": 300 },
            "model": [{ "linear": { "out": 8 } }, "tanh", { "linear": { "out": "classes" } }], "view": { "pace": 1 } }"#;
        let preset = Preset { reaches: Reaches::AtLeast("validation_accuracy", 0.9), json, ..presets::all()[0] };
        assert_eq!(reached(&preset).map(|(_, reached)| reached), Ok(true));
    }
}
