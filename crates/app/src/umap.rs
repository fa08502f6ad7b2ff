//! Maps of vectors on which near ones stay near (UMAP). A worker of its own draws each, so that page and training go on; its library is fetched when the first
//! is asked for. What is drawn stands in `web/src/umap.ts`.

use js_sys::{Array, Float32Array, Function};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{MessageEvent, Worker};

use crate::worker::reflected;

/// What a map tells while it is drawn.
pub enum Told {
    /// The share that is done, 0 to 1.
    Share(f64),
    /// Where the vectors lie, two numbers for each.
    Places(Vec<f32>),
    /// Why there is no map.
    Failed(String),
}

/// A map while it is drawn; it ends when this goes.
pub struct Drawing {
    worker: Worker,
    /// What the worker calls.
    _hears: [Closure<dyn FnMut(MessageEvent)>; 2],
}

/// Whether maps can be drawn here: the page's shell can begin one, that of a widget cannot.
pub fn is_there() -> bool {
    begins().is_some()
}

fn begins() -> Option<Function> {
    reflected(&js_sys::global(), "downhillUmap").dyn_into().ok()
}

impl Drawing {
    /// Begins a map of vectors of this width; nothing where no worker can be had.
    pub fn begin(vectors: &[f32], width: usize, tell: impl Fn(Told) + Copy + 'static) -> Option<Self> {
        let worker: Worker = begins()?.call0(&JsValue::UNDEFINED).ok()?.dyn_into().ok()?;
        let told = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            let data = event.data();
            tell(match (data.as_f64(), data.as_string()) {
                (Some(share), _) => Told::Share(share),
                (_, Some(why)) => Told::Failed(why),
                _ => Told::Places(Float32Array::from(data).to_vec()),
            });
        });
        let failed = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            // What is told in a sentence is no error of the page.
            event.prevent_default();
            tell(Told::Failed(
                "The part that draws such maps could not be loaded. Look whether the network is there, then try again."
                    .to_string(),
            ));
        });
        worker.set_onmessage(Some(told.as_ref().unchecked_ref()));
        worker.set_onerror(Some(failed.as_ref().unchecked_ref()));
        worker.post_message(&Array::of2(&Float32Array::from(vectors), &(width as f64).into())).ok()?;
        Some(Self { worker, _hears: [told, failed] })
    }
}

impl Drop for Drawing {
    fn drop(&mut self) {
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        self.worker.terminate();
    }
}
