//! Which experiment opens: the one in the address, a preset, or a document that a person wrote.

use downhill_model::{Experiment, Parsed, presets, share};
use downhill_protocol::later;
use downhill_tensor::UserError;
use leptos::prelude::*;
use serde_json::Value;
use wasm_bindgen_futures::spawn_local;

use crate::address::KEPT;
use crate::keeping;
use crate::state::{Lab, Start};

/// The first preset.
pub fn first() -> Value {
    serde_json::from_str(presets::FIRST).unwrap_or(Value::Null)
}

/// Opens what the address names; where it names nothing, the first preset.
pub fn follow_address(lab: Lab) {
    let hash = window().location().hash().unwrap_or_default();
    let fragment = hash.trim_start_matches('#');
    if fragment.is_empty() {
        return lab.open(first());
    }
    if let Some(name) = fragment.strip_prefix(KEPT) {
        let name = name.to_string();
        return spawn_local(async move {
            match kept(&name).await {
                Ok(parsed) => {
                    open(lab, parsed, None);
                    lab.inbox.update_value(|inbox| inbox.address.kept = Some(name));
                    lab.tell(
                        false,
                        "This experiment is too long for a link. It was kept in this browser, and is opened from there.",
                    );
                }
                Err(error) => unread(lab, &error),
            }
        });
    }
    if !share::names_preset(fragment) {
        return open_link(lab, fragment);
    }
    // The examples come with the later part of the code.
    let fragment = fragment.to_string();
    spawn_local(async move {
        match later::arrived().await {
            Ok(()) => open_link(lab, &fragment),
            Err(error) => unread(lab, &error),
        }
    });
}

fn open_link(lab: Lab, fragment: &str) {
    match share::decode(fragment) {
        Ok(parsed) => {
            let weights = share::weights_of(fragment);
            let trained = weights.is_some();
            open(lab, parsed, weights);
            if trained {
                stay(lab);
            }
        }
        Err(error) => unread(lab, &error),
    }
}

/// The experiment that was kept in the browser because it was too long for an address.
async fn kept(name: &str) -> Result<Parsed, UserError> {
    match keeping::get(keeping::experiment(name)).await?.and_then(|text| text.as_string()) {
        Some(text) => Experiment::parse(&text),
        None => Err(UserError::new("The experiment was kept in the browser in which it was made, and is not in this one.")
            .hint("Ask for it as a file.")),
    }
}

/// The address cannot be read, and stays until something else is opened. What runs goes on.
fn unread(lab: Lab, error: &UserError) {
    let runs = lab.draft.with_untracked(|doc| !doc.is_null());
    if runs {
        lab.tell(true, format!("The link could not be opened. {error}"));
    } else {
        lab.open(first());
        lab.tell(true, format!("The link could not be opened, so here is the first example. {error}"));
    }
    stay(lab);
}

/// Leaves the address as it is until the experiment on screen changes.
pub fn stay(lab: Lab) {
    let shown =
        lab.draft.with_untracked(|doc| Experiment::from_value(doc).map(|parsed| parsed.experiment.to_value().to_string()));
    lab.inbox.update_value(|inbox| inbox.address.unread = shown.ok());
}

/// Opens an experiment, and trains; one that comes with weights was trained already, and rests.
fn open(lab: Lab, parsed: Parsed, weights: Option<Vec<u8>>) {
    parsed.notes.iter().for_each(|note| lab.tell(false, note.clone()));
    lab.want(weights.is_none());
    lab.open_with(parsed.experiment.to_value(), weights.map(Start::Linked));
}

/// Reads what an article names: a document, a link or the part of one after `#`, or a preset by its id.
///
/// # Errors
/// When it cannot be read.
pub fn read(text: &str) -> Result<Parsed, UserError> {
    let text = text.trim();
    let is_id = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if text.starts_with('{') {
        Experiment::parse(text)
    } else if is_id {
        share::decode(&format!("p={text}"))
    } else {
        share::decode(text)
    }
}

/// Opens a preset by its id.
pub fn open_preset(lab: Lab, id: &str) {
    if let Some(value) = presets::find(id).and_then(|p| serde_json::from_str(p.json).ok()) {
        lab.want(true);
        lab.open(value);
    }
}

/// Reads a document that a person wrote, and opens it.
///
/// # Errors
/// When it cannot be read.
pub fn open_text(lab: Lab, text: &str) -> Result<(), UserError> {
    let parsed = Experiment::parse(text)?;
    parsed.notes.iter().for_each(|note| lab.tell(false, note.clone()));
    lab.open(parsed.experiment.to_value());
    Ok(())
}
