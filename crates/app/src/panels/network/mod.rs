//! The network as columns of units with live pictures, and the weights between them as lines.

pub mod cells;
mod column;
mod layers;
pub mod map;
mod weights;
mod wires;

use leptos::html::Div;
use leptos::prelude::*;

use self::column::{ColumnView, place_cells};
use self::layers::{AddLayer, Editing, LayerEditor};
use self::map::Map;
use self::weights::{Tip, WeightEditor};
use self::wires::Wires;
use crate::canvas::size_of;
use crate::catalog;
use crate::document::{grouped, scaled};
use crate::forms::sentence;
use crate::reactive::{RwSignal, effect, memo};
use crate::state::Lab;

/// Height of a cell with its gap, and of what stands above the cells, in pixels.
const CELL: f64 = 46.0;
const ABOVE: f64 = 96.0;

/// The panel.
#[component]
pub fn Network() -> impl IntoView {
    let lab = Lab::here();
    let net = NodeRef::<Div>::new();
    let size = RwSignal::new(None::<RwSignal<u32>>);
    net.on_load(move |net| size.set(Some(size_of(&net))));
    let room = memo(move || {
        size.get().map(|s| s.get());
        net.get().map_or(9, |net| (((f64::from(net.client_height()) - ABOVE) / CELL) as usize).clamp(3, 16))
    });
    let map = Map::new(lab, room);
    provide_context(map);
    let editing = RwSignal::new(None::<Editing>);
    provide_context(editing);
    let columns = map.columns;
    // Everything in the network scrolls with it, so it is as wide as its columns need.
    let width = move || format!("--columns:{}", columns.with(Vec::len));
    let named = move || columns.with(|c| c.iter().any(|c| c.names.iter().any(|name| name.len() > 8)));
    close_cards(lab, map, editing);
    place_cells(lab, map, net, size);
    view! {
        <section class="network" aria-label="Network">
            <h2>"Network"<Cost/></h2>
            <Refused/>
            <div class="pan">
                <div class="net" node_ref=net class:named=named style=width>
                    <Wires map/>
                    <div class="cols">{move || columns.get().into_iter().enumerate().map(|(at, column)| view! { <ColumnView at column/> }.into_any()).collect_view()}</div>
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
    view! { <span class="num" translate="no">{move || text.get()}</span> }
}

/// Why the experiment on screen does not run, where no field says so already, with the way back.
#[component]
fn Refused() -> impl IntoView {
    let lab = Lab::here();
    let text = memo(move || {
        let told = lab.told.get() > 0;
        lab.problem.with(|p| {
            let problem = p.as_ref()?;
            let place = problem.path.as_deref().map(catalog::place_of);
            Some(match (place, told) {
                (Some(place), true) => format!("{place} cannot be used as it is."),
                (Some(place), false) => format!("{place}: {}", sentence(&problem.message, problem.hint.as_deref())),
                (None, _) => sentence(&problem.message, problem.hint.as_deref()),
            })
        })
    });
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
