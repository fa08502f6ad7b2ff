//! The JSON Schema of the whole document, from the same types that read it.

use downhill_data::{Augment, Source, spec};
use serde_json::{Value, json};

use crate::experiment::Head;
use crate::layers::{Layer, list_schema};
use crate::registry;
use crate::version::VERSION;
use crate::{Loss, Optimizer, Schedule, Training, View};

/// Generates the JSON Schema (2020-12) of an experiment: title is a field's label, description its help. Programs read the
/// committed one, [`spec::document`]; this is what it must be.
pub fn generate_schema() -> Value {
    let head = spec::generate::<Head>();
    let choice = |title: &str, help: &str, members: &[(&str, Value)], default: Option<Value>| {
        let mut schema = registry::schema(title, help, members);
        if let Some(default) = default {
            schema["default"] = default;
        }
        schema
    };
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Downhill experiment",
        "description": "What to learn, from what, and how.",
        "type": "object",
        "required": ["data", "model"],
        "additionalProperties": false,
        "properties": {
            "version": {
                "title": "Version",
                "description": "Version of this form.",
                "type": ["integer", "number", "string"],
                "default": VERSION,
            },
            "name": head["properties"]["name"],
            "seed": head["properties"]["seed"],
            "data": choice("Data", "What to learn from.", &Source::generate_schemas(), None),
            "augment": spec::generate::<Augment>(),
            "model": list_schema("Model", "What learns: layers from input to output."),
            "loss": choice("Loss", "What training makes small.", &Loss::generate_schemas(), Some(Loss::default().to_value())),
            "optimizer": choice(
                "Optimizer",
                "How gradients become changes of weights.",
                &Optimizer::generate_schemas(),
                Some(Optimizer::default().to_value()),
            ),
            "schedule": choice(
                "Schedule",
                "How the learning rate changes over time.",
                &Schedule::generate_schemas(),
                Some(Schedule::default().to_value()),
            ),
            "training": spec::generate::<Training>(),
            "view": spec::generate::<View>(),
        },
        "$defs": { "layer": registry::schema("Layer", "A part of the model.", &Layer::generate_schemas()) },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_schema_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../static/schema/experiment.v1.json");
        let current = format!("{}\n", serde_json::to_string_pretty(&generate_schema()).unwrap());
        let committed = std::fs::read_to_string(path).unwrap();
        assert!(committed == current, "static/schema/experiment.v1.json is old; `cargo xtask schema` writes it anew");
    }

    /// Every leaf that a person can edit, with its path.
    fn leaves<'a>(schema: &'a Value, path: String, out: &mut Vec<(String, &'a Value)>) {
        let Some(properties) = schema["properties"].as_object() else { return };
        for (name, field) in properties {
            let path = format!("{path}.{name}");
            out.push((path.clone(), field));
            leaves(field, path.clone(), out);
            for branch in field["anyOf"].as_array().into_iter().flatten() {
                leaves(branch, path.clone(), out);
            }
        }
    }

    #[test]
    fn every_field_has_a_label_and_help_and_every_number_a_range() {
        let schema = generate_schema();
        let mut fields = Vec::new();
        leaves(&schema, String::new(), &mut fields);
        leaves(&schema["$defs"]["layer"]["anyOf"][1], "layer".to_string(), &mut fields);
        assert!(fields.len() > 100, "only {} fields", fields.len());
        for (path, field) in fields {
            assert!(field["title"].is_string(), "{path} has no title: {field}");
            assert!(field["description"].is_string(), "{path} has no description");
            let number = field["type"] == "number" || field["type"] == "integer";
            assert!(!number || (field["minimum"].is_number() && field["maximum"].is_number()), "{path} has no range");
        }
    }
}
