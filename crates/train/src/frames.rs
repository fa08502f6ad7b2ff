use downhill_compile::Entry;
use downhill_data::Labels;
use downhill_model::{LayerSummary, Task};
use downhill_protocol::{Arrays, Event, Frame, LayerMap, MapSource, Prediction, Tensor};
use downhill_tensor::stats::summarize;

use crate::info::labels;
use crate::panels::{Answer, PanelJob, between};
use crate::session::Session;

/// Below this a unit counts as silent, above its complement a squashing unit as saturated.
const NEAR: f32 = 0.01;

impl Session {
    /// Turns what a panel's programs gave into its frame.
    pub(crate) fn finish_panel(&mut self, job: PanelJob, step: u64, reads: Vec<Vec<u32>>) {
        let mut arrays = Arrays::default();
        let frame = match &job.source {
            MapSource::Weights => Frame::Weights(self.weights(&mut arrays, reads.first().map_or(&[], Vec::as_slice))),
            MapSource::Stats => Frame::Stats { rows: self.stats(&job, step, &reads) },
            source => {
                let outputs = job.layout.gather(&reads);
                match source {
                    MapSource::Grid { .. } => self.maps(&mut arrays, &job, &outputs),
                    MapSource::Line { points, low, high } => {
                        let n = job.layout.rows as u32;
                        debug_assert!(n <= *points || *points < 2);
                        let x = arrays.push((0..n).map(|i| between(*low, *high, i, n)).collect());
                        let y = arrays.push(self.answers(outputs.last().map_or(&[], Vec::as_slice), job.layout.rows));
                        Frame::Curve { x, y }
                    }
                    MapSource::Validation { limit } => {
                        self.predictions(&mut arrays, *limit as usize, outputs.last().map_or(&[], Vec::as_slice))
                    }
                    _ => self.draft(&mut arrays, &job, outputs),
                }
            }
        };
        let event = match job.answer {
            Answer::Panel(panel) => {
                self.panels.finished(&panel, job.started);
                Event::Frame { run: job.run, step, panel, frame }
            }
            Answer::Request(id) => match frame {
                Frame::Draft { prediction, .. } => Event::Predicted { id, prediction },
                _ => return,
            },
        };
        self.events.push(arrays.with(event));
    }

    /// The network's outputs as a person reads them: a probability per class, or values in the units of the data.
    fn answers(&self, outputs: &[f32], rows: usize) -> Vec<f32> {
        let width = outputs.len() / rows.max(1);
        match self.checked.signature.task {
            Task::Regression => {
                outputs.chunks_exact(width.max(1)).flat_map(|row| self.data.normalisation.target(row)).collect()
            }
            Task::Classification if width == 1 => outputs.iter().flat_map(|&score| self.two_classes(score)).collect(),
            Task::Classification => outputs.to_vec(),
        }
    }

    /// Probabilities from the single output of a network that tells two classes apart.
    fn two_classes(&self, score: f32) -> [f32; 2] {
        let second = self.checked.experiment.loss.second_class(score);
        [1.0 - second, second]
    }

    fn maps(&self, arrays: &mut Arrays, job: &PanelJob, outputs: &[Vec<f32>]) -> Frame {
        let rows = job.layout.rows;
        let resolution = (rows as f64).sqrt().round() as u32;
        let mut layers = Vec::new();
        let mut map = |path: &str, values: &[f32]| {
            let units = values.len() / rows.max(1);
            let data = arrays.push(by_unit(values, units));
            layers.push(LayerMap { path: path.to_string(), units: units as u32, data });
        };
        if outputs.len() > 1 {
            map("input", &job.inputs.first());
        }
        for ((name, _), values) in job.layout.outputs.iter().zip(outputs) {
            if name == "output" {
                map(name, &self.answers(values, rows));
            } else {
                map(name, values);
            }
        }
        Frame::Maps { resolution, layers }
    }

    fn draft(&self, arrays: &mut Arrays, job: &PanelJob, outputs: Vec<Vec<f32>>) -> Frame {
        let shape = |values: &[f32]| vec![values.len() as u32];
        let mut activations = Vec::new();
        let mut prediction = Prediction { labels: labels(&self.data), values: Vec::new() };
        let input = self.checked.signature.first().port.shape.iter().map(|&n| n as u32).collect();
        activations.push(Tensor { name: "input".to_string(), shape: input, data: arrays.push(job.inputs.first()) });
        for ((name, _), values) in job.layout.outputs.iter().zip(outputs) {
            if name == "output" {
                prediction.values = self.answers(&values, 1);
            } else {
                activations.push(Tensor { name: name.clone(), shape: shape(&values), data: arrays.push(values) });
            }
        }
        Frame::Draft { prediction, activations }
    }

    fn weights(&self, arrays: &mut Arrays, words: &[u32]) -> Vec<Tensor> {
        let tensor = |entry: &Entry| Tensor {
            name: entry.name.clone(),
            shape: entry.shape.iter().map(|&n| n as u32).collect(),
            data: arrays.push(floats(words, entry)),
        };
        self.engine.layout().entries.iter().map(tensor).collect()
    }

    fn predictions(&self, arrays: &mut Arrays, limit: usize, outputs: &[f32]) -> Frame {
        let table = self.shown_table();
        let answers = self.answers(outputs, table.len());
        let width = answers.len() / table.len().max(1);
        let classes = if self.checked.signature.task == Task::Classification { width } else { 0 };
        let mut confusion = vec![0.0; classes * classes];
        let mut rows: Vec<(f32, [f32; 4])> = Vec::with_capacity(limit.min(table.len()) + 1);
        // The worst first; of equals the earlier.
        let mut keep = |row: (f32, [f32; 4])| {
            let at = rows.partition_point(|other| other.0.total_cmp(&row.0).is_ge());
            if at < limit {
                rows.insert(at, row);
                rows.truncate(limit);
            }
        };
        for (i, answer) in answers.chunks_exact(width.max(1)).enumerate() {
            match self.data.labels(table) {
                Labels::Class(labels) => {
                    let truth = labels.get(i).map_or(0, |&c| c as usize);
                    let guess = argmax(answer);
                    if let Some(count) = confusion.get_mut(truth * classes + guess) {
                        *count += 1.0;
                    }
                    let doubt = 1.0 - answer.get(truth).copied().unwrap_or(0.0);
                    keep((doubt, [i as f32, truth as f32, guess as f32, answer.get(guess).copied().unwrap_or(0.0)]));
                }
                Labels::Real(values) => {
                    let target = self.data.normalisation.target(values.get(i * width..(i + 1) * width).unwrap_or(&[]));
                    let (target, guess) = (target.first().copied().unwrap_or(0.0), answer.first().copied().unwrap_or(0.0));
                    keep(((guess - target).abs(), [i as f32, target, guess, guess - target]));
                }
            }
        }
        let input = table.field(&self.checked.signature.first().name);
        let norm = &self.data.normalisation;
        let raw = |i: f32| {
            let row = input.map(|field| field.numbers(i as usize)).unwrap_or_default();
            row.iter().zip(&norm.mean).zip(&norm.std).map(|((x, m), s)| x * s + m).collect::<Vec<f32>>()
        };
        let inputs = rows.iter().flat_map(|(_, row)| raw(row[0])).collect();
        let rows = rows.iter().flat_map(|(_, row)| *row).collect();
        Frame::Predictions { rows: arrays.push(rows), inputs: arrays.push(inputs), confusion: arrays.push(confusion) }
    }

    fn stats(&mut self, job: &PanelJob, step: u64, reads: &[Vec<u32>]) -> Vec<(String, Vec<(String, f64)>)> {
        let (Some(words), Some(probe)) = (reads.first(), reads.get(1)) else { return Vec::new() };
        let parameters: Vec<f32> = words.iter().map(|w| f32::from_bits(*w)).collect();
        let outputs = job.layout.gather(std::slice::from_ref(probe));
        let output = |name: &str| {
            let at = job.layout.outputs.iter().position(|(n, _)| n == name);
            at.and_then(|at| outputs.get(at)).map_or(&[][..], Vec::as_slice)
        };
        let before = match &job.answer {
            Answer::Panel(panel) => self.panels.exchange_parameters(panel, step, parameters),
            Answer::Request(_) => None,
        };
        let mut rows = Vec::new();
        for entry in &self.engine.layout().entries {
            let values = floats(words, entry);
            let s = summarize(&values);
            let zeros = share(&values, |v| v == 0.0);
            let mut row = vec![("mean", s.mean), ("std", s.std), ("norm", s.norm), ("zeros", zeros)];
            row.push(("grad_norm", summarize(output(&format!("grad:{}", entry.name))).norm));
            if let Some((then, old)) = before.as_ref().filter(|(then, old)| *then < step && old.len() == words.len()) {
                let old = &old[entry.offset as usize..][..entry.len as usize];
                let moved: Vec<f32> = values.iter().zip(old).map(|(new, old)| new - old).collect();
                row.push(("update_ratio", summarize(&moved).norm / (step - then) as f64 / s.norm.max(1e-12)));
            }
            rows.push((entry.name.clone(), named(&row)));
        }
        let layers = &self.checked.summary.layers;
        rows.extend(layers.iter().filter_map(|layer| {
            let values = output(&layer.path);
            (!values.is_empty()).then(|| (layer.path.clone(), activation_stats(layer, values)))
        }));
        rows
    }
}

/// Mean, std, share of units that give nothing for any sample, share of values at the flat ends of a function that has ends.
fn activation_stats(layer: &LayerSummary, values: &[f32]) -> Vec<(String, f64)> {
    let units = layer.shape.iter().product::<usize>().max(1);
    let dead = (0..units).filter(|&u| values.iter().skip(u).step_by(units).all(|v| v.abs() < 1e-6)).count();
    let saturated = layer.range.map_or(0.0, |(low, high)| {
        let (low, high) = (low as f32 + NEAR, high as f32 - NEAR);
        share(values, |v| v < low || v > high)
    });
    let s = summarize(values);
    named(&[("mean", s.mean), ("std", s.std), ("dead", dead as f64 / units as f64), ("saturated", saturated)])
}

fn named(row: &[(&str, f64)]) -> Vec<(String, f64)> {
    row.iter().map(|(name, value)| ((*name).to_string(), *value)).collect()
}

fn share(values: &[f32], is: impl Fn(f32) -> bool) -> f64 {
    values.iter().filter(|v| is(**v)).count() as f64 / values.len().max(1) as f64
}

fn floats(words: &[u32], entry: &Entry) -> Vec<f32> {
    words.iter().skip(entry.offset as usize).take(entry.len as usize).map(|w| f32::from_bits(*w)).collect()
}

/// `[rows, units]` as `[units, rows]`.
fn by_unit(values: &[f32], units: usize) -> Vec<f32> {
    (0..units).flat_map(|unit| values.iter().skip(unit).step_by(units).copied()).collect()
}

fn argmax(values: &[f32]) -> usize {
    values.iter().enumerate().fold(0, |best, (i, v)| if *v > values[best] { i } else { best })
}
