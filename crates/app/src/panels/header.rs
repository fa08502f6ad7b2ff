//! Name, gallery, transport, readings, backend, share, theme.

use leptos::html;
use leptos::prelude::*;
use serde_json::json;

use super::backend::BackendChip;
use super::dialog::Dialog;
use super::later::Later;
use super::popover::Popover;
use super::soon::Soon;
use super::{embed, export, gallery, share};
use crate::document::{self, grouped};
use crate::files;
use crate::icons::{Icon, Mark};
use crate::reactive::{Memo, RwSignal, clicked, effect, entered, memo};
use crate::state::Lab;
use crate::theme;

/// Paces of the slider in steps per second; the last position is flat out.
const PACES: [f64; 10] = [1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 10_000.0, 30_000.0];

/// The header.
#[component]
pub fn Header(
    /// Whether the shortcuts are open.
    help: RwSignal<bool>,
) -> impl IntoView {
    view! {
        <header class="top">
            <Soon after=0>
                <div class="brand"><Mark/><h1>"Downhill"</h1></div>
                <Name/>
                <Transport/>
            </Soon>
            <Soon after=1>
                <Readings/>
                <BackendChip/>
            </Soon>
            <Soon after=2>
                <Leave/>
                <ThemeButton/>
                <button type="button" class="quiet wide-only" aria-label="Keyboard shortcuts" title="Keyboard shortcuts (?)" on:click=clicked(move |_| help.set(true))>"?"</button>
            </Soon>
        </header>
    }
}

#[component]
fn Name() -> impl IntoView {
    let lab = Lab::here();
    let name = memo(move || {
        lab.draft.with(|doc| document::get(doc, "name").and_then(|v| v.as_str()).unwrap_or("Untitled").to_string())
    });
    effect(move || document().set_title(&format!("{} · Downhill", name.get())));
    let file = NodeRef::<html::Input>::new();
    let open = move |_| {
        if let Some(file) = file.get_untracked() {
            file.click();
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
    view! {
        <div class="name">
            <input type="text" class="title" aria-label="Name of the experiment" spellcheck="false" maxlength="80" title=move || name.get() prop:value=move || name.get()
                size=move || name.get().chars().count().clamp(6, 28).to_string()
                on:change=entered(move |ev| lab.set("name", json!(event_target_value(&ev))))/>
            <button type="button" class="quiet" popovertarget="gallery" aria-haspopup="menu" aria-label="Examples" title="Examples" data-testid="gallery"><Icon name="down"/></button>
            <input node_ref=file type="file" multiple hidden aria-label="Open a file" data-testid="open" on:change=picked/>
            <Popover id="gallery" class="pop gallery" label="Examples" role="menu">
                <button type="button" role="menuitem" class="card" popovertarget="gallery" popovertargetaction="hide" on:click=clicked(open)><b>"Open a file"</b><span>"An experiment, weights or a table of yours; it may be dropped anywhere on the page, too."</span></button>
                <Later show=Box::new(gallery::form)/>
            </Popover>
        </div>
    }
}

/// Reset, play and step.
#[component]
pub fn Transport() -> impl IntoView {
    let lab = Lab::here();
    let play_icon = move || {
        if lab.wanted.get() { view! { <Icon name="pause"/> }.into_any() } else { view! { <Icon name="play"/> }.into_any() }
    };
    let play_word = move || if lab.wanted.get() { "Pause" } else { "Play" };
    // A widget leaves the keys to the page around it.
    let title = move |what: &str, key: &str| if lab.is_widget() { what.to_string() } else { format!("{what} ({key})") };
    let reset = view! { <button type="button" data-testid="reset" aria-label="Reset" title=title("Reset: same initial weights", "R") on:click=clicked(move |_| lab.reset())><Icon name="reset"/></button> }
        .into_any();
    let play = view! {
        <button type="button" class="play" data-testid="play" title=title("Play or pause", "Space") on:click=clicked(move |_| lab.play(!lab.wanted.get_untracked()))>
            {play_icon}<span translate="no">{play_word}</span>
        </button>
    }
    .into_any();
    let [first, second] = if lab.is_widget() { [play, reset] } else { [reset, play] };
    view! {
        <div class="transport" role="group" aria-label="Training">
            {first}{second}
            <button type="button" data-testid="step" aria-label="One step" title=title("One step", "→") on:click=clicked(move |_| lab.step())><Icon name="step"/></button>
            {(!lab.is_widget()).then(|| view! { <Pace/> })}
        </div>
    }
}

/// How fast it goes.
#[component]
pub fn Pace() -> impl IntoView {
    let lab = Lab::here();
    let pace = memo(move || lab.draft.with(Lab::pace_of));
    let position = move || match pace.get() {
        None => PACES.len(),
        Some(steps) => PACES.iter().position(|&p| p >= steps * 0.999).unwrap_or(PACES.len() - 1),
    };
    let text = move || pace.get().map_or_else(|| "max".to_string(), |steps| format!("{}/s", grouped(steps.max(1.0) as u64)));
    let slide = move |at: usize| lab.pace(PACES.get(at).copied());
    view! {
        <label class="pace" title="Pace: steps per second">
            <input type="range" data-testid="pace" aria-label="Pace" min="0" max=PACES.len().to_string() step="1" prop:value=move || position().to_string()
                aria-valuetext=text on:input=entered(move |ev| slide(event_target_value(&ev).parse().unwrap_or(0)))/>
            <span class="num" translate="no">{text}</span>
        </label>
    }
}

#[component]
fn Readings() -> impl IntoView {
    let lab = Lab::here();
    let step = memo(move || lab.status.with(|s| grouped(s.step)));
    // Where every step draws anew there are no epochs.
    let epoch =
        memo(move || lab.status.with(|s| if s.step > 0 && s.epoch == 0.0 { "–".into() } else { format!("{:.1}", s.epoch) }));
    let loss = memo(move || {
        lab.status.with(|s| {
            if s.loss.is_finite() {
                document::loss(s.loss)
            } else if lab.diverged.with(Option::is_some) {
                "NaN".into()
            } else {
                // The first steps are not told one by one.
                "–".into()
            }
        })
    });
    let rate =
        memo(move || lab.status.with(|s| if s.running { grouped(s.steps_per_second.round() as u64) } else { "–".into() }));
    let reading = |name: &'static str, value: Memo<String>| view! { <div data-reading=name><small>{name}</small><span class="num" translate="no">{move || value.get()}</span></div> };
    view! {
        <div class="read" role="group" aria-label="Readings">
            {reading("step", step)}{reading("epoch", epoch)}{reading("loss", loss)}{reading("steps/s", rate)}
        </div>
    }
}

/// The ways out of the page. What they show is made when it is opened, in the part of the code that comes later.
#[component]
fn Leave() -> impl IntoView {
    let embedding = RwSignal::new(false);
    view! {
        <div class="leave">
            <button type="button" class="ghost" data-testid="share" popovertarget="share" aria-haspopup="dialog" aria-label="Share"><Icon name="share"/><span>"Share"</span></button>
            <Popover id="share" class="pop share" label="Share this experiment" fresh=true>
                <b>"Share this experiment"</b>
                <Later show=Box::new(share::form)/>
            </Popover>
            <button type="button" class="ghost" data-testid="embed" aria-haspopup="dialog" aria-label="Embed" on:click=clicked(move |_| embedding.set(true))><Icon name="embed"/><span>"Embed"</span></button>
            <Dialog open=embedding id="embed" title="Embed"><Later show=Box::new(embed::form)/></Dialog>
            <button type="button" class="ghost" data-testid="export" popovertarget="export" aria-haspopup="dialog" aria-label="Export"><Icon name="export"/><span>"Export"</span></button>
            <Popover id="export" class="pop share" label="Export" fresh=true><Later show=Box::new(export::form)/></Popover>
        </div>
    }
}

#[component]
fn ThemeButton() -> impl IntoView {
    let lab = Lab::here();
    let chosen = lab.theme;
    let icon = move || match chosen.get().as_str() {
        "light" => view! { <Icon name="sun"/> }.into_any(),
        "dark" => view! { <Icon name="moon"/> }.into_any(),
        _ => view! { <Icon name="system"/> }.into_any(),
    };
    let toggle = move |_| theme::toggle(lab);
    let label = move || format!("Theme: {}", chosen.get());
    view! { <button type="button" class="quiet" data-testid="theme" aria-label=label title="Theme: system, dark or light (T)" on:click=toggle>{icon}</button> }
}
