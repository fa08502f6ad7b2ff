//! A link to the experiment: how long it is, what it holds, and what it cannot hold. It comes with the later part of the code.

use downhill_model::data::Source;
use downhill_model::{Experiment, share};
use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};

use super::export::{self, What};
use crate::address::LONGEST;
use crate::document::grouped;
use crate::reactive::{RwSignal, clicked};
use crate::state::Lab;

/// The form; made anew whenever it is opened.
pub fn form() -> AnyView {
    view! { <Share/> }.into_any()
}

/// A link, and what is to be said of it.
struct Offer {
    url: String,
    holds: String,
    /// Why it had better be a file.
    warning: Option<String>,
}

fn offer(experiment: &Experiment) -> Offer {
    let fragment = share::encode(experiment);
    let location = window().location();
    let url = format!("{}{}#{fragment}", location.origin().unwrap_or_default(), location.pathname().unwrap_or_default());
    let length = format!("{} characters", grouped(url.len() as u64));
    let (data, missing) = match &experiment.data {
        Source::Csv(csv) if csv.text.is_empty() && !csv.file.is_empty() => ("", Some(csv.file.as_str())),
        Source::Csv(_) => ("with its table", None),
        Source::Images(images) => ("", Some(images.file.as_str())),
        Source::Points(_) => ("with the points that were drawn", None),
        _ => ("with all that its data are made from", None),
    };
    let warning = match missing {
        Some(file) => Some(format!(
            "The link holds the network and all settings, but not \"{file}\", which is too large for it: whoever opens it has to have that file.{}",
            if matches!(experiment.data, Source::Csv(_)) { " An exported experiment holds both." } else { "" }
        )),
        None if fragment.len() > LONGEST => Some(format!(
            "The link has {length}: it holds the whole experiment, {data}, but many programs cut links of this length off. A file arrives whole."
        )),
        None => None,
    };
    Offer {
        url,
        holds: format!("It has {length} and holds the whole experiment, {data}; nothing is stored anywhere."),
        warning,
    }
}

#[component]
fn Share() -> impl IntoView {
    let lab = Lab::here();
    let accepted = lab.inbox.with_value(|inbox| inbox.accepted.clone());
    let Ok(parsed) = Experiment::parse(&accepted) else {
        return view! { <p role="status">"There is nothing to share yet: wait until the first experiment runs."</p> }
            .into_any();
    };
    let Offer { url, holds, warning } = offer(&parsed.experiment);
    let said = RwSignal::new(String::new());
    let field = NodeRef::<leptos::html::Input>::new();
    let copy = {
        let url = url.clone();
        move || {
            let (url, holds) = (url.clone(), holds.clone());
            said.set("Copying …".to_string());
            spawn_local(async move {
                let copied = copied(&url).await;
                if !copied && let Some(field) = field.get_untracked() {
                    let _ = field.focus();
                    field.select();
                }
                said.set(if copied {
                    format!("The link is copied. {holds}")
                } else {
                    format!("The link is selected: copy it with Ctrl + C, or ⌘ C on a Mac, for this page may not. {holds}")
                });
            });
        }
    };
    let link =
        view! { <input type="text" class="text num" readonly aria-label="Link" data-testid="link" node_ref=field value=url/> };
    let Some(warning) = warning else {
        // The field that is selected where copying fails has to be there first.
        request_animation_frame(copy);
        return view! { {link} <p role="status">{move || said.get()}</p> }.into_any();
    };
    said.set(warning);
    view! {
        {link}
        <p role="status">{move || said.get()}</p>
        <div class="row">
            <button type="button" class="primary" data-testid="share-file" on:click=clicked(move |_| export::begin(lab, What::Experiment))>"Save as a file"</button>
            <button type="button" class="ghost" data-testid="share-copy" on:click=clicked(move |_| copy())>"Copy the link all the same"</button>
        </div>
    }
    .into_any()
}

/// Whether the text could be put on the clipboard. Pages that came without encryption are given none.
pub async fn copied(text: &str) -> bool {
    let navigator = window().navigator();
    let clipboard = js_sys::Reflect::get(&navigator, &"clipboard".into()).unwrap_or(JsValue::UNDEFINED);
    let Ok(clipboard) = clipboard.dyn_into::<web_sys::Clipboard>() else { return false };
    JsFuture::from(clipboard.write_text(text)).await.is_ok()
}
