//! The section `training` of the document: batch size, length of the run, clipping, penalties. The rule of the update is the optimizer's.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::registry::fields;

fields! {
    /// How training runs.
    #[schemars(title = "Training")]
    Training {
        /// Samples per step.
        #[schemars(title = "Batch size", range(min = 1, max = 65536))]
        batch_size: usize = 32,
        /// Batches whose mean gradient makes a step: as one so many times as large, in the memory of one.
        #[schemars(title = "Accumulate", range(min = 1, max = 256))]
        accumulate: usize = 1,
        /// Steps after which the run rests; empty is until stopped.
        #[schemars(title = "Steps", range(min = 1, max = 1000000000000u64))]
        steps: Option<u64> = None,
        /// Gradients are scaled down when all together they are longer than this.
        #[schemars(title = "Clip norm", range(min = 0.000001, max = 1e9), extend("x-scale" = "log"))]
        clip_norm: Option<f64> = None,
        /// No element of a gradient is larger than this.
        #[schemars(title = "Clip value", range(min = 0.000001, max = 1e9), extend("x-scale" = "log"))]
        clip_value: Option<f64> = None,
        /// Penalty on the magnitude of weights: drives unneeded ones to zero.
        #[schemars(title = "L1", range(min = 0.0, max = 10.0), extend("x-scale" = "log"))]
        l1: f64 = 0.0,
        /// Penalty on the square of weights (half the factor times the square): keeps them small.
        #[schemars(title = "L2", range(min = 0.0, max = 10.0), extend("x-scale" = "log"))]
        l2: f64 = 0.0,
        /// An average that follows the weights is what is evaluated and predicts; this is what it keeps of itself per step.
        #[schemars(title = "EMA decay", range(min = 0.0, max = 0.999999))]
        ema: Option<f64> = None,
        /// Steps between two evaluations on the validation data.
        #[schemars(title = "Evaluate every", range(min = 1, max = 1000000))]
        eval_every: u64 = 50,
        /// Whether weight decay also pulls at biases and at the factors of norms, which have one dimension; otherwise at matrices and kernels only.
        #[schemars(title = "Decay everything")]
        decay_all: bool = true,
        /// So many layers at the beginning of the model keep their weights as they are, and also where other data are to be learned.
        #[schemars(title = "Frozen layers", range(min = 0, max = 1000))]
        frozen: usize = 0,
        /// Evaluations in a row without a better one after which the run rests; empty is never.
        #[schemars(title = "Patience", range(min = 1, max = 200))]
        patience: Option<u64> = None,
        /// What has to become better for a run with patience.
        #[schemars(title = "Patience for")]
        patience_metric: PatienceMetric = PatienceMetric::ValidationLoss,
    }
}

impl Training {
    /// Whether the layer at this place of the experiment, `model[2].residual[0]`, keeps its weights.
    pub fn freezes(&self, path: &str) -> bool {
        let place = path.strip_prefix("model[").and_then(|rest| rest.split(']').next());
        place.and_then(|place| place.parse::<usize>().ok()).is_some_and(|place| place < self.frozen)
    }
}

/// What early stopping looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PatienceMetric {
    /// Validation loss
    ValidationLoss,
    /// Validation accuracy
    ValidationAccuracy,
}
