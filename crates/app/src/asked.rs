//! What scripts ask of the worker and are answered later: a promise for each request, kept until its answer comes.

use downhill_protocol::{Arrays, Command};
use downhill_tensor::UserError;
use js_sys::{Function, Object, Promise, Reflect};
use leptos::prelude::*;
use wasm_bindgen::JsValue;

use crate::state::Lab;

/// Sets a field of an object.
pub(crate) fn put(object: &Object, name: &str, value: impl Into<JsValue>) {
    let _ = Reflect::set(object, &name.into(), &value.into());
}

/// Sends a command that is answered later.
pub(crate) fn ask(lab: Lab, command: Command) -> Promise {
    ask_with(lab, Arrays::default(), command)
}

/// Sends a command with bulk data that is answered later.
pub(crate) fn ask_with(lab: Lab, arrays: Arrays, command: Command) -> Promise {
    let mut outgoing = Some((arrays, command));
    Promise::new(&mut |resolve, reject| {
        let Some((arrays, command)) = outgoing.take() else { return };
        if let Some(id) = lab.link.with_value(|link| link.as_ref().map(|link| link.send_with(arrays, command))) {
            lab.inbox.update_value(|inbox| {
                inbox.asked.insert(id, (resolve, reject));
            });
        }
    })
}

/// Answers a request with an object.
pub(crate) fn answer(lab: Lab, id: u32, make: impl FnOnce(&Object)) {
    let Some((resolve, _)) = lab.inbox.try_update_value(|inbox| inbox.asked.remove(&id)).flatten() else { return };
    let object = Object::new();
    make(&object);
    let _ = resolve.call1(&JsValue::NULL, &object);
}

/// A request that is answered with nothing more was carried out. Its promise is kept with the status that follows, so that whoever waited for
/// it reads the run as it is then.
pub(crate) fn done(lab: Lab, id: u32) {
    lab.inbox.update_value(|inbox| {
        if let Some((resolve, _)) = inbox.asked.remove(&id) {
            inbox.carried_out.push(resolve);
        }
    });
}

/// A status has come.
pub(crate) fn follows(lab: Lab) {
    for resolve in lab.inbox.try_update_value(|inbox| std::mem::take(&mut inbox.carried_out)).unwrap_or_default() {
        let _ = resolve.call0(&JsValue::NULL);
    }
}

/// Breaks the promise of a request, if one was given.
pub(crate) fn refused(lab: Lab, id: u32, error: &UserError) -> bool {
    let asked = lab.inbox.try_update_value(|inbox| inbox.asked.remove(&id)).flatten();
    asked.inspect(|(_, reject)| break_promise(reject, &error.to_string())).is_some()
}

/// The worker will answer nothing that was asked of it.
pub(crate) fn abandoned(lab: Lab, message: &str) {
    let asked = lab.inbox.try_update_value(|inbox| std::mem::take(&mut inbox.asked)).unwrap_or_default();
    asked.values().for_each(|(_, reject)| break_promise(reject, message));
}

fn break_promise(reject: &Function, message: &str) {
    let _ = reject.call1(&JsValue::NULL, &js_sys::Error::new(message));
}
