//! Gradients shrink from step to step of a sequence on their way back: what came early cannot be learned from.

use downhill_protocol::{Level, Verdict};

use super::evidence::Evidence;
use super::fix;
use super::words::{count, number};

/// Share of the last step's gradient that the first one's has to fall below.
const FEW: f64 = 1e-4;
/// Share of the loss of guessing below which the network learns all the same.
const GOOD: f64 = 0.9;
/// Share of all steps for which it has to last, without gates and with them: gates can learn to stay open.
const LONG: (f64, f64) = (0.3, 0.65);

pub(super) fn rule(e: &Evidence<'_>) -> Option<Verdict> {
    let found = e.layers?.over_time.as_ref()?;
    if found.share.is_nan() || found.share >= FEW || !e.is_plenty() || !e.is_long(if found.gated { LONG.1 } else { LONG.0 }) || e.level() < GOOD || e.falls() || e.breaks_through() {
        return None;
    }
    Some(Verdict {
        title: "Gradients fade over time".to_string(),
        level: Level::Warn,
        sentence: format!(
            "At step {} the gradient that reached the first of {} steps through {} was {} times that at the last. What comes early in a sequence \
             can hardly be learned from.",
            count(e.step),
            found.steps,
            found.title,
            number(found.share)
        ),
        evidence: vec![
            ("layer".to_string(), found.title.clone()),
            ("first step beside the last".to_string(), number(found.share)),
            ("loss".to_string(), number(e.loss())),
            e.guessing(),
        ],
        fix: fix::more_memory(e.experiment),
        ..Verdict::default()
    })
}
