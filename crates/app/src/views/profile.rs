//! Where the time of a training step goes, kernel by kernel: by layer, by phase, and against what the device can do.

use downhill_protocol::{KernelTime, ProfileReport};
use leptos::prelude::*;

use crate::document::scaled;
use crate::plot::profile::{Cost, PHASES, by_layer, by_phase, duration, percent};
use crate::state::Lab;

/// The report as a view.
pub fn profile(lab: Lab, report: &ProfileReport) -> AnyView {
    let step = Cost::of(&report.rows);
    let longest = report.rows.iter().map(|row| row.nanoseconds).fold(0.0, f64::max);
    let groups = by_layer(&report.rows).into_iter().map(|(layer, rows)| {
        let kernels: Vec<&KernelTime> = rows.iter().filter_map(|&i| report.rows.get(i)).collect();
        let cost = Cost::of(kernels.iter().copied());
        let rows = kernels.iter().map(|row| kernel(row, report, step.nanoseconds, longest)).collect_view();
        view! {
            <tbody>
                <tr><th scope="rowgroup">{label_of(lab, &layer)}</th><td></td>{figures(cost, report, step.nanoseconds, None)}</tr>
                {rows}
            </tbody>
        }
    });
    view! {
        <p class="hint">{method(report, step)}</p>
        {phases(report, step)}
        <table class="num profile" aria-label="Kernels of a training step with their times">
            <thead><tr>
                <th scope="col">"kernel"</th><th scope="col">"phase"</th><td></td><th scope="col">"time"</th><th scope="col">"share"</th>
                <th scope="col">"bytes"</th><th scope="col">"FLOP"</th><th scope="col" title="Of what limits the kernel: the time that moving its bytes or doing its operations would take at the measured ceilings, whichever is longer, as a share of the time it took">"of ceiling"</th>
            </tr></thead>
            {groups.collect_view()}
        </table>
    }
    .into_any()
}

fn method(report: &ProfileReport, step: Cost) -> String {
    let how = match report.method.as_str() {
        "timestamps" => "timed by the device's own clock",
        "replay" => "timed by running each kernel again and again",
        _ => "timed kernel by kernel",
    };
    format!(
        "A training step is {} kernels and takes {} on {}, {how}. Ceilings measured there: {}B/s and {}FLOP/s; what stays in a cache can beat the first.",
        report.rows.len(),
        duration(step.nanoseconds),
        report.device,
        scaled(report.peak_bytes),
        scaled(report.peak_flops)
    )
}

/// One bar for the step, and what each phase takes of it.
fn phases(report: &ProfileReport, step: Cost) -> AnyView {
    let costs = by_phase(&report.rows);
    let part = |i: usize| costs.get(i).map_or(0.0, |cost| cost.nanoseconds / step.nanoseconds.max(1.0));
    let bar =
        (0..PHASES.len()).map(|i| view! { <s class=PHASES[i] style=format!("flex-grow:{}", part(i))></s> }).collect_view();
    let total = |i: usize| {
        let reached = costs[i].reach(report).map(|(share, limit)| format!(" · {limit} {}", percent(share)));
        view! { <div><dt class=PHASES[i]>{PHASES[i]}</dt><dd><b>{duration(costs[i].nanoseconds)}</b>" "{percent(part(i))}{reached}</dd></div> }
    };
    let totals = (0..PHASES.len()).map(total).collect_view();
    view! { <div class="phases" aria-hidden="true">{bar}</div><dl class="totals num" data-testid="phases">{totals}</dl> }
        .into_any()
}

fn kernel(row: &KernelTime, report: &ProfileReport, step: f64, longest: f64) -> AnyView {
    let bar = (row.phase.clone(), row.nanoseconds / longest.max(1.0));
    view! {
        <tr>
            <td title=row.kernel.clone()>{row.kernel.clone()}</td><td>{row.phase.clone()}</td>
            {figures(Cost::of([row]), report, step, Some(bar))}
        </tr>
    }
    .into_any()
}

/// The cells of a cost: bar, time, share of the step, bytes, operations, and how close it comes to the ceiling.
fn figures(cost: Cost, report: &ProfileReport, step: f64, bar: Option<(String, f64)>) -> AnyView {
    let bar = bar.map(|(phase, part)| view! { <s class=phase style=format!("width:{:.1}%", 100.0 * part)></s> });
    let reached = cost.reach(report).map(|(share, limit)| format!("{} {limit}", percent(share)));
    view! {
        <td>{bar}</td><td>{duration(cost.nanoseconds)}</td><td>{percent(cost.nanoseconds / step.max(1.0))}</td>
        <td>{scaled(cost.bytes)}"B"</td><td>{scaled(cost.flops)}</td><td>{reached}</td>
    }
    .into_any()
}

/// A layer as the network map names it.
fn label_of(lab: Lab, path: &str) -> String {
    let label = lab.info.with_untracked(|info| {
        info.as_ref().and_then(|info| info.layers.iter().find(|l| l.path == path).map(|l| l.label.clone()))
    });
    label.unwrap_or_else(|| path.to_string())
}
