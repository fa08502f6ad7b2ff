//! Texts that scripts ask for: what they may say of one, and what they get. It comes with the later part of the code.

use downhill_protocol::{About, Command, Generate, Generated};
use downhill_tensor::UserError;
use js_sys::Array;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;

use crate::asked::{answer, ask, put};
use crate::state::Lab;
use crate::worker::reflected;

/// Asks for a text, and gives it; the inner result is the worker's.
///
/// # Errors
/// When the script says something that is no wish for a text.
pub async fn continued(lab: Lab, with: JsValue) -> Result<Result<JsValue, JsValue>, UserError> {
    let wish = wish(&with)?;
    Ok(JsFuture::from(ask(lab, Command::Generate(wish))).await)
}

/// What a script wants to be written: a prompt, or `{ prompt, about, tokens, temperature, topK, topP, minP, repetitionPenalty, stop, seed, cache }`, each of which
/// may be left out; `stop` is a word or a list of words, `about` the place of a sample or, where that is read as tokens, these as text.
fn wish(with: &JsValue) -> Result<Generate, UserError> {
    let usual = Generate::default();
    Ok(Generate {
        prompt: with.as_string().or_else(|| reflected(with, "prompt").as_string()).unwrap_or_default(),
        about: match reflected(with, "about").as_string() {
            Some(text) => About::Typed(text),
            None => About::Sample(whole(with, "about", 0)?),
        },
        tokens: whole(with, "tokens", usual.tokens)?,
        temperature: number(with, "temperature", usual.temperature)?,
        top_k: whole(with, "topK", usual.top_k)?,
        top_p: number(with, "topP", usual.top_p)?,
        min_p: number(with, "minP", usual.min_p)?,
        repetition_penalty: number(with, "repetitionPenalty", usual.repetition_penalty)?,
        stop: words(with, "stop")?,
        seed: whole(with, "seed", usual.seed)?,
        cache: reflected(with, "cache").as_bool().unwrap_or(usual.cache),
    })
}

fn number(with: &JsValue, name: &str, usual: f32) -> Result<f32, UserError> {
    let said = reflected(with, name);
    match said.as_f64() {
        Some(number) => Ok(number as f32),
        None if said.is_undefined() => Ok(usual),
        None => Err(UserError::at(name, "This is a number.")),
    }
}

fn whole(with: &JsValue, name: &str, usual: u32) -> Result<u32, UserError> {
    let said = reflected(with, name);
    match said.as_f64().filter(|n| *n >= 0.0 && *n <= f64::from(u32::MAX) && n.fract() == 0.0) {
        Some(number) => Ok(number as u32),
        None if said.is_undefined() => Ok(usual),
        None => Err(UserError::at(name, "This is a whole number from 0 on.")),
    }
}

fn words(with: &JsValue, name: &str) -> Result<Vec<String>, UserError> {
    let said = reflected(with, name);
    if said.is_undefined() {
        return Ok(Vec::new());
    }
    let list = if Array::is_array(&said) { Array::from(&said) } else { Array::of1(&said) };
    let words = list.iter().map(|word| word.as_string()).collect::<Option<Vec<_>>>();
    words.ok_or_else(|| UserError::at(name, "This is a word, or a list of words."))
}

/// Answers a script's wish.
pub fn written(lab: Lab, text: &Generated) {
    answer(lab, text.id, |object| {
        put(object, "text", text.text.as_str());
        put(object, "tokens", text.tokens.iter().map(|token| JsValue::from(token.as_str())).collect::<Array>());
        put(object, "given", text.given);
        put(object, "probabilities", text.probabilities.iter().map(|p| JsValue::from(*p)).collect::<Array>());
        put(object, "firstTokenMs", text.speed.first_token_ms);
        put(object, "tokensPerSecond", text.speed.tokens_per_second);
        put(object, "cacheBytes", text.speed.cache_bytes);
    });
}
