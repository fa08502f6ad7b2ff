//! A sequence model is right as often as who always says the most frequent token, and has stopped getting better.

use downhill_protocol::{Level, Verdict};

use super::evidence::Evidence;
use super::fix;
use super::words::{count, number, percent};

/// How much more often the answer may be right.
const NEAR: f64 = 0.01;
/// Share of the loss of guessing above which nothing is learned.
const NOTHING: f64 = 0.95;

pub(super) fn rule(e: &Evidence<'_>) -> Option<Verdict> {
    let (accuracy, guessed) = (e.validation_accuracy().or(e.accuracy())?, e.known.baseline.accuracy?);
    let stuck = e.is_plenty() && !e.falls() && !e.breaks_through() && e.level() >= NOTHING;
    if e.known.last_token.is_none() || !stuck || accuracy > guessed + NEAR {
        return None;
    }
    Some(Verdict {
        title: "Most frequent token only".to_string(),
        level: Level::Warn,
        sentence: format!(
            "Around step {} it was right on {} of the tokens, and who always says the most frequent one is right on {}. The loss stayed at {}, where \
             the shares of the tokens alone cost {}: nothing of what comes before is used.",
            count(e.step),
            percent(accuracy),
            percent(guessed),
            number(e.loss()),
            number(e.known.baseline.loss)
        ),
        evidence: vec![
            ("accuracy".to_string(), percent(accuracy)),
            ("most frequent token".to_string(), percent(guessed)),
            ("loss".to_string(), number(e.loss())),
            e.guessing(),
        ],
        fix: fix::context(e.experiment),
        ..Verdict::default()
    })
}
