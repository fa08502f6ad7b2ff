//! The experiment as text. What is typed is checked as it is typed and goes to the network on request; nothing typed is lost.

use downhill_model::Experiment;
use downhill_tensor::UserError;
use leptos::html::Textarea;
use leptos::prelude::*;

use super::kinds::Panel;
use crate::forms::sentence;
use crate::opening::open_text;
use crate::plot::place;
use crate::reactive::{RwSignal, clicked, effect, entered, memo};
use crate::state::Lab;

/// Where what was typed is kept while the page is reloaded; every tab of the browser has its own.
const KEY: &str = "downhill.typed";

fn stored() -> Option<String> {
    window().session_storage().ok().flatten()?.get_item(KEY).ok().flatten()
}

fn store(text: Option<&str>) {
    let Ok(Some(storage)) = window().session_storage() else { return };
    let _ = match text {
        Some(text) => storage.set_item(KEY, text),
        None => storage.remove_item(KEY),
    };
}

/// What was typed and not applied yet; outlives the tab of the drawer, and a reload.
#[derive(Clone, Copy)]
struct Typed(RwSignal<Option<String>>);

/// See the module.
pub struct Code;

impl Panel for Code {
    fn name(&self) -> &'static str {
        "Code"
    }

    fn prepare(&self) {
        let typed = RwSignal::new(stored());
        effect(move || typed.with(|text| store(text.as_deref())));
        provide_context(Typed(typed));
    }

    fn view(&self, lab: Lab) -> AnyView {
        view! { <Editor lab/> }.into_any()
    }
}

#[component]
fn Editor(lab: Lab) -> impl IntoView {
    let Typed(typed) = expect_context();
    let written = memo(move || {
        lab.draft.with(|doc| match Experiment::from_value(doc) {
            Ok(parsed) => parsed.experiment.to_json(),
            Err(_) => serde_json::to_string_pretty(doc).unwrap_or_default(),
        })
    });
    let text = memo(move || typed.get().unwrap_or_else(|| written.get()));
    // An error of the worker belongs to what was applied, one of the reader to what is typed.
    let wrong = memo(move || match typed.get() {
        Some(typed) => Experiment::parse(&typed).err(),
        None => lab.problem.get(),
    });
    let area = NodeRef::<Textarea>::new();
    let apply = move || {
        let Some(text) = typed.get_untracked() else { return };
        if open_text(lab, &text).is_ok() {
            typed.set(None);
        }
    };
    let show = move |error: UserError| {
        let text = text.get_untracked();
        if let (Some(area), Some((from, to))) =
            (area.get_untracked(), error.path.as_deref().and_then(|p| place::at(&text, p).or_else(|| place::find(&text, p))))
        {
            let units = |bytes: usize| text.get(..bytes).map_or(0, |t| t.encode_utf16().count() as u32);
            let _ = area.focus();
            let _ = area.set_selection_range(units(from), units(to));
        }
    };
    let sentence_of = move |error: &UserError| {
        let line = error
            .path
            .as_deref()
            .and_then(|p| place::find(&text.get_untracked(), p))
            .map(|(at, _)| place::line(&text.get_untracked(), at));
        let at = match (line, &error.path) {
            // Text that is no JSON has no fields: its path is the place itself.
            (_, Some(place)) if place::coordinates(place).is_some() => place.replacen('l', "L", 1) + ": ",
            (Some(line), Some(path)) => format!("Line {line}, {path}: "),
            (None, Some(path)) => format!("{path}: "),
            _ => String::new(),
        };
        format!("{at}{}", sentence(&error.message, error.hint.as_deref()))
    };
    let keys = move |ev: web_sys::KeyboardEvent| {
        if ev.key() == "Enter" && (ev.ctrl_key() || ev.meta_key()) {
            ev.prevent_default();
            apply();
        }
    };
    let unchanged = move || typed.with(Option::is_none);
    view! {
        <div class="code">
            <textarea node_ref=area class="num" spellcheck="false" aria-label="The experiment as JSON" data-testid="code" prop:value=move || text.get()
                aria-invalid=move || wrong.with(Option::is_some).to_string() on:input=entered(move |ev| typed.set(Some(event_target_value(&ev)))) on:keydown=keys></textarea>
            <div class="side-note">
                {move || match wrong.get() {
                    Some(error) => {
                        let text = sentence_of(&error);
                        view! { <p class="trouble" role="alert" data-testid="code-error">{text}</p> <button type="button" class="link" on:click=clicked(move |_| show(error.clone()))>"Show the place"</button> }.into_any()
                    }
                    None if unchanged() => view! { <p class="hint">"This is the whole experiment: every control of the page writes here, and what you write here moves the controls. Fields at their defaults are left out."</p> }.into_any(),
                    None => view! { <p class="hint">"Changed. Apply it to start this experiment afresh."</p> }.into_any(),
                }}
                <div class="row">
                    <button type="button" class="primary" data-testid="apply" disabled=move || unchanged() || wrong.with(Option::is_some) title="Ctrl + Enter" on:click=clicked(move |_| apply())>"Apply"</button>
                    <button type="button" class="ghost" disabled=unchanged on:click=clicked(move |_| typed.set(None))>"Discard"</button>
                </div>
            </div>
        </div>
    }
}
