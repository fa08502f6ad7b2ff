//! A pop-up that a button of the page opens: it takes the keys, closes on Escape and gives them back.

use leptos::ev;
use leptos::html;
use leptos::prelude::*;

use crate::focus;
use crate::reactive::RwSignal;

/// The pop-up; its button names it with `popovertarget`. What it shows is made when it first opens.
#[component]
pub fn Popover(
    /// Its id.
    id: &'static str,
    /// Its classes.
    class: &'static str,
    /// What it is called.
    label: &'static str,
    /// `dialog`, or `menu` where it holds items to choose from.
    #[prop(default = "dialog")]
    role: &'static str,
    /// Whether what it shows is made anew each time.
    #[prop(optional)]
    fresh: bool,
    /// What it shows.
    children: ChildrenFn,
) -> impl IntoView {
    let made = RwSignal::new(false);
    let host = NodeRef::<html::Div>::new();
    // The browser gives the keys back to the button by itself, if they are inside when it closes.
    let toggled = move |_: ev::Event| {
        if let Some(host) = host.get_untracked().filter(|host| host.matches(":popover-open").unwrap_or(false)) {
            focus::enter(&host);
        } else if fresh {
            made.set(false);
        }
    };
    let about_to = move |_: ev::Event| {
        if !made.get_untracked() {
            made.set(true);
        }
    };
    let keys = move |ev: ev::KeyboardEvent| {
        if role == "menu" {
            focus::walk(ev);
        }
    };
    view! {
        <div node_ref=host id=id class=class popover="auto" tabindex="-1" role=role aria-label=label on:beforetoggle=about_to on:toggle=toggled on:keydown=keys>
            {move || made.get().then(|| children())}
        </div>
    }
}
