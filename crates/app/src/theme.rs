//! Light and dark: follows the system until a person chooses.

use std::sync::Arc;

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;

use crate::plot::colour::{Palette, parse};
use crate::state::Lab;

const KEY: &str = "downhill.theme";
const DARK: &str = "(prefers-color-scheme: dark)";
/// The system has colours of its own for everything, or a person asks for more contrast.
const CONTRAST: &str = "(forced-colors: active), (prefers-contrast: more)";

fn stored() -> Option<String> {
    window().local_storage().ok().flatten()?.get_item(KEY).ok().flatten()
}

fn asks(query: &str) -> bool {
    window().match_media(query).ok().flatten().is_some_and(|m| m.matches())
}

fn system_is_dark() -> bool {
    asks(DARK)
}

/// What a person chose: `light`, `dark`, or `system`.
fn chosen() -> String {
    stored().unwrap_or_else(|| "system".to_string())
}

/// Takes up the theme's colours now and whenever the system changes.
pub fn follow(lab: Lab) {
    take_up(lab);
    // Another tab of the page writes the same key.
    let elsewhere = window_event_listener(leptos::ev::storage, move |ev| {
        if ev.key().is_none_or(|key| key == KEY) {
            take_up(lab);
        }
    });
    on_cleanup(move || elsewhere.remove());
    let changed = Closure::<dyn FnMut()>::new(move || request_animation_frame(move || read(lab)));
    for media in [DARK, CONTRAST].into_iter().filter_map(|query| window().match_media(query).ok().flatten()) {
        let _ = media.add_event_listener_with_callback("change", changed.as_ref().unchecked_ref());
    }
    // The page lives as long as its listener.
    changed.forget();
}

/// System, light, dark, and round again.
pub fn toggle(lab: Lab) {
    let next = match (chosen().as_str(), system_is_dark()) {
        ("system", true) => "light",
        ("system", false) => "dark",
        ("light", true) | ("dark", false) => "system",
        ("light", false) | ("dark", true) => {
            if system_is_dark() {
                "light"
            } else {
                "dark"
            }
        }
        _ => "system",
    };
    choose(lab, next);
}

/// Chooses `light`, `dark` or `system`.
pub fn choose(lab: Lab, theme: &str) {
    if let Ok(Some(storage)) = window().local_storage() {
        let _ = if theme == "system" { storage.remove_item(KEY) } else { storage.set_item(KEY, theme) };
    }
    take_up(lab);
}

/// Shows what was chosen, here or in another tab.
fn take_up(lab: Lab) {
    let theme = chosen();
    // Where the system has colours of its own, its ground decides.
    let follows = theme == "system" || asks("(forced-colors: active)");
    let dark = if follows { system_is_dark() } else { theme == "dark" };
    lab.theme.set(theme);
    if let Some(root) = document().document_element() {
        let _ = root.set_attribute("data-theme", if dark { "dark" } else { "light" });
    }
    read(lab);
}

/// Reads the style sheet's colours for the canvases.
pub fn read(lab: Lab) {
    let Some(style) = lab.styled().and_then(|root| window().get_computed_style(&root).ok().flatten()) else {
        return;
    };
    let base = Palette::default();
    let colour = |name: &str, or| style.get_property_value(name).ok().and_then(|text| parse(&text)).unwrap_or(or);
    let mut palette = Palette {
        negative: colour("--neg", base.negative),
        zero: colour("--zero", base.zero),
        positive: colour("--pos", base.positive),
        panel: colour("--panel-rgb", base.panel),
        ink: colour("--ink-rgb", base.ink),
        classes: base.classes,
        shapes: asks(CONTRAST),
    };
    palette.classes[0] = palette.negative;
    palette.classes[1] = palette.positive;
    lab.ramp.set(Arc::new(palette.ramp()));
    lab.palette.set(Arc::new(palette));
}
