//! How charts are drawn: smoothing and the logarithmic axis, chosen beside the drawer's tabs.

use downhill_tensor::parse_number;
use leptos::prelude::*;

use crate::reactive::{RwSignal, clicked, entered};

/// How curves are drawn.
#[derive(Clone, Copy)]
pub struct ChartOptions {
    /// Weight of the moving average, 0 to below 1.
    pub smoothing: RwSignal<f64>,
    /// Logarithmic loss and gradient norm.
    pub log: RwSignal<bool>,
}

/// Smoothing and the logarithmic axis.
#[component]
pub fn ChartBar() -> impl IntoView {
    let options: ChartOptions = expect_context();
    view! {
        <div class="options">
            <label>"smoothing" <input type="range" min="0" max="0.98" step="0.02" prop:value=move || options.smoothing.get().to_string()
                on:input=entered(move |ev| options.smoothing.set(parse_number(&event_target_value(&ev)).unwrap_or(0.0)))/></label>
            <button type="button" class="toggle num" aria-pressed=move || options.log.get().to_string() on:click=clicked(move |_| options.log.update(|l| *l = !*l))>"log"</button>
        </div>
    }
}
