//! Tensors of a run for scripts: what the network makes of an input, once.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use downhill_protocol::{Input, Part, Query};
use js_sys::{Array, Float32Array, Object, Promise};
use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};

use crate::asked::put;
use crate::reactive::{RwSignal, effect};
use crate::state::{Answers, Lab, Probe};
use crate::watches::{Answer, Ask, Source};

/// The tensors of these names (`output`, `model[2]`, `0.weight`, …) for an input: `undefined` for the state alone, `"train"` or `"validation"`
/// for the samples of a part, an array of numbers (or one for each input) for one sample. `{ step, tensors: { name: { shape, data } } }`.
pub fn probe(lab: Lab, names: &JsValue, input: &JsValue) -> Promise {
    let names: Vec<String> =
        names.dyn_ref::<Array>().map(|list| list.iter().filter_map(|n| n.as_string()).collect()).unwrap_or_default();
    let input = input_of(input);
    Promise::new(&mut |resolve, reject| {
        let refuse = |why: &str| drop(reject.call1(&JsValue::NULL, &js_sys::Error::new(why)));
        if names.is_empty() {
            return refuse("`probe` wants the names of tensors, such as [\"output\"].");
        }
        let Some(input) = input.clone() else {
            return refuse(
                "The input is \"train\", \"validation\", or the numbers of one sample, all of them finite, one list for each input of the network.",
            );
        };
        if lab.info.with_untracked(Option::is_none) {
            return refuse("There is no run yet: wait for `ready`.");
        }
        // It leaves as a view does, when its owner goes, and that is when the answer has come.
        let owner = Owner::new();
        let kept = Rc::new(RefCell::new(Some(owner.clone())));
        owner.with(|| {
            let tensors: Vec<Query> = names.iter().map(Query::all).collect();
            let answers: Answers = RwSignal::new(None);
            let ask = Ask { source: Source::Of(input.clone()), tensors, every_ms: 1000.0 };
            let Some((reader, last)) = lab.watches.try_update_value(|watches| watches.join(ask, answers)) else { return };
            answers.set(last);
            lab.tell_watches();
            let give_up = {
                let (kept, reject) = (kept.clone(), reject.clone());
                // Nobody asks once more for what was refused.
                Rc::new(move |why: &str| {
                    let _ = reject.call1(&JsValue::NULL, &js_sys::Error::new(why));
                    let owner = kept.borrow_mut().take();
                    set_timeout(move || drop(owner.inspect(Owner::cleanup)), Duration::ZERO);
                })
            };
            lab.inbox.update_value(|inbox| inbox.probes.push(Probe { reader, input, give_up }));
            on_cleanup(move || {
                let _ = lab.inbox.try_update_value(|inbox| inbox.probes.retain(|probe| probe.reader != reader));
                let _ = lab.watches.try_update_value(|watches| watches.leave(reader));
                lab.tell_watches();
            });
            let names = names.clone();
            effect(move || {
                if let Some(answer) = answers.get() {
                    let _ = resolve.call1(&JsValue::NULL, &told(&answer, &names));
                    let owner = kept.borrow_mut().take();
                    set_timeout(move || drop(owner.inspect(Owner::cleanup)), Duration::ZERO);
                }
            });
        });
    })
}

/// Breaks the promises that wait for what this input gives, or all of them; whether there were any.
pub fn refused(lab: Lab, input: Option<&Input>, why: &str) -> bool {
    let probes = lab.inbox.try_update_value(|inbox| inbox.probes.clone()).unwrap_or_default();
    let mut waited = false;
    for probe in probes.iter().filter(|probe| input.is_none_or(|input| probe.input == *input)) {
        (probe.give_up)(why);
        waited = true;
    }
    waited
}

fn input_of(input: &JsValue) -> Option<Input> {
    if input.is_undefined() || input.is_null() {
        return Some(Input::State);
    }
    match input.as_string().as_deref() {
        Some("train") => return Some(Input::Samples { part: Part::Train, rows: None }),
        Some("validation") => return Some(Input::Samples { part: Part::Validation, rows: None }),
        Some(_) => return None,
        None => {}
    }
    let list = input.dyn_ref::<Array>()?;
    let numbers = |list: &Array| {
        list.iter().map(|v| v.as_f64().map(|v| v as f32).filter(|v| v.is_finite())).collect::<Option<Vec<f32>>>()
    };
    if let Some(one) = numbers(list) {
        return Some(Input::Given(vec![one]));
    }
    list.iter().map(|part| numbers(part.dyn_ref::<Array>()?)).collect::<Option<Vec<_>>>().map(Input::Given)
}

fn told(answer: &Arc<Answer>, names: &[String]) -> Object {
    let (object, tensors) = (Object::new(), Object::new());
    put(&object, "step", answer.step as f64);
    for name in names {
        if let Some(found) = answer.get(name) {
            let tensor = Object::new();
            put(&tensor, "shape", found.shape.iter().map(|&n| JsValue::from(n)).collect::<Array>());
            put(&tensor, "data", Float32Array::from(found.data));
            put(&tensors, name, tensor);
        }
    }
    put(&object, "tensors", tensors);
    object
}
