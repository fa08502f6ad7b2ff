//! Numbers of a unit or a line: in a tip under the pointer, and in a small form once clicked.

use downhill_protocol::Command;
use downhill_tensor::parse_number;
use leptos::html::Div;
use leptos::prelude::*;

use super::map::{Map, Target};
use crate::document::number;
use crate::focus;
use crate::icons::Icon;
use crate::plot::network::Column;
use crate::reactive::{clicked, entered, memo};
use crate::state::Lab;
use crate::views::kinds::Fact;

/// Name and value pairs about a target, as far as they are known.
fn facts(map: Map, target: Target, columns: &[Column]) -> Vec<Fact> {
    let mut facts = Vec::new();
    let parameter = map.weights.with(|shown| shown.as_ref().and_then(|s| target.parameter(columns, s)));
    if let Some((_, _, value)) = parameter {
        facts.push((if matches!(target, Target::Wire { .. }) { "weight" } else { "bias" }, format!("{value:+.4}")));
    }
    if let Target::Unit { column, unit } = target {
        facts.extend(map.facts(column, unit));
    }
    facts
}

fn beside((x, y): (f64, f64)) -> String {
    format!("left:min({:.0}px, calc(100% - 200px));top:{:.0}px", x + 12.0, y.max(0.0))
}

/// The tip under the pointer.
#[component]
pub fn Tip() -> impl IntoView {
    let map: Map = expect_context();
    let tip = move || {
        let (target, x, y) = map.hover.get()?;
        if map.chosen.with(Option::is_some) {
            return None;
        }
        let (title, facts) = map.columns.with(|columns| (target.title(columns), facts(map, target, columns)));
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
        map.columns.with(|columns| map.weights.with(|shown| shown.as_ref().and_then(|s| target.parameter(columns, s))))
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
        let host = NodeRef::<Div>::new();
        // A line has no element of its own.
        let home = match map.chosen.get_untracked() {
            Some((Target::Unit { column, unit }, _, _)) => format!(".cell[data-column='{column}'][data-unit='{unit}']"),
            _ => ".pan".to_string(),
        };
        focus::card(host, move || vec![home.clone()]);
        view! {
            <div node_ref=host class="tip edit" role="dialog" aria-label="Change a number" style=place>
                <b translate="no">{move || title.get()}</b>
                <button type="button" class="quiet" aria-label="Close" on:click=clicked(move |_| map.chosen.set(None))><Icon name="close"/></button>
                <Show when=move || found.with(Option::is_some) fallback=|| view! { <p class="hint">"Nothing to change here: it has no parameter of its own."</p> }>
                    <label translate="no">{move || found.get().map(|f| f.0)}
                        <input type="text" inputmode="decimal" class="entry num" data-testid="weight" data-first prop:value=value on:change=entered(move |ev| write(event_target_value(&ev)))/>
                    </label>
                    <input type="range" aria-label="Value" min="-4" max="4" step="0.01" prop:value=value on:input=entered(move |ev| write(event_target_value(&ev)))/>
                    <p class="hint">"Training moves it on; pause to keep it."</p>
                </Show>
            </div>
        }
    };
    move || map.chosen.with(Option::is_some).then(form)
}
