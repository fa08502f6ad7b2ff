use downhill_data::{Dataset, Labels, Part, Plane, Task};
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
        let (learned, shown) = (self.data.labels(&self.data.train), self.data.labels(self.data.shown()));
        let baseline = self.checked.experiment.loss.baseline(learned, shown, self.checked.signature.outputs);
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
            baseline_loss: baseline.loss,
            baseline_accuracy: baseline.accuracy,
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
            shape: shape(&self.checked.signature.first().port.shape),
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
        let data = &*self.data;
        let mut points = |part: &Part| points(data, part, arrays);
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
