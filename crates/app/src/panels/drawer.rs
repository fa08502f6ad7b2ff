//! The drawer below the network: one panel at a time, so that hidden ones cost nothing.

use leptos::prelude::*;

use super::later::Later;
use crate::focus;
use crate::reactive::clicked;
use crate::state::Lab;
use crate::views::Views;

/// The drawer.
#[component]
pub fn Drawer() -> impl IntoView {
    let lab = Lab::here();
    let open = lab.tab;
    let views: Views = expect_context();
    views.panels.iter().for_each(|panel| panel.prepare());
    let tabs = views.panels.clone().into_iter().map(|panel| {
        let name = panel.name();
        view! {
            <button type="button" role="tab" id=format!("tab-{name}") aria-controls="drawer" aria-selected=move || (open.get() == name).to_string() tabindex=move || focus::stop(open.get() == name) on:click=clicked(move |_| open.set(name))>
                {name}<span class="num" translate="no">{move || panel.count(lab)}</span>
            </button>
        }
        .into_any()
    });
    let tabs = tabs.collect_view();
    let shown = move || views.panels.iter().copied().find(|panel| panel.name() == open.get());
    let controls = {
        let shown = shown.clone();
        move || shown().and_then(|panel| panel.controls())
    };
    let body = move || {
        shown().map(|panel| {
            if panel.is_at_once() {
                panel.view(lab)
            } else {
                view! { <Later show=Box::new(move || panel.view(lab))/> }.into_any()
            }
        })
    };
    view! {
        <div class="bar">
            <div class="tabs" role="tablist" aria-label="Details" on:keydown=focus::walk>{tabs}</div>
            {controls}
        </div>
        <div id="drawer" class="body" role="tabpanel" tabindex="0" aria-labelledby=move || format!("tab-{}", open.get())>{body}</div>
    }
}
