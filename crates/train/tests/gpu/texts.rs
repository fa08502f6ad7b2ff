//! Texts that a device writes several tokens at a time: they are those of one token at a time, and of the CPU.

use downhill_data::Bundled;
use downhill_model::Experiment;
use downhill_protocol::{About, Event, Generate, Generated};
use downhill_train::{GpuDevice, Session, ready};
use serde_json::{Value, json};

use super::device;

/// Tokens that a network of these tests sees at a time.
const CONTEXT: usize = 30;

fn of(document: &Value) -> Session {
    Session::new(Experiment::from_value(document).unwrap().experiment, &Bundled).unwrap()
}

/// A network with its initial weights on a text of nine letters without a pattern.
fn untrained(middle: &[Value], carry: bool) -> Session {
    let letters = (0..800u64).map(|i| char::from(b'a' + (i * i * 7 + i / 3) as u8 % 9)).collect::<String>();
    let model = [&[json!({ "embedding": { "dim": 16 } })], middle, &[json!({ "linear": { "out": "classes" } })]].concat();
    let data = json!({ "text": { "text": letters, "context": CONTEXT, "carry": carry } });
    of(&json!({ "data": data, "model": model, "seed": 5, "training": { "batch_size": 4, "ema": 0.9, "steps": 100 } }))
}

fn written(session: &mut Session, ask: &Generate) -> Generated {
    session.generate(1, ask.clone()).unwrap();
    ready(session.run_until_rest()).unwrap();
    let told = session.take_events().into_iter();
    told.filter_map(|m| if let Event::Generated(text) = m.header { Some(text) } else { None }).next().unwrap()
}

fn greedy(prompt: &str, tokens: u32) -> Generate {
    Generate { prompt: prompt.to_string(), tokens, temperature: 0.0, ..Generate::default() }
}

fn assert_same(what: &str, a: &Generated, b: &Generated) {
    assert_eq!((a.text.as_str(), &a.tokens), (b.text.as_str(), &b.tokens), "{what}");
    for (at, (a, b)) in a.probabilities.iter().zip(&b.probabilities).enumerate() {
        assert!((a - b).abs() < 1e-4 || a.is_nan() && b.is_nan(), "{what}: {a} for {b} at {at}");
    }
}

/// Each text on the CPU, then on the device with a cache, so several tokens at a time, and without, one at a time; gives those of the CPU.
fn same_on_both(what: &str, session: &mut Session, device: &GpuDevice, asks: &[Generate]) -> Vec<Generated> {
    ready(session.run_until_rest()).unwrap();
    let on_cpu: Vec<Generated> = asks.iter().map(|ask| written(session, ask)).collect();
    ready(session.move_to(Some(device))).unwrap();
    for (ask, text) in asks.iter().zip(&on_cpu) {
        let what = format!("{what}, {ask:?}");
        let ahead = written(session, ask);
        assert_same(&what, &ahead, text);
        assert_eq!(ahead.speed.cache_bytes, text.speed.cache_bytes, "{what}");
        assert_same(&what, &written(session, &Generate { cache: false, ..ask.clone() }), text);
    }
    on_cpu
}

#[test]
fn a_text_is_the_same_several_tokens_at_a_time_and_one_by_one_whatever_is_kept() {
    let Some(device) = device() else { return };
    let attention = json!({ "multi_head_attention": { "num_heads": 4, "causal": true, "rotary": true, "alibi": true, "window": 4, "kv_heads": 2 } });
    let block = json!({ "transformer_block": { "num_heads": 2, "causal": true, "dim_feedforward": 24 } });
    let lstm = json!({ "lstm": { "hidden_size": 6, "output": "all", "num_layers": 2 } });
    let models = [
        ("blocks", vec![json!("positions"), block.clone(), block]),
        ("attention", vec![attention]),
        ("states", vec![lstm, json!({ "gru": { "hidden_size": 5, "output": "all", "layer_norm": true } })]),
        ("nothing to keep", vec![json!("gelu")]),
    ];
    // Within the context, up to its end, beyond it; what is picked, by each of the ways there are.
    let picked = Generate { temperature: 1.0, top_p: 1.0, ..greedy("ab", 21) };
    let mut asks =
        vec![greedy("abc", 20), greedy("ab", 28), greedy("abcdefghi", 40), greedy("a", 2), greedy("a", 9), picked.clone()];
    asks.extend([
        Generate { prompt: "ab".to_string(), tokens: 40, ..Generate::default() },
        Generate { temperature: 8.0, seed: 7, ..picked.clone() },
        Generate { temperature: 0.3, top_k: 4, ..picked.clone() },
        Generate { temperature: 0.7, min_p: 0.6, top_k: 6, top_p: 0.9, ..picked.clone() },
        Generate { repetition_penalty: 1.3, ..picked },
    ]);
    for (name, middle) in models {
        let mut session = untrained(&middle, false);
        let texts = same_on_both(name, &mut session, &device, &asks);
        let nothing = name == "nothing to keep";
        assert!(texts.iter().all(|text| (text.speed.cache_bytes == 0) == nothing || text.tokens.len() == 2), "{name}");
    }
}

#[test]
fn a_network_that_reads_on_writes_the_same_several_tokens_at_a_time_however_long_the_text() {
    let Some(device) = device() else { return };
    let gru = json!({ "gru": { "hidden_size": 8, "output": "all" } });
    let mut session = untrained(&[gru], true);
    let wild = Generate { temperature: 2.0, top_p: 1.0, ..greedy("abc", 70) };
    ready(session.run_until_rest()).unwrap();
    let on_cpu = [greedy("abc", 70), wild.clone()].map(|ask| written(&mut session, &ask));
    ready(session.move_to(Some(&device))).unwrap();
    for (ask, text) in [greedy("abc", 70), wild].iter().zip(&on_cpu) {
        assert_same("carried", &written(&mut session, ask), text);
    }
}

#[test]
fn a_decoder_writes_the_same_of_what_was_read_several_tokens_at_a_time() {
    let Some(device) = device() else { return };
    let model = json!([{ "embedding": { "dim": 8 } }, "positions", { "transformer_block": { "num_heads": 2 } }, { "name": "memory" },
        { "input": "answer" }, { "embedding": { "dim": 8 } }, "positions",
        { "transformer_decoder_block": { "from": "memory", "num_heads": 2, "kv_heads": 1, "rotary": true } },
        { "transformer_decoder_block": { "from": "memory", "num_heads": 4, "norm_first": false } }, { "linear": { "out": "classes" } }]);
    let data = json!({ "reverse": { "length": 16, "vocabulary": 5, "samples": 60, "encoder_decoder": true } });
    let mut session = of(&json!({ "data": data, "model": model, "seed": 5, "training": { "batch_size": 4 } }));
    let about = |row| Generate { about: About::Sample(row), ..greedy("", 40) };
    let asks = [about(0), about(1), Generate { temperature: 3.0, top_p: 1.0, ..about(2) }];
    let texts = same_on_both("decoder", &mut session, &device, &asks);
    assert!(texts.iter().all(|text| text.tokens.len() == 17), "each ends where its sample does");
}

#[test]
fn a_text_ends_in_the_middle_of_what_was_asked_for_at_once() {
    let Some(device) = device() else { return };
    let block = json!({ "transformer_block": { "num_heads": 2, "causal": true } });
    // With a stop word,
    let mut session = untrained(&[json!("positions"), block.clone()], false);
    let wild = Generate { temperature: 3.0, top_p: 1.0, ..greedy("abc", 25) };
    let whole = written(&mut session, &wild).text;
    let stops = [9, 12, 15].map(|at| whole[at..at + 3].to_string());
    let asks = stops.clone().map(|stop| Generate { stop: vec![stop], ..wild.clone() });
    for (text, stop) in same_on_both("stop", &mut session, &device, &asks).iter().zip(&stops) {
        assert_eq!(text.text, whole[..3 + whole[3..].find(stop).unwrap()], "{stop}");
    }
    // and with the token that nothing follows.
    let model = json!([{ "embedding": { "dim": 16 } }, "positions", block, { "linear": { "out": "classes" } }]);
    let document =
        json!({ "data": { "tinytales": { "samples": 60 } }, "model": model, "training": { "batch_size": 8 }, "seed": 4 });
    let mut session = of(&document);
    let language = session.data().language.clone().unwrap();
    let (end, names) = (language.end.unwrap() as usize, language.tokenizer.names());
    let asks: Vec<Generate> =
        (1..13).map(|seed| Generate { temperature: 2.0, top_p: 1.0, seed, ..greedy("once there was", 40) }).collect();
    let texts = same_on_both("end", &mut session, &device, &asks);
    let ended = |text: &&Generated| text.tokens.last() == Some(&names[end]);
    let at: Vec<usize> = texts.iter().filter(ended).map(|text| text.tokens.len() - text.given as usize).collect();
    // The first token comes with the prompt, then eight at a time.
    assert!(at.iter().any(|added| *added > 2 && (added - 1) % 8 > 1), "{at:?}");
}

#[test]
fn a_text_goes_on_with_new_weights_where_they_change_between_two_submits() {
    let Some(device) = device() else { return };
    let block = json!({ "transformer_block": { "num_heads": 2, "causal": true } });
    let mut session = untrained(&[json!("positions"), block], false);
    ready(session.move_to(Some(&device))).unwrap();
    session.start();
    session.generate(1, greedy("abc", 27)).unwrap();
    ready(session.run_until_rest()).unwrap();
    let events = session.take_events();
    let text = events.into_iter().find_map(|m| if let Event::Generated(text) = m.header { Some(text) } else { None }).unwrap();
    assert_eq!((session.step_count(), text.tokens.len(), text.probabilities.len()), (100, 30, 30));
    assert!(text.probabilities[1..].iter().all(|p| (0.0..=1.0).contains(p)), "{text:?}");
}
