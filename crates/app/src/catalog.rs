//! What there is to choose from, as the model's crate lists it.

use downhill_model::forms;

pub use downhill_model::forms::{activations, fields_of, names_of};

/// What a person calls a member.
pub fn title_of(group: &str, name: &str) -> String {
    let title = fields_of(group, name).and_then(|s| s["title"].as_str().map(str::to_string));
    title.unwrap_or_else(|| name.replace('_', " "))
}

/// A sentence about a member, as a page shows it: without the marks that set formulas apart in documentation.
pub fn help_of(group: &str, name: &str) -> String {
    forms::help_of(group, name).replace('`', "")
}
