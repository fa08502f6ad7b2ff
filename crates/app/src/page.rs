//! The Lab as a whole: where panels stand, and in which order they are made.

use std::time::Duration;

use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use crate::panels::{
    data::DataPanel, drawer::Drawer, header::Header, help::Help, network::Network, notices::Notices, output::Output,
    soon::Soon, training::Training,
};
use crate::reactive::{RwSignal, clicked};
use crate::state::Lab;
use crate::views::Views;
use crate::worker::reflected;
use crate::{api, files, opening, shortcuts, sliders, theme, turns};

/// Starts the page in the shell's `#app`; does nothing where no shell of ours is, as in a page that holds widgets.
pub fn start() {
    if !reflected(&js_sys::global(), "downhillWorker").is_object() {
        return;
    }
    std::panic::set_hook(Box::new(|info| {
        console_error_panic_hook::hook(info);
        api::crash(&info.to_string());
    }));
    let Some(host) = document().get_element_by_id("app").and_then(|e| e.dyn_into::<HtmlElement>().ok()) else { return };
    turns::take();
    // In a task of its own: in this one the instance was made.
    let mount = move || {
        if let Some(poster) = document().get_element_by_id("poster") {
            poster.remove();
        }
        mount_to(host, || view! { <LabPage/> }).forget();
    };
    set_timeout(mount, Duration::ZERO);
}

/// The page.
#[component]
pub fn LabPage(
    /// The pictures it has to choose from.
    #[prop(optional)]
    views: Views,
) -> impl IntoView {
    let lab = Lab::new();
    provide_context(lab);
    provide_context(views);
    theme::follow(lab);
    lab.connect();
    lab.follow_chosen();
    opening::follow_address(lab);
    api::install(lab);
    files::take_drops(lab);
    let links = window_event_listener(leptos::ev::hashchange, move |_| opening::follow_address(lab));
    on_cleanup(move || links.remove());
    let help = RwSignal::new(false);
    shortcuts::listen(lab, help);
    sliders::guard(&document());
    let main = NodeRef::<html::Main>::new();
    // The address holds an experiment, so the link must not write there.
    let skip = move |ev: web_sys::MouseEvent| {
        ev.prevent_default();
        if let Some(main) = main.get_untracked() {
            let _ = main.focus();
        }
    };
    // What moves first is made first, and the output before the network, for on a phone it stands above it.
    view! {
        <a class="skip" href="#lab" on:click=clicked(skip)>"Skip to the network"</a>
        <Header help/>
        <main node_ref=main id="lab" class="lab" tabindex="-1">
            <aside class="side" aria-label="Data"><Soon after=5><DataPanel/></Soon></aside>
            <div class="middle">
                <section class="training" aria-label="Training"><Soon after=6><Training/></Soon></section>
                <Soon after=4><Network/></Soon>
                <section class="drawer" aria-label="Details"><Soon after=7><Drawer/></Soon></section>
            </div>
            <section class="out" aria-label="Output"><Soon after=3><Output/></Soon></section>
        </main>
        <Notices/>
        <Soon after=8><Help open=help/></Soon>
    }
}
