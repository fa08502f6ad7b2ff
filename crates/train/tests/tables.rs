//! Tables of people's own: trained, evaluated, asked for their rows, read in the worker.

#![allow(clippy::unwrap_used, reason = "a helper that cannot go on has failed its test")]

use std::time::{Duration, Instant};

use downhill_data::NoAssets;
use downhill_model::Experiment;
use downhill_protocol::{Arrays, Command, Event, Input, Message, Part, Query, Request, Watch};
use downhill_train::{Conversation, Next, Session, ready};
use serde_json::{Value, json};

fn text(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/tests/fixtures/tables").join(name);
    std::fs::read_to_string(&path).unwrap()
}

fn document(fields: &Value, out: &Value, loss: &Value) -> Value {
    json!({
        "version": 1, "seed": 7, "data": { "csv": fields }, "view": { "pace": "max" }, "loss": loss,
        "model": [{ "linear": { "out": 16 } }, "relu", { "linear": { "out": out } }],
        "optimizer": { "adam": { "lr": 0.02 } }, "training": { "batch_size": 16, "eval_every": 100, "steps": 800 },
    })
}

fn of(fields: &Value, loss: &Value) -> Session {
    let out = if loss == "mse" { json!(1) } else { json!("classes") };
    let experiment = Experiment::from_value(&document(fields, &out, loss)).unwrap().experiment;
    Session::new(experiment, &NoAssets).unwrap()
}

fn trained(fields: &Value, loss: &Value) -> Session {
    let mut session = of(fields, loss);
    session.start();
    ready(session.run_until_rest()).unwrap();
    session
}

fn metric(session: &Session, name: &str) -> f64 {
    session.metrics().iter().find(|(n, _)| n == name).map_or(f64::NAN, |(_, value)| *value)
}

/// Tensors of an answer by name: shape and elements.
fn answer(session: &mut Session, input: Input, names: &[&str]) -> Vec<(Vec<u32>, Vec<f32>)> {
    let tensors = names.iter().map(|name| Query::all(*name)).collect();
    session.watch(Watch { key: 9, input, tensors, every_ms: 0.0 });
    ready(session.run_until_rest()).unwrap();
    session.unwatch(9);
    let events = session.take_events();
    let refusal = events
        .iter()
        .find_map(|m| if let Event::Unanswered { error, .. } = &m.header { Some(error.to_string()) } else { None });
    assert_eq!(refusal, None);
    let message = events.iter().rfind(|m| matches!(m.header, Event::Answer { .. })).unwrap();
    let Event::Answer { tensors, .. } = &message.header else { panic!("an answer") };
    assert_eq!(tensors.iter().map(|t| t.query.name.as_str()).collect::<Vec<_>>(), names);
    tensors.iter().map(|t| (t.shape.clone(), message.array(t.data).to_vec())).collect()
}

#[test]
fn what_decides_the_class_is_learned_from() {
    for name in ["day-and-class.csv", "eu-thousands-dot-integers.csv"] {
        let session = trained(&json!({ "text": text(name) }), &json!("cross_entropy"));
        assert!(metric(&session, "validation_accuracy") >= 0.9, "{name}: {:?}", session.metrics());
    }
}

#[test]
fn an_offset_of_all_values_changes_nothing() {
    let of = |name: &str| metric(&trained(&json!({ "text": text(name) }), &json!("cross_entropy")), "validation_accuracy");
    let (with, without) = (of("utm-offset.csv"), of("utm-no-offset.csv"));
    assert!((with - without).abs() <= 0.02, "{with} and {without}");

    let mut session = trained(&json!({ "text": text("regression-target-offset.csv") }), &json!("mse"));
    assert!(
        session.verdict().evidence.iter().any(|(what, value)| what == "loss of guessing" && value != "0"),
        "{:?}",
        session.verdict()
    );
    let rows = Input::Samples { part: Part::Validation, rows: None };
    let answers = answer(&mut session, rows, &["output:offset", "target:offset", "output"]);
    // The target is the only input and a number of twenty millions: the offsets tell what the numbers cannot.
    let errors = answers[0].1.iter().zip(&answers[1].1).map(|(said, right)| (said - right).abs());
    assert!(errors.fold(0.0, f32::max) < 0.2, "{answers:?}");
    assert!(answers[2].1.iter().all(|said| (said - 2e7).abs() < 10.0));
}

#[test]
fn an_exported_program_learns_from_the_offsets_too() {
    let inputs = |name: &str| {
        let session = of(&json!({ "text": text(name) }), &json!("cross_entropy"));
        let weights = session.initial_weights().unwrap();
        let files = downhill_train::export::pytorch(&session, Some(10), weights).unwrap();
        let (_, data) = files.into_iter().find(|(name, _)| *name == "data.safetensors").unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&data).unwrap();
        let bytes = |name: &str| tensors.tensor(name).unwrap().data().to_vec();
        let numbers =
            |bytes: Vec<u8>| -> Vec<f32> { bytes.as_chunks::<4>().0.iter().map(|word| f32::from_le_bytes(*word)).collect() };
        ["train.x", "validation.x"].map(|name| numbers(bytes(name))).concat()
    };
    let (with, without) = (inputs("utm-offset.csv"), inputs("utm-no-offset.csv"));
    assert!(with.len() == without.len() && with.iter().any(|v| v.abs() > 0.5));
    let far = with.iter().zip(&without).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(far < 1e-4, "{far}");
}

#[test]
fn the_parts_of_a_row_add_up_to_the_answer_and_belong_to_its_columns() {
    // Red comes most often; blue adds 20 to it.
    let row = |i: u32| {
        let (colour, more) = if i % 3 == 2 { ("blue", 20) } else { (["red", "red", "green"][i as usize % 3], 0) };
        format!("{colour},{},{}\n", i % 7, more + i % 7)
    };
    let table = format!("colour,size,price\n{}", (0..90).map(row).collect::<String>());
    let fields = json!({ "text": table, "task": "regression" });
    let mut session = trained(&fields, &json!("mse"));
    let names = ["output:offset", "start", "parts", "alone", "table_row", "target", "model[0]"];
    let answers = answer(&mut session, Input::Row { row: 3 }, &names);
    let shapes: Vec<&[u32]> = answers.iter().map(|(shape, _)| shape.as_slice()).collect();
    assert_eq!(shapes, [&[1u32, 1][..], &[1, 1], &[2, 1], &[2, 1], &[1], &[1, 1], &[1, 16]]);
    let (said, start) = (answers[0].1[0], answers[1].1[0]);
    let parts = &answers[2].1;
    assert!((start + parts[0] + parts[1] - said).abs() < 1e-3 * said.abs().max(1.0), "{start} {parts:?} {said}");
    // That is more than any size does.
    assert!(parts[0] > 3.0 && parts[0] > parts[1].abs(), "{parts:?}");
    assert_eq!((answers[4].1[0], answers[5].1[0]), (3.0, 22.0));

    let typed = answer(&mut session, Input::Typed(vec!["blue".to_string(), "2".to_string()]), &["output:offset"]);
    assert!((typed[0].1[0] - said).abs() < 1e-5, "{typed:?} {said}");
    // The worst first, by their own numbers.
    let worst = answer(&mut session, Input::Worst { limit: 4 }, &["table_row", "row", "target"]);
    let data = session.data().table.clone().unwrap();
    for (row, place) in worst[0].1.iter().zip(&worst[1].1) {
        assert_eq!(data.number_of(false, *place as usize), Some(*row as u32));
    }
}

#[test]
fn always_the_most_frequent_class_is_no_success_and_weights_are_offered() {
    // One in twenty, wherever it lies: nothing but the shares can be learned.
    let row = |i: u32| format!("{},{},{}\n", i * 37 % 101, i * 53 % 97, u32::from(i.is_multiple_of(20)));
    let table = format!("a,b,fraud\n{}", (0..600).map(row).collect::<String>());
    let mut session = of(&json!({ "text": table }), &json!("cross_entropy"));
    session.step(900);
    ready(session.run_until_rest()).unwrap();
    let balanced = metric(&session, "validation_balanced_accuracy");
    assert!(
        (metric(&session, "validation_accuracy") - 0.95).abs() < 0.01 && (balanced - 0.5).abs() < 0.01,
        "{:?}",
        session.metrics()
    );
    assert_eq!(session.status().recall, [1.0, 0.0]);
    let verdict = session.verdict();
    assert_eq!((verdict.name.as_str(), verdict.level.is_alarm()), ("majority", true), "{verdict:?}");
    assert_eq!(verdict.fix.unwrap().changes, [("loss.cross_entropy.weight".to_string(), "\"balanced\"".to_string())]);
}

#[test]
fn with_balanced_weights_a_rare_class_is_found() {
    let weight = |weight: &str| json!({ "cross_entropy": { "weight": weight } });
    // Rare, and told apart only roughly.
    let row = |i: u32| {
        let rare = i.is_multiple_of(20);
        format!("{},{}\n", if rare { 55 + i * 37 % 45 } else { i * 37 % 80 }, u32::from(rare))
    };
    let table = json!({ "text": format!("a,fraud\n{}", (0..600).map(row).collect::<String>()) });
    let (plain, balanced) = (trained(&table, &weight("none")), trained(&table, &weight("balanced")));
    let recall = |session: &Session| session.status().recall[1];
    assert!(recall(&balanced) > recall(&plain) + 0.2, "{:?} {:?}", balanced.metrics(), plain.metrics());
    // A step that takes all rows: its loss is PyTorch's Σ w·l / Σ w, with w = samples / (classes · samples of the class).
    let mut of_all = document(&table, &json!("classes"), &weight("balanced"));
    of_all["training"]["batch_size"] = json!(420);
    let mut first = Session::new(Experiment::from_value(&of_all).unwrap().experiment, &NoAssets).unwrap();
    let rows = Input::Samples { part: Part::Train, rows: None };
    let answers = answer(&mut first, rows, &["output", "target"]);
    let shares = [399.0 / 420.0, 21.0 / 420.0];
    let cost = |(p, y): (&[f32], &f32)| {
        let class = *y as usize;
        let weight: f64 = 0.5 / shares[class];
        (weight * -f64::from(p[class]).ln(), weight)
    };
    let costs: Vec<(f64, f64)> = answers[0].1.chunks_exact(2).zip(&answers[1].1).map(cost).collect();
    let wanted = costs.iter().map(|c| c.0).sum::<f64>() / costs.iter().map(|c| c.1).sum::<f64>();
    assert_eq!(costs.len(), 420);
    assert!((metric(&first, "train_loss") - wanted).abs() < 1e-4, "{:?} {wanted}", first.metrics());
    first.keep_losses();
    first.step(1);
    ready(first.run_until_rest()).unwrap();
    assert!((f64::from(first.take_losses()[0].1) - wanted).abs() < 1e-4);
    let error = Experiment::from_value(&document(
        &table,
        &json!("classes"),
        &json!({ "cross_entropy": { "weight": "balanced", "label_smoothing": 0.1 } }),
    ));
    assert!(error.unwrap_err().to_string().starts_with("loss.cross_entropy.label_smoothing"));
}

/// A page that talks to a worker.
struct Page {
    worker: Conversation,
    id: u32,
}

impl Page {
    fn ask(&mut self, command: Command, arrays: Arrays) -> Vec<Event> {
        self.id += 1;
        ready(self.worker.handle(arrays.with(Request { id: self.id, command })));
        self.heard()
    }

    fn heard(&mut self) -> Vec<Event> {
        self.worker.take_events().into_iter().map(|m: Message<Event>| m.header).collect()
    }

    fn work(&mut self) -> Vec<Event> {
        while ready(self.worker.advance(Instant::now() + Duration::from_millis(8))) != Next::Rest {}
        self.heard()
    }

    fn read(&mut self, file: &str, bytes: Option<&str>, fields: &Value) -> Vec<Event> {
        let mut arrays = Arrays::default();
        let bytes = bytes.map(|bytes| arrays.blob(bytes.as_bytes().to_vec()));
        let command = Command::ReadTable { file: file.to_string(), bytes, fields: fields.to_string(), seed: 7 };
        self.ask(command, arrays)
    }
}

#[test]
fn the_worker_reads_a_table_in_slices_keeps_it_and_knows_its_rows() {
    let mut page = Page { worker: Conversation::new(), id: 0 };
    let row = |i: u64| format!("{},{},{}\n", i * 7919 % 1000, i % 13, ["a", "b"][(i % 2) as usize]);
    let table = format!("x,z,kind\n{}", (0..50_000).map(row).collect::<String>());
    page.read("export 12:30.csv", Some(&table), &json!({}));
    // It is read beside the run, and a newer request takes its place.
    assert_eq!(ready(page.worker.advance(Instant::now())), Next::Now);
    let heard = page.read("export 12:30.csv", None, &json!({ "target": "z" }));
    assert!(heard.contains(&Event::Done { id: 1 }), "{heard:?}");
    let heard = page.work();
    let profile = heard.iter().find_map(|e| if let Event::TableProfile { id: 2, profile } = e { Some(profile) } else { None });
    assert_eq!(profile.map(|p| (p.target.as_str(), p.rows, p.used)), Some(("z", 50_000, 50_000)), "{heard:?}");
    // The experiment finds the file that was read.
    let document = document(&json!({ "file": "export 12:30.csv" }), &json!("classes"), &json!("cross_entropy"));
    let heard = page.ask(Command::Load { experiment: document.to_string(), fresh: false }, Arrays::default());
    let info = heard.iter().find_map(|e| if let Event::Loaded(info) = e { Some(info) } else { None });
    let info = info.unwrap_or_else(|| panic!("{heard:?}"));
    let columns: Vec<(&str, u32, u32)> = info.data.columns.iter().map(|c| (c.name.as_str(), c.first, c.len)).collect();
    assert_eq!((columns, info.data.table_rows), (vec![("x", 0, 1), ("z", 1, 1)], 50_000));
    let heard = page.ask(Command::TableRow { row: 3 }, Arrays::default());
    let row = heard.iter().find_map(|e| if let Event::TableRow(row) = e { Some(row) } else { None }).unwrap();
    let cells: Vec<(&str, &str, Option<u32>, bool)> =
        row.cells.iter().map(|c| (c.column.as_str(), c.text.as_str(), c.place, c.target)).collect();
    assert_eq!(cells, [("x", "838", Some(0), false), ("z", "2", Some(1), false), ("kind", "a", None, true)]);
    assert_eq!((row.row, row.line), (3, 4));
    for row in [0, 50_001] {
        let heard = page.ask(Command::TableRow { row }, Arrays::default());
        assert!(heard.iter().any(|e| matches!(e, Event::Error { .. })), "{row}");
    }
    page.read("gone.csv", None, &json!({}));
    page.read("export 12:30.csv", None, &json!({}));
    let heard = page.ask(Command::CancelTable, Arrays::default());
    assert!(heard.iter().any(|e| matches!(e, Event::Done { .. })));
    let heard = page.read("empty.csv", Some(""), &json!({}));
    let more = page.work();
    assert!(heard.iter().chain(&more).any(|e| matches!(e, Event::Error { error, .. } if error.to_string().contains("empty"))));
}
