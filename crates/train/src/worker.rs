//! The worker's side of the conversation with the page.

use wasm_bindgen::JsCast;

/// Tells the page that commands are heard from now on.
pub fn start() {
    if let Ok(scope) = js_sys::global().dyn_into::<web_sys::DedicatedWorkerGlobalScope>() {
        let ready = js_sys::Object::new();
        let _ = js_sys::Reflect::set(&ready, &"type".into(), &"Ready".into());
        let _ = scope.post_message(&ready);
    }
}
