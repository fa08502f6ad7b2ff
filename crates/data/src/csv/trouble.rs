//! What is wrong with single rows and values of a table.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::spec::quote;

/// A row or a value that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// Line of the file on which the row begins, from 1.
    pub line: u64,
    /// The column, if it is one value that does not fit.
    pub column: Option<String>,
    /// What is wrong, without the place.
    pub problem: String,
    /// Whether the row is left out for it; else the value counts as missing.
    pub dropped: bool,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Line {}", self.line)?;
        if let Some(column) = &self.column {
            write!(f, ", column \"{}\"", quote(column))?;
        }
        let end = if self.dropped { "the row is left out" } else { "it counts as missing" };
        write!(f, ": {}; {end}.", self.problem)
    }
}

/// All rows in trouble: the first are named, the others counted.
#[derive(Clone, Debug, Default)]
pub(super) struct TroubleLog {
    pub first: Vec<Trouble>,
    pub count: usize,
}

impl TroubleLog {
    const NAMED: usize = 20;

    pub fn add(&mut self, trouble: impl FnOnce() -> Trouble) {
        self.count += 1;
        if self.first.len() < Self::NAMED {
            self.first.push(trouble());
        }
    }
}
