//! Shows what the first visit does without, once its code has been fetched.

use downhill_protocol::later;
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use crate::reactive::RwSignal;

/// What `show` makes, or why there is nothing yet.
#[component]
pub fn Later(show: Box<dyn Fn() -> AnyView + Send>) -> impl IntoView {
    let arrived = RwSignal::new(None::<Result<(), String>>);
    spawn_local(async move {
        let outcome = later::arrived().await.map_err(|error| error.to_string());
        arrived.set(Some(outcome));
    });
    move || match arrived.get() {
        None => view! { <p class="hint" role="status">"Loading …"</p> }.into_any(),
        Some(Ok(())) => show(),
        Some(Err(why)) => view! { <p class="trouble" role="alert">{why}</p> }.into_any(),
    }
}
