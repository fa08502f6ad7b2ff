//! What there is to choose from, as the model's crate lists it, cached: schemas are generated anew at every call.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use downhill_model::forms;
use serde_json::Value;

thread_local! {
    static SCHEMAS: RefCell<HashMap<(String, String), Option<Arc<Value>>>> = RefCell::default();
}

/// The schema of the fields of a group's member.
pub fn fields_of(group: &str, name: &str) -> Option<Arc<Value>> {
    SCHEMAS.with_borrow_mut(|cache| {
        let key = (group.to_string(), name.to_string());
        cache.entry(key).or_insert_with(|| forms::fields_of(group, name).map(Arc::new)).clone()
    })
}

/// The names of a group.
pub fn names_of(group: &str) -> &'static [&'static str] {
    forms::names_of(group)
}

/// What a person calls a member.
pub fn title_of(group: &str, name: &str) -> String {
    let title = fields_of(group, name).and_then(|s| s["title"].as_str().map(str::to_string));
    title.unwrap_or_else(|| name.replace('_', " "))
}

/// A sentence about a member.
pub fn help_of(group: &str, name: &str) -> String {
    fields_of(group, name).and_then(|s| s["description"].as_str().map(str::to_string)).unwrap_or_default()
}

/// The default of a field.
pub fn default_of(group: &str, name: &str, field: &str) -> Value {
    fields_of(group, name).map_or(Value::Null, |s| s["properties"][field]["default"].clone())
}
