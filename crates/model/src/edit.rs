//! What an edit needs: which weights stay, and how much of a run has to be made anew.

use downhill_tensor::UserError;

use crate::check::resolved;
use crate::layers::{Init, Layer, Linear};
use crate::resolve::{Resolved, flat};
use crate::{Experiment, Signature};

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
    /// The data is made anew, then as [`Effect::Rebuild`].
    Data,
    /// Another seed, or other initial weights: the run starts over.
    Fresh,
}

/// What it takes to get from `old` to `new`.
pub fn effect(old: &Experiment, new: &Experiment) -> Effect {
    if old.seed != new.seed || initialisers(&old.model) != initialisers(&new.model) && same_but_for_init(&old.model, &new.model)
    {
        return Effect::Fresh;
    }
    if old.data != new.data {
        return Effect::Data;
    }
    let (old_rule, new_rule) = (old.optimizer.rule(&old.training), new.optimizer.rule(&new.training));
    let programs = old.model != new.model
        || old.loss != new.loss
        || old_rule != new_rule
        || old.training.batch_size != new.training.batch_size
        || old.training.clip_norm.is_some() != new.training.clip_norm.is_some();
    if programs {
        let keep_slots = old_rule.name == new_rule.name && old_rule.slots == new_rule.slots;
        return Effect::Rebuild { keep_slots };
    }
    let live = old.optimizer != new.optimizer || old.schedule != new.schedule || old.training != new.training;
    if live { Effect::Live } else { Effect::Nothing }
}

fn initialisers(model: &[Layer]) -> Vec<String> {
    let own = |layer: &Layer| layer.init().map(|init| init.to_value().to_string());
    model.iter().flat_map(|layer| own(layer).into_iter().chain(layer.branches().into_iter().flat_map(initialisers))).collect()
}

/// Whether two models differ in their initialisers alone.
fn same_but_for_init(old: &[Layer], new: &[Layer]) -> bool {
    let stripped = |model: &[Layer]| {
        let mut model = model.to_vec();
        for_each_linear(&mut model, &mut |linear| linear.init = Init::default());
        model
    };
    stripped(old) == stripped(new)
}

/// Visits all linear layers, those inside others too.
fn for_each_linear(model: &mut [Layer], visit: &mut impl FnMut(&mut Linear)) {
    for layer in model {
        match layer {
            Layer::Linear(linear) => visit(linear),
            Layer::Residual(residual) => for_each_linear(&mut residual.body, visit),
            Layer::Repeat(repeat) => for_each_linear(&mut repeat.body, visit),
            Layer::Concat(concat) => concat.branches.iter_mut().for_each(|branch| for_each_linear(branch, visit)),
            _ => {}
        }
    }
}

/// For every parameter of `new`, the parameter of `old` whose value it takes over: the longest common subsequence of layers
/// of the same kind and shapes.
///
/// # Errors
/// As [`crate::check`], of either.
pub fn carry(old: (&Experiment, &Signature), new: (&Experiment, &Signature)) -> Result<Vec<Option<usize>>, UserError> {
    let (old, new) = (resolved(old.0, old.1)?, resolved(new.0, new.1)?);
    let (old, new) = (places(&old), places(&new));
    let mut carried: Vec<Option<usize>> = vec![None; new.iter().map(|place| place.layer.parameters.len()).sum()];
    for (i, j) in common(&old, &new) {
        if let (Some(from), Some(to)) = (old.get(i), new.get(j)) {
            for k in 0..to.layer.parameters.len() {
                if let Some(slot) = carried.get_mut(to.first + k) {
                    *slot = Some(from.first + k);
                }
            }
        }
    }
    Ok(carried)
}

/// A layer with the index of its first parameter.
struct Place<'a> {
    layer: &'a Resolved,
    first: usize,
}

impl Place<'_> {
    fn matches(&self, other: &Place<'_>) -> bool {
        let shapes = |layer: &Resolved| layer.parameters.iter().map(|p| p.shape.clone()).collect::<Vec<_>>();
        let (a, b) = (self.layer, other.layer);
        a.name == b.name && a.input == b.input && a.output == b.output && shapes(a) == shapes(b)
    }
}

fn places(model: &[Resolved]) -> Vec<Place<'_>> {
    let mut first = 0;
    flat(model)
        .into_iter()
        .map(|layer| {
            let place = Place { layer, first };
            first += layer.parameters.len();
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
        assert_eq!(after(sgd(json!({}))), Effect::Rebuild { keep_slots: false });
        assert_eq!(after(json!({})), Effect::Rebuild { keep_slots: false });
        assert_eq!(after(with("data", json!("xor"))), Effect::Data);
        assert_eq!(after(with("seed", json!(1))), Effect::Fresh);
        let mut model = base();
        model[0]["linear"]["init"] = json!("zeros");
        let optimizer = json!({ "optimizer": { "sgd": { "momentum": 0.9 } } });
        assert_eq!(effect(&old, &experiment(model.clone(), optimizer.clone())), Effect::Fresh);
        model[0]["linear"]["out"] = json!(9);
        assert_eq!(effect(&old, &experiment(model, optimizer)), Effect::Rebuild { keep_slots: true });
    }

    #[test]
    fn weights_are_kept_where_layers_did_not_change() {
        let old = experiment(base(), json!({}));
        let signature = Signature::of(&old.data).unwrap();
        let carried = |model: Value| carry((&old, &signature), (&experiment(model, json!({})), &signature)).unwrap();
        let all = |indices: [i32; 6]| indices.map(|i| usize::try_from(i).ok()).to_vec();
        assert_eq!(carried(base()), all([0, 1, 2, 3, 4, 5]));
        let mut other_activation = base();
        other_activation[1] = json!("relu");
        assert_eq!(carried(other_activation), all([0, 1, 2, 3, 4, 5]));
        let mut wider = base();
        wider[2]["linear"]["out"] = json!(9);
        assert_eq!(carried(wider), all([0, 1, -1, -1, -1, -1]));
        let mut shorter = base();
        shorter.as_array_mut().unwrap().drain(2..4);
        assert_eq!(carried(shorter), [0, 1, 4, 5].map(Some).to_vec());
        let mut longer = base();
        longer.as_array_mut().unwrap().insert(2, json!({ "linear": { "out": 8 } }));
        assert_eq!(carried(longer), [Some(0), Some(1), Some(2), Some(3), None, None, Some(4), Some(5)]);
    }
}
