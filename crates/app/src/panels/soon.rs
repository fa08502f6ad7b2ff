//! A part of the page that is made in a task of its own, so that no task at the start is long.

use leptos::prelude::*;

use crate::reactive::RwSignal;
use crate::turns;

/// Makes `children` in a later task.
#[component]
pub fn Soon(
    /// Its place among the parts that wait.
    after: u64,
    /// The part.
    children: ChildrenFn,
) -> impl IntoView {
    let due = RwSignal::new(false);
    turns::part(after, move || {
        let _ = due.try_update(|due| *due = true);
    });
    move || due.get().then(|| children())
}
