//! What the browser keeps of a person's own data, and the way to throw it away.

use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use crate::document::{choice_name, get};
use crate::keeping;
use crate::leaving::size;
use crate::reactive::{RwSignal, clicked, effect, memo};
use crate::state::{Lab, Stands};

/// What is asked before anything is thrown away.
const SURE: &str =
    "Delete what is kept in this browser and is not on screen? Addresses that name it will not find it any more.";

/// How much is kept; nothing where nothing is.
#[component]
pub fn Kept() -> impl IntoView {
    let lab = Lab::here();
    let all = RwSignal::new(Vec::<(String, f64)>::new());
    let look = move || {
        spawn_local(async move {
            if let Ok(found) = keeping::list().await {
                let _ = all.try_set(found);
            }
        });
    };
    let changed = memo(move || {
        (lab.info.with(|info| info.as_ref().map(|info| info.run)), lab.table.with(|t| t.as_ref().map(|t| t.request)))
    });
    effect(move || {
        changed.track();
        look();
    });
    let others = move || {
        let used = on_screen(lab);
        all.with(|all| all.iter().map(|(key, _)| key).filter(|key| !used.contains(*key)).cloned().collect::<Vec<_>>())
    };
    let delete = move |_| {
        if !window().confirm_with_message(SURE).unwrap_or(false) {
            return;
        }
        lab.settle(Stands::OfStorage);
        let keys = untrack(others);
        spawn_local(async move {
            match keeping::forget(keys).await {
                Ok(()) => look(),
                Err(error) => lab.tell(true, error.to_string()),
            }
        });
    };
    move || {
        all.with(|all| (!all.is_empty()).then(|| said(all))).map(|text| {
            let more = (!others().is_empty()).then(|| view! { " "<button type="button" class="link" data-testid="forget" on:click=clicked(delete)>"Delete what is not on screen"</button> });
            view! { <p class="hint" data-testid="kept">{text}{more}</p> }
        })
    }
}

/// Keys of what the page shows: the file of the data, and the experiment where its address names it.
fn on_screen(lab: Lab) -> Vec<String> {
    let file = lab.draft.with(|doc| {
        let data = get(doc, "data")?;
        Some(keeping::own(data[choice_name(data)]["file"].as_str()?))
    });
    let experiment = lab.inbox.with_value(|inbox| inbox.address.kept.as_deref().map(keeping::experiment));
    file.into_iter().chain(experiment).collect()
}

/// How much is kept, as a sentence.
fn said(all: &[(String, f64)]) -> String {
    let own = keeping::own("");
    let files = all.iter().filter(|(key, _)| key.starts_with(&own)).count();
    let counted = |count: usize, what: &str| {
        let end = if count == 1 { "" } else { "s" };
        (count > 0).then(|| format!("{count} {what}{end}"))
    };
    let parts: Vec<String> = [counted(files, "file"), counted(all.len() - files, "experiment")].into_iter().flatten().collect();
    let bytes = all.iter().map(|(_, bytes)| bytes).sum::<f64>();
    format!("Of yours, this browser keeps {}: {}.", parts.join(" and "), size(bytes as usize))
}
