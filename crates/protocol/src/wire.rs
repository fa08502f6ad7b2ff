//! Messages as JavaScript values: `{ header, arrays, blobs }`, with the buffers to be transferred. The header is bytes without names:
//! page and worker are the same build, and code that reads names is several times as large.

use js_sys::{Array, ArrayBuffer, Float32Array, Object, Reflect, Uint8Array};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::{JsCast, JsValue};

use crate::Message;

/// A message as a value for `postMessage`, and the list of buffers to transfer with it. `files` are blobs that stand behind those of the message and
/// are handed over as they are: a file of tens of megabytes is never copied.
///
/// # Errors
/// When the header cannot be serialised.
pub fn to_js<T: Serialize>(message: &Message<T>, files: &[ArrayBuffer]) -> Result<(JsValue, Array), JsValue> {
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
    for file in files {
        transfer.push(file);
        blobs.push(&Uint8Array::new(file));
    }
    let value = Object::new();
    let header = postcard::to_allocvec(&message.header).map_err(|_| JsValue::from("the header cannot be written"))?;
    Reflect::set(&value, &"header".into(), &Uint8Array::from(header.as_slice()))?;
    Reflect::set(&value, &"arrays".into(), &arrays)?;
    Reflect::set(&value, &"blobs".into(), &blobs)?;
    Ok((value.into(), transfer))
}

/// Reads what [`to_js`] wrote.
///
/// # Errors
/// When the value is not such a message.
pub fn from_js<T: DeserializeOwned>(value: &JsValue) -> Result<Message<T>, JsValue> {
    let header = Reflect::get(value, &"header".into())?.dyn_into::<Uint8Array>()?.to_vec();
    let header = postcard::from_bytes(&header).map_err(|_| JsValue::from("the header cannot be read"))?;
    let list = |name: &str| Reflect::get(value, &name.into())?.dyn_into::<Array>();
    let arrays = list("arrays")?.iter().map(|a| Ok(a.dyn_into::<Float32Array>()?.to_vec())).collect::<Result<_, JsValue>>()?;
    let blobs = list("blobs")?.iter().map(|b| Ok(b.dyn_into::<Uint8Array>()?.to_vec())).collect::<Result<_, JsValue>>()?;
    Ok(Message { header, arrays, blobs })
}
