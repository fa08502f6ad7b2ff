//! Effects and memos behind one boxed closure each: the reactive graph's code for them is generated once per type of value and
//! not once per closure, which is a good part of the page's size.

use leptos::ev::{Event, MouseEvent};
use leptos::prelude::*;

/// Runs `run` now and whenever something it read changes.
pub fn effect(run: impl FnMut() + 'static) {
    fn inner(mut run: Box<dyn FnMut()>) {
        Effect::new(move |_| run());
    }
    inner(Box::new(run));
}

/// A value that is computed from others, and again when they change.
pub fn memo<T: PartialEq + Send + Sync + 'static>(compute: impl Fn() -> T + Send + Sync + 'static) -> Memo<T> {
    fn inner<T: PartialEq + Send + Sync + 'static>(compute: Box<dyn Fn() -> T + Send + Sync>) -> Memo<T> {
        Memo::new(move |_| compute())
    }
    inner(Box::new(compute))
}

/// A handler of clicks, boxed: one type of handler for all elements.
pub fn clicked(handle: impl FnMut(MouseEvent) + 'static) -> Box<dyn FnMut(MouseEvent)> {
    Box::new(handle)
}

/// A handler of what is typed, chosen or slid, boxed like [`clicked`].
pub fn entered(handle: impl FnMut(Event) + 'static) -> Box<dyn FnMut(Event)> {
    Box::new(handle)
}
