//! Optimizer, schedule, loss and the rest of training; every number takes effect while it runs.

use leptos::prelude::*;
use serde_json::{Value, json};

use crate::catalog;
use crate::document;
use crate::forms::{Form, Select, Trouble};
use crate::reactive::{entered, memo};
use crate::state::Lab;

/// The panel.
#[component]
pub fn Training() -> impl IntoView {
    view! {
        <section class="training" aria-label="Training">
            <h2>"Training"</h2>
            <Choice group="optimizer" title="Optimizer" fallback="adam" kept=&["lr", "weight_decay"]/>
            <TrainingFields hidden=&["steps", "clip_norm", "clip_value", "l1", "l2", "ema", "eval_every"]/>
            <Choice group="schedule" title="Schedule" fallback="constant" kept=&["warmup"]/>
            <Choice group="loss" title="Loss" fallback="cross_entropy" kept=&[]/>
            <details>
                <summary>"Steps, clipping, penalties"</summary>
                <TrainingFields hidden=&["batch_size"]/>
                <Seed/>
            </details>
        </section>
    }
}

/// The choice of a group's member with its fields below; fields named in `kept` go along to the next one.
#[component]
fn Choice(group: &'static str, title: &'static str, fallback: &'static str, kept: &'static [&'static str]) -> impl IntoView {
    let lab = Lab::here();
    let name = memo(move || lab.draft.with(|doc| document::name_at(doc, group, fallback)));
    let words: Vec<(String, String)> =
        catalog::names_of(group).iter().map(|n| (n.to_string(), catalog::title_of(group, n))).collect();
    let choose = move |new: String| {
        lab.edit(|doc| {
            let old = document::name_at(doc, group, fallback);
            let known = catalog::fields_of(group, &new);
            let fields: serde_json::Map<String, Value> = kept
                .iter()
                .filter(|f| known.as_ref().is_some_and(|s| s["properties"].get(**f).is_some()))
                .filter_map(|f| Some(((*f).to_string(), document::get(doc, &format!("{group}.{old}.{f}"))?.clone())))
                .collect();
            doc[group] = json!({ new: fields });
        });
    };
    let form = move || {
        let name = name.get();
        let schema = catalog::fields_of(group, &name)?;
        Some(view! { <Form schema=(*schema).clone() base=format!("{group}.{name}")/> }.into_any())
    };
    let id = format!("choose-{group}");
    let label = id.clone();
    view! {
        <div class="field"><label for=label>{title}</label><Select id words value=name write=Callback::new(choose)/></div>
        <Trouble path=group.to_string() here_only=true/>
        {form}
    }
}

#[component]
fn TrainingFields(hidden: &'static [&'static str]) -> impl IntoView {
    catalog::fields_of("training", "")
        .map(|schema| view! { <Form schema=(*schema).clone() base="training".to_string() hidden/> })
}

/// The seed stands beside the training fields in the document's root.
#[component]
fn Seed() -> impl IntoView {
    let lab = Lab::here();
    let seed = memo(move || lab.draft.with(|doc| document::get(doc, "seed").map_or("0".to_string(), document::brief)));
    let write = move |text: String| lab.set("seed", text.trim().parse::<u64>().map_or_else(|_| json!(text), |n| json!(n)));
    view! {
        <div class="field" title="Other seeds give other data, other initial weights and another order of the samples.">
            <label for="seed">"Seed"</label>
            <input type="text" inputmode="numeric" id="seed" class="entry num" prop:value=move || seed.get() on:change=entered(move |ev| write(event_target_value(&ev)))/>
            <Trouble path="seed".to_string()/>
        </div>
    }
}
