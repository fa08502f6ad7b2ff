//! Any text as the tokens that it is cut into; what the network makes of them is in `text`.

use downhill_protocol::{DataInfo, Generate, Input, Query};
use leptos::prelude::*;

use super::kinds::OutputView;
use crate::document::grouped;
use crate::plot::sequence::token;
use crate::reactive::{RwSignal, entered, memo};
use crate::state::Lab;
use crate::watches::{Ask, Source};

/// Characters that may be typed: every token is an element of the page.
const LONGEST: &str = "2000";

/// See the module.
pub struct Tokenized;

impl OutputView for Tokenized {
    fn title(&self) -> &'static str {
        "Tokens"
    }

    fn fits(&self, data: &DataInfo) -> bool {
        data.language.is_some()
    }

    fn view(&self, lab: Lab) -> AnyView {
        view! { <Cut lab/> }.into_any()
    }
}

#[component]
fn Cut(lab: Lab) -> impl IntoView {
    // A text that nothing is added to.
    let ask = RwSignal::new(Generate { tokens: 0, ..Generate::default() });
    let words = memo(move || lab.info.with(|info| info.as_ref().map(|info| info.data.labels.clone()).unwrap_or_default()));
    let answers = lab.watch(move || {
        Some(Ask { source: Source::Of(Input::Generated(ask.get())), tensors: vec![Query::all("tokens")], every_ms: 1000.0 })
    });
    let tokens = memo(move || answers.with(|answer| Some(answer.as_ref()?.get("tokens")?.data.to_vec())).unwrap_or_default());
    let counted = move || {
        let (cut, of) = (tokens.with(Vec::len), words.with(Vec::len));
        format!("{} tokens, of {} different ones", grouped(cut as u64), grouped(of as u64))
    };
    let list = move || {
        let words = words.get();
        let item =
            |number: f32| view! { <li title=format!("token {number}")><bdi>{token(&words, number)}</bdi></li> }.into_any();
        tokens.get().into_iter().map(item).collect_view()
    };
    view! {
        <div class="fields"><div class="field"><label for="tokenized">"Text"</label>
            <textarea id="tokenized" class="num" rows="3" maxlength=LONGEST data-testid="tokenized-text" spellcheck="false" placeholder="The beginning of a text that is held out"
                on:input=entered(move |ev| ask.update(|ask| ask.prompt = event_target_value(&ev)))></textarea></div></div>
        <p class="hint num" data-testid="tokenized-count">{counted}</p>
        <ol class="tokens flow num" translate="no" data-testid="tokenized" aria-label="The tokens of the text">{list}</ol>
    }
}
