//! Texts that a network continues, as the page and scripts ask for them.

#![allow(clippy::unwrap_used, reason = "a helper that cannot go on has failed its test")]

use std::time::{Duration, Instant};

use downhill_protocol::{Command, Event, Generate, Generated, Input, Message, Query, Request, Watch};
use downhill_train::{Conversation, Next, ready};
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
    assert!(speed.len() == 2 && speed.iter().all(|n| n.is_finite() && *n > 0.0), "{speed:?}");
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
