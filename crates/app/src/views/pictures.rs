//! Answers that are pictures: what an autoencoder makes of its input, and the class of every pixel of an image.

use downhill_protocol::{DataInfo, Input, Query};
use leptos::html::Canvas;
use leptos::prelude::*;

use super::gallery::image_size;
use super::kinds::{OutputView, answers_are_pictures};
use crate::canvas::{painted, put_pixels};
use crate::plot::colour::css;
use crate::plot::picture::{classes, colours, full, rgba};
use crate::reactive::{clicked, memo};
use crate::state::{Answers, Chosen, Lab};
use crate::watches::{Ask, Source};

/// Samples that are shown, the worst first.
const LIMIT: u32 = 8;

/// See the module.
pub struct Pictures;

impl OutputView for Pictures {
    fn title(&self) -> &'static str {
        "Pictures"
    }

    fn fits(&self, data: &DataInfo) -> bool {
        answers_are_pictures(data)
    }

    fn view(&self, lab: Lab) -> AnyView {
        view! { <Panel lab/> }.into_any()
    }
}

/// A picture of entry `row` of an answer: `raw`, `output` or `target`.
fn picture(lab: Lab, answers: Answers, masks: bool, name: &'static str, row: usize) -> AnyView {
    let canvas = NodeRef::<Canvas>::new();
    let size = image_size(lab);
    painted(canvas, move |canvas| {
        let (height, width) = size.get();
        let pixels = (height * width) as usize;
        let painted = answers.with(|answer| {
            let answer = answer.as_ref()?;
            let values = answer.get(name)?.row(row);
            Some(lab.palette.with(|palette| match (masks, name) {
                (true, "output" | "target") => classes(values, pixels, palette),
                // What comes out is as bright as what goes in, or it is not the same.
                _ => colours(values, pixels, answer.get("raw").map_or(1.0, |raw| full(raw.row(row))), palette),
            }))
        });
        if let Some(painted) = painted {
            put_pixels(canvas, &mut rgba(&painted), width);
        }
    });
    view! { <canvas node_ref=canvas width="8" height="8" aria-hidden="true"></canvas> }.into_any()
}

#[component]
fn Panel(lab: Lab) -> impl IntoView {
    let data = memo(move || lab.data().unwrap_or_default());
    let masks = memo(move || data.with(|d| d.of_pixels));
    let ask = |source: Source, names: &[&str], every_ms: f64| Ask {
        source,
        tensors: names.iter().map(|name| Query::all(*name)).collect(),
        every_ms,
    };
    let chosen = lab.watch(move || Some(ask(Source::Chosen, &["raw", "output"], 50.0)));
    let worst = Source::Of(Input::Worst { limit: LIMIT });
    let worst = lab.watch(move || Some(ask(worst.clone(), &["row", "raw", "output", "target"], 500.0)));
    let place = move |i: usize| worst.with(|a| a.as_ref()?.get("row")?.data.get(i).copied()).map(|row| row as u32);
    let names = move || if masks.get() { &["raw", "output", "target"][..] } else { &["raw", "output"][..] };
    let tile = move |i: usize| {
        let here = move || (place(i).is_some() && lab.chosen.get() == place(i).map(Chosen::HeldOut)).to_string();
        let choose = move |_| lab.chosen.set(untrack(|| place(i)).map(Chosen::HeldOut));
        let label = move || format!("Sample {}", place(i).map_or(0, |row| row + 1));
        let pictures = move || names().iter().map(|name| picture(lab, worst, masks.get(), name, i)).collect_view();
        view! { <button type="button" class="tile" aria-label=label aria-current=here on:click=clicked(choose)>{pictures}</button> }.into_any()
    };
    let count = memo(move || worst.with(|a| a.as_ref().and_then(|a| Some(a.get("row")?.data.len()))).unwrap_or(0));
    let keys = move || {
        let names = data.with(|d| if d.of_pixels { d.labels.clone() } else { Vec::new() });
        let key = |(class, name): (usize, String)| {
            let colour = lab.palette.with(|palette| css(palette.class(class - 1), 1.0));
            view! { <span><i style=format!("background:{colour}")></i>{name}</span> }
        };
        names.into_iter().enumerate().skip(1).map(key).collect_view()
    };
    let said = move || {
        if masks.get() {
            "The chosen image, and the class of every pixel."
        } else {
            "The chosen image, and what the network makes of it."
        }
    };
    let listed = move || {
        if masks.get() {
            "The worst first: image, what the network says, what is right."
        } else {
            "The worst first: image, and what comes out."
        }
    };
    view! {
        <div class="compared" role="img" aria-label=said data-testid="pictures">{move || ["raw", "output"].map(|name| picture(lab, chosen, masks.get(), name, 0)).into_iter().collect_view()}</div>
        <p class="hint">{said}</p>
        <p class="classes">{keys}</p>
        <p class="hint">{listed}</p>
        <div class="tiles several" role="group" aria-label=listed>{move || (0..count.get()).map(tile).collect_view()}</div>
    }
}
