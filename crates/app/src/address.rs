//! The address of the page, which holds the experiment, so that a reload brings it back.
//!
//! One that is too long for an address is kept in the browser, and the address says under which name.

use downhill_model::{Experiment, share};
use leptos::prelude::*;
use wasm_bindgen::JsValue;

/// Longer addresses are cut off on their way by some programs.
pub const LONGEST: usize = 8000;
/// What the fragment begins with where the experiment is kept in the browser.
pub const KEPT: &str = "k=";

/// What the address of the page stands for.
#[derive(Default)]
pub struct Address {
    /// The experiment that runs because the address cannot be read: until it is changed, the address stays.
    pub unread: Option<String>,
    /// Under which name the experiment is kept, where an address is too short for it.
    pub kept: Option<String>,
    /// Whether the page is somebody else's, and its address with it.
    pub foreign: bool,
}

impl Address {
    /// Makes the address stand for the experiment, a document without defaults. Returns the name under which the browser has to keep it where no
    /// address is long enough.
    pub fn remember(&mut self, text: &str) -> Option<String> {
        if self.foreign || self.unread.as_deref() == Some(text) {
            return None;
        }
        let parsed = Experiment::parse(text).ok()?;
        let link = share::encode(&parsed.experiment);
        let name = (link.len() > LONGEST).then(|| self.kept.get_or_insert_with(new_name).clone());
        let url = name.as_ref().map_or_else(|| format!("#{link}"), |name| format!("#{KEPT}{name}"));
        let history = window().history().ok()?;
        // The way back leads to the address that could not be read.
        let _ = match self.unread.take() {
            Some(_) => history.push_state_with_url(&JsValue::NULL, "", Some(&url)),
            None => history.replace_state_with_url(&JsValue::NULL, "", Some(&url)),
        };
        name
    }
}

fn new_name() -> String {
    format!("{:x}", (js_sys::Math::random() * 9e15) as u64)
}
