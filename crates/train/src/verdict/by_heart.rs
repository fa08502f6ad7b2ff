//! What it learns from it knows, and of what is held out it knows next to nothing, from the beginning: it learns by heart and does not generalise.

use downhill_protocol::{Level, Verdict};

use super::evidence::Evidence;
use super::fix;
use super::words::{count, percent};

/// Accuracy on what is learned from.
const KNOWN: f64 = 0.9;
/// Share of the way from guessing to all right that the accuracy on what is held out may have come.
const LITTLE: f64 = 0.3;
/// Share of the loss of guessing below which the validation loss has never been.
const NEVER: f64 = 0.9;

pub(super) fn rule(e: &Evidence<'_>) -> Option<Verdict> {
    let (right, held_out, guessed) = (e.accuracy()?, e.validation_accuracy()?, e.known.baseline.accuracy?);
    let ever = e.evaluations.iter().filter_map(|e| e.validation).any(|loss| loss < NEVER * e.known.baseline.loss);
    let apart = e.validation()? > 2.0 * e.loss();
    if e.endless || !e.is_enough() || right < KNOWN || held_out > guessed + LITTLE * (1.0 - guessed) || ever || !apart {
        return None;
    }
    Some(Verdict {
        title: "Learned by heart only".to_string(),
        level: Level::Warn,
        sentence: format!(
            "Around step {} it was right on {} of what it learned from and on {} of what was held out, where guessing gives {}. It remembers the \
             samples one by one; with more of them, or with large weights made dear, it may have to find the rule behind them.",
            count(e.step),
            percent(right),
            percent(held_out),
            percent(guessed)
        ),
        evidence: vec![
            ("training accuracy".to_string(), percent(right)),
            ("validation accuracy".to_string(), percent(held_out)),
            ("accuracy of guessing".to_string(), percent(guessed)),
        ],
        fix: fix::stronger_decay(e.experiment),
        ..Verdict::default()
    })
}
