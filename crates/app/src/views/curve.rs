//! The learned curve over one input, with the data.

use downhill_protocol::{DataInfo, Input, Query};
use leptos::html::Canvas;
use leptos::prelude::*;
use web_sys::HtmlCanvasElement;

use super::kinds::OutputView;
use crate::canvas::{dot, fitted, painted, size_of};
use crate::document::Digits;
use crate::plot::colour::{Palette, css};
use crate::plot::curve;
use crate::reactive::{RwSignal, memo};
use crate::state::Lab;
use crate::watches::{Ask, Source};

/// Points of the curve.
const POINTS: u32 = 200;

/// See the module.
pub struct LearnedCurve;

impl OutputView for LearnedCurve {
    fn title(&self) -> &'static str {
        "Curve"
    }

    fn fits(&self, data: &DataInfo) -> bool {
        data.train_points.is_some() && data.task == "regression"
    }

    fn view(&self, lab: Lab) -> AnyView {
        view! { <CurvePicture lab/> }.into_any()
    }
}

#[component]
fn CurvePicture(lab: Lab) -> impl IntoView {
    let frame = memo(move || lab.points.with(|p| curve::Frame::around(&p.0)));
    let answers = lab.watch(move || {
        let (low, high) = frame.get().x;
        let source = Source::Of(Input::Line { points: POINTS, low: low as f32, high: high as f32 });
        Some(Ask { source, tensors: vec![Query::all("raw"), Query::all("output")], every_ms: 33.0 })
    });
    let canvas = NodeRef::<Canvas>::new();
    let resized = RwSignal::new(None::<RwSignal<u32>>);
    canvas.on_load(move |canvas| resized.set(Some(size_of(&canvas))));
    painted(canvas, move |canvas| {
        resized.get().map(|r| r.get());
        let (palette, points, frame) = (lab.palette.get(), lab.points.get(), frame.get());
        let answer = answers.get();
        let line = answer.as_ref().and_then(|a| Some((a.get("raw")?.data, a.get("output")?.data)));
        paint_curve(canvas, &palette, frame, &points, line);
    });
    let range = move || {
        let f = frame.get();
        let ends = |(low, high): (f64, f64)| {
            let digits = Digits::telling([low, high].into_iter());
            format!("{} to {}", digits.text(low), digits.text(high))
        };
        format!("x {}, y {}", ends(f.x), ends(f.y))
    };
    view! {
        <div class="boundary" data-testid="boundary"><canvas node_ref=canvas class="dots" role="img" aria-label="Learned curve and data"></canvas></div>
        <p class="hint num" translate="no">{range}</p>
    }
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
