//! A part of the page that is made in a task of its own, so that no task at the start is long.

use std::time::Duration;

use leptos::prelude::*;

use crate::reactive::{Memo, RwSignal, effect};

/// Makes `children` in a later task, where that is said once something is there.
#[component]
pub fn Soon(
    /// Its place among the parts that wait; each waits a millisecond longer than the one before it, so no two share a task.
    after: u64,
    /// Whether what it shows is there. What it said before would be made twice.
    #[prop(optional)]
    when: Option<Memo<bool>>,
    /// The part.
    children: ChildrenFn,
) -> impl IntoView {
    let due = RwSignal::new(false);
    let arrive = move || {
        let _ = due.try_update(|due| *due = true);
    };
    let wait = move || set_timeout(arrive, Duration::from_millis(after));
    match when {
        Some(when) => effect(move || {
            if when.get() {
                wait();
            }
        }),
        None => wait(),
    }
    move || due.get().then(|| children())
}
