//! The chosen sample itself, where samples are images.

use std::sync::Arc;

use downhill_protocol::Query;
use leptos::prelude::*;

use super::kinds::{ColumnInfo, LayerView};
use crate::panels::network::cells::{Picture, one_cell};
use crate::plot::heatmap;
use crate::state::Answers;
use crate::watches::{Ask, Source};

/// See the module.
pub struct SampleImage;

impl LayerView for SampleImage {
    fn fits(&self, info: &ColumnInfo) -> bool {
        info.data.image.is_some() && info.column.input.is_some() && !info.column.tokens
    }

    fn wants(&self, info: &ColumnInfo) -> Option<Ask> {
        Some(Ask { source: Source::Chosen, tensors: vec![Query::all(info.column.tensor.clone())], every_ms: 50.0 })
    }

    fn view(&self, info: Arc<ColumnInfo>, answers: Answers) -> AnyView {
        one_cell(info, answers, "The sample", |info, answer, _| {
            let values = answer.get(&info.column.tensor)?.data.to_vec();
            let (_, width) = info.data.image?;
            Some(vec![Picture { scale: heatmap::scale_of(&values), values, width }])
        })
    }
}
