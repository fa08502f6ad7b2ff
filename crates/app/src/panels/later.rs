//! Shows what the first visit does without, once its code has been fetched.

use downhill_protocol::later;
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use crate::reactive::RwSignal;

/// What is shown then. `web/parts.mjs` knows by this name where the later part of the code begins.
pub trait Part: Send {
    /// Makes it.
    fn show(&self) -> AnyView;
}

impl<F: Fn() -> AnyView + Send> Part for F {
    fn show(&self) -> AnyView {
        self()
    }
}

/// What `show` makes, or why there is nothing yet.
#[component]
pub fn Later(show: Box<dyn Part>) -> impl IntoView {
    let arrived = RwSignal::new(None::<Result<(), String>>);
    spawn_local(async move {
        let outcome = later::arrived().await.map_err(|error| error.to_string());
        arrived.set(Some(outcome));
    });
    move || match arrived.get() {
        None => view! { <p class="hint" role="status">"Loading …"</p> }.into_any(),
        Some(Ok(())) => show.show(),
        Some(Err(why)) => view! { <p class="trouble" role="alert">{why}</p> }.into_any(),
    }
}
