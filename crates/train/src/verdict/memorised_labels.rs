//! Labels that are known to be wrong are given as they were learned: they follow from nothing, so they were learned by heart.

use downhill_protocol::{Level, Verdict};

use super::evidence::Evidence;
use super::fix;
use super::words::{count, percent};

/// Share of the wrong labels that has to be given as it was learned.
const MANY: f64 = 0.25;

pub(super) fn rule(e: &Evidence<'_>) -> Option<Verdict> {
    let (wrong, right, held_out) = (e.known.label_noise, e.accuracy()?, e.validation_accuracy()?);
    if wrong <= 0.0 || e.endless || !e.is_enough() {
        return None;
    }
    // Who knows the truth and nothing else is right on all labels but the wrong ones.
    let by_heart = (right - (1.0 - wrong)) / wrong;
    if by_heart < MANY || held_out >= right {
        return None;
    }
    Some(Verdict {
        title: "Wrong labels by heart".to_string(),
        level: Level::Warn,
        sentence: e.counting(format!(
            "{} of the labels to learn from are wrong, and who knows only the truth is right on {}. Around step {} it was right on {}: at least {} of \
             the wrong labels were learned by heart, and of the samples held out {} were right.",
            percent(wrong),
            percent(1.0 - wrong),
            count(e.step),
            percent(right),
            percent(by_heart.min(1.0)),
            percent(held_out)
        )),
        evidence: vec![
            ("wrong labels".to_string(), percent(wrong)),
            ("training accuracy".to_string(), percent(right)),
            ("validation accuracy".to_string(), percent(held_out)),
        ],
        fix: fix::stronger_decay(e.experiment),
        ..Verdict::default()
    })
}
