//! From the words that a watch's programs left behind to the tensors that were asked for, and to the event that carries them.

use std::rc::Rc;

use downhill_data::{IGNORED, Labels};
use downhill_model::{Task, is_without};
use downhill_protocol::{Arrays, Event, Part, Query, Tensor, View, Watch};
use downhill_tensor::NameMap;
use downhill_tensor::stats::summarize;
use web_time::Instant;

use super::Session;
use crate::reports::cut::Whole;
use crate::reports::rows::{Rows, samples, unscaled};
use crate::reports::watches::AnswerJob;

/// Shape and elements of tensors by name.
pub(super) type Named = NameMap<(Vec<u32>, Vec<f32>)>;

/// The answers counted from the mean of the targets.
pub(super) const OFFSET: &str = "output:offset";
/// What is worked out of the answers for a row of a table.
pub(super) const EFFECTS: [&str; 3] = ["start", "alone", "parts"];

/// Samples in a list of the worst, at most.
const MOST_WORST: usize = 1000;

impl Session {
    /// Turns what was read for a watch into its answer.
    pub(crate) fn finish_answer(&mut self, job: AnswerJob, step: u64, mut reads: Vec<Vec<u32>>) {
        let parameters = if job.parameters.is_empty() || reads.is_empty() { Vec::new() } else { reads.remove(0) };
        let parameters = self.parameters_of(&job, &parameters);
        let moved = self.moved(&job, step, &parameters);
        let mut known: Named = parameters;
        let picks = self.outputs_of_rows(&job, &reads, &mut known);
        for query in &job.watch.tensors {
            if !known.contains(&query.name) && job.rows.holds(self.run.data(), &query.name) {
                known.insert(query.name.clone(), job.rows.tensor(self.run.data(), &query.name, &picks));
            }
        }
        self.tell_answer(&job.watch, job.started, (job.run, step), &known, &moved);
    }

    /// Sends those of the known tensors that a watch asks for, as much of each as it wants; `moved` says how far parameters did.
    pub(super) fn tell_answer(
        &mut self,
        watch: &Rc<Watch>,
        started: Instant,
        (run, step): (u32, u64),
        known: &Named,
        moved: &NameMap<f64>,
    ) {
        let mut arrays = Arrays::default();
        let tensor = |query: &Query| {
            let (shape, values) = known.get(&query.name)?;
            let whole = Whole {
                shape: shape.clone(),
                values,
                units: self.run.checked().summary.layers.iter().any(|layer| layer.path == query.name),
                range: self.range_of(&query.name),
                update_ratio: moved.get(&query.name).copied().unwrap_or(f64::NAN),
            };
            let (shape, values) = whole.cut(&query.view);
            Some(Tensor { query: query.clone(), shape, data: arrays.push(values) })
        };
        let tensors = watch.tensors.iter().filter_map(tensor).collect();
        self.reports.watches().answered(watch, started);
        self.reports.tell(arrays.with(Event::Answer { run, step, key: watch.key, tensors }));
    }

    fn parameters_of(&self, job: &AnswerJob, words: &[u32]) -> Named {
        let mut rest = words.iter().map(|w| f32::from_bits(*w));
        let mut take = |len: u32| rest.by_ref().take(len as usize).collect::<Vec<f32>>();
        let shape = |shape: &[usize]| shape.iter().map(|&n| n as u32).collect();
        job.parameters.iter().map(|entry| (entry.name.clone(), (shape(&entry.shape), take(entry.len)))).collect()
    }

    /// How far every parameter moved per step since the answer before, relative to its norm.
    fn moved(&mut self, job: &AnswerJob, step: u64, parameters: &Named) -> NameMap<f64> {
        let asked = |name: &str| job.watch.tensors.iter().any(|q| q.name == name && q.view == View::Stats);
        let parameters: Vec<(&String, &Vec<f32>)> =
            parameters.iter().filter(|(name, _)| asked(name)).map(|(name, (_, values))| (name, values)).collect();
        let now: Vec<Vec<f32>> = parameters.iter().map(|(_, values)| (*values).clone()).collect();
        let Some((then, before)) = self.reports.watches().exchange_parameters(&job.watch, step, now) else {
            return NameMap::default();
        };
        if then >= step {
            return NameMap::default();
        }
        let ratio = |(values, before): (&Vec<f32>, &Vec<f32>)| {
            let way: Vec<f32> = values.iter().zip(before).map(|(new, old)| new - old).collect();
            summarize(&way).norm / (step - then) as f64 / summarize(values).norm.max(1e-12)
        };
        parameters.iter().zip(&before).map(|((name, values), before)| ((*name).clone(), ratio((values, before)))).collect()
    }

    /// Adds what the program gave, and says which of its rows are sent.
    fn outputs_of_rows(&self, job: &AnswerJob, reads: &[Vec<u32>], known: &mut Named) -> Vec<usize> {
        let layout = &job.layout;
        let batch = matches!(*job.rows, Rows::Batch);
        let count = job.rows.count(self.run.data());
        let mut outputs: Named = NameMap::default();
        for ((name, shape), values) in layout.outputs.iter().zip(layout.gather(reads)) {
            let (shape, values) = match name.as_str() {
                name if name == "output" || is_without(name) => {
                    let rows = if batch { shape.first().copied().unwrap_or(0) } else { count as u32 };
                    let offsets = self.offsets(&values, rows as usize);
                    let shape = vec![rows, (offsets.len() / rows.max(1) as usize) as u32];
                    if name == "output" {
                        outputs.insert(OFFSET.to_string(), (shape, offsets));
                    }
                    let answers = self.answers(&values, rows as usize);
                    let positions = &self.run.checked().signature.positions;
                    let of_each = rows as usize * positions.iter().product::<usize>();
                    let labels = (answers.len() / of_each.max(1)) as u32;
                    let positions = positions.iter().map(|&n| n as u32);
                    (std::iter::once(rows).chain(positions).chain([labels]).collect(), answers)
                }
                "continuation" => (shape.clone(), unscaled(&self.run.data().normalisation, &values)),
                _ if batch => (shape.clone(), values),
                _ => (std::iter::once(count as u32).chain(shape.iter().skip(1).copied()).collect(), values),
            };
            outputs.insert(name.clone(), (shape, values));
        }
        let picks = match (&*job.rows, outputs.get(OFFSET)) {
            (Rows::Samples { worst: Some(limit), .. }, Some((_, answers))) => self.worst(answers, count, *limit),
            (Rows::Row(_), _) => vec![0],
            _ => (0..count).collect(),
        };
        let effects = match (&*job.rows, outputs.get(OFFSET)) {
            (Rows::Row(row), Some((_, answers))) => row.effects(answers),
            _ => None,
        };
        if job.rows.ranks() || matches!(*job.rows, Rows::Row(_)) {
            for (shape, values) in outputs.values_mut() {
                let width = values.len() / count.max(1);
                *values = picks.iter().flat_map(|&i| values[i * width..(i + 1) * width].iter().copied()).collect();
                shape[0] = picks.len() as u32;
            }
        }
        if let Some(effects) = effects {
            let labels = effects.start.len().max(1);
            for (name, values) in EFFECTS.into_iter().zip([effects.start, effects.alone, effects.parts]) {
                outputs.insert(name.to_string(), (vec![(values.len() / labels) as u32, labels as u32], values));
            }
        }
        known.extend(outputs);
        picks
    }

    /// The network's outputs as a person reads them: a probability per class, or values in the units of the data.
    fn answers(&self, outputs: &[f32], rows: usize) -> Vec<f32> {
        let width = outputs.len() / rows.max(1);
        match self.run.checked().signature.task {
            Task::Regression => {
                outputs.chunks_exact(width.max(1)).flat_map(|row| self.run.data().normalisation.target(row)).collect()
            }
            Task::Classification if width == 1 => outputs.iter().flat_map(|&score| self.two_classes(score)).collect(),
            Task::Classification | Task::Retrieval => outputs.to_vec(),
        }
    }

    /// The same, with values counted from the mean of the targets.
    fn offsets(&self, outputs: &[f32], rows: usize) -> Vec<f32> {
        let width = outputs.len() / rows.max(1);
        let offset = |row| self.run.data().normalisation.target_offset(row);
        match self.run.checked().signature.task {
            Task::Regression => outputs.chunks_exact(width.max(1)).flat_map(offset).collect(),
            Task::Classification | Task::Retrieval => self.answers(outputs, rows),
        }
    }

    /// Probabilities from the single output of a network that tells two classes apart.
    fn two_classes(&self, score: f32) -> [f32; 2] {
        let second = self.run.experiment().loss.second_class(score);
        [1.0 - second, second]
    }

    /// Places of the samples whose answer is the worst, at most `limit`, the worst first; of equals the earlier. How bad one is: the
    /// probability that the true class lacks, how unlike its document a query is, or the distance of a number; `answers` are counted from the mean of the targets.
    fn worst(&self, answers: &[f32], count: usize, limit: usize) -> Vec<usize> {
        let width = answers.len() / count.max(1);
        let labels = self.run.data().labels(samples(self.run.data(), Part::Validation));
        let badness = |i: usize| {
            let answer = answers.get(i * width..(i + 1) * width).unwrap_or(&[]);
            match labels {
                Labels::Class(labels) if labels.len() > count => {
                    // The mean over what is asked for.
                    let positions = labels.len() / samples(self.run.data(), Part::Validation).len().max(1);
                    let classes = width / positions.max(1);
                    let labels = labels.get(i * positions..(i + 1) * positions).unwrap_or(&[]);
                    let lacks = labels.iter().zip(answer.chunks_exact(classes.max(1))).filter(|(label, _)| **label != IGNORED);
                    let (sum, asked) = lacks.fold((0.0, 0.0f32), |(sum, asked), (label, answer)| {
                        (sum + 1.0 - answer.get(*label as usize).copied().unwrap_or(0.0), asked + 1.0)
                    });
                    sum / asked.max(1.0)
                }
                Labels::Class(_) if self.run.checked().signature.task == Task::Retrieval => 1.0 - answer.iter().sum::<f32>(),
                Labels::Class(labels) => {
                    1.0 - labels.get(i).and_then(|&truth| answer.get(truth as usize)).copied().unwrap_or(0.0)
                }
                Labels::Real(values) => {
                    let values = values.get(i * width..(i + 1) * width).unwrap_or(&[]);
                    let target = self.run.data().normalisation.target_offset(values);
                    answer.iter().zip(&target).map(|(a, t)| (a - t).abs()).fold(0.0, f32::max)
                }
            }
        };
        let mut left: Vec<(f32, usize)> = (0..count).map(|i| (badness(i), i)).collect();
        let mut worst = Vec::new();
        // Few are asked for, so each is looked for anew.
        while worst.len() < limit.min(count).min(MOST_WORST) {
            let place = (0..left.len()).reduce(|a, b| if left[b].0.total_cmp(&left[a].0).is_gt() { b } else { a });
            worst.extend(place.map(|place| left.remove(place).1));
        }
        worst
    }

    /// The bounds of the layer at a path.
    fn range_of(&self, path: &str) -> Option<(f32, f32)> {
        let layer = self.run.checked().summary.layers.iter().find(|layer| layer.path == path)?;
        layer.range.map(|(low, high)| (low as f32, high as f32))
    }
}
