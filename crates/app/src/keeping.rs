//! What the browser keeps for the page (IndexedDB): a person's own files, and experiments that are too long for an address.

use downhill_protocol::later;
use downhill_tensor::UserError;
use js_sys::Promise;
use leptos::prelude::window;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{IdbDatabase, IdbRequest, IdbTransaction, IdbTransactionMode};

const DATABASE: &str = "downhill";
const STORE: &str = "kept";

/// The key of a person's own file.
pub fn own(name: &str) -> String {
    format!("own/{name}")
}

/// The key of an experiment.
pub fn experiment(name: &str) -> String {
    format!("experiment/{name}")
}

/// Keeps a value in place of an earlier one.
///
/// # Errors
/// Where the browser keeps nothing, or has no room.
pub async fn put(key: String, value: JsValue) -> Result<(), UserError> {
    later::run(move || async move { write(&key, &value).await.map_err(|error| refusal(&error)) }).await
}

/// A value that was kept, if there is one.
///
/// # Errors
/// Where the browser keeps nothing.
pub async fn get(key: String) -> Result<Option<JsValue>, UserError> {
    later::run(move || async move { read(&key).await.map_err(|error| refusal(&error)) }).await
}

/// What is kept: the key of each value, and how long it is in bytes.
///
/// # Errors
/// Where the browser keeps nothing.
pub async fn list() -> Result<Vec<(String, f64)>, UserError> {
    later::run(|| async { read_all().await.map_err(|error| refusal(&error)) }).await
}

/// Throws values away.
///
/// # Errors
/// Where the browser keeps nothing.
pub async fn forget(keys: Vec<String>) -> Result<(), UserError> {
    later::run(move || async move { delete(&keys).await.map_err(|error| refusal(&error)) }).await
}

/// Why nothing is kept, in the page's words.
fn refusal(error: &JsValue) -> UserError {
    let part = |value: &JsValue, name: &str| js_sys::Reflect::get(value, &name.into()).unwrap_or(JsValue::UNDEFINED);
    // A failure is an exception, or an event of a request or of a transaction, which holds one.
    let inner = part(&part(error, "target"), "error");
    let name = part(if inner.is_object() { &inner } else { error }, "name").as_string();
    UserError::new(if name.as_deref() == Some("QuotaExceededError") {
        "This browser has no room left to keep data for the page."
    } else {
        "This browser keeps no data for the page."
    })
}

#[inline(never)]
async fn write(key: &str, value: &JsValue) -> Result<(), JsValue> {
    let database = open().await?;
    let transaction = database.transaction_with_str_and_mode(STORE, IdbTransactionMode::Readwrite)?;
    transaction.object_store(STORE)?.put_with_key(value, &key.into())?;
    let outcome = ended(&transaction).await;
    database.close();
    outcome
}

#[inline(never)]
async fn read_all() -> Result<Vec<(String, f64)>, JsValue> {
    let database = open().await?;
    let store = database.transaction_with_str(STORE)?.object_store(STORE)?;
    let mut found = Vec::new();
    for key in js_sys::Array::from(&settled(&store.get_all_keys()?).await?) {
        let value = settled(&store.get(&key)?).await?;
        let bytes = value.dyn_ref::<web_sys::Blob>().map(web_sys::Blob::size);
        let bytes = bytes.or_else(|| value.dyn_ref::<js_sys::JsString>().map(|text| f64::from(text.length())));
        found.extend(key.as_string().map(|key| (key, bytes.unwrap_or_default())));
    }
    database.close();
    Ok(found)
}

#[inline(never)]
async fn delete(keys: &[String]) -> Result<(), JsValue> {
    let database = open().await?;
    let transaction = database.transaction_with_str_and_mode(STORE, IdbTransactionMode::Readwrite)?;
    let store = transaction.object_store(STORE)?;
    for key in keys {
        store.delete(&key.as_str().into())?;
    }
    let outcome = ended(&transaction).await;
    database.close();
    outcome
}

/// Waits for the end of a transaction, at which a full disk is told.
async fn ended(transaction: &IdbTransaction) -> Result<(), JsValue> {
    let promise = Promise::new(&mut |resolve, reject| {
        transaction.set_oncomplete(Some(&resolve));
        transaction.set_onabort(Some(&reject));
        transaction.set_onerror(Some(&reject));
    });
    JsFuture::from(promise).await.map(drop)
}

#[inline(never)]
async fn read(key: &str) -> Result<Option<JsValue>, JsValue> {
    let database = open().await?;
    let transaction = database.transaction_with_str(STORE)?;
    let found = settled(&transaction.object_store(STORE)?.get(&key.into())?).await;
    database.close();
    found.map(|value| Some(value).filter(|value| !value.is_undefined()))
}

async fn open() -> Result<IdbDatabase, JsValue> {
    let factory = window().indexed_db()?.ok_or(JsValue::NULL)?;
    let request = factory.open_with_u32(DATABASE, 1)?;
    let new = request.clone();
    let make = Closure::once_into_js(move || {
        if let Ok(database) = new.result().and_then(JsCast::dyn_into::<IdbDatabase>) {
            let _ = database.create_object_store(STORE);
        }
    });
    request.set_onupgradeneeded(Some(make.unchecked_ref()));
    settled(&request).await?.dyn_into()
}

/// What a request gives.
async fn settled(request: &IdbRequest) -> Result<JsValue, JsValue> {
    let promise = Promise::new(&mut |resolve, reject| {
        request.set_onsuccess(Some(&resolve));
        request.set_onerror(Some(&reject));
    });
    JsFuture::from(promise).await?;
    request.result()
}
