use downhill_data::{Source, spec};
use downhill_graph::{ScalarId, StepScalars};
use downhill_tensor::UserError;
use serde_json::{Map, Value, json};

use crate::layers::{Layer, read_list, write_list};
use crate::losses::Loss;
use crate::optimizers::Optimizer;
use crate::registry::{Fields, Reader, choice, fields, unknown, written};
use crate::scalars::{CLIP_NORM, set};
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
const FIELDS: [&str; 10] = ["version", "name", "seed", "data", "model", "loss", "optimizer", "schedule", "training", "view"];

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
        let value = serde_json::from_str(text).map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            UserError::at(place, format!("This is not JSON: {}.", reason(&error)))
                .hint("Check the commas, quotes and brackets there.")
        })?;
        Self::from_value(&value)
    }

    /// Reads a document that was parsed already.
    ///
    /// # Errors
    /// As [`Experiment::parse`].
    pub fn from_value(value: &Value) -> Result<Parsed, UserError> {
        let Value::Object(document) = value else {
            return Err(UserError::new("An experiment is an object: { \"data\": …, \"model\": … }."));
        };
        let (mut document, mut reader) = (document.clone(), Reader::default());
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
        let plain = |changed: Value, all: Value| if full { all } else { changed };
        let member = |changed: Value, all: Value| if full { all } else { changed };
        let mut document = Map::new();
        document.insert("version".to_string(), json!(VERSION));
        if let Value::Object(fields) = plain(head.write(), head.write_full()) {
            document.extend(fields);
        }
        let fields = Value::Object(self.data.to_json());
        let data = if full { json!({ self.data.name(): full_fields(&self.data) }) } else { written(self.data.name(), fields) };
        document.insert("data".to_string(), data);
        document.insert("model".to_string(), write_list(&self.model, full));
        let parts = [
            ("loss", member(self.loss.to_value(), self.loss.to_full_value()), Loss::default().to_value()),
            ("optimizer", member(self.optimizer.to_value(), self.optimizer.to_full_value()), Optimizer::default().to_value()),
            ("schedule", member(self.schedule.to_value(), self.schedule.to_full_value()), Schedule::default().to_value()),
            ("training", plain(self.training.write(), self.training.write_full()), json!({})),
            ("view", plain(self.view.write(), self.view.write_full()), json!({})),
        ];
        for (name, value, default) in parts {
            if full || value != default {
                document.insert(name.to_string(), value);
            }
        }
        Value::Object(document)
    }

    /// The learning rate of step `t` (0 is the first).
    pub fn lr_at(&self, t: u64) -> f64 {
        self.schedule.lr_at(self.optimizer.lr(), t, self.training.steps)
    }

    /// The numbers of step `t` of a run whose optimizer slots were zero before step 0. See [`Experiment::step_scalars_since`].
    pub fn step_scalars(&self, t: u64) -> StepScalars {
        self.step_scalars_since(t, 0)
    }

    /// The numbers of step `t` (0 is the first) where the optimizer's slots were zero before step `since`. Allocates nothing; `batch` and `record` are
    /// left to the caller.
    pub fn step_scalars_since(&self, t: u64, since: u64) -> StepScalars {
        let mut step = StepScalars { step: t as u32, seed: self.seed, ..StepScalars::default() };
        self.optimizer.scalars(t.saturating_sub(since), self.lr_at(t), &self.training, &mut step.values);
        set(&mut step.values, CLIP_NORM, self.training.clip_norm.unwrap_or(f64::from(f32::MAX)));
        step
    }

    /// The (rate, decay) scalars of every parameter group.
    pub fn groups(&self) -> Vec<(ScalarId, ScalarId)> {
        vec![(ScalarId::LR, ScalarId::DECAY)]
    }

    /// Names of the optimizer's slots, as PyTorch calls them.
    pub fn slots(&self) -> Vec<&'static str> {
        self.optimizer.rule(&self.training).slots
    }

    /// Names of what a training step records, in the order of the metrics ring.
    pub fn metric_names(&self) -> Vec<&'static str> {
        if self.training.clip_norm.is_some() { vec!["loss", "grad_norm"] } else { vec!["loss"] }
    }
}

fn read(document: &Map<String, Value>, reader: &mut Reader) -> Result<Experiment, UserError> {
    let get = |name: &str| document.get(name);
    let head = ["name", "seed"].into_iter().filter_map(|name| Some((name.to_string(), get(name)?.clone()))).collect();
    let Head { name, seed } = Fields::read(&Value::Object(head), reader)?;
    let data = get("data").ok_or_else(|| missing("data", "what to learn from", "\"data\": \"spirals\""))?;
    let data = read_source(data, reader).map_err(|e| e.under("data"))?;
    let model = get("model")
        .ok_or_else(|| missing("model", "what learns", "\"model\": [ { \"linear\": { \"out\": \"classes\" } } ]"))?;
    let model = read_list(model, reader).map_err(|e| e.under("model"))?;
    Ok(Experiment {
        version: VERSION,
        name,
        seed,
        data,
        model,
        loss: part(get("loss"), "loss", reader, Loss::read)?,
        optimizer: part(get("optimizer"), "optimizer", reader, Optimizer::read)?,
        schedule: part(get("schedule"), "schedule", reader, Schedule::read)?,
        training: part(get("training"), "training", reader, Training::read)?,
        view: part(get("view"), "view", reader, View::read)?,
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
    let schema = Source::schema(name).ok_or_else(|| unknown("data source", name, Source::NAMES))?;
    let known = reader.known_fields(&schema, fields);
    Source::from_json(name, &known).map_err(|e| e.under(name))
}

/// All fields of a source, defaults included.
fn full_fields(source: &Source) -> Value {
    let mut fields = Map::new();
    let properties = Source::schema(source.name()).unwrap_or_default();
    for (name, schema) in properties["properties"].as_object().into_iter().flatten() {
        fields.insert(name.clone(), schema["default"].clone());
    }
    fields.extend(source.to_json());
    Value::Object(fields)
}

/// What the JSON reader says, without the place that it repeats.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_string()
}
