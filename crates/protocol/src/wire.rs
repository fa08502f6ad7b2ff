//! Messages as JavaScript values: `{ header, arrays, blobs }`, with the buffers to be transferred.

use js_sys::{Array, Float32Array, Object, Reflect, Uint8Array};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::{JsCast, JsValue};

use crate::Message;

/// A message as a value for `postMessage`, and the list of buffers to transfer with it.
///
/// # Errors
/// When the header cannot be serialised.
pub fn to_js<T: Serialize>(message: &Message<T>) -> Result<(JsValue, Array), JsValue> {
    let arrays = Array::new();
    let transfer = Array::new();
    for array in &message.arrays {
        let copy = Float32Array::from(array.as_slice());
        transfer.push(&copy.buffer());
        arrays.push(&copy);
    }
    let blobs = Array::new();
    for blob in &message.blobs {
        let copy = Uint8Array::from(blob.as_slice());
        transfer.push(&copy.buffer());
        blobs.push(&copy);
    }
    let value = Object::new();
    Reflect::set(&value, &"header".into(), &serde_wasm_bindgen::to_value(&message.header)?)?;
    Reflect::set(&value, &"arrays".into(), &arrays)?;
    Reflect::set(&value, &"blobs".into(), &blobs)?;
    Ok((value.into(), transfer))
}

/// Reads what [`to_js`] wrote.
///
/// # Errors
/// When the value is not such a message.
pub fn from_js<T: DeserializeOwned>(value: &JsValue) -> Result<Message<T>, JsValue> {
    let header = serde_wasm_bindgen::from_value(Reflect::get(value, &"header".into())?)?;
    let list = |name: &str| Reflect::get(value, &name.into())?.dyn_into::<Array>();
    let arrays = list("arrays")?.iter().map(|a| Ok(a.dyn_into::<Float32Array>()?.to_vec())).collect::<Result<_, JsValue>>()?;
    let blobs = list("blobs")?.iter().map(|b| Ok(b.dyn_into::<Uint8Array>()?.to_vec())).collect::<Result<_, JsValue>>()?;
    Ok(Message { header, arrays, blobs })
}
