//! Which experiment opens: the one in the address, a preset, or a document that a person wrote.

use downhill_model::{Experiment, presets, share};
use downhill_tensor::UserError;
use leptos::prelude::*;
use serde_json::Value;

use crate::state::Lab;

/// The first preset.
pub fn first() -> Value {
    presets::all().first().and_then(|p| serde_json::from_str(p.json).ok()).unwrap_or(Value::Null)
}

/// The experiment that the address names, else the first preset; and the sentence when the address could not be read.
pub fn from_address() -> (Value, Option<String>) {
    let hash = window().location().hash().unwrap_or_default();
    let payload = hash.trim_start_matches('#');
    if payload.is_empty() {
        return (first(), None);
    }
    if let Some(preset) = payload.strip_prefix("p=").and_then(presets::find) {
        return (serde_json::from_str(preset.json).unwrap_or(Value::Null), None);
    }
    match share::decode(payload) {
        Ok(parsed) => (parsed.experiment.to_value(), None),
        Err(error) => (first(), Some(format!("The link could not be opened, so here is the first example. {error}"))),
    }
}

/// Opens a preset by its id.
pub fn open_preset(lab: Lab, id: &str) {
    if let Some(value) = presets::find(id).and_then(|p| serde_json::from_str(p.json).ok()) {
        lab.wanted.set(true);
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
