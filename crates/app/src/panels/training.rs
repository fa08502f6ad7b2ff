//! Optimizer, schedule, loss and the rest of training; every number takes effect while it runs. What everybody needs stands in a bar over
//! the network, the rest in a pop-up behind it.

use leptos::prelude::*;
use serde_json::{Value, json};

use super::popover::Popover;
use crate::catalog;
use crate::document;
use crate::forms::{Form, Select, Trouble};
use crate::icons::Icon;
use crate::reactive::{Memo, entered, memo};
use crate::state::Lab;

/// Fields of the bar.
const RATE: &[&str] = &["lr"];
const BATCH: &[&str] = &["batch_size"];

/// A choice of the experiment: where it stands, what it is called, and what it is where nothing is written.
#[derive(Clone, Copy)]
struct Group {
    name: &'static str,
    title: &'static str,
    fallback: &'static str,
    /// Fields that go along from one member to the next.
    kept: &'static [&'static str],
}

const OPTIMIZER: Group = Group { name: "optimizer", title: "Optimizer", fallback: "adam", kept: &["lr", "weight_decay"] };
const SCHEDULE: Group = Group { name: "schedule", title: "Schedule", fallback: "constant", kept: &["warmup"] };
const LOSS: Group = Group { name: "loss", title: "Loss", fallback: "cross_entropy", kept: &[] };

/// The bar, with the pop-up.
#[component]
pub fn Training() -> impl IntoView {
    view! {
        <Choice group=OPTIMIZER/>
        <Fields group=OPTIMIZER only=RATE/>
        <TrainingFields only=BATCH/>
        <button type="button" class="ghost" data-testid="training" popovertarget="training" aria-haspopup="dialog" title="Schedule, loss, steps, clipping, penalties, seed">"More"<Icon name="down"/></button>
        <Popover id="training" class="pop rest" label="More of the training">
            <Fields group=OPTIMIZER hidden=RATE/>
            <Choice group=SCHEDULE/>
            <Fields group=SCHEDULE/>
            <Choice group=LOSS/>
            <Fields group=LOSS/>
            <TrainingFields hidden=BATCH/>
            <Seed/>
        </Popover>
    }
}

/// The member that is chosen.
fn chosen(lab: Lab, group: Group) -> Memo<String> {
    memo(move || lab.draft.with(|doc| document::name_at(doc, group.name, group.fallback)))
}

/// The choice of a member of `group`: `optimizer`, `schedule` or `loss`.
pub fn choice(group: &str) -> Option<AnyView> {
    [OPTIMIZER, SCHEDULE, LOSS].into_iter().find(|g| g.name == group).map(|group| view! { <Choice group/> }.into_any())
}

/// The choice of a group's member.
#[component]
fn Choice(group: Group) -> impl IntoView {
    let lab = Lab::here();
    let Group { name: place, title, fallback, kept } = group;
    let words: Vec<(String, String)> =
        catalog::names_of(place).iter().map(|n| (n.to_string(), catalog::title_of(place, n))).collect();
    let choose = move |new: String| {
        lab.edit(|doc| {
            let old = document::name_at(doc, place, fallback);
            let known = catalog::fields_of(place, &new);
            let fields: serde_json::Map<String, Value> = kept
                .iter()
                .filter(|f| known.as_ref().is_some_and(|s| s["properties"].get(**f).is_some()))
                .filter_map(|f| Some(((*f).to_string(), document::get(doc, &format!("{place}.{old}.{f}"))?.clone())))
                .collect();
            doc[place] = json!({ new: fields });
        });
    };
    let id = format!("choose-{place}");
    let label = id.clone();
    view! {
        <div class="field"><label for=label>{title}</label><Select id words value=chosen(lab, group) write=Callback::new(choose)/></div>
        <Trouble path=place.to_string() here_only=true/>
    }
}

/// The fields of a group's chosen member, but for those in `hidden`; or only some of them.
#[component]
fn Fields(
    group: Group,
    #[prop(optional)] hidden: &'static [&'static str],
    #[prop(optional)] only: &'static [&'static str],
) -> impl IntoView {
    let name = chosen(Lab::here(), group);
    move || {
        let name = name.get();
        let schema = catalog::fields_of(group.name, &name)?;
        let base = format!("{}.{name}", group.name);
        Some(view! { <Form schema=(*schema).clone() base hidden only/> }.into_any())
    }
}

/// The fields of `training`.
#[component]
fn TrainingFields(
    #[prop(optional)] hidden: &'static [&'static str],
    #[prop(optional)] only: &'static [&'static str],
) -> impl IntoView {
    catalog::fields_of("training", "")
        .map(|schema| view! { <Form schema=(*schema).clone() base="training".to_string() hidden only/> })
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
