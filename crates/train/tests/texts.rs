//! Texts that a network continues, as the page and scripts ask for them.

#![allow(clippy::unwrap_used, reason = "a helper that cannot go on has failed its test")]

use std::time::{Duration, Instant};

use downhill_data::NoAssets;
use downhill_model::Experiment;
use downhill_protocol::{About, Command, Event, Generate, Generated, Input, Message, Query, Request, Watch};
use downhill_train::{Conversation, Next, Session, ready};
use serde_json::{Value, json};

const NAMES: [&str; 6] = ["tokens", "given", "probability", "likeliest", "likeliest_probability", "speed"];

/// Eight letters in a circle, each of which is known by the one before it.
fn circle() -> Value {
    json!({
        "data": { "text": { "text": "abcdefgh".repeat(60), "context": 8 } },
        "model": [{ "embedding": { "dim": 8 } }, { "linear": { "out": "classes" } }],
        "optimizer": { "adam": { "lr": 0.1 } },
        "training": { "steps": 120, "batch_size": 8, "eval_every": 20 },
        "view": { "pace": "max" },
    })
}

#[derive(Default)]
struct Page {
    worker: Conversation,
    id: u32,
    heard: Vec<Message<Event>>,
}

impl Page {
    fn of(experiment: &Value) -> Self {
        let mut page = Self::default();
        page.ask(Command::Load { experiment: experiment.to_string(), fresh: false });
        page
    }

    fn ask(&mut self, command: Command) -> u32 {
        self.id += 1;
        ready(self.worker.handle(Message::new(Request { id: self.id, command })));
        self.heard.extend(self.worker.take_events());
        self.id
    }

    fn work(&mut self) {
        while ready(self.worker.advance(Instant::now() + Duration::from_millis(8))) != Next::Rest {}
        self.heard.extend(self.worker.take_events());
    }

    fn generated(&self, of: u32) -> &Generated {
        let is = |m: &&Message<Event>| matches!(&m.header, Event::Generated(text) if text.id == of);
        let Event::Generated(text) = &self.heard.iter().find(is).unwrap().header else { panic!("a text") };
        text
    }

    fn refusal(&self, of: u32) -> String {
        let error = |m: &Message<Event>| match &m.header {
            Event::Error { id, error } if *id == Some(of) => Some(error.to_string()),
            _ => None,
        };
        self.heard.iter().find_map(error).unwrap()
    }

    /// Step, and the tensors of [`NAMES`], of every answer.
    fn answers(&self) -> Vec<(u64, [Vec<f32>; 6])> {
        let answer = |m: &Message<Event>| match &m.header {
            Event::Answer { step, tensors, .. } => {
                assert_eq!(tensors.iter().map(|t| t.query.name.as_str()).collect::<Vec<_>>(), NAMES);
                Some((*step, std::array::from_fn(|i| m.array(tensors[i].data).to_vec())))
            }
            _ => None,
        };
        self.heard.iter().filter_map(answer).collect()
    }
}

fn ask(prompt: &str, tokens: u32) -> Generate {
    Generate { prompt: prompt.to_string(), tokens, temperature: 0.0, ..Generate::default() }
}

fn watch(page: &mut Page, ask: Generate) {
    let tensors = NAMES.map(Query::all).to_vec();
    page.ask(Command::Watch(Watch { key: 1, input: Input::Generated(ask), tensors, every_ms: 0.0 }));
}

#[test]
fn a_text_is_written_anew_while_a_run_learns_and_once_more_where_it_rests() {
    let mut page = Page::of(&circle());
    watch(&mut page, ask("abc", 10));
    page.ask(Command::Start);
    page.work();
    let answers = page.answers();
    assert!(answers.len() > 1, "it is written while the run goes on, too");
    let (step, [tokens, given, probability, likeliest, their, speed]) = answers.last().unwrap();
    assert_eq!((*step, given.as_slice(), tokens.len(), probability.len()), (120, &[3.0][..], 13, 13));
    let letters: Vec<f32> = (0..13u8).map(|i| f32::from(i % 8)).collect();
    assert_eq!(*tokens, letters, "the circle goes on beyond what the network sees at a time");
    assert!(probability[0].is_nan() && probability[1..].iter().all(|p| *p > 0.9), "{probability:?}");
    assert_eq!((likeliest.len(), likeliest[12 * 10], their[12 * 10]), (130, tokens[12], probability[12]));
    assert!(their[18].is_nan() && !their[17].is_nan(), "there are only eight letters");
    assert!(
        speed.len() == 3 && speed[0] > 0.0 && speed[1] > 0.0 && speed[2] == 0.0,
        "there is nothing to keep here: {speed:?}"
    );
    let told = page.answers().len();
    page.work();
    assert_eq!(page.answers().len(), told, "nothing has changed since");
}

#[test]
fn a_text_that_is_asked_for_once_comes_under_its_number_and_a_seed_gives_it_again() {
    let mut page = Page::of(&circle());
    page.ask(Command::Start);
    let early = page.ask(Command::Generate(ask("a", 4)));
    page.work();
    assert_eq!(page.generated(early).tokens.len(), 5);
    let wild = |seed| Generate { temperature: 8.0, top_p: 1.0, seed, ..ask("fgh", 30) };
    let ids = [ask("fgh", 6), wild(1), wild(1), wild(2)].map(|ask| page.ask(Command::Generate(ask)));
    page.work();
    let [plain, first, again, other] = ids.map(|id| page.generated(id).clone());
    assert_eq!((plain.text.as_str(), plain.given, plain.tokens[3].as_str()), ("fghabcdef", 3, "a"));
    // Five tokens after the first, each a run of the network, took some time, but not that of the texts before.
    assert!(plain.speed.first_token_ms > 0.0 && plain.speed.tokens_per_second.is_finite(), "{:?}", plain.speed);
    let nothing = page.ask(Command::Generate(ask("a", 0)));
    let one = page.ask(Command::Generate(ask("a", 1)));
    page.work();
    let [nothing, one] = [nothing, one].map(|id| page.generated(id).speed);
    assert!(nothing.first_token_ms.is_nan() && one.first_token_ms > 0.0 && one.tokens_per_second.is_nan(), "{one:?}");
    assert!(first.text == again.text && first.text != other.text && first.text.starts_with("fgh"), "{first:?} {other:?}");
    // Without a prompt it begins as what is held out does.
    let held_out = page.ask(Command::Generate(ask("", 3)));
    page.work();
    assert_eq!((page.generated(held_out).given, page.generated(held_out).tokens.len()), (8, 11));
}

#[test]
fn what_cannot_be_written_is_refused_and_the_run_goes_on() {
    let mut page = Page::of(&circle());
    let unknown = page.ask(Command::Generate(ask("abz", 4)));
    assert!(page.refusal(unknown).contains("prompt") && page.refusal(unknown).contains("\"z\""), "{}", page.refusal(unknown));
    watch(&mut page, ask("abz", 4));
    page.ask(Command::Start);
    page.work();
    assert!(page.heard.iter().any(|m| matches!(&m.header, Event::Unanswered { error, .. } if error.message.contains("\"z\""))));
    assert!(page.heard.iter().any(|m| matches!(m.header, Event::Finished { step: 120, .. })));
    let spirals = json!({ "data": "spirals", "model": [{ "linear": { "out": "classes" } }] });
    let mut page = Page::of(&spirals);
    let id = page.ask(Command::Generate(ask("a", 4)));
    assert!(page.refusal(id).contains("no text"));
}

#[test]
fn a_text_that_another_experiment_comes_before_is_told_of() {
    let mut page = Page::of(&circle());
    let id = page.ask(Command::Generate(ask("a", 500)));
    let mut other = circle();
    other["model"][0]["embedding"]["dim"] = json!(9);
    page.ask(Command::Load { experiment: other.to_string(), fresh: false });
    assert!(page.refusal(id).contains("changed before the text was written"));
    let id = page.ask(Command::Generate(ask("a", 5)));
    page.work();
    assert_eq!(page.generated(id).tokens.len(), 6);
}

/// Tokens that a network of these tests sees at a time.
const CONTEXT: usize = 9;

/// A network with its initial weights on a text of nine letters without a pattern.
fn untrained(model: &Value, context: usize) -> Session {
    let letters = (0..800u64).map(|i| char::from(b'a' + (i * i * 7 + i / 3) as u8 % 9)).collect::<String>();
    let document = json!({
        "data": { "text": { "text": letters, "context": context } }, "model": model, "seed": 5,
        "training": { "batch_size": 4, "ema": 0.9 },
    });
    Session::new(Experiment::from_value(&document).unwrap().experiment, &NoAssets).unwrap()
}

fn written(session: &mut Session, ask: Generate) -> Generated {
    session.generate(1, ask).unwrap();
    ready(session.run_until_rest()).unwrap();
    let told =
        session.take_events().into_iter().find_map(|m| if let Event::Generated(text) = m.header { Some(text) } else { None });
    told.unwrap()
}

/// The same text twice, with what is kept and without; gives its tokens and the bytes of the cache.
fn same_both_ways(name: &str, session: &mut Session, ask: &Generate) -> Generated {
    let kept = written(session, ask.clone());
    let whole = written(session, Generate { cache: false, ..ask.clone() });
    assert_eq!(kept.tokens, whole.tokens, "{name}");
    assert_eq!(whole.speed.cache_bytes, 0);
    for (at, (a, b)) in kept.probabilities.iter().zip(&whole.probabilities).enumerate() {
        assert!((a - b).abs() < 2e-5 || a.is_nan() && b.is_nan(), "{name}: {a} for {b} at {at}");
    }
    kept
}

#[test]
fn a_text_is_the_same_with_what_is_kept_of_its_tokens_and_without() {
    let attention = |more: Value| {
        let mut fields = json!({ "num_heads": 4, "causal": true });
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([{ "positions": { "kind": "sinusoidal" } }, { "multi_head_attention": fields }])
    };
    let block = |more: Value| {
        let mut fields = json!({ "num_heads": 4, "causal": true, "dim_feedforward": 24 });
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!(["positions", { "transformer_block": fields.clone() }, { "transformer_block": fields }])
    };
    // Each with the numbers that it keeps of a position, or of all where it has a state.
    let (by_place, once) = (4 * CONTEXT, 4);
    let models = [
        ("causal", attention(json!({})), by_place * 32),
        ("grouped heads", attention(json!({ "kv_heads": 2 })), by_place * 16),
        ("one head, rotary", attention(json!({ "num_heads": 1, "rotary": true })), by_place * 32),
        ("window", attention(json!({ "window": 3 })), by_place * 32),
        ("window of one", attention(json!({ "window": 1, "bias": false })), by_place * 32),
        ("alibi", attention(json!({ "alibi": true, "soft_cap": 2.0 })), by_place * 32),
        (
            "all of it",
            attention(json!({ "alibi": true, "rotary": true, "window": 4, "kv_heads": 1, "soft_cap": 3.0 })),
            by_place * 8,
        ),
        ("blocks", block(json!({})), by_place * 64),
        (
            "blocks, rotary and gated",
            block(json!({ "rotary": true, "norm": "rms_norm", "activation": "swiglu", "kv_heads": 2 })),
            by_place * 32,
        ),
        (
            "blocks, norm behind",
            block(json!({ "alibi": true, "norm_first": false, "window": 5, "dropout": 0.5 })),
            by_place * 64,
        ),
        ("rnn", json!([{ "rnn": { "hidden_size": 6, "output": "all", "num_layers": 2 } }]), once * 12),
        ("gru", json!([{ "gru": { "hidden_size": 6, "output": "all" } }, "tanh"]), once * 6),
        (
            "lstm",
            json!([{ "lstm": { "hidden_size": 6, "output": "all", "num_layers": 2, "dropout": 0.3 } }, "layer_norm"]),
            once * 24,
        ),
        (
            "norms inside",
            json!([{ "lstm": { "hidden_size": 6, "output": "all", "layer_norm": true } }, { "gru": { "hidden_size": 5, "output": "all", "layer_norm": true } }]),
            once * (12 + 5),
        ),
        (
            "one in another",
            json!([
                { "name": "before" },
                { "residual": ["rms_norm", { "multi_head_attention": { "num_heads": 2, "causal": true } }] },
                { "repeat": { "times": 2, "body": [{ "transformer_block": { "num_heads": 2, "causal": true } }] } },
                { "add": { "from": "before" } },
                { "concat": [[{ "linear": { "out": 8 } }, "relu"], [{ "gru": { "hidden_size": 5, "output": "all" } }]] },
            ]),
            by_place * 96 + once * 5,
        ),
        ("norms of queries and keys", attention(json!({ "qk_norm": true, "kv_heads": 2, "rotary": true })), by_place * 16),
        ("blocks with such norms", block(json!({ "qk_norm": true, "window": 4 })), by_place * 64),
        ("nothing to keep", json!([{ "linear": { "out": 12 } }, "gelu"]), 0),
    ];
    for (name, middle, bytes) in models {
        let layers = middle.as_array().unwrap().iter().cloned();
        let model: Vec<Value> = std::iter::once(json!({ "embedding": { "dim": 16 } }))
            .chain(layers)
            .chain([json!({ "linear": { "out": "classes" } })])
            .collect();
        let mut session = untrained(&json!(model), CONTEXT);
        ready(session.run_until_rest()).unwrap();
        let programs = session.compiled_programs();
        // Within the context one program goes over the prompt and one over every other token.
        let short = same_both_ways(name, &mut session, &ask("abc", 5));
        assert_eq!((short.speed.cache_bytes as usize, session.compiled_programs() - programs), (bytes, 3), "{name}");
        for (prompt, tokens) in [("a", 30), ("abcdefghi", 4), ("hgfedcbaabcdefgh", 12)] {
            same_both_ways(name, &mut session, &ask(prompt, tokens));
        }
        same_both_ways(
            name,
            &mut session,
            &Generate { temperature: 1.0, top_p: 1.0, repetition_penalty: 1.3, ..ask("ab", 20) },
        );
        // With other weights, and the averages of them.
        session.step(3);
        ready(session.run_until_rest()).unwrap();
        session.take_events();
        same_both_ways(name, &mut session, &ask("fed", 20));
    }
}

#[test]
fn an_output_that_shares_the_embedding_writes_the_same_with_what_is_kept_and_without() {
    let model = json!([{ "embedding": { "dim": 16, "std": 0.3 } }, { "transformer_block": { "num_heads": 2, "causal": true, "rotary": true } },
        "layer_norm", { "linear": { "out": "classes", "tied": true } }]);
    let mut session = untrained(&model, CONTEXT);
    for steps in [0, 20] {
        session.step(steps);
        ready(session.run_until_rest()).unwrap();
        session.take_events();
        assert!(same_both_ways("tied", &mut session, &ask("abc", 30)).speed.cache_bytes > 0);
    }
}

#[test]
fn a_network_that_looks_ahead_or_at_several_positions_keeps_nothing_and_says_why() {
    let models = [
        (json!({ "multi_head_attention": { "num_heads": 2 } }), "model[1]: `multi_head_attention` looks at several positions"),
        (json!({ "gru": { "bidirectional": true, "hidden_size": 4, "output": "all" } }), "model[1]: `gru`"),
        (json!({ "residual": [{ "transformer_block": { "num_heads": 2 } }] }), "model[1].residual[0]: `transformer_block`"),
    ];
    for (layer, why) in models {
        let model = json!([{ "embedding": { "dim": 8 } }, layer, { "linear": { "out": "classes" } }]);
        let mut session = untrained(&model, CONTEXT);
        let Event::Loaded(info) = session.loaded().header else { panic!("what was loaded") };
        let told = info.data.language.unwrap().no_cache.unwrap();
        assert!(told.starts_with(why), "{told}");
        assert_eq!(same_both_ways(why, &mut session, &ask("ab", 20)).speed.cache_bytes, 0);
    }
}

#[test]
fn what_was_kept_with_other_weights_is_not_used() {
    let model = json!([
        { "embedding": { "dim": 16 } }, "positions", { "transformer_block": { "num_heads": 2, "causal": true } }, { "linear": { "out": "classes" } },
    ]);
    let mut session = untrained(&model, 256);
    ready(session.run_until_rest()).unwrap();
    let programs = session.compiled_programs();
    session.generate(1, ask("abc", 200)).unwrap();
    // Until there is a program for the next token, which is about to be used then.
    while session.compiled_programs() < programs + 2 {
        ready(session.advance(Instant::now() + Duration::from_micros(200))).unwrap();
    }
    assert!(session.take_events().iter().all(|m| !matches!(m.header, Event::Generated(_))), "it is not done yet");
    for row in 0..9 {
        session.set_weight("0.weight", &[row, 0], 3.0 - row as f32).unwrap();
    }
    ready(session.run_until_rest()).unwrap();
    let events = session.take_events();
    let text = events.iter().find_map(|m| if let Event::Generated(text) = &m.header { Some(text) } else { None }).unwrap();
    let (before, last) = text.text.split_at(text.text.len() - 1);
    let anew = written(&mut session, Generate { cache: false, ..ask(before, 1) });
    assert_eq!(anew.tokens.last().map(String::as_str), Some(last));
    assert!((anew.probabilities[202] - text.probabilities[202]).abs() < 2e-5, "{text:?}");
}

/// An encoder and a decoder with their initial weights, on letters to be reversed.
fn encoder_decoder(decoder: &Value) -> Session {
    let mut model = json!([{ "embedding": { "dim": 8 } }, "positions", { "transformer_block": { "num_heads": 2 } }, { "name": "memory" },
        { "input": "answer" }, { "embedding": { "dim": 8 } }, "positions"]);
    let model = model.as_array_mut().unwrap();
    model.extend(decoder.as_array().unwrap().iter().cloned().chain([json!({ "linear": { "out": "classes" } })]));
    let data = json!({ "reverse": { "length": 6, "vocabulary": 5, "samples": 60, "encoder_decoder": true } });
    let document = json!({ "data": data, "model": model, "seed": 5, "training": { "batch_size": 4 } });
    Session::new(Experiment::from_value(&document).unwrap().experiment, &NoAssets).unwrap()
}

/// Decoders that differ in how they look at what was read.
fn decoders() -> [(&'static str, Value); 3] {
    let block = json!({ "transformer_decoder_block": { "from": "memory", "num_heads": 2, "kv_heads": 1, "rotary": true, "qk_norm": true } });
    let own = json!({ "multi_head_attention": { "num_heads": 2, "causal": true } });
    let cross = json!({ "multi_head_attention": { "num_heads": 2, "from": "memory" } });
    [
        ("blocks", json!([block, { "transformer_decoder_block": { "from": "memory", "num_heads": 4, "norm_first": false } }])),
        ("repeated", json!([{ "repeat": { "times": 2, "body": [block] } }])),
        ("layers", json!([own, cross])),
    ]
}

#[test]
fn a_decoder_writes_the_same_with_what_is_kept_of_what_was_read_and_without() {
    for (name, decoder) in decoders() {
        let mut session = encoder_decoder(&decoder);
        let about = |about| Generate { about, ..ask("", 20) };
        let first = same_both_ways(name, &mut session, &about(About::Sample(0)));
        assert!(first.speed.cache_bytes > 0, "{name}");
        assert_eq!((first.tokens.len(), first.given, first.tokens[0].as_str()), (7, 1, "→"), "{name}");
        // What lies in the cache is of one text.
        let others: Vec<Generated> = (1..6).map(|row| same_both_ways(name, &mut session, &about(About::Sample(row)))).collect();
        assert!(others.iter().any(|other| other.probabilities[1..] != first.probabilities[1..]), "{name}");
        let typed = same_both_ways(name, &mut session, &about(About::Typed("a b c d e a".to_string())));
        let again = same_both_ways(name, &mut session, &about(About::Typed("abcdea".to_string())));
        assert_eq!(typed.probabilities[1..], again.probabilities[1..], "{name}");
        let begun = written(&mut session, Generate { prompt: "c d".to_string(), ..about(About::Sample(0)) });
        assert_eq!((&begun.tokens[..3], begun.given), (&["→", "c", "d"].map(String::from)[..], 3), "{name}");
    }
}

#[test]
fn what_cannot_be_read_before_writing_is_refused_with_its_field() {
    let refusal = |session: &mut Session, about: About| {
        let error = session.generate(1, Generate { about, ..ask("", 5) }).unwrap_err();
        assert_eq!(error.path.as_deref(), Some("about"));
        error.to_string()
    };
    let mut session = encoder_decoder(&decoders()[0].1);
    assert!(refusal(&mut session, About::Sample(12)).contains("so none with number 12"));
    let typed = |text: &str| About::Typed(text.to_string());
    assert!(refusal(&mut session, typed("abc")).contains("The sequence has 3 tokens; the network takes 6."));
    assert!(refusal(&mut session, typed("")).contains("The sequence has 0 tokens"));
    let unknown = refusal(&mut session, typed("abcxyz"));
    assert!(unknown.starts_with("about: "), "{unknown}");
    let mut text = untrained(&json!([{ "embedding": { "dim": 4 } }, { "linear": { "out": "classes" } }]), CONTEXT);
    assert!(refusal(&mut text, typed("abc")).contains("nothing beside the text"));
    let model = json!([{ "patch_embedding": { "patch_size": 14, "dim": 8 } }, { "name": "picture" }, { "input": "answer" },
        { "embedding": { "dim": 8 } }, { "transformer_block": { "num_heads": 2 } },
        { "multi_head_attention": { "num_heads": 2, "from": "picture" } }, { "linear": { "out": "classes" } }]);
    let document = json!({ "data": { "captions": { "samples": 20 } }, "model": model, "training": { "batch_size": 4 } });
    let experiment = Experiment::from_value(&document).unwrap().experiment;
    let mut captions = Session::new(experiment, &NoAssets).unwrap();
    assert!(refusal(&mut captions, typed("seven")).contains("which is no text"));
    // A block that is not causal keeps nothing; it writes all the same.
    let caption = same_both_ways("captions", &mut captions, &Generate { about: About::Sample(1), ..ask("", 9) });
    assert!((2..=4).contains(&caption.tokens.len()) && caption.speed.cache_bytes == 0, "{:?}", caption.tokens);
}
