//! The confusion matrix of the samples held out; a cell opens its samples.

use downhill_protocol::{DataInfo, Input, Part, Query};
use leptos::prelude::*;

use super::gallery::{Gallery, has_tiles};
use super::kinds::OutputView;
use super::samples::predicted;
use crate::document::percent;
use crate::icons::Icon;
use crate::plot::colour;
use crate::plot::confusion::{confusion, recall, taken};
use crate::reactive::{RwSignal, clicked, memo};
use crate::state::{Chosen, Lab};
use crate::watches::{Ask, Source};

/// See the module.
pub struct Confusion;

impl OutputView for Confusion {
    fn title(&self) -> &'static str {
        "Confusion"
    }

    fn fits(&self, data: &DataInfo) -> bool {
        data.task == "classification" && data.positions == 0 && !data.of_pixels
    }

    fn view(&self, lab: Lab) -> AnyView {
        view! { <Matrix lab/> }.into_any()
    }
}

/// Samples of a cell that are listed.
const LISTED: usize = 24;

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
    // The cell that is open, by its row and column.
    let open = RwSignal::new(None::<(usize, usize)>);
    let picks = memo(move || {
        let (truth, guess) = open.get()?;
        answers.with(|a| a.as_ref().and_then(|a| Some(taken(a.get("target")?, a.get("output")?, truth, guess))))
    });
    let rows = predicted(lab, move || {
        let rows = picks.get()?.into_iter().take(LISTED).collect();
        Some(Input::Samples { part: Part::Validation, rows: Some(rows) })
    });
    let cell = move |i: usize, j: usize| {
        let n = move || labels.with(Vec::len);
        let count = memo(move || counts.with(|c| c.get(i * n() + j).copied().unwrap_or(0)));
        let total = memo(move || counts.with(|c| c.get(i * n()..(i + 1) * n()).map_or(0, |row| row.iter().sum())));
        let style = move || {
            let share = count.get() as f32 / total.get().max(1) as f32;
            let ink = lab.palette.with(|p| if i == j { p.positive } else { p.negative });
            format!("background:{}", colour::css(ink, 0.55 * share.sqrt().min(1.0)))
        };
        let on = move || open.get() == Some((i, j));
        let toggle = move |_| open.update(|open| *open = if *open == Some((i, j)) { None } else { Some((i, j)) });
        let label = move || {
            labels.with(|l| {
                format!(
                    "{} of {} taken for {}",
                    count.get(),
                    l.get(i).cloned().unwrap_or_default(),
                    l.get(j).cloned().unwrap_or_default()
                )
            })
        };
        view! { <td style=style translate="no"><button type="button" class="count" aria-label=label aria-pressed=move || on().to_string() disabled=move || { count.get() == 0 && !on() } on:click=clicked(toggle)>{move || count.get()}</button></td> }
    };
    let found = move |i: usize| {
        let n = move || labels.with(Vec::len);
        let share = memo(move || counts.with(|c| c.get(i * n()..(i + 1) * n()).and_then(|row| recall(row, i))));
        view! { <td class="recall">{move || share.get().map_or_else(|| "–".to_string(), percent)}</td> }
    };
    let table = move || {
        let labels = labels.get();
        let n = labels.len();
        let head = labels.iter().map(|l| view! { <th scope="col" title=l.clone()>{l.clone()}</th> }).collect_view();
        let body = labels
            .into_iter()
            .enumerate()
            .map(|(i, label)| view! { <tr><th scope="row" title=label.clone()>{label.clone()}</th>{(0..n).map(|j| cell(i, j)).collect_view()}{found(i)}</tr> })
            .collect_view();
        view! { <table class="confusion num"><thead><tr><td></td>{head}<th scope="col">"recall"</th></tr></thead><tbody>{body}</tbody></table> }.into_any()
    };
    let hint = move || {
        let held_out = lab.info.with(|i| i.as_ref().is_none_or(|i| i.data.validation > 0));
        let which = if held_out { "Held-out samples" } else { "Training samples, for none are held out" };
        format!("{which}: true class by row, prediction by column; recall is the share of a class that is found.")
    };
    let images = memo(move || lab.info.with(|i| i.as_ref().is_some_and(|i| has_tiles(&i.data))));
    let place = move |row: u32| {
        let here = move || (lab.chosen.get() == Some(Chosen::HeldOut(row))).to_string();
        view! { <button type="button" class="toggle num" aria-label=format!("Sample {}", row + 1) aria-pressed=here on:click=clicked(move |_| lab.chosen.set(Some(Chosen::HeldOut(row))))>{row + 1}</button> }.into_any()
    };
    let opened = move || {
        let (truth, guess) = open.get()?;
        let name = move |class: usize| labels.with(|l| l.get(class).cloned().unwrap_or_default());
        let title = move || {
            let count = picks.with(|p| p.as_ref().map_or(0, Vec::len));
            if truth == guess {
                format!("{} found · {count}", name(truth))
            } else {
                format!("{} taken for {} · {count}", name(truth), name(guess))
            }
        };
        let samples = if images.get() {
            view! { <Gallery lab rows label="Samples of this cell"/> }.into_any()
        } else {
            let numbers =
                move || rows.with(|r| r.iter().map(|r| r.row).collect::<Vec<_>>()).into_iter().map(place).collect_view();
            view! { <div class="chips" role="group" aria-label="Samples of this cell">{numbers}</div> }.into_any()
        };
        Some(
            view! { <div class="filtered" data-testid="cell-samples"><button type="button" class="toggle" aria-pressed="true" data-testid="clear-filter" title="Close" on:click=clicked(move |_| open.set(None))><span translate="no">{title}</span><Icon name="close"/></button>{samples}</div> },
        )
    };
    view! {
        <div class="matrix" tabindex="0" role="region" aria-label="Confusion matrix">
            <p class="hint" translate="no">{hint}</p>
            {table}
        </div>
        {opened}
    }
}
