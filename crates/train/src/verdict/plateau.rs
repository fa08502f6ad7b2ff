//! The loss has stopped falling: at what guessing costs, where nothing was learned, or lower, where some was.

use downhill_protocol::{Level, Verdict};

use super::evidence::Evidence;
use super::fix;
use super::words::{count, number, percent};

/// Share of the loss of guessing above which nothing is learned.
const NOTHING: f64 = 0.98;
/// Share above which the network fits too little.
pub(super) const HALF: f64 = 0.5;
/// Share of all steps for which a plateau without a cause has to last to be an alarm.
const LONG: f64 = 0.65;

pub(super) fn rule(e: &Evidence<'_>) -> Option<Verdict> {
    if !e.is_plenty() || e.falls() || e.breaks_through() {
        return None;
    }
    let level = e.level();
    let nothing = level >= NOTHING && e.has_hidden_layers();
    if !nothing && level >= HALF && !e.experiment.loss.leaves_open() {
        return None;
    }
    let since = e.recent().first()?.step;
    // Some runs sit there for a while and then learn, so without a cause it is no alarm for long.
    let penalty = fix::no_penalty(e.experiment).filter(|_| nothing && e.has_collapsed());
    let sentence = if penalty.is_some() {
        format!(
            "Around step {} the loss was {}; guessing costs {}. The penalties on weights pulled all of them to almost zero, so the network gives \
             the same answer to everything.",
            count(e.step),
            number(e.loss()),
            number(e.known.baseline.loss)
        )
    } else if nothing {
        format!(
            "From step {} to {} the loss stayed at {}; guessing costs {}. Nothing was learned in that time.",
            count(since),
            count(e.step),
            number(e.loss()),
            number(e.known.baseline.loss)
        )
    } else {
        format!(
            "From step {} to {} the loss stayed at {}, {} below guessing. That may be all there is to learn from this data.",
            count(since),
            count(e.step),
            number(e.loss()),
            percent(1.0 - level)
        )
    };
    let faster = || fix::rate(e.experiment, 3.0, false).filter(|_| e.rate_is_low());
    Some(Verdict {
        title: "Plateau".to_string(),
        level: if nothing && (e.is_long(LONG) || penalty.is_some()) { Level::Warn } else { Level::Quiet },
        sentence,
        evidence: vec![
            ("loss".to_string(), number(e.loss())),
            e.guessing(),
            ("since step".to_string(), count(since)),
        ],
        fix: if nothing { penalty.or_else(faster) } else { None },
        ..Verdict::default()
    })
}
