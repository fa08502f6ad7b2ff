//! The loss has stopped falling and is still high on what is learned from: the network, or what it is shown, is too simple for the task.

use downhill_protocol::{Level, Verdict};

use super::evidence::Evidence;
use super::fix;
use super::plateau::HALF;
use super::words::{count, number, percent};

/// Fall over the second half of the evaluations, relative to the loss, that says that it is not over.
const SLOPE: f64 = 0.005;
/// Share of all steps for which it has to last.
const LONG: f64 = 0.3;

pub(super) fn rule(e: &Evidence<'_>) -> Option<Verdict> {
    if e.experiment.loss.leaves_open() || !e.is_plenty() || e.falls() || e.breaks_through() || e.level() < HALF {
        return None;
    }
    // A network that bends can sit on a plateau, where the loss falls slowly, and learn all the same; one that cannot has given what it can.
    let (before, after) = e.before_and_after();
    if e.has_hidden_layers() && (!e.is_long(LONG) || before - after > SLOPE * before) {
        return None;
    }
    let since = e.recent().first()?.step;
    let right = e.accuracy().map_or_else(String::new, |a| format!(" It was right on {} of them.", percent(a)));
    Some(Verdict {
        title: "Underfitting".to_string(),
        level: Level::Warn,
        sentence: e.counting(format!(
            "From step {} to {} the loss on the samples it learns from stayed at {}, where guessing costs {}.{right} The network cannot tell \
             them apart well enough: it needs more units, another layer or better features.",
            count(since),
            count(e.step),
            number(e.loss()),
            number(e.known.baseline.loss)
        )),
        evidence: vec![
            ("loss".to_string(), number(e.loss())),
            e.guessing(),
            ("since step".to_string(), count(since)),
        ],
        fix: fix::larger(e.experiment),
        ..Verdict::default()
    })
}
