//! The numbers ran away: the run stopped before the step whose loss or gradients were not finite.

use downhill_protocol::{Level, Verdict};

use super::evidence::Evidence;
use super::fix;
use super::words::{count, number};

pub(super) fn rule(e: &Evidence<'_>) -> Option<Verdict> {
    let why = e.divergence?;
    let evidence = vec![
        ("step".to_string(), count(why.step)),
        ("layer".to_string(), why.layer.clone()),
        ("learning rate".to_string(), number(e.lr)),
    ];
    Some(Verdict {
        title: "Diverged".to_string(),
        level: Level::Bad,
        sentence: why.why.clone(),
        evidence,
        fix: fix::rate(e.experiment, 0.1, true),
        ..Verdict::default()
    })
}
