//! The confusion matrix of the samples held out.

use downhill_protocol::{DataInfo, Input, Part, Query};
use leptos::prelude::*;

use super::kinds::OutputView;
use crate::document::percent;
use crate::plot::colour;
use crate::plot::confusion::{confusion, recall};
use crate::reactive::memo;
use crate::state::Lab;
use crate::watches::{Ask, Source};

/// See the module.
pub struct Confusion;

impl OutputView for Confusion {
    fn title(&self) -> &'static str {
        "Confusion"
    }

    fn fits(&self, data: &DataInfo) -> bool {
        data.task == "classification"
    }

    fn view(&self, lab: Lab) -> AnyView {
        view! { <Matrix lab/> }.into_any()
    }
}

/// True class by row, prediction by column.
#[component]
fn Matrix(lab: Lab) -> impl IntoView {
    let answers = lab.watch(|| {
        let source = Source::Of(Input::Samples { part: Part::Validation, rows: None });
        Some(Ask { source, tensors: vec![Query::all("target"), Query::all("output")], every_ms: 500.0 })
    });
    let counts = memo(move || {
        answers.with(|a| a.as_ref().and_then(|a| Some(confusion(a.get("target")?, a.get("output")?)))).unwrap_or_default()
    });
    let labels = memo(move || lab.data().map(|d| d.labels).unwrap_or_default());
    let cell = move |i: usize, j: usize| {
        let n = move || labels.with(Vec::len);
        let count = memo(move || counts.with(|c| c.get(i * n() + j).copied().unwrap_or(0)));
        let total = memo(move || counts.with(|c| c.get(i * n()..(i + 1) * n()).map_or(0, |row| row.iter().sum())));
        let style = move || {
            let share = count.get() as f32 / total.get().max(1) as f32;
            let ink = lab.palette.with(|p| if i == j { p.positive } else { p.negative });
            format!("background:{}", colour::css(ink, 0.55 * share.sqrt().min(1.0)))
        };
        view! { <td style=style translate="no">{move || count.get()}</td> }
    };
    let found = move |i: usize| {
        let n = move || labels.with(Vec::len);
        let share = memo(move || counts.with(|c| c.get(i * n()..(i + 1) * n()).and_then(|row| recall(row, i))));
        view! { <td class="recall">{move || share.get().map_or_else(|| "–".to_string(), percent)}</td> }
    };
    let table = move || {
        let labels = labels.get();
        let n = labels.len();
        let head = labels.iter().map(|l| view! { <th scope="col">{l.clone()}</th> }).collect_view();
        let body = labels
            .into_iter()
            .enumerate()
            .map(|(i, label)| view! { <tr><th scope="row">{label}</th>{(0..n).map(|j| cell(i, j)).collect_view()}{found(i)}</tr> })
            .collect_view();
        view! { <table class="confusion num"><thead><tr><td></td>{head}<th scope="col">"recall"</th></tr></thead><tbody>{body}</tbody></table> }.into_any()
    };
    let hint = move || {
        let held_out = lab.info.with(|i| i.as_ref().is_none_or(|i| i.data.validation > 0));
        let which = if held_out { "Held-out samples" } else { "Training samples, for none are held out" };
        format!("{which}: true class by row, prediction by column; recall is the share of a class that is found.")
    };
    view! {
        <div class="matrix" tabindex="0" role="region" aria-label="Confusion matrix">
            <p class="hint" translate="no">{hint}</p>
            {table}
        </div>
    }
}
