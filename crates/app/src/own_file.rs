//! A file of one's own: the page, the browser's storage and the worker each get it.

use downhill_protocol::Command;
use js_sys::{Array, ArrayBuffer, Uint8Array};
use leptos::prelude::*;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;
use web_sys::Blob;

use crate::keeping;
use crate::state::{Lab, Stands};

/// A file that was read.
pub struct Taken {
    /// Its name.
    pub name: String,
    /// The file itself, which the browser copies without the page.
    pub blob: Blob,
    /// What it holds.
    pub bytes: ArrayBuffer,
}

impl Taken {
    /// Text that came in another way, as a file. None where there is no memory for it.
    pub fn of_text(name: String, text: &str) -> Option<Self> {
        let bytes = Uint8Array::from(text.as_bytes()).buffer();
        let blob = Blob::new_with_buffer_source_sequence(&Array::of1(&bytes)).ok()?;
        Some(Self { name, blob, bytes })
    }
}

/// Gives a file to the page, to the browser for later, and to the worker. The bytes are gone then.
pub fn hand_over(lab: Lab, file: &Taken) {
    keep(lab, file);
    let name = file.name.clone();
    let command = |bytes| Command::Asset { name, own: true, bytes };
    lab.link.with_value(|link| link.as_ref().map(|link| link.send_file(file.bytes.clone(), command)));
}

/// Keeps a file of one's own, so that a reload does not lose it.
pub fn keep(lab: Lab, file: &Taken) {
    let (name, value) = (file.name.clone(), JsValue::from(&file.blob));
    lab.inbox.update_value(|inbox| {
        inbox.own.insert(name.clone(), file.blob.clone());
    });
    spawn_local(async move {
        match keeping::put(keeping::own(&name), value).await {
            Ok(()) => lab.settle(Stands::OfStorage),
            Err(error) => {
                let text = format!("{error} \"{name}\" is used all the same, but a reload loses it.");
                lab.notify(true, text, Stands::OfStorage);
            }
        }
    });
}
