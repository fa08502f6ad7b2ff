//! Cells with a small heat map each, one for every unit that has room: what most views of a layer are made of.

use std::sync::Arc;

use leptos::prelude::*;

use super::map::Map;
use crate::canvas::put_pixels;
use crate::plot::heatmap;
use crate::plot::network::{cell_size, map_rows, map_size};
use crate::reactive::{clicked, effect};
use crate::state::Answers;
use crate::views::kinds::ColumnInfo;
use crate::watches::Answer;

/// Pixels of the line that says how many units there is no room for.
pub const MORE: f64 = 18.0;

/// That line, of things with a name: `+1 token`, `+2 tokens`.
pub fn more_of(left: usize, name: &str) -> String {
    format!("+{left} {name}{}", if left == 1 { "" } else { "s" })
}

/// Pixels of the button that shows more pictures, or fewer.
const LESS: f64 = 28.0;

/// The picture of a cell: values in rows of `width`, and the scale that brings them into −1…1.
pub struct Picture {
    /// Values, row by row.
    pub values: Vec<f32>,
    /// One over the largest magnitude.
    pub scale: f32,
    /// Values in a row.
    pub width: u32,
}

/// The pictures of the first `count` units, from an answer.
pub type Pictures = fn(info: &ColumnInfo, answer: &Answer, count: usize) -> Option<Vec<Picture>>;

/// A cell for every unit that has room, painted with every answer.
pub fn unit_cells(info: Arc<ColumnInfo>, answers: Answers, pictures: Pictures) -> AnyView {
    paint(info.clone(), answers, pictures);
    let map: Map = expect_context();
    let (at, units, shown) = (info.at, info.column.units, info.shown);
    let size = move || {
        let height = map.height.get();
        let more = if units > shown.get() { MORE } else { 0.0 };
        let (side, gap) = cell_size(height - more, shown.get());
        format!("--cell:{side}px;--gap:{gap}px")
    };
    let labelled = info.column.input.is_some() || !info.column.names.is_empty();
    let title = info.column.title();
    let cells = move || {
        (0..shown.get())
            .map(|unit| {
                let name = info.column.unit_name(unit);
                let tag = labelled.then(|| name.clone());
                cell(at, unit, format!("{title}, {name}"), tag, info.column.input.is_some(), false)
            })
            .collect_view()
    };
    let more =
        move || (units > shown.get()).then(|| view! { <span class="more num">{format!("+{}", units - shown.get())}</span> });
    view! { <div class="stack" style=size>{cells}{more}</div> }.into_any()
}

/// A cell for every map that has room, two in a row, and a button that makes room for the others.
pub fn map_cells(info: Arc<ColumnInfo>, answers: Answers, pictures: Pictures) -> AnyView {
    paint(info.clone(), answers, pictures);
    let map: Map = expect_context();
    let (at, units, shown, opened) = (info.at, info.column.units, info.shown, info.opened);
    effect(move || {
        opened.track();
        map.changed.update(|n| *n += 1);
    });
    let style = move || {
        let height = map.height.get();
        let fit = map_rows(map.room.get());
        let rows = if opened.get() { fit } else { shown.get().div_ceil(2).min(fit) };
        let more = if units > 2 * fit + 1 { LESS } else { 0.0 };
        let (side, gap) = map_size(height - more, rows);
        format!("--cell:{side}px;--gap:{gap}px;--rows:{rows}")
    };
    let title = info.column.title();
    let cells = move || {
        (0..shown.get())
            .map(|unit| cell(at, unit, format!("{title}, {}", info.column.unit_name(unit)), None, false, false))
            .collect_view()
    };
    let text = move || if opened.get() { "fewer".to_string() } else { format!("… {} more", units - shown.get()) };
    let button = move || {
        (opened.get() || units > shown.get()).then(|| {
            view! { <button type="button" class="link more num" translate="no" data-more=at.to_string() aria-expanded=move || opened.get().to_string() on:click=clicked(move |_| opened.update(|o| *o = !*o))>{text}</button> }
        })
    };
    view! { <div class="stack maps" style=style><div class="grid">{cells}</div>{button}</div> }.into_any()
}

/// One large cell for the whole column.
pub fn one_cell(info: Arc<ColumnInfo>, answers: Answers, label: &str, pictures: Pictures) -> AnyView {
    paint(info.clone(), answers, pictures);
    view! { <div class="stack">{cell(info.at, 0, label.to_string(), None, true, true)}</div> }.into_any()
}

fn cell(column: usize, unit: usize, label: String, tag: Option<String>, first: bool, big: bool) -> AnyView {
    let tag = tag.map(|name| view! { <span aria-hidden="true">{name}</span> });
    view! {
        <button type="button" class="cell" class:first=first class:big=big aria-label=label data-column=column.to_string() data-unit=unit.to_string() tabindex=if unit == 0 { "0" } else { "-1" }>
            {tag}<canvas width="1" height="1" aria-hidden="true"></canvas>
        </button>
    }
    .into_any()
}

/// The picture of a unit without anything to press: what it is part of says what it is.
pub fn small_cell(column: usize, unit: usize) -> AnyView {
    view! { <span class="cell mini" aria-hidden="true" data-column=column.to_string() data-unit=unit.to_string()><canvas width="1" height="1"></canvas></span> }.into_any()
}

/// Paints the cells of a column with every answer.
pub fn paint(info: Arc<ColumnInfo>, answers: Answers, pictures: Pictures) {
    let (map, lab): (Map, _) = (expect_context(), info.lab);
    let pixels = StoredValue::new_local(Vec::<u8>::new());
    effect(move || {
        map.placed.track();
        let palette = lab.palette.get();
        let Some(answer) = answers.get() else { return };
        let Some(pictures) = pictures(&info, &answer, info.shown.get_untracked()) else { return };
        let ramp = lab.ramp.get_untracked();
        map.cells.with_value(|cells| {
            for cell in cells.iter().filter(|cell| cell.column == info.at) {
                let Some(picture) = pictures.get(cell.unit) else { continue };
                pixels.update_value(|pixels| {
                    heatmap::diverging(&picture.values, picture.scale, &ramp, palette.ink, pixels);
                    put_pixels(&cell.canvas, pixels, picture.width);
                });
            }
        });
    });
}
