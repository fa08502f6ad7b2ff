//! The loss `bce_with_logits`.

use downhill_data::Labels;
use downhill_graph::kernel::LossKind;
use downhill_graph::{Graph, OpError, UnaryOp, Value};
use downhill_tensor::UserError;

use super::{Asked, LossDef, Targets, baseline, is_search};
use crate::registry::fields;
use crate::{Signature, Task};

fields! {
    /// Cross-entropy for two classes with a single output, the log-odds of the second class.
    #[schemars(title = "Binary cross-entropy")]
    BceWithLogits {}
}

impl LossDef for BceWithLogits {
    fn kind(&self) -> Option<LossKind> {
        Some(LossKind::BceWithLogits)
    }

    fn torch(&self) -> String {
        "nn.BCEWithLogitsLoss()".to_string()
    }

    fn targets(&self, signature: &Signature) -> Result<Targets, UserError> {
        match (signature.task, signature.outputs) {
            (Task::Classification, 2) => Ok(Targets::Binary { first: 0 }),
            (Task::Classification, n) => {
                let message = format!("`bce_with_logits` tells two classes apart, but the data has {n}.");
                Err(UserError::new(message).hint("Use `cross_entropy`."))
            }
            (Task::Retrieval, _) => Err(is_search("bce_with_logits")),
            (Task::Regression, _) => {
                Err(UserError::new("`bce_with_logits` is about two classes, but the data has numbers to predict.")
                    .hint("Use `mse`, `l1` or `huber`."))
            }
        }
    }

    fn answer(&self, graph: &mut Graph, prediction: Value) -> Result<Value, OpError> {
        graph.unary(UnaryOp::Sigmoid, prediction)
    }

    fn baseline(&self, learned: Labels<'_>, shown: Labels<'_>, asked: Asked) -> f64 {
        baseline::cross_entropy(learned, shown, asked.outputs, 0.0)
    }

    fn second_class(&self, output: f32) -> f32 {
        output
    }
}
