//! The Lab as a whole: where panels stand, and the keys that work everywhere.

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use crate::panels::{
    data::DataPanel, drawer::Drawer, header::Header, help::Help, network::Network, notices::Notices, output::Output,
    training::Training,
};
use crate::reactive::RwSignal;
use crate::state::Lab;
use crate::views::Views;
use crate::{api, files, opening, theme};

/// Starts the page in the shell's `#app`.
pub fn start() {
    std::panic::set_hook(Box::new(|info| {
        console_error_panic_hook::hook(info);
        api::crash(&info.to_string());
    }));
    let Some(host) = document().get_element_by_id("app").and_then(|e| e.dyn_into::<HtmlElement>().ok()) else { return };
    if let Some(poster) = document().get_element_by_id("poster") {
        poster.remove();
    }
    mount_to(host, || view! { <LabPage/> }).forget();
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
    shortcuts(lab, help);
    view! {
        <Header help/>
        <main class="lab">
            <aside class="side" aria-label="Data and training">
                <DataPanel/>
                <Training/>
            </aside>
            <Network/>
            <Output/>
        </main>
        <Drawer/>
        <Notices/>
        <Help open=help/>
    }
}

fn shortcuts(lab: Lab, help: RwSignal<bool>) {
    let keys = window_event_listener(leptos::ev::keydown, move |ev| {
        let target = ev.target().and_then(|t| t.dyn_into::<HtmlElement>().ok());
        let tag = target.as_ref().map(|t| t.tag_name()).unwrap_or_default();
        let typing = matches!(tag.as_str(), "INPUT" | "TEXTAREA" | "SELECT");
        if typing || ev.ctrl_key() || ev.meta_key() || ev.alt_key() {
            return;
        }
        let acted = match ev.key().as_str() {
            " " if tag != "BUTTON" => {
                lab.play(!lab.wanted.get_untracked());
                true
            }
            "ArrowRight" => {
                lab.step();
                true
            }
            "r" | "R" => {
                lab.reset();
                true
            }
            "t" | "T" => {
                theme::toggle(lab);
                true
            }
            "?" => {
                help.set(true);
                true
            }
            _ => false,
        };
        if acted {
            ev.prevent_default();
        }
    });
    on_cleanup(move || keys.remove());
}
