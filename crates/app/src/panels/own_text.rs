//! Bring your own text: paste it or choose a file. What becomes of it says `taking`; a file may be dropped anywhere.

use leptos::prelude::*;
use serde_json::Value;

use crate::document::{get, grouped};
use crate::forms::Trouble;
use crate::reactive::{clicked, entered, memo};
use crate::state::Lab;
use crate::{files, taking};

/// The form.
pub fn form() -> AnyView {
    view! { <OwnText/> }.into_any()
}

#[component]
fn OwnText() -> impl IntoView {
    let lab = Lab::here();
    let word = move |path: &'static str| {
        memo(move || lab.draft.with(|doc| get(doc, path).and_then(Value::as_str).unwrap_or_default().to_string()))
    };
    let (text, file) = (word("data.text.text"), word("data.text.file"));
    let (json, json_file) = (word("data.text.tokenizer_json"), word("data.text.tokenizer_file"));
    let own_tokenizer = memo(move || !json.with(String::is_empty) || !json_file.with(String::is_empty));
    // Of the run, which may be cut otherwise than the document says while its text is read.
    let tokens = memo(move || {
        lab.info.with(|info| info.as_ref().filter(|info| info.data.language.is_some()).map(|info| info.data.labels.len()))
    });
    let cut = move || {
        let count = tokens.get().map(|tokens| format!("{} different tokens", grouped(tokens as u64)));
        let by = match json_file.get() {
            _ if !own_tokenizer.get() => String::new(),
            file if file.is_empty() || !json.with(String::is_empty) => "a tokenizer of your own".to_string(),
            file => format!("the tokenizer \"{file}\""),
        };
        count.into_iter().chain((!by.is_empty()).then_some(by)).collect::<Vec<_>>().join(" · ")
    };
    let picked = move |ev: leptos::ev::Event| {
        let input: web_sys::HtmlInputElement = event_target(&ev);
        if let Some(chosen) = input.files() {
            files::take(lab, &chosen);
        }
        // Or the same file, chosen again after an edit, would be no change.
        input.set_value("");
    };
    let pasted = move |ev: web_sys::ClipboardEvent| {
        let field: web_sys::HtmlTextAreaElement = event_target(&ev);
        let new = ev.clipboard_data().and_then(|data| data.get_data("text").ok());
        // A whole text is learned at once; a piece that is put into another one waits until that is left.
        if let Some(new) = new.filter(|new| new.len() > taking::INLINE || field.value().is_empty()) {
            ev.prevent_default();
            taking::text_of_own(lab, new);
        }
    };
    let read = move || match (file.get(), text.with(String::len)) {
        (file, 0) if !file.is_empty() => format!("The file \"{file}\" is read."),
        (_, 0) => "A short tale is read until there is a text here.".to_string(),
        (_, bytes) => format!("{} bytes, kept in the experiment.", grouped(bytes as u64)),
    };
    view! {
        <div class="own">
            <textarea class="num" rows="4" data-testid="own-text" spellcheck="false" aria-label="Your text" placeholder=if lab.is_widget() { "Paste a text here" } else { "Paste a text here, or drop a file anywhere on the page, a tokenizer.json too" } prop:value=move || text.get() on:paste=pasted on:change=entered(move |ev| taking::text_of_own(lab, event_target_value(&ev)))></textarea>
            <label class="file">"Choose a file "<input type="file" data-testid="text-file" accept=".txt,.md,.json,text/plain" on:change=picked/></label>
            <p data-testid="text-read">{read}</p>
            {move || lab.reading.get().is_some().then(|| view! { <Reading/> })}
            <p class="row"><span data-testid="text-tokens">{cut}</span>
                {move || own_tokenizer.get().then(|| view! { <button type="button" class="link" data-testid="learn-tokenizer" on:click=clicked(move |_| taking::learn_tokenizer(lab))>"Learn one from the text"</button> })}</p>
            <Trouble path="data.text.tokenizer_json".to_string()/>
            <Trouble path="data.text.tokenizer_file".to_string()/>
            <p class="hint">"The text stays on this machine, unless you share a link or a file that holds it."</p>
        </div>
    }
}

/// How far the text has been read.
#[component]
fn Reading() -> impl IntoView {
    let lab = Lab::here();
    view! {
        <div class="row under-way" role="status" data-testid="text-reading">
            <span>"Reading the text …"</span>
            <progress aria-label="Read so far" max="1" prop:value=move || lab.reading.get().unwrap_or_default()></progress>
        </div>
    }
}
