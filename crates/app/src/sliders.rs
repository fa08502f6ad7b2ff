//! Sliders under a finger: a swipe that scrolls the page changes nothing, although it begins on one.
//!
//! A browser moves a slider as soon as a finger touches it. Here the value counts once the finger has moved sideways, or has been lifted
//! where it came down; until then the slider is put back, and nobody hears of it.

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{Event, EventInit, EventTarget, HtmlInputElement, PointerEvent};

/// Pixels that a finger may move and still be taken to rest.
const STILL: i32 = 8;

/// A finger on a slider whose intention is not known yet.
#[derive(Clone)]
struct Touch {
    slider: HtmlInputElement,
    pointer: i32,
    from: (i32, i32),
    /// The value before it came down, and the one under it.
    before: String,
    under: String,
    /// Whether it has moved up or down.
    scrolls: bool,
}

/// Guards all sliders inside of `root`, those that are yet to come too.
pub fn guard(root: &EventTarget) {
    let touch = StoredValue::new_local(None::<Touch>);
    let listener = Closure::<dyn FnMut(Event)>::new(move |ev: Event| match ev.type_().as_str() {
        "pointerdown" => touch.set_value(begun(&ev)),
        "input" | "change" => touch.update_value(|touch| hold(touch, &ev)),
        _ => {
            let Some(ev) = ev.dyn_ref::<PointerEvent>() else { return };
            // A value that is let through is an event by itself, which must find no touch.
            if let Some(Some(tapped)) = touch.try_update_value(|touch| decide(touch, ev)) {
                let_through(&tapped);
            }
        }
    });
    // While it is captured: before any handler of the slider itself.
    for name in ["pointerdown", "pointermove", "pointerup", "pointercancel", "input", "change"] {
        let _ = root.add_event_listener_with_callback_and_bool(name, listener.as_ref().unchecked_ref(), true);
    }
    // What is guarded goes together with whoever asked for it.
    let kept = StoredValue::new_local(Some(listener));
    on_cleanup(move || drop(kept.try_update_value(Option::take)));
}

fn slider_of(ev: &Event) -> Option<HtmlInputElement> {
    ev.target()?.dyn_into::<HtmlInputElement>().ok().filter(|input| input.type_() == "range")
}

fn begun(ev: &Event) -> Option<Touch> {
    let (slider, ev) = (slider_of(ev)?, ev.dyn_ref::<PointerEvent>()?);
    (ev.pointer_type() == "touch").then(|| Touch {
        pointer: ev.pointer_id(),
        from: (ev.client_x(), ev.client_y()),
        before: slider.value(),
        under: slider.value(),
        scrolls: false,
        slider,
    })
}

/// Puts a slider back that the browser has moved too early.
fn hold(touch: &mut Option<Touch>, ev: &Event) {
    let Some(touch) = touch.as_mut().filter(|touch| slider_of(ev).is_some_and(|slider| slider == touch.slider)) else { return };
    ev.stop_immediate_propagation();
    if touch.slider.value() != touch.before {
        touch.under = touch.slider.value();
        touch.slider.set_value(&touch.before);
    }
}

/// What a finger means, as far as it can be told by now; gives the touch back where it was a tap.
fn decide(touch: &mut Option<Touch>, ev: &PointerEvent) -> Option<Touch> {
    let now = touch.as_mut().filter(|touch| touch.pointer == ev.pointer_id())?;
    let (x, y) = ((ev.client_x() - now.from.0).abs(), (ev.client_y() - now.from.1).abs());
    now.scrolls |= y > STILL && y >= x;
    match ev.type_().as_str() {
        "pointermove" if x > STILL && x > y && !now.scrolls => *touch = None,
        "pointerup" => return touch.take().filter(|touch| !touch.scrolls),
        "pointercancel" => *touch = None,
        _ => {}
    }
    None
}

fn let_through(touch: &Touch) {
    if touch.under == touch.before {
        return;
    }
    touch.slider.set_value(&touch.under);
    let bubbles = EventInit::new();
    bubbles.set_bubbles(true);
    for name in ["input", "change"] {
        if let Ok(event) = Event::new_with_event_init_dict(name, &bubbles) {
            let _ = touch.slider.dispatch_event(&event);
        }
    }
}
