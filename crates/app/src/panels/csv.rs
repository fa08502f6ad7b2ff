//! Bring your own table: paste or choose it, see what its columns were taken for, choose what to predict. A file may be dropped anywhere.

use std::sync::Arc;

use downhill_model::data::csv::{Column, ColumnType, Goal, Profile};
use leptos::prelude::*;

use crate::document::{grouped, name_at};
use crate::forms::Select;
use crate::reactive::{clicked, effect, entered, memo};
use crate::state::{Lab, Table};
use crate::{files, taking};

/// More text than this takes a text field minutes to show; a file brings it in a moment.
const LONG: usize = 100_000;

/// The form, in the part of the code that comes later: it is no piece of who shows it.
#[inline(never)]
pub fn form() -> AnyView {
    view! { <BringYourOwn/> }.into_any()
}

#[component]
fn BringYourOwn() -> impl IntoView {
    let lab = Lab::here();
    // A table that came with an experiment is shown as one that was chosen here.
    effect(move || {
        let runs = lab.info.with(Option::is_some) && lab.draft.with(|doc| name_at(doc, "data", "") == "csv");
        if runs && lab.table.with(Option::is_none) {
            taking::table_again(lab);
        }
    });
    let typed = move |text: String| if text.trim().is_empty() { lab.table.set(None) } else { taking::table_text(lab, text) };
    let pasted = move |ev: web_sys::ClipboardEvent| {
        let new = ev.clipboard_data().and_then(|data| data.get_data("text").ok()).filter(|new| new.len() > LONG);
        if let Some(new) = new {
            ev.prevent_default();
            taking::table_text(lab, new);
        }
    };
    let picked = move |ev: leptos::ev::Event| {
        let input: web_sys::HtmlInputElement = event_target(&ev);
        if let Some(chosen) = input.files() {
            files::take(lab, &chosen);
        }
        // Or the same file, chosen again after an edit, would be no change.
        input.set_value("");
    };
    let text = memo(move || lab.table.with(|table| table.as_ref().map(|table| table.text.clone()).unwrap_or_default()));
    let found = move || {
        let table = lab.table.get()?;
        Some(match table.found.clone() {
            None => view! { <UnderWay/> }.into_any(),
            Some(Err(error)) => view! { <p class="trouble" role="alert" data-testid="csv-error">{error}</p> }.into_any(),
            Some(Ok(profile)) => view! { <Found profile table/> }.into_any(),
        })
    };
    view! {
        <div class="own">
            <textarea class="num" rows="4" data-testid="csv" spellcheck="false" aria-label="Table as CSV" placeholder="Paste a table with a header here, or drop a file anywhere on the page" prop:value=move || text.get() on:paste=pasted on:input=entered(move |ev| typed(event_target_value(&ev)))></textarea>
            <label class="file">"Choose a file "<input type="file" data-testid="csv-file" accept=".csv,.tsv,.txt,text/csv" on:change=picked/></label>
            {found}
            <p class="hint">"The table stays on this machine."</p>
        </div>
    }
}

/// How far a table has been read.
#[component]
fn UnderWay() -> impl IntoView {
    let lab = Lab::here();
    let done = memo(move || lab.table.with(|table| table.as_ref().map_or(0.0, |table| table.done)));
    let what = lab.table.with_untracked(|table| table.as_ref().map(|table| table.file.clone())).filter(|file| !file.is_empty());
    view! {
        <div class="row reading" role="status" data-testid="csv-reading">
            <span>{format!("Reading {} …", what.as_deref().unwrap_or("the table"))}</span>
            <progress aria-label="Read so far" max="1" prop:value=move || done.get()></progress>
            <button type="button" class="ghost" on:click=clicked(move |_| taking::cancel(lab))>"Cancel"</button>
        </div>
    }
}

fn kind(column: &Column) -> String {
    let name = match column.kind {
        ColumnType::Number => "number",
        ColumnType::Date => "date",
        ColumnType::Category | ColumnType::Auto => "category",
        ColumnType::Text => "free text",
    };
    if column.usable { name.to_string() } else { format!("{name}, left out: {}", column.reason) }
}

#[component]
fn Found(profile: Arc<Profile>, table: Table) -> impl IntoView {
    const NAMED: usize = 5;
    let lab = Lab::here();
    let words = profile.columns.iter().filter(|c| c.is_usable()).map(|c| (c.name.clone(), c.name.clone())).collect::<Vec<_>>();
    let guess = profile.target.clone();
    let target = memo(move || {
        let chosen =
            lab.draft.with(|doc| crate::document::get(doc, "data.csv.target").and_then(|t| t.as_str()).map(str::to_string));
        chosen.filter(|name| !name.is_empty()).unwrap_or_else(|| guess.clone())
    });
    let goals: Vec<(String, Goal)> = profile.columns.iter().map(|c| (c.name.clone(), c.goal())).collect();
    let choose = move |column: String| {
        let goal = goals.iter().find(|g| g.0 == column).map_or(Goal::Auto, |g| g.1);
        taking::train_on(lab, &table, &column, goal);
    };
    let rows = profile.columns.iter().map(|c| {
        view! { <tr><th scope="row">{c.name.clone()}</th><td>{kind(c)}</td><td>{c.examples.join(", ")}</td></tr> }
    });
    let count = profile.trouble_count;
    let trouble = (count > 0).then(|| {
        let named = profile.trouble.iter().take(NAMED).map(|t| view! { <li>{t.to_string()}</li> }).collect_view();
        let more = (count > NAMED).then(|| view! { <li>{format!("… and {} more.", count - NAMED)}</li> });
        view! { <ul class="trouble" data-testid="csv-trouble">{named}{more}</ul> }
    });
    view! {
        <p class="hint">{format!("{} rows, {} columns{}", grouped(profile.rows as u64), profile.columns.len(), if profile.header { "" } else { ", no header" })}</p>
        <div class="field"><label for="csv-target">"Predict"</label><Select id="csv-target".to_string() words value=target write=Callback::new(choose)/></div>
        <div class="scroll" tabindex="0" role="region" aria-label="Columns"><table class="num columns" data-testid="csv-columns"><tbody>{rows.collect_view()}</tbody></table></div>
        {trouble}
    }
}
