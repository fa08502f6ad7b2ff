//! What trains: the chip in the header, and behind it the choice between CPU and GPU with what was measured of each.

use downhill_protocol::{Backend, Choice, Command, GpuState};
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use super::compare::Compare;
use super::popover::Popover;
use crate::machine::{COMPARED_STEPS, choice_name, per_second, rate_of};
use crate::reactive::{Memo, RwSignal, clicked, entered, memo};
use crate::state::Lab;

const BOTH: [Backend; 2] = [Backend::Cpu, Backend::Gpu];

/// What a backend is called: `CPU`, or the interface to the GPU.
fn name_of(lab: Lab, backend: Backend) -> String {
    match (backend, lab.backends.with(|b| b.gpu.clone())) {
        (Backend::Cpu, _) => "CPU".to_string(),
        (Backend::Gpu, GpuState::Ready(gpu)) => gpu.api,
        (Backend::Gpu, _) => "GPU".to_string(),
    }
}

/// What computes: the kind of SIMD, or the adapter.
fn device_of(lab: Lab, backend: Backend) -> String {
    match (backend, lab.backends.with(|b| b.gpu.clone())) {
        (Backend::Cpu, _) if lab.simd.with(String::is_empty) => "starting".to_string(),
        (Backend::Cpu, _) => "SIMD".to_string(),
        (Backend::Gpu, GpuState::Ready(gpu)) => gpu.adapter,
        (Backend::Gpu, _) => String::new(),
    }
}

/// Steps per second of both; a run without a pace is its own measurement.
fn rates(lab: Lab) -> Memo<[Option<f64>; 2]> {
    memo(move || {
        let flat_out = lab.draft.with(Lab::pace_of).is_none();
        let live = lab.status.with(|s| (flat_out && s.running && s.steps_per_second > 0.0).then_some(s.steps_per_second));
        lab.backends.with(|b| BOTH.map(|backend| rate_of(b, backend, live)))
    })
}

/// The chip with its pop-up.
#[component]
pub fn BackendChip() -> impl IntoView {
    let lab = Lab::here();
    let rates = rates(lab);
    let comparing = RwSignal::new(false);
    let active = memo(move || lab.backends.with(|b| usize::from(b.active == Backend::Gpu)));
    let rate = move |i: usize| rates.get()[i].map(per_second);
    let other = move || {
        let i = 1 - active.get();
        rate(i).map(|rate| view! { <small class="num">{name_of(lab, BOTH[i])}" "{rate}</small> })
    };
    view! {
        <button type="button" class="chip" data-testid="backend" popovertarget="backends" aria-haspopup="dialog" title="What trains: compare and switch">
            <i class:on=move || lab.status.with(|s| s.running)></i>
            <b translate="no">{move || name_of(lab, BOTH[active.get()])}</b>
            <span class="device" translate="no">{move || device_of(lab, BOTH[active.get()])}</span>
            <span class="num" translate="no">{move || rate(active.get())}</span>
            {other}
        </button>
        <Popover id="backends" class="pop backends" label="What trains">
            <b>"What trains"</b>
            <Choices rates/>
            <p class="note" role="status" translate="no" hidden=move || lab.backends.with(|b| b.note.is_empty())>{move || lab.backends.with(|b| b.note.clone())}</p>
            <Measurements comparing/>
        </Popover>
        <Compare open=comparing/>
    }
}

/// Who decides: three rows, one of them chosen.
#[component]
fn Choices(rates: Memo<[Option<f64>; 2]>) -> impl IntoView {
    let lab = Lab::here();
    let row = move |choice: Choice, name: AnyView, about: AnyView, rate: AnyView| {
        view! {
            <label class="choice">
                <input type="radio" name="backend" value=choice_name(choice) prop:checked=move || lab.backends.with(|b| b.choice == choice)
                    on:change=entered(move |_| lab.choose(choice))/>
                <span>{name}<small>{about}</small></span>
                <span class="num">{rate}</span>
            </label>
        }
    };
    let measured = move |i: usize| {
        let rate = move || match rates.get()[i] {
            Some(rate) => per_second(rate),
            None => "–".to_string(),
        };
        view! { {rate} }.into_any()
    };
    let name = move |backend: Backend, fallback: &'static str| {
        let device = move || {
            let device = device_of(lab, backend);
            if device.is_empty() { fallback.to_string() } else { format!("{} · {device}", name_of(lab, backend)) }
        };
        let trains = move || lab.backends.with(|b| b.active == backend).then_some(view! { <em>"trains now"</em> });
        view! { <b>{device}</b>{trains} }.into_any()
    };
    let cpu = move || match lab.simd.with(|s| s == "relaxed-simd") {
        true => "One thread, with fused multiply-add where the machine has it",
        false => "One thread, with 128-bit SIMD",
    };
    view! {
        <div role="radiogroup" aria-label="What trains" translate="no">
            {row(Choice::Auto, view! { <b>"Auto"</b> }.into_any(), "Whichever was measured to be faster for this model; begins on the CPU".into_any(), ().into_any())}
            {row(Choice::Fixed(Backend::Cpu), name(Backend::Cpu, "CPU"), view! { {cpu} }.into_any(), measured(0))}
            {row(Choice::Fixed(Backend::Gpu), name(Backend::Gpu, "GPU"), view! { {move || about_gpu(lab)} }.into_any(), measured(1))}
        </div>
    }
}

/// What is known of the GPU, in a sentence.
fn about_gpu(lab: Lab) -> String {
    lab.backends.with(|b| match &b.gpu {
        GpuState::Unasked => "Has not been asked yet".to_string(),
        GpuState::Preparing => "Is being tested, warmed up and measured …".to_string(),
        GpuState::Ready(gpu) if gpu.software => {
            "Computes on the processor after all, so it is never chosen by itself".to_string()
        }
        GpuState::Ready(_) => "Passed its self-test against the CPU".to_string(),
        GpuState::Unusable { why } => why.clone(),
    })
}

/// What can be measured of them.
#[component]
fn Measurements(comparing: RwSignal<bool>) -> impl IntoView {
    let lab = Lab::here();
    let unusable = move || lab.backends.with(|b| matches!(b.gpu, GpuState::Unusable { .. }));
    let compare = move |_| {
        lab.compared.set(None);
        lab.measure(Command::Compare { steps: COMPARED_STEPS });
        comparing.set(true);
    };
    let profile = move |_| {
        lab.tab.set("Program");
        lab.measure(Command::Profile);
        // Brings it on screen where the page is longer than that, and the keys to where the answer will stand.
        if let Some(tab) = document().get_element_by_id("tab-Program").and_then(|e| e.dyn_into::<HtmlElement>().ok()) {
            let _ = tab.focus();
        }
    };
    view! {
        <div class="row">
            <button type="button" class="ghost" data-testid="compare" popovertarget="backends" popovertargetaction="hide" disabled=unusable
                title="Take the same steps on both and see how far they are apart" on:click=clicked(compare)>"Compare"</button>
            <button type="button" class="ghost" data-testid="profile" popovertarget="backends" popovertargetaction="hide"
                title="Measure every kernel of the training program" on:click=clicked(profile)>"Profile"</button>
        </div>
    }
}
