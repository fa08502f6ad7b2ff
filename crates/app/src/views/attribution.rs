//! Where in an image the network looks: the gradient of the score by each pixel, or what the probability loses when a part is hidden.

use downhill_protocol::{DataInfo, Query};
use leptos::html::Canvas;
use leptos::prelude::*;

use super::gallery::image_size;
use super::kinds::{OutputView, answers_are_pictures};
use crate::canvas::{painted, put_pixels};
use crate::document::percent;
use crate::focus;
use crate::plot::heatmap::likeliest;
use crate::plot::picture::{colours, full, overlaid, rgba};
use crate::reactive::{RwSignal, clicked, memo};
use crate::state::Lab;
use crate::watches::{Answer, Ask, Source};

/// Places along the longer side of an image at which a part of it is hidden, at most.
const PLACES: u32 = 14;

/// See the module.
pub struct Attribution;

impl OutputView for Attribution {
    fn title(&self) -> &'static str {
        "Why"
    }

    fn fits(&self, data: &DataInfo) -> bool {
        data.image.is_some() && data.inputs.len() == 1 && !answers_are_pictures(data)
    }

    fn view(&self, lab: Lab) -> AnyView {
        view! { <Panel lab/> }.into_any()
    }
}

/// How it is found out where the network looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Saliency,
    Occlusion,
}

/// The methods: name, and how to read them.
const METHODS: [(Method, &str, &str); 2] = [
    (
        Method::Saliency,
        "Saliency",
        "The gradient of the score by each pixel: more ink where it is blue raises the score, where it is orange it lowers it.",
    ),
    (
        Method::Occlusion,
        "Occlusion",
        "A square hides each place in turn: where it is blue the probability falls without what is there, where it is orange it rises.",
    ),
];

#[component]
fn Panel(lab: Lab) -> impl IntoView {
    let method = RwSignal::new(Method::Saliency);
    let size = image_size(lab);
    // Squares are three places wide, so that neighbours overlap.
    let stride = memo(move || size.with(|&(height, width)| height.max(width).div_ceil(PLACES)));
    let answers = lab.watch(move || {
        let (source, tensors): (_, &[&str]) = match method.get() {
            Method::Saliency => (Source::Chosen, &["raw", "output", "saliency"]),
            Method::Occlusion => {
                let stride = stride.get();
                // Two pixels of a small image are a stroke.
                let side = if stride == 1 { 2 } else { 3 * stride };
                (Source::Occluded { side, stride }, &["raw", "output"])
            }
        };
        Some(Ask { source, tensors: tensors.iter().map(|name| Query::all(*name)).collect(), every_ms: 100.0 })
    });
    let canvas = NodeRef::<Canvas>::new();
    painted(canvas, move |canvas| {
        let ((height, width), stride) = (size.get(), stride.get());
        let Some(answer) = answers.get() else { return };
        let found = match answer.get("saliency") {
            Some(slopes) => Some((slopes.row(0).to_vec(), 1)),
            None => losses(&answer).map(|losses| (losses, stride)),
        };
        let (Some((values, each)), Some(raw)) = (found, answer.get("raw")) else { return };
        let pixels = (height * width) as usize;
        let image = lab.palette.with(|palette| colours(raw.row(0), pixels, full(raw.row(0)), palette));
        let across = width.div_ceil(each);
        let value = |at: usize| {
            let place = (at as u32 / width / each * across + at as u32 % width / each) as usize;
            // Channels of a pixel add up.
            values.iter().skip(place).step_by((across * height.div_ceil(each)).max(1) as usize).sum::<f32>()
        };
        let summed: Vec<f32> = (0..pixels).map(value).collect();
        let mixed = lab.palette.with(|palette| overlaid(&image, &summed, strongest(&summed), palette));
        put_pixels(canvas, &mut rgba(&mixed), width);
    });
    let said = move || {
        let (class, p) = answers.with(|answer| answer.as_ref()?.get("output").map(|output| likeliest(output.row(0))))?;
        let name = lab.data()?.labels.get(class).cloned()?;
        Some(format!("{name} · {}", percent(f64::from(p))))
    };
    let button = move |(which, name, _): (Method, &'static str, &str)| {
        let on = move || method.get() == which;
        view! { <button type="button" class="toggle" role="radio" aria-checked=move || on().to_string() tabindex=move || focus::stop(on()) on:click=clicked(move |_| method.set(which))>{name}</button> }.into_any()
    };
    let hint = move || METHODS.iter().find(|m| m.0 == method.get()).map(|m| m.2);
    view! {
        <div class="pens">
            <div class="choices" role="radiogroup" aria-label="How it is found out" on:keydown=focus::walk>{METHODS.map(button).into_iter().collect_view()}</div>
            <output class="num" translate="no" data-testid="attributed">{said}</output>
        </div>
        <canvas node_ref=canvas class="attribution" width="1" height="1" role="img" data-testid="attribution" aria-label="The chosen image, coloured where the network looks"></canvas>
        <p class="hint">{hint}</p>
    }
}

/// One over the largest magnitude, however small that is.
fn strongest(values: &[f32]) -> f32 {
    let largest = values.iter().filter(|v| v.is_finite()).fold(0.0f32, |m, v| m.max(v.abs()));
    if largest > 0.0 { 1.0 / largest } else { 0.0 }
}

/// What the probability of the likeliest class loses when each place is hidden; of values, how much the first falls.
fn losses(answer: &Answer) -> Option<Vec<f32>> {
    let output = answer.get("output")?;
    let class = likeliest(output.row(0)).0;
    let whole = output.row(0).get(class)?;
    Some(output.column(class).skip(1).map(|hidden| whole - hidden).collect())
}
