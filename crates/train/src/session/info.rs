//! What is told about a run: its layers, its data, and how it is doing.

use downhill_data::{Dataset, Field, Forecast, Labels, Part, Plane, Task};
use downhill_graph::kernel::LossKind;
use downhill_model::LayerSummary;
use downhill_model::losses::Loss;
use downhill_protocol::{
    ArrayRef, Arrays, ColumnInfo, DataInfo, Event, ForecastInfo, InputInfo, LanguageInfo, LayerStats, Message, ParameterInfo,
    Role, RunInfo, Status,
};
use downhill_tensor::{Dtype, apart};

use super::Session;

/// Names of the classes, or of the targets.
pub(crate) fn labels(data: &Dataset) -> Vec<String> {
    match &data.task {
        Task::Classification { classes } => classes.clone(),
        Task::Regression { targets } => targets.clone(),
        Task::Retrieval => vec!["similarity".to_string()],
    }
}

impl Session {
    /// What is known about the run, to be told when it begins and after every edit that compiled something.
    pub fn loaded(&self) -> Message<Event> {
        let mut arrays = Arrays::default();
        let (baseline, naive) = self.unlearned(self.run.data().shown());
        let (arena, data) = self.machine.programs().elements;
        let info = RunInfo {
            run: self.run.number(),
            step: self.run.done(),
            kept: self.run.kept_weights(),
            experiment: self.run.experiment().to_value().to_string(),
            layers: self.layer_stats(),
            parameters: self.run.checked().summary.parameters,
            flops_per_step: self.machine.train().flops * self.run.micros() as u64,
            bytes: (u64::from(arena) + u64::from(data)) * 4,
            data: self.data_info(&mut arrays),
            baseline_loss: baseline.loss,
            baseline_accuracy: baseline.accuracy,
            baseline_naive: naive,
            program: self.machine.programs().printed.clone(),
            notes: self.reports.notes().to_vec(),
        };
        arrays.with(Event::Loaded(Box::new(info)))
    }

    /// How the run is doing.
    pub fn status(&self) -> Status {
        let before = self.run.position_before(self.run.done());
        let len = self.run.data().train.len().max(1) as f64;
        Status {
            run: self.run.number(),
            step: self.run.done(),
            epoch: f64::from(before.epoch) + f64::from(before.index) / len,
            loss: self.reports.loss(),
            lr: self.run.lr_at(self.run.done().saturating_sub(1)),
            steps_per_second: if self.run.drive().running() { self.run.drive().rate() } else { 0.0 },
            running: self.run.drive().running() || self.run.done() < self.run.queued(),
            metrics: self.metrics().to_vec(),
            recall: self.reports.evaluator().recall().to_vec(),
        }
    }

    pub(crate) fn layer_stats(&self) -> Vec<LayerStats> {
        let shape = |shape: &[usize]| shape.iter().map(|&n| n as u32).collect::<Vec<u32>>();
        let layers = &self.run.checked().summary.layers;
        let names = labels(self.run.data());
        let mut stats = Vec::new();
        // What stands before the first layer, unless that says by itself where it begins.
        if layers.first().is_none_or(|layer| layer.field.is_none()) {
            stats.extend(self.input_stats(0));
        }
        for (i, layer) in layers.iter().enumerate() {
            if let Some(field) = &layer.field {
                let place = self.run.data().inputs.iter().position(|name| name == field);
                let input = place.and_then(|place| self.input_stats(place));
                stats.extend(input.map(|input| LayerStats { path: layer.path.clone(), label: layer.label.clone(), ..input }));
                continue;
            }
            let numbers =
                |path: &String| stats.iter().find(|l: &&LayerStats| l.path == *path).map(|l| l.shape.iter().product());
            let inputs = layer.reads.first().and_then(numbers).unwrap_or(0);
            let is_last = i + 1 == layers.len();
            stats.push(LayerStats {
                units: if is_last && layer.shape == [names.len()] { names.clone() } else { Vec::new() },
                path: layer.path.clone(),
                scope: layer.scope.clone(),
                label: layer.title(),
                shape: shape(&layer.shape),
                parameters: parameters(layer, inputs),
                reads: layer.reads.clone(),
                range: layer.range.map(|(low, high)| (low as f32, high as f32)),
                input: None,
                tokens: layer.tokens,
                inner: layer.inner.clone(),
            });
        }
        stats
    }

    /// An input of the data as the map of the network shows it.
    fn input_stats(&self, place: usize) -> Option<LayerStats> {
        let input = self.run.checked().signature.inputs.get(place)?;
        let numbers = input.port.shape.iter().product::<usize>();
        let features = &self.run.data().features;
        Some(LayerStats {
            path: "input".to_string(),
            label: if self.run.data().inputs.len() > 1 { format!("input {}", input.name) } else { "input".to_string() },
            shape: input.port.shape.iter().map(|&n| n as u32).collect(),
            units: if features.len() == numbers { features.clone() } else { Vec::new() },
            input: Some(place as u32),
            tokens: input.port.dtype == Dtype::U32,
            ..LayerStats::default()
        })
    }

    fn data_info(&self, arrays: &mut Arrays) -> DataInfo {
        let data = self.run.data();
        let mut points = |part: &Part| points(data, part, arrays);
        let positions = &self.run.checked().signature.positions;
        DataInfo {
            task: match data.task {
                Task::Classification { .. } => "classification".to_string(),
                Task::Regression { .. } => "regression".to_string(),
                Task::Retrieval => "retrieval".to_string(),
            },
            labels: labels(data),
            features: data.features.clone(),
            inputs: inputs(data),
            train: data.train.len() as u32,
            validation: data.validation.len() as u32,
            train_points: points(&data.train),
            validation_points: points(&data.validation),
            image: data.image.map(|(h, w)| (h as u32, w as u32)),
            pen: data.pen,
            sound: data.sound.as_ref().map(|sound| sound.rate),
            positions: if positions.is_empty() { 0 } else { positions.iter().product::<usize>() as u32 },
            of_pixels: self.run.checked().signature.of_pixels(),
            columns: data.table.iter().flat_map(|table| table.inputs()).map(column).collect(),
            table_rows: data.table.as_ref().map_or(0, |table| table.rows() as u32),
            language: data.language.as_ref().map(|language| LanguageInfo {
                characters: language.characters,
                joined: language.tokenizer.is_joined(),
                input: language.input as u32,
                no_cache: apart(|| self.no_cache()),
            }),
            floor: data.floor.filter(|_| measures_nats(&self.run.experiment().loss)),
            forecast: data.forecast.as_ref().map(|forecast| forecast_info(data, forecast)),
            target_mean: data.normalisation.target_mean.clone(),
            class_counts: class_counts(data),
            duplicates: data.card.duplicates as u32,
            description: data.card.description.clone(),
            licence: data.card.licence.clone(),
            hash: data.card.hash.clone(),
        }
    }
}

/// Of each class, how many samples are learned from and how many held out.
fn class_counts(data: &Dataset) -> Vec<(u32, u32)> {
    let Task::Classification { classes } = &data.task else { return Vec::new() };
    let count = |part: &Part| {
        let mut counts = vec![0; classes.len()];
        match data.labels(part) {
            Labels::Class(labels) if labels.len() <= part.len() => {
                for &label in labels {
                    if let Some(count) = counts.get_mut(label as usize) {
                        *count += 1;
                    }
                }
                Some(counts)
            }
            _ => None,
        }
    };
    let counts = count(&data.train).zip(count(&data.validation));
    counts.map_or_else(Vec::new, |(train, validation)| train.into_iter().zip(validation).collect())
}

fn column((name, first, len): (&str, usize, usize)) -> ColumnInfo {
    ColumnInfo { name: name.to_string(), first: first as u32, len: len as u32 }
}

/// Whether a loss is the plain cross-entropy, in nats.
fn measures_nats(loss: &Loss) -> bool {
    matches!(loss.kind(), Some(LossKind::CrossEntropy { label_smoothing: 0.0 })) && !loss.weighs_classes()
}

fn forecast_info(data: &Dataset, forecast: &Forecast) -> ForecastInfo {
    let scale = match data.normalisation.target_std.as_slice() {
        [std, rest @ ..] if rest.iter().all(|other| other == std) => *std,
        _ => 1.0,
    };
    ForecastInfo {
        window: forecast.window as u32,
        horizon: forecast.horizon as u32,
        names: forecast.names.clone(),
        predicted: forecast.predicted as u32,
        naive_error: scale * data.naive_error(data.shown()).unwrap_or(f64::NAN),
    }
}

/// The inputs of a sample, as a person gives them.
fn inputs(data: &Dataset) -> Vec<InputInfo> {
    let coordinates = match data.plane {
        Some(Plane::Line(_)) => Some(vec![1]),
        Some(_) => Some(vec![2]),
        None => None,
    };
    let info = |name: &String| {
        let field = data.train.field(name)?;
        let shape = coordinates.clone().unwrap_or_else(|| field.shape.iter().map(|&n| n as u32).collect());
        let tokens = field.column.dtype() == Dtype::U32;
        Some(InputInfo { name: name.clone(), shape, tokens, words: words(data, field) })
    };
    data.inputs.iter().filter_map(info).collect()
}

/// What the tokens of a field are called: where there is an answer at every position, that is a token of the same vocabulary.
fn words(data: &Dataset, field: &Field) -> Vec<String> {
    if !field.words.is_empty() {
        return field.words.clone();
    }
    let target = data.target.as_deref().and_then(|name| data.train.field(name));
    match &data.task {
        Task::Classification { classes }
            if target.is_some_and(|target| target.shape.numel() > 1) && field.vocabulary == Some(classes.len()) =>
        {
            classes.clone()
        }
        _ => Vec::new(),
    }
}

/// The parameters of a layer that reads so many numbers, with what they stand for.
fn parameters(layer: &LayerSummary, inputs: u32) -> Vec<ParameterInfo> {
    let units = layer.shape.iter().product::<usize>() as u32;
    let info = |(name, shape): &(String, Vec<usize>)| {
        let shape: Vec<u32> = shape.iter().map(|&n| n as u32).collect();
        let role = match *shape {
            [n, m] if (n, m) == (units, inputs) => Role::Wires,
            [n] if n == units => Role::PerUnit,
            _ => Role::Other,
        };
        ParameterInfo { name: name.clone(), shape, role }
    };
    layer.parameters.iter().map(info).collect()
}

/// x, y, class triples where samples are points of a plane; x, 0, target where they lie on a line.
fn points(data: &Dataset, part: &Part, arrays: &mut Arrays) -> Option<ArrayRef> {
    let plane = data.plane.as_ref()?;
    let point = |i: usize, p: &[f32]| match (data.labels(part), plane) {
        (Labels::Class(classes), _) => [p[0], p[1], classes.get(i).map_or(0.0, |&c| c as f32)],
        (Labels::Real(_), Plane::Line(_)) => [p[0], 0.0, p[1]],
        (Labels::Real(values), _) => [p[0], p[1], values.get(i).copied().unwrap_or(0.0)],
    };
    Some(arrays.push(part.raw.chunks_exact(2).enumerate().flat_map(|(i, p)| point(i, p)).collect()))
}
