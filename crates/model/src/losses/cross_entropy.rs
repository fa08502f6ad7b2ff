//! The loss `cross_entropy`.

use downhill_data::Labels;
use downhill_graph::kernel::LossKind;
use downhill_graph::{Graph, OpError, Value};
use downhill_tensor::UserError;

use super::{LossDef, Targets, baseline};
use crate::registry::fields;
use crate::{Signature, Task};

fields! {
    /// How unlikely the network holds the right class: for data with classes, one output per class.
    #[schemars(title = "Cross-entropy")]
    CrossEntropy {
        /// Share of the certainty that is spread over all classes, against overconfidence.
        #[schemars(title = "Label smoothing", range(min = 0.0, max = 0.9))]
        label_smoothing: f64 = 0.0,
    }
}

impl LossDef for CrossEntropy {
    fn kind(&self) -> LossKind {
        LossKind::CrossEntropy { label_smoothing: self.label_smoothing as f32 }
    }

    fn torch(&self) -> String {
        format!("nn.CrossEntropyLoss(label_smoothing={})", self.label_smoothing)
    }

    fn targets(&self, signature: &Signature) -> Result<Targets, UserError> {
        match signature.task {
            Task::Classification => Ok(Targets::Classes),
            Task::Regression => Err(UserError::new("`cross_entropy` is about classes, but the data has numbers to predict.")
                .hint("Use `mse`, `l1` or `huber`.")),
        }
    }

    fn answer(&self, graph: &mut Graph, prediction: Value) -> Result<Value, OpError> {
        graph.softmax(prediction, -1)
    }

    fn baseline(&self, learned: Labels<'_>, shown: Labels<'_>, outputs: usize) -> f64 {
        baseline::cross_entropy(learned, shown, outputs, self.label_smoothing)
    }
}
