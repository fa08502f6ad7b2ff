//! What the parts of the network map share: its columns, what the pointer is on, what is being changed, and what each column sees.

use std::sync::Arc;

use downhill_protocol::{Input, Query};
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlCanvasElement};

use crate::canvas::position;
use crate::plot::heatmap;
use crate::plot::network::{Column, columns};
use crate::plot::wires::Wire;
use crate::reactive::{Memo, RwSignal, memo};
use crate::state::{Answers, Lab};
use crate::views::kinds::{ColumnInfo, Fact, LayerView};
use crate::watches::{Answer, Ask, Source};

/// A part of the network that has numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A unit.
    Unit {
        /// Its column.
        column: usize,
        /// Its place.
        unit: usize,
    },
    /// A line to a unit.
    Wire {
        /// Column of the unit it leads to.
        column: usize,
        /// Unit it leads to.
        unit: usize,
        /// Unit it comes from.
        input: usize,
    },
}

/// An element of a parameter: name, one number per axis, value.
pub type Weight = (String, Vec<u32>, f32);

impl Target {
    /// Whether a line is this one, or begins or ends at this unit.
    pub fn touches(&self, wire: &Wire) -> bool {
        match *self {
            Target::Wire { column, unit, input } => (wire.column, wire.unit, wire.input) == (column, unit, input),
            Target::Unit { column, unit } => {
                (wire.column, wire.unit) == (column, unit) || (wire.column, wire.input) == (column + 1, unit)
            }
        }
    }

    /// The element of a parameter that a click changes.
    pub fn parameter(&self, columns: &[Column], weights: &Answer) -> Option<Weight> {
        let (name, index) = match *self {
            Target::Wire { column, unit, input } => (columns.get(column)?.wires.clone()?, vec![unit as u32, input as u32]),
            Target::Unit { column, unit } => (columns.get(column)?.bias.clone()?, vec![unit as u32]),
        };
        let value = weights.get(&name)?.at(&index)?;
        Some((name, index, value))
    }

    /// What it is called.
    pub fn title(&self, columns: &[Column]) -> String {
        let name = |column: usize, unit: usize| columns.get(column).map(|c| c.unit_name(unit)).unwrap_or_default();
        match *self {
            Target::Unit { column, unit } => {
                format!("{}, {}", columns.get(column).map(Column::title).unwrap_or_default(), name(column, unit))
            }
            Target::Wire { column, unit, input } => format!("{} → {}", name(column.wrapping_sub(1), input), name(column, unit)),
        }
    }
}

/// A unit's cell on the screen.
pub struct Cell {
    /// Its column.
    pub column: usize,
    /// Its place.
    pub unit: usize,
    /// Where its picture is.
    pub canvas: HtmlCanvasElement,
}

/// The view of a column that is on screen, and what it sees.
type Seen = (&'static dyn LayerView, Arc<ColumnInfo>, Answers);

/// What the map shares between its parts.
#[derive(Clone, Copy)]
pub struct Map {
    /// Columns.
    pub columns: Memo<Vec<Column>>,
    /// The parameters behind lines and units.
    pub weights: Answers,
    /// What every unit gives for the chosen sample.
    pub sample: Answers,
    /// Cells that a column has room for.
    pub room: Memo<usize>,
    /// Pixels for the cells of a column.
    pub height: Memo<f64>,
    /// Pixels of the tallest head of a column.
    pub above: RwSignal<f64>,
    /// The column, by its path, and the head of attention that are looked into below the columns, where a person chose one.
    pub inside: RwSignal<(Option<String>, usize)>,
    /// What the pointer is on, and where.
    pub hover: RwSignal<Option<(Target, f64, f64)>>,
    /// What is being changed, and where.
    pub chosen: RwSignal<Option<(Target, f64, f64)>>,
    /// Cells on the screen.
    pub cells: StoredValue<Vec<Cell>, LocalStorage>,
    /// Lines on the screen.
    pub wires: StoredValue<Vec<Wire>>,
    /// Counts up when a column shows more cells, or fewer.
    pub changed: RwSignal<u32>,
    /// Counts up when cells were placed anew.
    pub placed: RwSignal<u32>,
    seen: StoredValue<Vec<Option<Seen>>, LocalStorage>,
}

impl Map {
    /// The map of the run on screen.
    pub fn new(lab: Lab, room: Memo<usize>, height: Memo<f64>, above: RwSignal<f64>) -> Self {
        let layers = move || lab.info.with(|i| i.as_ref().map(|i| columns(&i.layers)).unwrap_or_default());
        let columns = memo(layers);
        let weights = lab.watch(move || {
            let names =
                columns.with(|c| c.iter().flat_map(|c| [c.wires.clone(), c.bias.clone()]).flatten().collect::<Vec<_>>());
            let tensors = names.into_iter().map(Query::all).collect();
            Some(Ask { source: Source::Of(Input::State), tensors, every_ms: 50.0 })
        });
        let sample = lab.watch(move || {
            let units = columns.with(|c| c.iter().filter(|c| c.shape.len() == 1).map(|c| c.tensor.clone()).collect::<Vec<_>>());
            Some(Ask { source: Source::Chosen, tensors: units.into_iter().map(Query::all).collect(), every_ms: 50.0 })
        });
        Self {
            columns,
            weights,
            sample,
            room,
            height,
            above,
            inside: RwSignal::new((None, 0)),
            hover: RwSignal::new(None),
            chosen: RwSignal::new(None),
            cells: StoredValue::new_local(Vec::new()),
            wires: StoredValue::new(Vec::new()),
            changed: RwSignal::new(0),
            placed: RwSignal::new(0),
            seen: StoredValue::new_local(Vec::new()),
        }
    }

    /// Remembers what a column sees.
    pub fn see(self, info: &Arc<ColumnInfo>, view: &'static dyn LayerView, answers: Answers) {
        let _ = self.seen.try_update_value(|seen| {
            seen.resize_with(seen.len().max(info.at + 1), || None);
            seen[info.at] = Some((view, info.clone(), answers));
        });
    }

    /// What a column's view has to say about a unit.
    pub fn facts(self, column: usize, unit: usize) -> Vec<Fact> {
        let seen = self.seen.with_value(|seen| seen.get(column).cloned().flatten());
        let Some((view, info, answers)) = seen else { return Vec::new() };
        let mut facts = answers
            .try_with(|answer| answer.as_ref().map(|answer| view.facts(&info, answer, unit)))
            .flatten()
            .unwrap_or_default();
        let value = self.sample.with(|answer| answer.as_ref()?.get(&info.column.tensor)?.data.get(unit).copied());
        facts.extend(value.map(|value| ("for this sample", format!("{value:+.3}"))));
        facts
    }
}

/// The unit whose cell an element is in, and where its tip goes. A picture of many units is one cell; which of them is meant is said by the
/// place of the pointer on the screen.
pub fn unit_at(element: &Element, pointer: Option<(f64, f64)>) -> Option<(Target, f64, f64)> {
    let cell = element.closest(".cell").ok().flatten()?;
    let area = cell.closest(".net").ok().flatten()?.get_bounding_client_rect();
    let number = |name: &str| cell.get_attribute(name).and_then(|v| v.parse().ok());
    let place = cell.get_bounding_client_rect();
    let picture =
        cell.query_selector(":scope.big > canvas").ok().flatten().and_then(|c| c.dyn_into::<HtmlCanvasElement>().ok());
    let unit = match pointer.zip(picture) {
        Some(((x, y), canvas)) => {
            heatmap::pixel_at(position(&canvas, x, y), (canvas.width() as usize, canvas.height() as usize))
        }
        None => number("data-unit")?,
    };
    let target = Target::Unit { column: number("data-column")?, unit };
    Some((target, place.right() - area.left(), place.top() - area.top()))
}
