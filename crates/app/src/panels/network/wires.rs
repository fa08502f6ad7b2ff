//! The weights of the network map as lines between units, on one canvas that the pointer searches by geometry.

use downhill_protocol::Elements;
use leptos::html::{Canvas, Div};
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlCanvasElement, PointerEvent};

use super::map::{Map, Target, unit_at};
use crate::canvas::{fitted, painted};
use crate::plot::colour::{Palette, css};
use crate::plot::network::Column;
use crate::plot::wires;
use crate::reactive::effect;
use crate::state::Lab;
use crate::watches::Answer;

/// The lines from every column to the one that follows it, from the places of their cells: left, right and middle height.
pub fn wires_between(columns: &[Column], boxes: &[Vec<(f64, f64, f64)>]) -> Vec<wires::Wire> {
    let mut lines = Vec::new();
    for (at, column) in columns.iter().enumerate().skip(1) {
        let (Some(from), Some(to)) = (boxes.get(at - 1), boxes.get(at)) else { continue };
        // A picture is one cell for many inputs: its lines would say nothing.
        if column.wires.is_none() || !column.follows || from.len() < columns[at - 1].units.min(2) {
            continue;
        }
        for (unit, end) in to.iter().enumerate() {
            for (input, start) in from.iter().enumerate() {
                lines.push(wires::Wire { from: (start.1, start.2), to: (end.0, end.2), column: at, unit, input });
            }
        }
    }
    lines
}

/// The lines, painted on one canvas; the pointer finds them by their geometry.
#[component]
pub fn Wires(map: Map) -> impl IntoView {
    let lab = Lab::here();
    let canvas = NodeRef::<Canvas>::new();
    painted(canvas, move |canvas| {
        map.placed.track();
        let palette = lab.palette.get();
        let shown = map.weights.get();
        let hover = map.hover.get().map(|h| h.0);
        paint_wires(canvas, map, &palette, shown.as_deref(), hover);
    });
    let over = move |ev: &PointerEvent| -> Option<(Target, f64, f64)> {
        let target = ev.target()?.dyn_into::<Element>().ok()?;
        let net = target.closest(".net").ok()??;
        let area = net.get_bounding_client_rect();
        let (x, y) = (f64::from(ev.client_x()) - area.left(), f64::from(ev.client_y()) - area.top());
        let pointer = (f64::from(ev.client_x()), f64::from(ev.client_y()));
        if let Some(unit) = unit_at(&target, Some(pointer)) {
            return Some(unit);
        }
        if target.closest("button, .pop").ok().flatten().is_some() {
            return None;
        }
        map.wires.with_value(|wires| {
            let wire = wires.get(wires::nearest(wires, (x, y))?)?;
            Some((Target::Wire { column: wire.column, unit: wire.unit, input: wire.input }, x, y))
        })
    };
    let listeners = NodeRef::<Div>::new();
    effect(move || {
        let Some(net) = listeners.get().and_then(|l| l.closest(".net").ok().flatten()) else { return };
        let moved = wasm_bindgen::closure::Closure::<dyn FnMut(PointerEvent)>::new(move |ev: PointerEvent| {
            let found = over(&ev);
            if map.hover.with_untracked(|h| *h != found) {
                map.hover.set(found);
            }
        });
        let left = wasm_bindgen::closure::Closure::<dyn FnMut(PointerEvent)>::new(move |_: PointerEvent| map.hover.set(None));
        let clicked = wasm_bindgen::closure::Closure::<dyn FnMut(PointerEvent)>::new(move |ev: PointerEvent| {
            if let Some(found) = over(&ev) {
                map.chosen.set(Some(found));
            }
        });
        for (name, closure) in [("pointermove", &moved), ("pointerleave", &left), ("click", &clicked)] {
            let _ = net.add_event_listener_with_callback(name, closure.as_ref().unchecked_ref());
        }
        // The network is on screen as long as the page is.
        moved.forget();
        left.forget();
        clicked.forget();
    });
    view! { <canvas node_ref=canvas class="wires" aria-hidden="true"></canvas><div node_ref=listeners hidden></div> }
}

fn paint_wires(canvas: &HtmlCanvasElement, map: Map, palette: &Palette, shown: Option<&Answer>, hover: Option<Target>) {
    let Some((context, _, _)) = fitted(canvas) else { return };
    let Some(shown) = shown else { return };
    let columns = map.columns.get_untracked();
    let of_column: Vec<Option<(Elements<'_>, f32)>> = columns
        .iter()
        .map(|c| {
            let weights = shown.get(c.wires.as_deref()?)?;
            let largest = weights.data.iter().filter(|v| v.is_finite()).fold(0.0f32, |m, v| m.max(v.abs()));
            Some((weights, largest.max(0.3)))
        })
        .collect();
    map.wires.with_value(|wires| {
        for wire in wires {
            let Some(Some((weights, largest))) = of_column.get(wire.column) else { continue };
            let Some(weight) = weights.at(&[wire.unit as u32, wire.input as u32]) else { continue };
            let (line, mut alpha) = wires::stroke(weight, *largest);
            if let Some(target) = hover {
                let mine = target.touches(wire);
                alpha = if mine { (alpha + 0.25).min(1.0) } else { alpha * 0.3 };
            }
            let ink = if weight < 0.0 { palette.negative } else { palette.positive };
            context.set_stroke_style_str(&css(ink, alpha));
            context.set_line_width(line);
            context.begin_path();
            context.move_to(wire.from.0, wire.from.1);
            let middle = wire.middle();
            context.bezier_curve_to(middle, wire.from.1, middle, wire.to.1, wire.to.0, wire.to.1);
            context.stroke();
        }
    });
}
