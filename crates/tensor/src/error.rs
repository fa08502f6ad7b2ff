//! The error that a person reads: which field, what is wrong, what to do.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a person is told: the field, what is wrong with it, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserError {
    /// Where: a path into the experiment (`model[1].linear.out`) or a place in a file (`line 12, column "age"`).
    pub path: Option<String>,
    /// What is wrong, one sentence.
    pub message: String,
    /// What to do about it, one sentence.
    pub hint: Option<String>,
}

impl UserError {
    /// An error that belongs to no field.
    pub fn new(message: impl Into<String>) -> Self {
        Self { path: None, message: message.into(), hint: None }
    }

    /// An error of the field at `path`.
    pub fn at(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: Some(path.into()), message: message.into(), hint: None }
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Puts `prefix` before the path, so that an inner reader need not know where it stands.
    #[must_use]
    pub fn under(mut self, prefix: &str) -> Self {
        self.path = Some(match self.path {
            None => prefix.to_string(),
            Some(p) if p.starts_with('[') || prefix.is_empty() => format!("{prefix}{p}"),
            Some(p) => format!("{prefix}.{p}"),
        });
        self
    }
}

impl fmt::Display for UserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{path}: ")?;
        }
        f.write_str(&self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, " {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for UserError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_joins_fields_with_a_dot_and_items_without() {
        assert_eq!(UserError::at("out", "x").under("linear").under("model[1]").to_string(), "model[1].linear.out: x");
        assert_eq!(UserError::at("[3]", "x").under("model").path.as_deref(), Some("model[3]"));
        assert_eq!(UserError::new("x").under("seed").path.as_deref(), Some("seed"));
    }
}
