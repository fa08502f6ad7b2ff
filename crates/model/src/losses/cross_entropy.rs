//! The loss `cross_entropy`.

use downhill_data::Labels;
use downhill_graph::kernel::LossKind;
use downhill_graph::{Graph, OpError, Value};
use downhill_tensor::UserError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Asked, LossDef, Targets, baseline, is_search};
use crate::registry::fields;
use crate::{Signature, Task};

/// How much each class counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClassWeight {
    /// Every sample the same
    #[default]
    None,
    /// Every class the same, however rare
    Balanced,
}

fields! {
    /// How unlikely the network holds the right class: for data with classes, one output per class.
    #[schemars(title = "Cross-entropy")]
    CrossEntropy {
        /// Share of the certainty that is spread over all classes, against overconfidence.
        #[schemars(title = "Label smoothing", range(min = 0.0, max = 0.9))]
        label_smoothing: f64 = 0.0,
        /// How much each class counts: a rare one is learned only if it counts more (`weight` in PyTorch).
        #[schemars(title = "Class weights")]
        weight: ClassWeight = ClassWeight::None,
    }
}

impl LossDef for CrossEntropy {
    fn kind(&self) -> Option<LossKind> {
        Some(LossKind::CrossEntropy { label_smoothing: self.label_smoothing as f32 })
    }

    fn torch(&self) -> String {
        if self.weighs_classes() {
            let balanced = "(lambda n: n.sum() / (len(n) * n))(torch.bincount(data[\"train.y\"]))";
            return format!("nn.CrossEntropyLoss(weight={balanced})");
        }
        format!("nn.CrossEntropyLoss(label_smoothing={}, ignore_index=-1)", self.label_smoothing)
    }

    fn weighs_classes(&self) -> bool {
        self.weight == ClassWeight::Balanced
    }

    fn validate(&self) -> Result<(), UserError> {
        if self.weighs_classes() && self.label_smoothing > 0.0 {
            let message = "Class weights and label smoothing do not go together here.";
            return Err(UserError::at("label_smoothing", message).hint("Set it to 0, or `weight` to `none`."));
        }
        Ok(())
    }

    fn targets(&self, signature: &Signature) -> Result<Targets, UserError> {
        match signature.task {
            Task::Classification if self.weighs_classes() && !signature.positions.is_empty() => {
                let message = "Class weights are for one answer per sample, but this data asks for one at every position.";
                Err(UserError::at("weight", message).hint("Set it to `none`."))
            }
            Task::Classification => Ok(Targets::Classes),
            Task::Retrieval => Err(is_search("cross_entropy")),
            Task::Regression => Err(UserError::new("`cross_entropy` is about classes, but the data has numbers to predict.")
                .hint("Use `mse`, `l1` or `huber`.")),
        }
    }

    fn answer(&self, graph: &mut Graph, prediction: Value) -> Result<Value, OpError> {
        graph.softmax(prediction, -1)
    }

    fn baseline(&self, learned: Labels<'_>, shown: Labels<'_>, asked: Asked) -> f64 {
        if self.weighs_classes() {
            return baseline::balanced(learned, asked.outputs);
        }
        baseline::cross_entropy(learned, shown, asked.outputs, self.label_smoothing)
    }
}
