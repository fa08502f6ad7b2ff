//! The chosen sample where it is a sequence of tokens: one line each, in their order.

use std::sync::Arc;

use downhill_protocol::Query;
use leptos::prelude::*;

use super::kinds::{ColumnInfo, LayerView};
use crate::plot::sequence::token;
use crate::reactive::memo;
use crate::state::Answers;
use crate::watches::{Ask, Source};

/// See the module.
pub struct Tokens;

fn raw_name(info: &ColumnInfo) -> String {
    super::samples::raw_name(info.column.input.unwrap_or(0) as usize)
}

/// More tokens than that are written small.
const MANY: usize = 30;

impl LayerView for Tokens {
    fn fits(&self, info: &ColumnInfo) -> bool {
        info.column.input.is_some() && info.column.tokens
    }

    fn wants(&self, info: &ColumnInfo) -> Option<Ask> {
        Some(Ask { source: Source::Chosen, tensors: vec![Query::all(raw_name(info))], every_ms: 50.0 })
    }

    fn view(&self, info: Arc<ColumnInfo>, answers: Answers) -> AnyView {
        let name = raw_name(&info);
        let words = info.data.inputs.get(info.column.input.unwrap_or(0) as usize).map(|i| i.words.clone()).unwrap_or_default();
        // What follows a short sequence is no number.
        let tokens = memo(move || {
            let numbers = answers.with(|answer| Some(answer.as_ref()?.get(&name)?.data.to_vec())).unwrap_or_default();
            numbers.into_iter().filter(|t| !t.is_nan()).map(|t| token(&words, t)).collect::<Vec<_>>()
        });
        let list = move || tokens.get().into_iter().map(|t| view! { <li>{t}</li> }.into_any()).collect_view();
        view! { <div class="stack"><ol class="tokens num" class:dense=move || tokens.with(|tokens| tokens.len() > MANY) translate="no" aria-label="The sample's tokens">{list}</ol></div> }
            .into_any()
    }
}
