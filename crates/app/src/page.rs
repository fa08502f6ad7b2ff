//! The Lab as a whole: what opens, where panels stand, and the keys that work everywhere.

use downhill_model::{Experiment, presets, share};
use leptos::prelude::*;
use serde_json::Value;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use crate::panels::{
    data::DataPanel, drawer::Drawer, header::Header, help::Help, network::Network, notices::Notices, output::Output,
    training::Training,
};
use crate::state::Lab;
use crate::{api, theme};

/// Starts the page in the shell's `#app`.
pub fn start() {
    std::panic::set_hook(Box::new(|info| api::crash(&info.to_string())));
    let Some(host) = document().get_element_by_id("app").and_then(|e| e.dyn_into::<HtmlElement>().ok()) else { return };
    if let Some(poster) = document().get_element_by_id("poster") {
        poster.remove();
    }
    mount_to(host, LabPage).forget();
}

/// The first preset.
pub fn first() -> Value {
    presets::all().first().and_then(|p| serde_json::from_str(p.json).ok()).unwrap_or(Value::Null)
}

/// The experiment that the address names, else the first preset; and the sentence when the address could not be read.
fn opening() -> (Value, Option<String>) {
    let hash = window().location().hash().unwrap_or_default();
    let payload = hash.trim_start_matches('#');
    if payload.is_empty() {
        return (first(), None);
    }
    if let Some(preset) = payload.strip_prefix("p=").and_then(presets::find) {
        return (serde_json::from_str(preset.json).unwrap_or(Value::Null), None);
    }
    match share::decode(payload) {
        Ok(parsed) => (parsed.experiment.to_value(), None),
        Err(error) => (first(), Some(format!("The link could not be opened, so here is the first example. {error}"))),
    }
}

/// The page.
#[component]
pub fn LabPage() -> impl IntoView {
    let lab = Lab::new();
    provide_context(lab);
    theme::follow(lab);
    lab.connect();
    let (doc, complaint) = opening();
    lab.open(doc);
    if let Some(text) = complaint {
        lab.tell(true, text);
    }
    api::install(lab);
    let links = window_event_listener(leptos::ev::hashchange, move |_| {
        let (doc, complaint) = opening();
        match complaint {
            // A broken link in a running page changes nothing but says so.
            Some(text) => lab.tell(true, text.replace(", so here is the first example", "")),
            None => lab.open(doc),
        }
    });
    on_cleanup(move || links.remove());
    let help = RwSignal::new(false);
    shortcuts(lab, help);
    view! {
        <Header help/>
        <main class="lab">
            <aside class="side" aria-label="Data and training">
                <DataPanel/>
                <Training/>
            </aside>
            <Network/>
            <Output/>
        </main>
        <Drawer/>
        <Notices/>
        <Help open=help/>
    }
}

fn shortcuts(lab: Lab, help: RwSignal<bool>) {
    let keys = window_event_listener(leptos::ev::keydown, move |ev| {
        let target = ev.target().and_then(|t| t.dyn_into::<HtmlElement>().ok());
        let tag = target.as_ref().map(|t| t.tag_name()).unwrap_or_default();
        let typing = matches!(tag.as_str(), "INPUT" | "TEXTAREA" | "SELECT");
        if typing || ev.ctrl_key() || ev.meta_key() || ev.alt_key() {
            return;
        }
        let acted = match ev.key().as_str() {
            " " if tag != "BUTTON" => {
                lab.play(!lab.wanted.get_untracked());
                true
            }
            "ArrowRight" => {
                lab.step();
                true
            }
            "r" | "R" => {
                lab.reset();
                true
            }
            "t" | "T" => {
                theme::toggle(lab);
                true
            }
            "?" => {
                help.set(true);
                true
            }
            _ => false,
        };
        if acted {
            ev.prevent_default();
        }
    });
    on_cleanup(move || keys.remove());
}

/// Opens a preset by its id.
pub fn open_preset(lab: Lab, id: &str) {
    if let Some(value) = presets::find(id).and_then(|p| serde_json::from_str(p.json).ok()) {
        lab.wanted.set(true);
        lab.open(value);
    }
}

/// Reads a document that a person wrote, and opens it.
///
/// # Errors
/// When it cannot be read.
pub fn open_text(lab: Lab, text: &str) -> Result<(), downhill_tensor::UserError> {
    let parsed = Experiment::parse(text)?;
    parsed.notes.iter().for_each(|note| lab.tell(false, note.clone()));
    lab.open(parsed.experiment.to_value());
    Ok(())
}
