use downhill_data::{Dataset, Labels, Plane, Table, Task};
use downhill_protocol::{ArrayRef, Arrays, DataInfo, Event, LayerStats, Message, RunInfo, Status};

use crate::session::Session;

/// Names of the classes, or of the targets.
pub(crate) fn labels(data: &Dataset) -> Vec<String> {
    match &data.task {
        Task::Classification { classes } => classes.clone(),
        Task::Regression { targets } => targets.clone(),
    }
}

impl Session {
    /// What is known about the run, to be told when it begins and after every edit that compiled something.
    pub fn loaded(&self) -> Message<Event> {
        let mut arrays = Arrays::default();
        let (baseline_loss, baseline_accuracy) = self.baseline();
        let (arena, data) = self.programs.elements;
        let info = RunInfo {
            run: self.run,
            step: self.done,
            experiment: self.checked.experiment.to_value().to_string(),
            layers: self.layer_stats(),
            parameters: self.checked.summary.parameters,
            flops_per_step: self.train.flops,
            bytes: (u64::from(arena) + u64::from(data)) * 4,
            data: self.data_info(&mut arrays),
            baseline_loss,
            baseline_accuracy,
            program: self.programs.printed.clone(),
            notes: self.notes.clone(),
        };
        arrays.with(Event::Loaded(Box::new(info)))
    }

    /// How the run is doing.
    pub fn status(&self) -> Status {
        let before = self.position_before(self.done);
        let len = self.data.train.len().max(1) as f64;
        Status {
            run: self.run,
            step: self.done,
            epoch: f64::from(before.epoch) + f64::from(before.index) / len,
            loss: self.loss,
            lr: self.checked.experiment.lr_at(self.done.saturating_sub(1)),
            steps_per_second: if self.running { self.rate.rate() } else { 0.0 },
            running: self.running || self.done < self.queued,
            metrics: self.metrics().to_vec(),
        }
    }

    pub(crate) fn layer_stats(&self) -> Vec<LayerStats> {
        let shape = |shape: &[usize]| shape.iter().map(|&n| n as u32).collect::<Vec<u32>>();
        let input = LayerStats {
            path: "input".to_string(),
            label: "input".to_string(),
            shape: shape(&self.checked.signature.input_shape),
            units: self.data.features.clone(),
            ..LayerStats::default()
        };
        let layers = self.checked.summary.layers.clone();
        let last = layers.len().saturating_sub(1);
        let names = labels(&self.data);
        let stats = layers.into_iter().enumerate().map(|(i, layer)| LayerStats {
            units: if i == last && layer.shape == [names.len()] { names.clone() } else { Vec::new() },
            path: layer.path,
            scope: layer.scope,
            label: layer.label,
            shape: shape(&layer.shape),
            parameters: layer.parameters.iter().map(|(name, dims)| (name.clone(), shape(dims))).collect(),
        });
        std::iter::once(input).chain(stats).collect()
    }

    fn data_info(&self, arrays: &mut Arrays) -> DataInfo {
        let data = &self.data;
        let mut points = |table: &Table| points(data, table, arrays);
        DataInfo {
            task: match data.task {
                Task::Classification { .. } => "classification".to_string(),
                Task::Regression { .. } => "regression".to_string(),
            },
            labels: labels(data),
            features: data.features.clone(),
            train: data.train.len() as u32,
            validation: data.validation.len() as u32,
            train_points: points(&data.train),
            validation_points: points(&data.validation),
            image: data.image.map(|(h, w)| (h as u32, w as u32)),
            description: data.card.description.clone(),
            licence: data.card.licence.clone(),
            hash: data.card.hash.clone(),
        }
    }

    /// Loss and accuracy of an answer that does not look at its input: the share of each class, or the mean.
    fn baseline(&self) -> (f64, Option<f64>) {
        let shown = if self.data.validation.is_empty() { &self.data.train } else { &self.data.validation };
        match (&self.data.train.y, &shown.y) {
            (Labels::Class(train), Labels::Class(shown)) => {
                let shares = shares(train, self.checked.signature.outputs);
                let best = shares.iter().enumerate().fold(0, |best, (i, s)| if *s > shares[best] { i } else { best });
                let n = shown.len().max(1) as f64;
                let share_of = |class: u32| shares.get(class as usize).copied().unwrap_or(0.0).max(1e-12);
                let loss = match self.checked.experiment.loss.name() {
                    "cross_entropy" | "bce_with_logits" => shown.iter().map(|&c| -libm::log(share_of(c))).sum::<f64>() / n,
                    name => {
                        // Targets are −1 and 1; their mean is the constant that a difference is smallest for.
                        let mean = share_of(1) - share_of(0);
                        shown.iter().map(|&c| difference(name, if c == 0 { -1.0 } else { 1.0 } - mean)).sum::<f64>() / n
                    }
                };
                (loss, Some(shown.iter().filter(|&&c| c as usize == best).count() as f64 / n))
            }
            (Labels::Real(train), Labels::Real(shown)) => {
                let width = self.checked.signature.outputs.max(1);
                let mean = |column: usize| {
                    let values = train.iter().skip(column).step_by(width);
                    values.map(|v| f64::from(*v)).sum::<f64>() / (train.len() / width).max(1) as f64
                };
                let means: Vec<f64> = (0..width).map(mean).collect();
                let name = self.checked.experiment.loss.name();
                let errors = shown.iter().enumerate().map(|(i, v)| difference(name, f64::from(*v) - means[i % width]));
                (errors.sum::<f64>() / shown.len().max(1) as f64, None)
            }
            _ => (f64::NAN, None),
        }
    }
}

/// The loss of one difference.
fn difference(loss: &str, d: f64) -> f64 {
    match loss {
        "l1" => d.abs(),
        "huber" if d.abs() > 1.0 => d.abs() - 0.5,
        "huber" => d * d / 2.0,
        _ => d * d,
    }
}

fn shares(labels: &[u32], classes: usize) -> Vec<f64> {
    let mut counts = vec![0.0; classes.max(1)];
    for &label in labels {
        if let Some(count) = counts.get_mut(label as usize) {
            *count += 1.0 / labels.len().max(1) as f64;
        }
    }
    counts
}

/// x, y, class triples where samples are points of a plane; x, 0, target where they lie on a line.
fn points(data: &Dataset, table: &Table, arrays: &mut Arrays) -> Option<ArrayRef> {
    let plane = data.plane.as_ref()?;
    let point = |i: usize, p: &[f32]| match (&table.y, plane) {
        (Labels::Class(classes), _) => [p[0], p[1], classes.get(i).map_or(0.0, |&c| c as f32)],
        (Labels::Real(_), Plane::Line(_)) => [p[0], 0.0, p[1]],
        (Labels::Real(values), _) => [p[0], p[1], values.get(i).copied().unwrap_or(0.0)],
    };
    Some(arrays.push(table.raw.chunks_exact(2).enumerate().flat_map(|(i, p)| point(i, p)).collect()))
}
