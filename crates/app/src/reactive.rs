//! Signals, memos and effects as the page uses them: the library's, but for two things.
//!
//! An effect, or a part of a view, that reads a memo and another one that follows from it reads them in this order: the library asks what was
//! read in turn whether it has changed, and the first memo, once it has been brought up to date for the second, would answer that it has not.
//!
//! - A source forgets a reader when the reader's owner goes. The library's sources keep the name of every reader, and with it a piece of
//!   memory, for as long as they live: what is rebuilt with each edit and reads a signal of the page would grow for ever.
//! - Closures are boxed. The reactive graph's code for them is generated once per type of value and not once per closure, which is a
//!   good part of the page's size.

use std::ops::DerefMut;
use std::panic::Location;

use leptos::ev::{Event, MouseEvent};
use leptos::prelude::{self, *};
use leptos::reactive::graph::{Observer, Subscriber};
use leptos::reactive::traits::{IsDisposed, Notify, UntrackableGuard};

/// A value that readers follow.
pub struct RwSignal<T: 'static>(prelude::RwSignal<T>);

/// A value that is computed from others, and again when they change.
pub struct Memo<T: Send + Sync + 'static>(prelude::Memo<T>);

impl<T: Send + Sync> RwSignal<T> {
    /// A signal that begins with `value`.
    pub fn new(value: T) -> Self {
        Self(prelude::RwSignal::new(value))
    }
}

impl<T: Send + Sync> IsDisposed for RwSignal<T> {
    fn is_disposed(&self) -> bool {
        self.0.is_disposed()
    }
}

impl<T: Send + Sync> Notify for RwSignal<T> {
    fn notify(&self) {
        self.0.notify();
    }
}

impl<T: Send + Sync> Write for RwSignal<T> {
    type Value = T;

    fn try_write(&self) -> Option<impl UntrackableGuard<Target = T>> {
        self.0.try_write()
    }

    fn try_write_untracked(&self) -> Option<impl DerefMut<Target = T>> {
        self.0.try_write_untracked()
    }
}

/// What reading has in common.
macro_rules! source {
    ($kind:ident) => {
        impl<T: Send + Sync> Copy for $kind<T> {}

        impl<T: Send + Sync> Clone for $kind<T> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<T: Send + Sync> DefinedAt for $kind<T> {
            fn defined_at(&self) -> Option<&'static Location<'static>> {
                self.0.defined_at()
            }
        }

        impl<T: Send + Sync> Track for $kind<T> {
            fn track(&self) {
                self.0.track();
                leave_in_time();
            }
        }

        impl<T: Send + Sync> ReadUntracked for $kind<T> {
            type Value = <prelude::$kind<T> as ReadUntracked>::Value;

            fn try_read_untracked(&self) -> Option<Self::Value> {
                self.0.try_read_untracked()
            }
        }
    };
}

source!(RwSignal);
source!(Memo);

/// Unsubscribes whoever reads now when its owner goes.
fn leave_in_time() {
    if let Some(reader) = Observer::get() {
        on_cleanup(move || reader.clear_sources(&reader));
    }
}

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
        Memo(prelude::Memo::new(move |_| compute()))
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
