//! How a run is doing, in words: what the rules of the worker found, the numbers that show it, and a change that may help.

use serde::{Deserialize, Serialize};

/// How good or bad the news is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Level {
    /// As it should be.
    Good,
    /// Neither good nor bad.
    #[default]
    Quiet,
    /// Something is wrong, and a change may help.
    Warn,
    /// The run stopped.
    Bad,
}

impl Level {
    /// Whether it says that something is wrong.
    pub fn is_alarm(self) -> bool {
        self >= Level::Warn
    }
}

/// How a run is doing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Run.
    pub run: u32,
    /// Steps taken when it was found.
    pub step: u64,
    /// The rule that found it: `oscillating`, `learned`, …
    pub name: String,
    /// The same for a person, a word or two.
    pub title: String,
    /// How good or bad it is.
    pub level: Level,
    /// What it means and what shows it. It speaks of what happened until [`Verdict::step`], so that it stays true.
    pub sentence: String,
    /// The numbers behind it: what was measured, and its value with unit.
    pub evidence: Vec<(String, String)>,
    /// A change of the experiment that may help.
    pub fix: Option<Fix>,
}

/// A change of the experiment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Fix {
    /// What it does, as a button says it: `Set the learning rate to 0.03`.
    pub label: String,
    /// Paths in the experiment (`optimizer.adam.lr`) with their new values as JSON.
    pub changes: Vec<(String, String)>,
    /// Whether the run has to begin anew for the change to help.
    pub fresh: bool,
}
