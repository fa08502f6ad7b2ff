//! Every unit's response over the plane, or along the line, that the samples lie on.

use std::sync::Arc;

use downhill_protocol::{Input, Query, View};
use leptos::prelude::*;

use super::kinds::{ColumnInfo, Fact, LayerView};
use crate::panels::network::cells::{Picture, unit_cells};
use crate::plot::{curve, heatmap};
use crate::state::Answers;
use crate::watches::{Answer, Ask, Source};

/// Points per side.
const RESOLUTION: u32 = 28;

/// See the module.
pub struct NeuronMap;

/// The units that are shown, at every point.
fn query(info: &ColumnInfo) -> Query {
    let (points, units) = (RESOLUTION * RESOLUTION, info.shown.get() as u32);
    Query { name: info.column.tensor.clone(), view: View::Slice { start: vec![0, 0], len: vec![points, units] } }
}

impl LayerView for NeuronMap {
    fn fits(&self, info: &ColumnInfo) -> bool {
        info.data.train_points.is_some() && info.column.shape.len() == 1
    }

    fn wants(&self, info: &ColumnInfo) -> Option<Ask> {
        let along_a_line = info.data.task == "regression";
        let (low, high) = info.lab.points.with(|p| {
            if !along_a_line {
                return curve::square_around(&p.0);
            }
            let (low, high) = curve::Frame::around(&p.0).x;
            (low as f32, high as f32)
        });
        let source = Source::Of(Input::Grid { resolution: RESOLUTION, low, high });
        Some(Ask { source, tensors: vec![query(info)], every_ms: 50.0 })
    }

    fn is_at_once(&self) -> bool {
        true
    }

    fn view(&self, info: Arc<ColumnInfo>, answers: Answers) -> AnyView {
        unit_cells(info, answers, |info, answer, count| {
            let maps = answer.find(&query(info))?;
            let scale = heatmap::scale_of(maps.data);
            Some((0..count).map(|unit| Picture { values: maps.column(unit).collect(), scale, width: RESOLUTION }).collect())
        })
    }

    fn facts(&self, info: &ColumnInfo, answer: &Answer, unit: usize) -> Vec<Fact> {
        let values: Vec<f32> = answer.find(&query(info)).map(|maps| maps.column(unit).collect()).unwrap_or_default();
        if values.is_empty() {
            return Vec::new();
        }
        let mut facts = vec![("mean over the plane", format!("{:+.3}", heatmap::mean(&values)))];
        if let Some(range) = info.column.range.filter(|_| info.column.input.is_none()) {
            facts.push(("saturated", format!("{:.0}\u{a0}%", 100.0 * heatmap::share_near(&values, range))));
        } else if info.column.layers.len() > 1 {
            facts.push(("silent", format!("{:.0}\u{a0}%", 100.0 * heatmap::share_silent(&values))));
        }
        facts
    }
}
