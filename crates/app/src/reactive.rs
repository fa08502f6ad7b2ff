//! Effects and memos behind one boxed closure each: the reactive graph's code for them is generated once per type of value and
//! not once per closure, which is a good part of the page's size.

use leptos::ev::{Event, MouseEvent};
use leptos::prelude::*;
use leptos::reactive::graph::{AnySubscriber, Subscriber, ToAnySubscriber};

/// Runs `run` now and whenever something it read changes.
pub fn effect(run: impl FnMut() + 'static) {
    fn inner(mut run: Box<dyn FnMut()>) {
        leave_in_time(Effect::new(move |_| run()).to_any_subscriber());
    }
    inner(Box::new(run));
}

/// A value that is computed from others, and again when they change.
pub fn memo<T: PartialEq + Send + Sync + 'static>(compute: impl Fn() -> T + Send + Sync + 'static) -> Memo<T> {
    fn inner<T: PartialEq + Send + Sync + 'static>(compute: Box<dyn Fn() -> T + Send + Sync>) -> Memo<T> {
        let memo = ArcMemo::new(move |_| compute());
        leave_in_time(memo.to_any_subscriber());
        memo.into()
    }
    inner(Box::new(compute))
}

/// Unsubscribes a reader from what it read when its owner goes: a value that outlives its readers would keep their names for ever.
fn leave_in_time(reader: AnySubscriber) {
    on_cleanup(move || reader.clear_sources(&reader));
}

/// A handler of clicks, boxed: one type of handler for all elements.
pub fn clicked(handle: impl FnMut(MouseEvent) + 'static) -> Box<dyn FnMut(MouseEvent)> {
    Box::new(handle)
}

/// A handler of what is typed, chosen or slid, boxed like [`clicked`].
pub fn entered(handle: impl FnMut(Event) + 'static) -> Box<dyn FnMut(Event)> {
    Box::new(handle)
}
