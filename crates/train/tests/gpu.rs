//! A session on the GPU: what is left when the device goes, what is measured there, and what a page is told.
//!
//! Without an adapter (Mesa's lavapipe is one) these tests say that they are skipped and why; where `DOWNHILL_REQUIRE_GPU` is set they fail.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, reason = "a helper that cannot go on has failed its test")]

mod shared;

use std::time::{Duration, Instant};

use downhill_protocol::{Arrays, Backend, Backends, Choice, Command, Event, Generate, GpuState, Message, Request};
use downhill_train::{Conversation, DeviceOptions, GpuDevice, Next, Session, ready};
use safetensors::SafeTensors;
use shared::{SPIRALS, assert_curves_agree, session};

fn device() -> Option<GpuDevice> {
    ready(shared::device())
}

fn losses(session: &mut Session, steps: u64) -> Vec<(u64, f32)> {
    ready(shared::losses(session, steps))
}

#[test]
fn a_lost_device_costs_at_most_the_steps_since_the_last_copy() {
    let Some(device) = device() else { return };
    let mut straight = session(SPIRALS);
    let cpu = losses(&mut straight, 40);
    let mut session = session(SPIRALS);
    losses(&mut session, 10);
    ready(session.move_to(Some(&device))).unwrap();
    losses(&mut session, 10);
    device.destroy();
    session.keep_losses();
    session.step(20);
    ready(session.run_until_rest()).unwrap();
    assert_eq!(session.backend(), Backend::Cpu);
    assert!(session.take_loss().is_some_and(|why| why.contains("lost")));
    // The copy was made when it moved; from there on the CPU takes the same steps again.
    assert_eq!(session.step_count(), 40);
    let again = session.take_losses();
    assert_curves_agree("again", &cpu[10..], &again);
}

#[test]
fn a_device_that_is_lost_every_second_step_does_not_stop_the_run() {
    if device().is_none() {
        return;
    }
    let mut session = session(SPIRALS);
    for round in 0..5 {
        let device = device().unwrap();
        ready(session.move_to(Some(&device))).unwrap();
        losses(&mut session, 2);
        device.destroy();
        losses(&mut session, 2);
        assert_eq!(session.backend(), Backend::Cpu, "round {round}");
        assert!(session.take_loss().is_some());
        assert!(ready(session.parameters()).unwrap().iter().all(|(_, _, values)| values.iter().all(|v| v.is_finite())));
    }
}

#[test]
fn statistics_and_averages_move_with_a_run_are_compared_and_survive_a_lost_device() {
    for accumulate in [1, 3] {
        moves_and_survives(accumulate);
    }
}

fn moves_and_survives(accumulate: i64) {
    let document = format!(
        r#"{{ "version": 1, "seed": 3, "data": {{ "spirals": {{ "samples": 200 }} }},
        "model": [{{ "linear": {{ "out": 6, "bias": false }} }}, "batch_norm", "tanh", {{ "linear": {{ "out": "classes" }} }}],
        "optimizer": {{ "adam": {{ "lr": 0.01 }} }},
        "training": {{ "batch_size": 16, "accumulate": {accumulate}, "clip_norm": 1, "steps": 300, "ema": 0.9 }} }}"#
    );
    let Some(device) = device() else { return };
    let weights = |session: &mut Session| ready(session.weights(true)).unwrap();
    let (mut straight, mut moved) = (session(&document), session(&document));
    let cpu = losses(&mut straight, 60);
    let mut mixed = losses(&mut moved, 20);
    let before = weights(&mut moved);
    ready(moved.move_to(Some(&device))).unwrap();
    assert_eq!(weights(&mut moved), before);
    mixed.extend(losses(&mut moved, 20));
    ready(moved.move_to(None)).unwrap();
    let comparison = ready(moved.compare(&device, 10)).unwrap();
    // Five parameters with three slots each, and three buffers.
    assert_eq!(comparison.rows.len(), 5 * 4 + 3);
    for name in ["1.running_mean", "1.running_var", "1.num_batches_tracked", "ema.1.bias"] {
        let row = comparison.rows.iter().find(|row| row.tensor == name).unwrap();
        assert!(row.relative < 1e-3, "{row:?}");
    }
    ready(moved.move_to(Some(&device))).unwrap();
    device.destroy();
    mixed.extend(losses(&mut moved, 20));
    assert_eq!((moved.backend(), moved.step_count()), (Backend::Cpu, 60));
    assert_curves_agree("moved", &cpu, &mixed);
    let counts = [&mut straight, &mut moved].map(|session| {
        let bytes = weights(session);
        let file = SafeTensors::deserialize(&bytes).unwrap();
        file.tensor("1.num_batches_tracked").unwrap().data().to_vec()
    });
    let count = (60 * accumulate).to_le_bytes().to_vec();
    assert_eq!(counts, [count.clone(), count]);
}

#[test]
fn states_that_are_carried_move_with_a_run_and_survive_a_lost_device() {
    let text = "the tide comes in and the tide goes out, and what it took it brings again. ".repeat(8);
    let document = format!(
        r#"{{ "version": 1, "seed": 3, "data": {{ "text": {{ "text": "{text}", "context": 7, "validation": 0, "carry": true }} }},
        "model": [{{ "embedding": {{ "dim": 6 }} }}, {{ "lstm": {{ "hidden_size": 9, "num_layers": 2, "output": "all" }} }},
                  {{ "gru": {{ "hidden_size": 5, "output": "all" }} }}, {{ "linear": {{ "out": "classes" }} }}],
        "optimizer": {{ "adam": {{ "lr": 0.01 }} }}, "training": {{ "batch_size": 4, "steps": 300 }} }}"#
    );
    let Some(device) = device() else { return };
    let (mut straight, mut moved) = (session(&document), session(&document));
    let cpu = losses(&mut straight, 60);
    let mut mixed = losses(&mut moved, 13);
    ready(moved.move_to(Some(&device))).unwrap();
    device.destroy();
    // Within a pass of 21 batches: the CPU goes on from the copy that was made when it moved, bit for bit.
    mixed.extend(losses(&mut moved, 17));
    assert_eq!((moved.backend(), &mixed[..]), (Backend::Cpu, &cpu[..30]));
    let Some(device) = self::device() else { return };
    ready(moved.move_to(Some(&device))).unwrap();
    mixed.extend(losses(&mut moved, 20));
    ready(moved.move_to(None)).unwrap();
    mixed.extend(losses(&mut moved, 10));
    assert_curves_agree("moved", &cpu, &mixed);
}

#[test]
fn a_verdict_reads_the_layers_on_the_device_too() {
    let Some(device) = device() else { return };
    let document = SPIRALS.replacen(r#""out": 6"#, r#""out": 6, "init": "zeros""#, 1);
    let document = document.replace(r#""out": "classes""#, r#""out": "classes", "init": "zeros""#).replace("100", "20");
    let mut session = session(&document);
    ready(session.move_to(Some(&device))).unwrap();
    session.step(300);
    ready(session.run_until_rest()).unwrap();
    let verdict = session.verdict();
    assert_eq!((session.backend(), verdict.name.as_str()), (Backend::Gpu, "alike"), "{verdict:?}");
    assert!(verdict.sentence.contains("all 6 units of linear 6 #0"), "{}", verdict.sentence);
}

#[test]
fn a_text_on_the_device_is_that_of_the_cpu_with_what_is_kept_of_it_and_without() {
    const TEXT: &str = r#"{ "version": 1, "seed": 3, "data": { "text": { "text": "the cat saw the dog and the dog saw a bird; ", "context": 12 } },
        "model": [{ "embedding": { "dim": 16 } }, { "positions": { "kind": "sinusoidal" } },
            { "transformer_block": { "num_heads": 4, "kv_heads": 2, "causal": true, "rotary": true, "window": 5 } },
            { "transformer_block": { "num_heads": 2, "causal": true, "alibi": true } },
            { "lstm": { "hidden_size": 8, "output": "all" } }, { "linear": { "out": "classes" } }],
        "training": { "batch_size": 4 } }"#;
    let Some(device) = device() else { return };
    let mut session = session(&TEXT.replace("a bird; ", &"a bird; the cat saw the dog and ".repeat(20)));
    let mut written = Vec::new();
    for (on, cache) in [(None, false), (Some(&device), false), (Some(&device), true), (None, true)] {
        ready(session.move_to(on)).unwrap();
        let ask = Generate { prompt: "the ".to_string(), tokens: 20, temperature: 0.0, cache, ..Generate::default() };
        session.generate(1, ask).unwrap();
        ready(session.run_until_rest()).unwrap();
        let events = session.take_events();
        let text =
            events.into_iter().find_map(|m| if let Event::Generated(text) = m.header { Some(text) } else { None }).unwrap();
        // Keys and values of 12 places in both blocks, and both states.
        assert_eq!(text.speed.cache_bytes, if cache { 4 * (12 * (16 + 32) + 16) } else { 0 });
        written.push(text);
    }
    for text in &written[1..] {
        assert_eq!(text.tokens, written[0].tokens);
        let known = text.probabilities.iter().zip(&written[0].probabilities).skip(1);
        assert!(known.into_iter().all(|(a, b)| (a - b).abs() < 1e-4), "{text:?} {:?}", written[0]);
    }
}

#[test]
fn a_profile_names_every_kernel_on_both_and_leaves_the_run_as_it_is() {
    let Some(device) = device() else { return };
    let mut session = session(SPIRALS);
    losses(&mut session, 10);
    let before = ready(session.snapshot()).unwrap();
    for device in [None, Some(&device)] {
        ready(session.move_to(device)).unwrap();
        let report = ready(session.profile()).unwrap();
        assert!(report.rows.len() > 5 && report.rows.iter().all(|row| row.nanoseconds > 0.0), "{report:?}");
        assert!(report.peak_bytes > 1e6 && report.peak_flops > 1e6, "{report:?}");
        let has = |layer: &str, phase: &str| report.rows.iter().any(|r| r.layer == layer && r.phase == phase);
        assert!(has("model[0]", "forward") && has("model[2]", "backward") && has("optimizer", "update"), "{report:?}");
    }
    assert_eq!(ready(session.snapshot()).unwrap(), before);
}

struct Page {
    worker: Conversation,
    heard: Vec<Message<Event>>,
    id: u32,
}

impl Page {
    fn ask(&mut self, command: Command) {
        self.id += 1;
        ready(self.worker.handle(Arrays::default().with(Request { id: self.id, command })));
        self.heard.extend(self.worker.take_events());
    }

    fn work_until(&mut self, done: impl Fn(&Backends) -> bool) -> Backends {
        let start = Instant::now();
        loop {
            let next = ready(self.worker.advance(Instant::now() + Duration::from_millis(8)));
            self.heard.extend(self.worker.take_events());
            let backends = self.heard.iter().rev().find_map(|m| match &m.header {
                Event::Backends(backends) => Some(backends.clone()),
                _ => None,
            });
            if let Some(backends) = backends.clone().filter(|b| done(b)) {
                return backends;
            }
            assert!(start.elapsed() < Duration::from_secs(60), "{backends:?}");
            if next != Next::Now {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    }
}

#[test]
fn the_page_is_told_what_trains_and_a_software_adapter_only_trains_when_asked() {
    let Some(device) = device() else { return };
    let mut page = Page { worker: Conversation::with_gpu(DeviceOptions::default()), heard: Vec::new(), id: 0 };
    // Only a run that trains looks for the GPU by itself, so it has to last.
    let long = SPIRALS.replace(r#""steps": 300"#, r#""steps": 1000000"#);
    page.ask(Command::Load { experiment: long, fresh: false });
    page.ask(Command::Start);
    let found = page.work_until(|b| matches!(b.gpu, GpuState::Ready(_)));
    if device.adapter().software {
        assert_eq!((found.choice, found.active), (Choice::Auto, Backend::Cpu));
        page.ask(Command::Choose(Choice::Fixed(Backend::Gpu)));
    }
    let chosen = page.work_until(|b| b.active == Backend::Gpu);
    assert!(chosen.note.contains("GPU"), "{chosen:?}");
    assert!(matches!(&chosen.gpu, GpuState::Ready(gpu) if gpu.rate.is_some_and(|r| r > 0.0)) && chosen.cpu_rate.is_some());
    page.ask(Command::LoseDevice);
    let lost = page.work_until(|b| b.active == Backend::Cpu);
    assert!(lost.may_return && lost.note.contains("lost"), "{lost:?}");
    page.ask(Command::Choose(Choice::Fixed(Backend::Gpu)));
    page.work_until(|b| b.active == Backend::Gpu);
}

#[test]
fn a_device_with_too_little_memory_leaves_the_run_on_the_cpu_and_says_why() {
    let Some(_) = device() else { return };
    let options = DeviceOptions { max_buffer: Some(1 << 16), ..DeviceOptions::default() };
    let wide = SPIRALS.replace(r#""out": 6"#, r#""out": 4000"#).replace(r#""steps": 300"#, r#""steps": 3"#);
    let mut page = Page { worker: Conversation::with_gpu(options), heard: Vec::new(), id: 0 };
    page.ask(Command::Load { experiment: wide, fresh: false });
    page.ask(Command::Choose(Choice::Fixed(Backend::Gpu)));
    let refused = page.work_until(|b| matches!(b.gpu, GpuState::Unusable { .. }));
    assert_eq!(refused.active, Backend::Cpu);
    assert!(!refused.note.is_empty(), "{refused:?}");
}
