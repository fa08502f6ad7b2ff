//! The address of the page, which holds the experiment.

use downhill_model::{Experiment, share};
use leptos::prelude::window;
use wasm_bindgen::JsValue;

/// Keeps the experiment in the address of the page, so that a reload brings it back.
pub fn remember(experiment: &str) {
    /// Longer addresses are cut off on their way by some programs.
    const LONGEST: usize = 8000;
    let Ok(parsed) = Experiment::parse(experiment) else { return };
    let link = share::encode(&parsed.experiment);
    if link.len() <= LONGEST
        && let Ok(history) = window().history()
    {
        let _ = history.replace_state_with_url(&JsValue::NULL, "", Some(&format!("#{link}")));
    }
}
