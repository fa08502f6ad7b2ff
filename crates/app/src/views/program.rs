//! What the experiment was compiled to: the kernels of one training step, and on request the time of each.

use downhill_protocol::Command;
use leptos::prelude::*;

use super::kinds::Panel;
use super::profile::profile;
use crate::document::scaled;
use crate::reactive::{clicked, memo};
use crate::state::Lab;

/// See the module.
pub struct Program;

impl Panel for Program {
    fn name(&self) -> &'static str {
        "Program"
    }

    fn count(&self, lab: Lab) -> Option<String> {
        lab.info.with(|i| i.as_ref().map(|i| i.program.len().to_string()))
    }

    fn view(&self, lab: Lab) -> AnyView {
        view! { <Kernels lab/> }.into_any()
    }
}

/// The list of kernels.
#[component]
fn Kernels(lab: Lab) -> impl IntoView {
    let summary = memo(move || {
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
    });
    let lines = memo(move || lab.info.with(|i| i.as_ref().map(|i| i.program.clone()).unwrap_or_default()));
    let body = move || {
        match lab.profiled.get() {
        Some(report) => profile(lab, &report),
        None => view! {
            <p class="hint" translate="no">{move || summary.get()}</p>
            <ol class="num" aria-label="Kernels of a training step">{move || lines.get().into_iter().map(|line| view! { <li>{line}</li> }).collect_view()}</ol>
        }
        .into_any(),
    }
    };
    let busy = move || lab.measuring.with(Option::is_some);
    let word = move || match (busy(), lab.profiled.with(Option::is_some)) {
        (true, _) => "Measuring …",
        (_, true) => "Measure again",
        _ => "Measure",
    };
    view! {
        <div class="program" tabindex="0" role="region" aria-label="Compiled program">
            <button type="button" class="ghost" data-testid="measure" translate="no" disabled=busy on:click=clicked(move |_| lab.measure(Command::Profile))>{word}</button>
            <Show when=move || lab.unmeasured.with(Option::is_some)><p class="trouble" role="alert">{move || lab.unmeasured.get().map(|e| e.to_string())}</p></Show>
            {body}
        </div>
    }
}
