//! A row that a person makes up: a field for each column that the network is given, and what the network says of it.

use downhill_protocol::{DataInfo, Input, Query};
use leptos::prelude::*;

use crate::reactive::{Memo, RwSignal, effect, entered, memo};
use crate::state::Lab;
use crate::watches::{Ask, Source};

/// The form, closed at first. It takes its values over from the row that is open in the list; `tensor` is what is asked of the network, and
/// `say` puts it into words.
pub fn try_row(
    lab: Lab,
    data: Memo<DataInfo>,
    tensor: Memo<&'static str>,
    say: impl Fn(&[f32]) -> String + Copy + Send + 'static,
) -> AnyView {
    let open = RwSignal::new(false);
    let texts = RwSignal::new(Vec::<String>::new());
    let columns = memo(move || data.with(|d| d.columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>()));
    let answers = lab.watch(move || {
        let typed = texts.get();
        let asks = open.get() && !typed.is_empty() && typed.len() == columns.with(Vec::len);
        asks.then(|| Ask { source: Source::Of(Input::Typed(typed)), tensors: vec![Query::all(tensor.get())], every_ms: 300.0 })
    });
    let opened = memo(move || lab.row.with(|row| row.as_ref().map(|row| row.row)));
    effect(move || {
        let count = columns.with(Vec::len);
        let _ = opened.get();
        let row = lab.row.get_untracked();
        let text = |place: usize| {
            let cell = row.as_ref().and_then(|row| row.cells.iter().find(|cell| cell.place == Some(place as u32)));
            cell.filter(|cell| cell.filled.is_empty()).map(|cell| cell.text.clone()).unwrap_or_default()
        };
        let new: Vec<String> = (0..count).map(text).collect();
        if texts.with_untracked(|texts| *texts != new) {
            answers.set(None);
            texts.set(new);
        }
    });
    let field = move |(place, name): (usize, String)| {
        let id = format!("try-{place}");
        let write = move |text: String| {
            // What was said is of the row before; where this one cannot be read, nothing is said of it.
            answers.set(None);
            texts.update(|texts| {
                if let Some(old) = texts.get_mut(place) {
                    *old = text;
                }
            });
        };
        view! {
            <label for=id.clone()>{name}</label>
            <input type="text" id=id class="text num" spellcheck="false" placeholder="missing" prop:value=move || texts.with(|t| t.get(place).cloned().unwrap_or_default()) on:change=entered(move |ev| write(event_target_value(&ev)))/>
        }
        .into_any()
    };
    let said = move || {
        answers
            .with(|answer| answer.as_ref().and_then(|a| a.get(tensor.get()).map(|o| say(o.row(0)))))
            .unwrap_or_else(|| "–".to_string())
    };
    view! {
        <details class="try" on:toggle=entered(move |ev| open.set(is_open(&ev)))>
            <summary>"Try a row of your own"</summary>
            <div class="typed">
                {move || columns.get().into_iter().enumerate().map(field).collect_view()}
                <span>"it says"</span><output class="num" translate="no" data-testid="try-answer">{said}</output>
            </div>
        </details>
    }
    .into_any()
}

fn is_open(ev: &web_sys::Event) -> bool {
    ev.target().is_some_and(|details| crate::worker::reflected(&details, "open").is_truthy())
}
