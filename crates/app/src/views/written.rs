//! The chosen sample itself, where samples are the way of a pen: what it writes.

use std::sync::Arc;

use downhill_protocol::Query;
use leptos::prelude::*;

use super::kinds::{ColumnInfo, LayerView};
use crate::panels::network::cells::{Picture, one_cell};
use crate::plot::writing;
use crate::state::Answers;
use crate::watches::{Ask, Source};

/// See the module.
pub struct Written;

impl LayerView for Written {
    fn fits(&self, info: &ColumnInfo) -> bool {
        info.data.pen.is_some() && info.column.input.is_some()
    }

    fn wants(&self, _info: &ColumnInfo) -> Option<Ask> {
        Some(Ask { source: Source::Chosen, tensors: vec![Query::all("raw")], every_ms: 50.0 })
    }

    fn view(&self, info: Arc<ColumnInfo>, answers: Answers) -> AnyView {
        one_cell(info, answers, "What the pen writes", |_, answer, _| {
            let values = writing::drawn(answer.get("raw")?.data);
            Some(vec![Picture { values, scale: 1.0, width: writing::SIDE as u32 }])
        })
    }
}
