//! What version 1 gave out stays what it was: defaults, which links leave out, links, and the names of presets. Entries may be added,
//! none may change.

#![allow(clippy::unwrap_used, reason = "a helper that cannot go on has failed its test")]

use downhill_model::data::spec;
use downhill_model::{Experiment, forms, presets, share};
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

/// Pairs of lines: a link, and the document it holds with every default of the time when it was given out.
const LINKS: &str = include_str!("fixtures/links.v1.txt");

fn released() -> Vec<(&'static str, Value)> {
    let lines: Vec<&str> = LINKS.lines().collect();
    assert!(lines.len().is_multiple_of(2));
    lines.chunks_exact(2).map(|pair| (pair[0], serde_json::from_str(pair[1]).unwrap())).collect()
}

/// Whether everything that `old` says is said by `new`, which may say more.
fn is_said(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            old.iter().all(|(name, value)| new.get(name).is_some_and(|now| is_said(value, now)))
        }
        (Value::Array(old), Value::Array(new)) => old.len() == new.len() && old.iter().zip(new).all(|(a, b)| is_said(a, b)),
        (Value::Number(old), Value::Number(new)) => old.as_f64() == new.as_f64(),
        _ => old == new,
    }
}

#[test]
fn every_released_link_and_file_still_says_what_it_said() {
    let released = released();
    assert!(released.len() >= 16);
    for (link, document) in released {
        let name = &document["name"];
        let from_link = share::decode(link).unwrap();
        assert!(from_link.notes.is_empty(), "{name}: {:?}", from_link.notes);
        let now = from_link.experiment.to_full_value();
        assert!(is_said(&document, &now), "{name} was\n{document}\nand is\n{now}");
        assert_eq!(Experiment::from_value(&document).unwrap().experiment, from_link.experiment, "{name}");
    }
}

#[test]
fn the_link_of_every_preset_is_kept() {
    let kept: Vec<Experiment> = released().iter().map(|(link, _)| share::decode(link).unwrap().experiment).collect();
    for preset in presets::all() {
        let experiment = Experiment::parse(preset.json).unwrap().experiment;
        assert!(
            kept.contains(&experiment),
            "the link of {} is not kept yet; `cargo xtask schema` adds it to crates/model/tests/fixtures/links.v1.txt",
            preset.id
        );
    }
}

#[test]
fn presets_are_still_found_under_the_names_that_links_give_them() {
    const RELEASED: [&str; 16] = [
        "breast_cancer",
        "checkerboard",
        "circles",
        "digits",
        "gaussians",
        "iris",
        "moons",
        "overfitting",
        "regularised",
        "sine",
        "spirals",
        "steps",
        "symmetry",
        "too_fast",
        "wine",
        "xor",
    ];
    for id in RELEASED {
        assert!(presets::find(id).is_some(), "#p={id} leads nowhere");
    }
}

#[test]
fn a_document_that_has_lost_or_changed_something_is_noticed() {
    let old = serde_json::json!({ "seed": 1, "model": [{ "linear": { "out": 4 } }] });
    let says = |now: Value| is_said(&old, &now);
    assert!(says(serde_json::json!({ "seed": 1.0, "model": [{ "linear": { "out": 4, "bias": true } }], "more": 1 })));
    assert!(!says(serde_json::json!({ "seed": 1, "model": [{ "linear": { "out": 5 } }] })));
    assert!(!says(serde_json::json!({ "seed": 1, "model": [{ "linear": { "out": 4 } }, "relu"] })));
    assert!(!says(serde_json::json!({ "model": [{ "linear": { "out": 4 } }] })));
}
