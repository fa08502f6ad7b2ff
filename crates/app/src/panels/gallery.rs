//! The examples, by the kind of their data. It comes with the later part of the code.

use downhill_model::data::Source;
use downhill_model::presets::{self, Preset, Reaches};
use leptos::prelude::*;

use crate::opening::open_preset;
use crate::reactive::clicked;
use crate::state::Lab;

/// What is stated of an example, where a number says it.
fn comes_to(reaches: Reaches) -> Option<String> {
    match reaches {
        Reaches::AtLeast("validation_accuracy", least) => {
            Some(format!("Gets {}\u{a0}% of what is held out right.", (100.0 * least).round()))
        }
        Reaches::AtLeast("validation_recall_at_1", least) => {
            Some(format!("Finds the right document first for {}\u{a0}% of the queries held out.", (100.0 * least).round()))
        }
        Reaches::AtMost("validation_mae", most) => Some(format!("Is off by {most} on the mean where it is held out.")),
        _ => None,
    }
}

/// The list.
pub fn form() -> AnyView {
    let lab = Lab::here();
    let card = |preset: &'static Preset| {
        view! {
            <button type="button" class="card" role="menuitem" tabindex="-1" data-preset=preset.id popovertarget="gallery" popovertargetaction="hide"
                on:click=clicked(move |_| open_preset(lab, preset.id))>
                <b>{preset.title}</b>
                <span>{preset.description}</span>
                {comes_to(preset.reaches).map(|said| view! { <small>{said}</small> })}
            </button>
        }
    };
    let kind = |(title, sources): &(&'static str, &'static [&'static str])| {
        let is_one = |preset: &&Preset| sources.contains(&preset.source().as_str());
        let cards = presets::all().iter().filter(is_one).map(card).collect_view();
        view! { <div role="group" aria-label=*title><h3 aria-hidden="true">{*title}</h3>{cards}</div> }
    };
    Source::KINDS.iter().map(kind).collect_view().into_any()
}
