//! The keys that work everywhere, and where they do not: a key belongs to what has the focus first, and to an open dialog.

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, KeyboardEvent};

use crate::reactive::RwSignal;
use crate::state::Lab;
use crate::theme;

/// What has keys of its own for everything that can be typed.
const TYPING: &str = "input, textarea, select, [contenteditable]";
/// What is open over the page.
const OPEN: &str = "dialog[open], [role=dialog]:not([popover], dialog), :popover-open";

/// Listens for as long as the calling component is on screen.
pub fn listen(lab: Lab, help: RwSignal<bool>) {
    let keys = window_event_listener(leptos::ev::keydown, move |ev| {
        if ev.default_prevented() || ev.ctrl_key() || ev.meta_key() || ev.alt_key() {
            return;
        }
        let Some(target) = ev.target().and_then(|t| t.dyn_into::<Element>().ok()) else { return };
        // A held Enter would press a button again and again.
        let held_down = ev.repeat() && ev.key() == "Enter" && target.tag_name() == "BUTTON";
        if held_down || acted(&ev, &target, lab, help) {
            ev.prevent_default();
        }
    });
    on_cleanup(move || keys.remove());
}

fn acted(ev: &KeyboardEvent, target: &Element, lab: Lab, help: RwSignal<bool>) -> bool {
    let inside = |selector: &str| target.closest(selector).is_ok_and(|found| found.is_some());
    if inside(TYPING) || document().query_selector(OPEN).is_ok_and(|open| open.is_some()) {
        return false;
    }
    // Whatever else can have the focus may be pressed with Space, or scrolled and walked through with arrows.
    let free = matches!(target.tag_name().as_str(), "BODY" | "HTML");
    let first = !ev.repeat();
    match ev.key().as_str() {
        " " if free && first => lab.play(!lab.wanted.get_untracked()),
        // Held down, it neither starts and stops nor scrolls the page.
        " " if free => {}
        "ArrowRight" if free || inside(".transport") => lab.step(),
        "r" | "R" if first => lab.reset(),
        "t" | "T" if first => theme::toggle(lab),
        "?" if first => help.set(true),
        _ => return false,
    }
    true
}
