//! Messages as JavaScript values: `{ header, arrays }`, with the arrays' buffers to be transferred.

use js_sys::{Array, Float32Array, Object, Reflect};
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
    let value = Object::new();
    Reflect::set(&value, &"header".into(), &serde_wasm_bindgen::to_value(&message.header)?)?;
    Reflect::set(&value, &"arrays".into(), &arrays)?;
    Ok((value.into(), transfer))
}

/// Reads what [`to_js`] wrote.
///
/// # Errors
/// When the value is not such a message.
pub fn from_js<T: DeserializeOwned>(value: &JsValue) -> Result<Message<T>, JsValue> {
    let header = serde_wasm_bindgen::from_value(Reflect::get(value, &"header".into())?)?;
    let list: Array = Reflect::get(value, &"arrays".into())?.dyn_into()?;
    let mut arrays = Vec::with_capacity(list.length() as usize);
    for item in list.iter() {
        arrays.push(item.dyn_into::<Float32Array>()?.to_vec());
    }
    Ok(Message { header, arrays })
}
