//! Whether an experiment can be trained at all, and what it will cost, before anything is allocated. What was found out on the way is kept:
//! a [`Checked`] experiment is what programs, initial weights and exports are made from.

use downhill_graph::StepScalars;
use downhill_tensor::{Dtype, UserError};

use crate::layers::def::{Buffer, Resolved, elements, flat, resolve, thousands, times};
use crate::lens::add_names;
use crate::losses::Targets;
use crate::reads::reads;
use crate::scalars::{GOES_ON, set};
use crate::{Experiment, Signature, Task, Training};

/// Bytes that weights, optimizer slots, activations and data may take together: what a tab can be trusted to have.
pub const MAX_BYTES: u64 = 1 << 30;

/// A layer as tables and cards show it.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerSummary {
    /// Place in the experiment: `model[2].residual[0]`.
    pub path: String,
    /// Prefix of its parameters: `2.0`.
    pub scope: String,
    /// `linear 8`.
    pub label: String,
    /// Name in the registry: `linear`.
    pub name: &'static str,
    /// Output shape without the batch.
    pub shape: Vec<usize>,
    /// Smallest and largest number that it gives, whatever its input; nothing where there is no bound.
    pub range: Option<(f64, f64)>,
    /// Whether it gives tokens, whole numbers that stand for themselves.
    pub tokens: bool,
    /// Paths of the layers that it reads; `input` for what stands before the first layer.
    pub reads: Vec<String>,
    /// The field of the data that it goes on from, of an `input` layer.
    pub field: Option<String>,
    /// Name and shape of its own parameters.
    pub parameters: Vec<(String, Vec<usize>)>,
    /// Names of tensors on its way that can be looked at, behind its path and a dot: `attention`.
    pub inner: Vec<String>,
}

impl LayerSummary {
    /// The one name under which a person meets the layer everywhere: what it is, with its number in PyTorch's `state_dict`, for several layers
    /// may be alike. `linear classes` of two classes at place 4 is `linear 2 #4`.
    pub fn title(&self) -> String {
        let units = self.shape.last().map(ToString::to_string).unwrap_or_default();
        let label = self.label.replace("classes", &units).replace("targets", &units);
        [label.as_str(), " #", &self.scope].concat()
    }
}

/// What a model is made of and what it costs.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Layers in the order in which they run; a container comes after what it contains.
    pub layers: Vec<LayerSummary>,
    /// Number of trainable numbers.
    pub parameters: u64,
    /// Numbers that all layers give for one sample.
    pub activations: u64,
    /// Floating-point operations of one training step (estimate: backward costs twice the forward pass, an update ten per
    /// weight).
    pub flops_per_step: u64,
    /// Bytes of weights, gradients, optimizer slots, activations and data (estimate).
    pub bytes: u64,
}

/// An experiment that was checked against its data: every layer has its shapes, the loss goes with the targets, and it fits into memory.
/// Everything that is made of an experiment is made of this, so that the model is resolved once.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// The document.
    pub experiment: Experiment,
    /// What the model knows of the data.
    pub signature: Signature,
    /// What the model is made of and what it costs.
    pub summary: Summary,
    /// The layers with their shapes.
    pub(crate) layers: Vec<Resolved>,
    /// How labels become what the loss compares with.
    pub(crate) targets: Targets,
}

impl Checked {
    /// What micro batch `micro` of step `t` is run with, at the learning rate `lr`, where the optimizer's slots were zero before step `since`: see
    /// [`Experiment::micro_scalars`]. Allocates nothing.
    pub fn micro_scalars(&self, t: u64, since: u64, micro: usize, lr: f64) -> StepScalars {
        let mut step = self.experiment.micro_scalars(t, since, micro, lr);
        if let Some(cut) = self.signature.read_on {
            let Training { batch_size, accumulate, .. } = self.experiment.training;
            let number = t.wrapping_mul(accumulate as u64).wrapping_add(micro as u64);
            set(&mut step.values, GOES_ON, if cut.goes_on(number, batch_size) { 1.0 } else { 0.0 });
        }
        step
    }

    /// The weights that are those of an embedding, too: the key that PyTorch's `state_dict` has beside the embedding's own, and that one.
    pub fn ties(&self) -> Vec<(String, &str)> {
        let layers = flat(&self.layers).into_iter();
        layers.filter_map(|layer| Some((format!("{}.weight", layer.scope), layer.tied.as_deref()?))).collect()
    }

    /// The buffers of all layers, in the order in which programs declare their states.
    pub fn buffers(&self) -> impl Iterator<Item = &Buffer> {
        flat(&self.layers).into_iter().flat_map(|layer| &layer.buffers)
    }
}

/// Checks an experiment against its data.
///
/// # Errors
/// When shapes do not fit, the loss does not go with the data, the schedule has no end, or the model is too large.
pub fn check(experiment: Experiment, signature: Signature) -> Result<Checked, UserError> {
    if experiment.schedule.needs_end() && experiment.training.steps.is_none() {
        let name = experiment.schedule.name();
        return Err(UserError::at(format!("schedule.{name}"), format!("A {name} schedule ends, but training does not."))
            .hint("Give `training.steps`, or use a constant or step schedule."));
    }
    if experiment.schedule.plateau().is_some() && signature.validation == 0 {
        let path = format!("schedule.{}", experiment.schedule.name());
        return Err(UserError::at(path, "It follows the loss of samples that are held out, and there are none.")
            .hint("Change `validation`, the share held out, or choose another schedule."));
    }
    let signature = if experiment.loss.reconstructs() { signature.reconstructing() } else { signature };
    let targets = experiment.loss.targets(&signature)?;
    let mut layers = resolve(&experiment.model, &signature, experiment.training.batch_size)?;
    add_names(&experiment.model, &mut layers, &signature);
    check_model(&experiment, &signature, &layers)?;
    check_batch(&experiment, &layers)?;
    check_streams(&experiment, &signature)?;
    check_frozen(&experiment, &layers)?;
    let summary = summarise(&experiment, &signature, &layers);
    check_memory(&summary)?;
    Ok(Checked { experiment, signature, summary, layers, targets })
}

fn check_memory(summary: &Summary) -> Result<(), UserError> {
    if summary.bytes <= MAX_BYTES {
        return Ok(());
    }
    let mib = summary.bytes >> 20;
    let message = format!("Training this needs about {} MiB of memory; a page gets {} MiB.", mib, MAX_BYTES >> 20);
    let weights = summary.parameters.saturating_mul(16) > summary.bytes / 2;
    let (path, hint) = if weights {
        let weights = thousands(summary.parameters);
        ("model", format!("The {weights} weights take most of it: lower the outputs of the largest layer."))
    } else {
        ("training.batch_size", "Lower the batch size, or the outputs of the largest layer.".to_string())
    };
    Err(UserError::at(path, message).hint(hint))
}

/// Whether there is something to train, and the model gives what the loss compares.
fn check_model(experiment: &Experiment, signature: &Signature, model: &[Resolved]) -> Result<(), UserError> {
    let columns = experiment.loss.columns(signature)?;
    let Some(last) = model.last() else {
        return Err(UserError::at("model", "There is no layer, so there is nothing to train.").hint("Add a linear layer."));
    };
    if flat(model).iter().all(|layer| layer.parameters.is_empty()) {
        return Err(UserError::at("model", "No layer has weights, so there is nothing to train.").hint("Add a linear layer."));
    }
    let positions = signature.positions.iter().copied();
    let wanted_shape: Vec<usize> = if signature.of_pixels() {
        [columns].into_iter().chain(positions).collect()
    } else {
        positions.chain([columns]).collect()
    };
    if let Some(taken) = experiment.loss.def().takes(&last.output.shape) {
        return taken.map_err(|e| e.under(&last.path));
    }
    let again = experiment.loss.reconstructs().then_some(&signature.first().port.shape);
    if last.output.shape == wanted_shape || again == Some(&last.output.shape) {
        return Ok(());
    }
    let loss = experiment.loss.name();
    if let Some(input) = again {
        let (gives, input) = (times(&last.output.shape), times(input));
        let message = format!("The model gives {gives}, but `{loss}` compares that with its input, {input}.");
        let hint = format!("End the model with a layer that gives {input}, or with a linear layer whose `out` is \"targets\".");
        return Err(UserError::at(&last.path, message).hint(hint));
    }
    let per = match signature.task {
        Task::Classification if columns > 1 => "one per class",
        Task::Classification => "the log-odds or score of the second class",
        Task::Regression => "one per number to predict",
        Task::Retrieval => "how alike both are",
    };
    let shape = &last.output.shape;
    if !signature.positions.is_empty() {
        let (gives, needs) = (times(shape), times(&wanted_shape));
        let (place, hint) = if signature.of_pixels() {
            (
                "pixel",
                format!("End the model with a `conv2d` of {columns} channels, and bring height and width back until then."),
            )
        } else {
            let hint = "End the model with a linear layer whose `out` is \"classes\", and keep the positions until then.";
            ("position", hint.to_string())
        };
        let message = format!("The model gives {gives}, but `{loss}` on this data needs {needs} ({per} at every {place}).");
        return Err(UserError::at(&last.path, message).hint(hint));
    }
    let message = format!(
        "The model gives {}, but `{loss}` on this data needs {columns} ({per}).",
        if shape.len() == 1 { format!("{} outputs", times(shape)) } else { times(shape) }
    );
    let wanted = match signature.task {
        Task::Classification if columns > 1 => "\"classes\"".to_string(),
        Task::Regression => "\"targets\"".to_string(),
        Task::Classification | Task::Retrieval => columns.to_string(),
    };
    // It ends rightly, at every step or place.
    let hint = if shape.len() > 1 && shape.last() == Some(&columns) {
        "Put `flatten` in front of the first linear layer, or a layer that leaves one answer of all steps, as `lstm` does."
            .to_string()
    } else {
        format!("End the model with a linear layer whose `out` is {wanted}.")
    };
    Err(UserError::at(&last.path, message).hint(hint))
}

/// Whether every layer gets as many samples at a time as it needs.
fn check_batch(experiment: &Experiment, model: &[Resolved]) -> Result<(), UserError> {
    let batch = experiment.training.batch_size;
    if experiment.loss.compares_samples() && batch < 2 {
        let message =
            format!("`{}` compares the samples of a batch with each other, and there is only {batch}.", experiment.loss.name());
        return Err(UserError::at("training.batch_size", message).hint("Set it to 2 or more, better to 64."));
    }
    match flat(model).into_iter().find(|layer| layer.least_batch > batch) {
        Some(Resolved { name, path, least_batch, .. }) => {
            let message =
                format!("`{name}` ({path}) compares the samples of a batch with each other, and there is only {batch}.");
            Err(UserError::at("training.batch_size", message)
                .hint(format!("Set it to {least_batch} or more, or remove the layer.")))
        }
        None => Ok(()),
    }
}

/// Whether what is read on is long enough for every row of a batch to have something to go on with.
fn check_streams(experiment: &Experiment, signature: &Signature) -> Result<(), UserError> {
    let rows = experiment.training.batch_size;
    let Some(cut) = signature.read_on.filter(|cut| cut.batches(rows) < 2) else { return Ok(()) };
    let (learned, context) = (cut.learned, cut.context);
    let needed = 2 * rows * context + 1;
    let message = format!(
        "There are {learned} tokens to learn from; {rows} rows that each read on for two windows of {context} need {needed}."
    );
    Err(UserError::at("training.batch_size", message)
        .hint("Lower the batch size or the context, use a longer text, or turn `carry` off."))
}

/// Whether a layer is left that learns.
fn check_frozen(experiment: &Experiment, model: &[Resolved]) -> Result<(), UserError> {
    let learns = |layer: &Resolved| !layer.parameters.is_empty() && !experiment.training.freezes(&layer.path);
    if flat(model).into_iter().any(learns) {
        return Ok(());
    }
    let message =
        format!("All weights are in the first {} layers, so that nothing is left to learn.", experiment.training.frozen);
    Err(UserError::at("training.frozen", message).hint("Lower it."))
}

fn summarise(experiment: &Experiment, signature: &Signature, model: &[Resolved]) -> Summary {
    let layers = flat(model);
    let parameters = layers.iter().flat_map(|l| &l.parameters).map(|p| elements(&p.shape)).fold(0, u64::saturating_add);
    let activations = layers.iter().map(|l| elements(&l.output.shape)).fold(signature.features() as u64, u64::saturating_add);
    let flops = layers.iter().map(|l| l.flops).fold(0, u64::saturating_add);
    let batch = experiment.training.batch_size as u64;
    let slots = experiment.optimizer.rule(&experiment.training).slots.len() as u64;
    let samples = (signature.train + signature.validation) as u64;
    let data = samples.saturating_mul((signature.features() + signature.outputs * signature.answers()) as u64);
    // Every activation has a gradient.
    let kept = activations.saturating_mul(2).saturating_mul(batch);
    let words = parameters.saturating_mul(2 + slots).saturating_add(kept).saturating_add(data);
    Summary {
        parameters,
        activations,
        flops_per_step: flops
            .saturating_mul(3)
            .saturating_mul(batch)
            .saturating_add(parameters.saturating_mul(10))
            .saturating_add(experiment.optimizer.matrix_flops(&experiment.training, model))
            .saturating_mul(experiment.training.accumulate as u64),
        bytes: words.saturating_mul(4),
        layers: summaries(experiment, model),
    }
}

/// Every layer as tables show it.
fn summaries(experiment: &Experiment, model: &[Resolved]) -> Vec<LayerSummary> {
    let mut reads = reads(&experiment.model, model);
    let summary = |layer: &Resolved| LayerSummary {
        reads: reads.remove(&layer.path).map_or_else(Vec::new, |(_, reads)| reads),
        field: layer.field.clone(),
        tokens: layer.output.dtype == Dtype::U32,
        path: layer.path.clone(),
        scope: layer.scope.clone(),
        label: layer.label.clone(),
        name: layer.name,
        shape: layer.output.shape.clone(),
        range: layer.range,
        parameters: layer.parameters.iter().map(|p| (p.name.clone(), p.shape.clone())).collect(),
        inner: layer.inner.clone(),
    };
    flat(model).into_iter().map(summary).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn experiment(data: Value, model: Value, rest: Value) -> Experiment {
        let mut document = json!({ "data": data, "model": model });
        for (name, value) in rest.as_object().unwrap() {
            document[name] = value.clone();
        }
        Experiment::from_value(&document).unwrap().experiment
    }

    #[test]
    fn every_layer_has_a_name_of_its_own_with_the_number_of_its_parameters() {
        let branch = json!({ "residual": [{ "linear": { "out": 8 } }] });
        let model = json!([{ "linear": { "out": 8 } }, "tanh", branch, "tanh", { "linear": { "out": "classes" } }]);
        let layers = summary_of(model).layers;
        let titles: Vec<String> = layers.iter().map(LayerSummary::title).collect();
        assert_eq!(titles, ["linear 8 #0", "tanh #1", "linear 8 #2.0", "residual #2", "tanh #3", "linear 2 #4"]);
        let owns = |l: &LayerSummary| l.parameters.iter().all(|(name, _)| name.starts_with(&format!("{}.", l.scope)));
        assert!(layers.iter().all(owns));
    }

    fn summary_of(model: Value) -> Summary {
        let experiment = experiment(json!("spirals"), model, json!({}));
        let signature = Signature::of(&experiment.data).unwrap();
        check(experiment, signature).unwrap().summary
    }

    fn error(data: &str, model: Value, rest: Value) -> String {
        let experiment = experiment(json!(data), model, rest);
        let signature = Signature::of(&experiment.data).unwrap();
        check(experiment, signature).unwrap_err().to_string()
    }

    #[test]
    fn layers_inside_layers_have_paths_scopes_and_shapes() {
        let summary = summary_of(json!([
            { "concat": [[], [{ "linear": { "out": 6 } }, "relu"]] },
            { "repeat": { "times": 2, "body": [{ "residual": [{ "linear": { "out": 8 } }] }] } },
            { "linear": { "out": "classes", "bias": false } },
        ]));
        let rows: Vec<(&str, &str, &[usize])> =
            summary.layers.iter().map(|l| (l.path.as_str(), l.scope.as_str(), l.shape.as_slice())).collect();
        assert_eq!(
            rows,
            [
                ("model[0].concat[1][0]", "0.1.0", &[6][..]),
                ("model[0].concat[1][1]", "0.1.1", &[6]),
                ("model[0]", "0", &[8]),
                ("model[1].repeat.body[0].residual[0]", "1.0.0.0", &[8]),
                ("model[1].repeat.body[0]", "1.0.0", &[8]),
                ("model[1].repeat.body#2[0].residual[0]", "1.1.0.0", &[8]),
                ("model[1].repeat.body#2[0]", "1.1.0", &[8]),
                ("model[1]", "1", &[8]),
                ("model[2]", "2", &[2]),
            ]
        );
        assert_eq!(summary.parameters, (2 * 6 + 6) + 2 * (8 * 8 + 8) + 8 * 2);
        assert_eq!(summary.layers[8].parameters, [("2.weight".to_string(), vec![2, 8])]);
    }

    #[test]
    fn a_model_that_does_not_fit_is_refused_with_the_layer_and_the_way_out() {
        let classes = json!([{ "linear": { "out": "classes" } }]);
        let few = json!([{ "linear": { "out": 3 } }]);
        assert_eq!(
            error("spirals", few, json!({})),
            "model[0]: The model gives 3 outputs, but `cross_entropy` on this data needs 2 (one per class). End the model with a linear layer \
             whose `out` is \"classes\"."
        );
        let every_step = error("sine_wave", json!([{ "linear": { "out": "targets" } }]), json!({ "loss": "mse" }));
        assert!(every_step.contains("Put `flatten` in front of the first linear layer"), "{every_step}");
        assert!(error("sine", classes.clone(), json!({})).starts_with("loss.cross_entropy: `cross_entropy` is about classes"));
        assert!(
            error("sine", classes.clone(), json!({ "loss": "mse" }))
                .starts_with("model[0].linear.out: The data has no classes")
        );
        assert!(error("digits", classes.clone(), json!({ "loss": "mse" })).starts_with("loss.mse: `mse` compares numbers"));
        assert!(error("xor", json!([]), json!({})).starts_with("model: There is no layer"));
        assert!(error("xor", json!(["relu"]), json!({})).starts_with("model: No layer has weights"));
        assert!(
            error("xor", classes.clone(), json!({ "schedule": "cosine" }))
                .starts_with("schedule.cosine: A cosine schedule ends")
        );
    }

    #[test]
    fn answers_that_are_pictures_ask_for_a_model_that_gives_pictures() {
        let on = |data: Value, model: Value, loss: &str| {
            let experiment = experiment(data, model, json!({ "loss": loss }));
            let signature = Signature::of(&experiment.data).unwrap();
            check(experiment, signature).map(|checked| checked.signature.task).map_err(|e| e.to_string())
        };
        let masks = json!({ "shapes": { "answer": "mask" } });
        let pixels = json!([{ "conv2d": { "out_channels": 5, "padding": 1 } }]);
        assert_eq!(on(masks.clone(), pixels.clone(), "cross_entropy"), Ok(Task::Classification));
        assert_eq!(
            on(masks.clone(), json!([{ "conv2d": { "out_channels": 5 } }]), "cross_entropy").unwrap_err(),
            "model[0]: The model gives 5×26×26, but `cross_entropy` on this data needs 5×28×28 (one per class at every pixel). End the model \
             with a `conv2d` of 5 channels, and bring height and width back until then."
        );
        assert!(on(masks.clone(), pixels, "mse").unwrap_err().contains("one at every position"));
        let again = json!([{ "conv2d": { "out_channels": 1, "padding": 1 } }]);
        assert_eq!(on(masks, again, "reconstruction"), Ok(Task::Regression));
        assert_eq!(on(json!("digits"), json!([{ "linear": { "out": "targets" } }]), "reconstruction"), Ok(Task::Regression));
        assert_eq!(
            on(json!("digits"), json!([{ "linear": { "out": "classes" } }]), "reconstruction").unwrap_err(),
            "model[0].linear.out: The data has no classes but numbers to predict. Write \"targets\"."
        );
        assert!(on(json!("digits"), json!([{ "linear": { "out": 10 } }]), "reconstruction").unwrap_err().starts_with(
            "model[0]: The model gives 10, but `reconstruction` compares that with its input, 64. End the model with"
        ));
        assert!(
            on(json!("reverse"), json!(["embedding"]), "reconstruction")
                .unwrap_err()
                .contains("the input of this data is tokens")
        );
    }

    #[test]
    fn a_vector_layer_after_an_image_names_both_and_proposes_flatten() {
        let experiment = experiment(json!("spirals"), json!(["relu", { "linear": { "out": "classes" } }]), json!({}));
        let mut signature = Signature::of(&experiment.data).unwrap();
        signature.inputs[0].port.shape = vec![16, 7, 7];
        let error = check(experiment, signature).unwrap_err().to_string();
        assert_eq!(error, "model[1]: linear expects a vector, gets 16×7×7. Insert `flatten` before it.");
    }

    #[test]
    fn what_would_not_fit_into_a_page_is_refused_before_anything_is_allocated() {
        let wide = json!([{ "linear": { "out": 16384 } }, { "linear": { "out": 16384 } }, { "linear": { "out": "classes" } }]);
        let message = error("spirals", wide, json!({}));
        assert!(
            message.starts_with("model[1]: Up to here the model has 268.5 million weights, more than the 50.0 million"),
            "{message}"
        );
        let layer = json!({ "repeat": { "times": 100, "body": [{ "repeat": { "times": 100, "body": ["relu"] } }] } });
        assert!(error("spirals", json!([layer]), json!({})).contains("more than 1000 layers"));
        let batch = json!([{ "linear": { "out": 16384 } }, "relu", { "linear": { "out": "classes" } }]);
        let message = error("spirals", batch, json!({ "training": { "batch_size": 65536 } }));
        assert!(message.starts_with("training.batch_size: Training this needs about 1638"), "{message}");
    }
}
