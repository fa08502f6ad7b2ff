//! All steps of the experiment are done, and the loss fell to the last, or there were too few steps to tell.

use downhill_protocol::{Level, Verdict};
use serde_json::json;

use super::evidence::Evidence;
use super::fix;
use super::words::{count, counted, number, pair, percent};

pub(super) fn rule(e: &Evidence<'_>) -> Option<Verdict> {
    if !e.ended {
        return None;
    }
    let steps = e.step;
    let first = e.evaluations.first()?;
    let fell = e.beats_guessing() && e.loss() < first.train;
    let sentence = if fell {
        let [before, after] = pair(first.train, e.loss());
        format!(
            "After {} the loss had fallen from {before} to {after}, {} below guessing, and had not settled.",
            counted(steps, "step"),
            percent(1.0 - e.level())
        )
    } else {
        format!(
            "After {} the loss stood at {}, and guessing costs {}. More steps would show where it goes.",
            counted(steps, "step"),
            number(e.loss()),
            number(e.known.baseline.loss)
        )
    };
    let more = steps.saturating_mul(2);
    let longer = fix::of(format!("Train to step {}", count(more)), &[("training.steps".to_string(), json!(more))], false);
    Some(Verdict {
        title: "Finished".to_string(),
        level: Level::Quiet,
        sentence,
        evidence: vec![
            ("steps".to_string(), count(steps)),
            ("loss".to_string(), number(e.loss())),
            e.guessing(),
        ],
        fix: Some(longer),
        ..Verdict::default()
    })
}
