//! The loss is what the data cost whoever knows how they are made: nothing is left to learn.

use downhill_protocol::{Level, Verdict};

use super::evidence::Evidence;
use super::words::{count, number};

/// How far above the floor the losses may lie, as a share of it.
const NEAR: f64 = 0.03;

pub(super) fn rule(e: &Evidence<'_>) -> Option<Verdict> {
    let floor = e.known.floor?;
    let near = |loss: f64| loss <= (1.0 + NEAR) * floor;
    if !e.is_enough() || !near(e.loss()) || !e.validation().is_none_or(near) || !e.beats_guessing() {
        return None;
    }
    let loss = e.validation().unwrap_or(e.loss());
    Some(Verdict {
        title: "At the floor".to_string(),
        level: Level::Good,
        sentence: format!(
            "Around step {} the loss was {}, and whoever knows how the data are made loses {}. What is left is chance; there is nothing more to learn.",
            count(e.step),
            number(loss),
            number(floor)
        ),
        evidence: vec![
            ("loss".to_string(), number(e.loss())),
            ("floor".to_string(), number(floor)),
            e.guessing(),
        ],
        ..Verdict::default()
    })
}
