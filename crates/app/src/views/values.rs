//! What every unit gives for the chosen sample, one cell each.

use std::sync::Arc;

use downhill_protocol::Query;
use leptos::prelude::*;

use super::kinds::{ColumnInfo, LayerView};
use crate::panels::network::cells::{Picture, unit_cells};
use crate::plot::heatmap;
use crate::state::Answers;
use crate::watches::{Ask, Source};

/// See the module.
pub struct Values;

impl LayerView for Values {
    fn fits(&self, info: &ColumnInfo) -> bool {
        info.column.shape.len() == 1
    }

    fn wants(&self, info: &ColumnInfo) -> Option<Ask> {
        Some(Ask { source: Source::Chosen, tensors: vec![Query::all(info.column.tensor.clone())], every_ms: 50.0 })
    }

    fn view(&self, info: Arc<ColumnInfo>, answers: Answers) -> AnyView {
        unit_cells(info, answers, |info, answer, count| {
            let values = answer.get(&info.column.tensor)?.data;
            let scale = heatmap::scale_of(values);
            Some(values.iter().take(count).map(|&v| Picture { values: vec![v], scale, width: 1 }).collect())
        })
    }
}
