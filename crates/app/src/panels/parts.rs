//! The parts of the page that a widget can show, each by a word that an article may write: panels, readings, charts and single controls.
//!
//! A part that is locked is seen and cannot be changed. What is not named here is a field of the experiment, see [`crate::controls`].

use std::time::Duration;

use downhill_model::{Experiment, share};
use downhill_protocol::{Command, Export};
use js_sys::{Array, Function, Uint8Array};
use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::MouseEvent;

use super::data::DataPanel;
use super::header::{Pace, Transport};
use super::network::Network;
use super::notices::Notices;
use super::output::Pictures;
use super::soon::Soon;
use super::training;
use super::verdict::VerdictCard;
use crate::asked::ask;
use crate::controls::{Control, control_of, is_known};
use crate::document::{self, grouped};
use crate::fields;
use crate::forms::{Decided, FieldRow};
use crate::icons::Icon;
use crate::reactive::{Memo, RwSignal, clicked, effect, memo};
use crate::state::Lab;
#[cfg(feature = "bundle")]
use crate::views::charts;
use crate::worker::reflected;
use crate::{catalog, sliders};

/// What is shown, and what of it cannot be changed.
#[derive(Clone, Copy)]
pub struct Parts {
    /// Words, in the order in which their controls stand.
    pub shown: RwSignal<Vec<String>>,
    /// Words.
    pub locked: RwSignal<Vec<String>>,
    /// Words of what is not seen inside of another part either.
    pub hidden: RwSignal<Vec<String>>,
    /// Whether all of them are there.
    pub made: RwSignal<bool>,
}

impl Parts {
    /// Parts that are made once there is a run for them.
    pub fn new([shown, locked, hidden]: [Vec<String>; 3]) -> Self {
        let [shown, locked, hidden] = [shown, locked, hidden].map(RwSignal::new);
        Self { shown, locked, hidden, made: RwSignal::new(false) }
    }

    /// The first of all words that is no part and no control.
    pub fn unknown(self) -> Option<String> {
        let lists = [self.shown, self.locked, self.hidden].into_iter();
        let mut all = lists.flat_map(|list| list.get_untracked());
        all.find(|word| !PLACED.contains(&word.as_str()) && !is_known(word))
    }
}

/// Milliseconds after which the last part of a widget is made, see [`Soon`].
const ALL_MADE: u64 = 6;

/// Words of the parts that have a place of their own; the rest are controls.
pub const PLACED: &[&str] = &[
    "output",
    "views",
    "draw",
    "network",
    "edit",
    "data",
    "transport",
    "pace",
    "step",
    "score",
    "loss",
    "accuracy",
    "gradients",
    "rates",
    "verdict",
    "lab",
    "fullscreen",
];

/// A widget: pictures, the run with its charts and controls, and a line with the way to the Lab. Its parts are made when there is a run to show,
/// each in a task of its own: with the run's first message, all of them at once would hold up the page around it.
#[component]
pub fn Widget(parts: Parts) -> impl IntoView {
    let lab = Lab::here();
    provide_context(Decided { locked: parts.locked, hidden: parts.hidden });
    if let Some(root) = lab.styled().map(|host| host.get_root_node()) {
        sliders::guard(&root);
    }
    let shows = move |word: &'static str| memo(move || parts.shown.with(|all| all.iter().any(|w| w == word)));
    let locks = move |word: &'static str| memo(move || parts.locked.with(|all| all.iter().any(|w| w == word)));
    let (output, network, data) = (shows("output"), shows("network"), shows("data"));
    let (views, draw, edit) = (shows("views"), shows("draw"), shows("edit"));
    let (lab_link, fullscreen) = (shows("lab"), shows("fullscreen"));
    let (fixed, fixed_data) = (locks("output"), locks("data"));
    let runs = memo(move || lab.info.with(Option::is_some));
    effect(move || {
        if runs.get() {
            let made = move || {
                let _ = parts.made.try_set(true);
            };
            set_timeout(made, Duration::from_millis(ALL_MADE));
        }
    });
    let rest = move || view! { <Run parts/><Charts parts/> };
    let body = move || {
        view! {
            <Soon after=3>{move || data.get().then(|| view! { <div class="w-data" part="data" inert=move || fixed_data.get()><DataPanel/></div> }.into_any())}</Soon>
            <Soon after=2>{move || network.get().then(|| view! { <div class="w-network" part="network" inert=move || !edit.get() && locks("network").get()><Network/></div> }.into_any())}</Soon>
            <Soon after=1>{move || output.get().then(|| view! { <div class="w-output" part="output" inert=move || fixed.get()><Pictures/></div> }.into_any())}</Soon>
            <div class="w-run" part="run">
                <Soon after=4>{rest}</Soon>
                <Soon after=5>{move || view! { <Controls parts/> }}</Soon>
            </div>
        }
        .into_any()
    };
    view! {
        <div class="widget" class:wide=move || network.get() class:no-views=move || !views.get() class:no-draw=move || !draw.get() class:no-edit=move || !edit.get()>
            {move || runs.get().then(body)}
            <footer part="footer">
                <span>"Downhill"</span>
                {move || lab_link.get().then(|| view! { <a part="link" target="_blank" rel="noopener" data-testid="open-lab" href=move || link_of(lab) on:click=clicked(move |ev| open_as_it_is(lab, &ev))>"open in the Lab"</a> }.into_any())}
                {move || fullscreen.get().then(|| view! { <button type="button" class="link" part="link" data-testid="fullscreen" on:click=clicked(move |_| fill_screen(lab))><span class="enters">"full screen"</span><span class="leaves">"leave full screen"</span></button> }.into_any())}
            </footer>
            <Notices/>
        </div>
    }
}

/// The address of the Lab with the experiment as it stands here.
pub fn link_of(lab: Lab) -> String {
    let shown = lab.draft.with(|doc| Experiment::from_value(doc).ok().map(|parsed| share::encode(&parsed.experiment)));
    // What cannot be read is not what runs.
    let runs = || lab.inbox.with_value(|inbox| inbox.experiment.as_ref().map(share::encode));
    let fragment = shown.or_else(runs);
    [lab.address_of("index.html#"), fragment.unwrap_or_default()].concat()
}

/// Opens the Lab with what the network has learned too, where a link holds that; what else opens a link, as with Ctrl, takes the experiment.
fn open_as_it_is(lab: Lab, ev: &MouseEvent) {
    let otherwise = ev.ctrl_key() || ev.meta_key() || ev.shift_key() || ev.alt_key();
    if otherwise || lab.status.with_untracked(|status| status.step) == 0 {
        return;
    }
    // Opened at once, for what is opened later is taken for a pop-up.
    let Ok(Some(opened)) = window().open_with_url_and_target("", "_blank") else { return };
    ev.prevent_default();
    let weights = JsFuture::from(ask(lab, Command::Export(Export::Small)));
    let link = link_of(lab);
    spawn_local(async move {
        let bytes = weights.await.ok().and_then(|files| files.unchecked_into::<Array>().get(0).dyn_into::<Uint8Array>().ok());
        let _ = opened.set_opener(&JsValue::NULL);
        let _ =
            opened.location().replace(&bytes.map_or_else(|| link.clone(), |bytes| share::with_weights(&link, &bytes.to_vec())));
    });
}

/// Which element fills the screen is known to the script that made it.
fn fill_screen(lab: Lab) {
    let shell = lab.place.with_value(|place| place.as_ref().map(|place| place.shell.clone())).unwrap_or(JsValue::UNDEFINED);
    if let Ok(fill) = reflected(&shell, "fill").dyn_into::<Function>() {
        let _ = fill.call0(&shell);
    }
}

/// Play, step and reset; the step of now; what it scores on what is held out.
#[component]
fn Run(parts: Parts) -> impl IntoView {
    let lab = Lab::here();
    let has = move |word: &str| parts.shown.with(|all| all.iter().any(|w| w == word));
    let steps = memo(move || {
        lab.info.track();
        lab.inbox.with_value(|inbox| inbox.experiment.as_ref().and_then(|experiment| experiment.training.steps))
    });
    let step = move || {
        let step = lab.status.with(|s| s.step);
        // Who goes on after the end has none before them.
        let end = steps.get().filter(|steps| step <= *steps);
        end.map_or_else(|| grouped(step), |end| format!("{} of {}", grouped(step), grouped(end)))
    };
    let score = memo(move || {
        let classes = lab.info.with(|i| i.as_ref().is_none_or(|i| i.data.task == "classification"));
        let name = if classes { "validation_accuracy" } else { "validation_loss" };
        let value = lab.status.with(|s| Lab::metric(s, name))?;
        Some(if classes { document::percent(value) } else { document::loss(value) })
    });
    let fixed = memo(move || parts.locked.with(|all| all.iter().any(|w| w == "transport")));
    let line = memo(move || ["transport", "pace", "step", "score"].map(has));
    move || {
        let [transport, pace, at, scored] = line.get();
        line.get().contains(&true).then(|| {
            view! {
                <div class="w-line" part="transport" inert=move || fixed.get()>
                    {transport.then(|| view! { <Transport/> })}
                    {pace.then(|| view! { <Pace/> })}
                    {at.then(|| view! { <span class="w-step" part="readout">"step "<span class="num" translate="no" data-testid="w-step">{step}</span></span> })}
                    {scored.then(|| view! { <span class="w-score" part="readout">"validation "<span class="num" translate="no" data-testid="w-score">{move || score.get().unwrap_or_else(|| "–".to_string())}</span></span> })}
                </div>
            }
            .into_any()
        })
    }
}

#[component]
fn Charts(parts: Parts) -> impl IntoView {
    #[cfg(feature = "bundle")]
    charts::prepare();
    let lab = Lab::here();
    let named = memo(move || {
        parts.shown.with(|all| {
            all.iter().filter(|w| ["loss", "accuracy", "gradients", "rates"].contains(&w.as_str())).cloned().collect::<Vec<_>>()
        })
    });
    let verdict = memo(move || parts.shown.with(|all| all.iter().any(|w| w == "verdict")));
    #[cfg(feature = "bundle")]
    let chart = move |word: String| charts::one(lab, &word);
    #[cfg(not(feature = "bundle"))]
    let chart = move |_: String| {
        let _ = lab;
        None::<AnyView>
    };
    view! {
        {move || named.get().into_iter().map(chart).collect_view()}
        {move || verdict.get().then(|| view! { <VerdictCard/> }.into_any())}
    }
}

/// The controls in the order in which they were named, then what is locked in a line.
#[component]
fn Controls(parts: Parts) -> impl IntoView {
    let lab = Lab::here();
    let named =
        memo(move || parts.shown.with(|all| all.iter().filter(|w| !PLACED.contains(&w.as_str())).cloned().collect::<Vec<_>>()));
    let locked = memo(move || {
        parts.locked.with(|all| all.iter().filter(|w| !PLACED.contains(&w.as_str())).cloned().collect::<Vec<_>>())
    });
    let open = move || {
        let locked = locked.get();
        named
            .get()
            .into_iter()
            .filter(|name| !locked.contains(name))
            .map(|name| view! { <Open name/> }.into_any())
            .collect_view()
    };
    let fixed = move || {
        let locked = locked.get();
        (!locked.is_empty()).then(|| {
            let words = locked.into_iter().map(|name| {
                let (title, value) = said(lab, name);
                view! { <span data-locked=""><Icon name="lock"/>{move || title.get()}" "<b translate="no">{move || value.get()}</b></span> }
            });
            view! { <p class="w-locked" part="locked">{words.collect_view()}</p> }.into_any()
        })
    };
    view! { <div class="w-controls" part="controls">{open}{fixed}</div> }
}

/// What the word means in the experiment of now.
fn meaning(lab: Lab, name: String) -> Memo<Option<Control>> {
    memo(move || lab.draft.with(|doc| control_of(doc, &name)))
}

#[component]
fn Open(name: String) -> impl IntoView {
    let control = meaning(Lab::here(), name);
    move || match control.get()? {
        Control::Choice(group) => training::choice(group),
        Control::Field { base, group, member, name } => {
            let schema = catalog::fields_of(group, &member)?;
            let field = fields::of(schema, &[]).into_iter().find(|field| field.name == name)?;
            Some(view! { <FieldRow field base/> }.into_any())
        }
    }
}

/// Title and value of what cannot be changed.
fn said(lab: Lab, name: String) -> (Memo<String>, Memo<String>) {
    let control = meaning(lab, name.clone());
    let title = memo(move || match control.get() {
        Some(Control::Choice("loss")) => "Loss".to_string(),
        Some(Control::Choice("schedule")) => "Schedule".to_string(),
        Some(Control::Choice(_)) => "Optimizer".to_string(),
        Some(control) => catalog::place_of(&control.path()),
        None => name.clone(),
    });
    let value = memo(move || {
        let control = control.get()?;
        let full = lab.draft.with(|doc| Experiment::from_value(doc).ok()).map(|parsed| parsed.experiment.to_full_value())?;
        Some(match control {
            Control::Choice(group) => catalog::title_of(group, &document::name_at(&full, group, "")),
            Control::Field { .. } => document::get(&full, &control.path()).map(document::brief)?,
        })
    });
    (title, memo(move || value.get().unwrap_or_default()))
}
