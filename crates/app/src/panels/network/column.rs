//! A column of the network map: its head, its view, and the keys that walk through its cells.

use leptos::html::Div;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlCanvasElement, HtmlElement};

use super::layers::Head;
use super::map::{Cell, Map, Target, unit_at};
use super::wires::wires_between;
use crate::panels::later::Later;
use crate::plot::network::Column;
use crate::reactive::{RwSignal, effect, memo};
use crate::state::Lab;
use crate::turns;
use crate::views::Views;
use crate::views::kinds::ColumnInfo;

/// Head and view of a column.
#[component]
pub fn ColumnView(at: usize, column: Column) -> impl IntoView {
    let lab = Lab::here();
    let map: Map = expect_context();
    let views: Views = expect_context();
    let data = memo(move || lab.info.with(|i| i.as_ref().map(|i| i.data.clone())).unwrap_or_default());
    let head = column.clone();
    let body = move || {
        let info = ColumnInfo::new(lab, at, column.clone(), data.get().into(), map.room);
        let view = views.layers.iter().copied().find(|view| view.fits(&info))?;
        let answers = {
            let info = info.clone();
            lab.watch(move || view.wants(&info))
        };
        map.see(&info, view, answers);
        Some(if view.is_at_once() {
            view.view(info, answers)
        } else {
            let show = move || {
                // Its cells are new, and are looked for when they are there.
                effect(move || map.changed.update(|n| *n += 1));
                view.view(info.clone(), answers)
            };
            view! { <Later show=Box::new(show)/> }.into_any()
        })
    };
    let focused = move |ev: web_sys::FocusEvent| {
        let target = ev.target().and_then(|t| t.dyn_into::<Element>().ok());
        map.hover.set(target.and_then(|t| unit_at(&t, None)));
    };
    view! {
        <div class="col" data-column=at.to_string() on:keydown=walk on:focusin=focused on:focusout=move |_| map.hover.set(None)>
            <Head column=head/>
            {body}
        </div>
    }
}

/// Arrow keys walk from cell to cell, so that a column is one stop of the tab key.
fn walk(ev: web_sys::KeyboardEvent) {
    let (dx, dy) = match ev.key().as_str() {
        "ArrowUp" => (0, -1),
        "ArrowDown" => (0, 1),
        "ArrowLeft" => (-1, 0),
        "ArrowRight" => (1, 0),
        _ => return,
    };
    let Some((Target::Unit { column, unit }, _, _)) =
        ev.target().and_then(|t| t.dyn_into::<Element>().ok()).and_then(|t| unit_at(&t, None))
    else {
        return;
    };
    let column_of = |target: Option<web_sys::EventTarget>| target.and_then(|t| t.dyn_into::<Element>().ok());
    let Some(columns) = column_of(ev.current_target()).and_then(|column| column.parent_element()) else { return };
    ev.prevent_default();
    ev.stop_propagation();
    let (column, unit) = (column as i64 + dx, unit as i64 + dy);
    // A shorter column is entered at its top.
    for unit in [unit, 0] {
        let selector = format!(".cell[data-column='{column}'][data-unit='{unit}']");
        let cell = columns.query_selector(&selector).ok().flatten().and_then(|c| c.dyn_into::<HtmlElement>().ok());
        if let Some(cell) = cell {
            let _ = cell.focus();
            return;
        }
    }
}

/// Notes where the cells are, after every change of the layout, and derives the lines from it.
pub fn place_cells(lab: Lab, map: Map, net: NodeRef<Div>, size: RwSignal<Option<RwSignal<u32>>>) {
    effect(move || {
        size.get().map(|s| s.get());
        map.columns.with(|_| ());
        map.height.get();
        map.room.get();
        map.changed.get();
        lab.info.with(|i| i.as_ref().map(|i| (i.run, i.data.hash.clone())));
        request_animation_frame(move || {
            if let Some(net) = net.try_get_untracked().flatten() {
                // Before the next frame, or what was measured would be seen first.
                turns::at_once();
                measure(map, &net);
            }
        });
    });
}

fn measure(map: Map, net: &Element) {
    let area = net.get_bounding_client_rect();
    let Ok(heads) = net.query_selector_all(".head") else { return };
    let height = |i| heads.item(i)?.dyn_into::<Element>().ok().map(|head| head.get_bounding_client_rect().height());
    let Some(tallest) = (0..heads.length()).filter_map(height).reduce(f64::max) else { return };
    if map.above.get_untracked() != tallest {
        // Cells move with it, and are looked for once they have.
        map.above.set(tallest);
        return;
    }
    let Ok(found) = net.query_selector_all(".cell") else { return };
    let mut cells = Vec::new();
    let mut boxes: Vec<Vec<(f64, f64, f64)>> = Vec::new();
    for i in 0..found.length() {
        let Some(cell) = found.item(i).and_then(|n| n.dyn_into::<HtmlElement>().ok()) else { continue };
        let number = |name: &str| cell.get_attribute(name).and_then(|v| v.parse::<usize>().ok());
        let (Some(column), Some(unit)) = (number("data-column"), number("data-unit")) else { continue };
        let Some(canvas) = cell.query_selector("canvas").ok().flatten().and_then(|c| c.dyn_into::<HtmlCanvasElement>().ok())
        else {
            continue;
        };
        let place = canvas.get_bounding_client_rect();
        boxes.resize(boxes.len().max(column + 1), Vec::new());
        boxes[column].push((
            place.left() - area.left(),
            place.right() - area.left(),
            (place.top() + place.bottom()) / 2.0 - area.top(),
        ));
        cells.push(Cell { column, unit, canvas });
    }
    let lines = map.columns.try_with_untracked(|columns| wires_between(columns, &boxes));
    map.wires.set_value(lines.unwrap_or_default());
    map.cells.set_value(cells);
    map.placed.update(|n| *n += 1);
}
