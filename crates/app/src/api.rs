//! `window.downhill`: what automation and the page's own tests see, and the way a panic leaves the page.

use std::cell::RefCell;

use downhill_protocol::{BenchRequest, BenchResult, Command, Status};
use js_sys::{Function, Object, Promise, Reflect};
use leptos::prelude::*;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};

use crate::opening::open_text;
use crate::state::Lab;

/// Shows the shell's overlay; called from the panic hook, after which this wasm draws nothing more.
pub fn crash(message: &str) {
    let show = Reflect::get(&js_sys::global(), &"downhillCrash".into()).ok().and_then(|f| f.dyn_into::<Function>().ok());
    if let Some(show) = show {
        let _ = show.call1(&JsValue::NULL, &message.into());
    }
}

fn put(object: &Object, name: &str, value: impl Into<JsValue>) {
    let _ = Reflect::set(object, &name.into(), &value.into());
}

/// Makes `window.downhill`.
pub fn install(lab: Lab) {
    let api = Object::new();
    put(&api, "state", Closure::<dyn Fn() -> JsValue>::new(move || state(lab)).into_js_value());
    put(
        &api,
        "load",
        Closure::<dyn Fn(String) -> Result<(), JsValue>>::new(move |text: String| {
            open_text(lab, &text).map_err(|e| e.to_string().into())
        })
        .into_js_value(),
    );
    put(&api, "play", Closure::<dyn Fn()>::new(move || lab.play(true)).into_js_value());
    put(&api, "pause", Closure::<dyn Fn()>::new(move || lab.play(false)).into_js_value());
    put(&api, "reset", Closure::<dyn Fn()>::new(move || lab.reset()).into_js_value());
    put(&api, "pace", Closure::<dyn Fn(JsValue)>::new(move |pace: JsValue| lab.pace(pace.as_f64())).into_js_value());
    put(
        &api,
        "crashWorker",
        Closure::<dyn Fn()>::new(move || {
            lab.send(Command::Crash);
        })
        .into_js_value(),
    );
    put(
        &api,
        "bench",
        Closure::<dyn Fn(String, f64) -> Promise>::new(move |workload, seconds| bench(lab, workload, seconds)).into_js_value(),
    );
    put(&js_sys::global().unchecked_into(), "downhill", api);
}

/// The run in numbers. Reads what the worker said last, so it is current even where no frame is painted.
fn state(lab: Lab) -> JsValue {
    let newest: Option<Status> = lab.inbox.with_value(|inbox| inbox.status.clone());
    let status = newest.unwrap_or_else(|| lab.status.get_untracked());
    let info = lab.info.get_untracked();
    let object = Object::new();
    put(&object, "step", status.step as f64);
    put(&object, "epoch", status.epoch);
    put(&object, "loss", status.loss);
    put(&object, "stepsPerSecond", status.steps_per_second);
    put(&object, "running", status.running);
    put(&object, "run", status.run);
    put(&object, "lr", status.lr);
    put(&object, "backend", info.as_ref().map_or(JsValue::NULL, |i| i.backend.as_str().into()));
    put(&object, "simd", lab.simd.get_untracked());
    // With every default, so that a reader need not know them.
    let full = lab.inbox.with_value(|inbox| inbox.experiment.as_ref().map(|e| e.to_full_value().to_string()));
    let experiment = full.and_then(|text| js_sys::JSON::parse(&text).ok());
    put(&object, "experiment", experiment.unwrap_or(JsValue::NULL));
    let metrics = Object::new();
    status.metrics.iter().for_each(|(name, value)| put(&metrics, name, *value));
    put(&object, "metrics", metrics);
    let problem = lab.problem.with_untracked(|p| p.as_ref().map_or(JsValue::NULL, |p| p.to_string().into()));
    put(&object, "problem", problem);
    object.into()
}

/// Runs a benchmark in the worker.
fn bench(lab: Lab, workload: String, seconds: f64) -> Promise {
    let slot: RefCell<Option<(String, f64)>> = RefCell::new(Some((workload, seconds)));
    Promise::new(&mut |resolve, _| {
        let Some((workload, seconds)) = slot.take() else { return };
        if let Some(id) = lab.send(Command::Bench(BenchRequest { workload, seconds })) {
            lab.inbox.update_value(|inbox| {
                inbox.bench.insert(id, resolve);
            });
        }
    })
}

/// Answers the promise of [`bench`].
pub fn benched(lab: Lab, result: &BenchResult) {
    let Some(resolve) = lab.inbox.try_update_value(|inbox| inbox.bench.remove(&result.id)).flatten() else { return };
    let object = Object::new();
    put(&object, "workload", result.workload.as_str());
    put(&object, "stepsPerSec", result.steps_per_second);
    put(&object, "min", result.min);
    put(&object, "max", result.max);
    put(&object, "gflops", result.gflops);
    put(&object, "lossFirst", result.first_loss);
    put(&object, "lossLast", result.last_loss);
    put(&object, "notes", result.notes.as_str());
    let _ = resolve.call1(&JsValue::NULL, &object);
}
