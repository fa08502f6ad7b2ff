//! The inputs of a table, grouped by its columns: what the chosen row says there, and the numbers that are made of it.

use std::sync::Arc;

use downhill_protocol::{ColumnInfo as TableColumn, Command, Query};
use leptos::prelude::*;

use super::kinds::{ColumnInfo, LayerView};
use crate::canvas::room_of;
use crate::panels::network::cells::{MORE, Picture, more_of, paint, small_cell};
use crate::panels::network::map::Map;
use crate::plot::heatmap;
use crate::plot::network::cards;
use crate::reactive::{effect, memo};
use crate::state::{Answers, Chosen};
use crate::watches::{Ask, Source};

/// See the module.
pub struct TableColumns;

impl LayerView for TableColumns {
    fn fits(&self, info: &ColumnInfo) -> bool {
        info.column.input == Some(0) && !info.data.columns.is_empty()
    }

    fn wants(&self, info: &ColumnInfo) -> Option<Ask> {
        // What is typed or drawn stands in no row.
        let in_table = info.lab.chosen.with(|chosen| matches!(chosen, Some(Chosen::HeldOut(_))));
        let tensors =
            [info.column.tensor.as_str()].into_iter().chain(in_table.then_some("table_row")).map(Query::all).collect();
        Some(Ask { source: Source::Chosen, tensors, every_ms: 50.0 })
    }

    fn view(&self, info: Arc<ColumnInfo>, answers: Answers) -> AnyView {
        let (lab, at, map): (_, _, Map) = (info.lab, info.at, expect_context());
        paint(info.clone(), answers, |info, answer, _| {
            let values = answer.get(&info.column.tensor)?.data;
            let scale = heatmap::scale_of(values);
            Some(values.iter().map(|&v| Picture { values: vec![v], scale, width: 1 }).collect())
        });
        let number = memo(move || answers.with(|a| a.as_ref()?.get("table_row")?.data.first().map(|&row| row as u32)));
        effect(move || {
            if let Some(row) = number.get() {
                lab.send(Command::TableRow { row });
            }
        });
        let card = move |place: usize, column: &TableColumn| {
            let (name, first, len) = (column.name.clone(), column.first as usize, column.len as usize);
            let value = memo(move || {
                lab.row.with(|row| {
                    let row = row.as_ref().filter(|row| Some(row.row) == number.get())?;
                    let cell = row.cells.iter().find(|cell| cell.place == Some(place as u32))?;
                    Some(if cell.filled.is_empty() { cell.text.clone() } else { cell.filled.clone() })
                })
            });
            let units = (first..first + len).map(|unit| small_cell(at, unit)).collect_view();
            let label = name.clone();
            let said = move || format!("{label} {}", value.get().unwrap_or_default());
            view! { <div class="column-card" role="group" aria-label=said><b>{name.clone()}</b><span>{move || value.get()}</span><i>{units}</i></div> }.into_any()
        };
        let all = info.data.columns.len();
        let (stack, room) = room_of();
        let fit = {
            let info = info.clone();
            memo(move || cards(info.data.columns.iter().map(|c| c.len as usize), room.get(), MORE))
        };
        effect(move || {
            fit.track();
            map.changed.update(|n| *n += 1);
        });
        let shown = {
            let info = info.clone();
            move || info.data.columns.iter().enumerate().take(fit.get()).map(|(i, c)| card(i, c)).collect_view()
        };
        let more =
            move || (all > fit.get()).then(|| view! { <span class="more num">{more_of(all - fit.get(), "column")}</span> });
        view! { <div class="stack cards" node_ref=stack>{shown}{more}</div> }.into_any()
    }
}
