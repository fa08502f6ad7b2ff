//! Presets, trained slowly and obviously right by the reference interpreter.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use downhill_data::{Bundled, Dataset, Sampler};
use downhill_graph::interp::run;
use downhill_graph::tensors::{Env, Tensor};
use downhill_graph::{Feed, Graph, StepScalars};
use downhill_model::losses::Mse;
use downhill_model::optimizers::Adam;
use downhill_model::{Checked, Experiment, POSITIONS, ProgramKind, Signature, Split, build, check, init_parameters, presets};
use downhill_tensor::Dtype;

struct Trainer {
    checked: Checked,
    data: Dataset,
    train: Graph,
    env: Env,
    sampler: Sampler,
    step: u64,
}

impl Trainer {
    fn new(experiment: Experiment) -> Self {
        let data = experiment.data.build(experiment.seed, &Bundled).unwrap();
        let checked = check(experiment, Signature::from_dataset(&data)).unwrap();
        let experiment = &checked.experiment;
        let batch = experiment.training.batch_size;
        let train = build(&checked, &ProgramKind::Train { batch }).unwrap();
        let parameters: Vec<Tensor> = init_parameters(&checked)
            .into_iter()
            .map(|p| Tensor::f32(p.shape, p.values.into_iter().map(f64::from).collect()))
            .collect();
        let zeros: Vec<Tensor> = parameters.iter().map(|p| Tensor { data: vec![0.0; p.data.len()], ..p.clone() }).collect();
        let slots = vec![zeros; experiment.slots().len()];
        let sampler = Sampler::new(experiment.seed, data.train.len());
        let env = Env { parameters, slots, ..Env::default() };
        Self { checked, data, train, env, sampler, step: 0 }
    }

    fn preset(id: &str) -> Self {
        Self::new(Experiment::parse(presets::find(id).unwrap().json).unwrap().experiment)
    }

    fn feed(&self, feed: &Feed, indices: &[u32], weights: &[f64]) -> Tensor {
        let (part, what) = feed.name.split_once('.').unwrap();
        let table = if part == "validation" { &self.data.validation } else { &self.data.train };
        let data = match what {
            "indices" => indices.iter().map(|&i| f64::from(i)).collect(),
            "weights" => weights.to_vec(),
            _ if feed.name.starts_with(POSITIONS) => (0..feed.ty.shape.numel()).map(|i| i as f64).collect(),
            field => {
                let feeds = self.checked.feeds();
                let words = feeds.iter().find(|f| f.name == field).unwrap().table(&table.field(field).unwrap().column);
                let float = feed.ty.dtype == Dtype::F32;
                words.into_iter().map(|w| if float { f64::from(f32::from_bits(w)) } else { f64::from(w) }).collect()
            }
        };
        Tensor { ty: feed.ty.clone(), data }
    }

    /// Trains for some steps and returns the mean loss of the last tenth of them.
    fn train(&mut self, steps: u64) -> f64 {
        let mut indices = vec![0; self.checked.experiment.training.batch_size];
        self.env.feeds = self.train.feeds().iter().map(|feed| self.feed(feed, &indices, &[])).collect();
        let slot = self.train.feeds().iter().position(|feed| feed.name == "train.indices").unwrap();
        let mut losses = Vec::new();
        for _ in 0..steps {
            self.sampler.next_batch(&mut indices);
            self.env.feeds[slot].data = indices.iter().map(|&i| f64::from(i)).collect();
            self.env.step = StepScalars { record: 0, ..self.checked.experiment.step_scalars(self.step) };
            run(&self.train, &mut self.env);
            losses.push(self.env.recorded[0]);
            self.step += 1;
        }
        let last = &losses[losses.len() - losses.len() / 10 - 1..];
        last.iter().sum::<f64>() / last.len() as f64
    }

    /// Loss and, for classes, accuracy on a part of the data.
    fn evaluate(&mut self, split: Split) -> (f64, Option<f64>) {
        let rows = if split == Split::Train { self.data.train.len() } else { self.data.validation.len() };
        let graph = build(&self.checked, &ProgramKind::Eval { rows, split }).unwrap();
        let indices: Vec<u32> = (0..rows as u32).collect();
        self.env.feeds = graph.feeds().iter().map(|feed| self.feed(feed, &indices, &vec![1.0; rows])).collect();
        let result = run(&graph, &mut self.env);
        let value = |name| result.output(&graph, name).map(|t| t.data[0]);
        (value("loss").unwrap(), value("accuracy"))
    }
}

fn validation_accuracy(id: &str, steps: u64) -> f64 {
    let mut trainer = Trainer::preset(id);
    trainer.train(steps);
    trainer.evaluate(Split::Validation).1.unwrap()
}

#[test]
fn the_first_preset_is_learned_within_ten_seconds_of_its_visible_pace() {
    let trainer = Trainer::preset("spirals");
    let pace = trainer.checked.experiment.view.pace.steps_per_second().unwrap();
    assert!(validation_accuracy("spirals", (10.0 * pace) as u64) >= 0.97);
}

#[test]
fn digits_are_read_well_within_the_steps_of_their_preset() {
    let steps = Trainer::preset("digits").checked.experiment.training.steps.unwrap();
    assert!(steps >= 600 && validation_accuracy("digits", 600) >= 0.95);
}

#[test]
fn one_output_for_two_classes_is_learned_with_log_odds_and_with_differences() {
    assert!(validation_accuracy("xor", 800) >= 0.97);
    let mut experiment = Trainer::preset("xor").checked.experiment;
    experiment.loss = Mse::default().into();
    experiment.optimizer = Adam { lr: 0.01, ..Adam::default() }.into();
    let mut trainer = Trainer::new(experiment);
    trainer.train(2000);
    assert!(trainer.evaluate(Split::Validation).1.unwrap() >= 0.95);
}

#[test]
fn a_curve_is_fitted_to_within_its_noise() {
    let mut trainer = Trainer::preset("sine");
    trainer.train(600);
    let (loss, accuracy) = trainer.evaluate(Split::Validation);
    assert!(loss < 0.01 && accuracy.is_none());
}

#[test]
fn the_lessons_show_what_they_say() {
    let (train, validation) = {
        let mut trainer = Trainer::preset("overfitting");
        trainer.train(600);
        (trainer.evaluate(Split::Train).0, trainer.evaluate(Split::Validation).0)
    };
    assert!(train < 0.01 && validation > 1.0, "learning by heart: {train} and {validation}");
    let mut regularised = Trainer::preset("regularised");
    regularised.train(600);
    assert!(regularised.evaluate(Split::Validation).0 < validation / 2.0);
    let alike = validation_accuracy("symmetry", 300);
    assert!((alike - 0.5).abs() < 0.05, "all alike: {alike}");
}

#[test]
fn sequences_of_varying_length_are_told_apart_by_a_mean_that_leaves_padding_out() {
    assert!(validation_accuracy("majority", 1500) >= 0.99);
}

#[test]
fn two_inputs_meet_in_one_answer() {
    assert!(validation_accuracy("pairs", 2500) >= 0.97);
}
