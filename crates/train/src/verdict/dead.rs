//! Most units of a layer, or most filters of a convolution, give nothing for any sample: no gradient reaches what is behind them, so they stay that way.

use downhill_protocol::{Level, Verdict};

use super::evidence::Evidence;
use super::fix;
use super::words::{count, number, percent};

/// Share of the units of a layer that have to be dead.
const MANY: f64 = 0.7;
/// Share of the loss of guessing below which the network does without them.
const GOOD: f64 = 0.5;

pub(super) fn rule(e: &Evidence<'_>) -> Option<Verdict> {
    let layers = e.layers?;
    let share = |dead: usize, count: usize| dead as f64 / count.max(1) as f64;
    let found = layers.units.iter().find(|u| share(u.dead, u.count) >= MANY)?;
    // Where all of them are, the answer is the same for everything, however the loss moves.
    let all = found.dead == found.count;
    if !e.is_enough() || e.level() < GOOD || (!all && (e.falls() || e.breaks_through())) {
        return None;
    }
    // Behind the first dead layer others may be alive on their biases alone; those that are dead too are mended with it.
    let dead = layers.units.iter().filter(|u| share(u.dead, u.count) >= MANY && !u.bounded);
    let mended = || fix::activation(dead.map(|u| u.path.as_str()), "leaky_relu").or_else(|| fix::rate(e.experiment, 0.1, true));
    // Where it was the rate that threw them there, it throws units of any kind; and what was thrown does not come back.
    let thrown = e.rate_is_high();
    let cause = if thrown {
        format!(" A learning rate of {} throws them there in a few steps.", number(e.experiment.optimizer.lr()))
    } else {
        String::new()
    };
    Some(Verdict {
        title: format!("Dead {}", found.what),
        level: Level::Warn,
        sentence: format!(
            "At step {} {} of the {} {} of {} gave 0 for every one of {} samples. No gradient passes through where 0 is given, so they have \
             stopped learning.{cause}",
            count(layers.step),
            found.dead,
            found.count,
            found.what,
            found.title,
            layers.samples
        ),
        evidence: vec![
            ("layer".to_string(), found.title.clone()),
            ("dead".to_string(), percent(share(found.dead, found.count))),
            ("loss".to_string(), number(e.loss())),
            e.guessing(),
        ],
        fix: if thrown { fix::rate_as_usual(e.experiment) } else { mended() },
        ..Verdict::default()
    })
}
