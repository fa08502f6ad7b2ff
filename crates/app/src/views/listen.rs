//! Samples that are sounds: the chosen one as a spectrogram and to be heard, what the network takes it for, and its worst mistakes.

use downhill_protocol::{DataInfo, Query};
use js_sys::{Array, Uint8Array};
use leptos::html::Canvas;
use leptos::prelude::*;
use web_sys::{Blob, Url};

use super::draw::Probabilities;
use super::gallery::{Gallery, paint_sound};
use super::kinds::OutputView;
use super::samples::worst;
use crate::canvas::painted;
use crate::icons::Icon;
use crate::plot::spectrogram::wav;
use crate::reactive::{RwSignal, clicked, effect, memo};
use crate::state::{Chosen, Lab};
use crate::watches::{Ask, Source};

/// See the module.
pub struct Listen;

impl OutputView for Listen {
    fn title(&self) -> &'static str {
        "Listen"
    }

    fn fits(&self, data: &DataInfo) -> bool {
        data.sound.is_some() && data.task == "classification"
    }

    fn view(&self, lab: Lab) -> AnyView {
        view! { <ListenPanel lab/> }.into_any()
    }
}

/// Spectrogram, probabilities, gallery.
#[component]
fn ListenPanel(lab: Lab) -> impl IntoView {
    let answers = lab.watch(|| {
        let tensors = ["input", "output"].map(Query::all).to_vec();
        Some(Ask { source: Source::Chosen, tensors, every_ms: 50.0 })
    });
    let canvas = NodeRef::<Canvas>::new();
    painted(canvas, move |canvas| {
        answers.with(|answer| {
            let frames = answer.as_ref().and_then(|answer| answer.get("input"));
            frames.into_iter().for_each(|frames| paint_sound(lab, canvas, frames.data));
        });
    });
    view! {
        <div class="digit">
            <canvas node_ref=canvas class="pad heard" width="8" height="8" role="img" data-testid="spectrogram" aria-label="Spectrogram of the sample: time to the right, pitch upwards, dark where it is loud"></canvas>
            <Probabilities lab answers/>
        </div>
        <Play lab/>
        <Gallery lab rows=worst(lab) label="Held-out sounds, the worst mistakes first"/>
    }
}

/// Plays the chosen sample. Its wave is asked for when it is to be heard, and goes with the sample.
#[component]
fn Play(lab: Lab) -> impl IntoView {
    let known = memo(move || lab.chosen.with(|chosen| matches!(chosen, Some(Chosen::HeldOut(_)))));
    // How often it was to be heard, since when it has been this sample.
    let wanted = RwSignal::new(0u32);
    effect(move || {
        lab.chosen.track();
        wanted.set(0);
    });
    let asked = memo(move || known.get() && wanted.get() > 0);
    let answers = lab.watch(move || {
        // A wave does not change while the run goes on.
        let ask = Ask { source: Source::Chosen, tensors: vec![Query::all("sound")], every_ms: 1e9 };
        asked.get().then_some(ask)
    });
    let address = StoredValue::new(None::<String>);
    let forget = move || {
        if let Some(Some(url)) = address.try_update_value(Option::take) {
            let _ = Url::revoke_object_url(&url);
        }
    };
    on_cleanup(forget);
    // A player of its own for each time: it begins by itself.
    let player = move || {
        let times = wanted.get();
        forget();
        let rate = lab.info.with_untracked(|i| i.as_ref().and_then(|i| i.data.sound))?;
        let file = answers.with(|answer| Some(wav(answer.as_ref()?.get("sound")?.data, rate))).filter(|_| times > 0)?;
        let blob = Blob::new_with_u8_array_sequence(&Array::of1(&Uint8Array::from(file.as_slice()))).ok()?;
        let url = Url::create_object_url_with_blob(&blob).ok()?;
        address.set_value(Some(url.clone()));
        Some(view! { <audio src=url autoplay="true" data-testid="sound"></audio> })
    };
    view! {
        <div class="pens">
            <button type="button" class="toggle" data-testid="listen" disabled=move || !known.get() on:click=clicked(move |_| wanted.update(|n| *n += 1))><Icon name="play"/>"Listen"</button>
            {player}
        </div>
    }
}
