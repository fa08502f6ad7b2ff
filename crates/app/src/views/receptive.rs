//! The image that excites a unit most: its weights, laid out as the input image is.

use std::sync::Arc;

use downhill_protocol::{Input, Query};
use leptos::prelude::*;

use super::kinds::{ColumnInfo, LayerView};
use crate::panels::network::cells::{Picture, unit_cells};
use crate::plot::heatmap;
use crate::state::Answers;
use crate::watches::{Ask, Source};

/// See the module.
pub struct Receptive;

impl LayerView for Receptive {
    fn fits(&self, info: &ColumnInfo) -> bool {
        info.data.image.is_some() && info.at == 1 && info.column.follows && info.column.wires.is_some()
    }

    fn wants(&self, info: &ColumnInfo) -> Option<Ask> {
        let tensors = vec![Query::all(info.column.wires.clone()?)];
        Some(Ask { source: Source::Of(Input::State), tensors, every_ms: 50.0 })
    }

    fn view(&self, info: Arc<ColumnInfo>, answers: Answers) -> AnyView {
        unit_cells(info, answers, |info, answer, count| {
            let weights = answer.get(info.column.wires.as_deref()?)?;
            let (scale, (_, width)) = (heatmap::scale_of(weights.data), info.data.image?);
            Some((0..count).map(|unit| Picture { values: weights.row(unit).to_vec(), scale, width }).collect())
        })
    }
}
