//! A person's own files while they are on their way: where they may be dropped, what the worker says of them. How they are read when they come
//! in is in `taking`, what leaves the page in `panels::export`.

use std::sync::Arc;

use downhill_model::data::csv::Profile;
use downhill_protocol::later;
use downhill_tensor::UserError;
use js_sys::{Array, ArrayBuffer};
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Blob, DataTransfer, DragEvent, File, FileList, FileSystemEntry, HtmlElement};

use crate::state::{Lab, Stands, Table};
use crate::{keeping, media, taking};

/// Takes files that are dropped anywhere: the browser would leave the page for one that is dropped beside its place.
pub fn take_drops(lab: Lab) {
    let over = window_event_listener(leptos::ev::dragover, |ev| {
        if !is_text_for_a_field(&ev) {
            ev.prevent_default();
            point(holds_files(&ev));
        }
    });
    let left = window_event_listener(leptos::ev::dragleave, |ev| {
        // Only what leaves the window goes nowhere.
        if ev.related_target().is_none() {
            point(false);
        }
    });
    let dropped = window_event_listener(leptos::ev::drop, move |ev| {
        point(false);
        if is_text_for_a_field(&ev) {
            return;
        }
        ev.prevent_default();
        let Some(data) = ev.data_transfer() else { return };
        // Folders are told only while they are dropped.
        let entries = Array::new();
        (0..data.items().length()).for_each(|i| {
            if let Some(Ok(Some(entry))) = data.items().get(i).map(|item| item.webkit_get_as_entry()) {
                entries.push(&entry);
            }
        });
        if entries.iter().any(|entry| entry.unchecked_into::<FileSystemEntry>().is_directory()) {
            take_media(lab, Array::new(), entries);
        } else if let Some(files) = data.files() {
            take(lab, &files);
        }
    });
    on_cleanup(move || {
        over.remove();
        left.remove();
        dropped.remove();
    });
}

/// Opens files, whatever they hold.
pub fn take(lab: Lab, files: &FileList) {
    let files: Vec<File> = (0..files.length()).filter_map(|i| files.get(i)).collect();
    if files.is_empty() {
        return;
    }
    lab.settle(Stands::UntilNext);
    spawn_local(async move {
        let outcome = later::run(|| taking::take(lab, files)).await;
        if let Err(error) = outcome {
            lab.tell(true, error.to_string());
        }
    });
}

/// Makes a set of pictures or sounds out of files, or of what was dropped or recorded.
pub fn take_media(lab: Lab, files: Array, entries: Array) {
    lab.settle(Stands::UntilNext);
    spawn_local(async move {
        let outcome = later::run(|| media::take(lab, files, entries)).await;
        if let Err(error) = outcome {
            lab.tell(true, error.to_string());
        }
    });
}

fn holds_files(ev: &DragEvent) -> bool {
    ev.data_transfer().is_some_and(|data: DataTransfer| data.types().includes(&"Files".into(), 0))
}

fn is_text_for_a_field(ev: &DragEvent) -> bool {
    let tag = ev.target().and_then(|target| target.dyn_into::<HtmlElement>().ok()).map(|element| element.tag_name());
    !holds_files(ev) && matches!(tag.as_deref(), Some("INPUT" | "TEXTAREA"))
}

/// Shows that a file may be dropped.
fn point(on: bool) {
    if let Some(body) = document().body() {
        let _ = body.class_list().toggle_with_force("dropping", on);
    }
}

/// The bytes of a file of one's own: it was chosen since the page opened, or is kept in the browser from before.
pub async fn own(lab: Lab, name: &str) -> Option<ArrayBuffer> {
    let chosen = lab.inbox.with_value(|inbox| inbox.own.get(name).cloned());
    if let Some(blob) = &chosen
        && let Some(bytes) = bytes_of(blob).await
    {
        return Some(bytes);
    }
    if lab.is_widget() {
        return None;
    }
    // A file that was edited on the disk since it was chosen cannot be read any more; what is kept is as it was.
    let blob = keeping::get(keeping::own(name)).await.ok()??.dyn_into::<Blob>().ok()?;
    let bytes = bytes_of(&blob).await?;
    if chosen.is_none() {
        lab.tell(false, format!("\"{name}\" was kept in this browser, and is read from there."));
    }
    lab.inbox.update_value(|inbox| {
        inbox.own.insert(name.to_string(), blob);
    });
    Some(bytes)
}

async fn bytes_of(blob: &Blob) -> Option<ArrayBuffer> {
    JsFuture::from(blob.array_buffer()).await.ok()?.dyn_into().ok()
}

/// The worker has taken up weights.
pub fn taken(lab: Lab, id: u32, taken: u32, refused: &[UserError]) {
    let Some(file) = lab.inbox.try_update_value(|inbox| inbox.weights.remove(&id)).flatten() else { return };
    lab.diverged.set(None);
    lab.mark(format!("weights {file}"));
    let Some(first) = refused.first() else {
        return lab.tell(false, format!("The weights of \"{file}\" are loaded: {taken} tensors. Training goes on from them."));
    };
    let others = if refused.len() > 1 { format!(" And {} more.", refused.len() - 1) } else { String::new() };
    let what = if refused.len() == 1 { "1 does not fit".to_string() } else { format!("{} do not fit", refused.len()) };
    let loaded = if taken == 1 { "1 tensor is".to_string() } else { format!("{taken} tensors are") };
    lab.tell(true, format!("{loaded} loaded from \"{file}\"; {what}. {first}{others}"));
}

/// The worker could not take up weights, export, or read a table.
pub fn refused(lab: Lab, id: u32, error: &UserError) -> bool {
    if let Some(file) = lab.inbox.try_update_value(|inbox| inbox.weights.remove(&id)).flatten() {
        lab.tell(true, format!("The weights of \"{file}\" could not be loaded. {error}"));
        return true;
    }
    profiled(lab, id, Err(error.to_string()))
}

/// How far the worker has read a table, or the text of the experiment that is loaded.
pub fn progress(lab: Lab, id: u32, done: f64) {
    if lab.inbox.with_value(|inbox| inbox.loading.as_ref().is_some_and(|(loading, _)| *loading == id)) {
        lab.reading.set(Some(done));
    }
    if is_read(lab, id) {
        lab.table.update(|table| {
            if let Some(table) = table {
                table.done = done;
            }
        });
    }
}

/// The worker has read a table, or says why it cannot. Whether it is the one that was asked for last.
pub fn profiled(lab: Lab, id: u32, found: Result<Arc<Profile>, String>) -> bool {
    if !is_read(lab, id) {
        return false;
    }
    let Some(mut table) = lab.table.get_untracked() else { return false };
    if let (true, Ok(profile)) = (table.new, &found) {
        taking::train_on(lab, &table, profile);
        // The target is the one that was guessed: the table looks the same.
        table.decided = taking::decided(lab);
    }
    // What cannot be read in another way stays as it was read before.
    let found = match (found, table.found.take()) {
        (Err(why), Some(Ok(before))) if table.new => {
            lab.tell(true, why);
            Ok(before)
        }
        (found, _) => found,
    };
    lab.table.set(Some(Table { request: 0, new: false, found: Some(found), ..table }));
    true
}

/// The worker is gone, and with it the table that it was reading.
pub fn abandoned(lab: Lab) {
    if lab.table.with_untracked(|table| table.as_ref().is_none_or(|table| table.request == 0)) {
        return;
    }
    lab.table.update(|table| {
        if let Some(table) = table {
            (table.request, table.new) = (0, false);
            if !matches!(table.found, Some(Ok(_))) {
                table.found = Some(Err("The worker stopped while it read the table. Choose the table again.".to_string()));
            }
        }
    });
}

fn is_read(lab: Lab, id: u32) -> bool {
    lab.table.with_untracked(|table| table.as_ref().is_some_and(|table| table.request == id))
}
