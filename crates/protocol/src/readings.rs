//! How a run is doing, as scripts read it.

use schemars::JsonSchema;
use serde::Serialize;

/// How a run is doing.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Readings {
    /// Steps taken.
    pub step: f64,
    /// Samples seen, in epochs.
    pub epoch: f64,
    /// Loss of the last recorded step; NaN before the first.
    pub loss: f64,
    /// Steps per second over the last second.
    pub steps_per_second: f64,
    /// Whether it trains.
    pub running: bool,
    /// Number of the run: counts up whenever one begins at step 0.
    pub run: u32,
    /// Learning rate of the last step.
    pub lr: f64,
}
