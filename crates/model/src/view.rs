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

/// How fast training goes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Pace {
    /// Steps per second.
    Steps(#[schemars(range(min = 0.1, max = 1000000.0))] f64),
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

    /// Steps per second; `None` is as many as possible.
    pub fn steps_per_second(self) -> Option<f64> {
        match self {
            Pace::Steps(steps) => Some(steps),
            Pace::Max(_) => None,
        }
    }
}
