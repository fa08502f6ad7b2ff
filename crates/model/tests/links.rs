//! Whatever stands in a link, reading it ends soon, takes little memory, and never panics. A few thousand links are made up in every run of the
//! tests; `cargo test --release -p downhill-model --test links -- --ignored` makes up a million.

#![allow(clippy::unwrap_used, reason = "a helper that cannot go on has failed its test")]

use std::time::{Duration, Instant};

use allocation_counter::measure;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use downhill_model::{Experiment, presets, share};
use miniz_oxide::deflate::compress_to_vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};

/// Inputs of the fast run and of the long one.
const FEW: u32 = 3_000;
const MANY: u32 = 1_000_000;
/// What one link may take.
const LONGEST: Duration = Duration::from_millis(100);
const MOST_BYTES: u64 = 64 << 20;
/// A machine that does other things meanwhile is asked again.
const TRIES: usize = 5;

/// A link that unpacks to these bytes.
fn holding(bytes: &[u8]) -> String {
    format!("#c=1.{}", URL_SAFE_NO_PAD.encode(compress_to_vec(bytes, 6)))
}

/// A document that a person may send.
fn document() -> impl Strategy<Value = Value> {
    let all: Vec<Value> = presets::all().iter().map(|preset| serde_json::from_str(preset.json).unwrap()).collect();
    proptest::sample::select(all)
}

/// Values of every kind, the odd ones too.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        prop::sample::select(vec![0.5, -1.0, 1e300, 1e-300, 4294967296.0, 1e15]).prop_map(|number| json!(number)),
        ".{0,12}".prop_map(Value::from),
        prop::sample::select(vec!["linear", "classes", "relu", "csv", "text", "max", "1.7", "repeat"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        let name = prop_oneof![
            "[a-z_]{1,10}",
            prop::sample::select(vec!["out", "times", "body", "repeat", "lr", "features", "linear"]).prop_map(String::from)
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Puts a value in the place of another, of which `at` says how many come before it.
fn put(target: &mut Value, at: &mut usize, new: &Value) -> bool {
    if *at == 0 {
        *target = new.clone();
        return true;
    }
    *at -= 1;
    match target {
        Value::Array(items) => items.iter_mut().any(|item| put(item, at, new)),
        Value::Object(fields) => fields.values_mut().any(|field| put(field, at, new)),
        _ => false,
    }
}

/// Links of every kind: text, what was a link once, and links that hold something else than they should.
fn link() -> impl Strategy<Value = String> {
    let changed =
        (document(), prop::collection::vec((0usize..2000, ".{0,3}", 0usize..4), 1..6)).prop_map(|(document, edits)| {
            let mut link: Vec<char> =
                format!("https://example.org/#{}", share::encode(&Experiment::from_value(&document).unwrap().experiment))
                    .chars()
                    .collect();
            for (at, text, removed) in edits {
                let at = at % (link.len() + 1);
                let end = (at + removed).min(link.len());
                link.splice(at..end, text.chars());
            }
            link.into_iter().collect()
        });
    let edited = (document(), prop::collection::vec((0usize..60, value()), 1..4)).prop_map(|(mut document, edits)| {
        for (mut at, new) in edits {
            put(&mut document, &mut at, &new);
        }
        holding(document.to_string().as_bytes())
    });
    let torn = (document(), 0usize..4000, "[ -~]{0,4}").prop_map(|(document, at, text)| {
        let mut json: Vec<char> = document.to_string().chars().collect();
        let at = at % json.len();
        json.splice(at..at, text.chars());
        holding(json.into_iter().collect::<String>().as_bytes())
    });
    // One thing many times over: what is small on its way and large here.
    let long = (
        prop::sample::select(vec!["[", "{\"a\":", "0,", "\"\",", "[],", "{},", "\\u0041", " ", "\"", "{\"linear\":{}},"]),
        1usize..300_000,
        0usize..3,
    )
        .prop_map(|(piece, times, place)| {
            let many = piece.repeat(times);
            let around = [("", ""), ("[0,", "0]"), (r#"{"data":"xor","model":["relu","#, r#""relu"]}"#)][place];
            holding(format!("{}{many}{}", around.0, around.1).as_bytes())
        });
    prop_oneof![
        2 => any::<String>(),
        1 => ".{0,80}".prop_map(|text| format!("#c=1.{text}")),
        1 => ".{0,40}".prop_map(|text| format!("#p={text}")),
        1 => prop::collection::vec(any::<u8>(), 0..400).prop_map(|bytes| format!("#c=1.{}", URL_SAFE_NO_PAD.encode(bytes))),
        1 => prop::collection::vec(any::<u8>(), 0..400).prop_map(|bytes| holding(&bytes)),
        4 => changed,
        8 => edited,
        4 => torn,
        1 => value().prop_map(|value| holding(value.to_string().as_bytes())),
        // Each takes as long as hundreds of the others.
        1 => prop_oneof![49 => Just("#p=spirals".to_string()), 1 => long],
    ]
}

/// Whether two documents say the same. The last of seventeen digits may differ: numbers are read quickly and not always to the nearest.
fn alike(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            let [a, b] = [a, b].map(|number| number.as_f64().unwrap_or(f64::NAN));
            (a - b).abs() <= a.abs() * 4.0 * f64::EPSILON
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((a, left), (b, right))| a == b && alike(left, right))
        }
        _ => a == b,
    }
}

/// Reads a link, and says what it took: the shortest time of a few, and the most memory at once.
fn read(link: &str) -> (Duration, u64) {
    let mut shortest = Duration::MAX;
    let mut most = 0;
    for _ in 0..TRIES {
        let begin = Instant::now();
        let info = measure(|| {
            if let Ok(parsed) = share::decode(link) {
                // What was read can be given on.
                let again = share::decode(&share::encode(&parsed.experiment)).unwrap().experiment;
                let same = again == parsed.experiment || alike(&again.to_value(), &parsed.experiment.to_value());
                assert!(same, "{again:?}\nis not\n{:?}", parsed.experiment);
            }
        });
        shortest = shortest.min(begin.elapsed());
        most = info.bytes_max;
        if shortest < LONGEST {
            break;
        }
    }
    (shortest, most)
}

fn read_all(cases: u32) {
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, max_shrink_iters: 2_000, ..Config::default() });
    let outcome = runner.run(&link(), |link| {
        let (time, bytes) = read(&link);
        prop_assert!(time < LONGEST, "reading took {time:?}");
        prop_assert!(bytes < MOST_BYTES, "reading took {bytes} bytes at once");
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

#[test]
fn whatever_stands_in_a_link_reading_it_is_quick_and_small() {
    read_all(FEW);
}

#[test]
#[ignore = "a million links take minutes"]
fn a_million_links_are_read_quickly_and_in_little_memory() {
    read_all(MANY);
}

#[test]
fn the_largest_links_that_are_read_take_little_memory() {
    let table = "1,2,yes\\n".repeat(500_000);
    let documents = [
        format!(r#"{{ "data": {{ "csv": {{ "text": "{table}" }} }}, "model": ["relu"] }}"#),
        format!(
            r#"{{ "data": {{ "points": {{ "points": [{}[0,0,0]] }} }}, "model": ["relu"] }}"#,
            "[0.5,-0.5,1],".repeat(20_000)
        ),
        format!(r#"{{ "data": "xor", "model": [{}"relu"] }}"#, r#"{"linear":{"out":3}},"#.repeat(24_000)),
        format!("{}{}", "[".repeat(1 << 20), "]".repeat(1 << 20)),
    ];
    for document in &documents {
        let link = holding(document.as_bytes());
        let info = measure(|| drop(share::decode(&link)));
        assert!(info.bytes_max < MOST_BYTES, "{} bytes for {}…", info.bytes_max, &document[..40]);
    }
    let escaped = "%25".repeat(3 << 20);
    let info = measure(|| drop(share::decode(&escaped)));
    assert!(info.bytes_max < MOST_BYTES, "{} bytes", info.bytes_max);
}
