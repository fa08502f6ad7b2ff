//! The loss is below what guessing costs and has fallen: as it should be.

use downhill_protocol::{Level, Verdict};

use super::evidence::Evidence;
use super::words::{count, number, pair, percent};

pub(super) fn rule(e: &Evidence<'_>) -> Option<Verdict> {
    let (from, to) = (e.recent().first()?, e.evaluations.last()?);
    let first = e.evaluations.first()?;
    if !e.is_enough() || !e.beats_guessing() || !(e.falls() || e.loss() < 0.98 * first.train) {
        return None;
    }
    // Where the last half alone does not show it, the whole way does.
    let from = if from.train > e.loss() { from } else { first };
    let mut evidence = vec![("loss".to_string(), number(e.loss()))];
    evidence.extend(e.validation().map(|loss| ("validation loss".to_string(), number(loss))));
    evidence.push(e.guessing());
    let [before, after] = pair(from.train, e.loss());
    Some(Verdict {
        title: "Learning".to_string(),
        level: Level::Good,
        sentence: format!(
            "From step {} to {} the loss fell from {before} to {after}, {} below guessing.",
            count(from.step),
            count(to.step),
            percent(1.0 - e.level())
        ),
        evidence,
        ..Verdict::default()
    })
}
