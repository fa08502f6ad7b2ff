//! The chosen sample where it is a sequence of tokens: one line each, in their order.

use std::sync::Arc;

use downhill_protocol::Query;
use leptos::prelude::*;

use super::kinds::{ColumnInfo, LayerView};
use crate::canvas::room_of;
use crate::panels::network::cells::{MORE, more_of};
use crate::plot::sequence::{lay_out, token};
use crate::reactive::memo;
use crate::state::Answers;
use crate::watches::{Ask, Source};

/// See the module.
pub struct Tokens;

fn raw_name(info: &ColumnInfo) -> String {
    super::samples::raw_name(info.column.input.unwrap_or(0) as usize)
}

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
        let (stack, room) = room_of();
        let laid = memo(move || tokens.with(|tokens| lay_out(tokens, room.get(), MORE)));
        let list = move || {
            let (tokens, (_, shown)) = (tokens.get(), laid.get());
            tokens.into_iter().take(shown).map(|t| view! { <li>{t}</li> }.into_any()).collect_view()
        };
        let more = move || {
            let left = tokens.with(Vec::len).saturating_sub(laid.get().1);
            (left > 0).then(|| view! { <span class="more num" translate="no">{more_of(left, "token")}</span> })
        };
        view! { <div class="stack wide" node_ref=stack><ol class="tokens num" class:dense=move || laid.get().0 translate="no" aria-label="The sample's tokens">{list}</ol>{more}</div> }
            .into_any()
    }
}
