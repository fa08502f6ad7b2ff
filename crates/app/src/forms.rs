//! Forms built from a schema: each control shows the document's value, writes edits back, and says what is wrong with them.

use downhill_tensor::{parse_number, sort_short_by_key};
use leptos::either::Either;
use leptos::html::P;
use leptos::prelude::*;
use serde_json::{Value, json};

use crate::catalog;
use crate::document;
use crate::fields::{self, Field, Kind, Range, TRAVEL};
use crate::icons::Icon;
use crate::reactive::{Memo, RwSignal, clicked, effect, entered, memo};
use crate::state::Lab;

/// Fields that few people touch: they stand behind a fold.
const RARE: &[&str] = &[
    "betas",
    "eps",
    "dampening",
    "nesterov",
    "alpha",
    "centered",
    "turns",
    "imbalance",
    "label_smoothing",
    "bias",
    "affine",
    "init",
];

/// The fields of `schema` for the object at `base` (`data.spirals`), but for those in `hidden`; or only some of them.
#[component]
pub fn Form(
    /// The schema.
    schema: Value,
    /// Where the fields stand in the document.
    base: String,
    /// Fields that something else shows.
    #[prop(optional)]
    hidden: &'static [&'static str],
    /// The only fields to show; none for all.
    #[prop(optional)]
    only: &'static [&'static str],
) -> impl IntoView {
    let asked = |f: &Field| only.is_empty() || only.contains(&f.name.as_str());
    let (folded, open): (Vec<Field>, Vec<Field>) =
        fields::of(&schema, hidden).into_iter().filter(asked).partition(|f| RARE.contains(&f.name.as_str()));
    let rows = |fields: Vec<Field>| fields.into_iter().map(|field| row(field, base.clone())).collect_view();
    let fold = (!folded.is_empty() && !open.is_empty()).then_some("More");
    let folded = rows(folded);
    let folded = match fold {
        Some(word) => view! { <details><summary>{word}</summary>{folded}</details> }.into_any(),
        None => folded.into_any(),
    };
    view! { {rows(open)}{folded} }
}

/// A field, only while it says anything.
fn row(field: Field, base: String) -> AnyView {
    if field.shown_where.is_empty() {
        return view! { <FieldRow field base/> }.into_any();
    }
    let (lab, conditions, place) = (Lab::here(), field.shown_where.clone(), base.clone());
    let shown = memo(move || {
        lab.draft.with(|doc| {
            let value = |name: &str| document::get(doc, &format!("{place}.{name}"));
            conditions.iter().all(|(name, default, values)| values.contains(value(name).unwrap_or(default)))
        })
    });
    (move || shown.get().then(|| view! { <FieldRow field=field.clone() base=base.clone()/> })).into_any()
}

/// Fields that cannot be changed, and such as are not seen, wherever a form has them: what the article around a widget has decided.
#[derive(Clone, Copy)]
pub struct Decided {
    /// Seen, and fixed.
    pub locked: RwSignal<Vec<String>>,
    /// Not seen.
    pub hidden: RwSignal<Vec<String>>,
}

/// One field: label, reset arrow, control, and the sentence when it is wrong.
#[component]
pub fn FieldRow(
    /// The field.
    field: Field,
    /// Where its object stands in the document.
    base: String,
) -> impl IntoView {
    let lab = Lab::here();
    let path = if base.is_empty() { field.name.clone() } else { format!("{base}.{}", field.name) };
    let id = format!("f-{}", path.replace(['.', '[', ']'], "-"));
    let value = {
        let (path, default) = (path.clone(), field.default.clone());
        memo(move || lab.draft.with(|doc| document::get(doc, &path).cloned()).unwrap_or_else(|| default.clone()))
    };
    let changed = {
        let (path, default) = (path.clone(), field.default.clone());
        memo(move || lab.draft.with(|doc| document::get(doc, &path).is_some_and(|v| !same(v, &default))))
    };
    let reset = {
        let path = path.clone();
        move |_| lab.unset(&path)
    };
    let reset_label = format!("Reset {}", field.title);
    let label_id = id.clone();
    let decided = use_context::<Decided>();
    let [locked, hidden] = [true, false].map(|locks| {
        let name = field.name.clone();
        let list = decided.map(|decided| if locks { decided.locked } else { decided.hidden });
        move || list.is_some_and(|list| list.with(|names| names.contains(&name)))
    });
    view! {
        <div class="field" title=field.help.clone() inert=locked hidden=hidden>
            <label for=label_id>{field.title.clone()}</label>
            <Show when=move || changed.get()>
                <button type="button" class="undo" aria-label=reset_label.clone() title="Back to the default" on:click=reset.clone()>
                    <Icon name="undo"/>
                </button>
            </Show>
            <Control field=field.clone() path=path.clone() id value/>
            <Trouble path/>
        </div>
    }
}

/// Whether two JSON values are equal, whole or not.
fn same(a: &Value, b: &Value) -> bool {
    a == b || a.as_f64().is_some() && a.as_f64() == b.as_f64()
}

/// The sentence about the field at `path`, where there is one.
#[component]
pub fn Trouble(
    /// The field.
    path: String,
    /// Only where the field itself is meant, and not one inside it.
    #[prop(optional)]
    here_only: bool,
) -> impl IntoView {
    let lab = Lab::here();
    let text = memo(move || {
        lab.problem.with(|problem| {
            let problem = problem.as_ref()?;
            let at = problem.path.as_deref()?;
            let rest = at.strip_prefix(path.as_str())?;
            (rest.is_empty() || !here_only && rest.starts_with(['.', '[']))
                .then(|| sentence(&problem.message, problem.hint.as_deref()))
        })
    });
    let told = memo(move || text.with(Option::is_some));
    effect(move || {
        if told.get() {
            lab.told.update(|n| *n += 1);
            on_cleanup(move || {
                let _ = lab.told.try_update(|n| *n -= 1);
            });
        }
    });
    move || text.get().map(|text| view! { <p class="trouble" role="alert" node_ref=unfolded()>{text}</p> })
}

/// An element that opens the fold it stands in: what it says must be seen.
fn unfolded() -> NodeRef<P> {
    let node = NodeRef::<P>::new();
    node.on_load(|p| {
        if let Some(fold) = p.closest("details").ok().flatten() {
            let _ = fold.set_attribute("open", "");
        }
    });
    node
}

/// Message and hint in one.
pub fn sentence(message: &str, hint: Option<&str>) -> String {
    catalog::in_words(&hint.map_or_else(|| message.to_string(), |hint| format!("{message} {hint}")))
}

#[component]
fn Control(field: Field, path: String, id: String, value: Memo<Value>) -> AnyView {
    let lab = Lab::here();
    let write = {
        let path = path.clone();
        Callback::new(move |v: Value| lab.set(&path, v))
    };
    match field.kind {
        Kind::Toggle => view! {
            <input type="checkbox" id=id class="switch" role="switch" prop:checked=move || value.get() == true
                on:change=entered(move |ev| write.run(json!(event_target_checked(&ev))))/>
        }
        .into_any(),
        Kind::Number(range) => view! { <NumberControl range optional=field.optional id value write title=field.title/> }.into_any(),
        Kind::Size(range, words) => view! { <SizeControl range words id value write title=field.title/> }.into_any(),
        Kind::Words(words) => view! { <Select id words value=memo(move || value.with(word_of)) write=Callback::new(move |w: String| write.run(json!(w)))/> }.into_any(),
        Kind::WordSet(words) => view! { <Chips words value write title=field.title/> }.into_any(),
        Kind::Choice(members) => view! { <ChoiceControl members path id value write/> }.into_any(),
        Kind::Text => view! {
            <input type="text" id=id class="text" prop:value=move || word_of(&value.get()) on:change=entered(move |ev| write.run(json!(event_target_value(&ev))))/>
        }
        .into_any(),
        Kind::Numbers(count) => view! { <NumbersControl count id value write title=field.title/> }.into_any(),
    }
}

fn word_of(value: &Value) -> String {
    value.as_str().map_or_else(|| document::brief(value), str::to_string)
}

/// Entry and, where it is of use, a slider.
#[component]
fn NumberControl(
    range: Range,
    optional: bool,
    id: String,
    value: Memo<Value>,
    write: Callback<Value>,
    title: String,
) -> impl IntoView {
    let typed = RwSignal::new(None::<String>);
    let shown =
        move || typed.get().unwrap_or_else(|| value.with(|v| if v.is_null() { String::new() } else { document::brief(v) }));
    let enter = move |text: String| {
        if optional && text.trim().is_empty() {
            typed.set(None);
            write.run(Value::Null);
        } else if let Some(number) = range.read(&text) {
            typed.set(None);
            write.run(number);
        } else {
            // What was typed stays, and the sentence says why it does not count.
            typed.set(Some(text));
        }
    };
    let slide = move |position: f64| {
        typed.set(None);
        if let Some(number) = range.json(range.value(position)) {
            write.run(number);
        }
    };
    let position = move || value.with(|v| range.position(v.as_f64().unwrap_or(range.limits.0)));
    let words = move || value.with(document::brief);
    let slider_label = format!("{title}, slider");
    view! {
        <input type="text" inputmode="decimal" id=id class="entry num" aria-label=title prop:value=shown placeholder=if optional { "off" } else { "" }
            aria-invalid=move || typed.with(Option::is_some).to_string() on:change=entered(move |ev| enter(event_target_value(&ev)))/>
        {range.slider.map(|_| view! {
            <input type="range" min="0" max=TRAVEL.to_string() step="1" aria-label=slider_label aria-valuetext=words prop:value=move || position().to_string()
                on:input=entered(move |ev| slide(parse_number(&event_target_value(&ev)).unwrap_or(0.0)))/>
        })}
        {move || typed.get().map(|text| view! { <p class="trouble" role="alert">{format!("\"{text}\" is not a number.")}</p> })}
    }
}

/// A number, or as many as the data asks for.
#[component]
fn SizeControl(
    range: Range,
    words: Vec<String>,
    id: String,
    value: Memo<Value>,
    write: Callback<Value>,
    title: String,
) -> impl IntoView {
    let word = memo(move || value.with(|v| v.as_str().map(str::to_string)));
    let choose = move |chosen: String| write.run(if chosen.is_empty() { json!(8) } else { json!(chosen) });
    let entry_id = format!("{id}-n");
    let number = memo(move || value.get());
    view! {
        <select id=id class="sel" on:change=entered(move |ev| choose(event_target_value(&ev))) prop:value=move || word.get().unwrap_or_default()>
            <option value="">"a number"</option>
            {words.into_iter().map(|w| view! { <option value=w.clone() selected={ let w = w.clone(); move || word.get().as_deref() == Some(w.as_str()) }>{format!("as many as {w}")}</option> }).collect_view()}
        </select>
        {move || if word.with(Option::is_none) {
            Either::Left(view! { <div class="sub"><NumberControl range optional=false id=entry_id.clone() value=number write title=title.clone()/></div> })
        } else {
            Either::Right(())
        }}
    }
}

/// A drop-down list of words.
#[component]
pub fn Select(
    /// Id of the element.
    id: String,
    /// Values and labels.
    words: Vec<(String, String)>,
    /// The value.
    value: Memo<String>,
    /// What to do with another one.
    write: Callback<String>,
    /// What it is called, where no label says so.
    #[prop(optional)]
    label: Option<&'static str>,
) -> impl IntoView {
    view! {
        <select id=id class="sel" aria-label=label prop:value=move || value.get() on:change=entered(move |ev| write.run(event_target_value(&ev)))>
            {words.into_iter().map(|(word, label)| {
                let mine = word.clone();
                view! { <option value=word selected=move || value.with(|v| *v == mine)>{label}</option> }
            }).collect_view()}
        </select>
    }
}

/// Words to switch on and off; at least one stays.
#[component]
fn Chips(words: Vec<(String, String)>, value: Memo<Value>, write: Callback<Value>, title: String) -> impl IntoView {
    let order: Vec<String> = words.iter().map(|w| w.0.clone()).collect();
    let flip = move |word: &str| {
        let mut on: Vec<String> = value.with(|v| {
            v.as_array().map(|a| a.iter().filter_map(Value::as_str).map(str::to_string).collect()).unwrap_or_default()
        });
        match on.iter().position(|w| w == word) {
            Some(_) if on.len() == 1 => return,
            Some(at) => {
                on.remove(at);
            }
            None => on.push(word.to_string()),
        }
        sort_short_by_key(&mut on, |w| order.iter().position(|o| o == w));
        write.run(json!(on));
    };
    let chips = words.into_iter().map(|(word, label)| {
        let mine = json!(word.clone());
        let on = memo(move || value.with(|v| v.as_array().is_some_and(|a| a.contains(&mine))));
        let flip = flip.clone();
        view! { <button type="button" class="toggle num" aria-pressed=move || on.get().to_string() on:click=clicked(move |_| flip(&word))>{label}</button> }
    });
    view! { <div class="chips" role="group" aria-label=title>{chips.collect_view()}</div> }
}

/// A choice with fields of its own behind it.
#[component]
fn ChoiceControl(
    members: Vec<(String, Value)>,
    path: String,
    id: String,
    value: Memo<Value>,
    write: Callback<Value>,
) -> impl IntoView {
    let name = memo(move || value.with(|v| document::choice_name(v).to_string()));
    let words = members.iter().map(|(n, s)| (n.clone(), s["title"].as_str().unwrap_or(n).to_string())).collect::<Vec<_>>();
    let inner = move || {
        let name = name.get();
        let schema = members.iter().find(|m| m.0 == name).map(|m| m.1.clone());
        let base = format!("{path}.{name}");
        schema
            .filter(|s| s["properties"].as_object().is_some_and(|p| !p.is_empty()))
            .map(|schema| view! { <div class="sub"><Form schema base/></div> }.into_any())
    };
    view! {
        <Select id words value=name write=Callback::new(move |w: String| write.run(json!(w)))/>
        {inner}
    }
}

/// A few numbers side by side, as Adam's betas.
#[component]
fn NumbersControl(count: usize, id: String, value: Memo<Value>, write: Callback<Value>, title: String) -> impl IntoView {
    let set = move |i: usize, text: String| {
        let mut all = value.get_untracked();
        if let (Some(slot), Some(number)) = (all.get_mut(i), parse_number(text.trim())) {
            *slot = json!(number);
        }
        write.run(all);
    };
    let entries = (0..count).map(|i| {
        let shown = move || value.with(|v| v.get(i).map(document::brief).unwrap_or_default());
        let id = if i == 0 { id.clone() } else { format!("{id}-{i}") };
        view! { <input type="text" inputmode="decimal" class="entry num" id=id aria-label=format!("{title} {}", i + 1) prop:value=shown on:change=entered(move |ev| set(i, event_target_value(&ev)))/> }
    });
    view! { <span class="pair">{entries.collect_view()}</span> }
}
