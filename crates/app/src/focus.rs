//! Where the keys are: what a card, a pop-up or a set of tabs does with them when it opens, is walked through and closes.

use leptos::html::Div;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement, KeyboardEvent};

use crate::state::Lab;

/// What can be focused inside of a card, but for what is switched off.
const STOPS: &str = ":is(input, select, button, textarea, a[href], summary, [tabindex='0']):not(:disabled)";

/// What comes before the first of them.
const CHOSEN: &str = "input[type=radio]:checked, [data-first]";

/// What arrow keys walk through: of such a set, one element is a stop of the tab key.
const ITEMS: &str = "[role=tab], [role=radio], [role=menuitem]";

/// Moves the keys to what is chosen in `host` or marked as the first to go to, else to the first element that takes them; to `host` itself where
/// there is none, or none yet.
pub fn enter(host: &Element) {
    let found = [CHOSEN, STOPS].into_iter().find_map(|selector| host.query_selector(selector).ok().flatten());
    if let Some(element) = found.unwrap_or_else(|| host.clone()).dyn_ref::<HtmlElement>() {
        let _ = element.focus();
    }
}

/// Moves the keys to what matches the first of `selectors` that matches anything, if nothing has them once the page has been rebuilt.
pub fn unless_held(lab: Lab, selectors: Vec<String>) {
    request_animation_frame(move || {
        // Keys that are elsewhere in somebody else's page are not ours to move.
        if lab.focused().is_some() || document().active_element().is_some_and(|active| active.tag_name() != "BODY") {
            return;
        }
        let found = selectors.iter().find_map(|selector| lab.find(selector));
        if let Some(element) = found.and_then(|e| e.dyn_into::<HtmlElement>().ok()) {
            let _ = element.focus();
        }
    });
}

/// Takes the keys into a card when it appears, and back to what opened it (`home`, see [`unless_held`]) when it goes.
pub fn card(card: NodeRef<Div>, home: impl Fn() -> Vec<String> + Send + Sync + 'static) {
    card.on_load(|card| enter(&card));
    let lab = Lab::here();
    on_cleanup(move || unless_held(lab, home()));
}

/// Arrow keys, Home and End inside a set of tabs, radio buttons or items of a menu. Tabs and radio buttons are chosen as they are reached.
pub fn walk(ev: KeyboardEvent) {
    let element = |target: Option<web_sys::EventTarget>| target.and_then(|t| t.dyn_into::<Element>().ok());
    let Some(set) = element(ev.current_target()) else { return };
    let Some(from) = element(ev.target()).and_then(|t| t.closest(ITEMS).ok().flatten()) else { return };
    let Ok(found) = set.query_selector_all(ITEMS) else { return };
    let items: Vec<HtmlElement> = (0..found.length()).filter_map(|i| found.item(i)?.dyn_into().ok()).collect();
    let Some(at) = items.iter().position(|item| item.is_same_node(Some(&from))) else { return };
    let role = from.get_attribute("role").unwrap_or_default();
    let to = match (ev.key().as_str(), role.as_str()) {
        ("ArrowRight", "tab" | "radio") | ("ArrowDown", "radio" | "menuitem") => (at + 1) % items.len(),
        ("ArrowLeft", "tab" | "radio") | ("ArrowUp", "radio" | "menuitem") => (at + items.len() - 1) % items.len(),
        ("Home", _) => 0,
        ("End", _) => items.len() - 1,
        _ => return,
    };
    ev.prevent_default();
    ev.stop_propagation();
    let _ = items[to].focus();
    if role != "menuitem" {
        items[to].click();
    }
}

/// The tab stop of a set: `0` for the element that is chosen, `-1` for the others.
pub fn stop(chosen: bool) -> &'static str {
    if chosen { "0" } else { "-1" }
}
