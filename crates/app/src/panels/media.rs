//! Bring your own pictures or sounds: choose files, a zip or a folder of them, or take some with camera or microphone (`capture`); see how far they have
//! been read and what was left out. They may be dropped anywhere.

use js_sys::Array;
use leptos::prelude::*;

use super::capture::Capture;
use crate::document::grouped;
use crate::reactive::{clicked, memo};
use crate::state::Lab;
use crate::{files, media};

/// The form.
pub fn form() -> AnyView {
    view! { <OwnMedia/> }.into_any()
}

#[component]
fn OwnMedia() -> impl IntoView {
    let lab = Lab::here();
    let picked = move |ev: leptos::ev::Event| {
        let input: web_sys::HtmlInputElement = event_target(&ev);
        let chosen: Array = input.files().map(|files| Array::from(&files)).unwrap_or_default();
        if chosen.length() > 0 {
            files::take_media(lab, chosen, Array::new());
        }
        input.set_value("");
    };
    let under_way = memo(move || lab.media.with(|p| p.as_ref().filter(|p| p.found.is_none()).map(|p| p.read)));
    let found = memo(move || lab.media.with(|p| p.as_ref().and_then(|p| p.found.clone())));
    let reading = move || under_way.get().is_some();
    let told = move || {
        found.get().map(|found| match found {
            Err(error) => view! { <p class="trouble" role="alert" data-testid="media-error">{error}</p> }.into_any(),
            Ok(notes) => notes
                .into_iter()
                .map(|note| view! { <p class="hint" data-testid="media-note">{note}</p> })
                .collect_view()
                .into_any(),
        })
    };
    view! {
        <label class="file">"Or pictures or sounds: files of them, a zip, IDX or NumPy files "<input type="file" multiple=true data-testid="media-file" accept="image/*,audio/*,.zip,.npz,.npy,.gz,.idx" on:change=picked/></label>
        <label class="file">"Or a folder, with a folder for each class "<input type="file" prop:webkitdirectory=true data-testid="media-folder" on:change=picked/></label>
        <Capture lab sounds=false/>
        <Capture lab sounds=true/>
        <Show when=reading>
            <div class="row under-way" role="status" data-testid="media-reading">
                <span translate="no">{move || under_way.get().map(|(done, all)| format!("Reading: {} of {} …", grouped(done.into()), grouped(all.into())))}</span>
                <progress aria-label="Read so far" max="1" prop:value=move || under_way.get().map_or(0.0, |(done, all)| f64::from(done) / f64::from(all.max(1)))></progress>
                <button type="button" class="ghost" on:click=clicked(move |_| media::stop(lab))>"Cancel"</button>
            </div>
        </Show>
        {told}
    }
}
