//! Gradients grow from layer to layer on their way back: the first layers leap while the last ones hardly move.

use downhill_protocol::{Level, Verdict};

use super::evidence::Evidence;
use super::fix;
use super::words::{count, number};

/// How many times the gradients of the first layer are as large as those of the last.
const MANY: f64 = 10.0;
/// Share of the loss of guessing below which the network learns all the same.
const GOOD: f64 = 0.9;

pub(super) fn rule(e: &Evidence<'_>) -> Option<Verdict> {
    let layers = e.layers?;
    let [first, .., last] = layers.weights.as_slice() else { return None };
    if layers.weights.len() < 3 || !e.is_enough() || e.level() < GOOD {
        return None;
    }
    let times = first.gradient / last.gradient;
    if !(times >= MANY && first.gradient > 1.0) {
        return None;
    }
    let linear = layers.weights.iter().filter(|w| w.layer == "linear").map(|w| (w.path.as_str(), w.layer));
    Some(Verdict {
        title: "Exploding gradients".to_string(),
        level: Level::Warn,
        sentence: format!(
            "At step {} the gradients of {} were {} times as large as those of {}. They grew from layer to layer on their way back, so every \
             step throws the first layers about.",
            count(layers.step),
            first.title,
            number(times),
            last.title
        ),
        evidence: e.of_gradients(first, last),
        fix: fix::initial_weights(linear),
        ..Verdict::default()
    })
}
