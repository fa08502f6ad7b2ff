//! Statistics of every parameter and activation: are units dead, do updates fit the weights?

use downhill_protocol::{Frame, MapSource, Watch};
use leptos::prelude::*;

use crate::document::number;
use crate::reactive::memo;
use crate::state::Lab;

type Rows = Vec<(String, Vec<(String, f64)>)>;

/// The tables.
#[component]
pub fn Inspector() -> impl IntoView {
    let lab = Lab::here();
    lab.watch(Watch { panel: "stats".into(), source: MapSource::Stats, every_ms: 500.0 });
    let rows = memo(move || {
        lab.frames.stats.with(|shown| match shown.as_ref().map(|s| &s.message.header) {
            Some(Frame::Stats { rows }) => rows.clone(),
            _ => Rows::new(),
        })
    });
    let names = memo(move || rows.with(|r| r.iter().map(|row| (row.0.clone(), columns(row))).collect::<Vec<_>>()));
    // Rows with the same columns share a table: parameters one, activations the other.
    let tables = memo(move || {
        let mut tables: Vec<(Vec<String>, Vec<usize>)> = Vec::new();
        for (i, (_, columns)) in names.get().into_iter().enumerate() {
            match tables.iter_mut().find(|t| t.0 == columns) {
                Some(table) => table.1.push(i),
                None => tables.push((columns, vec![i])),
            }
        }
        tables
    });
    let table = move |(columns, members): (Vec<String>, Vec<usize>)| {
        let head = columns.iter().map(|c| view! { <th scope="col">{c.replace('_', " ")}</th> }).collect_view();
        let body = members.into_iter().map(|i| {
            let width = columns.len();
            let name = move || rows.with(|r| r.get(i).map(|row| row.0.clone()));
            let cells = (0..width).map(move |j| {
                let cell = move || rows.with(|r| r.get(i).and_then(|row| row.1.get(j).map(|c| shown(&c.0, c.1))));
                view! { <td>{cell}</td> }
            });
            view! { <tr><th scope="row">{name}</th>{cells.collect_view()}</tr> }
        });
        view! { <table class="num"><thead><tr><th scope="col">"name"</th>{head}</tr></thead><tbody>{body.collect_view()}</tbody></table> }.into_any()
    };
    view! {
        <div class="inspector" tabindex="0" role="region" aria-label="Statistics">
            <Show when=move || rows.with(Vec::is_empty)><p class="hint">"Statistics come with the first steps."</p></Show>
            {move || tables.get().into_iter().map(table).collect_view()}
        </div>
    }
}

fn columns(row: &(String, Vec<(String, f64)>)) -> Vec<String> {
    row.1.iter().map(|c| c.0.clone()).collect()
}

/// Shares as percentages, other numbers short.
fn shown(name: &str, value: f64) -> String {
    let share = ["zeros", "dead", "saturated", "ratio"].iter().any(|word| name.contains(word));
    if share && value.is_finite() { format!("{:.2} %", 100.0 * value) } else { number(value) }
}
