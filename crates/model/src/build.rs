//! From a checked experiment to graphs, one per kind of program. What layers add to a graph they say themselves (`layers/`).

use std::sync::Arc;

use downhill_graph::kernel::LossKind;
use downhill_graph::ops::Updated;
use downhill_graph::{BinaryOp, FeedKind, Graph, OpError, Origin, ParamId, ScalarId, UnaryOp, Value, autodiff};
use downhill_tensor::{TensorTy, UserError};

use crate::check::Checked;
use crate::layers::def::Builder;
use crate::losses::Targets;
use crate::scalars::CLIP_NORM;
use crate::{Experiment, Signature, Task};

/// Which part of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Split {
    /// What is learned from.
    Train,
    /// What is held out.
    Validation,
}

impl Split {
    /// Prefix of its feeds: `train` or `validation`.
    pub fn name(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Validation => "validation",
        }
    }
}

/// What a program does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProgramKind {
    /// One training step: forward, backward, update, record. Output `loss`, and `grad_norm` where gradients are clipped by
    /// norm.
    Train {
        /// Samples per step.
        batch: usize,
    },
    /// Outputs `loss` and, for classes, `accuracy`, weighted means over some rows of a part; without dropout.
    Eval {
        /// Rows at a time.
        rows: usize,
        /// Which part.
        split: Split,
    },
    /// Forward only, without dropout, on the feed `map.x` `[rows, features]`. Outputs: every layer's activation under its
    /// path, and `output`: probabilities, or values.
    Map {
        /// Rows.
        rows: usize,
    },
    /// Forward and backward on the feeds `probe.x` and `probe.y`, with dropout as a training step of the same scalars has it.
    /// Outputs: `loss`, every layer's activation under its path, its gradient under `grad:<path>`, every parameter's gradient
    /// under `grad:<name>`.
    Probe {
        /// Rows.
        rows: usize,
    },
}

/// Makes the graph of one program. All programs of an experiment declare the same parameters.
///
/// # Errors
/// When a part of the data that the program reads is empty.
pub fn build(checked: &Checked, kind: ProgramKind) -> Result<Graph, UserError> {
    let Checked { experiment, signature, .. } = checked;
    let samples = match kind {
        ProgramKind::Train { .. } | ProgramKind::Eval { split: Split::Train, .. } => signature.train,
        ProgramKind::Eval { split: Split::Validation, .. } => signature.validation,
        ProgramKind::Map { rows } | ProgramKind::Probe { rows } => rows,
    };
    if samples == 0 {
        return Err(UserError::at("data", "There are no samples in this part of the data.")
            .hint("Change `validation`, the share held out."));
    }
    let training = matches!(kind, ProgramKind::Train { .. } | ProgramKind::Probe { .. });
    let mut builder = Builder::new(&checked.layers, training);
    let program = Program { checked, experiment, signature, samples };
    let built = match kind {
        ProgramKind::Train { batch } => program.train(&mut builder, batch),
        ProgramKind::Eval { rows, split } => program.eval(&mut builder, rows, split),
        ProgramKind::Map { rows } => program.map(&mut builder, rows),
        ProgramKind::Probe { rows } => program.probe(&mut builder, rows),
    };
    // The shapes were checked, so a refusal is a gap between what a layer promised and what its ops do.
    built.map_err(|e| {
        UserError::at("model", format!("This model cannot be built ({e})."))
            .hint("Please report this together with the experiment.")
    })?;
    Ok(builder.graph)
}

struct Program<'a> {
    checked: &'a Checked,
    experiment: &'a Experiment,
    signature: &'a Signature,
    /// Rows of the part of the data that is read.
    samples: usize,
}

impl Program<'_> {
    fn train(&self, cx: &mut Builder, batch: usize) -> Result<(), OpError> {
        let indices = cx.graph.new_feed("train.indices", TensorTy::u32([batch]), FeedKind::PerStep)?;
        let (x, y) = self.rows_of(cx, Split::Train, indices)?;
        let prediction = self.forward(cx, x)?;
        let loss = cx.graph.loss(self.loss(), prediction, y, None)?;
        cx.graph.output("loss", loss);
        let parameters = cx.all_parameters()?;
        let gradients = autodiff::grad(&mut cx.graph, loss, &parameters);
        cx.graph.set_origin(Origin::Update);
        let (mut metrics, mut factor) = (vec![loss], None);
        if self.experiment.training.clip_norm.is_some() {
            let norm = cx.graph.norm(&gradients)?;
            cx.graph.output("grad_norm", norm);
            metrics.push(norm);
            factor = Some(clip_factor(&mut cx.graph, norm)?);
        }
        let rule = Arc::new(self.experiment.optimizer.rule(&self.experiment.training));
        let updated = |i| Updated { id: ParamId(i as u32), lr: ScalarId::LR, decay: ScalarId::DECAY };
        let params = (0..parameters.len()).map(updated).collect();
        cx.graph.flat_update(rule, params, loss, factor, &gradients)?;
        cx.graph.record(&metrics).map(|_| ())
    }

    fn eval(&self, cx: &mut Builder, rows: usize, split: Split) -> Result<(), OpError> {
        let indices = cx.graph.new_feed("eval.indices", TensorTy::u32([rows]), FeedKind::PerStep)?;
        let weights = cx.graph.new_feed("eval.weights", TensorTy::f32([rows]), FeedKind::PerStep)?;
        let (x, y) = self.rows_of(cx, split, indices)?;
        let prediction = self.forward(cx, x)?;
        let loss = cx.graph.loss(self.loss(), prediction, y, Some(weights))?;
        cx.graph.output("loss", loss);
        if self.signature.task == Task::Classification {
            let accuracy = cx.graph.accuracy(prediction, y, Some(weights))?;
            cx.graph.output("accuracy", accuracy);
        }
        Ok(())
    }

    fn map(&self, cx: &mut Builder, rows: usize) -> Result<(), OpError> {
        let x = cx.graph.new_feed("map.x", self.input_ty(rows), FeedKind::Resident)?;
        let x = self.shaped(cx, x, rows)?;
        let y = self.forward(cx, x)?;
        let output = match self.loss() {
            LossKind::CrossEntropy { .. } => cx.graph.softmax(y, -1)?,
            LossKind::BceWithLogits => cx.graph.unary(UnaryOp::Sigmoid, y)?,
            LossKind::Mse | LossKind::L1 | LossKind::Huber(_) => y,
        };
        for (path, value) in std::mem::take(&mut cx.activations) {
            cx.graph.output(path, value);
        }
        cx.graph.output("output", output);
        Ok(())
    }

    fn probe(&self, cx: &mut Builder, rows: usize) -> Result<(), OpError> {
        let x = cx.graph.new_feed("probe.x", self.input_ty(rows), FeedKind::Resident)?;
        let y = cx.graph.new_feed("probe.y", self.target_ty(rows), FeedKind::Resident)?;
        let x = self.shaped(cx, x, rows)?;
        let prediction = self.forward(cx, x)?;
        let loss = cx.graph.loss(self.loss(), prediction, y, None)?;
        cx.graph.output("loss", loss);
        let parameters = cx.all_parameters()?;
        let mut named = std::mem::take(&mut cx.activations);
        for (path, value) in &named {
            cx.graph.output(path.clone(), *value);
        }
        let names: Vec<String> = cx.graph.parameters().iter().map(|p| p.name.clone()).collect();
        named.extend(names.into_iter().zip(parameters));
        let values: Vec<Value> = named.iter().map(|(_, value)| *value).collect();
        let gradients = autodiff::grad(&mut cx.graph, loss, &values);
        for ((name, _), gradient) in named.iter().zip(gradients) {
            cx.graph.output(format!("grad:{name}"), gradient);
        }
        Ok(())
    }

    fn forward(&self, cx: &mut Builder, x: Value) -> Result<Value, OpError> {
        cx.list(&self.experiment.model, &self.checked.layers, x)
    }

    fn loss(&self) -> LossKind {
        self.experiment.loss.kind()
    }

    /// Inputs and targets of the samples that `indices` names.
    fn rows_of(&self, cx: &mut Builder, split: Split, indices: Value) -> Result<(Value, Value), OpError> {
        let name = split.name();
        let table = cx.graph.new_feed(format!("{name}.x"), self.input_ty(self.samples), FeedKind::Resident)?;
        let labels = cx.graph.new_feed(format!("{name}.y"), self.target_ty(self.samples), FeedKind::Resident)?;
        let x = cx.graph.index_select(table, indices)?;
        let y = cx.graph.index_select(labels, indices)?;
        let rows = cx.graph.shape(indices).numel();
        Ok((self.shaped(cx, x, rows)?, y))
    }

    fn input_ty(&self, rows: usize) -> TensorTy {
        TensorTy::f32([rows, self.signature.features])
    }

    fn target_ty(&self, rows: usize) -> TensorTy {
        match self.checked.targets {
            Targets::Classes => TensorTy::u32([rows]),
            Targets::Binary { .. } => TensorTy::f32([rows, 1]),
            Targets::Values => TensorTy::f32([rows, self.signature.outputs]),
        }
    }

    /// Samples as the first layer sees them: a row of features becomes an image where the data has images.
    fn shaped(&self, cx: &mut Builder, x: Value, rows: usize) -> Result<Value, OpError> {
        cx.reshape(x, rows, &self.signature.input_shape)
    }
}

/// `min(1, max / (norm + 1e-6))`, as `torch.nn.utils.clip_grad_norm_`.
fn clip_factor(graph: &mut Graph, norm: Value) -> Result<Value, OpError> {
    let small = graph.constant(1e-6)?;
    let denominator = graph.plus(norm, small)?;
    let limit = graph.scalar(CLIP_NORM)?;
    let ratio = graph.div(limit, denominator)?;
    let one = graph.constant(1.0)?;
    graph.binary(BinaryOp::Min, ratio, one)
}

#[cfg(test)]
mod tests {
    use downhill_graph::verify;
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::check::check;
    use crate::layers::Layer;
    use crate::layers::def::flat;
    use crate::presets;

    fn checked(model: Json) -> Checked {
        let document = json!({ "data": "spirals", "model": model, "training": { "clip_norm": 1 } });
        let experiment = Experiment::from_value(&document).unwrap().experiment;
        let signature = Signature::of(&experiment.data).unwrap();
        check(experiment, signature).unwrap()
    }

    fn kinds() -> [ProgramKind; 5] {
        let eval = |split| ProgramKind::Eval { rows: 7, split };
        [
            ProgramKind::Train { batch: 5 },
            eval(Split::Train),
            eval(Split::Validation),
            ProgramKind::Map { rows: 9 },
            ProgramKind::Probe { rows: 5 },
        ]
    }

    fn outputs(graph: &Graph) -> Vec<&str> {
        graph.outputs().iter().map(|(name, _)| name.as_str()).collect()
    }

    #[test]
    fn every_program_of_every_preset_is_sound_and_they_share_parameters_and_feeds() {
        for preset in presets::all() {
            let experiment = Experiment::parse(preset.json).unwrap().experiment;
            let signature = Signature::of(&experiment.data).unwrap();
            let checked = check(experiment, signature).unwrap();
            let programs: Vec<Graph> = kinds().into_iter().map(|kind| build(&checked, kind).unwrap()).collect();
            let feeds: Vec<_> = programs.iter().flat_map(Graph::feeds).collect();
            for program in &programs {
                verify(program).unwrap();
                assert_eq!(program.parameters(), programs[0].parameters(), "{}", preset.id);
                assert!(program.feeds().iter().all(|feed| feeds.iter().all(|f| f.name != feed.name || *f == feed)));
            }
        }
    }

    #[test]
    fn programs_name_what_can_be_read_from_them() {
        let checked = checked(json!([{ "residual": [{ "linear": { "out": 2 } }] }, { "linear": { "out": "classes" } }]));
        let named = |kind| outputs(&build(&checked, kind).unwrap()).into_iter().map(String::from).collect::<Vec<_>>();
        assert_eq!(named(kinds()[0]), ["loss", "grad_norm"]);
        assert_eq!(named(kinds()[1]), ["loss", "accuracy"]);
        let layers = ["model[0].residual[0]", "model[0]", "model[1]"];
        assert_eq!(named(kinds()[3]), [&layers[..], &["output"]].concat());
        let probe = named(kinds()[4]);
        assert_eq!(probe[..4], [&["loss"], &layers[..]].concat());
        assert_eq!(probe[4..7], layers.map(|path| format!("grad:{path}")));
        assert_eq!(probe[7..], ["0.0.weight", "0.0.bias", "1.weight", "1.bias"].map(|name| format!("grad:{name}")));
        assert_eq!(checked.experiment.metric_names(), ["loss", "grad_norm"]);
    }

    #[test]
    fn dropout_draws_the_same_in_a_probe_as_in_a_training_step_and_nothing_elsewhere() {
        let checked = checked(
            json!(["dropout", { "linear": { "out": 4 } }, { "dropout": { "p": 0.1 } }, { "linear": { "out": "classes" } }]),
        );
        let dropouts = |kind| {
            let graph = build(&checked, kind).unwrap();
            let forward = graph.nodes().filter(|(_, node)| node.origin == Origin::Forward && node.op.name() == "dropout");
            forward.map(|(_, node)| format!("{:?}", node.op)).collect::<Vec<_>>()
        };
        let [train, eval, _, map, probe] = kinds().map(dropouts);
        assert!(train.len() == 2 && train[0] != train[1] && probe == train);
        assert!(eval.is_empty() && map.is_empty());
    }

    #[test]
    fn every_layer_builds_what_it_promises() {
        for name in Layer::NAMES {
            let layer = crate::layers::example(name);
            let checked = checked(json!([layer, { "linear": { "out": "classes" } }]));
            let graph = build(&checked, ProgramKind::Map { rows: 3 }).unwrap();
            for layer in flat(&checked.layers) {
                let (_, value) = graph.outputs().iter().find(|(path, _)| *path == layer.path).unwrap();
                assert_eq!(graph.shape(*value)[1..], layer.output.shape[..], "{name}");
            }
        }
    }

    #[test]
    fn a_program_over_no_samples_is_refused() {
        let mut checked = checked(json!([{ "linear": { "out": "classes" } }]));
        checked.signature.validation = 0;
        let error = build(&checked, kinds()[2]).unwrap_err();
        assert_eq!(error.path.as_deref(), Some("data"));
        assert!(build(&checked, kinds()[0]).is_ok());
    }
}
