//! Bring your own table: paste or drop it, see what its columns were taken for, choose what to predict.

use downhill_model::data::csv::{Column, ColumnType, Goal, Profile, decode, inspect};
use leptos::prelude::*;
use serde_json::json;
use wasm_bindgen_futures::{JsFuture, spawn_local};

use crate::document::{self, grouped};
use crate::forms::Select;
use crate::reactive::{RwSignal, entered, memo};
use crate::state::Lab;

/// Larger tables are kept beside the experiment and not in it, so that edits and links stay small.
const INLINE: usize = 100_000;

/// The form, in the part of the code that comes later: it is no piece of who shows it.
#[inline(never)]
pub fn form() -> AnyView {
    view! { <BringYourOwn/> }.into_any()
}

#[component]
fn BringYourOwn() -> impl IntoView {
    let lab = Lab::here();
    let text = RwSignal::new(String::new());
    let name = RwSignal::new(String::new());
    let found = RwSignal::new(None::<Result<Profile, String>>);
    let look = move |new: String, file: String| {
        if new.trim().is_empty() {
            found.set(None);
            return;
        }
        let looked = inspect(&new).map_err(|e| e.to_string());
        if let Ok(inspection) = &looked {
            name.set(file.clone());
            text.set(new);
            take_up(lab, text, &file, &inspection.target, inspection.task);
        }
        found.set(Some(looked));
    };
    let read = move |file: web_sys::File| {
        spawn_local(async move {
            let title = file.name();
            let Ok(buffer) = JsFuture::from(file.array_buffer()).await else {
                found.set(Some(Err("The file could not be read. Try again, or paste its text.".to_string())));
                return;
            };
            match decode(&js_sys::Uint8Array::new(&buffer).to_vec()) {
                Ok(new) => look(new, title),
                Err(error) => found.set(Some(Err(error.to_string()))),
            }
        });
    };
    let dropped = move |ev: web_sys::DragEvent| {
        ev.prevent_default();
        if let Some(file) = ev.data_transfer().and_then(|d| d.files()).and_then(|f| f.get(0)) {
            read(file);
        }
    };
    // A text field takes minutes for what a file brings in a moment.
    let pasted = move |ev: web_sys::ClipboardEvent| {
        let new = ev.clipboard_data().and_then(|data| data.get_data("text").ok()).filter(|new| new.len() > INLINE);
        if let Some(new) = new {
            ev.prevent_default();
            look(new, String::new());
        }
    };
    let picked = move |ev: leptos::ev::Event| {
        let input: web_sys::HtmlInputElement = event_target(&ev);
        if let Some(file) = input.files().and_then(|f| f.get(0)) {
            read(file);
        }
    };
    view! {
        <div class="own" on:dragover=|ev| ev.prevent_default() on:drop=dropped>
            <textarea class="num" rows="4" data-testid="csv" spellcheck="false" aria-label="Table as CSV" placeholder="Paste a table with a header here, or drop a CSV file" on:paste=pasted on:input=entered(move |ev| look(event_target_value(&ev), String::new()))></textarea>
            <label class="file">"Choose a file "<input type="file" accept=".csv,.tsv,.txt,text/csv" on:change=picked/></label>
            {move || found.get().map(|f| match f {
                Err(error) => view! { <p class="trouble" role="alert">{error}</p> }.into_any(),
                Ok(inspection) => view! { <Found inspection text name/> }.into_any(),
            })}
            <p class="hint">"The table stays on this machine."</p>
        </div>
    }
}

/// Trains on the table.
fn take_up(lab: Lab, text: RwSignal<String>, file: &str, target: &str, goal: Goal) {
    lab.edit(|doc| {
        let mut fields = json!({ "target": target });
        text.with_untracked(|text| {
            if text.len() <= INLINE {
                fields["text"] = json!(text);
            } else {
                let file = if file.is_empty() { "pasted.csv" } else { file };
                lab.inbox.update_value(|inbox| {
                    inbox.assets.insert(file.to_string(), text.clone().into_bytes());
                });
                fields["file"] = json!(file);
            }
        });
        doc["data"] = json!({ "csv": fields });
        doc["name"] = json!(format!("Predict {target}"));
        document::fit_end(doc, goal == Goal::Regression);
    });
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
fn Found(inspection: Profile, text: RwSignal<String>, name: RwSignal<String>) -> impl IntoView {
    const NAMED: usize = 5;
    let lab = Lab::here();
    let words =
        inspection.columns.iter().filter(|c| c.is_usable()).map(|c| (c.name.clone(), c.name.clone())).collect::<Vec<_>>();
    let target = RwSignal::new(inspection.target.clone());
    let goals: Vec<(String, Goal)> = inspection.columns.iter().map(|c| (c.name.clone(), c.goal())).collect();
    let choose = move |column: String| {
        let goal = goals.iter().find(|g| g.0 == column).map_or(Goal::Auto, |g| g.1);
        take_up(lab, text, &name.get_untracked(), &column, goal);
        target.set(column);
    };
    let rows = inspection.columns.iter().map(|c| {
        view! { <tr><th scope="row">{c.name.clone()}</th><td>{kind(c)}</td><td>{c.examples.join(", ")}</td></tr> }
    });
    let count = inspection.trouble_count;
    let trouble = (count > 0).then(|| {
        let named = inspection.trouble.iter().take(NAMED).map(|t| view! { <li>{t.to_string()}</li> }).collect_view();
        let more = (count > NAMED).then(|| view! { <li>{format!("… and {} more.", count - NAMED)}</li> });
        view! { <ul class="trouble" data-testid="csv-trouble">{named}{more}</ul> }
    });
    view! {
        <p class="hint">{format!("{} rows, {} columns{}", grouped(inspection.rows as u64), inspection.columns.len(), if inspection.header { "" } else { ", no header" })}</p>
        <div class="field"><label for="csv-target">"Predict"</label><Select id="csv-target".to_string() words value=memo(move || target.get()) write=Callback::new(choose)/></div>
        <div class="scroll" tabindex="0" role="region" aria-label="Columns"><table class="num columns" data-testid="csv-columns"><tbody>{rows.collect_view()}</tbody></table></div>
        {trouble}
    }
}
