//! Every source gives what its spec says, the same on every machine, and refuses fields that do not fit.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;
use crate::assets::repository;
use crate::dataset::{Labels, Part, Plane, TARGET, Task};

fn build(name: &str, fields: Value, seed: u32) -> Result<Dataset, UserError> {
    Source::from_json(name, &fields)?.build(seed, &repository)
}

fn classes<'a>(set: &Dataset, part: &'a Part) -> &'a [u32] {
    match set.labels(part) {
        Labels::Class(classes) => classes,
        Labels::Real(_) => panic!("this set has classes"),
    }
}

/// The first input of a part, sample after sample.
fn inputs(set: &Dataset, part: &Part) -> Vec<f32> {
    let field = part.field(&set.inputs[0]).unwrap();
    (0..part.len()).flat_map(|i| field.numbers(i)).collect()
}

fn class_count(set: &Dataset) -> usize {
    match &set.task {
        Task::Classification { classes } => classes.len(),
        Task::Regression { .. } | Task::Retrieval => panic!("this set has classes"),
    }
}

/// The sources that need nothing drawn or pasted first.
fn ready() -> impl Iterator<Item = &'static str> {
    Source::NAMES.iter().copied().filter(|name| !Source::is_own(name))
}

fn planar() -> impl Iterator<Item = &'static str> {
    ready().filter(|name| Source::is_planar(name))
}

/// `name hash` lines: what every source gave when it came.
const HASHES: &str = include_str!("../../tests/fixtures/hashes.v1.txt");

#[test]
fn every_source_gives_the_same_bits_for_ever() {
    // Links carry a seed and name a source, so a change here changes what old links show.
    let pinned: Vec<(&str, &str)> = HASHES.lines().filter_map(|line| line.split_once(' ')).collect();
    assert!(pinned.len() >= 13);
    for (name, hash) in &pinned {
        assert_eq!(
            build(name, Value::Null, 7).unwrap().card.hash,
            *hash,
            "{name} does not give the samples any more that it gave"
        );
    }
    let missing: Vec<&str> = ready().filter(|name| pinned.iter().all(|(known, _)| known != name)).collect();
    assert!(missing.is_empty(), "{missing:?} are new and not pinned yet; `cargo xtask schema` adds them");
}

#[test]
fn another_seed_gives_other_samples_or_another_split() {
    for name in ready() {
        let [a, b] = [1, 2].map(|seed| build(name, Value::Null, seed).unwrap());
        // What is drawn at every step is drawn from the seed then.
        assert!(a.card.hash != b.card.hash || a.stream.is_some(), "{name}");
    }
}

#[test]
fn parts_have_the_wanted_sizes_and_every_row_its_columns() {
    for name in ready() {
        let set = build(name, json!({ "validation": 0.25 }), 3).unwrap();
        let (train, validation) = (set.train.len(), set.validation.len());
        let strata = if let Task::Classification { classes } = &set.task { classes.len() } else { 1 };
        let wanted = 0.25 * (train + validation) as f64;
        assert!((validation as f64 - wanted).abs() <= 0.5 * strata as f64, "{name}");
        for part in [&set.train, &set.validation] {
            let values = inputs(&set, part);
            assert_eq!(values.len(), part.len() * set.features.len(), "{name}");
            assert!(values.iter().all(|v| v.is_finite()), "{name}");
            assert!(set.inputs.iter().all(|input| part.field(input).is_some()) && part.field(TARGET).is_some(), "{name}");
        }
        assert_eq!(build(name, json!({ "validation": 0 }), 3).unwrap().validation.len(), 0, "{name}");
    }
}

#[test]
fn both_parts_keep_the_share_of_every_class() {
    for name in ready() {
        let set = build(name, json!({ "validation": 0.3 }), 5).unwrap();
        if !matches!(set.task, Task::Classification { .. }) || set.train.field(TARGET).unwrap().width() > 1 {
            continue; // a sample has many classes, or none
        }
        for class in 0..class_count(&set) as u32 {
            let of = |part: &Part| classes(&set, part).iter().filter(|&&c| c == class).count() as f64;
            let wanted = 0.3 * (of(&set.train) + of(&set.validation));
            assert!((of(&set.validation) - wanted).abs() <= 0.5, "{name}, class {class}");
            assert!(of(&set.train) > 0.0, "{name}, class {class}");
        }
    }
}

#[test]
fn planar_points_without_noise_lie_in_the_picture_and_noise_only_moves_them() {
    for name in planar() {
        let at = |noise: f64| build(name, json!({ "noise": noise }), 9).unwrap();
        let (still, moved) = (at(0.0), at(0.2));
        assert!(still.train.raw.iter().all(|v| v.abs() <= 1.0), "{name}");
        assert_eq!(still.train.field(TARGET), moved.train.field(TARGET), "{name}");
        let shifts: Vec<f32> = still.train.raw.iter().zip(&moved.train.raw).map(|(a, b)| b - a).collect();
        let std = downhill_tensor::stats::summarize(&shifts).std;
        assert!((std - 0.2).abs() < 0.02, "{name}: {std}");
    }
}

#[test]
fn inputs_are_what_the_picture_encodes() {
    let features = json!(["x", "y", "x2", "y2", "xy", "sin_x", "sin_y", "cos_x", "cos_y", "radius", "angle"]);
    let set = build("spirals", json!({ "features": features }), 1).unwrap();
    let plane = set.plane.as_ref().unwrap();
    for (input, at) in inputs(&set, &set.train).chunks_exact(11).zip(set.train.raw.chunks_exact(2)) {
        assert_eq!(input, plane.encode_point(at[0], at[1]));
    }
    let encoded = plane.encode_point(0.5, -0.25);
    assert_eq!(encoded[..5], [0.5, -0.25, 0.25, 0.0625, -0.125]);
    assert!((encoded[5] - 1.5f32.sin()).abs() < 1e-6 && (encoded[10] + 0.147_583_6).abs() < 1e-6);

    let set = build("sine", json!({ "features": ["x", "x3"] }), 1).unwrap();
    assert!(matches!(set.plane, Some(Plane::Line(_))));
    assert_eq!(set.plane.unwrap().encode_point(0.5, 9.0), [0.5, 0.125]);
}

#[test]
fn classes_can_be_set_where_there_can_be_more_than_two() {
    for name in ["spirals", "gaussians", "checkerboard", "rings"] {
        for count in [2, 6] {
            let set = build(name, json!({ "classes": count, "imbalance": 0.5, "rings": 6 }), 1)
                .or_else(|_| build(name, json!({ "classes": count, "imbalance": 0.5 }), 1))
                .unwrap();
            let seen: BTreeSet<u32> = classes(&set, &set.train).iter().copied().collect();
            assert_eq!(seen.len(), count, "{name}");
        }
    }
}

#[test]
fn fields_survive_the_way_through_json() {
    for name in Source::NAMES {
        let source = Source::from_json(name, &Value::Null).unwrap();
        assert_eq!(source.name(), *name);
        assert!(source.to_json().is_empty(), "{name}");
        let changed = Source::from_json(name, &json!({ "validation": 0.5 })).unwrap();
        assert_eq!(Value::Object(changed.to_json()), json!({ "validation": 0.5 }));
        assert_eq!(Source::from_json(name, &Value::Object(changed.to_json())).unwrap(), changed);
    }
}

#[test]
fn every_field_has_a_label_a_help_and_a_default_for_the_form() {
    for (name, schema) in Source::generate_schemas() {
        assert_eq!(schema, *Source::schema(name), "the committed schema of {name} is old; `cargo xtask schema` writes it anew");
        assert!(schema["title"].is_string() && schema["description"].is_string(), "{name}");
        for (field, about) in schema["properties"].as_object().unwrap() {
            for key in ["title", "description", "default"] {
                assert!(!about[key].is_null(), "{name}.{field} has no {key}");
            }
        }
    }
}

#[test]
fn bad_fields_are_refused_with_their_path() {
    let error = |name: &str, fields: Value| build(name, fields, 1).unwrap_err().to_string();
    assert_eq!(error("spiral", Value::Null), "There is no data source `spiral`. Did you mean `spirals`?");
    assert_eq!(error("moons", json!({ "nose": 0.1 })), "nose: There is no such field here. Did you mean `noise`?");
    assert_eq!(
        error("moons", json!({ "samples": 1_000_000_000 })),
        "samples: 1000000000 is out of range; it must be between 10 and 20000."
    );
    assert!(error("moons", json!({ "features": [] })).starts_with("features: "));
    assert!(error("moons", json!({ "features": ["x", "y", "x"] })).starts_with("features[2]: This feature is listed twice."));
    assert!(error("rings", json!({ "rings": 2, "classes": 5 })).starts_with("classes: "));
    assert!(error("checkerboard", json!({ "cells": 2, "classes": 4 })).starts_with("classes: "));
    let made_in_code = Source::Moons(Moons { noise: f64::INFINITY, ..Moons::default() });
    assert_eq!(made_in_code.build(1, &NoAssets).unwrap_err().path.as_deref(), Some("noise"));
}

#[test]
fn the_bundled_sets_are_those_of_the_literature() {
    let expected = [("digits", 1797, 64, 10), ("iris", 150, 4, 3), ("wine", 178, 13, 3), ("breast_cancer", 569, 30, 2)];
    for (name, samples, features, count) in expected {
        let set = build(name, Value::Null, 1).unwrap();
        assert_eq!(set.train.len() + set.validation.len(), samples, "{name}");
        assert_eq!((set.features.len(), class_count(&set)), (features, count), "{name}");
        assert!(set.notes.is_empty(), "{name}: {:?}", set.notes);
        assert!(set.card.licence.contains("CC BY 4.0"), "{name}");
    }
    let digits = build("digits", Value::Null, 1).unwrap();
    assert_eq!(digits.image, Some((8, 8)));
    let ink = inputs(&digits, &digits.train);
    assert!(ink.iter().all(|ink| (0.0..=1.0).contains(ink)) && ink.contains(&1.0));
    assert!(matches!(digits.train.fields[0].column, crate::Column::U8 { .. }), "bytes stay bytes");
}

#[test]
fn a_missing_or_damaged_file_is_a_sentence() {
    for name in ["digits", "iris", "wine", "breast_cancer"] {
        let source = Source::from_json(name, &Value::Null).unwrap();
        assert!(!source.needs().is_empty());
        assert!(source.build(1, &NoAssets).unwrap_err().message.contains("could not be loaded"), "{name}");
        for damaged in [&b""[..], b"\xff\xfe", &[200; 130]] {
            assert!(source.build(1, &|_: &str| Some(damaged.to_vec())).is_err(), "{name}");
        }
    }
}

#[test]
fn previews_show_planar_sources_and_nothing_else() {
    for name in Source::NAMES {
        let points = Source::preview(name, 100);
        let has_points = Source::is_planar(name) && *name != "points" || ["sine", "steps"].contains(name);
        let expected = if has_points { 100 } else { 0 };
        assert_eq!(points.len(), expected, "{name}");
    }
}

#[test]
fn a_bundled_source_says_before_its_file_is_there_what_it_gives() {
    let bundled: Vec<&str> =
        ready().filter(|name| !Source::from_json(name, &Value::Null).unwrap().needs().is_empty()).collect();
    assert!(bundled.len() >= 4, "{bundled:?}");
    for name in bundled {
        let outline = Source::from_json(name, &json!({ "validation": 0.1 })).unwrap().outline();
        let outline = outline.unwrap_or_else(|| panic!("{name} needs a file and has no outline"));
        let set = build(name, json!({ "validation": 0.1 }), 1).unwrap();
        let input = set.train.field(&set.inputs[0]).unwrap();
        assert_eq!(set.inputs.len(), 1, "{name}");
        assert_eq!(outline.samples, set.train.len() + set.validation.len(), "{name}");
        assert_eq!((outline.classes, outline.validation), (class_count(&set), 0.1), "{name}");
        let [given] = outline.inputs.as_slice() else { panic!("{name} has one input") };
        assert_eq!((given.name.as_str(), &given.shape), (input.name.as_str(), &input.shape), "{name}");
        assert_eq!(given.column, input.select(&[]).column, "{name}");
    }
}

#[test]
fn what_is_said_of_the_task_of_a_source_is_true() {
    for name in ready() {
        let set = build(name, Value::Null, 1).unwrap();
        assert_eq!(matches!(set.task, Task::Regression { .. }), Source::is_regression(name), "{name}");
        assert_eq!(matches!(set.plane, Some(Plane::Map(_))), Source::is_planar(name), "{name}");
    }
}

#[test]
fn other_samples_are_the_same_task_and_other_data_is_not() {
    let of = |name: &str, fields: Value| Source::from_json(name, &fields).unwrap();
    let spirals = of("spirals", json!({}));
    let same = [
        json!({ "samples": 50 }),
        json!({ "noise": 0.2, "validation": 0.1 }),
        json!({ "features": ["x2", "y2"], "endless": true }),
    ];
    assert!(same.into_iter().all(|fields| spirals.is_same_task(&of("spirals", fields))));
    assert!(!spirals.is_same_task(&of("spirals", json!({ "turns": 2.5 }))) && !spirals.is_same_task(&of("circles", json!({}))));
    let table = |fields: Value| of("csv", fields);
    let flowers = table(json!({ "file": "a.csv" }));
    assert!(flowers.is_same_task(&table(json!({ "file": "a.csv", "ignore": ["id"] }))));
    for other in [json!({ "file": "b.csv" }), json!({ "file": "a.csv", "target": "kind" }), json!({ "text": "a,b" })] {
        assert!(!flowers.is_same_task(&table(other)));
    }
    assert!(of("points", json!({ "points": [[0, 0, 1]] })).is_same_task(&of("points", json!({}))));
}
