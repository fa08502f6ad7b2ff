//! Changes of the experiment that rules offer, and whether one can be made.

use downhill_model::data::Source;
use downhill_model::{Checked, Experiment, Layer, check};
use downhill_protocol::Fix;
use downhill_tensor::parse_number;
use serde_json::{Map, Value, json};

use super::words::number;

/// A change of some fields.
pub(super) fn of(label: String, changes: &[(String, Value)], fresh: bool) -> Fix {
    Fix { label, changes: changes.iter().map(|(path, value)| (path.clone(), value.to_string())).collect(), fresh }
}

/// The path of one of the optimizer's fields.
fn of_optimizer(experiment: &Experiment, field: &str) -> String {
    format!("optimizer.{}.{field}", experiment.optimizer.name())
}

/// Another learning rate: `factor` times that of now, with one digit that counts.
pub(super) fn rate(experiment: &Experiment, factor: f64, fresh: bool) -> Option<Fix> {
    let lr = rounded(experiment.optimizer.lr() * factor)?;
    let again = if fresh { " and start over" } else { "" };
    Some(of(format!("Set the learning rate to {}{again}", number(lr)), &[(of_optimizer(experiment, "lr"), json!(lr))], fresh))
}

/// The learning rate that is usual: 0.005 where steps are scaled by the size of gradients, as Adam does, else 0.1, less with momentum.
pub(super) fn usual_rate(experiment: &Experiment) -> f64 {
    let scaled = experiment.slots().iter().any(|slot| slot.contains("sq"));
    let optimizer = experiment.optimizer.to_full_value();
    let momentum = optimizer[experiment.optimizer.name()]["momentum"].as_f64().unwrap_or(0.0);
    if scaled { 0.005 } else { 0.1 * (1.0 - momentum) }
}

/// The usual learning rate, from the start.
pub(super) fn rate_as_usual(experiment: &Experiment) -> Option<Fix> {
    rate(experiment, usual_rate(experiment) / experiment.optimizer.lr(), true)
}

/// A number with one digit that counts: 0.034 is 0.03.
fn rounded(v: f64) -> Option<f64> {
    parse_number(&format!("{v:.0e}")).filter(|v| *v > 0.0 && v.is_finite())
}

/// The weight decay of the optimizer.
pub(super) fn weight_decay(experiment: &Experiment) -> f64 {
    let fields = experiment.optimizer.to_full_value();
    fields[experiment.optimizer.name()]["weight_decay"].as_f64().unwrap_or(0.0)
}

/// Ten times the weight decay, or some where there is none.
pub(super) fn stronger_decay(experiment: &Experiment) -> Option<Fix> {
    let decay = weight_decay(experiment);
    let value = if decay > 0.0 { (10.0 * decay).min(1.0) } else { 0.003 };
    let label = format!("Set the weight decay to {}", number(value));
    (value > decay).then(|| of(label, &[(of_optimizer(experiment, "weight_decay"), json!(value))], false))
}

/// Another batch size, and new running statistics with it.
pub(super) fn batch_size(samples: usize) -> Fix {
    of(format!("Set the batch size to {samples} and start over"), &[("training.batch_size".to_string(), json!(samples))], true)
}

/// A recurrent layer that remembers longer: gates where there are none, else twice the units.
pub(super) fn more_memory(experiment: &Experiment) -> Option<Fix> {
    let model: Vec<Value> = experiment.model.iter().map(Layer::to_full_value).collect();
    let cell = |name: &'static str| model.iter().position(|layer| layer[name].is_object()).map(|i| (i, &model[i][name]));
    if let Some((i, rnn)) = cell("rnn") {
        let kept = ["hidden_size", "num_layers", "bidirectional", "dropout", "output"];
        let mut lstm: Map<String, Value> = kept.iter().map(|field| ((*field).to_string(), rnn[*field].clone())).collect();
        // A gate that is open at first forgets nothing of what it has not learned to keep.
        lstm.insert("forget_bias".to_string(), json!(1.0));
        let change = (format!("model[{i}]"), json!({ "lstm": lstm }));
        return Some(of("Use an lstm there".to_string(), &[change], false));
    }
    let name = ["lstm", "gru"].into_iter().find(|name| cell(name).is_some())?;
    let (i, layer) = cell(name)?;
    let units = 2 * layer["hidden_size"].as_u64()?;
    let title = format!("{} #{i}", experiment.model.get(i)?.label());
    Some(of(format!("Give {title} {units} units"), &[(format!("model[{i}].{name}.hidden_size"), json!(units))], false))
}

/// A way for what comes before to reach an answer: an attention's window taken away, or a recurrent layer before the last.
pub(super) fn context(experiment: &Experiment) -> Option<Fix> {
    const UNITS: u64 = 64;
    let recurrent = || {
        // Where something else than the tokens so far is read, a state of these does not bring it in.
        if experiment.model.iter().any(|layer| matches!(layer, Layer::Input(_))) {
            return None;
        }
        let mut model: Vec<Value> = experiment.model.iter().map(Layer::to_value).collect();
        model.insert(model.len().checked_sub(1)?, json!({ "gru": { "hidden_size": UNITS, "output": "all" } }));
        Some(of(format!("Add a gru of {UNITS} units"), &[("model".to_string(), json!(model))], false))
    };
    no_windows(experiment).or_else(recurrent)
}

/// Attention without a window, where there is one.
pub(super) fn no_windows(experiment: &Experiment) -> Option<Fix> {
    let mut windows = Vec::new();
    for (i, layer) in experiment.model.iter().enumerate() {
        find_windows(&layer.to_value(), &format!("model[{i}]"), &mut windows);
    }
    (!windows.is_empty()).then(|| of("Let attention look at all that it may".to_string(), &windows, false))
}

/// Every window of an attention in a layer, and in those inside of it, taken away.
fn find_windows(layer: &Value, path: &str, found: &mut Vec<(String, Value)>) {
    match layer {
        Value::Object(fields) => {
            for (name, value) in fields {
                if name == "window" && value.is_u64() {
                    found.push((format!("{path}.{name}"), Value::Null));
                }
                find_windows(value, &format!("{path}.{name}"), found);
            }
        }
        Value::Array(layers) => {
            for (i, layer) in layers.iter().enumerate() {
                find_windows(layer, &format!("{path}[{i}]"), found);
            }
        }
        _ => {}
    }
}

/// Class weights, where the loss knows some and has none.
pub(super) fn balanced(experiment: &Experiment) -> Option<Fix> {
    let name = "cross_entropy";
    let plain = experiment.loss.name() == name && !experiment.loss.weighs_classes();
    let label = "Let every class count the same".to_string();
    plain.then(|| of(label, &[(format!("loss.{name}.weight"), json!("balanced"))], false))
}

/// No penalty on weights, where there is one, from the start: weights that are all zero do not come back.
pub(super) fn no_penalty(experiment: &Experiment) -> Option<Fix> {
    let training = &experiment.training;
    let penalties = [
        (of_optimizer(experiment, "weight_decay"), weight_decay(experiment)),
        ("training.l2".to_string(), training.l2),
        ("training.l1".to_string(), training.l1),
    ];
    let changes: Vec<(String, Value)> =
        penalties.into_iter().filter(|(_, value)| *value > 0.0).map(|(path, _)| (path, json!(0))).collect();
    (!changes.is_empty()).then(|| of("Take the penalties on weights away and start over".to_string(), &changes, true))
}

/// PyTorch's initial weights for these layers, from the start.
pub(super) fn initial_weights<'a>(layers: impl Iterator<Item = (&'a str, &'a str)>) -> Option<Fix> {
    let changes: Vec<(String, Value)> =
        layers.map(|(path, layer)| (format!("{path}.{layer}.init"), json!("default"))).collect();
    (!changes.is_empty()).then(|| of("Draw the initial weights at random and start over".to_string(), &changes, true))
}

/// Another activation in these places.
pub(super) fn activation<'a>(paths: impl Iterator<Item = &'a str>, name: &str) -> Option<Fix> {
    let changes: Vec<(String, Value)> = paths.map(|path| (path.to_string(), json!(name))).collect();
    let label = format!("Use {} there", name.replace('_', " "));
    (!changes.is_empty()).then(|| of(label, &changes, false))
}

/// A network that can do more: twice the units of the first layer that has a number of them and is not the last, or a hidden layer where
/// there is none.
pub(super) fn larger(experiment: &Experiment) -> Option<Fix> {
    const LEAST: u64 = 16;
    let model: Vec<Value> = experiment.model.iter().map(Layer::to_value).collect();
    let (last, hidden) = model.split_last()?;
    let units = |layer: &Value| if layer == "linear" { Some(8) } else { layer["linear"]["out"].as_u64() };
    let wider = hidden.iter().enumerate().find_map(|(i, layer)| Some((i, units(layer)?)));
    if let Some((i, units)) = wider {
        let units = (2 * units).max(LEAST);
        let title = format!("{} #{i}", experiment.model.get(i)?.label());
        return Some(of(format!("Give {title} {units} units"), &[(format!("model[{i}].linear.out"), json!(units))], false));
    }
    let more = [json!({ "linear": { "out": LEAST } }), json!("relu"), last.clone()];
    let model: Vec<Value> = hidden.iter().cloned().chain(more).collect();
    Some(of(format!("Add a hidden layer of {LEAST} units"), &[("model".to_string(), json!(model))], false))
}

/// The experiment with a change, as far as it is about anything but the data; `None` where the change cannot be made or changes nothing.
pub(crate) fn applied(fix: &Fix, checked: &Checked) -> Option<Experiment> {
    let old = &checked.experiment;
    // A table may stand inside the data; no change is about it.
    let old = Experiment {
        version: old.version,
        name: old.name.clone(),
        seed: old.seed,
        data: Source::default(),
        augment: old.augment.clone(),
        model: old.model.clone(),
        loss: old.loss.clone(),
        optimizer: old.optimizer.clone(),
        schedule: old.schedule.clone(),
        training: old.training.clone(),
        view: old.view.clone(),
    };
    let mut document = old.to_full_value();
    for (path, value) in &fix.changes {
        let pointer = format!("/{}", path.replace(['.', '['], "/").replace(']', ""));
        *document.pointer_mut(&pointer)? = serde_json::from_str(value).ok()?;
    }
    let new = Experiment::from_value(&document).ok()?.experiment;
    (new != old && check(new.clone(), checked.signature.clone()).is_ok()).then_some(new)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a helper that cannot go on has failed its test")]
mod tests {
    use downhill_model::Signature;

    use super::*;

    fn checked(rest: &str) -> Checked {
        let text =
            format!("{{ \"data\": \"xor\", \"model\": [{{ \"linear\": {{ \"out\": 4 }} }}, \"tanh\", \"linear\"], {rest} }}");
        let mut document: Value = serde_json::from_str(&text).unwrap();
        document["model"][2] = json!({ "linear": { "out": "classes" } });
        let experiment = Experiment::from_value(&document).unwrap().experiment;
        let signature = Signature::of(&experiment.data).unwrap();
        check(experiment, signature).unwrap()
    }

    #[test]
    fn a_change_is_offered_only_where_it_can_be_made() {
        let checked = checked("\"optimizer\": { \"sgd\": { \"lr\": 500 } }");
        let works =
            |path: &str, value: Value| applied(&of(String::new(), &[(path.to_string(), value)], false), &checked).is_some();
        assert!(
            works("optimizer.sgd.lr", json!(50)) && works("model[0].linear.out", json!(8)) && works("model[1]", json!("relu"))
        );
        assert!(!works("optimizer.sgd.lr", json!(5000)), "out of range");
        assert!(!works("optimizer.sgd.lr", json!(500)), "it is that already");
        assert!(!works("optimizer.adam.lr", json!(1)), "there is none");
        assert!(!works("model[2].linear.out", json!(3)), "the loss wants two");
        assert!(!works("schedule", json!("cosine")), "it has no end");
    }

    #[test]
    fn a_rate_has_one_digit_that_counts() {
        let checked = checked("\"optimizer\": { \"adam\": { \"lr\": 0.07 } }");
        let fix = rate(&checked.experiment, 0.1, true).unwrap();
        assert_eq!((fix.label.as_str(), fix.fresh), ("Set the learning rate to 0.007 and start over", true));
        assert_eq!(fix.changes, [("optimizer.adam.lr".to_string(), "0.007".to_string())]);
        assert_eq!(rate(&checked.experiment, 0.0, false), None);
        assert_eq!(
            rate_as_usual(&checked.experiment).unwrap().changes,
            [("optimizer.adam.lr".to_string(), "0.005".to_string())]
        );
    }

    #[test]
    fn a_network_gets_wider_where_it_can_and_deeper_where_it_has_no_hidden_layer() {
        let mut checked = checked("\"seed\": 1");
        let wider = larger(&checked.experiment).unwrap();
        assert_eq!(wider.changes, [("model[0].linear.out".to_string(), "16".to_string())]);
        checked.experiment.model.drain(..2);
        let deeper = larger(&checked.experiment).unwrap();
        assert_eq!(applied(&deeper, &checked).unwrap().model.len(), 3);
    }
}
