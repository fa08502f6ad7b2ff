//! The logit lens of a network with attention: what its end makes of what each layer leaves, position by position, of the chosen sample.

use downhill_protocol::Query;
use leptos::prelude::*;

use super::kinds::Inside;
use crate::document::percent;
use crate::plot::heatmap::likeliest;
use crate::plot::network::Column;
use crate::plot::sequence::token;
use crate::reactive::memo;
use crate::state::Lab;
use crate::watches::{Ask, Source};

/// Milliseconds from one table to the next.
const EVERY: f64 = 200.0;
/// Layers and positions that have a row and a column, the last ones where there are more.
const MOST: [usize; 2] = [24, 64];

/// See the module.
pub struct Lens;

/// The tensors of a column that are looks through its layer, with the paths of the layers that they look after.
fn looks(column: &Column) -> Vec<(String, String)> {
    let path = |name: &String| Some((name.clone(), name.split_once(".lens:")?.1.to_string()));
    let mut all: Vec<_> = column.inner.iter().filter_map(path).collect();
    all.split_off(all.len().saturating_sub(MOST[0]))
}

impl Inside for Lens {
    fn fits(&self, column: &Column) -> bool {
        !looks(column).is_empty()
    }

    fn view(&self, lab: Lab, column: Column) -> AnyView {
        view! { <Table lab column/> }.into_any()
    }
}

/// What is said after a layer: the likeliest class at each position, with its probability.
type Row = Vec<(usize, f32)>;

#[component]
fn Table(lab: Lab, column: Column) -> impl IntoView {
    let looks = looks(&column);
    let names: Vec<String> = looks.iter().map(|(name, _)| name.clone()).collect();
    let layers: Vec<String> = lab.info.with_untracked(|info| {
        let layers = info.as_ref().map(|info| info.layers.as_slice()).unwrap_or_default();
        let label = |path: &String| layers.iter().find(|l| l.path == *path).map_or(path.clone(), |l| l.label.clone());
        looks.iter().map(|(_, path)| label(path)).collect()
    });
    let labels = memo(move || lab.data().map(|data| data.labels).unwrap_or_default());
    let words = memo(move || lab.data().and_then(|data| Some(data.inputs.into_iter().next()?.words)).unwrap_or_default());
    let answers = {
        let asked: Vec<String> = [String::from("raw")].into_iter().chain(names.clone()).collect();
        lab.watch(move || {
            let tensors = asked.iter().cloned().map(Query::all).collect();
            Some(Ask { source: Source::Chosen, tensors, every_ms: EVERY })
        })
    };
    let rows = memo(move || {
        let of = |name: &String| -> Option<Row> {
            answers.with(|a| {
                let said = a.as_ref()?.get(name)?;
                let classes = said.shape.last().copied().unwrap_or(1).max(1) as usize;
                Some(said.data.chunks_exact(classes).map(likeliest).collect())
            })
        };
        names.iter().filter_map(of).collect::<Vec<Row>>()
    });
    let from = memo(move || rows.with(|rows| rows.first().map_or(0, |row| row.len().saturating_sub(MOST[1]))));
    let head = move || {
        let (count, from) = (rows.with(|rows| rows.first().map_or(0, Vec::len)), from.get());
        let raw = answers.with(|a| a.as_ref().and_then(|a| a.get("raw").map(|raw| raw.data.to_vec()))).unwrap_or_default();
        let name = |at: usize| match raw.get(at).filter(|_| raw.len() == count && count > 1) {
            Some(t) if !t.is_nan() => words.with(|words| token(words, *t)),
            Some(_) => String::new(),
            None if count > 1 => (at + 1).to_string(),
            None => "answer".to_string(),
        };
        (from..count).map(|at| view! { <th scope="col">{name(at)}</th> }).collect_view()
    };
    let cell = move |(class, p): (usize, f32)| {
        let name = labels.with(|labels| token(labels, class as f32));
        let title = format!("{name}: {}", percent(f64::from(p)));
        view! { <td style=format!("--p:{p:.2}") title=title>{name}</td> }
    };
    let body = move || {
        rows.with(|rows| {
            let row = |(layer, row): (&String, &Row)| {
                view! { <tr><th scope="row">{layer.clone()}</th>{row.iter().skip(from.get()).copied().map(cell).collect_view()}</tr> }
            };
            layers.iter().zip(rows).map(row).collect_view()
        })
    };
    view! {
        <p class="hint">"What the last layers make of what each layer leaves, as if nothing came between; the deeper the colour, the surer."</p>
        <div class="lens" tabindex="0" role="region" aria-label="Logit lens">
            <table data-testid="lens" translate="no"><thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table>
        </div>
    }
}
