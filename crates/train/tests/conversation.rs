//! The worker's side of the protocol, without a worker.

use std::time::{Duration, Instant};

use downhill_protocol::{Arrays, Command, Event, Frame, MapSource, Message, Request, Status, Watch};
use downhill_train::{Conversation, Next, ready};

const SPIRALS: &str = r#"{ "version": 1, "seed": 3, "data": { "spirals": { "samples": 200 } }, "view": { "pace": "max" },
    "model": [{ "linear": { "out": 6 } }, "tanh", { "linear": { "out": "classes" } }], "training": { "eval_every": 100, "steps": 300 } }"#;
const DIGITS: &str = r#"{ "version": 1, "data": "digits", "model": [{ "linear": { "out": "classes" } }] }"#;

struct Page {
    worker: Conversation,
    id: u32,
    heard: Vec<Message<Event>>,
}

impl Page {
    fn new() -> Self {
        Self { worker: Conversation::new(), id: 0, heard: Vec::new() }
    }

    fn send(&mut self, command: Command, arrays: Arrays) -> u32 {
        self.id += 1;
        ready(self.worker.handle(arrays.with(Request { id: self.id, command })));
        self.heard.extend(self.worker.take_events());
        self.id
    }

    fn ask(&mut self, command: Command) -> u32 {
        self.send(command, Arrays::default())
    }

    fn load(&mut self, experiment: &str) -> u32 {
        self.ask(Command::Load { experiment: experiment.to_string(), fresh: false })
    }

    fn watch(&mut self, source: MapSource) {
        self.ask(Command::Watch(Watch { panel: "panel".to_string(), source, every_ms: 0.0 }));
    }

    fn work(&mut self) {
        while ready(self.worker.advance(Instant::now() + Duration::from_millis(8))) != Next::Rest {}
        self.heard.extend(self.worker.take_events());
    }

    fn find<T>(&self, pick: impl FnMut(&Message<Event>) -> Option<T>) -> T {
        self.heard.iter().rev().find_map(pick).expect("an event of this kind")
    }

    fn frame(&self) -> &Message<Event> {
        self.find_ref(|event| matches!(event, Event::Frame { .. }))
    }

    fn find_ref(&self, is: impl Fn(&Event) -> bool) -> &Message<Event> {
        self.heard.iter().rev().find(|m| is(&m.header)).expect("an event of this kind")
    }

    fn status(&self) -> Status {
        self.find(|m| if let Event::Status(status) = &m.header { Some(status.clone()) } else { None })
    }

    fn done(&self, id: u32) -> bool {
        self.heard.iter().any(|m| m.header == Event::Done { id })
    }

    fn error(&self, of: u32) -> String {
        self.find(|m| match &m.header {
            Event::Error { id, error } if *id == Some(of) => Some(error.to_string()),
            _ => None,
        })
    }
}

fn page(experiment: &str) -> Page {
    let mut page = Page::new();
    let id = page.load(experiment);
    assert!(page.done(id));
    page
}

#[test]
fn a_run_is_loaded_started_and_finished() {
    let mut page = page(SPIRALS);
    page.ask(Command::Start);
    page.work();
    let status = page.status();
    assert_eq!((status.step, status.running, status.metrics.len()), (300, false, 4));
    assert!(page.heard.iter().any(|m| matches!(m.header, Event::Finished { step: 300, .. })));
    let points: usize = page
        .heard
        .iter()
        .filter_map(|m| if let Event::Series(chunk) = &m.header { Some((m, chunk)) } else { None })
        .flat_map(|(m, chunk)| chunk.curves.iter().filter(|c| c.0 == "loss").map(move |c| m.array(c.1).len()))
        .sum();
    assert_eq!(points, 300);
}

#[test]
fn what_cannot_be_carried_out_is_answered_with_a_sentence() {
    let mut page = Page::new();
    for command in [Command::Start, Command::Save, Command::Reset] {
        let id = page.ask(command);
        assert!(page.error(id).contains("Nothing is loaded"));
    }
    let id = page.load("{ \"version\": 1, \"data\": \"spirals\", \"model\": [{ \"linear\": { \"out\": 1000000000 } }] }");
    assert!(page.error(id).starts_with("model[0].linear.out"), "{}", page.error(id));
    let id = page.load("{");
    assert!(page.error(id).contains("JSON"));
}

#[test]
fn a_file_that_is_missing_is_asked_for_and_then_used() {
    let mut page = Page::new();
    let load = page.load(DIGITS);
    assert!(!page.done(load));
    let name = page.find(|m| if let Event::NeedAsset { name } = &m.header { Some(name.clone()) } else { None });
    let mut arrays = Arrays::default();
    let bytes = arrays.blob(downhill_data::Assets::get(&downhill_data::Bundled, &name).unwrap());
    page.send(Command::Asset { name, bytes }, arrays);
    assert!(page.done(load));
    let id = page.load(DIGITS);
    assert!(page.done(id));
}

#[test]
fn a_broken_file_is_an_error_of_the_load_that_asked_for_it() {
    let mut page = Page::new();
    let load = page.load(DIGITS);
    let mut arrays = Arrays::default();
    let bytes = arrays.blob(vec![1, 2, 3]);
    page.send(Command::Asset { name: "digits.bin".to_string(), bytes }, arrays);
    assert!(page.error(load).starts_with("data.digits"), "{}", page.error(load));
}

#[test]
fn a_grid_shows_every_unit_and_probabilities() {
    let mut page = page(SPIRALS);
    page.watch(MapSource::Grid { resolution: 20, low: -1.0, high: 1.0, output_only: false });
    page.work();
    let message = page.frame();
    let Event::Frame { frame: Frame::Maps { resolution, layers }, step: 0, .. } = &message.header else { panic!("a map") };
    assert_eq!(*resolution, 20);
    let paths: Vec<(&str, u32)> = layers.iter().map(|l| (l.path.as_str(), l.units)).collect();
    assert_eq!(paths, [("input", 2), ("model[0]", 6), ("model[1]", 6), ("model[2]", 2), ("output", 2)]);
    // The first input is x, which grows along a row; the second is y, largest in the first row.
    let input = message.array(layers[0].data);
    assert_eq!((input[0], input[19], input[400], input[799]), (-1.0, 1.0, 1.0, -1.0));
    let output = message.array(layers[4].data);
    assert!((0..400).all(|i| (output[i] + output[400 + i] - 1.0).abs() < 1e-5));
}

#[test]
fn a_panel_at_rest_is_computed_once_and_again_after_an_edit() {
    let mut page = page(SPIRALS);
    page.watch(MapSource::Weights);
    let frames = |page: &Page| page.heard.iter().filter(|m| matches!(m.header, Event::Frame { .. })).count();
    page.work();
    page.work();
    assert_eq!(frames(&page), 1);
    page.ask(Command::SetWeight { parameter: "0.weight".to_string(), index: 3, value: 0.5 });
    page.work();
    assert_eq!(frames(&page), 2);
    let message = page.frame();
    let Event::Frame { frame: Frame::Weights(tensors), .. } = &message.header else { panic!("weights") };
    assert_eq!((tensors[0].name.as_str(), message.array(tensors[0].data)[3]), ("0.weight", 0.5));
}

#[test]
fn a_prediction_agrees_with_the_map_of_its_point() {
    let mut page = page(SPIRALS);
    page.watch(MapSource::Grid { resolution: 3, low: -1.0, high: 1.0, output_only: true });
    let mut arrays = Arrays::default();
    let input = arrays.push(vec![1.0, -1.0]);
    page.send(Command::Predict { input }, arrays);
    page.work();
    let prediction =
        page.find(|m| if let Event::Predicted { prediction, .. } = &m.header { Some(prediction.clone()) } else { None });
    let message = page.frame();
    let Event::Frame { frame: Frame::Maps { layers, .. }, .. } = &message.header else { panic!("a map") };
    let corner = message.array(layers[0].data)[8];
    assert!((prediction.values[0] - corner).abs() < 1e-6, "{} {corner}", prediction.values[0]);
    assert_eq!(prediction.labels.len(), 2);
}

#[test]
fn statistics_name_parameters_and_layers() {
    let mut page = page(SPIRALS);
    page.ask(Command::Step { n: 10 });
    page.work();
    page.watch(MapSource::Stats);
    page.work();
    page.ask(Command::Step { n: 10 });
    page.work();
    let Event::Frame { frame: Frame::Stats { rows }, step: 20, .. } = &page.frame().header else { panic!("statistics") };
    let row = |name: &str| rows.iter().find(|r| r.0 == name).map(|r| r.1.clone()).unwrap();
    let value = |name: &str, key: &str| row(name).into_iter().find(|v| v.0 == key).map(|v| v.1).unwrap();
    assert!(value("0.weight", "grad_norm") > 0.0 && value("0.weight", "update_ratio") > 0.0);
    assert!(value("model[1]", "std") > 0.0 && value("model[1]", "dead") == 0.0);
}

#[test]
fn validation_counts_every_sample_once_and_shows_the_worst() {
    let mut page = page(SPIRALS);
    page.watch(MapSource::Validation { limit: 5 });
    page.work();
    let message = page.frame();
    let Event::Frame { frame: Frame::Predictions { rows, inputs, confusion }, .. } = &message.header else {
        panic!("predictions")
    };
    let info = page.find(|m| if let Event::Loaded(info) = &m.header { Some(info.clone()) } else { None });
    assert_eq!(message.array(*confusion).iter().sum::<f32>(), info.data.validation as f32);
    assert_eq!((message.array(*rows).len(), message.array(*inputs).len()), (20, 10));
}

#[test]
fn a_save_brings_the_run_back_in_another_worker() {
    let mut first = page(SPIRALS);
    first.ask(Command::Step { n: 42 });
    first.work();
    let save = first.ask(Command::Save);
    first.work();
    let message = first.find_ref(|e| matches!(e, Event::Saved { id, .. } if *id == save));
    let Event::Saved { step: 42, bytes, .. } = message.header else { panic!("a snapshot of step 42") };
    let saved = message.blob(bytes).to_vec();
    let mut second = Page::new();
    let mut arrays = Arrays::default();
    let bytes = arrays.blob(saved);
    let id = second.send(Command::Restore { bytes }, arrays);
    assert!(second.done(id));
    assert_eq!(second.status().step, 42);
}

#[test]
fn edits_of_the_shape_count_runs_up_and_others_do_not() {
    let run = |page: &Page| page.find(|m| if let Event::Loaded(info) = &m.header { Some(info.run) } else { None });
    let mut page = page(SPIRALS);
    let first = run(&page);
    page.load(&SPIRALS.replace("\"steps\": 300", "\"steps\": 500"));
    assert_eq!(run(&page), first);
    page.load(&SPIRALS.replace("\"out\": 6", "\"out\": 7"));
    assert_eq!(run(&page), first + 1);
    page.ask(Command::Reset);
    assert_eq!(run(&page), first + 2);
}

#[test]
fn any_pace_that_a_script_asks_for_leaves_the_worker_alive() {
    let mut page = page(SPIRALS);
    for steps_per_second in [1e-300, f64::NAN, -1.0, f64::INFINITY, f64::MIN_POSITIVE] {
        page.ask(Command::Reset);
        page.ask(Command::Pace { steps_per_second: Some(steps_per_second) });
        page.ask(Command::Start);
        let start = Instant::now();
        while page.status().step == 0 {
            let _ = ready(page.worker.advance(Instant::now() + Duration::from_millis(8)));
            page.ask(Command::Pause);
            page.ask(Command::Start);
            assert!(start.elapsed() < Duration::from_secs(60), "{steps_per_second:e}");
        }
        let id = page.ask(Command::Pause);
        assert!(page.done(id), "{steps_per_second:e}");
    }
}
