//! What an experiment says about how it is shown: its pace, its panels, what a teacher hides.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::registry::fields;

fields! {
    /// What the page shows; the engine ignores it.
    #[schemars(title = "View")]
    View {
        /// Steps per second, or "max" for as many as possible.
        #[schemars(title = "Pace")]
        pace: Pace = Pace::Steps(300.0),
        /// Panels that are open, in order; empty is the page's choice.
        #[schemars(title = "Panels", length(max = 32), inner(length(max = 40)))]
        panels: Vec<String> = Vec::new(),
        /// Controls that a teacher takes away.
        #[schemars(title = "Hidden controls", length(max = 64), inner(length(max = 40)))]
        hide: Vec<String> = Vec::new(),
    }
}

/// Steps per second that an experiment may ask for: the slowest and the fastest.
const SLOWEST: f64 = 0.1;
const FASTEST: f64 = 1_000_000.0;

/// How fast training goes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Pace {
    /// Steps per second.
    Steps(#[schemars(range(min = SLOWEST, max = FASTEST))] f64),
    /// As fast as the machine can.
    Max(Max),
}

/// The word `"max"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Max {
    /// As fast as the machine can.
    Max,
}

impl Pace {
    /// As fast as the machine can.
    pub const MAX: Pace = Pace::Max(Max::Max);

    /// The nearest pace that an experiment may ask for; `None`, and what is no number, is as fast as the machine can.
    pub fn nearest(steps_per_second: Option<f64>) -> Pace {
        match steps_per_second {
            Some(steps) if !steps.is_nan() => Pace::Steps(steps.clamp(SLOWEST, FASTEST)),
            _ => Pace::MAX,
        }
    }

    /// Steps per second; `None` is as many as possible.
    pub fn steps_per_second(self) -> Option<f64> {
        match self {
            Pace::Steps(steps) => Some(steps),
            Pace::Max(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Experiment;

    #[test]
    fn any_pace_has_a_nearest_one_that_an_experiment_may_ask_for() {
        for asked in [1e-300, -5.0, 0.0, 7.5, 1e300, f64::INFINITY, f64::NAN] {
            let pace = Pace::nearest(Some(asked));
            let document = json!({ "data": "spirals", "model": ["tanh"], "view": { "pace": pace } });
            assert_eq!(Experiment::from_value(&document).unwrap().experiment.view.pace, pace, "{asked}");
        }
        assert_eq!((Pace::nearest(Some(7.5)), Pace::nearest(None)), (Pace::Steps(7.5), Pace::MAX));
    }
}
