//! The columns of a table: what each holds, what becomes of it, and the choices that change that.

use downhill_model::data::csv::{Column, ColumnType, Decimal, FindingKind, Missing, Profile, Spread};
use leptos::prelude::*;
use serde_json::{Value, json};

use crate::document::{grouped, percent, set_column};
use crate::forms::Select;
use crate::plot::spread::{SIZE, outline};
use crate::reactive::{clicked, memo};
use crate::state::Lab;

/// What a column can be taken for, and how the list says it.
const KINDS: [(&str, &str); 5] =
    [("number", "number"), ("category", "category"), ("date", "date"), ("text", "text, left out"), ("out", "leave out")];

/// A row for each column but the target.
pub fn list(lab: Lab, profile: &Profile) -> AnyView {
    let columns = profile.columns.iter().enumerate().filter(|(_, c)| c.name != profile.target);
    let odd = |name: &str| {
        let kinds = [FindingKind::Constant, FindingKind::Duplicate, FindingKind::Leak];
        profile.findings.iter().find(|f| f.column == name && kinds.contains(&f.kind)).map(|f| f.sentence.clone())
    };
    let rows = columns.map(|(at, column)| row(lab, at, column, profile.rows, odd(&column.name))).collect_view();
    view! { <ul class="columns" data-testid="csv-columns" aria-label="Columns">{rows}</ul> }.into_any()
}

fn row(lab: Lab, at: usize, column: &Column, rows: usize, odd: Option<String>) -> AnyView {
    let name = column.name.clone();
    let id = format!("column-{at}");
    let word = match column.kind {
        _ if !column.used && column.kind != ColumnType::Text => "out",
        ColumnType::Number => "number",
        ColumnType::Date => "date",
        ColumnType::Text => "text",
        ColumnType::Category | ColumnType::Auto => "category",
    };
    let words = KINDS.iter().map(|(word, label)| (word.to_string(), named(word, label, column))).collect();
    let guess = (column.guess, column.usable);
    let write = {
        let name = name.clone();
        Callback::new(move |word: String| {
            let kind = match word.as_str() {
                "number" => Some(ColumnType::Number),
                "category" => Some(ColumnType::Category),
                "date" => Some(ColumnType::Date),
                "text" => Some(ColumnType::Text),
                _ => None,
            };
            lab.edit(|doc| match kind {
                None => set_column(doc, &name, "use", json!(false)),
                Some(kind) => {
                    set_column(doc, &name, "type", if kind == guess.0 { Value::Null } else { json!(kind) });
                    // What the guess leaves out has to be asked for.
                    let asked = kind != ColumnType::Text && !guess.1;
                    set_column(doc, &name, "use", if asked { json!(true) } else { Value::Null });
                }
            });
        })
    };
    let label = format!("What {name} is");
    let value = memo(move || word.to_string());
    let picture = outline(&column.spread);
    let (width, height) = SIZE;
    let facts = facts(column);
    view! {
        <li class:unused=!column.used data-name=name.clone()>
            <svg class="spread" viewBox=format!("0 0 {width} {height}") aria-hidden="true"><path d=picture/></svg>
            <b class="num" title=facts>{name.clone()}</b>
            <label class="aloud" for=id.clone()>{label}</label>
            <Select id words value write/>
            {filling(lab, at, column, rows)}
            {odd.map(|sentence| view! { <small class="odd">{sentence}</small> })}
            {offers(lab, column)}
        </li>
    }
    .into_any()
}

/// A word of the list, with the number of different words where that is what matters.
fn named(word: &str, label: &str, column: &Column) -> String {
    if word == "category" && column.kind == ColumnType::Category {
        format!("{label} {}", column.distinct)
    } else {
        label.to_string()
    }
}

/// What is known of a column, for who points at its name.
fn facts(column: &Column) -> String {
    let spread = match &column.spread {
        Spread::Histogram { ends: [low, high], .. } => format!("{low} to {high}"),
        _ => column.examples.join(", "),
    };
    let format = if column.format.is_empty() { String::new() } else { format!("; {}", column.format) };
    format!("{}: {spread}{format}", column.name)
}

/// How many values are missing, and what stands in for them; why the column is left out where it is.
fn filling(lab: Lab, at: usize, column: &Column, rows: usize) -> AnyView {
    let gaps = column.missing + column.strays;
    if !column.used {
        let why = if column.usable { "left out".to_string() } else { column.reason.clone() };
        return view! { <small>{why}</small> }.into_any();
    }
    if gaps == 0 {
        let format = if column.format.is_empty() { "none missing".to_string() } else { column.format.clone() };
        return view! { <small>{format}</small> }.into_any();
    }
    let share = percent(gaps as f64 / rows.max(1) as f64);
    let title = format!("{} of {} values are missing", grouped(gaps as u64), grouped(rows as u64));
    let name = column.name.clone();
    let words = fillings(column);
    let now = word_of(column.filling, column.flag);
    let id = format!("filling-{at}");
    let write = {
        let name = name.clone();
        Callback::new(move |word: String| {
            let (missing, flag) = word.split_once('+').map_or((word.as_str(), false), |(missing, _)| (missing, true));
            lab.edit(|doc| {
                set_column(doc, &name, "missing", json!(missing));
                set_column(doc, &name, "flag", if flag { json!(true) } else { Value::Null });
            });
        })
    };
    let value = memo(move || now.clone());
    view! {
        <small title=title>{share}" missing"</small>
        <label class="aloud" for=id.clone()>{format!("What stands in where {name} is missing")}</label>
        <Select id words value write/>
    }
    .into_any()
}

/// What can stand in for a missing value of such a column: the words of the list and how they read.
fn fillings(column: &Column) -> Vec<(String, String)> {
    let ways: &[Missing] = match column.kind {
        ColumnType::Category => &[Missing::Category, Missing::MostFrequent, Missing::Drop],
        _ => &[Missing::Median, Missing::Mean, Missing::MostFrequent, Missing::Drop],
    };
    let filled = |way: Missing| {
        if way == column.filling && !column.filled.is_empty() { format!(" {}", column.filled) } else { String::new() }
    };
    ways.iter()
        .flat_map(|&way| {
            let text = format!("{}{}", said(way), filled(way));
            let flagged = !matches!(way, Missing::Drop | Missing::Category);
            let with_flag = flagged.then(|| (word_of(way, true), format!("{text}, flag")));
            [Some((word_of(way, false), text)), with_flag].into_iter().flatten()
        })
        .collect()
}

/// A way of filling as the experiment writes it, and whether it is flagged.
fn word_of(way: Missing, flag: bool) -> String {
    let word = json!(way);
    format!("{}{}", word.as_str().unwrap_or_default(), if flag { "+flag" } else { "" })
}

fn said(way: Missing) -> &'static str {
    match way {
        Missing::Auto => "guessed",
        Missing::Drop => "row dropped",
        Missing::Mean => "mean",
        Missing::Median => "median",
        Missing::MostFrequent => "most frequent",
        Missing::Category => "own category",
    }
}

/// Other ways to read the column that one click tries.
fn offers(lab: Lab, column: &Column) -> AnyView {
    let button = move |text: String, change: (&'static str, Value)| {
        let name = column.name.clone();
        view! { <button type="button" class="link" on:click=clicked(move |_| lab.edit(|doc| set_column(doc, &name, change.0, change.1.clone())))>{text}</button> }
    };
    let unit = (!column.unit.is_empty() && column.kind != ColumnType::Number)
        .then(|| button(format!("Read as numbers in {}", column.unit), ("type", json!(ColumnType::Number))));
    // Where the sign before the fraction cannot be known, the column says how it was read.
    let decimal = match column.decimal {
        _ if column.kind != ColumnType::Number => None,
        Decimal::Comma if !column.format.is_empty() => {
            Some(button("Read 1.020 as 1.02".to_string(), ("decimal", json!(Decimal::Point))))
        }
        Decimal::Point if !column.format.is_empty() => {
            Some(button("Read 1,020 as 1.02".to_string(), ("decimal", json!(Decimal::Comma))))
        }
        _ => None,
    };
    view! { {unit}{decimal} }.into_any()
}
