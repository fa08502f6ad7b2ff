//! Gradients shrink from layer to layer on their way back: the first layers hardly learn.

use downhill_protocol::{Level, Verdict};

use super::evidence::Evidence;
use super::fix;
use super::words::count;

/// Share of the last layer's gradients that the first one's have to fall below.
const FEW: f64 = 2e-3;
/// Share of the loss of guessing below which the network learns all the same.
const GOOD: f64 = 0.9;

pub(super) fn rule(e: &Evidence<'_>) -> Option<Verdict> {
    let layers = e.layers?;
    let [first, .., last] = layers.weights.as_slice() else { return None };
    if layers.weights.len() < 3 || !e.is_enough() || e.level() < GOOD || e.falls() || e.breaks_through() || e.has_collapsed() {
        return None;
    }
    let share = first.gradient / last.gradient;
    if share.is_nan() || share >= FEW {
        return None;
    }
    // Those with bounds, as tanh and sigmoid, are what makes gradients shrink.
    let shrinking = layers.units.iter().filter(|u| u.bounded);
    Some(Verdict {
        title: "Vanishing gradients".to_string(),
        level: Level::Warn,
        sentence: format!(
            "At step {} the gradients of {} were {} of those of {}. They shrank from layer to layer on their way back, so the first layers \
             hardly learn.",
            count(layers.step),
            first.title,
            if share > 0.0 { format!("1/{}", count((1.0 / share) as u64)) } else { "nothing".to_string() },
            last.title
        ),
        evidence: e.of_gradients(first, last),
        fix: fix::activation(shrinking.map(|u| u.path.as_str()), "relu"),
        ..Verdict::default()
    })
}
