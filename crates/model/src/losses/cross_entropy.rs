//! The loss `cross_entropy`.

use downhill_data::Labels;
use downhill_graph::kernel::LossKind;
use downhill_graph::{Graph, OpError, Value};
use downhill_tensor::{UserError, apart};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Asked, LossDef, Targets, baseline, is_search};
use crate::layers::def::Builder;
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
        /// Times the squared logarithm of the sum that probabilities are divided by, which is added: it keeps scores near 0 (z-loss).
        #[schemars(title = "Z-loss", range(min = 0.0, max = 1.0))]
        z_loss: f64 = 0.0,
    }
}

/// The module of the exported program, for `torch.nn` has none.
const WITH_Z_LOSS: &str = "\
class CrossEntropyWithZLoss(nn.CrossEntropyLoss):
    def __init__(self, z_loss, **rest):
        super().__init__(**rest)
        self.z_loss = z_loss

    def forward(self, output, y):
        return super().forward(output, y) + self.z_loss * output.logsumexp(dim=1)[y >= 0].square().mean()
";

impl CrossEntropy {
    fn likelihood(&self) -> LossKind {
        LossKind::CrossEntropy { label_smoothing: self.label_smoothing as f32 }
    }

    /// The cross-entropy, and the mean over the answers of `(log Σ exp(score))²`, times a factor (de Brébisson and Vincent 2016; as in PaLM).
    fn with_z_loss(&self, cx: &mut Builder, prediction: Value, y: Value, weights: Option<Value>) -> Result<Value, OpError> {
        let graph = &mut cx.graph;
        let loss = graph.loss(self.likelihood(), prediction, y, weights)?;
        // A label that is no class selects a row of zeros: it counts nowhere.
        let classes = graph.shape(prediction).last().copied().unwrap_or(1);
        let ones = graph.full([classes, 1], 1.0)?;
        let known = graph.index_select(ones, y)?;
        let answers = graph.shape(known).numel();
        let mut counts = graph.reshape(known, [answers])?;
        if let Some(weights) = weights {
            let weights = graph.reshape(weights, [answers])?;
            counts = graph.mul(counts, weights)?;
        }
        // Any score less the logarithm of its probability: log Σ exp.
        let likely = graph.log_softmax(prediction, -1)?;
        let [score, likely] = [graph.slice(prediction, -1, 0, 1)?, graph.slice(likely, -1, 0, 1)?];
        let total = graph.sub(score, likely)?;
        let total = graph.reshape(total, [answers, 1])?;
        let zero = graph.full([answers, 1], 0.0)?;
        let z = graph.loss(LossKind::Mse, total, zero, Some(counts))?;
        let z = graph.scale(self.z_loss as f32, z)?;
        graph.plus(loss, z)
    }
}

impl LossDef for CrossEntropy {
    fn kind(&self) -> Option<LossKind> {
        (self.z_loss == 0.0).then(|| self.likelihood())
    }

    fn build(&self, cx: &mut Builder, prediction: Value, y: Value, weights: Option<Value>) -> Result<Value, OpError> {
        if self.z_loss == 0.0 {
            return cx.graph.loss(self.likelihood(), prediction, y, weights);
        }
        apart(|| self.with_z_loss(cx, prediction, y, weights))
    }

    fn torch(&self) -> String {
        if self.weighs_classes() {
            let balanced = "(lambda n: n.sum() / (len(n) * n))(torch.bincount(data[\"train.y\"]))";
            return format!("nn.CrossEntropyLoss(weight={balanced})");
        }
        let arguments = format!("label_smoothing={}, ignore_index=-1", self.label_smoothing);
        if self.z_loss == 0.0 {
            return format!("nn.CrossEntropyLoss({arguments})");
        }
        format!("CrossEntropyWithZLoss({}, {arguments})", self.z_loss)
    }

    fn torch_helper(&self) -> Option<&'static str> {
        (self.z_loss > 0.0).then_some(WITH_Z_LOSS)
    }

    fn weighs_classes(&self) -> bool {
        self.weight == ClassWeight::Balanced
    }

    fn validate(&self) -> Result<(), UserError> {
        if self.weighs_classes() && self.label_smoothing > 0.0 {
            let message = "Class weights and label smoothing do not go together here.";
            return Err(UserError::at("label_smoothing", message).hint("Set it to 0, or `weight` to `none`."));
        }
        if self.weighs_classes() && self.z_loss > 0.0 {
            let message = "Class weights and a z-loss do not go together here.";
            return Err(UserError::at("z_loss", message).hint("Set it to 0, or `weight` to `none`."));
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::Experiment;

    fn loss(fields: &Value) -> Result<Experiment, String> {
        let document =
            json!({ "data": "xor", "model": [{ "linear": { "out": "classes" } }], "loss": { "cross_entropy": fields } });
        Experiment::from_value(&document).map(|parsed| parsed.experiment).map_err(|e| e.to_string())
    }

    #[test]
    fn the_kernel_stays_where_nothing_is_added() {
        let [plain, zero, added] =
            [json!({}), json!({ "z_loss": 0 }), json!({ "z_loss": 1e-4 })].map(|fields| loss(&fields).unwrap());
        assert!(plain.loss == zero.loss && plain.loss.kind().is_some() && plain.is_at_once());
        assert!(added.loss.kind().is_none() && !added.is_at_once(), "the code of other ops comes later");
    }

    #[test]
    fn class_weights_go_without_a_z_loss() {
        let refused = loss(&json!({ "z_loss": 0.1, "weight": "balanced" })).unwrap_err();
        assert!(refused.starts_with("loss.cross_entropy.z_loss: "), "{refused}");
    }
}
