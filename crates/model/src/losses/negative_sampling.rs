//! The loss `negative_sampling`: the right one of some candidates against all others, each for itself (Mikolov et al. 2013).

use downhill_data::Labels;
use downhill_graph::kernel::LossKind;
use downhill_graph::{BinaryOp, Graph, OpError, Value};
use downhill_tensor::{UserError, apart};

use super::{Asked, LossDef, Targets, baseline, is_search, one_answer};
use crate::layers::def::Builder;
use crate::registry::fields;
use crate::{Signature, Task};

fields! {
    /// Says of each class by itself whether it is the right one, `−log σ(score)` of the right one and `−log σ(−score)` of all others: for vectors of words.
    #[schemars(title = "Negative sampling")]
    NegativeSampling {}
}

/// The function of the exported program, for `torch.nn` has none.
const NEGATIVE_SAMPLING: &str = "\
def negative_sampling(output, y):
    right = nn.functional.one_hot(y, output.shape[-1]).to(output.dtype)
    return nn.functional.binary_cross_entropy_with_logits(output, right, reduction=\"none\").sum(dim=-1).mean()
";

impl LossDef for NegativeSampling {
    fn torch(&self) -> String {
        "negative_sampling".to_string()
    }

    fn torch_helper(&self) -> Option<&'static str> {
        Some(NEGATIVE_SAMPLING)
    }

    fn targets(&self, signature: &Signature) -> Result<Targets, UserError> {
        one_answer("negative_sampling", signature)?;
        let message = "`negative_sampling` is about classes, but the data has numbers to predict.";
        match signature.task {
            Task::Classification => Ok(Targets::Classes),
            Task::Regression => Err(UserError::new(message).hint("Use `mse`, `l1` or `huber`.")),
            Task::Retrieval => Err(is_search("negative_sampling")),
        }
    }

    /// A word has more than one neighbour.
    fn leaves_open(&self) -> bool {
        true
    }

    fn build(&self, cx: &mut Builder, prediction: Value, y: Value, weights: Option<Value>) -> Result<Value, OpError> {
        apart(|| of_candidates(cx, prediction, y, weights))
    }

    /// Which one it is: a score is the logarithm of how much likelier a candidate is to be right than to be one of the others, but for a constant.
    fn answer(&self, graph: &mut Graph, prediction: Value) -> Result<Value, OpError> {
        graph.softmax(prediction, -1)
    }

    /// The share of each class as the probability of its being right.
    fn baseline(&self, learned: Labels<'_>, shown: Labels<'_>, asked: Asked) -> f64 {
        baseline::each_class(learned, shown, asked.outputs)
    }
}

/// The sum over the classes, then the weighted mean over the samples. `prediction` is `[rows, classes]`, `weights` `[rows]`.
fn of_candidates(cx: &mut Builder, prediction: Value, y: Value, weights: Option<Value>) -> Result<Value, OpError> {
    let classes = cx.graph.shape(prediction).last().copied().unwrap_or(1);
    let class = cx.positions(classes)?;
    let graph = &mut cx.graph;
    let column = graph.reshape(class, [classes, 1])?;
    let one_hot = graph.binary(BinaryOp::Eq, column, class)?;
    let right = graph.index_select(one_hot, y)?;
    let mean = graph.loss(LossKind::BceWithLogits, prediction, right, weights)?;
    graph.scale(classes as f32, mean)
}
