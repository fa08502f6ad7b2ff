//! What an edit needs: which weights stay, and how much of a run has to be made anew.

use serde_json::Value as Json;

use crate::Experiment;
use crate::check::Checked;
use crate::layers::def::{Buffer, BufferKind, Resolved, flat};
use crate::layers::{Layer, write_list};

/// How much of a run an edit touches, from least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Only the name or the view: nothing changes for the engine.
    Nothing,
    /// Only step scalars and bookkeeping: rates, penalties, momentum, schedule, number of steps. Nothing is recompiled.
    Live,
    /// Programs are recompiled; weights of layers that did not change are kept ([`carry`]).
    Rebuild {
        /// Whether the optimizer's slots still mean the same.
        keep_slots: bool,
    },
    /// Other samples of the same data: they are made anew, then as [`Effect::Rebuild`].
    Data,
    /// Other data, another seed or other initial weights: a new run.
    Fresh,
}

/// What it takes to get from `old` to `new`.
pub fn effect(old: &Experiment, new: &Experiment) -> Effect {
    if old.seed != new.seed {
        return Effect::Fresh;
    }
    if old.model != new.model {
        let ((old_layers, old_init), (new_layers, new_init)) = (split_init(&old.model), split_init(&new.model));
        if old_layers == new_layers && old_init != new_init {
            return Effect::Fresh;
        }
    }
    if old.data != new.data || old.augment != new.augment {
        // What is frozen is worth something for other data too.
        let goes_on = old.data.is_same_task(&new.data) || new.training.frozen > 0;
        return if goes_on { Effect::Data } else { Effect::Fresh };
    }
    // The answers are others, the samples are not.
    if old.loss.reconstructs() != new.loss.reconstructs() {
        return Effect::Data;
    }
    let rules = |of: &Experiment| (of.optimizer.rule(&of.training), of.optimizer.matrix_rule(&of.training));
    let programs = old.model != new.model
        || old.loss != new.loss
        || rules(old) != rules(new)
        || old.training.decay_all != new.training.decay_all
        || old.training.frozen != new.training.frozen
        || old.training.batch_size != new.training.batch_size
        || old.training.accumulate != new.training.accumulate
        || old.training.clip_norm.is_some() != new.training.clip_norm.is_some();
    if programs {
        return Effect::Rebuild { keep_slots: keeps_slots(old, new) };
    }
    let live = old.optimizer != new.optimizer || old.schedule != new.schedule || old.training != new.training;
    if live { Effect::Live } else { Effect::Nothing }
}

/// Whether the optimizer's own slots still mean the same. The averages of the weights are behind them, and begin and end without them.
pub fn keeps_slots(old: &Experiment, new: &Experiment) -> bool {
    let own = |experiment: &Experiment| {
        let mut slots = experiment.slots();
        slots.truncate(experiment.average_slot().unwrap_or(slots.len()));
        (experiment.optimizer.name(), slots)
    };
    // Which weights are matrices of hidden layers depends on the layers behind them.
    let same_matrices = old.model == new.model || new.optimizer.matrix_rule(&new.training).is_none();
    own(old) == own(new) && same_matrices
}

/// The model with its initial weights taken out, and these, in the order in which they stand. Fields called `init` mean them in every layer,
/// so that a new layer, or a new one with layers inside, needs no line here.
fn split_init(model: &[Layer]) -> (Json, Vec<Json>) {
    let (mut model, mut taken) = (write_list(model, true), Vec::new());
    take_init(&mut model, &mut taken);
    (model, taken)
}

fn take_init(value: &mut Json, taken: &mut Vec<Json>) {
    match value {
        Json::Object(fields) => {
            taken.extend(fields.remove("init"));
            fields.values_mut().for_each(|field| take_init(field, taken));
        }
        Json::Array(items) => items.iter_mut().for_each(|item| take_init(item, taken)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

/// What a rebuilt run takes over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// For every parameter of the new model, the parameter of the old one whose value it takes over.
    pub parameters: Vec<Option<usize>>,
    /// The same for the states.
    pub states: Vec<Option<usize>>,
    /// Layers with parameters: how many keep them, of how many.
    pub layers: (u32, u32),
}

impl Carried {
    /// Whether no weight goes on, so that the rebuilt run is a new one.
    pub fn keeps_nothing(&self) -> bool {
        self.layers.0 == 0
    }
}

/// What the layers of `new` take over from those of `old`: along the longest common subsequence of layers of the same kind and shapes.
pub fn carry(old: &Checked, new: &Checked) -> Carried {
    let (old, new) = (places(&old.layers), places(&new.layers));
    let count = |of: fn(&Resolved) -> usize| new.iter().map(|place| of(place.layer)).sum();
    let mut carried = Carried {
        parameters: vec![None; count(|layer| layer.parameters.len())],
        states: vec![None; count(|layer| layer.buffers.len())],
        layers: (0, new.iter().filter(|place| !place.layer.parameters.is_empty()).count() as u32),
    };
    for (i, j) in common(&old, &new) {
        if let (Some(from), Some(to)) = (old.get(i), new.get(j)) {
            take(&mut carried.parameters, from.parameter, to.parameter, to.layer.parameters.len());
            let states = from.layer.buffers.iter().zip(&to.layer.buffers).enumerate();
            for (n, _) in states.filter(|(_, (from, to))| from.kind == to.kind && from.shape == to.shape) {
                take(&mut carried.states, from.state + n, to.state + n, 1);
            }
            carried.layers.0 += u32::from(!to.layer.parameters.is_empty());
        }
    }
    carried
}

/// `count` neighbours from `to` on take over those from `from` on.
fn take(carried: &mut [Option<usize>], from: usize, to: usize, count: usize) {
    carried.iter_mut().skip(to).take(count).zip(from..).for_each(|(slot, from)| *slot = Some(from));
}

/// A layer with the indices of its first parameter and its first state.
struct Place<'a> {
    layer: &'a Resolved,
    parameter: usize,
    state: usize,
}

impl Place<'_> {
    fn matches(&self, other: &Place<'_>) -> bool {
        let (a, b) = (self.layer, other.layer);
        a.name == b.name
            && a.inputs == b.inputs
            && a.output == b.output
            && a.parameters.len() == b.parameters.len()
            && a.parameters.iter().zip(&b.parameters).all(|(a, b)| a.shape == b.shape)
            && statistics(a).map(|buffer| &buffer.shape).eq(statistics(b).map(|buffer| &buffer.shape))
    }
}

/// The buffers that belong to a layer's weights; what a batch leaves to the next does not.
fn statistics(layer: &Resolved) -> impl Iterator<Item = &Buffer> {
    layer.buffers.iter().filter(|buffer| buffer.kind != BufferKind::Carried)
}

fn places(model: &[Resolved]) -> Vec<Place<'_>> {
    let (mut parameter, mut state) = (0, 0);
    flat(model)
        .into_iter()
        .map(|layer| {
            let place = Place { layer, parameter, state };
            parameter += layer.parameters.len();
            state += layer.buffers.len();
            place
        })
        .collect()
}

/// Pairs of a longest common subsequence; among several the one that matches from the front.
fn common(old: &[Place<'_>], new: &[Place<'_>]) -> Vec<(usize, usize)> {
    let width = new.len() + 1;
    // longest[i][j]: length for old[i..], new[j..].
    let mut longest = vec![0u32; (old.len() + 1) * width];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            longest[i * width + j] = if old[i].matches(&new[j]) {
                1 + longest[(i + 1) * width + j + 1]
            } else {
                longest[(i + 1) * width + j].max(longest[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j, mut pairs) = (0, 0, Vec::new());
    while i < old.len() && j < new.len() {
        if old[i].matches(&new[j]) {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if longest[(i + 1) * width + j] >= longest[i * width + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{Signature, check};

    fn experiment(model: Value, rest: Value) -> Experiment {
        let mut document = json!({ "data": "spirals", "model": model });
        for (name, value) in rest.as_object().unwrap() {
            document[name] = value.clone();
        }
        Experiment::from_value(&document).unwrap().experiment
    }

    fn base() -> Value {
        json!([{ "linear": { "out": 8 } }, "tanh", { "linear": { "out": 8 } }, "tanh", { "linear": { "out": "classes" } }])
    }

    #[test]
    fn an_edit_costs_no_more_than_it_must() {
        let old = experiment(base(), json!({ "optimizer": { "sgd": { "momentum": 0.9 } } }));
        let after = |rest: Value| effect(&old, &experiment(base(), rest));
        let sgd = |fields: Value| json!({ "optimizer": { "sgd": fields } });
        let with = |name: &str, value: Value| json!({ "optimizer": { "sgd": { "momentum": 0.9 } }, name: value });
        assert_eq!(after(with("name", json!("new"))), Effect::Nothing);
        assert_eq!(after(with("view", json!({ "pace": "max" }))), Effect::Nothing);
        assert_eq!(after(sgd(json!({ "momentum": 0.5, "lr": 3, "weight_decay": 0.1 }))), Effect::Live);
        assert_eq!(after(with("training", json!({ "l2": 0.1, "steps": 9, "eval_every": 3 }))), Effect::Live);
        assert_eq!(after(with("schedule", json!("step"))), Effect::Live);
        assert_eq!(after(with("training", json!({ "l1": 0.1 }))), Effect::Rebuild { keep_slots: true });
        assert_eq!(after(with("training", json!({ "batch_size": 5 }))), Effect::Rebuild { keep_slots: true });
        assert_eq!(after(with("training", json!({ "clip_norm": 1 }))), Effect::Rebuild { keep_slots: true });
        assert_eq!(after(with("training", json!({ "ema": 0.9 }))), Effect::Rebuild { keep_slots: true });
        let averaged = |decay: f64| experiment(base(), with("training", json!({ "ema": decay })));
        assert_eq!(effect(&averaged(0.9), &averaged(0.99)), Effect::Live);
        assert_eq!(after(sgd(json!({}))), Effect::Rebuild { keep_slots: false });
        assert_eq!(after(json!({})), Effect::Rebuild { keep_slots: false });
        assert_eq!(after(with("data", json!({ "spirals": { "noise": 0.2, "samples": 50 } }))), Effect::Data);
        assert_eq!(after(with("data", json!("xor"))), Effect::Fresh);
        let mut frozen = with("data", json!("xor"));
        frozen["training"] = json!({ "frozen": 1 });
        assert_eq!(after(frozen), Effect::Data);
        assert_eq!(after(with("training", json!({ "frozen": 1 }))), Effect::Rebuild { keep_slots: true });
        assert_eq!(after(with("data", json!({ "spirals": { "turns": 2 } }))), Effect::Fresh);
        assert_eq!(after(with("seed", json!(1))), Effect::Fresh);
        let mut model = base();
        model[0]["linear"]["init"] = json!("zeros");
        let optimizer = json!({ "optimizer": { "sgd": { "momentum": 0.9 } } });
        assert_eq!(effect(&old, &experiment(model.clone(), optimizer.clone())), Effect::Fresh);
        model[0]["linear"]["out"] = json!(9);
        assert_eq!(effect(&old, &experiment(model, optimizer)), Effect::Rebuild { keep_slots: true });
    }

    #[test]
    fn other_initial_weights_of_any_layer_start_the_run_over_wherever_it_stands() {
        let with_init: Vec<&str> =
            Layer::NAMES.iter().copied().filter(|name| Layer::schema(name)["properties"].get("init").is_some()).collect();
        assert!(with_init.contains(&"linear"));
        let places: [fn(Value) -> Value; 4] = [
            |layer| json!([layer]),
            |layer| json!([{ "residual": [layer] }]),
            |layer| json!([{ "concat": [["tanh"], [{ "residual": [layer] }]] }]),
            |layer| json!([{ "repeat": { "times": 2, "body": [layer] } }]),
        ];
        for name in with_init {
            for place in places {
                let old = experiment(place(json!(name)), json!({}));
                let new = experiment(place(json!({ name: { "init": "zeros" } })), json!({}));
                assert_eq!(effect(&old, &new), Effect::Fresh, "{name}");
                assert_eq!(effect(&new, &new), Effect::Nothing, "{name}");
            }
        }
    }

    #[test]
    fn weights_are_kept_where_layers_did_not_change() {
        let checked = |model: Value| {
            let experiment = experiment(model, json!({}));
            let signature = Signature::of(&experiment.data).unwrap();
            check(experiment, signature).unwrap()
        };
        let old = checked(base());
        let kept = |model: Value| carry(&old, &checked(model)).layers;
        let carried = |model: Value| carry(&old, &checked(model)).parameters;
        let all = |indices: [i32; 6]| indices.map(|i| usize::try_from(i).ok()).to_vec();
        assert_eq!(carried(base()), all([0, 1, 2, 3, 4, 5]));
        let mut other_activation = base();
        other_activation[1] = json!("relu");
        assert_eq!(carried(other_activation), all([0, 1, 2, 3, 4, 5]));
        let mut wider = base();
        wider[2]["linear"]["out"] = json!(9);
        assert_eq!(kept(wider.clone()), (1, 3));
        assert_eq!(carried(wider), all([0, 1, -1, -1, -1, -1]));
        let other = json!([{ "linear": { "out": 9 } }, "tanh", { "linear": { "out": "classes" } }]);
        assert!(carry(&old, &checked(other)).keeps_nothing());
        let mut shorter = base();
        shorter.as_array_mut().unwrap().drain(2..4);
        assert_eq!(carried(shorter), [0, 1, 4, 5].map(Some).to_vec());
        let mut longer = base();
        longer.as_array_mut().unwrap().insert(2, json!({ "linear": { "out": 8 } }));
        assert_eq!(carried(longer), [Some(0), Some(1), Some(2), Some(3), None, None, Some(4), Some(5)]);
    }
}
