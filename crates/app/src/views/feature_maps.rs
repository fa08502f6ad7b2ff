//! What every channel of a layer gives for the chosen sample, as a picture each.

use std::sync::Arc;

use downhill_protocol::{Query, View};
use leptos::prelude::*;

use super::kinds::{ColumnInfo, Fact, LayerView};
use crate::document::number;
use crate::panels::network::cells::{Picture, map_cells};
use crate::plot::heatmap;
use crate::state::Answers;
use crate::watches::{Answer, Ask, Source};

/// See the module.
pub struct FeatureMaps;

/// The maps that are shown.
fn query(info: &ColumnInfo) -> Query {
    let channels = info.shown.get() as u32;
    Query { name: info.column.tensor.clone(), view: View::Slice { start: vec![0, 0], len: vec![1, channels] } }
}

/// The values of one map, row by row.
fn map(info: &ColumnInfo, values: &[f32], unit: usize) -> Vec<f32> {
    let pixels: usize = info.column.shape.iter().skip(1).map(|&n| n as usize).product();
    values.iter().skip(unit * pixels).take(pixels).copied().collect()
}

impl LayerView for FeatureMaps {
    fn fits(&self, info: &ColumnInfo) -> bool {
        info.column.shape.len() == 3
    }

    fn wants(&self, info: &ColumnInfo) -> Option<Ask> {
        Some(Ask { source: Source::Chosen, tensors: vec![query(info)], every_ms: 50.0 })
    }

    fn view(&self, info: Arc<ColumnInfo>, answers: Answers) -> AnyView {
        map_cells(info, answers, |info, answer, count| {
            let maps = answer.find(&query(info))?;
            // One scale for all: how strong a map is beside the others can be seen.
            let (scale, width) = (heatmap::scale_of(maps.data), info.column.shape.last().copied()?);
            Some((0..count).map(|unit| Picture { values: map(info, maps.data, unit), scale, width }).collect())
        })
    }

    fn facts(&self, info: &ColumnInfo, answer: &Answer, unit: usize) -> Vec<Fact> {
        let values = answer.find(&query(info)).map(|maps| map(info, maps.data, unit)).unwrap_or_default();
        if values.is_empty() {
            return Vec::new();
        }
        let ends = values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &v| (low.min(v), high.max(v)));
        let silent = format!("{:.0}\u{a0}%", 100.0 * heatmap::share_silent(&values));
        let ends = [("smallest", ends.0), ("largest", ends.1)].map(|(name, v)| (name, number(f64::from(v))));
        ends.into_iter().chain([("silent", silent)]).collect()
    }
}
