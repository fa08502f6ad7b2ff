//! The network as columns of units with live pictures, and the weights between them as lines.

use std::sync::Arc;

use downhill_protocol::{Frame, MapSource, Watch};
use leptos::html::{Canvas, Div};
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlCanvasElement, HtmlElement, PointerEvent};

use super::draw::watch_sample;
use super::layers::{AddLayer, Editing, Head, LayerEditor};
use super::output::Picture;
use super::weights::{Target, Tip, WeightEditor};
use crate::canvas::{fitted, painted, put_pixels, size_of};
use crate::document::{self, grouped, scaled};
use crate::plot::colour::{Palette, css};
use crate::plot::network::{Column, columns, shown};
use crate::plot::{curve, heatmap, wires};
use crate::reactive::{Memo, RwSignal, effect, memo};
use crate::state::{Lab, Shown};

/// Points per side of a unit's map.
const RESOLUTION: u32 = 28;
/// Height of a cell with its gap, and of what stands above the cells, in pixels.
const CELL: f64 = 46.0;
const ABOVE: f64 = 96.0;

/// What a unit's cell shows.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Face {
    /// Its response over the plane.
    Map,
    /// The image that excites it most: its weights.
    Weights,
    /// Its activation for the chosen sample.
    Value,
    /// The sample itself.
    Sample,
}

/// A cell on the screen.
struct Cell {
    column: usize,
    unit: usize,
    canvas: HtmlCanvasElement,
}

/// What the map shares between its parts.
#[derive(Clone, Copy)]
pub struct Map {
    /// Columns.
    pub columns: Memo<Vec<Column>>,
    /// What the pointer is on, and where.
    pub hover: RwSignal<Option<(Target, f64, f64)>>,
    /// What is being changed, and where.
    pub chosen: RwSignal<Option<(Target, f64, f64)>>,
    cells: StoredValue<Vec<Cell>, LocalStorage>,
    wires: StoredValue<Vec<wires::Wire>>,
    placed: RwSignal<u32>,
}

/// The panel.
#[component]
pub fn Network() -> impl IntoView {
    let lab = Lab::here();
    let columns = memo(move || lab.info.with(|i| i.as_ref().map(|i| columns(&i.layers)).unwrap_or_default()));
    let map = Map {
        columns,
        hover: RwSignal::new(None),
        chosen: RwSignal::new(None),
        cells: StoredValue::new_local(Vec::new()),
        wires: StoredValue::new(Vec::new()),
        placed: RwSignal::new(0),
    };
    provide_context(map);
    let editing = RwSignal::new(None::<Editing>);
    provide_context(editing);
    watch_sample(lab);
    watch(lab);
    let net = NodeRef::<Div>::new();
    let size = RwSignal::new(None::<RwSignal<u32>>);
    net.on_load(move |net| size.set(Some(size_of(&net))));
    let room = memo(move || {
        size.get().map(|s| s.get());
        net.get().map_or(9, |net| (((f64::from(net.client_height()) - ABOVE) / CELL) as usize).clamp(3, 16))
    });
    // Everything in the network scrolls with it, so it is as wide as its columns need.
    let width = move || format!("--columns:{}", columns.with(Vec::len));
    let named = move || columns.with(|c| c.iter().any(|c| c.names.iter().any(|name| name.len() > 8)));
    close_cards(lab, map, editing);
    place_cells(lab, map, net, room, size);
    paint_cells(lab, map);
    view! {
        <section class="network" aria-label="Network">
            <h2>"Network"<Cost/></h2>
            <Refused/>
            <div class="pan">
                <div class="net" node_ref=net class:named=named style=width>
                    <Wires map/>
                    <div class="cols">{move || columns.get().into_iter().enumerate().map(|(at, column)| view! { <ColumnView at column room/> }.into_any()).collect_view()}</div>
                    <Tip/>
                    <WeightEditor/>
                </div>
            </div>
            <LayerEditor/>
            <AddLayer/>
            <Legend/>
        </section>
    }
}

/// With Escape, wherever the keys are, for a card that was opened with the mouse has no focus; and with the network they speak of.
fn close_cards(lab: Lab, map: Map, editing: RwSignal<Option<Editing>>) {
    let close = move || {
        editing.set(None);
        map.chosen.set(None);
    };
    let keys = window_event_listener(leptos::ev::keydown, move |ev| {
        if ev.key() == "Escape" {
            close();
        }
    });
    on_cleanup(move || keys.remove());
    effect(move || {
        lab.opened.track();
        close();
    });
}

/// Weights for the lines, and maps where the input is a plane.
fn watch(lab: Lab) {
    lab.watch(Watch { panel: "weights".into(), source: MapSource::Weights, every_ms: 50.0 });
    let square = memo(move || {
        let picture = lab.info.with(|i| Picture::of(i.as_ref().map(|i| &i.data)));
        match picture {
            Picture::Plane => Some(lab.points.with(|p| curve::square_around(&p.0))),
            Picture::Line => Some(lab.points.with(|p| curve::Frame::around(&p.0).x)).map(|(a, b)| (a as f32, b as f32)),
            _ => None,
        }
    });
    effect(move || {
        if let Some((low, high)) = square.get() {
            let source = MapSource::Grid { resolution: RESOLUTION, low, high, output_only: false };
            lab.watch(Watch { panel: "maps".into(), source, every_ms: 50.0 });
        }
    });
}

#[component]
fn Cost() -> impl IntoView {
    let lab = Lab::here();
    let text = memo(move || {
        lab.info.with(|i| {
            i.as_ref().map(|i| {
                let (flops, bytes) = (scaled(i.flops_per_step as f64), scaled(i.bytes as f64));
                format!("{} parameters · {flops}FLOP per step · {bytes}B", grouped(i.parameters))
            })
        })
    });
    view! { <span class="num">{move || text.get()}</span> }
}

/// Why the experiment on screen does not run, with the way back.
#[component]
fn Refused() -> impl IntoView {
    let lab = Lab::here();
    let text = memo(move || lab.problem.with(|p| p.as_ref().map(ToString::to_string)));
    let back = move |_| {
        let accepted = lab.inbox.with_value(|inbox| inbox.accepted.clone());
        if let Ok(doc) = serde_json::from_str(&accepted) {
            lab.draft.set(doc);
            lab.problem.set(None);
        }
    };
    move || {
        text.get().map(|text| {
            view! { <div class="refused" role="alert" data-testid="problem"><p>{text}" The last version that works goes on."</p><button type="button" class="ghost" on:click=back>"Undo"</button></div> }
        })
    }
}

#[component]
fn Legend() -> impl IntoView {
    view! { <div class="legend" aria-hidden="true"><span>"−"</span><i></i><span>"+"</span><em>"line width: |weight|"</em></div> }
}

fn face(picture: Picture, column: &Column, at: usize) -> Face {
    match picture {
        Picture::Plane | Picture::Line | Picture::Empty => Face::Map,
        Picture::Image if at == 0 => Face::Sample,
        Picture::Image if at == 1 && column.weight.is_some() => Face::Weights,
        Picture::Image | Picture::Table => Face::Value,
    }
}

#[component]
fn ColumnView(at: usize, column: Column, room: Memo<usize>) -> impl IntoView {
    let lab = Lab::here();
    let map: Map = expect_context();
    let picture = memo(move || lab.info.with(|i| Picture::of(i.as_ref().map(|i| &i.data))));
    let units = column.units;
    let face = {
        let column = column.clone();
        memo(move || face(picture.get(), &column, at))
    };
    let count = memo(move || if face.get() == Face::Sample { 1 } else { shown(units, room.get()) });
    let labelled = at == 0 || !column.names.is_empty();
    let title = column.title();
    let names = column.clone();
    let cells = move || {
        let sample = face.get() == Face::Sample;
        (0..count.get())
            .map(|unit| {
                let name = names.unit_name(unit);
                let tag = (labelled && !sample).then(|| view! { <span aria-hidden="true">{name.clone()}</span> });
                let label = if sample { "The sample".to_string() } else { format!("{title}, {name}") };
                view! {
                    <button type="button" class="cell" class:first=at == 0 class:big=sample aria-label=label data-column=at.to_string() data-unit=unit.to_string() tabindex=if unit == 0 { "0" } else { "-1" }>
                        {tag}<canvas width="1" height="1" aria-hidden="true"></canvas>
                    </button>
                }
                .into_any()
            })
            .collect_view()
    };
    let more = move || {
        (face.get() != Face::Sample && units > count.get())
            .then(|| view! { <span class="more num">{format!("+{}", units - count.get())}</span> })
    };
    let focused = move |ev: web_sys::FocusEvent| {
        let target = ev.target().and_then(|t| t.dyn_into::<Element>().ok());
        map.hover.set(target.and_then(|t| unit_at(&t)));
    };
    view! {
        <div class="col" data-column=at.to_string() on:keydown=walk on:focusin=focused on:focusout=move |_| map.hover.set(None)>
            <Head column/>
            <div class="stack">{cells}{more}</div>
        </div>
    }
}

/// The unit whose cell an element is in, and where its tip goes.
fn unit_at(element: &Element) -> Option<(Target, f64, f64)> {
    let cell = element.closest(".cell").ok().flatten()?;
    let area = cell.closest(".net").ok().flatten()?.get_bounding_client_rect();
    let number = |name: &str| cell.get_attribute(name).and_then(|v| v.parse().ok());
    let place = cell.get_bounding_client_rect();
    let target = Target::Unit { column: number("data-column")?, unit: number("data-unit")? };
    Some((target, place.right() - area.left(), place.top() - area.top()))
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
        ev.target().and_then(|t| t.dyn_into::<Element>().ok()).and_then(|t| unit_at(&t))
    else {
        return;
    };
    ev.prevent_default();
    ev.stop_propagation();
    let (column, unit) = (column as i64 + dx, unit as i64 + dy);
    // A shorter column is entered at its top.
    for unit in [unit, 0] {
        let selector = format!(".cell[data-column='{column}'][data-unit='{unit}']");
        let cell = document().query_selector(&selector).ok().flatten().and_then(|c| c.dyn_into::<HtmlElement>().ok());
        if let Some(cell) = cell {
            let _ = cell.focus();
            return;
        }
    }
}

/// Notes where the cells are, after every change of the layout, and derives the lines from it.
fn place_cells(lab: Lab, map: Map, net: NodeRef<Div>, room: Memo<usize>, size: RwSignal<Option<RwSignal<u32>>>) {
    effect(move || {
        size.get().map(|s| s.get());
        map.columns.with(|_| ());
        room.get();
        lab.info.with(|i| i.as_ref().map(|i| i.run));
        request_animation_frame(move || {
            if let Some(net) = net.try_get_untracked().flatten() {
                measure(map, &net);
            }
        });
    });
}

fn measure(map: Map, net: &Element) {
    let area = net.get_bounding_client_rect();
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
    let lines = map.columns.try_with_untracked(|columns| {
        let mut lines = Vec::new();
        for (at, column) in columns.iter().enumerate().skip(1) {
            let (Some(from), Some(to)) = (boxes.get(at - 1), boxes.get(at)) else { continue };
            // A picture is one cell for many inputs: its lines would say nothing.
            if column.weight.is_none() || from.len() < columns[at - 1].units.min(2) {
                continue;
            }
            for (unit, end) in to.iter().enumerate() {
                for (input, start) in from.iter().enumerate() {
                    lines.push(wires::Wire { from: (start.1, start.2), to: (end.0, end.2), column: at, unit, input });
                }
            }
        }
        lines
    });
    map.wires.set_value(lines.unwrap_or_default());
    map.cells.set_value(cells);
    map.placed.update(|n| *n += 1);
}

/// A parameter of a weights frame: its shape and elements.
pub fn tensor<'a>(shown: &'a Shown, name: &str) -> Option<(&'a [u32], &'a [f32])> {
    let Frame::Weights(tensors) = &shown.message.header else { return None };
    let tensor = tensors.iter().find(|t| t.name == name)?;
    Some((&tensor.shape, shown.message.array(tensor.data)))
}

/// The map of a layer: values of all units.
pub fn map_of<'a>(shown: &'a Shown, path: &str) -> Option<(usize, &'a [f32])> {
    let Frame::Maps { layers, .. } = &shown.message.header else { return None };
    let layer = layers.iter().find(|l| l.path == path)?;
    Some((layer.units as usize, shown.message.array(layer.data)))
}

/// A layer's activations for the chosen sample.
pub fn activation_of<'a>(shown: &'a Shown, path: &str) -> Option<&'a [f32]> {
    let Frame::Draft { activations, .. } = &shown.message.header else { return None };
    activations.iter().find(|t| t.name == path).map(|t| shown.message.array(t.data))
}

/// Values, scale and width of what a unit's cell shows.
type Values<'a> = &'a dyn Fn(&Column, usize, Face) -> Option<(Vec<f32>, f32, u32)>;

fn paint_cells(lab: Lab, map: Map) {
    let pixels = StoredValue::new_local(Vec::<u8>::new());
    let paint = move |palette: &Palette, only: &[Face], values: Values<'_>| {
        let ramp = lab.ramp.get_untracked();
        let picture = lab.info.with_untracked(|i| Picture::of(i.as_ref().map(|i| &i.data)));
        map.columns.with_untracked(|columns| {
            map.cells.with_value(|cells| {
                for cell in cells {
                    let Some(column) = columns.get(cell.column) else { continue };
                    let face = face(picture, column, cell.column);
                    if !only.contains(&face) {
                        continue;
                    }
                    if let Some((values, scale, width)) = values(column, cell.unit, face) {
                        pixels.update_value(|pixels| {
                            heatmap::diverging(&values, scale, &ramp, palette.ink, pixels);
                            put_pixels(&cell.canvas, pixels, width);
                        });
                    }
                }
            });
        });
    };
    effect(move || {
        map.placed.track();
        let palette = lab.palette.get();
        let Some(shown) = lab.frames.maps.get() else { return };
        paint(&palette, &[Face::Map], &|column, unit, _| {
            let (units, values) = map_of(&shown, &column.path)?;
            let size = values.len() / units.max(1);
            Some((values.get(unit * size..(unit + 1) * size)?.to_vec(), heatmap::scale_of(values), RESOLUTION))
        });
    });
    effect(move || {
        map.placed.track();
        let palette = lab.palette.get();
        let Some(shown) = lab.frames.weights.get() else { return };
        let side = lab.info.with_untracked(|i| i.as_ref().and_then(|i| i.data.image)).map(|i| i.1);
        paint(&palette, &[Face::Weights], &|column, unit, _| {
            let (shape, values) = tensor(&shown, column.weight.as_deref()?)?;
            let size = *shape.get(1)? as usize;
            Some((values.get(unit * size..(unit + 1) * size)?.to_vec(), heatmap::scale_of(values), side?))
        });
    });
    effect(move || {
        map.placed.track();
        let palette = lab.palette.get();
        let sample = lab.sample.get();
        let Some(shown) = lab.frames.draft.get() else { return };
        let side = lab.info.with_untracked(|i| i.as_ref().and_then(|i| i.data.image)).map(|i| i.1);
        paint(&palette, &[Face::Value, Face::Sample], &|column, unit, face| {
            if face == Face::Sample {
                let values = sample.clone()?;
                let scale = heatmap::scale_of(&values);
                return Some((values, scale, side?));
            }
            let values = activation_of(&shown, &column.path)?;
            Some((vec![*values.get(unit)?], heatmap::scale_of(values), 1))
        });
    });
}

/// The lines, painted on one canvas; the pointer finds them by their geometry.
#[component]
fn Wires(map: Map) -> impl IntoView {
    let lab = Lab::here();
    let canvas = NodeRef::<Canvas>::new();
    painted(canvas, move |canvas| {
        map.placed.track();
        let palette = lab.palette.get();
        let shown = lab.frames.weights.get();
        let hover = map.hover.get().map(|h| h.0);
        paint_wires(canvas, map, &palette, shown.as_deref(), hover);
    });
    let over = move |ev: &PointerEvent| -> Option<(Target, f64, f64)> {
        let target = ev.target()?.dyn_into::<Element>().ok()?;
        let net = target.closest(".net").ok()??;
        let area = net.get_bounding_client_rect();
        let (x, y) = (f64::from(ev.client_x()) - area.left(), f64::from(ev.client_y()) - area.top());
        if let Some(unit) = unit_at(&target) {
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

fn paint_wires(canvas: &HtmlCanvasElement, map: Map, palette: &Palette, shown: Option<&Shown>, hover: Option<Target>) {
    let Some((context, _, _)) = fitted(canvas) else { return };
    let Some(shown) = shown else { return };
    let columns: Arc<Vec<Column>> = Arc::new(map.columns.get_untracked());
    let of_column: Vec<Option<(usize, &[f32], f32)>> = columns
        .iter()
        .map(|c| {
            let (shape, values) = tensor(shown, c.weight.as_deref()?)?;
            let largest = values.iter().filter(|v| v.is_finite()).fold(0.0f32, |m, v| m.max(v.abs()));
            Some((*shape.get(1)? as usize, values, largest.max(0.3)))
        })
        .collect();
    map.wires.with_value(|wires| {
        for wire in wires {
            let Some(Some((width, values, largest))) = of_column.get(wire.column) else { continue };
            let Some(&weight) = values.get(wire.unit * width + wire.input) else { continue };
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

/// The batch size as shapes show it.
pub fn batch(lab: Lab) -> u64 {
    lab.draft.with(|doc| document::get(doc, "training.batch_size").and_then(serde_json::Value::as_u64).unwrap_or(32))
}
