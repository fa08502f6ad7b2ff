//! Numbers of a unit or a line: in a tip under the pointer, and in a small form once clicked.

use downhill_protocol::Command;
use downhill_tensor::parse_number;
use leptos::prelude::*;

use super::network::{Map, activation_of, map_of, tensor};
use crate::document::number;
use crate::icons::Icon;
use crate::plot::heatmap;
use crate::plot::network::Column;
use crate::plot::wires::Wire;
use crate::reactive::{clicked, entered, memo};
use crate::state::Lab;

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

    /// The parameter that a click changes: its name and element.
    fn parameter(&self, columns: &[Column], shown: &crate::state::Shown) -> Option<(String, u32, f32)> {
        match *self {
            Target::Wire { column, unit, input } => {
                let name = columns.get(column)?.weight.clone()?;
                let (shape, values) = tensor(shown, &name)?;
                let index = unit * *shape.get(1)? as usize + input;
                Some((name, index as u32, *values.get(index)?))
            }
            Target::Unit { column, unit } => {
                let name = columns.get(column)?.bias.clone()?;
                let (_, values) = tensor(shown, &name)?;
                Some((name, unit as u32, *values.get(unit)?))
            }
        }
    }

    fn title(&self, columns: &[Column]) -> String {
        let name = |column: usize, unit: usize| columns.get(column).map(|c| c.unit_name(unit)).unwrap_or_default();
        match *self {
            Target::Unit { column, unit } => {
                format!("{}, {}", columns.get(column).map(Column::title).unwrap_or_default(), name(column, unit))
            }
            Target::Wire { column, unit, input } => format!("{} → {}", name(column.wrapping_sub(1), input), name(column, unit)),
        }
    }
}

/// Name and value pairs about a target, as far as they are known.
fn facts(lab: Lab, target: Target, columns: &[Column]) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    let parameter = lab.frames.weights.with(|shown| shown.as_ref().and_then(|s| target.parameter(columns, s)));
    if let Some((_, _, value)) = parameter {
        facts.push((if matches!(target, Target::Wire { .. }) { "weight" } else { "bias" }, format!("{value:+.4}")));
    }
    let Target::Unit { column, unit } = target else { return facts };
    let Some(column) = columns.get(column) else { return facts };
    lab.frames.maps.with(|shown| {
        let Some((units, values)) = shown.as_ref().and_then(|s| map_of(s, &column.path)) else { return };
        let size = values.len() / units.max(1);
        let Some(values) = values.get(unit * size..(unit + 1) * size) else { return };
        facts.push(("mean over the plane", format!("{:+.3}", heatmap::mean(values))));
        if column.bounded {
            facts.push(("saturated", format!("{:.0} %", 100.0 * heatmap::share_above(values, 0.97))));
        } else if column.layers.len() > 1 {
            facts.push(("silent", format!("{:.0} %", 100.0 * (1.0 - heatmap::share_above(values, 1e-6)))));
        }
    });
    lab.frames.draft.with(|shown| {
        if let Some(value) = shown.as_ref().and_then(|s| activation_of(s, &column.path)).and_then(|v| v.get(unit)) {
            facts.push(("for this sample", format!("{value:+.3}")));
        }
    });
    facts
}

fn beside((x, y): (f64, f64)) -> String {
    format!("left:min({:.0}px, calc(100% - 200px));top:{:.0}px", x + 12.0, y.max(0.0))
}

/// The tip under the pointer.
#[component]
pub fn Tip() -> impl IntoView {
    let lab = Lab::here();
    let map: Map = expect_context();
    let tip = move || {
        let (target, x, y) = map.hover.get()?;
        if map.chosen.with(Option::is_some) {
            return None;
        }
        let (title, facts) = map.columns.with(|columns| (target.title(columns), facts(lab, target, columns)));
        let rows = facts
            .into_iter()
            .map(|(name, value)| view! { <div><span>{name}</span><span class="num">{value}</span></div> })
            .collect_view();
        Some(view! { <div class="tip" role="tooltip" style=beside((x, y))><b>{title}</b>{rows}</div> })
    };
    view! { {tip} }
}

/// The form for one weight or bias.
#[component]
pub fn WeightEditor() -> impl IntoView {
    let lab = Lab::here();
    let map: Map = expect_context();
    let found = memo(move || {
        let (target, _, _) = map.chosen.get()?;
        map.columns.with(|columns| lab.frames.weights.with(|shown| shown.as_ref().and_then(|s| target.parameter(columns, s))))
    });
    let title = memo(move || {
        map.chosen.get().map(|(target, _, _)| map.columns.with(|columns| target.title(columns))).unwrap_or_default()
    });
    let write = move |text: String| {
        if let (Some((parameter, index, _)), Some(value)) =
            (found.get_untracked(), parse_number(&text.trim().replace('−', "-")))
        {
            lab.send(Command::SetWeight { parameter, index, value: value as f32 });
        }
    };
    let value = move || found.get().map(|f| number(f64::from(f.2))).unwrap_or_default();
    let place = move || map.chosen.get().map(|(_, x, y)| beside((x, y))).unwrap_or_default();
    let form = move || {
        view! {
            <div class="tip edit" role="dialog" aria-label="Change a number" style=place>
                <b>{move || title.get()}</b>
                <button type="button" class="quiet" aria-label="Close" on:click=clicked(move |_| map.chosen.set(None))><Icon name="close"/></button>
                <Show when=move || found.with(Option::is_some) fallback=|| view! { <p class="hint">"Nothing to change here: it has no parameter of its own."</p> }>
                    <label>{move || found.get().map(|f| f.0)}
                        <input type="text" inputmode="decimal" class="entry num" data-testid="weight" prop:value=value on:change=entered(move |ev| write(event_target_value(&ev)))/>
                    </label>
                    <input type="range" aria-label="Value" min="-4" max="4" step="0.01" prop:value=value on:input=entered(move |ev| write(event_target_value(&ev)))/>
                    <p class="hint">"Training moves it on; pause to keep it."</p>
                </Show>
            </div>
        }
    };
    move || map.chosen.with(Option::is_some).then(form)
}
