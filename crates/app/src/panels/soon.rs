//! A part of the page that is made in a task of its own, so that no task at the start is long.

use std::time::Duration;

use leptos::prelude::*;

use crate::reactive::RwSignal;

/// Makes `children` in a later task.
#[component]
pub fn Soon(
    /// Its place among the parts that wait; each waits a millisecond longer than the one before it, so no two share a task.
    after: u64,
    /// The part.
    children: ChildrenFn,
) -> impl IntoView {
    let due = RwSignal::new(false);
    let arrive = move || {
        let _ = due.try_update(|due| *due = true);
    };
    set_timeout(arrive, Duration::from_millis(after));
    move || due.get().then(|| children())
}
