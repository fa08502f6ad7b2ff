//! The chosen sample itself, where samples are sounds: the loudness of every band of pitch, time from left to right.

use std::sync::Arc;

use downhill_protocol::Query;
use leptos::prelude::*;

use super::kinds::{ColumnInfo, LayerView};
use crate::panels::network::cells::{Picture, one_cell};
use crate::plot::spectrogram::upright;
use crate::state::Answers;
use crate::watches::{Ask, Source};

/// See the module.
pub struct Heard;

impl LayerView for Heard {
    fn fits(&self, info: &ColumnInfo) -> bool {
        info.data.sound.is_some() && info.column.input.is_some()
    }

    fn wants(&self, _info: &ColumnInfo) -> Option<Ask> {
        Some(Ask { source: Source::Chosen, tensors: vec![Query::all("input")], every_ms: 50.0 })
    }

    fn view(&self, info: Arc<ColumnInfo>, answers: Answers) -> AnyView {
        one_cell(info, answers, "Spectrogram of the sample", |_, answer, _| {
            let frames = answer.get("input")?;
            let &[_, steps, bands] = frames.shape else { return None };
            Some(vec![Picture { values: upright(frames.data, bands as usize), scale: 1.0, width: steps }])
        })
    }
}
