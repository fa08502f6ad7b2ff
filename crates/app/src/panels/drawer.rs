//! The drawer below: one tab at a time, so that hidden ones cost nothing.

use leptos::prelude::*;

use crate::reactive::{clicked, entered};
use crate::state::Lab;

/// The tabs in order.
const TABS: [&str; 4] = ["Charts", "Inspector", "Program", "Code"];

/// The drawer.
#[component]
pub fn Drawer() -> impl IntoView {
    let lab = Lab::here();
    let open = RwSignal::new(TABS[0]);
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

/// How curves are drawn.
#[derive(Clone, Copy)]
pub struct ChartOptions {
    /// Weight of the moving average, 0 to below 1.
    pub smoothing: RwSignal<f64>,
    /// Logarithmic loss and gradient norm.
    pub log: RwSignal<bool>,
}

#[component]
fn ChartBar() -> impl IntoView {
    let options: ChartOptions = expect_context();
    view! {
        <div class="options">
            <label>"smoothing" <input type="range" min="0" max="0.98" step="0.02" prop:value=move || options.smoothing.get().to_string()
                on:input=entered(move |ev| options.smoothing.set(event_target_value(&ev).parse().unwrap_or(0.0)))/></label>
            <button type="button" class="toggle num" aria-pressed=move || options.log.get().to_string() on:click=clicked(move |_| options.log.update(|l| *l = !*l))>"log"</button>
        </div>
    }
}
