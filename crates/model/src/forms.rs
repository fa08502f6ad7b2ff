//! What the page builds its forms from: names, labels and the schema of the fields of every registry.

use downhill_data::{Source, spec};
use serde_json::Value;

use crate::{Layer, Loss, Optimizer, Schedule};

/// The names of a group: `data`, `model`, `loss`, `optimizer` or `schedule`; none for any other.
pub fn names_of(group: &str) -> &'static [&'static str] {
    match group {
        "data" => Source::NAMES,
        "model" | "layer" => Layer::NAMES,
        "loss" => Loss::NAMES,
        "optimizer" => Optimizer::NAMES,
        "schedule" => Schedule::NAMES,
        _ => &[],
    }
}

/// The names of the layers that are activations.
pub fn activations() -> Vec<&'static str> {
    Layer::activations()
}

/// The JSON Schema of the fields of a group's member, or of `augment`, `training` and `view`, which have no name: for each field title,
/// description, default, minimum and maximum or choices; `x-scale` is `log` where a slider should be.
pub fn fields_of(group: &str, name: &str) -> Option<&'static Value> {
    let schema = match group {
        "data" => Source::schema(name),
        "model" | "layer" => Layer::schema(name),
        "loss" => Loss::schema(name),
        "optimizer" => Optimizer::schema(name),
        "schedule" => Schedule::schema(name),
        "augment" | "training" | "view" => &spec::document()["properties"][group],
        _ => &Value::Null,
    };
    (!schema.is_null()).then_some(schema)
}

/// What a person calls a member: `Leaky ReLU`. The name itself where it has no title.
pub fn title_of(group: &str, name: &str) -> String {
    text(group, name, "title").unwrap_or_else(|| name.to_string())
}

/// A sentence about a member; empty where there is none.
pub fn help_of(group: &str, name: &str) -> String {
    text(group, name, "description").unwrap_or_default()
}

fn text(group: &str, name: &str, key: &str) -> Option<String> {
    fields_of(group, name)?.get(key)?.as_str().map(ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_has_a_name_for_people_and_a_sentence() {
        for group in ["data", "model", "loss", "optimizer", "schedule"] {
            for name in names_of(group) {
                assert!(text(group, name, "title").is_some(), "{group} {name} has no title");
                assert!(!help_of(group, name).is_empty(), "{group} {name} has no description");
            }
        }
        assert_eq!(title_of("model", "leaky_relu"), "Leaky ReLU");
        assert_eq!(fields_of("optimizer", "adam").unwrap()["properties"]["lr"]["x-scale"], "log");
        assert!(fields_of("optimizer", "nothing").is_none() && names_of("nothing").is_empty());
    }
}
