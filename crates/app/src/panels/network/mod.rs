//! The network as columns of units with live pictures, and the weights between them as lines.

pub mod cells;
mod column;
mod inside;
mod layers;
pub mod map;
mod weights;
mod wires;

use leptos::html::Div;
use leptos::prelude::*;

use self::column::{ColumnView, place_cells};
use self::inside::Inside;
use self::layers::{AddLayer, Editing, LayerEditor};
use self::map::Map;
use self::weights::{Tip, WeightEditor};
use self::wires::Wires;
use crate::canvas::size_of;
use crate::catalog;
use crate::document::{grouped, scaled};
use crate::focus;
use crate::forms::sentence;
use crate::plot::network::{Column, PITCH};
use crate::reactive::{RwSignal, effect, memo};
use crate::state::Lab;

/// Pixels below the heads of the columns that no cell takes.
const BELOW: f64 = 4.0;

/// The panel.
#[component]
pub fn Network() -> impl IntoView {
    let lab = Lab::here();
    let net = NodeRef::<Div>::new();
    let size = RwSignal::new(None::<RwSignal<u32>>);
    net.on_load(move |net| size.set(Some(size_of(&net))));
    // A head of two lines, until one is measured, so that cells stand where they will stay.
    let above = RwSignal::new(43.0);
    let height = memo(move || {
        size.get().map(|s| s.get());
        net.get().map_or(0.0, |net| f64::from(net.client_height()) - above.get() - BELOW)
    });
    // A finger needs the full size.
    let coarse = window().match_media("(pointer: coarse)").ok().flatten().is_some_and(|media| media.matches());
    let least = if coarse { PITCH.1 } else { PITCH.0 };
    // One less than fit: where only one more is left, it is shown instead of its number.
    let room = memo(move || ((height.get() / least) as usize).saturating_sub(1).clamp(3, 16));
    let map = Map::new(lab, room, height, above);
    provide_context(map);
    let editing = RwSignal::new(None::<Editing>);
    provide_context(editing);
    let columns = map.columns;
    // How many units have room is known once the panel has a size; before, they would be made only to be made again.
    let sized = move || size.get().map(|_| columns.get()).unwrap_or_default();
    let cols = move || {
        // They are looked for when they are there.
        effect(move || map.changed.update(|n| *n += 1));
        keep_focus(lab, sized())
            .into_iter()
            .enumerate()
            .map(|(at, column)| view! { <ColumnView at column/> }.into_any())
            .collect_view()
    };
    // Everything in the network scrolls with it, so it is as wide as its columns need.
    let width = move || format!("--columns:{}", columns.with(Vec::len));
    let named = move || columns.with(|c| c.iter().any(|c| c.names.iter().any(|name| name.len() > 8)));
    let placed = move || map.placed.get() > 0;
    let pictures = move || columns.with(|c| c.iter().any(|c| c.shape.len() == 3));
    close_cards(lab, map, editing);
    place_cells(lab, map, net, size);
    view! {
        <section class="network" role=lab.role_of_panel() aria-label=lab.label_of_panel("Network")>
            <div class="heading"><h2>"Network"</h2><Legend/><Cost/></div>
            <Refused/>
            <div class="pan" tabindex="0" role="group" aria-label="Units and weights">
                <div class="net" node_ref=net class:placed=placed class:named=named class:pictures=pictures style=width>
                    <Wires map/>
                    <div class="cols">{cols}</div>
                    <Tip/>
                    <WeightEditor/>
                </div>
            </div>
            <Inside map/>
            <LayerEditor/>
            <AddLayer/>
        </section>
    }
}

/// Columns that are about to be built anew: whatever has the keys in them keeps them.
fn keep_focus(lab: Lab, columns: Vec<Column>) -> Vec<Column> {
    let active = lab.focused().filter(|active| active.closest(".cols").is_ok_and(|cols| cols.is_some()));
    let name = |active: web_sys::Element| {
        let part = |name: &str| Some(format!("[{name}='{}']", active.get_attribute(name)?));
        let unit = || Some(format!(".cell{}{}", part("data-column")?, part("data-unit")?));
        unit().or_else(|| part("data-layer")).or_else(|| part("data-add"))
    };
    if let Some(name) = active.and_then(name) {
        focus::unless_held(lab, vec![name]);
    }
    columns
}

/// With Escape, wherever the keys are, for a card that was opened with the mouse has no focus; and with the network they speak of.
fn close_cards(lab: Lab, map: Map, editing: RwSignal<Option<Editing>>) {
    let close = move || {
        editing.set(None);
        map.chosen.set(None);
    };
    let keys = window_event_listener(leptos::ev::keydown, move |ev| {
        // What lies over the cards closes first.
        let covered = document().query_selector("dialog[open], :popover-open").is_ok_and(|open| open.is_some());
        if ev.key() == "Escape" && !covered {
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
