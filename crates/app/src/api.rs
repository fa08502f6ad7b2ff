//! `window.downhill`: what automation and the page's own tests see, and the way a panic leaves the page.

use downhill_protocol::{
    Backend, BenchRequest, BenchResult, Command, Comparison, GpuInfo, GpuState, ProfileReport, Readings, Status, later,
};
use js_sys::{Array, Function, Object, Promise, Reflect, Uint8Array};
use leptos::prelude::*;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::future_to_promise;

use crate::asked::{answer, ask, put};
use crate::machine::{self, COMPARED_STEPS};
use crate::opening::open_text;
use crate::state::Lab;
use crate::texts;

/// Shows the shell's overlay; called from the panic hook, after which this wasm draws nothing more.
pub fn crash(message: &str) {
    let show = Reflect::get(&js_sys::global(), &"downhillCrash".into()).ok().and_then(|f| f.dyn_into::<Function>().ok());
    if let Some(show) = show {
        let _ = show.call1(&JsValue::NULL, &message.into());
    }
}

/// Makes `window.downhill`.
pub fn install(lab: Lab) {
    put(&js_sys::global().unchecked_into(), "downhill", object(lab));
}

/// What a script may ask of a run, of the page's or of a widget's.
pub fn object(lab: Lab) -> Object {
    let api = Object::new();
    let act = |name: &str, run: fn(&Lab)| put(&api, name, Closure::<dyn Fn()>::new(move || run(&lab)).into_js_value());
    let tell = |name: &str, run: fn(Lab, String) -> Result<(), JsValue>| {
        let closure = Closure::<dyn Fn(String) -> Result<(), JsValue>>::new(move |text: String| run(lab, text));
        put(&api, name, closure.into_js_value());
    };
    let measure = |name: &str, run: fn(Lab, JsValue) -> Promise| {
        put(&api, name, Closure::<dyn Fn(JsValue) -> Promise>::new(move |with: JsValue| run(lab, with)).into_js_value());
    };
    put(&api, "state", Closure::<dyn Fn() -> JsValue>::new(move || state(lab)).into_js_value());
    tell("load", |lab, text| open_text(lab, &text).map_err(|e| e.to_string().into()));
    act("play", |lab| lab.play(true));
    act("pause", |lab| lab.play(false));
    act("reset", Lab::reset);
    put(&api, "pace", Closure::<dyn Fn(JsValue)>::new(move |pace: JsValue| lab.pace(pace.as_f64())).into_js_value());
    tell("choose", |lab, name| {
        let choice =
            machine::choice_of(&name).ok_or_else(|| format!("\"{name}\" is none of \"auto\", \"cpu\" and \"gpu\"."))?;
        lab.choose(choice);
        Ok(())
    });
    measure("compare", |lab, steps| {
        let steps = steps.as_f64().map_or(COMPARED_STEPS, |n| n as u32);
        ask(lab, Command::Compare { steps })
    });
    measure("profile", |lab, _| ask(lab, Command::Profile));
    measure("generate", |lab, with| {
        future_to_promise(async move {
            let text = later::run(|| texts::continued(lab, with)).await;
            text.unwrap_or_else(|error| Err(js_sys::Error::new(&error.to_string()).into()))
        })
    });
    let bench = Closure::<dyn Fn(String, f64, JsValue) -> Promise>::new(move |workload, seconds, on: JsValue| {
        let backend = if on.as_string().as_deref() == Some("gpu") { Backend::Gpu } else { Backend::Cpu };
        ask(lab, Command::Bench(BenchRequest { workload, seconds, backend }))
    });
    put(&api, "bench", bench.into_js_value());
    act("crashWorker", |lab| {
        lab.send(Command::Crash);
    });
    act("loseDevice", |lab| {
        lab.send(Command::LoseDevice);
    });
    api
}

/// The run in numbers. Reads what the worker said last, so it is current even where no frame is painted.
pub(crate) fn readings(lab: Lab) -> Object {
    let newest: Option<Status> = lab.inbox.with_value(|inbox| inbox.status.clone());
    let status = newest.unwrap_or_else(|| lab.status.get_untracked());
    let readings = Readings {
        step: status.step as f64,
        epoch: status.epoch,
        loss: status.loss,
        steps_per_second: status.steps_per_second,
        running: status.running,
        run: status.run,
        lr: status.lr,
    };
    let object: Object = serde_wasm_bindgen::to_value(&readings).map(JsCast::unchecked_into).unwrap_or_default();
    let metrics = Object::new();
    status.metrics.iter().for_each(|(name, value)| put(&metrics, name, *value));
    put(&object, "metrics", metrics);
    object
}

/// The run in numbers, and all else that is known of it.
fn state(lab: Lab) -> JsValue {
    let object = readings(lab);
    put(&object, "backend", lab.backends.with_untracked(|b| b.active.name()));
    put(&object, "backends", backends(lab));
    put(&object, "simd", lab.simd.get_untracked());
    // With every default, so that a reader need not know them.
    let full = lab.inbox.with_value(|inbox| inbox.experiment.as_ref().map(|e| e.to_full_value().to_string()));
    let experiment = full.and_then(|text| js_sys::JSON::parse(&text).ok());
    put(&object, "experiment", experiment.unwrap_or(JsValue::NULL));
    put(&object, "verdict", lab.verdict.with_untracked(|v| v.as_ref().map_or(JsValue::NULL, |v| v.name.as_str().into())));
    let problem = lab.problem.with_untracked(|p| p.as_ref().map_or(JsValue::NULL, |p| p.to_string().into()));
    put(&object, "problem", problem);
    object.into()
}

/// What trains, and what else could.
fn backends(lab: Lab) -> Object {
    let known = lab.backends.get_untracked();
    let object = Object::new();
    put(&object, "choice", machine::choice_name(known.choice));
    put(&object, "active", known.active.name());
    put(&object, "cpuRate", known.cpu_rate);
    let gpu = Object::new();
    put(&gpu, "state", machine::state_name(&known.gpu));
    match known.gpu {
        GpuState::Ready(GpuInfo { adapter, api, software, rate }) => {
            put(&gpu, "adapter", adapter);
            put(&gpu, "api", api);
            put(&gpu, "software", software);
            put(&gpu, "rate", rate);
        }
        GpuState::Unusable { why } => put(&gpu, "why", why),
        GpuState::Unasked | GpuState::Preparing => {}
    }
    put(&object, "gpu", gpu);
    put(&object, "note", known.note);
    put(&object, "mayReturn", known.may_return);
    object
}

/// Answers a script's benchmark.
pub fn benched(lab: Lab, result: &BenchResult) {
    answer(lab, result.id, |object| {
        put(object, "workload", result.workload.as_str());
        put(object, "stepsPerSec", result.steps_per_second);
        put(object, "min", result.min);
        put(object, "max", result.max);
        put(object, "gflops", result.gflops);
        put(object, "lossFirst", result.first_loss);
        put(object, "lossLast", result.last_loss);
        put(object, "notes", result.notes.as_str());
    });
}

/// Answers a script's wish for a copy of the run.
pub fn saved(lab: Lab, id: u32, bytes: &[u8]) {
    if let Some((resolve, _)) = lab.inbox.try_update_value(|inbox| inbox.asked.remove(&id)).flatten() {
        let _ = resolve.call1(&JsValue::NULL, &Uint8Array::from(bytes));
    }
}

/// Answers a promise of files with the bytes of each. Says whether there was one.
pub fn exported(lab: Lab, id: u32, files: &[(String, Vec<u8>)]) -> bool {
    let asked = lab.inbox.try_update_value(|inbox| inbox.asked.remove(&id)).flatten();
    if let Some((resolve, _)) = &asked {
        let files: Array = files.iter().map(|(_, bytes)| Uint8Array::from(bytes.as_slice())).collect();
        let _ = resolve.call1(&JsValue::NULL, &files);
    }
    asked.is_some()
}

/// Answers a script's comparison.
pub fn compared(lab: Lab, comparison: &Comparison) {
    answer(lab, comparison.id, |object| {
        put(object, "steps", comparison.steps);
        put(object, "adapter", comparison.adapter.as_str());
        put(object, "agrees", machine::agrees(comparison));
        let loss = Object::new();
        put(&loss, "cpu", comparison.loss.0);
        put(&loss, "gpu", comparison.loss.1);
        put(object, "loss", loss);
        put(
            object,
            "rows",
            list(&comparison.rows, |to, row| {
                put(to, "tensor", row.tensor.as_str());
                put(to, "shape", row.shape.iter().map(|&n| JsValue::from(n)).collect::<Array>());
                put(to, "absolute", row.absolute);
                put(to, "relative", row.relative);
            }),
        );
    });
}

/// Answers a script's measurement of the training program.
pub fn profiled(lab: Lab, report: &ProfileReport) {
    answer(lab, report.id, |object| {
        put(object, "backend", report.backend.name());
        put(object, "device", report.device.as_str());
        put(object, "method", report.method.as_str());
        put(object, "peakBytes", report.peak_bytes);
        put(object, "peakFlops", report.peak_flops);
        put(
            object,
            "rows",
            list(&report.rows, |to, row| {
                put(to, "kernel", row.kernel.as_str());
                put(to, "layer", row.layer.as_str());
                put(to, "phase", row.phase.as_str());
                put(to, "nanoseconds", row.nanoseconds);
                put(to, "bytes", row.bytes);
                put(to, "flops", row.flops);
            }),
        );
    });
}

fn list<T>(rows: &[T], fill: impl Fn(&Object, &T)) -> Array {
    rows.iter()
        .map(|row| {
            let object = Object::new();
            fill(&object, row);
            object
        })
        .collect()
}
