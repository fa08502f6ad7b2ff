//! Rows of a table, the worst predictions first; the one that is open shows all its values and what each column is worth.

use downhill_protocol::{Cell, Command, DataInfo, Input, Part, Query};
use leptos::prelude::*;

use super::kinds::OutputView;
use super::try_row::try_row;
use crate::document::{grouped, percent};
use crate::plot::heatmap::likeliest;
use crate::plot::offset;
use crate::plot::rows::{Line, Parts, lines, parts};
use crate::reactive::{Memo, clicked, effect, memo};
use crate::state::{Chosen, Lab};
use crate::watches::{Ask, Source};

/// Rows that are listed.
const LIMIT: u32 = 24;

/// See the module.
pub struct Rows;

impl OutputView for Rows {
    fn title(&self) -> &'static str {
        "Rows"
    }

    fn fits(&self, data: &DataInfo) -> bool {
        !data.columns.is_empty()
    }

    fn view(&self, lab: Lab) -> AnyView {
        view! { <Table lab/> }.into_any()
    }
}

/// How values of the data are written: classes by their names, numbers with the digits that tell the rows apart.
#[derive(Clone, Default, PartialEq)]
struct Words {
    labels: Vec<String>,
    classes: bool,
    mean: f64,
    digits: usize,
}

impl Words {
    fn of(data: &DataInfo, lines: &[Line]) -> Self {
        let mean = data.target_mean.first().copied().unwrap_or(0.0);
        let spread = lines.iter().map(|l| l.truth.abs().max(l.said.abs())).fold(0.0, f64::max);
        Self { labels: data.labels.clone(), classes: data.task == "classification", mean, digits: offset::digits(spread) }
    }

    /// A class, or a value that counts from the mean.
    fn value(&self, v: f64) -> String {
        match self.classes {
            true => self.labels.get(v as usize).cloned().unwrap_or_default(),
            false => offset::written(self.mean, v, self.digits),
        }
    }

    /// A difference of two values.
    fn difference(&self, v: f64) -> String {
        if self.classes { offset::points(v) } else { offset::signed(v, self.digits) }
    }
}

#[component]
fn Table(lab: Lab) -> impl IntoView {
    let data = memo(move || lab.data().unwrap_or_default());
    let classes = memo(move || data.with(|d| d.task == "classification"));
    let answers = lab.watch(move || {
        let names: &[&str] = if classes.get() {
            &["row", "table_row", "target", "output"]
        } else {
            &["row", "table_row", "target:offset", "output:offset"]
        };
        let tensors = names.iter().copied().map(Query::all).collect();
        Some(Ask { source: Source::Of(Input::Worst { limit: LIMIT }), tensors, every_ms: 500.0 })
    });
    let listed = memo(move || answers.with(|a| a.as_ref().and_then(|a| lines(a, classes.get())).unwrap_or_default()));
    let words = memo(move || data.with(|d| listed.with(|l| Words::of(d, l))));
    let widest = memo(move || listed.with(|l| l.iter().map(|l| (l.said - l.truth).abs()).fold(0.0, f64::max)));
    let count = memo(move || listed.with(Vec::len));
    let heads = move || {
        let name =
            if classes.get() { "truth".to_string() } else { data.with(|d| d.labels.first().cloned().unwrap_or_default()) };
        let last = if classes.get() { "probability" } else { "off by" };
        view! { <th scope="col">"row"</th><th scope="col">{name}</th><th scope="col">"said"</th><th scope="col" colspan="2">{last}</th> }
    };
    // The number and place of the row that is open, once others are worse.
    let opened = RwSignal::new(None::<(u32, u32)>);
    effect(move || {
        let chosen = lab.chosen.get();
        let is_chosen = |place: u32| chosen == Some(Chosen::HeldOut(place));
        match listed.with(|l| l.iter().find(|l| is_chosen(l.place)).map(|l| (l.number, l.place))) {
            None if opened.get_untracked().is_some_and(|(_, place)| is_chosen(place)) => {}
            found => opened.set(found),
        }
    });
    let overtaken =
        memo(move || opened.get().filter(|(_, place)| listed.with(|l| !l.is_empty() && l.iter().all(|l| l.place != *place))));
    let kept_open = move || {
        let (number, _) = overtaken.get()?;
        let close = move |_| lab.chosen.set(None);
        Some(view! {
            <tr aria-current="true">
                <th scope="row"><button type="button" class="link" data-testid="row" aria-expanded="true" on:click=clicked(close)>{grouped(u64::from(number))}</button></th>
                <td colspan="4">{format!("no longer among the worst {LIMIT}")}</td>
            </tr>
            <tr class="opened"><td colspan="5"><Opened lab data words number/></td></tr>
        })
    };
    let row = move |i: usize| {
        let at = memo(move || listed.with(|l| l.get(i).cloned()));
        let open =
            memo(move || at.with(|l| l.as_ref().is_some_and(|l| lab.chosen.with(|c| *c == Some(Chosen::HeldOut(l.place))))));
        let cells = move || {
            let classes = classes.get();
            at.get().map(|line| summary(lab, line, words, widest, classes, open))
        };
        let inside = move || {
            let number = at.with(|l| l.as_ref().map(|l| l.number))?;
            open.get().then(|| view! { <tr class="opened"><td colspan="5"><Opened lab data words number/></td></tr> })
        };
        view! { {cells}{inside} }.into_any()
    };
    let which = move || {
        if data.with(|d| d.validation > 0) {
            "Held-out rows, the worst predictions first"
        } else {
            "Training rows, the worst predictions first"
        }
    };
    let tensor = memo(move || if classes.get() { "output" } else { "output:offset" });
    let say = move |output: &[f32]| {
        let (class, p) = likeliest(output);
        let first = output.first().map_or(f64::NAN, |v| f64::from(*v));
        words.with(|w| match w.classes {
            true => format!("{} {}", w.value(class as f64), percent(f64::from(p))),
            false => w.value(first),
        })
    };
    view! {
        {try_row(lab, data, tensor, say)}
        <div class="matrix rows" tabindex="0" role="region" aria-label="Rows">
            <p class="hint">{which}</p>
            <table class="num predictions"><thead><tr>{heads}</tr></thead><tbody>{kept_open}{move || (0..count.get()).map(row).collect_view()}</tbody></table>
        </div>
    }
}

/// The line of a row in the list.
fn summary(lab: Lab, line: Line, words: Memo<Words>, widest: Memo<f64>, classes: bool, open: Memo<bool>) -> impl IntoView {
    let Line { number, place, truth, said, sure } = line;
    let wrong = classes && truth != said;
    let texts = move || words.with(|w| [w.value(truth), w.value(said)].map(|t| view! { <td>{t}</td> }));
    let last = move || if classes { percent(sure) } else { words.with(|w| w.difference(said - truth)) };
    let bar = (!classes).then(|| view! { <td>{move || bar((said - truth) / widest.get().max(f64::MIN_POSITIVE))}</td> });
    let flip = move |_| lab.chosen.set((!open.get_untracked()).then_some(Chosen::HeldOut(place)));
    view! {
        <tr class:wrong=wrong aria-current=move || open.get().to_string()>
            <th scope="row"><button type="button" class="link" data-testid="row" aria-expanded=move || open.get().to_string() on:click=clicked(flip)>{grouped(u64::from(number))}</button></th>
            {move || texts().into_iter().collect_view()}{bar}<td colspan=if classes { "2" } else { "1" }>{last}</td>
        </tr>
    }
}

/// A bar from the middle to the left or to the right, −1…1.
fn bar(share: f64) -> impl IntoView {
    let width = 50.0 * share.abs().min(1.0);
    let left = if share < 0.0 { 50.0 - width } else { 50.0 };
    view! { <i class="swing" class:low={share < 0.0} aria-hidden="true"><s style=format!("left:{left:.1}%;width:{width:.1}%")></s></i> }
}

/// What a row that is open shows: where the answer starts, what each column adds, and what comes out.
#[component]
fn Opened(lab: Lab, data: Memo<DataInfo>, words: Memo<Words>, number: u32) -> impl IntoView {
    let answers = lab.watch(move || {
        let tensors = ["output", "start", "parts"].map(Query::all).to_vec();
        Some(Ask { source: Source::Of(Input::Row { row: number }), tensors, every_ms: 500.0 })
    });
    effect(move || {
        // The text of a row stays; which part it is in, and what stands in for gaps, goes with the run.
        lab.info.with(|i| i.as_ref().map(|i| (i.run, i.data.hash.clone())));
        lab.send(Command::TableRow { row: number });
    });
    let cells =
        memo(move || lab.row.with(|r| r.as_ref().filter(|r| r.row == number).map(|r| r.cells.clone())).unwrap_or_default());
    let truth = memo(move || cells.with(|c| c.iter().find(|c| c.target).map(|c| c.text.clone())).unwrap_or_default());
    let parts = memo(move || answers.with(|a| a.as_ref().and_then(|a| parts(a, data.with(|d| d.task == "classification")))));
    let body = move || {
        let Parts { start, parts, said, class } = parts.get()?;
        let widest = parts.iter().map(|p| p.1.abs()).fold(f64::MIN_POSITIVE, f64::max);
        let classes = words.with(|w| w.classes);
        let write = move |v: f64| if classes { percent(v) } else { words.with(|w| w.value(v)) };
        let name = words.with(|w| w.labels.get(class).cloned().unwrap_or_default());
        let from = if classes {
            format!("{name}, before anything is known of the row")
        } else {
            "before anything is known of the row".to_string()
        };
        let lines = parts.into_iter().map(|(place, value)| {
            let cell = cells.with(|c| c.iter().find(|c| c.place == Some(place)).cloned()).unwrap_or_else(|| missing(data, place));
            let text = if cell.filled.is_empty() { cell.text } else { format!("missing, {}", cell.filled) };
            view! { <tr><th scope="row">{cell.column}</th><td>{text}</td><td>{bar(value / widest)}</td><td>{words.with(|w| w.difference(value))}</td></tr> }
        });
        let says = if classes { format!("says {name}") } else { format!("says {}", write(said)) };
        Some(view! {
            <table class="parts num" data-testid="parts">
                <tbody>
                    <tr class="sum"><th scope="row" colspan="3">{from}</th><td>{write(start)}</td></tr>
                    {lines.collect_view()}
                    <tr class="sum"><th scope="row" colspan="3"><b>{says}</b>" · the table says "{truth.get()}</th><td><b>{write(said)}</b></td></tr>
                </tbody>
            </table>
            <Unused cells/>
        })
    };
    let part = move || {
        lab.row.with(|r| {
            r.as_ref().filter(|r| r.row == number).map(|r| {
                let part = match r.part {
                    Some(Part::Train) => "learned from",
                    Some(Part::Validation) => "held out",
                    None => "left out",
                };
                format!("line {} of the file, {part}", grouped(u64::from(r.line)))
            })
        })
    };
    view! { <p class="hint">{part}</p>{body} }
}

/// The values that the network is not given.
#[component]
fn Unused(cells: Memo<Vec<Cell>>) -> impl IntoView {
    move || {
        let unused = cells.with(|c| {
            c.iter()
                .filter(|c| c.place.is_none() && !c.target && !c.text.is_empty())
                .map(|c| format!("{} {}", c.column, c.text))
                .collect::<Vec<_>>()
        });
        (!unused.is_empty()).then(|| view! { <p class="hint">"Not given to the network: "{unused.join(", ")}</p> })
    }
}

/// A column whose text has not come yet.
fn missing(data: Memo<DataInfo>, place: u32) -> Cell {
    let column = data.with(|d| d.columns.get(place as usize).map(|c| c.name.clone())).unwrap_or_default();
    Cell { column, place: Some(place), ..Cell::default() }
}
