//! The keys, in a dialog.

use leptos::prelude::*;

use super::dialog::Dialog;
use super::later::Later;
use crate::reactive::RwSignal;

const KEYS: &[(&str, &str)] = &[
    ("Space", "Play or pause"),
    ("→", "One step"),
    ("R", "Reset: same initial weights, step 0"),
    ("T", "Theme: system, dark, light"),
    ("Ctrl + Enter", "Apply the document in the Code tab"),
    ("Esc", "Close what is open"),
    ("?", "These keys"),
];

/// The dialog.
#[component]
pub fn Help(
    /// Whether it is open.
    open: RwSignal<bool>,
) -> impl IntoView {
    view! { <Dialog open id="help" title="Keyboard shortcuts"><Later show=Box::new(keys)/></Dialog> }
}

fn keys() -> AnyView {
    view! {
        <dl>{KEYS.iter().map(|(key, what)| view! { <dt><kbd>{*key}</kbd></dt><dd>{*what}</dd> }).collect_view()}</dl>
        <p>"Everything coloured can be hovered for its number: orange is negative, blue is positive, a thicker line is a larger weight. Click a line or a unit to change it."</p>
    }
    .into_any()
}
