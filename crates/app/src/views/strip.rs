//! A heat strip: all that a layer gives for the chosen sample, one row for every step or channel. Fits every layer.

use std::sync::Arc;

use downhill_protocol::{Query, View};
use leptos::html::Canvas;
use leptos::prelude::*;

use super::kinds::{ColumnInfo, LayerView};
use crate::canvas::{painted, put_pixels};
use crate::plot::heatmap;
use crate::state::Answers;
use crate::watches::{Ask, Source};

/// Rows that are shown at most: more would be thinner than a pixel.
const MOST_ROWS: u32 = 256;

/// See the module.
pub struct Strip;

fn query(info: &ColumnInfo) -> Query {
    Query { name: info.column.tensor.clone(), view: View::Slice { start: vec![0, 0], len: vec![1, MOST_ROWS] } }
}

impl LayerView for Strip {
    fn fits(&self, _info: &ColumnInfo) -> bool {
        true
    }

    fn wants(&self, info: &ColumnInfo) -> Option<Ask> {
        Some(Ask { source: Source::Chosen, tensors: vec![query(info)], every_ms: 50.0 })
    }

    fn view(&self, info: Arc<ColumnInfo>, answers: Answers) -> AnyView {
        let lab = info.lab;
        let canvas = NodeRef::<Canvas>::new();
        let shape = info.column.shape.iter().map(ToString::to_string).collect::<Vec<_>>().join(" × ");
        let label = format!("{}: {shape} values of the chosen sample, one row each step", info.column.title());
        painted(canvas, move |canvas| {
            let (palette, ramp) = (lab.palette.get(), lab.ramp.get());
            let Some(answer) = answers.get() else { return };
            let Some(values) = answer.find(&query(&info)) else { return };
            let width = values.shape.get(2..).map_or(1, |rest| rest.iter().product::<u32>()).max(1);
            let mut pixels = Vec::new();
            heatmap::diverging(values.data, heatmap::scale_of(values.data), &ramp, palette.ink, &mut pixels);
            put_pixels(canvas, &mut pixels, width);
        });
        view! { <div class="stack"><canvas node_ref=canvas class="strip" width="1" height="1" role="img" aria-label=label.clone() title=label></canvas></div> }
            .into_any()
    }
}
