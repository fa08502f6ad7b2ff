//! All units of a hidden layer have the same weights: they get the same gradients and stay the same, so the layer is one unit wide.

use downhill_protocol::{Level, Verdict};

use super::evidence::Evidence;
use super::fix;
use super::words::{count, number};

/// Share of the loss of guessing below which the network does without the units that are lost.
const GOOD: f64 = 0.5;

pub(super) fn rule(e: &Evidence<'_>) -> Option<Verdict> {
    let layers = e.layers?;
    let (_, hidden) = layers.weights.split_last()?;
    let found = hidden.iter().find(|w| w.alike)?;
    if !e.is_enough() || e.level() < GOOD {
        return None;
    }
    let alike = layers.weights.iter().filter(|w| w.alike);
    Some(Verdict {
        title: "All units alike".to_string(),
        level: Level::Warn,
        sentence: format!(
            "At step {} all {} units of {} had the same weights. They get the same gradients too, so they can do no more than one unit.",
            count(layers.step),
            found.units,
            found.title
        ),
        evidence: vec![
            ("layer".to_string(), found.title.clone()),
            ("units alike".to_string(), format!("{0} of {0}", found.units)),
            ("loss".to_string(), number(e.loss())),
            e.guessing(),
        ],
        fix: fix::initial_weights(alike.map(|w| (w.path.as_str(), w.layer))),
        ..Verdict::default()
    })
}
