//! What a browser tells of its adapter and its device and wgpu does not pass on.

use js_sys::{Function, Object, Promise, Reflect};
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use crate::fault::{OUT_OF_MEMORY, one_line};

/// Vendor and architecture of the adapter that a page is given, such as `nvidia ampere`: descriptions are empty for privacy, and so may
/// these be. `None` where the browser has no such information, as Chromium before 127.
pub(crate) async fn adapter_name() -> Option<String> {
    let navigator = get(&js_sys::global(), "navigator")?;
    let gpu = get(&navigator, "gpu")?;
    let request: Function = get(&gpu, "requestAdapter")?.dyn_into().ok()?;
    let options = Object::new();
    Reflect::set(&options, &"powerPreference".into(), &"high-performance".into()).ok()?;
    let promise: Promise = request.call1(&gpu, &options).ok()?.dyn_into().ok()?;
    let info = get(&JsFuture::from(promise).await.ok()?, "info")?;
    let words = ["vendor", "architecture"].map(|key| get(&info, key).and_then(|word| word.as_string()).unwrap_or_default());
    Some(words.join(" ").trim().to_string())
}

/// Four milliseconds, as short as browsers' timers are.
pub(crate) fn moment_from_now() -> JsFuture {
    JsFuture::from(Promise::new(&mut |resolve, _| {
        let set_timeout = get(&js_sys::global(), "setTimeout").and_then(|f| f.dyn_into::<Function>().ok());
        if let Some(set_timeout) = set_timeout {
            let _ = set_timeout.call2(&JsValue::UNDEFINED, &resolve, &4.into());
        }
    }))
}

/// Hands on every error of a device that nobody waits for. wgpu knows two of the three kinds, and panics at an internal one.
pub(crate) fn on_uncaptured_error(device: &wgpu::Device, report: impl Fn(String) + 'static) {
    let Some(device) = device.as_webgpu() else { return };
    let told = Closure::<dyn FnMut(JsValue)>::new(move |event: JsValue| {
        let text = |of: &JsValue, key: &str| get(of, key).and_then(|text| text.as_string()).unwrap_or_default();
        let error = get(&event, "error").unwrap_or_default();
        let kind = get(&error, "constructor").map(|kind| text(&kind, "name")).unwrap_or_default();
        report(if kind == "GPUOutOfMemoryError" { OUT_OF_MEMORY.to_string() } else { one_line(&text(&error, "message")) });
    });
    let _ = Reflect::set(device.as_ref(), &"onuncapturederror".into(), &told.into_js_value());
}

fn get(of: &JsValue, key: &str) -> Option<JsValue> {
    Reflect::get(of, &key.into()).ok().filter(|value| !value.is_undefined() && !value.is_null())
}
