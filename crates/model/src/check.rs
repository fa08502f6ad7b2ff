//! Whether an experiment can be trained at all, and what it will cost, before anything is allocated.

use downhill_tensor::UserError;

use crate::resolve::{Resolved, elements, flat, resolve, thousands, times};
use crate::{Experiment, Signature, Task};

/// Bytes that weights, optimizer slots, activations and data may take together: what a tab can be trusted to have.
pub const MAX_BYTES: u64 = 1 << 30;

/// A layer as tables and cards show it.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Name and shape of its own parameters.
    pub parameters: Vec<(String, Vec<usize>)>,
}

/// What a model is made of and what it costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Layers in the order in which they run; a container comes after what it contains.
    pub layers: Vec<LayerSummary>,
    /// Number of trainable numbers.
    pub parameters: u64,
    /// Numbers that all layers give for one sample.
    pub activations: u64,
    /// Floating-point operations of one training step (estimate: backward costs twice the forward pass, an update ten per weight).
    pub flops_per_step: u64,
    /// Bytes of weights, gradients, optimizer slots, activations and data (estimate).
    pub bytes: u64,
}

/// Checks an experiment against its data and sums it up.
///
/// # Errors
/// When shapes do not fit, the loss does not go with the data, the schedule has no end, or the model is too large.
pub fn check(experiment: &Experiment, signature: &Signature) -> Result<Summary, UserError> {
    let model = resolved(experiment, signature)?;
    let summary = summarise(experiment, signature, &model);
    if summary.bytes > MAX_BYTES {
        let mib = summary.bytes >> 20;
        let message = format!("Training this needs about {} MiB of memory; a page gets {} MiB.", mib, MAX_BYTES >> 20);
        let weights = summary.parameters.saturating_mul(16) > summary.bytes / 2;
        let (path, hint) = if weights {
            (
                "model",
                format!(
                    "The {} weights take most of it: lower the outputs of the largest layer.",
                    thousands(summary.parameters)
                ),
            )
        } else {
            ("training.batch_size", "Lower the batch size, or the outputs of the largest layer.".to_string())
        };
        return Err(UserError::at(path, message).hint(hint));
    }
    Ok(summary)
}

/// The layers with their shapes, once everything about them holds.
pub(crate) fn resolved(experiment: &Experiment, signature: &Signature) -> Result<Vec<Resolved>, UserError> {
    if experiment.schedule.needs_end() && experiment.training.steps.is_none() {
        let name = experiment.schedule.name();
        return Err(UserError::at(format!("schedule.{name}"), format!("A {name} schedule ends, but training does not."))
            .hint("Give `training.steps`, or use a constant or step schedule."));
    }
    let columns = experiment.loss.columns(signature)?;
    let model = resolve(&experiment.model, signature)?;
    let Some(last) = model.last() else {
        return Err(UserError::at("model", "There is no layer, so there is nothing to train.").hint("Add a linear layer."));
    };
    if flat(&model).iter().all(|layer| layer.parameters.is_empty()) {
        return Err(UserError::at("model", "No layer has weights, so there is nothing to train.").hint("Add a linear layer."));
    }
    if last.output != [columns] {
        let loss = experiment.loss.name();
        let per = match signature.task {
            Task::Classification if columns > 1 => "one per class",
            Task::Classification => "the log-odds or score of the second class",
            Task::Regression => "one per number to predict",
        };
        let message = format!(
            "The model gives {}, but `{loss}` on this data needs {columns} ({per}).",
            if last.output.len() == 1 { format!("{} outputs", times(&last.output)) } else { times(&last.output) }
        );
        let wanted = match signature.task {
            Task::Classification if columns > 1 => "\"classes\"".to_string(),
            Task::Regression => "\"targets\"".to_string(),
            Task::Classification => columns.to_string(),
        };
        return Err(
            UserError::at(&last.path, message).hint(format!("End the model with a linear layer whose `out` is {wanted}."))
        );
    }
    Ok(model)
}

fn summarise(experiment: &Experiment, signature: &Signature, model: &[Resolved]) -> Summary {
    let layers = flat(model);
    let parameters = layers.iter().flat_map(|l| &l.parameters).map(|p| elements(&p.shape)).fold(0, u64::saturating_add);
    let activations = layers.iter().map(|l| elements(&l.output)).fold(signature.features as u64, u64::saturating_add);
    let flops = layers.iter().map(|l| l.flops).fold(0, u64::saturating_add);
    let batch = experiment.training.batch_size as u64;
    let slots = experiment.optimizer.rule(&experiment.training).slots.len() as u64;
    let samples = (signature.train + signature.validation) as u64;
    let data = samples.saturating_mul(signature.features as u64 + signature.outputs as u64);
    // Every activation has a gradient.
    let kept = activations.saturating_mul(2).saturating_mul(batch);
    let words = parameters.saturating_mul(2 + slots).saturating_add(kept).saturating_add(data);
    Summary {
        parameters,
        activations,
        flops_per_step: flops.saturating_mul(3).saturating_mul(batch).saturating_add(parameters.saturating_mul(10)),
        bytes: words.saturating_mul(4),
        layers: layers.into_iter().map(summary).collect(),
    }
}

fn summary(layer: &Resolved) -> LayerSummary {
    LayerSummary {
        path: layer.path.clone(),
        scope: layer.scope.clone(),
        label: layer.label.clone(),
        name: layer.name,
        shape: layer.output.clone(),
        parameters: layer.parameters.iter().map(|p| (p.name.clone(), p.shape.clone())).collect(),
    }
}
