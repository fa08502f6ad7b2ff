//! What the page has to tell, at its foot, until it is dismissed.

use downhill_protocol::{Backend, Choice};
use leptos::prelude::*;

use crate::icons::Icon;
use crate::reactive::clicked;
use crate::state::{Lab, Stands};

/// The list.
#[component]
pub fn Notices() -> impl IntoView {
    let lab = Lab::here();
    let dismiss = move |id: u32| lab.notices.update(|notices| notices.retain(|n| n.id != id));
    let back = move |id: u32| {
        dismiss(id);
        lab.choose(Choice::Fixed(Backend::Gpu));
    };
    view! {
        <div class="notices" data-testid="notices">
            <For each=move || lab.notices.get() key=|n| n.id let:notice>
                <div class="notice" class:bad=notice.bad role=if notice.bad { "alert" } else { "status" }>
                    <p>{notice.text.clone()}</p>
                    {(notice.stands == Stands::OfGpu).then(|| view! { <button type="button" class="ghost" data-testid="return" on:click=clicked(move |_| back(notice.id))>"Return to the GPU"</button> })}
                    <button type="button" class="quiet" aria-label="Dismiss" on:click=clicked(move |_| dismiss(notice.id))><Icon name="close"/></button>
                </div>
            </For>
        </div>
    }
}
