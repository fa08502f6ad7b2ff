//! Pictures of what was learned over the input: the decision boundary of a plane and the curve of a line, with the data on them.

use std::sync::Arc;

use downhill_protocol::{ArrayRef, Frame, MapSource, Watch};
use leptos::html::Canvas;
use leptos::prelude::*;
use serde_json::{Value, json};
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, PointerEvent};

use crate::canvas::{fitted, painted, position, put_pixels, size_of};
use crate::document::{self, number};
use crate::icons::Icon;
use crate::plot::colour::{Palette, Rgb, css};
use crate::plot::{curve, heatmap};
use crate::reactive::{Memo, RwSignal, clicked, effect, memo};
use crate::state::{Lab, Shown};

/// Points per side of the boundary.
const RESOLUTION: u32 = 96;

/// The output's map of a frame: units and values.
pub fn output_of(shown: &Shown) -> Option<(usize, &[f32])> {
    let Frame::Maps { layers, .. } = &shown.message.header else { return None };
    let map = layers.iter().find(|l| l.path == "output")?;
    Some((map.units as usize, shown.message.array(map.data)))
}

/// The decision boundary with the data on it; a click starts drawing points by hand.
#[component]
pub fn Boundary() -> impl IntoView {
    let lab = Lab::here();
    let square = memo(move || lab.points.with(|p| curve::square_around(&p.0)));
    effect(move || {
        let (low, high) = square.get();
        let source = MapSource::Grid { resolution: RESOLUTION, low, high, output_only: true };
        lab.watch(Watch { panel: "boundary".into(), source, every_ms: 33.0 });
    });
    let heat = NodeRef::<Canvas>::new();
    let pixels = StoredValue::new_local(Vec::new());
    painted(heat, move |canvas| {
        let (palette, ramp) = (lab.palette.get(), lab.ramp.get());
        let Some(shown) = lab.frames.boundary.get() else { return };
        let Some((units, values)) = output_of(&shown) else { return };
        pixels.update_value(|pixels| {
            paint_output(units, values, &palette, &ramp, pixels);
            put_pixels(canvas, pixels, RESOLUTION);
        });
    });
    let pen = RwSignal::new(None::<u32>);
    let dots = NodeRef::<Canvas>::new();
    let resized = RwSignal::new(None::<RwSignal<u32>>);
    dots.on_load(move |canvas| resized.set(Some(size_of(&canvas))));
    let drawn = drawn_points(lab);
    painted(dots, move |canvas| {
        resized.get().map(|r| r.get());
        let palette = lab.palette.get();
        let points = lab.points.get();
        let drawn = drawn.get();
        paint_points(canvas, &palette, square.get(), &points, drawn.as_deref());
    });
    let tip = RwSignal::new(None::<(f64, f64)>);
    let draw = move |ev: &PointerEvent, at: (f64, f64)| {
        let Some(class) = pen.get_untracked() else { return };
        if ev.buttons() & 1 == 1 {
            add_point(lab, square.get_untracked(), at, class);
        }
    };
    let moved = move |ev: PointerEvent| {
        let at = ev
            .target()
            .and_then(|t| wasm_bindgen::JsCast::dyn_into::<web_sys::Element>(t).ok())
            .map(|t| position(&t, f64::from(ev.client_x()), f64::from(ev.client_y())));
        tip.set(at);
        if let Some(at) = at {
            draw(&ev, at);
        }
    };
    view! {
        <div class="boundary" data-testid="boundary" class:drawing=move || pen.with(Option::is_some)>
            <canvas node_ref=heat class="heat" width=RESOLUTION height=RESOLUTION role="img" aria-label="Decision boundary"></canvas>
            <canvas node_ref=dots class="dots" aria-hidden="true" on:pointermove=moved on:pointerdown=moved on:pointerleave=move |_| tip.set(None)></canvas>
            <Reading tip square/>
        </div>
        <Pens pen/>
    }
}

fn paint_output(units: usize, values: &[f32], palette: &Palette, ramp: &[Rgb], pixels: &mut Vec<u8>) {
    match units {
        0 | 1 => {
            // One output: a value, or the probability of the second class.
            let centred: Vec<f32> = if values.iter().all(|v| (0.0..=1.0).contains(v)) {
                values.iter().map(|v| 1.32 * (v - 0.5)).collect()
            } else {
                values.to_vec()
            };
            heatmap::diverging(&centred, heatmap::scale_of(&centred).min(1.0), ramp, palette.ink, pixels);
        }
        _ => heatmap::classes(values, units, palette, ramp, pixels),
    }
}

/// The points of the source `points` as the document on screen holds them, newer than the run's.
fn drawn_points(lab: Lab) -> Memo<Option<Vec<f32>>> {
    memo(move || {
        lab.draft.with(|doc| {
            let points = document::get(doc, "data.points.points")?.as_array()?;
            let of = |v: &Value| v.as_f64().unwrap_or(0.0) as f32;
            Some(points.iter().flat_map(|p| [of(&p[0]), of(&p[1]), of(&p[2])]).collect())
        })
    })
}

fn add_point(lab: Lab, (low, high): (f32, f32), at: (f64, f64), class: u32) {
    /// Closer than this a drag adds nothing.
    const APART: f64 = 0.04;
    let span = f64::from(high - low);
    let round = |v: f64| (v * 1000.0).round() / 1000.0;
    let (x, y) = (round(f64::from(low) + at.0 * span), round(f64::from(high) - at.1 * span));
    let near = lab.draft.with_untracked(|doc| {
        let points = document::get(doc, "data.points.points").and_then(Value::as_array);
        points.and_then(|p| p.last()).is_some_and(|p| {
            let (px, py) = (p[0].as_f64().unwrap_or(9e9), p[1].as_f64().unwrap_or(9e9));
            (px - x).hypot(py - y) < APART * span / 2.0
        })
    });
    if near {
        return;
    }
    lab.edit("points drawn", |doc| {
        let mut points = document::get(doc, "data.points.points").and_then(Value::as_array).cloned().unwrap_or_default();
        points.push(json!([x, y, class]));
        document::set(doc, "data.points.points", Value::Array(points));
    });
}

/// The classes to draw with; choosing one turns the data into points drawn by hand.
#[component]
fn Pens(pen: RwSignal<Option<u32>>) -> impl IntoView {
    let lab = Lab::here();
    let take = move |class: u32| {
        if lab.draft.with_untracked(|doc| document::name_at(doc, "data", "spirals") != "points") {
            begin_drawing(lab);
        }
        pen.set(if pen.get_untracked() == Some(class) { None } else { Some(class) });
    };
    let clear = move |_| lab.edit("points cleared", |doc| document::set(doc, "data.points.points", json!([])));
    let pens = (0..4u32).map(|class| {
        let style = move || format!("--c:{}", lab.palette.with(|p| css(p.class(class as usize), 1.0)));
        view! { <button type="button" class="pen" style=style aria-label=format!("Draw points of class {}", class + 1) aria-pressed=move || (pen.get() == Some(class)).to_string() on:click=clicked(move |_| take(class))></button> }
    });
    view! {
        <div class="pens" role="group" aria-label="Draw points">
            <Icon name="pen"/><span>"Draw points"</span>
            {pens.collect_view()}
            <Show when=move || lab.draft.with(|doc| document::name_at(doc, "data", "spirals") == "points")>
                <button type="button" class="link" on:click=clear>"Clear"</button>
            </Show>
        </div>
    }
}

/// Turns the points on screen into points drawn by hand, so that drawing adds to what is there.
fn begin_drawing(lab: Lab) {
    const MOST: usize = 600;
    let (train, validation) = &*lab.points.get_untracked();
    let round = |v: f32| (f64::from(v) * 1000.0).round() / 1000.0;
    let points: Vec<Value> = train
        .chunks_exact(3)
        .chain(validation.chunks_exact(3))
        .take(MOST)
        .map(|p| json!([round(p[0]), round(p[1]), p[2] as u32]))
        .collect();
    lab.edit("points drawn", |doc| {
        let name = document::name_at(doc, "data", "spirals");
        let features = document::get(doc, &format!("data.{name}.features")).cloned();
        doc["data"] = json!({ "points": { "points": points } });
        if let Some(features) = features {
            doc["data"]["points"]["features"] = features;
        }
    });
}

/// What the network says under the pointer.
#[component]
fn Reading(tip: RwSignal<Option<(f64, f64)>>, square: Memo<(f32, f32)>) -> impl IntoView {
    let lab = Lab::here();
    let text = move || {
        let (u, v) = tip.get()?;
        let (low, high) = square.get();
        let shown = lab.frames.boundary.get()?;
        let (units, values) = output_of(&shown)?;
        let side = RESOLUTION as usize;
        let cell = |t: f64| ((t * side as f64) as usize).min(side - 1);
        let at = cell(v) * side + cell(u);
        let value = |unit: usize| values.get(unit * side * side + at).copied().unwrap_or(f32::NAN);
        let labels = lab.info.with(|i| i.as_ref().map(|i| i.data.labels.clone()).unwrap_or_default());
        let (best, p) = match units {
            0 | 1 if value(0) >= 0.5 => (1, value(0)),
            0 | 1 => (0, 1.0 - value(0)),
            _ => (0..units).map(|u| (u, value(u))).fold((0, f32::MIN), |a, b| if b.1 > a.1 { b } else { a }),
        };
        let span = f64::from(high - low);
        let (x, y) = (f64::from(low) + u * span, f64::from(high) - v * span);
        let label = labels.get(best).cloned().unwrap_or_default();
        Some(format!("x {x:+.2}  y {y:+.2}  {label} {:.1} %", 100.0 * p))
    };
    move || text().map(|text| view! { <div class="reading num">{text}</div> })
}

fn paint_points(
    canvas: &HtmlCanvasElement,
    palette: &Palette,
    (low, high): (f32, f32),
    points: &Arc<(Vec<f32>, Vec<f32>)>,
    drawn: Option<&[f32]>,
) {
    let Some((context, width, height)) = fitted(canvas) else { return };
    let span = f64::from(high - low);
    let place = |p: &[f32]| (f64::from(p[0] - low) / span * width, f64::from(high - p[1]) / span * height);
    let count = drawn.map_or(points.0.len() + points.1.len(), <[f32]>::len) / 3;
    let radius = if count > 1200 { 1.6 } else { 2.7 };
    if let Some(drawn) = drawn {
        drawn.chunks_exact(3).for_each(|p| dot(&context, palette, place(p), p[2], radius, true));
        return;
    }
    points.0.chunks_exact(3).for_each(|p| dot(&context, palette, place(p), p[2], radius, true));
    points.1.chunks_exact(3).for_each(|p| dot(&context, palette, place(p), p[2], radius, false));
}

/// Filled for what it learns from, a ring for what was held out.
fn dot(context: &CanvasRenderingContext2d, palette: &Palette, (x, y): (f64, f64), class: f32, radius: f64, filled: bool) {
    let (ink, ground) = (css(palette.class(class as usize), 1.0), css(palette.panel, 1.0));
    context.begin_path();
    let _ = context.arc(x, y, radius, 0.0, std::f64::consts::TAU);
    context.set_fill_style_str(if filled { &ink } else { &ground });
    context.set_stroke_style_str(if filled { &ground } else { &ink });
    context.set_line_width(if filled { 0.8 } else { 1.2 });
    context.fill();
    context.stroke();
}

/// The learned curve over one input, with the data.
#[component]
pub fn CurvePicture() -> impl IntoView {
    let lab = Lab::here();
    let frame = memo(move || lab.points.with(|p| curve::Frame::around(&p.0)));
    effect(move || {
        let (low, high) = frame.get().x;
        let source = MapSource::Line { points: 200, low: low as f32, high: high as f32 };
        lab.watch(Watch { panel: "curve".into(), source, every_ms: 33.0 });
    });
    let canvas = NodeRef::<Canvas>::new();
    let resized = RwSignal::new(None::<RwSignal<u32>>);
    canvas.on_load(move |canvas| resized.set(Some(size_of(&canvas))));
    painted(canvas, move |canvas| {
        resized.get().map(|r| r.get());
        let (palette, points, frame) = (lab.palette.get(), lab.points.get(), frame.get());
        let shown = lab.frames.curve.get();
        let line = shown.as_ref().and_then(|s| match &s.message.header {
            Frame::Curve { x, y } => Some((array(s, *x), array(s, *y))),
            _ => None,
        });
        paint_curve(canvas, &palette, frame, &points, line);
    });
    let range = move || {
        let f = frame.get();
        format!("x {} to {}, y {} to {}", number(f.x.0), number(f.x.1), number(f.y.0), number(f.y.1))
    };
    view! {
        <div class="boundary" data-testid="boundary"><canvas node_ref=canvas class="dots" role="img" aria-label="Learned curve and data"></canvas></div>
        <p class="hint num">{range}</p>
    }
}

fn array(shown: &Shown, at: ArrayRef) -> &[f32] {
    shown.message.array(at)
}

fn paint_curve(
    canvas: &HtmlCanvasElement,
    palette: &Palette,
    frame: curve::Frame,
    points: &(Vec<f32>, Vec<f32>),
    line: Option<(&[f32], &[f32])>,
) {
    let Some((context, width, height)) = fitted(canvas) else { return };
    context.set_stroke_style_str(&css(palette.ink, 0.15));
    context.set_line_width(1.0);
    let (x0, y0) = frame.place(0.0, 0.0, width, height);
    for (from, to) in [((0.0, y0), (width, y0)), ((x0, 0.0), (x0, height))] {
        context.begin_path();
        context.move_to(from.0, from.1);
        context.line_to(to.0, to.1);
        context.stroke();
    }
    let place = |p: &[f32]| frame.place(f64::from(p[0]), f64::from(p[2]), width, height);
    points.0.chunks_exact(3).for_each(|p| dot(&context, palette, place(p), 1.0, 2.4, true));
    points.1.chunks_exact(3).for_each(|p| dot(&context, palette, place(p), 1.0, 2.4, false));
    let Some((x, y)) = line else { return };
    context.set_stroke_style_str(&css(palette.negative, 1.0));
    context.set_line_width(2.4);
    context.begin_path();
    for (i, (x, y)) in x.iter().zip(y).enumerate() {
        let (px, py) = frame.place(f64::from(*x), f64::from(*y), width, height);
        if i == 0 { context.move_to(px, py) } else { context.line_to(px, py) }
    }
    context.stroke();
}
