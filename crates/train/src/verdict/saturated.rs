//! A bounded activation gives almost nothing but its smallest and largest value: it is flat there, so hardly any gradient passes.

use downhill_protocol::{Level, Verdict};

use super::evidence::Evidence;
use super::fix;
use super::words::{count, number, percent};

/// Share of the numbers that have to lie at a flat end.
const MANY: f64 = 0.8;
/// Share of the loss of guessing below which the network learns all the same.
const GOOD: f64 = 0.85;

pub(super) fn rule(e: &Evidence<'_>) -> Option<Verdict> {
    let layers = e.layers?;
    let found = layers.units.iter().find(|u| u.saturated >= MANY)?;
    if !e.is_enough() || e.level() < GOOD || e.falls() || e.breaks_through() {
        return None;
    }
    let linear = layers.weights.iter().filter(|w| w.layer == "linear").map(|w| (w.path.as_str(), w.layer));
    let redrawn = fix::initial_weights(linear).filter(|_| drawn_wide(e));
    Some(Verdict {
        title: "Saturated units".to_string(),
        level: Level::Warn,
        sentence: format!(
            "At step {} {} of what {} gave lay within 1\u{a0}% of the ends of its range. It is flat there, so hardly any gradient passes and \
             what is behind it cannot learn.",
            count(layers.step),
            percent(found.saturated),
            found.title
        ),
        evidence: vec![
            ("layer".to_string(), found.title.clone()),
            ("saturated".to_string(), percent(found.saturated)),
            ("loss".to_string(), number(e.loss())),
            e.guessing(),
        ],
        fix: redrawn.or_else(|| if e.rate_is_high() { fix::rate_as_usual(e.experiment) } else { fix::rate(e.experiment, 0.1, true) }),
        ..Verdict::default()
    })
}

/// Whether some initial weights are drawn from a width that was chosen by hand.
fn drawn_wide(e: &Evidence<'_>) -> bool {
    e.experiment.model.iter().map(|layer| layer.to_value().to_string()).any(|text| text.contains("\"normal\"") || text.contains("\"uniform\""))
}
