//! The experiment as the page edits it: a JSON value, addressed by the same paths that errors name (`model[1].linear.out`).
//!
//! The page keeps what a person typed even where it is wrong, so it works on JSON and not on the typed experiment.

use downhill_model::presets;
use serde_json::{Map, Value, json};

enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

fn steps(path: &str) -> Vec<Step<'_>> {
    let mut out = Vec::new();
    for part in path.split('.') {
        let (key, mut rest) = part.split_at(part.find('[').unwrap_or(part.len()));
        if !key.is_empty() {
            out.push(Step::Key(key));
        }
        while let Some((index, tail)) = rest.strip_prefix('[').and_then(|r| r.split_once(']')) {
            out.push(index.parse().map_or(Step::Key(index), Step::Index));
            rest = tail;
        }
    }
    out
}

/// The value at `path`, if it is written down.
pub fn get<'a>(doc: &'a Value, path: &str) -> Option<&'a Value> {
    steps(path).into_iter().try_fold(doc, |at, step| match step {
        Step::Key(key) => at.get(key),
        Step::Index(i) => at.get(i),
    })
}

/// Writes `value` at `path`. A bare choice (`"tanh"`) on the way becomes `{ "tanh": {} }`; an index past the end changes nothing.
pub fn set(doc: &mut Value, path: &str, value: Value) {
    let mut at = doc;
    for step in steps(path) {
        at = match step {
            Step::Key(key) => {
                if at.as_str() == Some(key) {
                    *at = json!({ key: {} });
                }
                if !at.is_object() {
                    *at = Value::Object(Map::new());
                }
                &mut at[key]
            }
            Step::Index(i) => match at.get_mut(i) {
                Some(item) => item,
                None => return,
            },
        };
    }
    *at = value;
}

/// Takes the value at `path` away, so that its default holds again.
pub fn unset(doc: &mut Value, path: &str) {
    let (parent, last) = match path.rfind('.') {
        Some(dot) => (&path[..dot], &path[dot + 1..]),
        None => ("", path),
    };
    let parent = if parent.is_empty() { Some(doc) } else { get_mut(doc, parent) };
    if let Some(map) = parent.and_then(Value::as_object_mut) {
        map.shift_remove(last);
    }
}

fn get_mut<'a>(doc: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    steps(path).into_iter().try_fold(doc, |at, step| match step {
        Step::Key(key) => at.get_mut(key),
        Step::Index(i) => at.get_mut(i),
    })
}

/// The name of a choice: `"tanh"` or `{ "tanh": { … } }`.
pub fn choice_name(value: &Value) -> &str {
    match value {
        Value::String(name) => name,
        Value::Object(map) => map.keys().next().map_or("", String::as_str),
        _ => "",
    }
}

/// The name of the choice at `path`, or `default` where nothing is written.
pub fn name_at(doc: &Value, path: &str, default: &str) -> String {
    get(doc, path).map_or(default, choice_name).to_string()
}

/// The value as short text for a heading or a mark: numbers without a tail of digits.
pub fn brief(value: &Value) -> String {
    match value {
        Value::Number(n) => number(n.as_f64().unwrap_or(0.0)),
        Value::String(s) => s.clone(),
        Value::Null => "none".into(),
        Value::Array(items) => items.iter().map(brief).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// A share of one as a percentage with a decimal; what rounds to nothing has no sign.
pub fn percent(share: f64) -> String {
    let text = format!("{:.1}\u{a0}%", 100.0 * share);
    if text == "-0.0\u{a0}%" { "0.0\u{a0}%".to_string() } else { text }
}

/// A number as a person writes it: at most four significant digits, no trailing zeros, powers of ten where it is very small or large.
pub fn number(v: f64) -> String {
    if v == 0.0 || !v.is_finite() {
        return if v == 0.0 { "0".into() } else { v.to_string() };
    }
    let size = v.abs();
    if size.fract() == 0.0 && size < 1e7 {
        return format!("{v}");
    }
    if !(1e-4..1e7).contains(&size) {
        let text = format!("{v:.2e}");
        return text.replace(".00e", "e").replace("0e", "e");
    }
    let digits = (3 - size.log10().floor() as i32).clamp(0, 8) as usize;
    let text = format!("{v:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_string() } else { text }
}

/// How numbers that belong together are written: as [`number`] does, or with the digits in which they differ where four would hide them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Digits(Option<usize>);

impl Digits {
    /// What tells `values` apart. They were numbers of 32 bits, so digits beyond the seventh are none of theirs.
    pub fn telling(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) =
            values.filter(|v| v.is_finite()).fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        let (largest, span) = (low.abs().max(high.abs()), high - low);
        if !(largest >= 1e7 || largest > 100.0 * span) || largest == 0.0 || !largest.is_finite() {
            return Self(None);
        }
        let magnitude = |v: f64| v.log10().floor() as i32;
        let wanted = if span > 0.0 { 2 - magnitude(span) } else { 0 };
        Self(Some(wanted.min(6 - magnitude(largest)).max(0) as usize))
    }

    /// One of them.
    pub fn text(self, v: f64) -> String {
        match self.0 {
            Some(digits) if v.is_finite() => format!("{v:.digits$}"),
            _ => number(v),
        }
    }
}

/// A loss beside others; of one that is huge the magnitude is all there is to see.
pub fn loss(v: f64) -> String {
    if v.abs() < 1e5 { format!("{v:.4}") } else { number(v) }
}

/// A count with thin groups of three: `12,345`.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// A large number in three digits and a prefix: `25.1 k`, whose space never breaks a line.
pub fn scaled(n: f64) -> String {
    let (value, unit) = match n {
        n if n >= 1e12 => (n / 1e12, "\u{a0}T"),
        n if n >= 1e9 => (n / 1e9, "\u{a0}G"),
        n if n >= 1e6 => (n / 1e6, "\u{a0}M"),
        n if n >= 1e3 => (n / 1e3, "\u{a0}k"),
        n => (n, "\u{a0}"),
    };
    let digits = usize::from(value < 10.0 && n >= 1e3);
    format!("{value:.digits$}{unit}")
}

/// What is to be told at the end of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Numbers.
    Numbers,
    /// Which of two classes.
    Two,
    /// Which of more classes, or of nobody knows how many.
    Many,
}

impl End {
    /// Which of so many classes.
    pub fn of_classes(count: Option<usize>) -> Self {
        if count == Some(2) { End::Two } else { End::Many }
    }
}

/// Makes the last layer and the loss fit what is to be told, where they do not.
pub fn fit_end(doc: &mut Value, end: End) {
    let fits = match name_at(doc, "loss", "cross_entropy").as_str() {
        "cross_entropy" => end != End::Numbers,
        "bce_with_logits" => end == End::Two,
        "info_nce" => false,
        _ => end == End::Numbers,
    };
    let numbers = end == End::Numbers;
    if !fits {
        doc["loss"] = json!(if numbers { "mse" } else { "cross_entropy" });
    }
    let last = doc["model"].as_array_mut().and_then(|model| model.last_mut());
    let linear = last.and_then(|layer| layer.get_mut("linear")).and_then(Value::as_object_mut);
    // A number that was right for other data is hardly right for this.
    if let Some(linear) = linear.filter(|linear| !fits || linear.get("out").is_some_and(Value::is_number)) {
        linear.insert("out".to_string(), json!(if numbers { "targets" } else { "classes" }));
    }
}

/// Takes the network and the training of the preset for texts, where a network does not begin with tokens; returns nothing else.
pub fn fit_text(doc: &mut Value) {
    let begins_with_tokens = doc["model"].get(0).is_some_and(|layer| choice_name(layer) == "embedding");
    if !begins_with_tokens {
        train_as(doc, presets::OWN_TEXT);
    }
}

/// Takes the network, the loss and the training of the preset for queries and documents: no other network reads both.
pub fn fit_search(doc: &mut Value) {
    train_as(doc, presets::TWO_TOWERS);
    doc["loss"] = json!("info_nce");
}

/// Takes the network and the training of the preset for sounds, where the data before were none.
pub fn fit_sounds(doc: &mut Value, before: &str) {
    if !matches!(before, "sounds" | "chirps") {
        train_as(doc, presets::SOUNDS);
    }
}

/// Takes over what a preset is trained with; its data and what it is called stay out.
fn train_as(doc: &mut Value, preset: &str) {
    let Ok(preset) = serde_json::from_str::<Value>(preset) else { return };
    for part in ["model", "optimizer", "training"] {
        doc[part] = preset[part].clone();
    }
    for part in ["loss", "schedule", "augment"] {
        unset(doc, part);
    }
}

/// Whether a file looks like prose and not like a table: of its first lines, no sign that separates columns comes equally often in each.
pub fn is_prose(head: &str) -> bool {
    let lines: Vec<&str> = head.lines().filter(|line| !line.trim().is_empty()).take(8).collect();
    let separates = |sign: char| {
        let counts: Vec<usize> = lines.iter().map(|line| line.matches(sign).count()).collect();
        counts.first().is_some_and(|first| *first > 0 && counts.iter().all(|count| count == first))
    };
    let letters = head.chars().filter(|c| c.is_alphabetic()).count();
    letters * 2 > head.chars().count() && !['\t', ';', ',', '|'].into_iter().any(separates)
}

/// Lets a model that begins with a linear layer begin with one row of numbers, where samples are pictures, and takes that back where they are not.
pub fn fit_begin(doc: &mut Value, images: bool) {
    let wanted = if images { "linear" } else { "flatten" };
    if name_at(doc, "model[0]", "") != wanted {
        return;
    }
    if let Some(model) = doc["model"].as_array_mut() {
        if images {
            model.insert(0, json!("flatten"));
        } else {
            model.remove(0);
        }
    }
}

/// Puts a small convolutional network in the place of a model that is none for pictures.
pub fn small_convnet(doc: &mut Value) {
    doc["model"] = json!([
        { "conv2d": { "out_channels": 8, "kernel_size": 3, "padding": "same" } }, "relu", { "max_pool2d": { "kernel_size": 2 } },
        { "conv2d": { "out_channels": 16, "kernel_size": 3, "padding": "same" } }, "relu", { "max_pool2d": { "kernel_size": 2 } },
        "flatten", { "linear": { "out": "classes" } },
    ]);
    doc["loss"] = json!("cross_entropy");
    doc["optimizer"] = json!({ "adam": { "lr": 0.003 } });
}

/// Writes down one choice about a column, or with `Null` leaves it to the guess again; what says nothing any more goes.
pub fn set_column(doc: &mut Value, column: &str, field: &str, value: Value) {
    let Some(csv) = doc.pointer_mut("/data/csv").and_then(Value::as_object_mut) else { return };
    let columns = csv.entry("columns").or_insert_with(|| Value::Object(Map::new()));
    let Some(columns) = columns.as_object_mut() else { return };
    let Some(choice) = columns.entry(column).or_insert_with(|| Value::Object(Map::new())).as_object_mut() else { return };
    match value {
        Value::Null => choice.shift_remove(field),
        value => choice.insert(field.to_string(), value),
    };
    if choice.is_empty() {
        columns.shift_remove(column);
    }
    if columns.is_empty() {
        csv.shift_remove("columns");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_is_told_from_a_table() {
        assert!(is_prose(
            "Once there was a harbour, grey and still.\nThe gulls sat on the wall.\n\nAnd then, one day, a boat came in."
        ));
        assert!(is_prose("One line without an end"));
        for table in ["a,b\n1,2\n3,4\n", "name;kind\nfox;animal\n", "word\tcount\nsea\t3\n", "12 13 14\n15 16 17\n"] {
            assert!(!is_prose(table), "{table}");
        }
    }

    #[test]
    fn a_network_of_points_gives_way_to_one_of_tokens_and_one_of_tokens_stays() {
        let mut doc = json!({ "model": [{ "linear": { "out": 4 } }], "loss": "mse", "name": "mine" });
        fit_text(&mut doc);
        assert_eq!((choice_name(&doc["model"][0]), &doc["name"], doc.get("loss")), ("embedding", &json!("mine"), None));
        let before = json!({ "model": [{ "embedding": { "dim": 7 } }, { "linear": { "out": "classes" } }] });
        let mut kept = before.clone();
        fit_text(&mut kept);
        assert_eq!(kept, before);
    }

    #[test]
    fn two_towers_come_with_their_data_and_their_loss_goes_with_it() {
        let mut doc = json!({ "model": ["flatten", { "linear": { "out": "classes" } }], "augment": { "flip": true } });
        fit_search(&mut doc);
        assert_eq!(
            (&doc["loss"], &doc["model"][0], doc.get("augment")),
            (&json!("info_nce"), &json!({ "input": "document" }), None)
        );
        fit_end(&mut doc, End::Many);
        assert_eq!(doc["loss"], json!("cross_entropy"));
    }

    #[test]
    fn a_network_for_sounds_stays_and_another_one_gives_way() {
        let mut doc =
            json!({ "model": ["flatten", { "linear": { "out": "classes" } }], "loss": "mse", "augment": { "flip": true } });
        let before = doc.clone();
        fit_sounds(&mut doc, "chirps");
        assert_eq!(doc, before);
        fit_sounds(&mut doc, "digits");
        assert_eq!((choice_name(&doc["model"][0]), doc.get("loss"), doc.get("augment")), ("transpose", None, None));
    }

    #[test]
    fn a_choice_is_written_under_the_name_whatever_is_in_it_and_goes_when_it_says_nothing() {
        let mut doc = json!({ "data": { "csv": { "text": "a\n1" } } });
        let before = doc.clone();
        set_column(&mut doc, "area [m²].x", "use", json!(false));
        set_column(&mut doc, "area [m²].x", "type", Value::Null);
        assert_eq!(doc["data"]["csv"]["columns"], json!({ "area [m²].x": { "use": false } }));
        set_column(&mut doc, "area [m²].x", "use", Value::Null);
        assert_eq!(doc, before);
    }

    #[test]
    fn a_share_that_rounds_to_nothing_has_no_sign() {
        assert_eq!(
            [-0.0004, 0.0004, -0.0006, 1.0, -0.125].map(percent),
            ["0.0\u{a0}%", "0.0\u{a0}%", "-0.1\u{a0}%", "100.0\u{a0}%", "-12.5\u{a0}%"]
        );
    }

    #[test]
    fn an_end_made_for_classes_is_made_to_fit_numbers_and_back() {
        let classes = json!({ "model": ["tanh", { "linear": { "out": "classes" } }] });
        let mut doc = classes.clone();
        fit_end(&mut doc, End::Many);
        assert_eq!(doc, classes);
        fit_end(&mut doc, End::Numbers);
        assert_eq!(doc, json!({ "model": ["tanh", { "linear": { "out": "targets" } }], "loss": "mse" }));
        fit_end(&mut doc, End::Two);
        assert_eq!(doc["model"], classes["model"]);
    }

    #[test]
    fn an_end_made_for_two_classes_stays_for_two_and_is_made_to_fit_more() {
        let two = json!({ "model": [{ "linear": { "out": "classes" } }], "loss": "bce_with_logits" });
        let mut doc = two.clone();
        fit_end(&mut doc, End::of_classes(Some(2)));
        assert_eq!(doc, two);
        for count in [Some(3), None] {
            let mut doc = two.clone();
            fit_end(&mut doc, End::of_classes(count));
            assert_eq!(doc["loss"], "cross_entropy");
        }
        // A number of outputs that was written down for two.
        let mut doc = json!({ "model": [{ "linear": { "out": 2 } }] });
        fit_end(&mut doc, End::Many);
        assert_eq!(doc, json!({ "model": [{ "linear": { "out": "classes" } }] }));
    }

    #[test]
    fn a_begin_made_for_rows_is_made_to_fit_pictures_and_back() {
        let rows = json!({ "model": [{ "linear": { "out": 8 } }, "relu"] });
        let mut doc = rows.clone();
        fit_begin(&mut doc, false);
        assert_eq!(doc, rows);
        for _ in 0..2 {
            fit_begin(&mut doc, true);
            assert_eq!(doc, json!({ "model": ["flatten", { "linear": { "out": 8 } }, "relu"] }));
        }
        fit_begin(&mut doc, false);
        assert_eq!(doc, rows);
    }

    #[test]
    fn a_field_is_set_through_a_bare_choice_and_unset_again() {
        let mut doc = json!({ "model": [{ "linear": { "out": 8 } }, "elu"], "data": "spirals" });
        set(&mut doc, "model[1].elu.alpha", json!(0.5));
        set(&mut doc, "data.spirals.noise", json!(0.1));
        set(&mut doc, "training.batch_size", json!(8));
        set(&mut doc, "model[7].linear.out", json!(1));
        let wanted = json!({ "model": [{ "linear": { "out": 8 } }, { "elu": { "alpha": 0.5 } }],
            "data": { "spirals": { "noise": 0.1 } }, "training": { "batch_size": 8 } });
        assert_eq!(doc, wanted);
        assert_eq!(get(&doc, "model[1].elu.alpha"), Some(&json!(0.5)));
        unset(&mut doc, "model[1].elu.alpha");
        assert_eq!(doc["model"][1], json!({ "elu": {} }));
        assert_eq!((name_at(&doc, "model[1]", ""), name_at(&doc, "loss", "mse")), ("elu".into(), "mse".into()));
    }

    #[test]
    fn numbers_that_belong_together_show_the_digits_in_which_they_differ() {
        let texts = |values: &[f64]| {
            let digits = Digits::telling(values.iter().copied());
            values.iter().map(|&v| digits.text(v)).collect::<Vec<_>>()
        };
        assert_eq!(texts(&[54_321_012.0, 54_321_020.0]), ["54321012", "54321020"]);
        assert_eq!(texts(&[1000.125, 1000.25]), ["1000.125", "1000.250"]);
        assert_eq!(texts(&[0.5, 1.25, -3.0]), ["0.5", "1.25", "-3"]);
        assert_eq!((texts(&[0.0, 0.0]), texts(&[])), (vec!["0".to_string(), "0".to_string()], vec![]));
        assert_eq!((loss(0.5), loss(1.5e14)), ("0.5000".into(), "1.5e14".into()));
    }

    #[test]
    fn numbers_read_as_a_person_writes_them() {
        let texts: Vec<String> = [0.0, 0.05, 0.0123456, 1234.6, 12.0, 3e-7, 1e9, -0.5].map(number).into();
        assert_eq!(texts, ["0", "0.05", "0.01235", "1235", "12", "3e-7", "1e9", "-0.5"]);
        assert_eq!((grouped(1_234_567), grouped(12)), ("1,234,567".into(), "12".into()));
        assert_eq!(
            (scaled(25_300.0), scaled(1_500.0), scaled(12.0)),
            ("25\u{a0}k".into(), "1.5\u{a0}k".into(), "12\u{a0}".into())
        );
    }
}
