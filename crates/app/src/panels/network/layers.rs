//! Layers as cards over their columns: add, edit in place, reorder, remove. What is refused explains itself at its layer.

use leptos::html::Div;
use leptos::prelude::*;
use serde_json::{Value, json};

use super::map::Map;
use crate::catalog;
use crate::document;
use crate::focus;
use crate::forms::{Form, Select, Trouble};
use crate::icons::Icon;
use crate::plot::network::Column;
use crate::reactive::{RwSignal, clicked, memo};
use crate::state::Lab;

/// What is open below the columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Editing {
    /// The layer at this place.
    Layer(usize),
    /// The list of layers to put in at this place.
    Add(usize),
}

fn model(doc: &Value) -> Vec<Value> {
    doc["model"].as_array().cloned().unwrap_or_default()
}

fn move_layer(lab: Lab, from: usize, to: usize) {
    lab.edit(|doc| {
        let mut layers = model(doc);
        if from < layers.len() && to < layers.len() {
            let layer = layers.remove(from);
            layers.insert(to, layer);
            doc["model"] = Value::Array(layers);
        }
    });
}

fn remove_layer(lab: Lab, at: usize) {
    lab.edit(|doc| {
        let mut layers = model(doc);
        if at < layers.len() {
            layers.remove(at);
            doc["model"] = Value::Array(layers);
        }
    });
}

fn insert_layers(lab: Lab, at: usize, new: Vec<Value>) {
    lab.edit(|doc| {
        let mut layers = model(doc);
        let at = at.min(layers.len());
        layers.splice(at..at, new);
        doc["model"] = Value::Array(layers);
    });
}

/// Names and shape over a column, and the "+" after it.
#[component]
pub fn Head(column: Column) -> impl IntoView {
    let lab = Lab::here();
    let editing: RwSignal<Option<Editing>> = expect_context();
    let last = column.layers.last().and_then(|l| l.0);
    let after = last.map_or(0, |i| i + 1);
    let is_end = move || lab.draft.with(|doc| after > 0 && after >= doc["model"].as_array().map_or(0, Vec::len));
    let shape = column.shape.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let first = column.layers.first().and_then(|l| l.0);
    let layers = column.layers.into_iter().enumerate().map(|(i, (index, label))| {
        let separator = (i > 0).then(|| view! { <span class="between">" · "</span> });
        let part = match index {
            None => view! { <b>{label}</b> }.into_any(),
            Some(index) => view! { <LayerName index label/> }.into_any(),
        };
        view! { {separator}{part} }
    });
    let dropped = move |ev: web_sys::DragEvent| {
        ev.prevent_default();
        let from = ev.data_transfer().and_then(|d| d.get_data("text/plain").ok()).and_then(|t| t.parse::<usize>().ok());
        if let (Some(from), Some(to)) = (from, first) {
            move_layer(lab, from, to);
        }
    };
    let toggle =
        move |_| editing.update(|e| *e = if *e == Some(Editing::Add(after)) { None } else { Some(Editing::Add(after)) });
    view! {
        <div class="head" on:dragover=|ev| ev.prevent_default() on:drop=dropped>
            <div class="names">{layers.collect_view()}</div>
            <span class="num" translate="no">{move || format!("[{}, {shape}]", batch(lab))}</span>
            <Show when=move || !is_end()>
                <button type="button" class="plus" aria-label="Insert a layer here" title="Insert a layer here" data-testid="add-layer" data-add=after.to_string() aria-haspopup="dialog" aria-expanded=move || (editing.get() == Some(Editing::Add(after))).to_string() on:click=toggle><Icon name="plus"/></button>
            </Show>
        </div>
    }
}

#[component]
fn LayerName(index: usize, label: String) -> impl IntoView {
    let lab = Lab::here();
    let editing: RwSignal<Option<Editing>> = expect_context();
    let path = format!("model[{index}]");
    let bad = memo(move || {
        lab.problem.with(|p| {
            p.as_ref()
                .and_then(|p| p.path.as_deref())
                .and_then(|at| at.strip_prefix(path.as_str()))
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
    });
    // By what runs: an experiment that is refused freezes nothing.
    let frozen = memo(move || {
        lab.info.track();
        lab.inbox.with_value(|inbox| inbox.experiment.as_ref().is_some_and(|experiment| index < experiment.training.frozen))
    });
    let title = move || {
        let what = "Edit this layer; drag to move it";
        if frozen.get() { format!("Frozen: it keeps its weights. {what}") } else { what.to_string() }
    };
    let open = move || editing.get() == Some(Editing::Layer(index));
    let grab = move |ev: web_sys::DragEvent| {
        if let Some(data) = ev.data_transfer() {
            let _ = data.set_data("text/plain", &index.to_string());
        }
    };
    let toggle =
        move |_| editing.update(|e| *e = if *e == Some(Editing::Layer(index)) { None } else { Some(Editing::Layer(index)) });
    view! {
        <button type="button" class="layer" class:bad=move || bad.get() class:frozen=move || frozen.get() draggable="true" data-layer=index.to_string() aria-haspopup="dialog" aria-expanded=move || open().to_string() title=title on:dragstart=grab on:click=toggle>{label}</button>
    }
}

/// Puts a card below the column that ends before the layer at `index`, inside the panel.
fn below(columns: &[Column], index: usize, between: bool) -> String {
    let count = columns.len().max(1) as f64;
    let holds = |c: &Column| c.layers.iter().any(|l| l.0 == Some(index));
    let at = columns.iter().position(holds).map_or(count, |i| i as f64) + if between { 0.0 } else { 0.5 };
    format!("left:clamp(175px, {:.1}%, calc(100% - 175px))", 100.0 * at / count)
}

/// The card of one layer.
#[component]
pub fn LayerEditor() -> impl IntoView {
    let lab = Lab::here();
    let map: Map = expect_context();
    let editing: RwSignal<Option<Editing>> = expect_context();
    let open = memo(move || match editing.get() {
        Some(Editing::Layer(index)) => {
            let name = lab
                .draft
                .with(|doc| document::get(doc, &format!("model[{index}]")).map(|l| document::choice_name(l).to_string()));
            name.map(|name| (index, name))
        }
        _ => None,
    });
    let card = move |(index, name): (usize, String)| {
        let count = move || lab.draft.with(|doc| doc["model"].as_array().map_or(0, Vec::len));
        let words: Vec<(String, String)> =
            kinds().into_iter().map(|n| (n.to_string(), catalog::title_of("model", n))).collect();
        let change = move |name: String| lab.edit(|doc| doc["model"][index] = json!(name));
        let copy = move |_| {
            let layer = lab.draft.with_untracked(|doc| doc["model"][index].clone());
            insert_layers(lab, index + 1, vec![layer]);
        };
        let to = move |to: usize| {
            move_layer(lab, index, to);
            editing.set(Some(Editing::Layer(to)));
        };
        let schema = catalog::fields_of("model", &name).map(|s| (*s).clone()).unwrap_or_default();
        let base = format!("model[{index}].{name}");
        let kind = name.clone();
        let place = move || map.columns.with(|columns| below(columns, index, false));
        let host = NodeRef::<Div>::new();
        // Of a layer that is removed, its place is left, or the one before it.
        focus::card(host, move || [index, index.saturating_sub(1)].iter().map(|i| format!("[data-layer='{i}']")).collect());
        view! {
            <div node_ref=host class="pop card-editor" style=place role="dialog" aria-label="Layer" data-testid="layer-editor">
                <div class="row">
                    <Select id="layer-kind".to_string() label="Kind of layer" words value=memo(move || kind.clone()) write=Callback::new(change)/>
                    <span class="grow"></span>
                    <button type="button" class="quiet" aria-label="Move towards the input" title="Towards the input" disabled=index == 0 on:click=clicked(move |_| to(index - 1))><Icon name="left"/></button>
                    <button type="button" class="quiet" aria-label="Move towards the output" title="Towards the output" disabled=move || { index + 1 >= count() } on:click=clicked(move |_| to(index + 1))><Icon name="right"/></button>
                    <button type="button" class="quiet" aria-label="Duplicate" title="Duplicate" on:click=copy><Icon name="copy"/></button>
                    <button type="button" class="quiet" aria-label="Remove" title="Remove" data-testid="remove-layer" on:click=clicked(move |_| { editing.set(None); remove_layer(lab, index) })><Icon name="bin"/></button>
                    <button type="button" class="quiet" aria-label="Close" on:click=clicked(move |_| editing.set(None))><Icon name="close"/></button>
                </div>
                <p class="hint">{catalog::help_of("model", &name)}</p>
                <Form schema base/>
                <Trouble path=format!("model[{index}]") here_only=true/>
            </div>
        }
    };
    move || open.get().map(card)
}

/// Layers that have a form: those that hold other layers are edited as text.
fn kinds() -> Vec<&'static str> {
    catalog::names_of("model")
        .iter()
        .copied()
        .filter(|name| {
            catalog::fields_of("model", name).is_some_and(|s| s["type"] == "object" && s["properties"]["body"].is_null())
        })
        .collect()
}

/// The list of layers to put in.
#[component]
pub fn AddLayer() -> impl IntoView {
    let lab = Lab::here();
    let map: Map = expect_context();
    let editing: RwSignal<Option<Editing>> = expect_context();
    let place = memo(move || match editing.get() {
        Some(Editing::Add(at)) => Some(at),
        _ => None,
    });
    let add = move |at: usize, new: Vec<Value>| {
        insert_layers(lab, at, new);
        editing.set(Some(Editing::Layer(at)));
    };
    let list = move |at: usize| {
        let used = lab.draft.with_untracked(|doc| {
            let (names, activations) = (model(doc), catalog::activations());
            names.iter().map(document::choice_name).find(|n| activations.contains(n)).unwrap_or("tanh").to_string()
        });
        let hidden = vec![json!({ "linear": { "out": 8 } }), json!(used)];
        let label = format!("Hidden layer: linear 8 · {used}");
        let place = move || map.columns.with(|columns| below(columns, at, true));
        let host = NodeRef::<Div>::new();
        focus::card(host, move || vec![format!("[data-add='{at}']")]);
        let rest = kinds().into_iter().map(move |name| {
            view! { <button type="button" class="option" title=catalog::help_of("model", name) on:click=clicked(move |_| add(at, vec![json!(name)]))>{catalog::title_of("model", name)}</button> }
        });
        view! {
            <div node_ref=host class="pop card-editor" style=place role="dialog" aria-label="Insert a layer" data-testid="layer-list">
                <div class="row"><b>"Insert a layer"</b><span class="grow"></span>
                    <button type="button" class="quiet" aria-label="Close" on:click=clicked(move |_| editing.set(None))><Icon name="close"/></button></div>
                <button type="button" class="option main" data-testid="add-hidden" data-first on:click=clicked(move |_| add(at, hidden.clone()))>{label}</button>
                <div class="options">{rest.collect_view()}</div>
            </div>
        }
    };
    move || place.get().map(list)
}

/// The batch size of the run, as shapes show it; of the experiment on screen before there is one.
fn batch(lab: Lab) -> u64 {
    lab.info.track();
    let runs = lab.inbox.with_value(|inbox| inbox.experiment.as_ref().map(|experiment| experiment.training.batch_size as u64));
    let asked = || lab.draft.with(|doc| document::get(doc, "training.batch_size").and_then(Value::as_u64));
    runs.or_else(asked).unwrap_or(32)
}
