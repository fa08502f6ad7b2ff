//! Write what the network was taught to tell apart by the way of the pen: its probabilities move while the pen does.

use downhill_protocol::{DataInfo, Query};
use leptos::html::Canvas;
use leptos::prelude::*;
use web_sys::{Element, PointerEvent};

use super::draw::Probabilities;
use super::gallery::{Gallery, paint_image, paint_writing};
use super::kinds::OutputView;
use super::samples::worst;
use crate::canvas::{painted, position};
use crate::plot::writing::{SIDE, Writing};
use crate::reactive::{RwSignal, clicked, memo};
use crate::state::{Answers, Chosen, Lab};
use crate::watches::{Ask, Source};

/// See the module.
pub struct Write;

impl OutputView for Write {
    fn title(&self) -> &'static str {
        "Write"
    }

    fn fits(&self, data: &DataInfo) -> bool {
        data.pen.is_some() && data.task == "classification"
    }

    fn view(&self, lab: Lab) -> AnyView {
        view! { <WritePanel lab/> }.into_any()
    }
}

/// Pad, probabilities, gallery.
#[component]
fn WritePanel(lab: Lab) -> impl IntoView {
    let answers = lab.watch(|| {
        let tensors = ["raw", "output"].map(Query::all).to_vec();
        Some(Ask { source: Source::Chosen, tensors, every_ms: 50.0 })
    });
    let writing = RwSignal::new(Writing::default());
    let clear = move |_| {
        writing.set(Writing::default());
        lab.chosen.set(sample(lab, &Writing::default()));
    };
    view! {
        <div class="digit">
            <Pad lab writing answers/>
            <Probabilities lab answers/>
        </div>
        <div class="pens">"Write a digit, stroke by stroke."<button type="button" class="link" data-testid="clear" on:click=clicked(clear)>"Clear"</button></div>
        <Gallery lab rows=worst(lab) label="Held-out samples, the worst mistakes first"/>
    }
}

/// What is written as a sample.
fn sample(lab: Lab, writing: &Writing) -> Option<Chosen> {
    lab.info.with_untracked(|i| {
        let data = &i.as_ref()?.data;
        let most = *data.inputs.first()?.shape.first()? as usize;
        Some(Chosen::Given(vec![writing.steps(data.pen?, most)]))
    })
}

#[component]
fn Pad(lab: Lab, writing: RwSignal<Writing>, answers: Answers) -> impl IntoView {
    let canvas = NodeRef::<Canvas>::new();
    let own = memo(move || writing.with(|writing| sample(lab, writing)).is_some_and(|own| lab.chosen.get() == Some(own)));
    painted(canvas, move |canvas| {
        // What is written is on the pad before the network has seen it.
        if own.get() {
            return writing.with(|writing| paint_image(lab, canvas, &writing.ink(), (SIDE as u32, SIDE as u32), 1.0));
        }
        answers.with(|answer| {
            let steps = answer.as_ref().and_then(|answer| answer.get("raw")).map(|raw| raw.data);
            paint_writing(lab, canvas, steps.unwrap_or_default());
        });
    });
    let place = |ev: &PointerEvent| {
        let target = wasm_bindgen::JsCast::dyn_into::<Element>(ev.target()?).ok()?;
        let (x, y) = position(&target, f64::from(ev.client_x()), f64::from(ev.client_y()));
        Some(([x, y], target))
    };
    let down = move |ev: PointerEvent| {
        let Some((at, target)) = place(&ev) else { return };
        ev.prevent_default();
        let _ = target.set_pointer_capture(ev.pointer_id());
        // Another sample is on the pad: the pen begins anew.
        if !own.get_untracked() {
            writing.set(Writing::default());
        }
        writing.update(|writing| writing.begin(at));
        lab.chosen.set(writing.with_untracked(|writing| sample(lab, writing)));
    };
    let go_on = move |ev: PointerEvent| {
        if let (Some((at, _)), 1) = (place(&ev), ev.buttons() & 1) {
            ev.prevent_default();
            writing.update(|writing| writing.go_on(at));
            lab.chosen.set(writing.with_untracked(|writing| sample(lab, writing)));
        }
    };
    view! {
        <canvas node_ref=canvas class="pad drawn" width="8" height="8" data-testid="pad" role="img" aria-label="Writing pad: write with the pointer" on:pointerdown=down on:pointermove=go_on></canvas>
    }
}
