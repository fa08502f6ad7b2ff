//! How the run is doing: the worker's verdict in words, the numbers behind it, and a button that tries the change it offers.

use downhill_protocol::{Level, Verdict};
use leptos::prelude::*;

use crate::reactive::{clicked, memo};
use crate::state::Lab;

/// The card.
#[component]
pub fn VerdictCard() -> impl IntoView {
    let lab = Lab::here();
    let of = move |read: fn(&Verdict) -> String| lab.verdict.with(|v| v.as_ref().map(read).unwrap_or_default());
    let level = memo(move || lab.verdict.with(|v| v.as_ref().map(|v| v.level).unwrap_or_default()));
    let class = move || match level.get() {
        Level::Good => "note good",
        Level::Quiet => "note",
        Level::Warn => "note warn",
        Level::Bad => "note bad",
    };
    let numbers = memo(move || lab.verdict.with(|v| v.as_ref().map(|v| v.evidence.clone()).unwrap_or_default()));
    let row = |(what, value): (String, String)| view! { <div><dt>{what}</dt><dd class="num">{value}</dd></div> };
    let fix = memo(move || lab.verdict.with(|v| v.as_ref().and_then(|v| v.fix.clone())));
    let button = move || {
        fix.get().map(|fix| {
            let label = fix.label.clone();
            view! { <button type="button" class="primary" data-testid="fix" on:click=clicked(move |_| lab.try_fix(&fix))>{label}</button> }
        })
    };
    let end = move || lab.inbox.with_value(|inbox| inbox.experiment.as_ref().and_then(|experiment| experiment.training.steps));
    let done = move || {
        let early = || end().is_none_or(|end| lab.status.with(|status| status.step < end));
        lab.finished.get().then(|| {
            if early() {
                " It got no better for as long as it was to be waited, so it stopped early; press play to go on."
            } else {
                " All steps are done; press play to go on."
            }
        })
    };
    view! {
        <div class=class translate="no" data-testid="verdict" data-verdict=move || of(|v| v.name.clone())>
            <Show when=move || lab.verdict.with(Option::is_none)>"How it goes is told after the first evaluations."</Show>
            <b>{move || of(|v| format!("{}.", v.title))}</b>" "{move || of(|v| v.sentence.clone())}{done}
            <dl class="evidence">{move || numbers.get().into_iter().map(row).collect_view()}</dl>
            {button}
        </div>
        <Announcement/>
    }
}

/// What is read aloud: a verdict when it comes, and not again for newer numbers.
#[component]
fn Announcement() -> impl IntoView {
    let lab = Lab::here();
    let name = memo(move || lab.verdict.with(|v| v.as_ref().map(|v| (v.name.clone(), v.level))));
    let words = move || {
        name.with(|_| ());
        lab.verdict.with_untracked(|v| v.as_ref().map(|v| format!("{}. {}", v.title, v.sentence)))
    };
    let role = move || if name.with(|n| matches!(n, Some((_, Level::Bad)))) { "alert" } else { "status" };
    view! { <p class="aloud" role=role translate="no">{words}</p> }
}
