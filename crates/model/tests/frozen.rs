//! Links leave defaults out, so what version 1 gave out must stay what it was: entries may be added, none may change.

use downhill_model::data::spec;
use downhill_model::forms;
use serde_json::{Map, Value};

const FROZEN: &str = include_str!("fixtures/defaults.v1.json");

#[test]
fn no_default_of_version_1_has_changed() {
    let frozen: Map<String, Value> = serde_json::from_str(FROZEN).unwrap();
    assert!(frozen.len() > 50);
    for (place, default) in &frozen {
        let (group, name) = place.split_once('.').unwrap_or((place, ""));
        match (forms::fields_of(group, name), default) {
            (Some(fields), Value::Object(defaults)) => {
                for (field, value) in defaults {
                    assert_eq!(fields["properties"][field]["default"], *value, "{place}.{field}");
                }
            }
            _ => assert_eq!(spec::document()["properties"][place]["default"], *default, "{place}"),
        }
    }
}
