//! The same steps on CPU and GPU, and how far they are apart, in a dialog.

use downhill_protocol::{Comparison, Difference};
use leptos::prelude::*;

use super::dialog::Dialog;
use super::later::Later;
use crate::document::number;
use crate::machine::{COMPARED_STEPS, agrees, close, judgement};
use crate::reactive::RwSignal;
use crate::state::Lab;

/// The dialog.
#[component]
pub fn Compare(
    /// Whether it is open.
    open: RwSignal<bool>,
) -> impl IntoView {
    let answer = || view! { <Answer/> }.into_any();
    view! { <Dialog open id="compare" title="CPU and GPU compared"><Later show=Box::new(answer)/></Dialog> }
}

/// What came of it: the wait, the reason why not, or the table.
#[component]
fn Answer() -> impl IntoView {
    let lab = Lab::here();
    let answer = move || {
        match (lab.compared.get(), lab.unmeasured.get()) {
        (Some(comparison), _) => table(&comparison),
        (_, Some(error)) => view! { <p class="note bad" role="alert">{error.to_string()}</p> }.into_any(),
        _ => view! { <p role="status">{format!("Taking {COMPARED_STEPS} steps on both, from the weights of now. The run itself stays as it is.")}</p> }.into_any(),
    }
    };
    view! { <div data-testid="comparison">{answer}</div> }
}

fn table(comparison: &Comparison) -> AnyView {
    let row = |row: &Difference| {
        let shape = row.shape.iter().map(u32::to_string).collect::<Vec<_>>().join(" × ");
        let far = !close(row);
        view! {
            <tr class:wrong=far><th scope="row">{row.tensor.clone()}</th><td>{shape}</td><td>{number(row.absolute)}</td><td>{number(row.relative)}</td></tr>
        }
    };
    let rows = comparison.rows.iter().map(row).collect_view();
    let (cpu, gpu) = comparison.loss;
    let well = agrees(comparison);
    view! {
        <p class="note" class:good=well class:bad=!well role="status">{judgement(comparison)}</p>
        <p class="hint">{format!("{} steps from the same weights, on the same batches. Loss of the last one: ", comparison.steps)}
            <b class="num">{format!("{cpu:.6}")}</b>" on the CPU, "<b class="num">{format!("{gpu:.6}")}</b>{format!(" on the GPU ({}).", comparison.adapter)}</p>
        <div class="matrix" tabindex="0" role="region" aria-label="Differences">
            <table class="num predictions">
                <thead><tr><th scope="col">"tensor"</th><th scope="col">"shape"</th><th scope="col">"absolute"</th><th scope="col">"relative"</th></tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}
