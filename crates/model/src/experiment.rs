//! The experiment document: its parts, how it is read from JSON and written without defaults. Whether it can be trained is found out in `check.rs`.

use downhill_data::{Assets, Augment, Dataset, Source, spec};
use downhill_graph::StepScalars;
use downhill_tensor::{UserError, apart};
use serde_json::{Map, Value, json};

use crate::layers::{Layer, read_list, write_list};
use crate::losses::Loss;
use crate::optimizers::Optimizer;
use crate::registry::{Fields, Reader, choice, fields, written};
use crate::repeated;
use crate::scalars::{CARRY, CLIP_NORM, ENDS, SHARE, set};
use crate::schedules::Schedule;
use crate::version::{self, VERSION};
use crate::{Training, View};

/// Longest document that is read, in bytes: a table of 20 MB may stand inside.
pub const MAX_BYTES: usize = 32 << 20;

/// Everything a run depends on.
#[derive(Clone, Debug, PartialEq)]
pub struct Experiment {
    /// Major version of the document's form.
    pub version: u32,
    /// What a person calls it.
    pub name: String,
    /// Where all random numbers come from.
    pub seed: u32,
    /// What to learn from.
    pub data: Source,
    /// How the pictures that are learned from are changed.
    pub augment: Augment,
    /// What learns.
    pub model: Vec<Layer>,
    /// What training makes small.
    pub loss: Loss,
    /// How gradients become changes of weights.
    pub optimizer: Optimizer,
    /// How the learning rate changes over time.
    pub schedule: Schedule,
    /// How training runs.
    pub training: Training,
    /// What the page shows.
    pub view: View,
}

/// A document that was understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// What it says.
    pub experiment: Experiment,
    /// Things worth telling, such as fields of a newer version that were left out.
    pub notes: Vec<String>,
}

fields! {
    /// The fields of a document that are no choices.
    Head {
        /// What you call it.
        #[schemars(title = "Name", length(max = 200))]
        name: String = String::new(),
        /// Where all random numbers come from: the same seed gives the same run.
        #[schemars(title = "Seed", range(min = 0, max = 4294967295u32))]
        seed: u32 = 0,
    }
}

/// The top-level fields, in the order in which they are written.
const FIELDS: [&str; 11] =
    ["version", "name", "seed", "data", "augment", "model", "loss", "optimizer", "schedule", "training", "view"];

impl Experiment {
    /// Reads a document.
    ///
    /// # Errors
    /// Names the field, what is wrong with it and what to do.
    pub fn parse(text: &str) -> Result<Parsed, UserError> {
        if text.len() > MAX_BYTES {
            let message = format!("This document has {} MiB; at most {} MiB are read.", text.len() >> 20, MAX_BYTES >> 20);
            return Err(UserError::new(message).hint("Keep a large table in a file beside the experiment."));
        }
        // Some editors begin a file with a byte order mark.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let value = serde_json::from_str(text).map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            UserError::at(place, format!("This is not JSON: {}.", reason(&error)))
                .hint("Check the commas, quotes and brackets there.")
        })?;
        let mut parsed = Self::from_value(&value)?;
        parsed.notes.splice(0..0, repeated::notes(text));
        Ok(parsed)
    }

    /// Reads a document that was parsed already.
    ///
    /// # Errors
    /// As [`Experiment::parse`].
    pub fn from_value(value: &Value) -> Result<Parsed, UserError> {
        let mut value = value.clone();
        // Programs write a whole number as 8.0, and mean it where only whole numbers fit.
        shorten(&mut value);
        let (Value::Object(mut document), mut reader) = (value, Reader::default()) else {
            return Err(UserError::new("An experiment is an object: { \"data\": …, \"model\": … }."));
        };
        version::migrate(&mut document, &mut reader)?;
        for name in document.keys().filter(|name| !FIELDS.contains(&name.as_str())) {
            if reader.newer {
                reader.notes.push(format!("The field `{}` belongs to a newer version and was left out.", spec::quote(name)));
                continue;
            }
            let near = spec::nearest(name, FIELDS).unwrap_or_default();
            return Err(
                UserError::at(spec::quote(name), "There is no such field here.").hint(format!("Did you mean `{near}`?"))
            );
        }
        let experiment = read(&document, &mut reader)?;
        Ok(Parsed { experiment, notes: reader.notes })
    }

    /// The document without defaults.
    pub fn to_value(&self) -> Value {
        self.written(false)
    }

    /// The document with every default written out.
    pub fn to_full_value(&self) -> Value {
        self.written(true)
    }

    /// The document without defaults, as a person would write it.
    pub fn to_json(&self) -> String {
        crate::pretty::print(&self.to_value())
    }

    fn written(&self, full: bool) -> Value {
        let head = Head { name: self.name.clone(), seed: self.seed };
        let either = |changed: Value, all: Value| if full { all } else { changed };
        let mut document = Map::new();
        document.insert("version".to_string(), json!(VERSION));
        if let Value::Object(fields) = either(head.write(spec::document()), head.write_full()) {
            document.extend(fields);
        }
        let data = if full {
            json!({ self.data.name(): self.data.to_full_json() })
        } else {
            written(self.data.name(), Value::Object(self.data.to_json()))
        };
        document.insert("data".to_string(), data);
        if full || self.augment.is_on() {
            let augment = either(self.augment.write(schema_of("augment")), self.augment.write_full());
            document.insert("augment".to_string(), augment);
        }
        document.insert("model".to_string(), write_list(&self.model, full));
        let parts = [
            ("loss", either(self.loss.to_value(), self.loss.to_full_value()), Loss::default().to_value()),
            ("optimizer", either(self.optimizer.to_value(), self.optimizer.to_full_value()), Optimizer::default().to_value()),
            ("schedule", either(self.schedule.to_value(), self.schedule.to_full_value()), Schedule::default().to_value()),
            ("training", either(self.training.write(schema_of("training")), self.training.write_full()), json!({})),
            ("view", either(self.view.write(schema_of("view")), self.view.write_full()), json!({})),
        ];
        for (name, value, default) in parts {
            if full || value != default {
                document.insert(name.to_string(), value);
            }
        }
        let mut document = Value::Object(document);
        shorten(&mut document);
        document
    }

    /// The samples, with what training steps are given of them.
    ///
    /// # Errors
    /// When the data cannot be had, or is not of the kind that can be augmented.
    pub fn dataset(&self, assets: &dyn Assets) -> Result<Dataset, UserError> {
        let mut data = self.data.build(self.seed, assets).map_err(|e| e.under(self.data.name()).under("data"))?;
        if self.loss.reconstructs() {
            // Data without numbers is refused by the loss, which knows why.
            data = data.clone().reconstructing().unwrap_or(data);
        }
        if self.augment.is_on() {
            apart(|| self.augment.apply(&mut data, self.seed))?;
        }
        Ok(data)
    }

    /// Whether it trains with the code that the page has from the start. For any other, whoever takes it up waits for the later part first.
    pub fn is_at_once(&self) -> bool {
        fn all(layers: &[Layer]) -> bool {
            layers.iter().all(|layer| layer.is_at_once() && layer.branches().into_iter().all(all))
        }
        let usual = self.loss.is_at_once() && !self.augment.is_on() && self.optimizer.def().is_at_once();
        usual && self.data.is_at_once() && all(&self.model)
    }

    /// The learning rate of step `t` (0 is the first), but for what a run makes of it that follows the validation loss.
    pub fn lr_at(&self, t: u64) -> f64 {
        self.schedule.lr_at(self.optimizer.lr(), t, self.training.steps)
    }

    /// The numbers of step `t` of a run whose optimizer slots were zero before step 0. See [`Experiment::step_scalars_since`].
    pub fn step_scalars(&self, t: u64) -> StepScalars {
        self.step_scalars_since(t, 0)
    }

    /// The numbers of step `t` (0 is the first) where the optimizer's slots were zero before step `since`; of its first micro batch, where it
    /// accumulates several. Allocates nothing; `batch` and `record` are left to the caller.
    pub fn step_scalars_since(&self, t: u64, since: u64) -> StepScalars {
        self.micro_scalars(t, since, 0, self.lr_at(t))
    }

    /// [`Experiment::step_scalars_since`] of the micro batch `micro` (0 is the first) of that step, at the learning rate `lr`. Random numbers are
    /// those of a micro batch; all else is the step's, and gradients are clipped once they are all there.
    pub fn micro_scalars(&self, t: u64, since: u64, micro: usize, lr: f64) -> StepScalars {
        let micros = self.training.accumulate;
        let number = t.wrapping_mul(micros as u64).wrapping_add(micro as u64);
        let mut step = StepScalars { step: number as u32, seed: self.seed, ..StepScalars::default() };
        self.optimizer.scalars(t.saturating_sub(since), lr, &self.training, &mut step.values);
        let ends = micro + 1 >= micros;
        set(&mut step.values, CARRY, if micro == 0 { 0.0 } else { 1.0 });
        set(&mut step.values, SHARE, 1.0 / micros as f64);
        set(&mut step.values, ENDS, if ends { 1.0 } else { 0.0 });
        set(&mut step.values, CLIP_NORM, self.training.clip_norm.filter(|_| ends).unwrap_or(f64::from(f32::MAX)));
        step
    }

    /// Names of the optimizer's slots, as PyTorch calls them, and [`crate::AVERAGE`] behind them where weights are averaged.
    pub fn slots(&self) -> Vec<&'static str> {
        let mut slots = self.optimizer.rule(&self.training).slots;
        slots.truncate(slots.len() - self.accumulating_slots());
        slots
    }

    /// Slots behind those with names: one where a step accumulates its gradient.
    pub fn accumulating_slots(&self) -> usize {
        usize::from(self.training.accumulate > 1)
    }

    /// The slot with the averages of the weights, where there are some; evaluations and predictions take these.
    pub fn average_slot(&self) -> Option<usize> {
        self.training.ema.and_then(|_| self.slots().len().checked_sub(1))
    }

    /// Names of what a training step records, in the order of the metrics ring.
    pub fn metric_names(&self) -> Vec<&'static str> {
        if self.training.clip_norm.is_some() { vec!["loss", "grad_norm"] } else { vec!["loss"] }
    }
}

fn read(document: &Map<String, Value>, reader: &mut Reader) -> Result<Experiment, UserError> {
    let get = |name: &str| document.get(name);
    let head = ["name", "seed"].into_iter().filter_map(|name| Some((name.to_string(), get(name)?.clone()))).collect();
    let mut known = Head::default();
    known.read(spec::document(), &Value::Object(head), reader)?;
    let data = get("data").ok_or_else(|| missing("data", "what to learn from", "\"data\": \"spirals\""))?;
    let data = read_source(data, reader).map_err(|e| e.under("data"))?;
    let model = get("model")
        .ok_or_else(|| missing("model", "what learns", "\"model\": [ { \"linear\": { \"out\": \"classes\" } } ]"))?;
    let model = read_list(model, reader).map_err(|e| e.under("model"))?;
    Ok(Experiment {
        version: VERSION,
        name: known.name,
        seed: known.seed,
        data,
        augment: part(get("augment"), "augment", reader, read_fields("augment"))?,
        model,
        loss: part(get("loss"), "loss", reader, Loss::read)?,
        optimizer: part(get("optimizer"), "optimizer", reader, Optimizer::read)?,
        schedule: part(get("schedule"), "schedule", reader, Schedule::read)?,
        training: part(get("training"), "training", reader, read_fields("training"))?,
        view: part(get("view"), "view", reader, read_fields("view"))?,
    })
}

fn missing(field: &str, what: &str, example: &str) -> UserError {
    UserError::at(field, format!("The experiment does not say {what}.")).hint(format!("Add {example}."))
}

fn part<T: Default>(
    value: Option<&Value>,
    name: &str,
    reader: &mut Reader,
    read: impl Fn(&Value, &mut Reader) -> Result<T, UserError>,
) -> Result<T, UserError> {
    value.map_or_else(|| Ok(T::default()), |value| read(value, reader).map_err(|e| e.under(name)))
}

/// Reads the data source.
fn read_source(value: &Value, reader: &mut Reader) -> Result<Source, UserError> {
    let (name, fields) = choice(value, "data source", Source::NAMES)?;
    let known = reader.known_fields(Source::schema(name), fields);
    Source::from_json(name, &known).map_err(|e| e.under(name))
}

/// The schema of a top-level field.
fn schema_of(field: &str) -> &'static Value {
    &spec::document()["properties"][field]
}

/// Reads a top-level field that is no choice.
fn read_fields<T: Fields + Default>(field: &str) -> impl Fn(&Value, &mut Reader) -> Result<T, UserError> {
    move |value, reader| {
        let mut read = T::default();
        read.read(schema_of(field), value, reader).map(|()| read)
    }
}

/// Writes 1.0 as 1, as a person would.
fn shorten(value: &mut Value) {
    match value {
        Value::Number(number) => {
            let whole = number.as_f64().filter(|n| number.is_f64() && n.fract() == 0.0 && n.abs() < 1e15);
            if let Some(whole) = whole {
                *value = Value::from(whole as i64);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(shorten),
        Value::Object(fields) => fields.values_mut().for_each(shorten),
        _ => {}
    }
}

/// What the JSON reader says, without the place that it repeats.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests {
    use downhill_graph::ScalarId;
    use proptest::prelude::*;

    use super::*;

    fn error(value: Value) -> String {
        Experiment::from_value(&value).unwrap_err().to_string()
    }

    fn minimal() -> Value {
        json!({ "data": "spirals", "model": [{ "linear": { "out": "classes" } }] })
    }

    fn with(field: &str, value: Value) -> Value {
        let mut document = minimal();
        document[field] = value;
        document
    }

    #[test]
    fn the_examples_of_the_documentation_are_read_and_written_back() {
        let first = json!({
            "version": 1,
            "name": "Two spirals",
            "seed": 7,
            "data": { "spirals": { "samples": 400, "noise": 0.05, "features": ["x", "y", "x2", "y2", "sin_x", "sin_y"] } },
            "model": [{ "linear": { "out": 16 } }, "tanh", { "linear": { "out": "classes" } }],
            "optimizer": { "sgd": { "lr": 0.01 } },
            "schedule": { "cosine": { "warmup": 100 } },
            "training": { "batch_size": 64, "steps": 3000, "clip_norm": 1, "eval_every": 20 },
            "view": { "pace": "max", "panels": ["network", "boundary", "loss"] },
        });
        assert_eq!(Experiment::from_value(&first).unwrap().experiment.to_value(), first);
        let nested = with(
            "model",
            json!([
                { "residual": [{ "linear": { "out": 64 } }, "relu"] },
                { "concat": [["tanh"], [{ "linear": { "init": { "normal": { "std": 0.5 } } } }]] },
                { "repeat": { "times": 4, "body": [{ "gelu": { "approximate": "tanh" } }, { "dropout": { "p": 0.1 } }] } },
                { "linear": { "out": "classes", "bias": false } },
            ]),
        );
        let read = Experiment::from_value(&nested).unwrap().experiment;
        assert_eq!(read.to_value()["model"], nested["model"]);
        assert_eq!(Experiment::from_value(&read.to_full_value()).unwrap().experiment, read);
        assert_eq!(Experiment::parse(&read.to_json()).unwrap().experiment, read);
    }

    #[test]
    fn what_equals_its_default_is_left_out() {
        let read = Experiment::from_value(&minimal()).unwrap().experiment;
        let document = json!({ "version": 1, "data": "spirals", "model": [{ "linear": { "out": "classes" } }] });
        assert_eq!(read.to_value(), document);
        let full = read.to_full_value();
        assert_eq!(full["training"]["batch_size"], 32);
        assert_eq!(full["optimizer"]["adam"]["betas"], json!([0.9, 0.999]));
        assert_eq!(full["model"][0]["linear"]["bias"], true);
        assert_eq!(full["data"]["spirals"]["classes"], 2);
    }

    #[test]
    fn an_error_names_the_field_what_is_wrong_and_what_to_do() {
        let model = |layers: Value| error(with("model", layers));
        assert_eq!(
            model(json!([{ "linear": { "ot": 8 } }])),
            "model[0].linear.ot: There is no such field here. Did you mean `out`?"
        );
        assert!(
            model(json!(["relu", { "linear": { "out": 1_000_000_000 } }]))
                .starts_with("model[1].linear.out: 1000000000 is out of range; it must be between 1 and 16384.")
        );
        assert!(
            model(json!([{ "linear": { "out": "clases" } }]))
                .starts_with("model[0].linear.out: There is no choice `clases` here. Did you mean `classes`?")
        );
        assert!(model(json!(["rleu"])).starts_with("model[0]: There is no layer `rleu`. Did you mean `relu`?"));
        assert!(
            model(json!([{ "residual": ["relu", { "dropout": { "p": 2 } }] }]))
                .starts_with("model[0].residual[1].dropout.p: 2 is out of range")
        );
        assert!(model(json!([{ "concat": [["relu"], [7]] }])).starts_with("model[0].concat[1][0]: This is not a layer"));
        assert!(model(json!([{ "repeat": { "times": 2 } }])).starts_with("model[0].repeat.body: repeat has no layers"));
        assert!(model(json!(["input"])).starts_with("model[0].input: `input` needs a name"));
        assert!(model(json!([{ "from": "memory" }])).starts_with("model[0]: There is no layer `from`"));
        assert!(
            model(json!([{ "linear": { "init": { "normal": { "sdt": 1 } } } }]))
                .starts_with("model[0].linear.init.normal.sdt: There is no such field")
        );
        assert!(
            error(with("optimizer", json!({ "adam": { "lr": 1e9 } })))
                .starts_with("optimizer.adam.lr: 1000000000 is out of range")
        );
        assert!(
            error(with("optimizer", json!({ "sgd": { "nesterov": true } })))
                .starts_with("optimizer.sgd.nesterov: Nesterov needs a momentum")
        );
        assert!(error(with("lose", json!("mse"))).starts_with("lose: There is no such field here. Did you mean `loss`?"));
        assert!(error(with("seed", json!(-1))).starts_with("seed: -1 is out of range"));
        assert!(
            error(with("data", json!({ "spirals": { "samples": "many" } })))
                .starts_with("data.spirals.samples: This must be a whole number")
        );
        let quoted = "This must be a whole number, not the text \"8\". Write it without quotes: 8.";
        assert_eq!(model(json!([{ "linear": { "out": "8" } }])), format!("model[0].linear.out: {quoted}"));
        assert_eq!(error(with("training", json!({ "batch_size": "8" }))), format!("training.batch_size: {quoted}"));
        assert!(error(with("training", json!({ "clip_norm": "0.5" }))).ends_with("Write it without quotes: 0.5."));
        assert!(error(with("training", json!({ "clip_norm": "half" }))).ends_with("not the text \"half\"."));
        assert!(model(json!([{ "linear": { "bias": "false" } }])).ends_with("Write it without quotes: false."));
        assert!(model(json!(["ReLU"])).starts_with("model[0]: There is no layer `ReLU`. Did you mean `relu`?"));
        assert!(model(json!(["BatchNorm"])).contains("Did you mean `batch_norm`?"));
        assert!(error(with("optimizer", json!("SGD"))).contains("Did you mean `sgd`?"));
        assert!(error(with("loss", json!("CrossEntropyLoss"))).contains("Did you mean `cross_entropy`?"));
        assert!(error(json!({ "data": "xor" })).starts_with("model: The experiment does not say what learns."));
        assert!(error(json!([])).starts_with("An experiment is an object"));
        let text = Experiment::parse("{\n  \"seed\": NaN\n}").unwrap_err().to_string();
        assert!(text.starts_with("line 2, column 11: This is not JSON"), "{text}");
    }

    #[test]
    fn a_whole_number_may_be_written_with_a_point() {
        let text = r#"{ "version": 1.0, "seed": 1.0, "data": { "spirals": { "samples": 3e2 } }, "model": [{ "linear": { "out": 9.0 } }] }"#;
        let read = Experiment::parse(text).unwrap().experiment.to_value();
        assert_eq!((&read["seed"], &read["model"][0]["linear"]["out"]), (&json!(1), &json!(9)));
        assert_eq!(read["data"]["spirals"]["samples"], 300);
        assert!(error(with("seed", json!(1.5))).starts_with("seed: This must be a whole number, not 1.5"));
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_document_and_a_field_given_twice_is_noted() {
        let text = "\u{feff}{ \"seed\": 1, \"data\": \"xor\", \"seed\": 2, \"model\": [\"tanh\", { \"linear\": { \"out\": 4, \"out\": \"classes\" } }] }";
        let parsed = Experiment::parse(text).unwrap();
        assert_eq!(parsed.experiment.seed, 2);
        let note = |path: &str| format!("`{path}` is given more than once; the last one counts.");
        assert_eq!(parsed.notes, [note("seed"), note("model[1].linear.out")]);
    }

    #[test]
    fn a_model_without_bounds_is_refused_before_it_is_read() {
        let many = vec![json!("relu"); 1_000_000];
        assert!(error(with("model", Value::Array(many))).starts_with("model: 1000000 layers are too many"));
        let mut deep = json!(["relu"]);
        for _ in 0..60 {
            deep = json!([{ "residual": deep }]);
        }
        assert!(error(with("model", deep)).ends_with("Take the innermost ones out, or use `repeat`."));
        let hostile = format!("{{\"model\": {}", "[".repeat(2_000_000));
        assert!(Experiment::parse(&hostile).unwrap_err().to_string().contains("This is not JSON: recursion limit exceeded"));
    }

    #[test]
    fn numbers_of_a_step_follow_the_seed_the_schedule_and_the_age_of_the_slots() {
        let mut document = with("optimizer", json!({ "adam": { "lr": 0.1 } }));
        document["seed"] = json!(5);
        let experiment = Experiment::from_value(&document).unwrap().experiment;
        let first = experiment.step_scalars(0);
        // Bias corrections of the first update: lr · √(1 − 0.999) / (1 − 0.9).
        assert!((first.get(ScalarId::LR) - 0.1 * 0.001f32.sqrt() / 0.1).abs() < 1e-6);
        assert_eq!((first.step, first.seed, first.record), (0, 5, StepScalars::NO_RECORD));
        assert_eq!(experiment.step_scalars_since(900, 900).values, first.values);
        assert!((experiment.step_scalars(1_000_000).get(ScalarId::LR) - 0.1).abs() < 1e-7);
        assert!(experiment.step_scalars(u64::MAX).values.iter().all(|v| v.is_finite()));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let word = prop::sample::select(vec![
            "linear", "relu", "out", "data", "model", "spirals", "residual", "repeat", "body", "adam", "x",
        ]);
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
            word.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 64, 6, move |inner| {
            let key = prop_oneof![word.clone().prop_map(ToString::to_string), ".{0,4}"];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec((key, inner), 0..4).prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_json_makes_the_reader_panic(value in any_json(), field in prop::sample::select(FIELDS.to_vec())) {
            let _ = Experiment::from_value(&value);
            if let Ok(parsed) = Experiment::from_value(&with(field, value)) {
                prop_assert_eq!(Experiment::from_value(&parsed.experiment.to_value()).unwrap().experiment, parsed.experiment);
            }
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in ".{0,200}") {
            let _ = Experiment::parse(&text);
        }
    }
}
