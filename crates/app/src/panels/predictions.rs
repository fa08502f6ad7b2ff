//! Predictions on what was held out: a confusion matrix, and the worst mistakes of a table.

use downhill_protocol::{Frame, MapSource, Watch};
use leptos::prelude::*;

use crate::document::number;
use crate::plot::colour;
use crate::reactive::{Memo, clicked, effect, memo};
use crate::state::Lab;

const LIMIT: u32 = 24;

/// Predictions as they arrive: rows of four numbers, inputs, confusion counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// Sample, truth, prediction, probability (or sample, target, prediction, error).
    pub rows: Vec<[f32; 4]>,
    /// Raw inputs, one list per row.
    pub inputs: Vec<Vec<f32>>,
    /// Counts, true class by row.
    pub confusion: Vec<f32>,
}

/// Watches the predictions for as long as the calling component is on screen.
pub fn watched(lab: Lab) -> Memo<Rows> {
    lab.watch(Watch { panel: "validation".into(), source: MapSource::Validation { limit: LIMIT }, every_ms: 500.0 });
    memo(move || {
        lab.frames.validation.with(|shown| {
            let Some(shown) = shown else { return Rows::default() };
            let Frame::Predictions { rows, inputs, confusion } = &shown.message.header else { return Rows::default() };
            let rows: Vec<[f32; 4]> = shown.message.array(*rows).chunks_exact(4).map(|r| [r[0], r[1], r[2], r[3]]).collect();
            let inputs = shown.message.array(*inputs);
            let width = inputs.len().checked_div(rows.len()).unwrap_or(0).max(1);
            Rows {
                rows,
                inputs: inputs.chunks(width).map(<[f32]>::to_vec).collect(),
                confusion: shown.message.array(*confusion).to_vec(),
            }
        })
    })
}

/// The matrix: true class by row, prediction by column.
#[component]
pub fn Confusion() -> impl IntoView {
    let lab = Lab::here();
    let rows = watched(lab);
    let labels = memo(move || lab.data().map(|d| d.labels).unwrap_or_default());
    let cell = move |i: usize, j: usize| {
        let count = memo(move || rows.with(|r| r.confusion.get(i * labels.with(Vec::len) + j).copied().unwrap_or(0.0)));
        let total = memo(move || {
            let n = labels.with(Vec::len);
            rows.with(|r| r.confusion.get(i * n..(i + 1) * n).map_or(0.0, |row| row.iter().sum::<f32>()))
        });
        let style = move || {
            let share = count.get() / total.get().max(1.0);
            let ink = lab.palette.with(|p| if i == j { p.positive } else { p.negative });
            format!("background:{}", colour::css(ink, 0.6 * share.sqrt().min(1.0)))
        };
        view! { <td style=style>{move || count.get() as u32}</td> }
    };
    let table = move || {
        let labels = labels.get();
        let n = labels.len();
        let head = labels.iter().map(|l| view! { <th scope="col">{l.clone()}</th> }).collect_view();
        let body = labels
            .into_iter()
            .enumerate()
            .map(|(i, label)| view! { <tr><th scope="row">{label}</th>{(0..n).map(|j| cell(i, j)).collect_view()}</tr> })
            .collect_view();
        view! { <table class="confusion num"><thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table> }.into_any()
    };
    view! {
        <div class="matrix" tabindex="0" role="region" aria-label="Confusion matrix">
            <p class="hint">"Held-out samples: true class by row, prediction by column."</p>
            {table}
        </div>
    }
}

/// The worst predictions of a table; one that is clicked is shown inside the network.
#[component]
pub fn Predictions() -> impl IntoView {
    let lab = Lab::here();
    let rows = watched(lab);
    effect(move || {
        // Something to look at inside the network before anything is clicked.
        if lab.sample.with(Option::is_none)
            && let Some(first) = rows.with(|r| r.inputs.first().cloned())
        {
            lab.sample.set(Some(first));
        }
    });
    let data = memo(move || lab.data());
    let name = move |v: f32| data.with(|d| d.as_ref().and_then(|d| d.labels.get(v as usize).cloned()).unwrap_or_default());
    let classes = move || data.with(|d| d.as_ref().is_some_and(|d| d.task == "classification"));
    let row = move |i: usize| {
        let at = memo(move || rows.with(|r| r.rows.get(i).copied()));
        let cells = move || {
            at.get().map(|[_, truth, predicted, p]| {
                let wrong = classes() && truth != predicted;
                let texts = if classes() { [name(truth), name(predicted), format!("{:.1} %", 100.0 * p)] } else { [truth, predicted, p].map(|v| number(f64::from(v))) };
                view! { <tr class:wrong=wrong>
                    <th scope="row"><button type="button" class="link" on:click=clicked(move |_| lab.sample.set(rows.with_untracked(|r| r.inputs.get(i).cloned())))>{i + 1}</button></th>
                    {texts.map(|t| view! { <td>{t}</td> }).into_iter().collect_view()}
                </tr> }
            })
        };
        view! { {cells} }.into_any()
    };
    let count = memo(move || rows.with(|r| r.rows.len().min(12)));
    let heads = move || if classes() { ["truth", "prediction", "probability"] } else { ["target", "prediction", "error"] };
    view! {
        <div class="matrix" tabindex="0" role="region" aria-label="Predictions">
            <p class="hint">"Held-out rows, the worst first. Click one to see it run through the network."</p>
            <table class="num predictions">
                <thead><tr><th scope="col">"row"</th>{move || heads().map(|h| view! { <th scope="col">{h}</th> }).into_iter().collect_view()}</tr></thead>
                <tbody>{move || (0..count.get()).map(row).collect_view()}</tbody>
            </table>
        </div>
    }
}
