//! What a browser tells of its adapter and wgpu does not pass on.

use js_sys::{Function, Object, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

/// Vendor and architecture of the adapter that a page is given, such as `nvidia ampere`: descriptions are empty for privacy.
pub(crate) async fn adapter_name() -> Option<String> {
    let navigator = get(&js_sys::global(), "navigator")?;
    let gpu = get(&navigator, "gpu")?;
    let request: Function = get(&gpu, "requestAdapter")?.dyn_into().ok()?;
    let options = Object::new();
    Reflect::set(&options, &"powerPreference".into(), &"high-performance".into()).ok()?;
    let promise: Promise = request.call1(&gpu, &options).ok()?.dyn_into().ok()?;
    let info = get(&JsFuture::from(promise).await.ok()?, "info")?;
    let words = ["vendor", "architecture"].map(|key| get(&info, key).and_then(|word| word.as_string()).unwrap_or_default());
    let name = words.join(" ").trim().to_string();
    (!name.is_empty()).then_some(name)
}

fn get(of: &JsValue, key: &str) -> Option<JsValue> {
    Reflect::get(of, &key.into()).ok().filter(|value| !value.is_undefined() && !value.is_null())
}
