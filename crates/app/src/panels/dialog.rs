//! A window over the page that waits to be closed.

use leptos::html;
use leptos::prelude::*;

use crate::reactive::{RwSignal, clicked, effect};

/// The window. What it shows is made when it opens and gone when it closes.
#[component]
pub fn Dialog(
    /// Whether it is open.
    open: RwSignal<bool>,
    /// Its id.
    id: &'static str,
    /// Its heading.
    title: &'static str,
    /// What it shows.
    children: ChildrenFn,
) -> impl IntoView {
    let dialog = NodeRef::<html::Dialog>::new();
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
        <dialog node_ref=dialog id=id class="dialog" aria-label=title on:close=move |_| open.set(false)>
            <h2>{title}</h2>
            {move || open.get().then(|| children())}
            <button type="button" class="ghost" on:click=clicked(close)>"Close"</button>
        </dialog>
    }
}
