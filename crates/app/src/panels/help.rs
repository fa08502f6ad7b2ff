//! The keys, in a dialog.

use crate::reactive::effect;
use leptos::html::Dialog;
use leptos::prelude::*;

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
    let dialog = NodeRef::<Dialog>::new();
    effect(move || {
        let Some(dialog) = dialog.get() else { return };
        if open.get() && !dialog.open() {
            let _ = dialog.show_modal();
        }
    });
    let close = move |_| {
        if let Some(dialog) = dialog.get_untracked() {
            dialog.close();
        }
    };
    view! {
        <dialog node_ref=dialog class="help" aria-labelledby="help-title" on:close=move |_| open.set(false)>
            <h2 id="help-title">"Keyboard shortcuts"</h2>
            <dl>{KEYS.iter().map(|(key, what)| view! { <dt><kbd>{*key}</kbd></dt><dd>{*what}</dd> }).collect_view()}</dl>
            <p>"Everything coloured can be hovered for its number: orange is negative, blue is positive, a thicker line is a larger weight. Click a line or a unit to change it."</p>
            <button type="button" class="ghost" on:click=close>"Close"</button>
        </dialog>
    }
}
