//! What becomes of a table of one's own: its columns, how many rows are used, the target, and what is odd about it.

mod columns;

use downhill_model::data::csv::{Column, ColumnType, Delimiter, Finding, FindingKind, Goal, Header, Missing, Profile, Spread};
use leptos::prelude::*;
use serde_json::{Value, json};

use crate::document::{End, fit_end, get, grouped, name_at, number, set, set_column, unset};
use crate::forms::Select;
use crate::plot::spread::{SIZE, outline};
use crate::reactive::{clicked, memo};
use crate::state::Lab;
use crate::taking::{end_of, read_as};

/// Rows and values in trouble that are named; the others are counted.
const NAMED: usize = 8;

/// The whole of it.
pub fn table(lab: Lab, profile: &Profile) -> AnyView {
    let used = profile.columns.iter().filter(|c| c.used).count();
    let inputs = format!("{used} used → {} inputs", grouped(profile.inputs as u64));
    view! {
        <div class="table-of-own">
            <h3>"Columns"<span class="num">{inputs}</span></h3>
            {columns::list(lab, profile)}
            {rows(lab, profile)}
            {target(lab, profile)}
            {reading(lab, profile)}
            {findings(lab, profile)}
            {trouble(profile)}
        </div>
    }
    .into_any()
}

/// How many rows are used, and what costs most, with one click to change it.
fn rows(lab: Lab, profile: &Profile) -> AnyView {
    let [used, all] = [profile.used, profile.rows].map(|n| grouped(n as u64));
    let line = if profile.used == profile.rows {
        view! { <p data-testid="csv-used">"All "<b class="num">{all}</b>" rows are used"</p> }.into_any()
    } else {
        view! { <p data-testid="csv-used"><b class="num">{used}</b>" of "<span class="num">{all}</span>" rows are used"</p> }
            .into_any()
    };
    let most = profile.costs.first().map(|cost| {
        let rows = if cost.rows == 1 { "1 row".to_string() } else { format!("{} rows", grouped(cost.rows as u64)) };
        if cost.column.is_empty() {
            return view! { <p>"Lines of another length cost "{rows}</p> }.into_any();
        }
        if cost.column == profile.target {
            return view! { <p>{rows}" without "<b class="num">{cost.column.clone()}</b>": nothing to learn from"</p> }.into_any();
        }
        let fill = profile.columns.iter().find(|c| c.name == cost.column).is_some_and(|c| c.filling == Missing::Drop);
        let (word, change) = if fill { ("fill in", ("missing", Value::Null)) } else { ("leave out", ("use", json!(false))) };
        let column = cost.column.clone();
        let act = move |_| {
            lab.edit(|doc| set_column(doc, &column, change.0, change.1.clone()));
        };
        view! { <p><b class="num">{cost.column.clone()}</b>" costs most, "{rows}" "<button type="button" class="link" on:click=clicked(act)>{word}</button></p> }.into_any()
    });
    view! { <div class="rows-used" class:some=profile.used < profile.rows>{line}{most}</div> }.into_any()
}

/// What is predicted, and how its values are spread.
fn target(lab: Lab, profile: &Profile) -> AnyView {
    let usable = profile.columns.iter().filter(|c| c.usable || c.name == profile.target);
    let words = usable.map(|c| (c.name.clone(), c.name.clone())).collect::<Vec<_>>();
    let ends: Vec<(String, End)> = profile.columns.iter().map(|c| (c.name.clone(), end_of(c.goal(), c))).collect();
    let now = profile.target.clone();
    let choose = move |column: String| {
        let end = ends.iter().find(|e| e.0 == column).map_or(End::Many, |e| e.1);
        lab.edit(|doc| {
            doc["data"]["csv"]["target"] = json!(column);
            unset(doc, "data.csv.task");
            doc["name"] = json!(format!("Predict {column}"));
            fit_end(doc, end);
        });
    };
    let column = profile.columns.iter().find(|c| c.name == profile.target);
    let goal = column.filter(|column| column.kind == ColumnType::Number).map(|column| goal(lab, profile, column));
    let spread = column.map(|c| c.spread.clone()).unwrap_or_default();
    let path = outline(&spread);
    let (width, height) = SIZE;
    let ends = match &spread {
        Spread::Histogram { ends: [low, high], mean, .. } => {
            let mean = format!("mean {}", number(*mean));
            view! { <span>{low.clone()}</span><span>{mean}</span><span>{high.clone()}</span> }.into_any()
        }
        Spread::Bars { top, others, .. } => {
            let more = (*others > 0).then(|| format!(", {others} more"));
            let all =
                top.iter().map(|(word, count)| format!("{word} {}", grouped(u64::from(*count)))).collect::<Vec<_>>().join(", ");
            view! { <span>{all}{more}</span> }.into_any()
        }
        Spread::None => ().into_any(),
    };
    let value = memo(move || now.clone());
    view! {
        <div class="field"><label for="csv-target">"Predict"</label><Select id="csv-target".to_string() words value write=Callback::new(choose)/></div>
        {goal}
        <svg class="spread target" viewBox=format!("0 0 {width} {height}") preserveAspectRatio="none" aria-hidden="true"><path d=path/></svg>
        <p class="ends num" data-testid="csv-spread">{ends}</p>
    }
    .into_any()
}

/// Whether a target of numbers is asked for as a class or as how much it is.
fn goal(lab: Lab, profile: &Profile, column: &Column) -> AnyView {
    let words = [(Goal::Classification, "a class"), (Goal::Regression, "a number")];
    let ends = words.map(|(goal, _)| end_of(goal, column));
    let (classes, guess) = (word_of(&json!(words[0].0)), column.goal());
    let list: Vec<(String, String)> =
        words.iter().map(|(goal, label)| (word_of(&json!(*goal)), (*label).to_string())).collect();
    let now = word_of(&json!(profile.task));
    let choose = move |word: String| {
        lab.edit(|doc| {
            if word == word_of(&json!(guess)) {
                unset(doc, "data.csv.task");
            } else {
                set(doc, "data.csv.task", json!(word));
            }
            fit_end(doc, ends[usize::from(word != classes)]);
        });
    };
    view! { <div class="field"><label for="csv-task">"As"</label><Select id="csv-task".to_string() words=list value=memo(move || now.clone()) write=Callback::new(choose)/></div> }
        .into_any()
}

/// How a table was cut into cells, and other ways to do it.
fn reading(lab: Lab, profile: &Profile) -> AnyView {
    let header = if profile.header { Header::Names } else { Header::Data };
    // Whoever has just said otherwise sees what came of it.
    let open = lab.table.with_untracked(|table| table.as_ref().is_some_and(|table| table.reading.is_object()));
    let line = format!(
        "{} between the values; the first row {}.",
        SIGNS.iter().find(|(sign, _)| *sign == profile.delimiter).map_or("A sign", |(_, label)| *label),
        if profile.header { "names the columns" } else { "is a sample" }
    );
    let signs: Vec<(String, String)> =
        SIGNS.iter().map(|(sign, label)| (word_of(&json!(*sign)), (*label).to_string())).collect();
    let rows = vec![
        (word_of(&json!(Header::Names)), "names of columns".to_string()),
        (word_of(&json!(Header::Data)), "a sample".to_string()),
    ];
    let choice = |id: &'static str, label: &'static str, field: &'static str, words: Vec<(String, String)>, now: String| {
        let write = Callback::new(move |word: String| read_as(lab, field, &word));
        view! { <div class="field"><label for=id>{label}</label><Select id=id.to_string() words value=memo(move || now.clone()) write/></div> }
    };
    view! {
        <details class="reading-of" data-testid="csv-reading-of" open=open>
            <summary>{line}</summary>
            {choice("csv-header", "First row", "header", rows, word_of(&json!(header)))}
            {choice("csv-delimiter", "Between values", "delimiter", signs, word_of(&json!(profile.delimiter)))}
        </details>
    }
    .into_any()
}

/// What may stand between two values, as the page calls it.
const SIGNS: [(Delimiter, &str); 5] = [
    (Delimiter::Comma, "Commas"),
    (Delimiter::Semicolon, "Semicolons"),
    (Delimiter::Tab, "Tabulators"),
    (Delimiter::Pipe, "Vertical bars"),
    (Delimiter::Spaces, "Blanks"),
];

/// A choice as an experiment writes it.
fn word_of(choice: &Value) -> String {
    choice.as_str().unwrap_or_default().to_string()
}

/// What is odd about the table as a whole; what is odd about a column stands there.
fn findings(lab: Lab, profile: &Profile) -> AnyView {
    let about_all = |f: &&Finding| !matches!(f.kind, FindingKind::Constant | FindingKind::Duplicate | FindingKind::Leak);
    let line = |f: &Finding| {
        let weigh = move |_| lab.set("loss.cross_entropy.weight", json!("balanced"));
        let even = lab.draft.with_untracked(|doc| {
            name_at(doc, "loss", "cross_entropy") == "cross_entropy" && get(doc, "loss.cross_entropy.weight").is_none()
        });
        let offer = (f.kind == FindingKind::Imbalance && even)
            .then(|| view! { " "<button type="button" class="link" on:click=clicked(weigh)>"Weigh the classes"</button> });
        view! { <li>{f.sentence.clone()}{offer}</li> }
    };
    let lines = profile.findings.iter().filter(about_all).map(line).collect_view();
    view! { <ul class="findings" data-testid="csv-findings">{lines}</ul> }.into_any()
}

/// Rows and values that could not be read: how many, and the first of them for who wants to see them.
fn trouble(profile: &Profile) -> AnyView {
    let count = profile.trouble_count;
    if count == 0 {
        return ().into_any();
    }
    let named = profile.trouble.iter().take(NAMED).map(|t| view! { <li>{t.to_string()}</li> }).collect_view();
    let more = (count > NAMED).then(|| view! { <li>{format!("… and {} more.", grouped((count - NAMED) as u64))}</li> });
    let head = if count == 1 {
        "1 place could not be read".to_string()
    } else {
        format!("{} places could not be read", grouped(count as u64))
    };
    view! { <details class="unread"><summary>{head}</summary><ul data-testid="csv-trouble">{named}{more}</ul></details> }
        .into_any()
}
