//! Pictures of a person's own as a set to train on: a script of the page's shell reads, decodes and packs them (`web/src/images.ts`), what comes
//! out is kept and handed to the worker like any file. It comes with the later part of the code.

use downhill_model::data::Source;
use downhill_model::data::arrays::is_array;
use downhill_tensor::UserError;
use js_sys::{Array, Function, Promise, Reflect, Uint8Array};
use leptos::prelude::*;
use serde_json::json;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, File};

use crate::document::{self, End};
use crate::own_file::{Taken, hand_over};
use crate::state::{Lab, Pictures};

/// Endings of files that hold pictures, or arrays of them.
const ENDINGS: [&str; 15] = [
    ".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".avif", ".heic", ".tif", ".tiff", ".zip", ".npz", ".npy", ".gz", "ubyte",
];
/// Height and width to train with, of pictures that were any size.
const SIZE: u32 = 32;

/// Whether a file is a picture, or holds some.
pub async fn is_one(file: &File) -> bool {
    const GLANCE: f64 = 16.0;
    let name = file.name().to_ascii_lowercase();
    if file.type_().starts_with("image/") || ENDINGS.iter().any(|ending| name.ends_with(ending)) {
        return true;
    }
    let Ok(head) = file.slice_with_f64_and_f64(0.0, GLANCE) else { return false };
    let head = JsFuture::from(head.array_buffer()).await;
    head.is_ok_and(|head| {
        let head = Uint8Array::new(&head).to_vec();
        head.starts_with(b"PK\x03\x04") || head.starts_with(&[0x1f, 0x8b]) || is_array(&head)
    })
}

/// Makes a set out of files, or of what was dropped, and trains on it.
///
/// # Errors
/// When its code cannot be loaded; what is wrong with the pictures stands in [`Lab::pictures`].
#[inline(never)]
pub async fn take(lab: Lab, files: Array, entries: Array) -> Result<(), UserError> {
    lab.pictures.set(Some(Pictures { read: (0, files.length()), ..Pictures::default() }));
    let tell = Closure::<dyn FnMut(u32, u32) -> bool>::new(move |done, all| {
        let go_on = lab.pictures.with_untracked(|pictures| pictures.as_ref().is_some_and(|pictures| !pictures.stopped));
        lab.pictures.update(|pictures| {
            if let Some(pictures) = pictures {
                pictures.read = (done, all);
            }
        });
        go_on
    });
    let outcome = gather(&files, &entries, tell.as_ref()).await;
    match outcome {
        Ok(set) => {
            let found = use_set(lab, &set).await;
            lab.pictures.set(Some(Pictures { found: Some(found), ..Pictures::default() }));
        }
        Err(error) => {
            let text = Reflect::get(&error, &"message".into()).ok().and_then(|text| text.as_string());
            let text = text.unwrap_or_else(|| "These pictures could not be read. Choose them again.".to_string());
            // Without a word it was stopped.
            lab.pictures.set((!text.is_empty()).then(|| Pictures { found: Some(Err(text)), ..Pictures::default() }));
        }
    }
    Ok(())
}

/// Stops reading.
pub fn stop(lab: Lab) {
    lab.pictures.update(|pictures| {
        if let Some(pictures) = pictures {
            pictures.stopped = true;
        }
    });
}

async fn gather(files: &Array, entries: &Array, tell: &JsValue) -> Result<JsValue, JsValue> {
    let scope = js_sys::global();
    let make = Reflect::get(&scope, &"downhillImages".into())?.dyn_into::<Function>()?;
    JsFuture::from(make.call3(&scope, files, entries, tell)?.dyn_into::<Promise>()?).await
}

/// Hands a set over and trains on it; gives what was left out of it.
async fn use_set(lab: Lab, set: &JsValue) -> Result<Vec<String>, String> {
    let part = |name: &str| Reflect::get(set, &name.into()).unwrap_or(JsValue::UNDEFINED);
    let is = |name: &str| part(name).is_truthy();
    let broken = || "There is not enough memory for these pictures. Take fewer of them.".to_string();
    let name = part("name").as_string().unwrap_or_default();
    let blob: Blob = part("blob").dyn_into().map_err(|_| broken())?;
    let bytes = JsFuture::from(blob.array_buffer()).await.and_then(JsCast::dyn_into).map_err(|_| broken())?;
    let fields =
        if is("decoded") { json!({ "file": name, "size": SIZE, "colour": is("colour") }) } else { json!({ "file": name }) };
    hand_over(lab, &Taken { name: name.clone(), blob, bytes });
    lab.edit(|doc| {
        let before = document::name_at(doc, "data", "spirals");
        doc["data"] = json!({ "images": fields });
        doc["name"] = json!(name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem));
        if Source::is_images(&before) {
            document::fit_begin(doc, true);
            document::fit_end(doc, End::Many);
        } else {
            document::small_convnet(doc);
        }
    });
    Ok(Array::from(&part("notes")).iter().filter_map(|note| note.as_string()).collect())
}
