//! The drawer below: one tab at a time, so that hidden ones cost nothing.

use leptos::prelude::*;

use super::chart_options::{ChartBar, ChartOptions};
use crate::reactive::{RwSignal, clicked};
use crate::state::Lab;

/// The tabs in order.
const TABS: [&str; 4] = ["Charts", "Inspector", "Program", "Code"];

/// The drawer.
#[component]
pub fn Drawer() -> impl IntoView {
    let lab = Lab::here();
    let open = lab.tab;
    provide_context(super::code::Typed(RwSignal::new(None)));
    provide_context(ChartOptions { smoothing: RwSignal::new(0.0), log: RwSignal::new(false) });
    let count = move |tab: &str| {
        (tab == "Program").then(|| lab.info.with(|i| i.as_ref().map(|i| i.program.len().to_string()))).flatten()
    };
    let tabs = TABS.map(|tab| {
        let id = format!("tab-{tab}");
        view! {
            <button type="button" role="tab" id=id aria-controls="drawer" aria-selected=move || (open.get() == tab).to_string() on:click=clicked(move |_| open.set(tab))>
                {tab}<span class="num">{move || count(tab)}</span>
            </button>
        }
    });
    let body = move || match open.get() {
        #[cfg(feature = "charts")]
        "Charts" => view! { <super::charts::Charts/> }.into_any(),
        "Inspector" => view! { <super::inspector::Inspector/> }.into_any(),
        "Program" => view! { <super::program::Program/> }.into_any(),
        "Code" => view! { <super::code::Code/> }.into_any(),
        _ => ().into_any(),
    };
    view! {
        <footer class="drawer">
            <div class="bar">
                <div class="tabs" role="tablist" aria-label="Details">{tabs}</div>
                <Show when=move || open.get() == "Charts"><ChartBar/></Show>
            </div>
            <div id="drawer" class="body" role="tabpanel" aria-labelledby=move || format!("tab-{}", open.get())>{body}</div>
        </footer>
    }
}
