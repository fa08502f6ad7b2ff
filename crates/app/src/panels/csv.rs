//! Bring your own table: paste or choose it, see what its columns were taken for, choose what to predict; or pictures and sounds (`media`). A file may be
//! dropped anywhere.

use leptos::prelude::*;

use super::kept::Kept;
use super::{media, table};
use crate::document::name_at;
use crate::reactive::{clicked, effect, entered, memo};
use crate::state::Lab;
use crate::{files, taking};

/// More text than this takes a text field minutes to show; a file brings it in a moment.
const LONG: usize = 100_000;

/// The form.
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
    effect(move || {
        taking::decided(lab);
        taking::look_again(lab);
    });
    let typed = move |text: String| if text.trim().is_empty() { lab.table.set(None) } else { taking::table_text(lab, text) };
    let pasted = move |ev: web_sys::ClipboardEvent| {
        let copied = ev.clipboard_data().and_then(|data| data.files()).filter(|files| files.length() > 0);
        if let Some(copied) = copied {
            ev.prevent_default();
            return files::take(lab, &copied);
        }
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
            Some(Ok(profile)) => table::table(lab, &profile),
        })
    };
    view! {
        <div class="own">
            <textarea class="num" rows="4" data-testid="csv" spellcheck="false" aria-label="Table as CSV" placeholder=if lab.is_widget() { "Paste a table with a header here" } else { "Paste a table with a header here, or drop a file anywhere on the page" } prop:value=move || text.get() on:paste=pasted on:input=entered(move |ev| typed(event_target_value(&ev)))></textarea>
            <label class="file">"Choose a file "<input type="file" data-testid="csv-file" accept=".csv,.tsv,.txt,text/csv" on:change=picked/></label>
            {found}
            <p class="hint">"The table stays on this machine, unless you share a link or a file that holds it."</p>
            <Kept/>
            {media::form()}
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
        <div class="row under-way" role="status" data-testid="csv-reading">
            <span>{format!("Reading {} …", what.as_deref().unwrap_or("the table"))}</span>
            <progress aria-label="Read so far" max="1" prop:value=move || done.get()></progress>
            <button type="button" class="ghost" on:click=clicked(move |_| taking::cancel(lab))>"Cancel"</button>
        </div>
    }
}
