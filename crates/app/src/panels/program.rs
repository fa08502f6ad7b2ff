//! What the experiment was compiled to: the kernels of one training step.

use leptos::prelude::*;

use crate::document::scaled;
use crate::reactive::memo;
use crate::state::Lab;

/// The list of kernels.
#[component]
pub fn Program() -> impl IntoView {
    let lab = Lab::here();
    let lines = memo(move || lab.info.with(|i| i.as_ref().map(|i| i.program.clone()).unwrap_or_default()));
    let summary = move || {
        lab.info.with(|i| {
            i.as_ref().map(|i| {
                format!(
                    "One training step is {} kernels, {}FLOP, in an arena of {}B. They run in this order, without a pause between them.",
                    i.program.len(),
                    scaled(i.flops_per_step as f64),
                    scaled(i.bytes as f64)
                )
            })
        })
    };
    view! {
        <div class="program">
            <p class="hint">{summary}</p>
            <ol class="num" tabindex="0" aria-label="Kernels of a training step">{move || lines.get().into_iter().map(|line| view! { <li>{line}</li> }).collect_view()}</ol>
        </div>
    }
}
