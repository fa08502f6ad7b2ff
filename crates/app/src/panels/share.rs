//! A link to the experiment: how long it is, what it holds, and what it cannot hold. It comes with the later part of the code.

use std::sync::Arc;

use downhill_model::data::Source;
use downhill_model::{Experiment, share};
use downhill_protocol::{Command, Export};
use js_sys::{Array, Uint8Array};
use leptos::prelude::*;
use serde_json::Value;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};

use super::export::{self, What};
use crate::address::LONGEST;
use crate::asked::ask;
use crate::document::{grouped, number};
use crate::reactive::{RwSignal, clicked, entered};
use crate::state::Lab;
use crate::worker::reflected;

/// The form; made anew whenever it is opened.
pub fn form() -> AnyView {
    view! { <Share/> }.into_any()
}

/// A link, and what is to be said of it.
#[derive(Clone, PartialEq)]
struct Offer {
    url: String,
    holds: String,
    /// Why it had better be a file.
    warning: Option<String>,
}

/// Weights in a few bits each that go into a link.
#[derive(Clone, PartialEq)]
struct Small {
    bytes: Arc<Vec<u8>>,
    bits: f64,
    /// How far a prediction moves at most, of how many samples.
    farthest: f64,
    samples: f64,
}

fn offer(experiment: &Experiment, small: Option<&Small>) -> Offer {
    let mut fragment = share::encode(experiment);
    if let Some(small) = small {
        fragment = share::with_weights(&fragment, &small.bytes);
    }
    let location = window().location();
    let url = format!("{}{}#{fragment}", location.origin().unwrap_or_default(), location.pathname().unwrap_or_default());
    let length = format!("{} characters", grouped(url.len() as u64));
    let missing = left_out(&experiment.data);
    let data = match &experiment.data {
        Source::Csv(_) => "with its table",
        Source::Points(_) => "with the points that were drawn",
        _ => "with all that its data are made from",
    };
    let weights = small.map_or_else(String::new, |Small { bits, farthest, samples, .. }| {
        format!(
            " Its weights stand in it with {bits} bits each: no prediction for {samples} samples moves by more than {}.",
            number(*farthest)
        )
    });
    let warning = match missing {
        Some(file) => Some(format!(
            "The link holds the network and all settings, but not \"{file}\", which is too large for it: whoever opens it has to have that file.{}",
            if matches!(experiment.data, Source::Csv(_)) { " An exported experiment holds both." } else { "" }
        )),
        None if fragment.len() > LONGEST => Some(format!(
            "The link has {length}: it holds the whole experiment, {data}, but many programs cut links of this length off. A file arrives whole.{weights}"
        )),
        None => None,
    };
    Offer {
        url,
        holds: format!("It has {length} and holds the whole experiment, {data}; nothing is stored anywhere.{weights}"),
        warning,
    }
}

/// The file of a person's own that no link holds.
pub fn left_out(data: &Source) -> Option<&str> {
    if data.reads_own_file() { data.needs().first().copied() } else { None }
}

/// Asks the worker for the weights of now.
async fn small(lab: Lab) -> Result<Small, String> {
    let refused = |error: JsValue| reflected(&error, "message").as_string().unwrap_or_default();
    let files = JsFuture::from(ask(lab, Command::Export(Export::Small))).await.map_err(refused)?;
    let bytes = |i: u32| files.unchecked_ref::<Array>().get(i).unchecked_into::<Uint8Array>().to_vec();
    let moved: Value = serde_json::from_slice(&bytes(1)).unwrap_or_default();
    let of = |name: &str| moved[name].as_f64().unwrap_or(f64::NAN);
    Ok(Small { bytes: Arc::new(bytes(0)), bits: of("bits"), farthest: of("farthest"), samples: of("samples") })
}

#[component]
fn Share() -> impl IntoView {
    let lab = Lab::here();
    let accepted = lab.inbox.with_value(|inbox| inbox.accepted.clone());
    let Ok(parsed) = Experiment::parse(&accepted) else {
        return view! { <p role="status">"There is nothing to share yet: wait until the first experiment runs."</p> }
            .into_any();
    };
    let offered = RwSignal::new(offer(&parsed.experiment, None));
    let said = RwSignal::new(String::new());
    let field = NodeRef::<leptos::html::Input>::new();
    let copy = move || {
        let Offer { url, holds, .. } = offered.get_untracked();
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
    };
    // What can be sent as it is, is copied at once; of anything else a person decides.
    let settle = move || match offered.with_untracked(|offered| offered.warning.clone()) {
        Some(warning) => said.set(warning),
        // The field that is selected where copying fails has to be there first.
        None => request_animation_frame(copy),
    };
    settle();
    let experiment = parsed.experiment;
    let tick = move |ev: web_sys::Event| {
        let experiment = experiment.clone();
        if !event_target_checked(&ev) {
            offered.set(offer(&experiment, None));
            return settle();
        }
        said.set("Looking what fewer bits do to the predictions …".to_string());
        spawn_local(async move {
            let small = small(lab).await;
            let still = ev.target().is_some_and(|target| reflected(&target, "checked").is_truthy());
            match small {
                Ok(small) if still => {
                    offered.set(offer(&experiment, Some(&small)));
                    settle();
                }
                Ok(_) => {}
                Err(why) => {
                    if let Some(target) = ev.target() {
                        let _ = js_sys::Reflect::set(&target, &"checked".into(), &JsValue::FALSE);
                    }
                    said.set(why);
                }
            }
        });
    };
    view! {
        <input type="text" class="text num" readonly aria-label="Link" data-testid="link" node_ref=field prop:value=move || offered.with(|offered| offered.url.clone())/>
        <label><input type="checkbox" data-testid="share-weights" on:change=entered(tick)/>" with the weights of now"</label>
        <p role="status">{move || said.get()}</p>
        {move || offered.with(|offered| offered.warning.is_some()).then(|| view! {
            <div class="row">
                <button type="button" class="primary" data-testid="share-file" on:click=clicked(move |_| export::begin(lab, What::Experiment))>"Save as a file"</button>
                <button type="button" class="ghost" data-testid="share-copy" on:click=clicked(move |_| copy())>"Copy the link all the same"</button>
            </div>
        })}
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
