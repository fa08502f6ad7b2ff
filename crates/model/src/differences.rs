//! In what two experiments differ, in the few words that a chart has room for: `lr 0.01 → 0.03`, `hidden 8 → 16`, `+ tanh`.
//! What it means for a run stands in `edit.rs`.

use serde_json::{Map, Value};

use crate::Experiment;
use crate::layers::Layer;

/// What is different in `new`, one entry for each; empty where both are trained alike. The name and the view are no difference.
pub fn differences(old: &Experiment, new: &Experiment) -> Vec<String> {
    let mut found = Found(Vec::new());
    found.change("seed", &Value::from(old.seed), &Value::from(new.seed));
    found.layers(&old.model, &new.model);
    let (old, new) = (old.to_full_value(), new.to_full_value());
    for part in ["data", "loss", "optimizer", "schedule"] {
        found.choice(part, &old[part], &new[part]);
    }
    found.fields(&old["augment"], &new["augment"]);
    found.fields(&old["training"], &new["training"]);
    found.0
}

/// The first differences in one line, with a count of the others.
pub fn in_a_line(differences: &[String]) -> String {
    const SHOWN: usize = 3;
    let mut text = differences.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if differences.len() > SHOWN {
        text.push_str(" and ");
        text.push_str(&(differences.len() - SHOWN).to_string());
        text.push_str(" more");
    }
    text
}

struct Found(Vec<String>);

impl Found {
    /// Says it once, however many layers it is true of.
    fn say(&mut self, text: String) {
        if !self.0.contains(&text) {
            self.0.push(text);
        }
    }

    fn change(&mut self, what: &str, old: &Value, new: &Value) {
        if old == new {
            return;
        }
        let what = what.replace('_', " ");
        self.say(match (short(old), short(new)) {
            (Some(old), Some(new)) if old != new => [what.as_str(), " ", &old, " → ", &new].concat(),
            _ => what,
        });
    }

    /// Of `{ "name": { fields } }`: the names, or where these agree the fields.
    fn choice(&mut self, what: &str, old: &Value, new: &Value) {
        let ((old_name, old), (new_name, new)) = (named(old), named(new));
        if old_name == new_name {
            return self.fields(old, new);
        }
        self.change(what, &Value::from(old_name.replace('_', " ")), &Value::from(new_name.replace('_', " ")));
    }

    fn fields(&mut self, old: &Value, new: &Value) {
        let empty = Map::new();
        let (old, new) = (old.as_object().unwrap_or(&empty), new.as_object().unwrap_or(&empty));
        for (name, value) in new {
            self.change(name, old.get(name).unwrap_or(&Value::Null), value);
        }
    }

    /// Layer by layer where there are as many; else what came and went between the layers that both begin and end with.
    fn layers(&mut self, old: &[Layer], new: &[Layer]) {
        if old.len() == new.len() {
            let last = new.len().saturating_sub(1);
            for (i, (old, new)) in old.iter().zip(new).enumerate().filter(|(_, (old, new))| old != new) {
                self.layer(old, new, i < last);
            }
            return;
        }
        let front = old.iter().zip(new).take_while(|(a, b)| a == b).count();
        let room = old.len().min(new.len()) - front;
        let back = old.iter().rev().zip(new.iter().rev()).take(room).take_while(|(a, b)| a == b).count();
        let between = |layers: &[Layer]| {
            layers.get(front..layers.len() - back).unwrap_or_default().iter().map(Layer::label).collect::<Vec<_>>()
        };
        for (sign, labels) in [("− ", between(old)), ("+ ", between(new))] {
            labels.into_iter().for_each(|label| self.say([sign, &label].concat()));
        }
    }

    fn layer(&mut self, old: &Layer, new: &Layer, hidden: bool) {
        let (before, after) = (old.to_full_value(), new.to_full_value());
        let ((old_name, old_fields), (new_name, new_fields)) = (named(&before), named(&after));
        if old_name != new_name {
            return self.say([&old.label(), " → ", &new.label()].concat());
        }
        for (name, value) in new_fields.as_object().into_iter().flatten() {
            let what = if name == "out" && hidden { "hidden".to_string() } else { [new_name, " ", name].concat() };
            self.change(&what, old_fields.get(name).unwrap_or(&Value::Null), value);
        }
    }
}

fn named(choice: &Value) -> (&str, &Value) {
    match choice {
        Value::Object(map) => map.iter().next().map_or(("", &Value::Null), |(name, fields)| (name, fields)),
        other => (other.as_str().unwrap_or_default(), &Value::Null),
    }
}

/// A value that has room on a chart: a number, a word, a short list, how many there are of a long one.
fn short(value: &Value) -> Option<String> {
    const LONGEST: usize = 24;
    match value {
        Value::Null => Some("off".to_string()),
        Value::Bool(on) => Some(if *on { "on" } else { "off" }.to_string()),
        Value::Number(number) => Some(number.to_string().trim_end_matches(".0").to_string()),
        Value::String(word) => (word.chars().count() <= LONGEST).then(|| word.clone()),
        Value::Array(items) => {
            let parts: Option<Vec<String>> = items.iter().map(short).collect();
            let text = parts?.join(" ");
            Some(if text.chars().count() <= LONGEST { text } else { items.len().to_string() })
        }
        Value::Object(_) => Some(named(value).0.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn experiment(change: impl FnOnce(&mut Value)) -> Experiment {
        let mut document = json!({ "seed": 1, "data": "spirals", "optimizer": { "adam": { "lr": 0.01 } },
            "model": [{ "linear": { "out": 8 } }, "tanh", { "linear": { "out": 8 } }, "tanh", { "linear": { "out": "classes" } }] });
        change(&mut document);
        Experiment::from_value(&document).unwrap().experiment
    }

    fn after(change: impl FnOnce(&mut Value)) -> String {
        differences(&experiment(|_| {}), &experiment(change)).join(", ")
    }

    #[test]
    fn a_difference_is_said_with_what_was_and_what_is() {
        assert_eq!(after(|d| d["optimizer"]["adam"]["lr"] = json!(0.03)), "lr 0.01 → 0.03");
        assert_eq!(after(|d| d["seed"] = json!(2)), "seed 1 → 2");
        assert_eq!(after(|d| d["data"] = json!("circles")), "data spirals → circles");
        assert_eq!(after(|d| d["data"] = json!({ "spirals": { "noise": 0.2 } })), "noise 0.03 → 0.2");
        assert_eq!(after(|d| d["optimizer"] = json!("sgd")), "optimizer adam → sgd");
        assert_eq!(
            after(|d| d["training"] = json!({ "batch_size": 64, "clip_norm": 1 })),
            "batch size 32 → 64, clip norm off → 1"
        );
        assert_eq!(after(|d| d["data"] = json!({ "spirals": { "features": ["x", "y", "x2"] } })), "features x y → x y x2");
    }

    #[test]
    fn layers_are_compared_one_by_one_and_what_is_true_of_several_is_said_once() {
        assert_eq!(after(|d| d["model"][0]["linear"]["out"] = json!(16)), "hidden 8 → 16");
        let both = |d: &mut Value| (d["model"][1], d["model"][3]) = (json!("relu"), json!("relu"));
        assert_eq!(after(both), "tanh → relu");
        assert_eq!(after(|d| d["model"].as_array_mut().unwrap().insert(2, json!("dropout"))), "+ dropout 0.5");
        assert_eq!(after(|d| drop(d["model"].as_array_mut().unwrap().drain(2..4))), "− linear 8, − tanh");
        assert_eq!(after(|d| d["model"][0]["linear"]["bias"] = json!(false)), "linear bias on → off");
    }

    #[test]
    fn a_name_and_a_pace_are_no_difference_and_a_line_counts_what_it_leaves_out() {
        assert_eq!(after(|d| (d["name"], d["view"]) = (json!("new"), json!({ "pace": "max" }))), "");
        let many = ["a", "b", "c", "d", "e"].map(str::to_string);
        assert_eq!((in_a_line(&many).as_str(), in_a_line(&many[..2]).as_str()), ("a, b, c and 2 more", "a, b"));
    }
}
