//! Pictures and sounds of a person's own as a set to train on: a script of the page's shell reads, decodes and packs them (`web/src/media.ts`), and
//! opens camera and microphone; what comes out is kept and handed to the worker like any file. It comes with the later part of the code.

use downhill_model::data::Source;
use downhill_model::data::arrays::is_array;
use downhill_tensor::UserError;
use js_sys::{Array, Function, Promise, Reflect, Uint8Array};
use leptos::prelude::*;
use serde_json::{Value, json};
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, File};

use crate::document::{self, End};
use crate::own_file::{Taken, hand_over};
use crate::state::{Lab, Media};

/// Endings of files that hold pictures, arrays of them, or sounds.
const ENDINGS: [&str; 28] = [
    ".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".avif", ".heic", ".tif", ".tiff", ".zip", ".npz", ".npy", ".gz",
    "ubyte", ".wav", ".wave", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".aac", ".flac", ".weba", ".webm", ".aif", ".aiff",
];
/// Height and width to train with, of pictures that were any size.
const SIZE: u32 = 32;

/// Whether a file is a picture or a sound, or holds some.
pub async fn is_one(file: &File) -> bool {
    const GLANCE: f64 = 16.0;
    let name = file.name().to_ascii_lowercase();
    if ["image/", "audio/"].iter().any(|kind| file.type_().starts_with(kind))
        || ENDINGS.iter().any(|ending| name.ends_with(ending))
    {
        return true;
    }
    let Ok(head) = file.slice_with_f64_and_f64(0.0, GLANCE) else { return false };
    let head = JsFuture::from(head.array_buffer()).await;
    head.is_ok_and(|head| {
        let head = Uint8Array::new(&head).to_vec();
        head.starts_with(b"PK\x03\x04") || head.starts_with(&[0x1f, 0x8b]) || is_array(&head)
    })
}

/// Makes a set out of files, pairs of a path and what was recorded under it, or what was dropped, and trains on it.
///
/// # Errors
/// When its code cannot be loaded; what is wrong with them stands in [`Lab::pictures`].
#[inline(never)]
pub async fn take(lab: Lab, files: Array, entries: Array) -> Result<(), UserError> {
    lab.media.set(Some(Media { read: (0, files.length()), ..Media::default() }));
    let tell = Closure::<dyn FnMut(u32, u32) -> bool>::new(move |done, all| {
        let go_on = lab.media.with_untracked(|media| media.as_ref().is_some_and(|media| !media.stopped));
        lab.media.update(|media| {
            if let Some(media) = media {
                media.read = (done, all);
            }
        });
        go_on
    });
    let outcome = gather(&files, &entries, tell.as_ref()).await;
    match outcome {
        Ok(set) => {
            let found = use_set(lab, &set).await;
            lab.media.set(Some(Media { found: Some(found), ..Media::default() }));
        }
        Err(error) => {
            let text = message(&error).unwrap_or_else(|| "These files could not be read. Choose them again.".to_string());
            // Without a word it was stopped.
            lab.media.set((!text.is_empty()).then(|| Media { found: Some(Err(text)), ..Media::default() }));
        }
    }
    Ok(())
}

/// Stops reading.
pub fn stop(lab: Lab) {
    lab.media.update(|media| {
        if let Some(media) = media {
            media.stopped = true;
        }
    });
}

async fn gather(files: &Array, entries: &Array, tell: &JsValue) -> Result<JsValue, JsValue> {
    script("gather", &[files, entries, tell]).await
}

/// What a function of the script gives for these arguments.
async fn script(name: &str, arguments: &[&JsValue]) -> Result<JsValue, JsValue> {
    let scope = js_sys::global();
    let call = Reflect::get(&scope, &"downhillMedia".into())?.dyn_into::<Function>()?;
    let all = Array::of1(&name.into());
    arguments.iter().for_each(|argument| {
        all.push(argument);
    });
    JsFuture::from(call.apply(&scope, &all)?.dyn_into::<Promise>()?).await
}

/// What an error says; nothing where it says nothing.
fn message(error: &JsValue) -> Option<String> {
    Reflect::get(error, &"message".into()).ok().and_then(|text| text.as_string())
}

/// A camera or a microphone that is open, until it goes out of scope.
pub struct Device(JsValue);

impl Device {
    /// Opens the one that the element shows, a video or a meter. What it takes is told with the number of its class, and why it is gone.
    ///
    /// # Errors
    /// A sentence, where there is none or the page may not use it.
    pub async fn open(
        shown: &JsValue,
        took: impl Fn(Blob, u32) + 'static,
        gone: impl Fn(String) + 'static,
    ) -> Result<Self, String> {
        // The last piece arrives when the device has been closed, so the browser decides when nobody can call them any more.
        let took = Closure::<dyn Fn(Blob, u32)>::new(took).into_js_value();
        let gone = Closure::<dyn Fn(String)>::new(gone).into_js_value();
        let opened = script("open", &[shown, &took, &gone]).await;
        opened
            .map(Self)
            .map_err(|error| message(&error).unwrap_or_else(|| "It cannot be opened here. Bring files instead.".to_string()))
    }

    /// Begins to take for a class.
    pub fn begin(&self, of: u32) {
        self.call("begin", &of.into());
    }

    /// Stops taking.
    pub fn end(&self) {
        self.call("end", &JsValue::UNDEFINED);
    }

    fn call(&self, name: &str, argument: &JsValue) {
        if let Ok(method) = Reflect::get(&self.0, &name.into()).and_then(JsCast::dyn_into::<Function>) {
            let _ = method.call1(&self.0, argument);
        }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.call("close", &JsValue::UNDEFINED);
    }
}

/// Hands a set over and trains on it; gives what was left out of it.
async fn use_set(lab: Lab, set: &JsValue) -> Result<Vec<String>, String> {
    let part = |name: &str| Reflect::get(set, &name.into()).unwrap_or(JsValue::UNDEFINED);
    let is = |name: &str| part(name).is_truthy();
    let broken = || "There is not enough memory for these files. Take fewer of them.".to_string();
    let name = part("name").as_string().unwrap_or_default();
    let blob: Blob = part("blob").dyn_into().map_err(|_| broken())?;
    let bytes = JsFuture::from(blob.array_buffer()).await.and_then(JsCast::dyn_into).map_err(|_| broken())?;
    let sounds = part("source").as_string().as_deref() == Some("sounds");
    let before = lab.draft.with_untracked(|doc| document::name_at(doc, "data", "spirals"));
    // Layers that are frozen know pictures of one size, in grey or in colour: others would have to be learned from the beginning.
    let frozen = lab.draft.with_untracked(|doc| document::get(doc, "training.frozen").and_then(Value::as_u64)).unwrap_or(0) > 0;
    let kept = frozen && !sounds && Source::is_images(&before);
    let size = lab.info.with_untracked(|info| info.as_ref()?.data.image).filter(|_| kept).map_or(SIZE, |(height, _)| height);
    let was_colour = lab.draft.with_untracked(|doc| document::get(doc, "data.images.colour").and_then(Value::as_bool));
    let colour = if kept { was_colour.unwrap_or(false) } else { is("colour") };
    let fields = if kept || (is("decoded") && !sounds) {
        json!({ "file": name, "size": size, "colour": colour })
    } else {
        json!({ "file": name })
    };
    hand_over(lab, &Taken { name: name.clone(), blob, bytes });
    lab.edit(|doc| {
        doc["data"] = if sounds { json!({ "sounds": fields }) } else { json!({ "images": fields }) };
        doc["name"] = json!(name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem));
        if sounds {
            document::fit_sounds(doc, &before);
        } else if Source::is_images(&before) {
            document::fit_begin(doc, true);
            document::fit_end(doc, End::Many);
        } else {
            document::small_convnet(doc);
        }
        if kept {
            // The run goes on, and had an end for the pictures of before.
            document::unset(doc, "training.steps");
        }
    });
    if kept {
        lab.play(true);
    }
    Ok(Array::from(&part("notes")).iter().filter_map(|note| note.as_string()).collect())
}
