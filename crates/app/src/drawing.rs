//! Points drawn by hand take the place of other data: what is taken over, what cannot be, and the way back. It comes with the later part of the
//! code.

use std::sync::Arc;

use downhill_protocol::Command;
use downhill_tensor::UserError;
use js_sys::Uint8Array;
use leptos::prelude::*;
use serde_json::{Value, json};
use wasm_bindgen_futures::JsFuture;

use crate::asked::ask;
use crate::document::{self, grouped};
use crate::state::{DrawnOver, Lab, Start};

/// Points lie between minus this and this on both axes.
pub const REACH: f64 = 10.0;
/// Classes that points can have.
const CLASSES: usize = 6;
/// Points that are taken over.
const MOST: usize = 600;

/// What is asked before a table of one's own makes way for points.
const LEAVE_TABLE: &str =
    "Draw on these rows? They become points of a drawing, and the table is left as it is. Undo brings it back.";

/// Turns the data on screen into points drawn by hand, so that drawing adds to what is there. Whether it was wanted.
///
/// # Errors
/// Where points of the plane cannot say what the data say.
pub async fn begin(lab: Lab) -> Result<bool, UserError> {
    let (labels, points) = taken_over(lab)?;
    let source = lab.draft.with_untracked(|doc| document::name_at(doc, "data", "spirals"));
    if source == "csv" && !window().confirm_with_message(LEAVE_TABLE).unwrap_or(false) {
        return Ok(false);
    }
    let doc = lab.draft.get_untracked();
    // A run that cannot be saved is brought back from its beginning.
    let saved = JsFuture::from(ask(lab, Command::Save)).await;
    let saved = saved.map(|bytes| Uint8Array::new(&bytes).to_vec()).unwrap_or_default();
    let all = lab.points.with_untracked(|points| points.0.len() + points.1.len()) / 3;
    if points.len() < all {
        let [some, all] = [points.len(), all].map(|count| grouped(count as u64));
        lab.tell(false, format!("{some} of {all} points are in the drawing, spread over all of them."));
    }
    lab.edit(|doc| {
        let features = document::get(doc, &format!("data.{source}.features")).cloned();
        doc["data"] = json!({ "points": { "points": points, "labels": labels } });
        if let Some(features) = features {
            doc["data"]["points"]["features"] = features;
        }
    });
    lab.drawn_over.set(Some(Arc::new(DrawnOver { doc, saved })));
    Ok(true)
}

/// The names of the classes, where they have some, and the points.
fn taken_over(lab: Lab) -> Result<(Vec<String>, Vec<Value>), UserError> {
    let labels = lab.info.with_untracked(|info| info.as_ref().map(|info| info.data.labels.clone())).unwrap_or_default();
    if labels.len() > CLASSES {
        let message =
            format!("The data have {} classes and a drawing has up to {CLASSES}, so they stay as they are.", labels.len());
        return Err(UserError::new(message).hint("Draw on other data."));
    }
    let (train, validation) = &*lab.points.get_untracked();
    let all = || train.chunks_exact(3).chain(validation.chunks_exact(3));
    let far = all().filter(|p| p[..2].iter().any(|v| f64::from(v.abs()) > REACH || !v.is_finite())).count();
    if far > 0 {
        let (subject, verb) = if far == 1 { ("point", "lies") } else { ("points", "lie") };
        let message = format!(
            "{} {subject} of the data {verb} outside of what can be drawn on, from −{REACH} to {REACH}, so the data stay as they are.",
            grouped(far as u64)
        );
        return Err(UserError::new(message).hint("Draw on other data."));
    }
    let every = all().count().div_ceil(MOST).max(1);
    let round = |v: f32| (f64::from(v) * 1000.0).round() / 1000.0;
    let points = all().step_by(every).map(|p| json!([round(p[0]), round(p[1]), p[2] as u32])).collect();
    let named = labels.iter().enumerate().any(|(i, label)| *label != format!("class {i}"));
    Ok((if named { labels } else { Vec::new() }, points))
}

/// Brings the data back that the points have taken the place of; where nothing else was changed since, the run as it was too.
pub fn undo(lab: Lab) {
    let Some(before) = lab.drawn_over.get_untracked() else { return };
    let mut doc = lab.draft.get_untracked();
    for part in ["data", "loss"] {
        match document::get(&before.doc, part) {
            Some(value) => document::set(&mut doc, part, value.clone()),
            None => document::unset(&mut doc, part),
        }
    }
    let last = doc["model"].as_array_mut().and_then(|model| model.last_mut());
    if let (Some(last), Some(was)) = (last, before.doc["model"].as_array().and_then(|model| model.last())) {
        last.clone_from(was);
    }
    let untouched = doc == before.doc && !before.saved.is_empty();
    lab.open_with(doc, untouched.then(|| Start::Saved(before.saved.clone())));
}
