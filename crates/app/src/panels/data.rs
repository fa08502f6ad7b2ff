//! Where the samples come from: thumbnails of the sources, their fields, own data.

use downhill_model::data::Source;
use downhill_model::presets;
use leptos::html::Canvas;
use leptos::prelude::*;
use serde_json::{Value, json};

use super::later::Later;
use super::own_text;
use super::{augment, csv};
use crate::canvas::{context, painted};
use crate::catalog;
use crate::document::{self, End};
use crate::focus;
use crate::forms::{Form, Trouble};
use crate::plot::colour::css;
use crate::reactive::{Memo, RwSignal, clicked, memo};
use crate::state::Lab;

/// Samples of a thumbnail.
const SAMPLES: u32 = 130;

/// The panel.
#[component]
pub fn DataPanel() -> impl IntoView {
    let lab = Lab::here();
    let own = RwSignal::new(false);
    let name = memo(move || lab.draft.with(|doc| document::name_at(doc, "data", "spirals")));
    // The kind that is looked at, until other data is chosen.
    let looked_at = RwSignal::new(None::<(String, usize)>);
    let kind = memo(move || {
        let name = name.get();
        let own = || Source::KINDS.iter().position(|(_, sources)| sources.contains(&name.as_str())).unwrap_or_default();
        looked_at.get().filter(|(then, _)| *then == name).map_or_else(own, |(_, kind)| kind)
    });
    let kinds = Source::KINDS.iter().enumerate().map(|(at, (title, _))| {
        let on = move || kind.get() == at;
        let look = move |_| looked_at.set(Some((name.get_untracked(), at)));
        view! { <button type="button" class="toggle" role="tab" aria-controls="sources" aria-selected=move || on().to_string() tabindex=move || focus::stop(on()) on:click=clicked(look)>{*title}</button> }
            .into_any()
    });
    let kinds = kinds.collect_view();
    let sources = move || {
        let sources = offered(kind.get());
        let first = sources[0];
        // Where none of these is the data, the first one is the way in.
        let way_in = memo(move || if offered(kind.get()).iter().any(|s| name.with(|n| n == s)) { "" } else { first });
        sources.into_iter().map(|source| view! { <Thumbnail source name way_in/> }.into_any()).collect_view()
    };
    let images = memo(move || {
        lab.info.with(|info| info.as_ref().is_some_and(|info| info.data.image.is_some() && info.data.inputs.len() == 1))
    });
    let form = move || {
        let name = name.get();
        let schema = catalog::fields_of("data", &name)?;
        let base = format!("data.{name}");
        Some(view! { <Form schema=(*schema).clone() base hidden=&["text", "file", "tokenizer_json", "tokenizer_file", "target", "ignore", "points", "labels", "delimiter", "header", "task"]/> }.into_any())
    };
    view! {
        <section class="data" role=lab.role_of_panel() aria-label=lab.label_of_panel("Data")>
            <div class="heading"><h2>"Data"</h2><button type="button" class="link" data-testid="own" aria-expanded=move || own.get().to_string() on:click=clicked(move |_| own.update(|o| *o = !*o))>"Bring your own"</button></div>
            <Show when=move || own.get() || matches!(name.get().as_str(), "csv" | "images" | "sounds") || lab.table.with(Option::is_some) || lab.media.with(Option::is_some)><Later show=Box::new(csv::form)/></Show>
            <div class="choices kinds" role="tablist" aria-label="Kinds of data" on:keydown=focus::walk>{kinds}</div>
            <div id="sources" role="tabpanel" aria-label="Sources"><div class="sources" role="radiogroup" aria-label="Sources" on:keydown=focus::walk>{sources}</div></div>
            <Show when=move || name.get() == "text"><Later show=Box::new(own_text::form)/></Show>
            {form}
            <Trouble path="data".to_string() here_only=true/>
            <Trouble path="data.points".to_string()/>
            <Trouble path="data.csv".to_string()/>
            <Trouble path="data.text".to_string() here_only=true/>
            <Trouble path="data.text.text".to_string()/>
            <Trouble path="data.text.file".to_string()/>
            <Trouble path="data.images".to_string()/>
            <Trouble path="data.sounds".to_string()/>
            <Trouble path="augment".to_string() here_only=true/>
            <Show when=move || images.get()><Augmentation/></Show>
        </section>
    }
}

/// The sources of a kind but those that need a person's own data: there are other ways to them.
fn offered(kind: usize) -> Vec<&'static str> {
    Source::KINDS[kind].1.iter().copied().filter(|n| !Source::is_own(n)).collect()
}

/// The fold whose inside comes with the later part of the code.
#[component]
fn Augmentation() -> impl IntoView {
    let open = RwSignal::new(false);
    let toggled = move |ev: leptos::ev::Event| {
        let details: web_sys::Element = event_target(&ev);
        open.set(details.has_attribute("open"));
    };
    view! {
        <details data-testid="augment" on:toggle=toggled>
            <summary>"Augmentation"</summary>
            <Show when=move || open.get()><Later show=Box::new(augment::form)/></Show>
        </details>
    }
}

#[component]
fn Thumbnail(source: &'static str, name: Memo<String>, way_in: Memo<&'static str>) -> impl IntoView {
    let lab = Lab::here();
    let title = short(source);
    let canvas = NodeRef::<Canvas>::new();
    let points = Source::preview(source, SAMPLES);
    let picture = if points.is_empty() {
        view! { <span class="glyph" aria-hidden="true">{glyph(source)}</span> }.into_any()
    } else {
        painted(canvas, move |canvas| {
            let palette = lab.palette.get();
            let side = f64::from(canvas.width());
            let Some(context) = context(canvas) else { return };
            context.clear_rect(0.0, 0.0, side, side);
            for (x, y, class) in &points {
                context.set_fill_style_str(&css(palette.class(*class as usize), 1.0));
                context.begin_path();
                let place = |v: f32| side / 2.0 + f64::from(v) * side * 0.42;
                let _ = context.arc(place(*x), place(-*y), 2.3, 0.0, std::f64::consts::TAU);
                context.fill();
            }
        });
        view! { <canvas node_ref=canvas width="100" height="100" aria-hidden="true"></canvas> }.into_any()
    };
    let on = move || name.get() == source;
    let reached = move || on() || way_in.get() == source;
    view! {
        <button type="button" class="source" role="radio" data-source=source aria-checked=move || on().to_string() tabindex=move || focus::stop(reached()) title=catalog::help_of("data", source) on:click=clicked(move |_| choose(lab, source))>
            {picture}<span>{title}</span>
        </button>
    }
}

/// A name that fits below a thumbnail.
fn short(source: &str) -> String {
    said(source, "x-short").map_or_else(|| source.replace('_', " "), str::to_string)
}

/// What stands for a source whose samples are no points: a sign of its own, or its initials.
fn glyph(source: &str) -> AnyView {
    if let Some(sign) = said(source, "x-glyph") {
        // Several letters stand side by side where they are small.
        let several = sign.chars().nth(1).is_some();
        return if several { view! { <small>{sign}</small> }.into_any() } else { view! { <b>{sign}</b> }.into_any() };
    }
    let initials = source.split('_').filter_map(|word| word.chars().next()).map(|c| c.to_ascii_uppercase());
    view! { <small>{initials.collect::<String>()}</small> }.into_any()
}

/// What a source's own schema says of its thumbnail.
fn said(source: &str, key: &str) -> Option<&'static str> {
    catalog::fields_of("data", source)?.get(key)?.as_str()
}

/// Whether the page gave this name to an experiment with this source, and not a person.
fn is_ours(name: &str, source: &str) -> bool {
    matches!(source, "csv" | "images" | "sounds") || name == catalog::title_of("data", source) || presets::is_title(name)
}

/// What is to be told of the samples of a source.
fn end_of(source: &str) -> End {
    if Source::is_regression(source) {
        return End::Numbers;
    }
    let classes = || Source::from_json(source, &Value::Null).ok()?.outline().map(|outline| outline.classes);
    let of_points = Source::preview(source, SAMPLES).iter().map(|point| point.2 as usize + 1).max();
    End::of_classes(of_points.or_else(classes))
}

/// Changes the source; features and validation go along where the new one has them, and the rest of the experiment is made to fit.
fn choose(lab: Lab, source: &'static str) {
    if lab.draft.with_untracked(|doc| document::name_at(doc, "data", "spirals")) == source {
        return;
    }
    let (planar, end) = (Source::is_planar(source), end_of(source));
    lab.edit(|doc| {
        let old = document::name_at(doc, "data", "spirals");
        let kept = |field: &str| document::get(doc, &format!("data.{old}.{field}")).cloned();
        let (features, validation) = (kept("features").filter(|_| planar && Source::is_planar(&old)), kept("validation"));
        let mut fields = serde_json::Map::new();
        fields.extend(features.map(|v| ("features".to_string(), v)));
        fields.extend(validation.map(|v| ("validation".to_string(), v)));
        doc["data"] = json!({ source: fields });
        if document::get(doc, "name").and_then(|n| n.as_str()).is_some_and(|name| is_ours(name, &old)) {
            doc["name"] = json!(catalog::title_of("data", source));
        }
        if source == "text" {
            document::fit_text(doc);
        }
        if source == "search" {
            return document::fit_search(doc);
        }
        document::fit_begin(doc, Source::is_images(source));
        document::fit_end(doc, end);
    });
}
