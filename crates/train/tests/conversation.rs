//! The worker's side of the protocol, without a worker.

use std::time::{Duration, Instant};

use downhill_protocol::{
    Arrays, Command, Elements, Event, Export, Input, KeptWeights, Message, Part, Query, Request, Status, Tensor, Verdict, View,
    Watch, stat,
};
use downhill_train::{Conversation, DeviceOptions, Next, ready};

const SPIRALS: &str = r#"{ "version": 1, "seed": 3, "data": { "spirals": { "samples": 200 } }, "view": { "pace": "max" },
    "model": [{ "linear": { "out": 6 } }, "tanh", { "linear": { "out": "classes" } }], "training": { "eval_every": 100, "steps": 300 } }"#;
const DIGITS: &str = r#"{ "version": 1, "data": "digits", "model": [{ "linear": { "out": "classes" } }] }"#;

/// Tensors of an answer: name, shape, elements.
struct Answer {
    step: u64,
    tensors: Vec<(String, Vec<u32>, Vec<f32>)>,
}

impl Answer {
    fn get(&self, name: &str) -> Elements<'_> {
        let (_, shape, data) = self.tensors.iter().find(|t| t.0 == name).expect("a tensor of this name");
        Elements { shape, data }
    }
}

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

    fn watch(&mut self, input: Input, tensors: impl IntoIterator<Item = Query>) {
        self.ask(Command::Watch(Watch { key: 1, input, tensors: tensors.into_iter().collect(), every_ms: 0.0 }));
    }

    fn work(&mut self) {
        while ready(self.worker.advance(Instant::now() + Duration::from_millis(8))) != Next::Rest {}
        self.heard.extend(self.worker.take_events());
    }

    fn find<T>(&self, pick: impl FnMut(&Message<Event>) -> Option<T>) -> T {
        self.heard.iter().rev().find_map(pick).expect("an event of this kind")
    }

    /// The last answer.
    fn answer(&self) -> Answer {
        let message = self.find_ref(|event| matches!(event, Event::Answer { .. }));
        let Event::Answer { step, tensors, .. } = &message.header else { panic!("an answer") };
        let owned = |t: &Tensor| (t.query.name.clone(), t.shape.clone(), message.array(t.data).to_vec());
        Answer { step: *step, tensors: tensors.iter().map(owned).collect() }
    }

    fn answers(&self) -> usize {
        self.heard.iter().filter(|m| matches!(m.header, Event::Answer { .. })).count()
    }

    fn refusal(&self) -> String {
        self.find(|m| if let Event::Unanswered { error, .. } = &m.header { Some(error.to_string()) } else { None })
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
    assert_eq!((status.step, status.running, status.metrics.len()), (300, false, 5));
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
    let name = page.find(|m| if let Event::NeedAsset { name, own: false } = &m.header { Some(name.clone()) } else { None });
    let mut arrays = Arrays::default();
    let bytes = arrays.blob(downhill_data::Assets::get(&downhill_data::Bundled, &name).unwrap());
    page.send(Command::Asset { name, own: false, bytes }, arrays);
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
    page.send(Command::Asset { name: "digits.bin".to_string(), own: false, bytes }, arrays);
    assert!(page.error(load).starts_with("data.digits"), "{}", page.error(load));
}

impl Page {
    /// Sends a file of a person's own.
    fn give(&mut self, name: &str, text: &str) {
        let mut arrays = Arrays::default();
        let bytes = arrays.blob(text.as_bytes().to_vec());
        self.send(Command::Asset { name: name.to_string(), own: true, bytes }, arrays);
    }

    fn labels(&self) -> Vec<String> {
        self.find(|m| if let Event::Loaded(info) = &m.header { Some(info.data.labels.clone()) } else { None })
    }
}

/// A text of so many bytes with many different words, so that learning its pairs takes several slices.
fn long_text(bytes: usize) -> String {
    let word = |i: usize| format!("{}{} ", ["the", "sea", "shore", "boat", "gull"][i % 5], i * 7919 % 5003);
    (0..).map(word).scan(0, |len, word| (*len < bytes).then(|| (*len += word.len(), word).1)).collect()
}

fn of_text(file: &str, more: &str) -> String {
    format!(
        r#"{{ "version": 1, "data": {{ "text": {{ "file": "{file}", "tokenizer": "bpe", "vocabulary": 400, "context": 8{more} }} }},
            "model": [{{ "embedding": {{ "dim": 4 }} }}, {{ "linear": {{ "out": "classes" }} }}] }}"#
    )
}

#[test]
fn a_long_text_is_read_in_slices_while_the_run_before_goes_on() {
    let mut page = Page::new();
    page.load(SPIRALS);
    page.give("long.txt", &long_text(2_500_000));
    let first = page.load(&of_text("long.txt", ""));
    assert!(!page.done(first));
    assert_eq!(ready(page.worker.advance(Instant::now())), Next::Now, "it is read whatever the run does");
    // What runs is the experiment of before, and hears what it is told.
    let step = page.ask(Command::Step { n: 3 });
    assert!(page.done(step));
    // Another takes its place.
    let second = page.load(&of_text("long.txt", r#", "validation": 0.2"#));
    assert!(page.done(first) && !page.done(second));
    page.work();
    assert!(page.done(second));
    let told: Vec<f64> = page
        .heard
        .iter()
        .filter_map(|m| match m.header {
            Event::Progress { id, done } if id == second => Some(done),
            _ => None,
        })
        .collect();
    assert!(told.is_sorted() && told.iter().all(|done| (0.0..1.0).contains(done)) && !told.is_empty(), "{told:?}");
    assert_eq!(page.labels().len(), 400);
    // It is kept: the same text with another context is there at once.
    let third = page.load(&of_text("long.txt", r#", "validation": 0.3"#));
    assert!(page.done(third));
    page.give("long.txt", &long_text(2_400_000));
    let edited = page.load(&of_text("long.txt", r#", "validation": 0.3"#));
    assert!(!page.done(edited), "another text is another text, whatever its name");
    page.give("short.txt", &"a\n".repeat(3));
    let short = page.load(&of_text("short.txt", ""));
    assert!(page.error(short).starts_with("data.text.context"), "{}", page.error(short));
}

#[test]
fn a_text_waits_for_the_file_of_its_tokenizer() {
    let mut page = Page::new();
    page.give("long.txt", &"the sea and the shore ".repeat(30));
    let id = page.load(&of_text("long.txt", r#", "tokenizer_file": "cut.json""#));
    page.find(|m| matches!(&m.header, Event::NeedAsset { name, own: true } if name == "cut.json").then_some(()));
    page.give("cut.json", r#"{ "model": { "type": "Unigram" } }"#);
    assert!(
        page.error(id).starts_with("data.text.tokenizer_file: This tokenizer.json holds a Unigram model."),
        "{}",
        page.error(id)
    );
    let letters = downhill_data::Tokenizer::learn(downhill_data::Tokens::Characters, 0, "the sea and the shore").unwrap();
    page.give("cut.json", &letters.to_json().unwrap());
    let id = page.load(&of_text("long.txt", r#", "tokenizer_file": "cut.json""#));
    assert!(page.done(id));
    assert_eq!(page.labels(), letters.names());
    page.ask(Command::Export(Export::Tokenizer));
    let file = page.find(|m| match &m.header {
        Event::Exported { files, .. } if files[0].0 == "tokenizer.json" => Some(m.blob(files[0].1).to_vec()),
        _ => None,
    });
    assert_eq!(String::from_utf8(file).unwrap(), letters.to_json().unwrap());
    page.load(SPIRALS);
    let id = page.ask(Command::Export(Export::Tokenizer));
    assert!(page.error(id).contains("Only a text has a tokenizer"), "{}", page.error(id));
}

fn own_table(classes: [&str; 2]) -> String {
    let rows = (0..40).map(|i| format!("{},{},{}\n", i % 7, (i * 3) % 5, classes[i % 2]));
    format!("a,b,kind\n{}", rows.collect::<String>())
}

const OWN: &str = r#"{ "version": 1, "data": { "csv": { "file": "iris.csv", "target": "kind" } },
    "model": [{ "linear": { "out": "classes" } }] }"#;

#[test]
fn an_own_file_with_the_name_of_a_bundled_one_is_not_that() {
    let mut page = Page::new();
    let id = page.load(OWN);
    page.find(|m| matches!(&m.header, Event::NeedAsset { name, own: true } if name == "iris.csv").then_some(()));
    // The bundled file does not answer for it.
    let mut arrays = Arrays::default();
    let bytes = arrays.blob(downhill_data::Assets::get(&downhill_data::Bundled, "iris.csv").unwrap());
    page.send(Command::Asset { name: "iris.csv".to_string(), own: false, bytes }, arrays);
    assert!(!page.done(id));
    page.give("iris.csv", &own_table(["cat", "dog"]));
    assert!(page.done(id));
    assert_eq!(page.labels(), ["cat", "dog"]);
    let id = page.load(&OWN.replace(r#"{ "csv": { "file": "iris.csv", "target": "kind" } }"#, r#""iris""#));
    assert!(page.done(id));
    assert_eq!(page.labels().len(), 3);
}

#[test]
fn a_file_that_was_edited_is_read_again_under_its_name() {
    let mut page = Page::new();
    page.give("iris.csv", &own_table(["cat", "dog"]));
    let id = page.load(OWN);
    assert!(page.done(id));
    page.give("iris.csv", &own_table(["cat", "emu"]));
    let id = page.load(OWN);
    assert!(page.done(id));
    assert_eq!(page.labels(), ["cat", "emu"]);
    let runs = |page: &Page| page.find(|m| if let Event::Loaded(info) = &m.header { Some(info.run) } else { None });
    let before = runs(&page);
    page.give("iris.csv", &own_table(["cat", "emu"]));
    let id = page.load(OWN);
    assert!(page.done(id));
    assert_eq!(runs(&page), before);
}

#[test]
fn weights_leave_the_page_and_those_that_fit_come_back() {
    let mut page = page(SPIRALS);
    page.ask(Command::Step { n: 3 });
    page.work();
    page.ask(Command::Export(Export::Weights));
    let files = |page: &Page| {
        let message = page.find_ref(|event| matches!(event, Event::Exported { .. }));
        let Event::Exported { files, .. } = &message.header else { panic!("files") };
        files.iter().map(|(name, at)| (name.clone(), message.blob(*at).to_vec())).collect::<Vec<_>>()
    };
    let (name, weights) = files(&page).remove(0);
    assert_eq!(name, "weights.safetensors");
    let take = |page: &mut Page, bytes: &[u8]| {
        let mut arrays = Arrays::default();
        let bytes = arrays.blob(bytes.to_vec());
        page.send(Command::Weights { bytes }, arrays)
    };
    let verdict = |page: &Page| {
        page.find(|m| if let Event::Weights { taken, refused, .. } = &m.header { Some((*taken, refused.len())) } else { None })
    };
    page.ask(Command::Reset);
    take(&mut page, &weights);
    let (all, none) = verdict(&page);
    assert!(all > 2 && none == 0);
    page.ask(Command::Export(Export::Weights));
    assert_eq!(files(&page)[0].1, weights);
    // Another width of the hidden layer: only the bias of the last one fits still.
    let mut document: serde_json::Value = serde_json::from_str(SPIRALS).unwrap();
    document["model"][0]["linear"]["out"] = serde_json::json!(7);
    let id = page.load(&document.to_string());
    assert!(page.done(id), "{}", page.error(id));
    take(&mut page, &weights);
    let (some, rest) = verdict(&page);
    assert_eq!((some, rest, all), (1, 3, 4));
    let id = take(&mut page, b"no weights at all");
    assert!(page.error(id).contains("safetensors"));
}

#[test]
fn a_program_is_exported_as_the_command_writes_it_whatever_was_learned() {
    let mut page = page(SPIRALS);
    page.ask(Command::Step { n: 5 });
    page.work();
    page.ask(Command::Export(Export::Pytorch));
    let message = page.find_ref(|event| matches!(event, Event::Exported { .. }));
    let Event::Exported { files, .. } = &message.header else { panic!("files") };
    let experiment = downhill_model::Experiment::parse(SPIRALS).unwrap().experiment;
    let mut fresh = downhill_train::Session::new(experiment, &downhill_data::NoAssets).unwrap();
    let weights = ready(fresh.weights(false)).unwrap();
    let wanted = downhill_train::export::pytorch(&fresh, None, weights).unwrap();
    let given: Vec<(&str, &[u8])> = files.iter().map(|(name, at)| (name.as_str(), message.blob(*at))).collect();
    assert_eq!(given.iter().map(|f| f.0).collect::<Vec<_>>(), ["train.py", "init.safetensors", "data.safetensors"]);
    assert!(wanted.iter().zip(&given).all(|((_, wanted), (_, given))| wanted == given));
}

const GRID: Input = Input::Grid { resolution: 20, low: -1.0, high: 1.0 };

fn all<const N: usize>(names: [&str; N]) -> [Query; N] {
    names.map(Query::all)
}

#[test]
fn a_grid_shows_what_layers_give_and_probabilities() {
    let mut page = page(SPIRALS);
    page.watch(GRID, all(["input", "raw", "model[0]", "model[1]", "output"]));
    page.work();
    let answer = page.answer();
    let (step, tensor) = (answer.step, |name: &str| answer.get(name));
    assert_eq!((step, tensor("model[1]").shape, tensor("output").shape), (0, &[400, 6][..], &[400, 2][..]));
    // The first input is x, which grows along a row; the second is y, largest in the first row.
    let input = tensor("input");
    assert_eq!([(0, 0), (19, 0), (0, 1), (399, 1)].map(|(i, j)| input.at(&[i, j])), [-1.0, 1.0, 1.0, -1.0].map(Some));
    assert_eq!(tensor("raw").data, input.data);
    assert!((0..400).all(|i| (tensor("output").row(i).iter().sum::<f32>() - 1.0).abs() < 1e-5));
    let squashed = tensor("model[0]").data.iter().zip(tensor("model[1]").data).all(|(x, y)| (x.tanh() - y).abs() < 1e-5);
    assert!(squashed, "model[1] is the tanh of model[0]");
}

#[test]
fn a_watch_at_rest_is_answered_once_and_again_after_an_edit() {
    let mut page = page(SPIRALS);
    page.watch(Input::State, all(["0.weight"]));
    page.work();
    page.work();
    assert_eq!(page.answers(), 1);
    let set = |page: &mut Page, index: Vec<u32>| {
        page.ask(Command::SetWeight { parameter: "0.weight".to_string(), index, value: 0.5 })
    };
    set(&mut page, vec![1, 1]);
    page.work();
    assert_eq!(page.answers(), 2);
    let answer = page.answer();
    let tensor = |name: &str| answer.get(name);
    assert_eq!((tensor("0.weight").shape, tensor("0.weight").at(&[1, 1])), (&[6, 2][..], Some(0.5)));
    for index in [vec![6, 0], vec![3], vec![0, 0, 0]] {
        let id = set(&mut page, index);
        assert!(page.error(id).contains("6×2"), "{}", page.error(id));
    }
    page.ask(Command::Unwatch { key: 1 });
    set(&mut page, vec![0, 0]);
    page.work();
    assert_eq!(page.answers(), 2);
}

#[test]
fn a_given_point_is_answered_as_the_grid_answers_it() {
    let mut page = page(SPIRALS);
    page.watch(Input::Grid { resolution: 3, low: -1.0, high: 1.0 }, all(["output"]));
    page.work();
    let corner = page.answer().get("output").row(8).to_vec();
    page.watch(Input::Given(vec![vec![1.0, -1.0]]), all(["output", "model[1]"]));
    page.work();
    let answer = page.answer();
    let tensor = |name: &str| answer.get(name);
    assert!(tensor("output").data.iter().zip(&corner).all(|(a, b)| (a - b).abs() < 1e-6), "{:?} {corner:?}", tensor("output"));
    assert_eq!(tensor("model[1]").shape, [1, 6]);
    page.watch(Input::Given(vec![vec![1.0]]), all(["output"]));
    page.work();
    assert!(page.refusal().contains("takes 2"), "{}", page.refusal());
}

#[test]
fn statistics_of_parameters_gradients_and_activations_are_asked_for_by_name() {
    let mut page = page(SPIRALS);
    page.ask(Command::Step { n: 10 });
    page.work();
    page.watch(Input::Batch, ["0.weight", "grad:0.weight", "model[1]"].map(Query::stats));
    page.work();
    page.ask(Command::Step { n: 10 });
    page.work();
    let answer = page.answer();
    let (step, tensor) = (answer.step, |name: &str| answer.get(name));
    assert_eq!(step, 20);
    let number = |name: &str, what: &str| stat(tensor(name).data, what);
    assert!(number("grad:0.weight", "norm").unwrap() > 0.0 && number("0.weight", "update_ratio").unwrap() > 0.0);
    assert!(number("model[1]", "std").unwrap() > 0.0 && number("model[1]", "max").unwrap() <= 1.0);
    assert_eq!((number("model[1]", "dead"), number("0.weight", "dead")), (Some(0.0), None));
    assert!(number("model[1]", "saturated").is_some() && number("grad:0.weight", "saturated").is_none());
}

#[test]
fn a_gradient_and_the_loss_are_those_of_the_next_batch() {
    let mut page = page(SPIRALS);
    page.watch(Input::Batch, all(["loss", "grad:2.bias", "grad:model[2]"]));
    page.work();
    let answer = page.answer();
    let tensor = |name: &str| answer.get(name);
    let (bias, output) = (tensor("grad:2.bias"), tensor("grad:model[2]"));
    assert_eq!((tensor("loss").data.len(), bias.shape), (1, &[2][..]));
    for unit in 0..2 {
        let sum: f32 = output.column(unit).sum();
        assert!((sum - bias.data[unit]).abs() < 1e-5, "the gradient of a bias is the sum over the batch");
    }
}

#[test]
fn the_worst_samples_come_first_with_inputs_and_right_answers() {
    let mut page = page(SPIRALS);
    page.watch(Input::Worst { limit: 5 }, all(["row", "raw", "target", "output", "model[0]"]));
    page.work();
    let answer = page.answer();
    let tensor = |name: &str| answer.get(name);
    let shapes = ["row", "raw", "target", "output", "model[0]"].map(|name| tensor(name).shape.to_vec());
    assert_eq!(shapes, [vec![5], vec![5, 2], vec![5, 1], vec![5, 2], vec![5, 6]]);
    let lacking = |i: usize| 1.0 - tensor("output").row(i)[tensor("target").data[i] as usize];
    let first: Vec<f32> = (0..5).map(lacking).collect();
    assert!(first.is_sorted_by(|a, b| a >= b), "{first:?}");
    let rows: Vec<u32> = tensor("row").data.iter().map(|&i| i as u32).collect();
    let (raw, output) = (tensor("raw").data.to_vec(), tensor("output").data.to_vec());
    // Asked for by their places, the same samples give the same.
    page.watch(Input::Samples { part: Part::Validation, rows: Some(rows) }, all(["raw", "output"]));
    page.work();
    let answer = page.answer();
    let tensor = |name: &str| answer.get(name);
    assert_eq!(tensor("raw").data, raw);
    assert!(tensor("output").data.iter().zip(&output).all(|(a, b)| (a - b).abs() < 1e-6));
    page.watch(Input::Samples { part: Part::Validation, rows: None }, all(["output", "target"]));
    page.work();
    let answer = page.answer();
    let tensor = |name: &str| answer.get(name);
    let info = page.find(|m| if let Event::Loaded(info) = &m.header { Some(info.clone()) } else { None });
    assert_eq!(tensor("target").shape, [info.data.validation, 1]);
    assert!((0..info.data.validation as usize).all(|i| {
        let target = tensor("target").data[i] as usize;
        1.0 - tensor("output").row(i)[target] <= first[0] + 1e-6
    }));
}

#[test]
fn a_slice_and_a_histogram_are_parts_of_the_whole() {
    let mut page = page(SPIRALS);
    let view = |view: View| Query { name: "0.weight".to_string(), view };
    page.watch(Input::State, all(["0.weight"]));
    page.work();
    let whole = page.answer().get("0.weight").data.to_vec();
    page.watch(Input::State, [view(View::Slice { start: vec![2, 1], len: vec![3, 1] })]);
    page.work();
    let answer = page.answer();
    let tensor = |name: &str| answer.get(name);
    assert_eq!((tensor("0.weight").shape, tensor("0.weight").data), (&[3, 1][..], &[whole[5], whole[7], whole[9]][..]));
    page.watch(Input::State, [view(View::Histogram { bins: 4 })]);
    page.work();
    let counts: f32 = page.answer().get("0.weight").column(1).sum();
    assert_eq!(counts, 12.0);
}

#[test]
fn vectors_of_words_answer_the_analogies_of_their_grammar() {
    let preset = downhill_model::presets::find("word_vectors").expect("an example");
    let mut page = page(preset.json);
    page.ask(Command::Start);
    page.work();
    let info = page.find(|m| if let Event::Loaded(info) = &m.header { Some(info.clone()) } else { None });
    let words = info.data.inputs[0].words.clone();
    let place = |word: &str| words.iter().position(|known| known == word).expect("a word of the grammar") as u32;
    let query = |view: View| [Query { name: "0.weight".to_string(), view }];
    for [a, b, c, wanted] in [
        ["king", "man", "woman", "queen"],
        ["prince", "boy", "girl", "princess"],
        ["boy", "man", "king", "prince"],
        ["kitten", "cat", "dog", "puppy"],
        ["foal", "horse", "cow", "calf"],
        ["his", "he", "she", "her"],
    ] {
        let nearest = View::Nearest { plus: vec![place(a), place(c)], minus: vec![place(b)], count: 1 };
        page.watch(Input::State, query(nearest));
        page.work();
        assert_eq!(words[page.answer().get("0.weight").data[0] as usize], wanted, "{a} − {b} + {c}");
    }
    page.watch(Input::State, query(View::Components { count: 2 }));
    page.work();
    let answer = page.answer();
    let found = answer.get("0.weight");
    assert_eq!(found.shape, [words.len() as u32 + 1, 2]);
    let shares = found.row(words.len());
    assert!(shares[0] >= shares[1] && shares[1] > 0.0 && shares[0] + shares[1] <= 1.0, "{shares:?}");
}

#[test]
fn what_the_model_or_the_data_does_not_have_is_refused_once_and_training_goes_on() {
    let mut page = page(SPIRALS);
    page.watch(GRID, all(["output", "model[7]"]));
    page.ask(Command::Start);
    page.work();
    assert!(page.refusal().starts_with("model[7]"), "{}", page.refusal());
    assert_eq!(page.heard.iter().filter(|m| matches!(m.header, Event::Unanswered { .. })).count(), 1);
    assert_eq!((page.answers(), page.status().step), (0, 300));
    for (input, name) in [(Input::State, "nothing"), (GRID, "grad:0.weight"), (GRID, "target")] {
        page.watch(input, all([name]));
        page.work();
        assert!(page.refusal().starts_with(name), "{}", page.refusal());
    }
    page.watch(Input::Samples { part: Part::Validation, rows: Some(vec![9999]) }, all(["output"]));
    page.work();
    assert!(page.refusal().contains("9999"), "{}", page.refusal());
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
fn a_copy_goes_on_with_what_is_shown_and_one_of_another_experiment_is_refused() {
    let saved = |page: &mut Page| {
        let save = page.ask(Command::Save);
        page.work();
        let message = page.find_ref(|e| matches!(e, Event::Saved { id, .. } if *id == save));
        let Event::Saved { bytes, .. } = message.header else { panic!("a snapshot") };
        message.blob(bytes).to_vec()
    };
    let restore = |page: &mut Page, bytes: &[u8]| {
        let mut arrays = Arrays::default();
        let bytes = arrays.blob(bytes.to_vec());
        let id = page.send(Command::Restore { bytes }, arrays);
        page.done(id)
    };
    let mut page = page(SPIRALS);
    page.ask(Command::Step { n: 42 });
    page.work();
    let copy = saved(&mut page);
    page.load(&SPIRALS.replace("\"model\"", "\"optimizer\": { \"adam\": { \"lr\": 0.5 } }, \"model\""));
    page.ask(Command::Step { n: 8 });
    page.work();
    assert!(restore(&mut page, &copy));
    assert_eq!((page.status().step, page.status().lr), (42, 0.5));
    page.load(&SPIRALS.replace("spirals", "circles"));
    assert!(!restore(&mut page, &copy), "the data are others");
    assert!(
        page.heard
            .iter()
            .any(|m| matches!(&m.header, Event::Error { error, .. } if error.to_string().contains("another experiment")))
    );
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
fn an_edit_says_what_it_keeps_or_that_a_new_run_begins_and_curves_follow_it() {
    const DEEP: &str = r#"{ "version": 1, "seed": 3, "data": { "spirals": { "samples": 200 } }, "view": { "pace": "max" },
        "model": [{ "linear": { "out": 6 } }, "tanh", { "linear": { "out": 6 } }, "tanh", { "linear": { "out": "classes" } }] }"#;
    let mut page = page(DEEP);
    page.ask(Command::Step { n: 40 });
    page.work();
    let mut edit = |from: &str, to: &str| {
        page.heard.clear();
        page.load(&DEEP.replace(from, to));
        let info = page.find(|m| if let Event::Loaded(info) = &m.header { Some(info.clone()) } else { None });
        page.ask(Command::Step { n: 5 });
        page.work();
        let curves =
            page.heard.iter().filter_map(|m| if let Event::Series(chunk) = &m.header { Some((m, chunk)) } else { None });
        let loss = curves.flat_map(|(m, chunk)| chunk.curves.iter().filter(|c| c.0 == "loss").map(move |c| (m, chunk, c)));
        let steps: Vec<(bool, f32)> = loss.flat_map(|(m, chunk, c)| m.array(c.1).iter().map(|s| (chunk.replace, *s))).collect();
        (info.kept, info.step, steps.first().copied())
    };
    let kept = |layers, of| Some(KeptWeights { layers, of });
    // What keeps weights goes on at its step, and its curve with it.
    assert_eq!(edit(r#""samples": 200"#, r#""samples": 300"#), (kept(3, 3), 40, Some((false, 40.0))));
    assert_eq!(
        edit(r#""tanh", { "linear": { "out": "classes" } }"#, r#""relu", { "linear": { "out": "classes" } }"#),
        (kept(3, 3), 45, Some((false, 45.0)))
    );
    assert_eq!(edit(r#"[{ "linear": { "out": 6 } }"#, r#"[{ "linear": { "out": 9 } }"#), (kept(1, 3), 50, Some((false, 50.0))));
    // What keeps none begins at step 0 with a curve of its own.
    assert_eq!(edit(r#""seed": 3"#, r#""seed": 4"#), (None, 0, Some((true, 0.0))));
    assert_eq!(edit("spirals", "circles"), (None, 0, Some((true, 0.0))));
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

#[test]
fn a_verdict_is_told_once_and_an_edit_takes_it_back() {
    const TOO_FAST: &str = r#"{ "version": 1, "seed": 7, "data": { "spirals": { "samples": 500 } }, "view": { "pace": "max" },
        "model": [{ "linear": { "out": 16 } }, "tanh", { "linear": { "out": 16 } }, "tanh", { "linear": { "out": "classes" } }],
        "optimizer": { "adam": { "lr": 0.3 } }, "training": { "steps": 9000 } }"#;
    let mut page = page(TOO_FAST);
    let told = |page: &mut Page| -> Vec<Verdict> {
        let heard = std::mem::take(&mut page.heard);
        heard.into_iter().filter_map(|m| if let Event::Verdict(verdict) = m.header { Some(verdict) } else { None }).collect()
    };
    assert_eq!(told(&mut page).iter().map(|v| v.title.clone()).collect::<Vec<_>>(), ["Ready"]);
    page.ask(Command::Step { n: 1500 });
    page.work();
    let verdicts = told(&mut page);
    let last = verdicts.last().expect("the run is judged where it rests");
    assert_eq!((last.name.as_str(), last.run, last.step), ("oscillating", 1, 1500), "{verdicts:?}");
    // It is told anew only for a verdict of another name, or after three seconds.
    assert!(verdicts.len() <= 4, "{verdicts:?}");
    page.load(&TOO_FAST.replace("0.3 }", "0.03 }"));
    assert_eq!(told(&mut page).iter().map(|v| v.name.clone()).collect::<Vec<_>>(), ["early"]);
    page.ask(Command::Reset);
    assert_eq!(told(&mut page).iter().map(|v| (v.title.clone(), v.run)).collect::<Vec<_>>(), [("Ready".to_string(), 2)]);
}

#[test]
fn a_run_that_rests_opens_no_device_and_tells_nothing_twice() {
    let mut page = Page { worker: Conversation::with_gpu(DeviceOptions::default()), id: 0, heard: Vec::new() };
    page.load(SPIRALS);
    page.work();
    // Longer than a run that trains waits before it looks for the GPU.
    std::thread::sleep(Duration::from_millis(900));
    page.heard.clear();
    page.work();
    page.work();
    assert_eq!(page.heard.len(), 0, "nothing has changed");
    page.ask(Command::Step { n: 1 });
    page.work();
    assert_eq!(page.status().step, 1);
}
