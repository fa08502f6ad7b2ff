//! The loss falls steadily, but so little that it would take far too long: the learning rate is too low.

use downhill_protocol::{Level, Verdict};

use super::evidence::Evidence;
use super::fix;
use super::words::{count, number};

/// Share of the loss of guessing above which a run can be called slow.
const HIGH: f64 = 0.6;
/// Share of moves that go up at most where a loss falls steadily.
const UPS: f64 = 0.4;
/// How many times the steps taken so far it may take to get down to half of guessing.
const PATIENCE: f64 = 3.0;
/// The least fall that is one, relative to the loss.
const LEAST: f64 = 1e-6;

pub(super) fn rule(e: &Evidence<'_>) -> Option<Verdict> {
    // Half of guessing may be out of reach.
    if e.experiment.loss.leaves_open() || !e.is_plenty() || e.level() < HIGH || e.rate_is_held_down() || !e.rate_is_low() {
        return None;
    }
    let recent = e.recent();
    let (ups, _) = Evidence::moves(recent);
    let moves = recent.len().saturating_sub(1).max(1);
    let (before, after) = e.before_and_after();
    let steps = recent.last()?.step - recent.first()?.step;
    // Before and after are each the middle of a third, two thirds of the steps apart.
    let pace = (before - after) / (steps as f64 * 2.0 / 3.0).max(1.0);
    let wanted = after - 0.5 * e.known.baseline.loss;
    let needed = wanted / pace;
    let steady = (ups as f64) < UPS * moves as f64 && before - after > LEAST * before;
    if !steady || needed < PATIENCE * (e.age() as f64).max(1.0) {
        return None;
    }
    let factor = if needed > 30.0 * e.age() as f64 { 10.0 } else { 3.0 };
    Some(Verdict {
        title: "Creeping".to_string(),
        level: Level::Warn,
        sentence: format!(
            "The loss fell by {} in {} steps, to {}. At that pace it takes {} steps more to get to half of what guessing costs ({}): the \
             learning rate of {} is too low.",
            number(before - after),
            count((steps as f64 * 2.0 / 3.0) as u64),
            number(after),
            count(needed.min(1e12) as u64),
            number(e.known.baseline.loss),
            number(e.lr)
        ),
        evidence: vec![
            ("loss".to_string(), number(e.loss())),
            e.guessing(),
            ("fall in 1,000 steps".to_string(), number(1000.0 * pace)),
            ("learning rate".to_string(), number(e.lr)),
        ],
        fix: fix::rate(e.experiment, factor, false),
        ..Verdict::default()
    })
}
