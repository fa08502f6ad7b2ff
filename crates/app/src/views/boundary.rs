//! The decision boundary over the plane that the samples lie on, with the data on it and a pen to draw more.

use std::sync::Arc;

use downhill_protocol::{DataInfo, Input, Query, later};
use leptos::html::Canvas;
use leptos::prelude::*;
use serde_json::{Value, json};
use wasm_bindgen_futures::spawn_local;
use web_sys::{HtmlCanvasElement, PointerEvent};

use super::kinds::OutputView;
use crate::canvas::{context, dot, fitted, painted, position, put_pixels, size_of};
use crate::document::{self, End};
use crate::drawing::{self, REACH};
use crate::icons::Icon;
use crate::plot::colour::{Palette, css};
use crate::plot::{curve, heatmap};
use crate::reactive::{Memo, RwSignal, clicked, memo};
use crate::state::{Answers, Chosen, Lab, Stands};
use crate::watches::{Ask, Source};

/// Points per side of the boundary.
const RESOLUTION: u32 = 96;

/// See the module.
pub struct Boundary;

impl OutputView for Boundary {
    fn title(&self) -> &'static str {
        "Boundary"
    }

    fn fits(&self, data: &DataInfo) -> bool {
        data.train_points.is_some() && data.task == "classification"
    }

    fn is_at_once(&self) -> bool {
        true
    }

    fn view(&self, lab: Lab) -> AnyView {
        view! { <Plane lab/> }.into_any()
    }
}

/// The picture; a click chooses the point that runs through the network, or with a pen in hand draws one.
#[component]
fn Plane(lab: Lab) -> impl IntoView {
    let square = memo(move || lab.points.with(|p| curve::square_around(&p.0)));
    let answers = lab.watch(move || {
        let (low, high) = square.get();
        let source = Source::Of(Input::Grid { resolution: RESOLUTION, low, high });
        Some(Ask { source, tensors: vec![Query::all("output")], every_ms: 33.0 })
    });
    let heat = NodeRef::<Canvas>::new();
    let pixels = StoredValue::new_local(Vec::new());
    painted(heat, move |canvas| {
        let (palette, ramp) = (lab.palette.get(), lab.ramp.get());
        let Some(answer) = answers.get() else { return };
        let Some(output) = answer.get("output") else { return };
        pixels.update_value(|pixels| {
            heatmap::classes(output, &palette, &ramp, pixels);
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
        if let Some(point) = lab.chosen.get().and_then(|chosen| chosen_point(&chosen, &points)) {
            mark(canvas, &palette, square.get(), point);
        }
    });
    let tip = RwSignal::new(None::<(f64, f64)>);
    let draw = move |ev: &PointerEvent, at: (f64, f64)| {
        if ev.buttons() & 1 == 0 {
            return;
        }
        match pen.get_untracked() {
            Some(class) => add_point(lab, square.get_untracked(), at, class),
            None => {
                let (x, y) = point_at(square.get_untracked(), at);
                lab.chosen.set(Some(Chosen::Given(vec![vec![x as f32, y as f32]])));
            }
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
            <Reading lab answers tip square/>
        </div>
        <Pens pen/>
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

/// The point of the plane at a place of the picture, 0…1 on both axes.
fn point_at((low, high): (f32, f32), (u, v): (f64, f64)) -> (f64, f64) {
    let span = f64::from(high - low);
    let round = |v: f64| (v * 1000.0).round() / 1000.0;
    (round(f64::from(low) + u * span), round(f64::from(high) - v * span))
}

fn add_point(lab: Lab, (low, high): (f32, f32), at: (f64, f64), class: u32) {
    /// Closer than this a drag adds nothing.
    const APART: f64 = 0.04;
    let span = f64::from(high - low);
    let (x, y) = point_at((low, high), at);
    if x.abs().max(y.abs()) > REACH {
        return lab.tell(true, format!("Points are drawn between −{REACH} and {REACH}; this one would lie outside."));
    }
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
    lab.edit(|doc| {
        let mut points = document::get(doc, "data.points.points").and_then(Value::as_array).cloned().unwrap_or_default();
        points.push(json!([x, y, class]));
        let named = document::get(doc, "data.points.labels").and_then(Value::as_array).map_or(0, Vec::len) as u64;
        let classes = points.iter().filter_map(|p| p[2].as_u64()).map(|class| class + 1).fold(named, u64::max);
        document::set(doc, "data.points.points", Value::Array(points));
        if classes > 2 {
            document::fit_end(doc, End::Many);
        }
    });
}

/// The classes to draw with; choosing one turns the data into points drawn by hand.
#[component]
fn Pens(pen: RwSignal<Option<u32>>) -> impl IntoView {
    let lab = Lab::here();
    let drawn = memo(move || lab.draft.with(|doc| document::name_at(doc, "data", "spirals") == "points"));
    let take = move |class: u32| {
        let turn = move || pen.set(if pen.get_untracked() == Some(class) { None } else { Some(class) });
        if drawn.get_untracked() {
            return turn();
        }
        lab.settle(Stands::UntilNext);
        spawn_local(async move {
            match later::run(|| drawing::begin(lab)).await {
                Ok(true) => turn(),
                Ok(false) => {}
                Err(error) => lab.tell(true, error.to_string()),
            }
        });
    };
    let clear = move |_| lab.edit(|doc| document::set(doc, "data.points.points", json!([])));
    let undo = move |_| {
        pen.set(None);
        spawn_local(async move {
            let undone = later::run(|| async {
                drawing::undo(lab);
                Ok(())
            });
            if let Err(error) = undone.await {
                lab.tell(true, error.to_string());
            }
        });
    };
    let labels = memo(move || lab.data().map(|data| data.labels).unwrap_or_default());
    let pens = (0..4u32).map(|class| {
        let style = move || format!("--c:{}", lab.palette.with(|p| css(p.class(class as usize), 1.0)));
        let shape = ["●", "■", "▲", "◆"][class as usize];
        // Classes without a name are called "class 2".
        let name = move |labels: &Vec<String>| {
            let own = labels.get(class as usize).map(|label| label.trim_start_matches("class ").to_string());
            own.unwrap_or_else(|| class.to_string())
        };
        let title = move || format!("Draw points of class {}", labels.with(name));
        view! { <button type="button" class="pen" data-shape=shape style=style aria-label=title title=title aria-pressed=move || (pen.get() == Some(class)).to_string() on:click=clicked(move |_| take(class))></button> }
    });
    view! {
        <div class="pens" role="group" aria-label="Draw points">
            <Icon name="pen"/><span>"Draw points"</span>
            {pens.collect_view()}
            <Show when=move || drawn.get()>
                <button type="button" class="link" on:click=clear>"Clear"</button>
                <Show when=move || lab.drawn_over.with(Option::is_some)>
                    <button type="button" class="link" data-testid="undo-drawing" title="Back to the data before the drawing" on:click=undo>"Undo"</button>
                </Show>
            </Show>
        </div>
    }
}

/// What the network says under the pointer.
#[component]
fn Reading(lab: Lab, answers: Answers, tip: RwSignal<Option<(f64, f64)>>, square: Memo<(f32, f32)>) -> impl IntoView {
    let text = move || {
        let at = tip.get()?;
        let answer = answers.get()?;
        let output = answer.get("output")?;
        let side = RESOLUTION as usize;
        let cell = |t: f64| ((t * side as f64) as usize).min(side - 1);
        let (best, p) = heatmap::likeliest(output.row(cell(at.1) * side + cell(at.0)));
        let label = lab.info.with(|i| i.as_ref().and_then(|i| i.data.labels.get(best).cloned()))?;
        let (x, y) = point_at(square.get(), at);
        Some(format!("x {x:+.2}  y {y:+.2}  {label} {:.1}\u{a0}%", 100.0 * p))
    };
    move || text().map(|text| view! { <div class="reading num" translate="no">{text}</div> })
}

/// Where the chosen sample lies.
fn chosen_point(chosen: &Chosen, (train, validation): &(Vec<f32>, Vec<f32>)) -> Option<[f32; 2]> {
    match chosen {
        Chosen::Given(values) => values.first()?.as_slice().try_into().ok(),
        Chosen::HeldOut(row) => {
            let points = if validation.is_empty() { train } else { validation };
            points.get(3 * *row as usize..)?.first_chunk().copied()
        }
    }
}

/// A ring around the point that runs through the network.
fn mark(canvas: &HtmlCanvasElement, palette: &Palette, (low, high): (f32, f32), [x, y]: [f32; 2]) {
    let Some(context) = context(canvas) else { return };
    let span = high - low;
    let side = f64::from(canvas.client_width());
    let place = |share: f32| f64::from(share / span) * side;
    context.begin_path();
    let _ = context.arc(place(x - low), place(high - y), 6.0, 0.0, std::f64::consts::TAU);
    context.set_stroke_style_str(&css(palette.ink, 1.0));
    context.set_line_width(1.6);
    context.stroke();
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
