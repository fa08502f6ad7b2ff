//! What kind of control a field of a JSON Schema is, and how sliders map their travel to values. No page here.

use downhill_tensor::parse_number;
use serde_json::Value;

/// A control.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// On or off.
    Toggle,
    /// A number; a slider beside it where the range is worth one.
    Number(Range),
    /// A number, or a word for what the data asks for.
    Size(Range, Vec<String>),
    /// One of some words: value and label.
    Words(Vec<(String, String)>),
    /// Some of some words.
    WordSet(Vec<(String, String)>),
    /// A choice with fields of its own: names and the schemas behind them.
    Choice(Vec<(String, Value)>),
    /// A line of text.
    Text,
    /// Several numbers.
    Numbers(usize),
}

/// A field of a form.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Name in the document.
    pub name: String,
    /// Label.
    pub title: String,
    /// A sentence.
    pub help: String,
    /// Where nothing is written.
    pub default: Value,
    /// Whether it may be empty.
    pub optional: bool,
    /// Control.
    pub kind: Kind,
    /// Fields beside it that decide whether it says anything: the name of one, its default, and the values with which this one is shown.
    pub shown_where: Vec<(String, Value, Vec<Value>)>,
}

/// The range of a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// Smallest and largest value that is allowed.
    pub limits: (f64, f64),
    /// Ends of the slider; `None` where a slider would be of no use.
    pub slider: Option<(f64, f64)>,
    /// Whether the slider's travel is logarithmic; its left end is zero if the limits allow zero.
    pub log: bool,
    /// Whole numbers only.
    pub whole: bool,
}

/// Slider ends of fields whose limits are far wider than what people use.
const USUAL: &[(&str, f64, f64)] = &[
    ("lr", 1e-5, 3.0),
    ("weight_decay", 1e-6, 1.0),
    ("l1", 1e-6, 0.1),
    ("l2", 1e-6, 0.1),
    ("clip_norm", 0.01, 100.0),
    ("clip_value", 0.01, 100.0),
    ("samples", 10.0, 5000.0),
    ("batch_size", 1.0, 1024.0),
    ("eval_every", 1.0, 1000.0),
    ("warmup", 0.0, 1000.0),
    ("frozen", 0.0, 20.0),
    ("out", 1.0, 128.0),
];
/// Travel of a slider, in positions.
pub const TRAVEL: f64 = 1000.0;
/// The first positions of a logarithmic slider that reaches zero stand for zero.
const ZERO_ZONE: f64 = 20.0;

impl Range {
    fn new(name: &str, schema: &Value, whole: bool) -> Self {
        let low = schema["minimum"].as_f64().unwrap_or(-1e9);
        let high = schema["maximum"].as_f64().unwrap_or(1e9);
        let usual = USUAL.iter().find(|u| u.0 == name).map(|u| (u.1.max(low), u.2.min(high)));
        let slider = usual.or((high - low <= 20_000.0).then_some((low, high)));
        let asked = schema["x-scale"] == "log" || schema["x-log"] == true;
        let wide = slider.is_some_and(|(a, b)| a > 0.0 && b / a >= 100.0);
        let log = asked && usual.is_some() || wide;
        Self { limits: (low, high), slider: slider.filter(|_| log || !asked), log, whole }
    }

    /// The value at a slider's position.
    pub fn value(&self, position: f64) -> f64 {
        let Some((low, high)) = self.slider else { return position };
        let zero = self.log && self.limits.0 <= 0.0;
        if zero && position < ZERO_ZONE {
            return 0.0;
        }
        let t = if zero { (position - ZERO_ZONE) / (TRAVEL - ZERO_ZONE) } else { position / TRAVEL };
        let raw = if self.log { low.max(1e-12) * libm::pow(high / low.max(1e-12), t) } else { low + (high - low) * t };
        self.tidy(raw)
    }

    /// The slider's position for a value.
    pub fn position(&self, value: f64) -> f64 {
        let Some((low, high)) = self.slider else { return 0.0 };
        let zero = self.log && self.limits.0 <= 0.0;
        if zero && value <= 0.0 {
            return 0.0;
        }
        let start = if zero { ZERO_ZONE } else { 0.0 };
        let t = if self.log {
            (value.max(1e-12) / low.max(1e-12)).ln() / (high / low.max(1e-12)).ln()
        } else {
            (value - low) / (high - low)
        };
        start + t.clamp(0.0, 1.0) * (TRAVEL - start)
    }

    /// A round value near `raw`: two digits on a logarithmic slider, a hundredth of the travel on a linear one.
    fn tidy(&self, raw: f64) -> f64 {
        let Some((low, high)) = self.slider else { return raw };
        if self.whole {
            let unit = if raw < 100.0 { 1.0 } else { libm::pow(10.0, raw.log10().floor() - 1.0) };
            return ((raw / unit).round() * unit).clamp(low, high);
        }
        let unit = if self.log {
            libm::pow(10.0, raw.abs().max(1e-12).log10().floor() - 1.0)
        } else {
            libm::pow(10.0, ((high - low) / 100.0).log10().ceil())
        };
        let rounded = (raw / unit).round() * unit;
        // Division by a power of ten leaves a tail of digits that nobody chose.
        parse_number(&format!("{rounded:.12}")).unwrap_or(rounded).clamp(low, high)
    }

    /// The number in a text, as JSON; `None` if it is none.
    pub fn read(&self, text: &str) -> Option<Value> {
        let text = text.trim().replace('−', "-").replace(',', ".");
        if let (true, Ok(whole)) = (self.whole, text.parse::<i64>()) {
            return Some(Value::from(whole));
        }
        self.json(parse_number(&text)?)
    }

    /// A number as JSON: whole ones without a point.
    pub fn json(&self, v: f64) -> Option<Value> {
        if self.whole && v.fract() == 0.0 && v.abs() < 9e15 {
            return Some(Value::from(v as i64));
        }
        serde_json::Number::from_f64(v).map(Value::Number)
    }
}

/// The fields of a schema, in order, without those in `hidden`.
pub fn of(schema: &Value, hidden: &[&str]) -> Vec<Field> {
    let Some(properties) = schema["properties"].as_object() else { return Vec::new() };
    properties
        .iter()
        .filter(|(name, _)| !hidden.contains(&name.as_str()))
        .filter_map(|(name, schema)| {
            let text = |key: &str| schema[key].as_str().map(str::to_string);
            let (schema_kind, optional) = kind_of(name, schema)?;
            Some(Field {
                name: name.clone(),
                title: text("title").unwrap_or_else(|| name.replace('_', " ")),
                help: text("description").unwrap_or_default().replace('`', ""),
                default: schema["default"].clone(),
                optional,
                kind: schema_kind,
                shown_where: conditions(properties, &schema["x-where"]),
            })
        })
        .collect()
}

/// What `x-where` says: names of other fields with the values that they have where a field is shown.
fn conditions(properties: &serde_json::Map<String, Value>, said: &Value) -> Vec<(String, Value, Vec<Value>)> {
    let default = |name: &String| properties.get(name).map(|schema| schema["default"].clone()).unwrap_or_default();
    let condition =
        |(name, values): (&String, &Value)| (name.clone(), default(name), values.as_array().cloned().unwrap_or_default());
    said.as_object().map(|said| said.iter().map(condition).collect()).unwrap_or_default()
}

fn kind_of(name: &str, schema: &Value) -> Option<(Kind, bool)> {
    if let Some(words) = words(schema) {
        return Some((Kind::Words(words), false));
    }
    if let Some(branches) = schema["anyOf"].as_array() {
        return any_of(name, branches);
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    let kind = match *types.first()? {
        "boolean" => Kind::Toggle,
        "integer" => Kind::Number(Range::new(name, schema, true)),
        "number" => Kind::Number(Range::new(name, schema, false)),
        "string" => Kind::Text,
        "array" => match words(&schema["items"]) {
            Some(words) => Kind::WordSet(words.into_iter().map(chip).collect()),
            None => Kind::Numbers(schema["minItems"].as_u64().filter(|&n| n > 0)? as usize),
        },
        _ => return None,
    };
    Some((kind, types.contains(&"null")))
}

fn any_of(name: &str, branches: &[Value]) -> Option<(Kind, bool)> {
    let optional = branches.iter().any(|b| b["type"] == "null");
    let rest: Vec<&Value> = branches.iter().filter(|b| b["type"] != "null").collect();
    if let Some(members) = rest.iter().find_map(|b| b["properties"].as_object()) {
        return Some((Kind::Choice(members.iter().map(|(n, s)| (n.clone(), s.clone())).collect()), optional));
    }
    let number = rest.iter().find(|b| b["type"] == "integer" || b["type"] == "number");
    let word = rest.iter().find_map(|b| words(b));
    match (number, word) {
        (Some(number), Some(words)) => {
            let range = Range::new(name, number, number["type"] == "integer");
            Some((Kind::Size(range, words.into_iter().map(|w| w.0).collect()), optional))
        }
        _ => rest.first().and_then(|only| kind_of(name, only)).map(|(kind, _)| (kind, optional)),
    }
}

/// A word and a label short enough for a chip.
fn chip((word, label): (String, String)) -> (String, String) {
    const LONGEST: usize = 8;
    let label = if label.chars().count() <= LONGEST { label } else { word.replace('_', " ") };
    (word, label)
}

/// The words of an enum with their labels: its documentation where it is short, else the word.
fn words(schema: &Value) -> Option<Vec<(String, String)>> {
    const LONGEST_LABEL: usize = 28;
    if let Some(words) = schema["enum"].as_array() {
        return Some(words.iter().filter_map(Value::as_str).map(|w| (w.to_string(), w.replace('_', " "))).collect());
    }
    if let Some(word) = schema["const"].as_str() {
        return Some(vec![(word.to_string(), word.replace('_', " "))]);
    }
    let each = schema["oneOf"].as_array()?.iter().map(|branch| {
        let word = branch["const"].as_str()?;
        let label =
            branch["description"].as_str().map(|d| d.trim_end_matches('.')).filter(|d| d.chars().count() <= LONGEST_LABEL);
        Some((word.to_string(), label.unwrap_or(word).to_string()))
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{fields_of, names_of};

    fn field(group: &str, name: &str, field: &str) -> Field {
        let schema = fields_of(group, name).unwrap();
        of(schema, &[]).into_iter().find(|f| f.name == field).unwrap()
    }

    #[test]
    fn a_field_says_beside_which_values_of_others_it_is_shown() {
        let vocabulary = field("data", "text", "vocabulary").shown_where;
        let said: Vec<_> =
            vocabulary.iter().map(|(name, default, values)| (name.as_str(), default.clone(), values.clone())).collect();
        let [words, bpe, none] = ["words", "bpe", ""].map(Value::from);
        let wanted = [
            ("tokenizer", Value::from("characters"), vec![words, bpe]),
            ("tokenizer_json", none.clone(), vec![none.clone()]),
            ("tokenizer_file", none.clone(), vec![none]),
        ];
        assert_eq!(said, wanted);
        assert!(field("data", "text", "context").shown_where.is_empty());
    }

    #[test]
    fn every_field_that_an_experiment_can_hold_has_a_control_and_a_label() {
        for group in ["data", "loss", "optimizer", "schedule"] {
            for name in names_of(group) {
                let schema = fields_of(group, name).unwrap();
                let fields = of(schema, &[]);
                let known = schema["properties"].as_object().map_or(0, |p| p.len());
                // Points drawn by hand with the names of their classes, lists of column names and what is decided about columns have panels of their own.
                let elsewhere = 2 * usize::from(*name == "points") + 2 * usize::from(*name == "csv");
                assert_eq!(fields.len() + elsewhere, known, "{group} {name}");
                assert!(fields.iter().all(|f| !f.title.is_empty() && !f.help.is_empty()), "{group} {name}");
            }
        }
    }

    #[test]
    fn a_learning_rate_is_a_logarithmic_slider_with_round_values() {
        let Kind::Number(range) = field("optimizer", "adam", "lr").kind else { panic!("a number") };
        assert!(range.log && !range.whole);
        assert_eq!(range.value(0.0), 0.0);
        let middle = range.value(500.0);
        assert!((1e-3..2e-2).contains(&middle), "{middle}");
        assert!((range.position(range.value(700.0)) - 700.0).abs() < 8.0);
        assert_eq!(range.position(0.0), 0.0);
    }

    #[test]
    fn a_size_is_a_number_or_a_word_and_an_initialiser_a_choice() {
        let Kind::Size(range, words) = field("model", "linear", "out").kind else { panic!("a size") };
        assert!(range.whole && words.contains(&"classes".to_string()));
        assert!(matches!(field("model", "linear", "init").kind, Kind::Choice(_)));
        assert!(matches!(field("data", "spirals", "features").kind, Kind::WordSet(w) if w.len() > 6));
        assert!(field("training", "", "clip_norm").optional);
    }

    #[test]
    fn what_is_typed_is_read_as_a_person_means_it() {
        let Kind::Number(range) = field("data", "spirals", "noise").kind else { panic!("a number") };
        assert_eq!(range.read(" 0,25 "), Some(Value::from(0.25)));
        assert_eq!(range.read("−1"), Some(Value::from(-1.0)));
        assert_eq!((range.read("much"), range.read("NaN")), (None, None));
    }
}
