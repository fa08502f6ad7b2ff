//! Below the columns: what happens inside one of them, where a view of that kind fits. Which views there are is the business of `views/mod.rs`.

use leptos::prelude::*;

use super::map::Map;
use crate::focus;
use crate::panels::later::Later;
use crate::plot::network::Column;
use crate::reactive::{clicked, memo};
use crate::state::Lab;
use crate::views::Views;

/// The view of the column that was asked for, of the first that has one otherwise; and a button for each.
#[component]
pub fn Inside(map: Map) -> impl IntoView {
    let lab = Lab::here();
    let views: Views = expect_context();
    let view_of = move |column: &Column| views.inside.iter().copied().find(|view| view.fits(column));
    let fitting = {
        let view_of = view_of.clone();
        memo(move || map.columns.with(|all| all.iter().filter(|c| view_of(c).is_some()).cloned().collect::<Vec<_>>()))
    };
    let open = memo(move || {
        let wanted = map.inside.with(|inside| inside.0.clone());
        fitting.with(|all| all.iter().find(|c| Some(&c.path) == wanted.as_ref()).or(all.first()).cloned())
    });
    let button = move |column: Column| {
        let path = column.path.clone();
        let name = column.layers.into_iter().next().map(|layer| layer.1).unwrap_or_default();
        let on = move || open.with(|open| open.as_ref().is_some_and(|open| open.path == column.path));
        let stop = on.clone();
        let choose = move |_| map.inside.update(|inside| inside.0 = Some(path.clone()));
        view! { <button type="button" class="toggle" role="radio" aria-checked=move || on().to_string() tabindex=move || focus::stop(stop()) on:click=clicked(choose)>{name}</button> }
            .into_any()
    };
    let buttons = move || fitting.with(|all| all.iter().cloned().map(button).collect_view());
    let body = move || {
        open.get().and_then(|column| {
            let view = view_of(&column)?;
            Some(view! { <Later show=Box::new(move || view.view(lab, column.clone()))/> })
        })
    };
    let any = memo(move || open.with(Option::is_some));
    let panel = move || {
        let body = body.clone();
        any.get().then(move || {
            view! {
                <section class="inside" role=lab.role_of_panel() aria-label="Inside a layer" data-testid="inside">
                    <div class="heading"><h2>"Inside"</h2><div class="choices" role="radiogroup" aria-label="Layer to look into" translate="no" on:keydown=focus::walk>{buttons}</div></div>
                    {body}
                </section>
            }
        })
    };
    view! { {panel} }
}
