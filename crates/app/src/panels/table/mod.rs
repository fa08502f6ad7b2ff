//! What becomes of a table of one's own: its columns, how many rows are used, the target, and what is odd about it.

mod columns;

use downhill_model::data::csv::{Finding, FindingKind, Goal, Missing, Profile, Spread};
use leptos::prelude::*;
use serde_json::{Value, json};

use crate::document::{fit_end, get, grouped, name_at, number, set_column};
use crate::forms::Select;
use crate::plot::spread::{SIZE, outline};
use crate::reactive::{clicked, memo};
use crate::state::Lab;

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
    let goals: Vec<(String, Goal)> = profile.columns.iter().map(|c| (c.name.clone(), c.goal())).collect();
    let now = profile.target.clone();
    let choose = move |column: String| {
        let goal = goals.iter().find(|g| g.0 == column).map_or(Goal::Auto, |g| g.1);
        lab.edit(|doc| {
            doc["data"]["csv"]["target"] = json!(column);
            doc["name"] = json!(format!("Predict {column}"));
            fit_end(doc, goal == Goal::Regression);
        });
    };
    let column = profile.columns.iter().find(|c| c.name == profile.target);
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
        <svg class="spread target" viewBox=format!("0 0 {width} {height}") preserveAspectRatio="none" aria-hidden="true"><path d=path/></svg>
        <p class="ends num" data-testid="csv-spread">{ends}</p>
    }
    .into_any()
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
