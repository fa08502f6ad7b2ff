//! The heads of an attention all look at the same: they can do no more than one head.

use downhill_protocol::{Level, Verdict};

use super::evidence::Evidence;
use super::fix;
use super::words::{count, number, percent};

/// Share of a head's weights that may lie elsewhere in another.
const SAME: f64 = 0.02;
/// Share of the loss of guessing below which the network does with one.
const GOOD: f64 = 0.5;

pub(super) fn rule(e: &Evidence<'_>) -> Option<Verdict> {
    let layers = e.layers?;
    let found = layers.heads.iter().find(|heads| heads.count > 1 && heads.apart <= SAME)?;
    if !e.is_plenty() || e.level() < GOOD || e.falls() || e.breaks_through() {
        return None;
    }
    Some(Verdict {
        title: "Heads all alike".to_string(),
        level: Level::Warn,
        sentence: format!(
            "At step {} the {} heads of {} looked at the same: no two of them differed in more than {} of their attention. They can do no more \
             than one.",
            count(layers.step),
            found.count,
            found.title,
            percent(found.apart)
        ),
        evidence: vec![
            ("layer".to_string(), found.title.clone()),
            ("heads".to_string(), count(found.count as u64)),
            ("largest difference".to_string(), percent(found.apart)),
            ("loss".to_string(), number(e.loss())),
            e.guessing(),
        ],
        fix: fix::no_windows(e.experiment).or_else(|| fix::rate(e.experiment, 3.0, false)),
        ..Verdict::default()
    })
}
