//! The loss `info_nce`: of all that a batch has on the other side, what belongs to each (van den Oord et al. 2018), asked from both sides as CLIP does
//! (Radford et al. 2021). Metrics of a ranking are the evaluation's business.

use downhill_data::Labels;
use downhill_graph::{BinaryOp, Graph, OpError, UnaryOp, Value};
use downhill_tensor::{UserError, apart};

use super::{Asked, LossDef, Targets};
use crate::layers::def::Builder;
use crate::port::times;
use crate::registry::fields;
use crate::{Signature, Task};

fields! {
    /// The cross-entropy of finding what belongs to a sample among all of the batch, by the cosine of two vectors: the network gives both, one half of its
    /// outputs each. For two towers.
    #[schemars(title = "InfoNCE")]
    InfoNce {
        /// What cosines are divided by: the smaller, the more it is about those that are nearly as like as the right one.
        #[schemars(title = "Temperature", range(min = 0.01, max = 10.0))]
        temperature: f64 = 0.07,
    }
}

/// Taken off a score that is not to count: its exponential is 0 beside any other.
const FAR: f32 = 1e4;
/// Least square of a length, so that a vector of zeros has one (`eps` of `torch.nn.functional.normalize`, squared).
const LEAST: f32 = 1e-24;

/// The functions of the exported program, for `torch.nn` has none.
const INFO_NCE: &str = "\
def towers(output):
    return (nn.functional.normalize(half, dim=-1) for half in output.chunk(2, dim=-1))


def info_nce(output, y, temperature):
    a, b = towers(output)
    scores = a.matmul(b.T) / temperature
    right = torch.arange(len(scores), device=scores.device)
    again = (y.view(-1, 1) == y.view(1, -1)) & (right.view(-1, 1) != right)
    scores = scores.masked_fill(again, -1e4)
    return (nn.functional.cross_entropy(scores, right) + nn.functional.cross_entropy(scores.T, right)) / 2


def recall(output, y):
    a, b = towers(output[:1000])
    y = y[:1000]
    scores = a.matmul(b.T)
    ahead = (scores >= scores.diagonal().unsqueeze(1)) & (y.view(-1, 1) != y.view(1, -1))
    return {f\"validation_recall_at_{k}\": (ahead.sum(dim=1) < k).float().mean().item() for k in (1, 5)}
";

impl LossDef for InfoNce {
    fn torch(&self) -> String {
        format!("lambda output, y: info_nce(output, y, {})", self.temperature)
    }

    fn torch_helper(&self) -> Option<&'static str> {
        Some(INFO_NCE)
    }

    fn compares_samples(&self) -> bool {
        true
    }

    /// Cosines are at most 1 and cannot all be low, so that of n samples it is at least ln(1 + (n − 1)·exp(−n / (n − 1) / temperature)): of 100 that is 0.004 at a
    /// temperature of 0.1, and 3.6 at 1, where guessing costs 4.6.
    fn leaves_open(&self) -> bool {
        self.temperature > 0.1
    }

    fn targets(&self, signature: &Signature) -> Result<Targets, UserError> {
        match signature.task {
            Task::Retrieval => Ok(Targets::Numbers),
            Task::Classification | Task::Regression => {
                let message = "`info_nce` is about two things that belong together, but the data has an answer to predict.";
                Err(UserError::new(message).hint("Use `cross_entropy` for classes, `mse` for numbers, or the data `search`."))
            }
        }
    }

    fn takes(&self, shape: &[usize]) -> Option<Result<(), UserError>> {
        let fits = matches!(shape, [width] if *width > 0 && width % 2 == 0);
        Some(if fits {
            Ok(())
        } else {
            let message =
                format!("The model gives {}, but `info_nce` takes two vectors of the same width, side by side.", times(shape));
            Err(UserError::new(message)
                .hint("Name the vector of one tower, and end the other with { \"cat\": { \"from\": … } }."))
        })
    }

    fn build(&self, cx: &mut Builder, prediction: Value, y: Value, weights: Option<Value>) -> Result<Value, OpError> {
        apart(|| of_batch(&mut cx.graph, 1.0 / self.temperature as f32, (prediction, y), weights))
    }

    /// How alike both vectors are: their cosine.
    fn answer(&self, graph: &mut Graph, prediction: Value) -> Result<Value, OpError> {
        apart(|| {
            let [a, b] = towers(graph, prediction)?;
            similarity(graph, a, b)
        })
    }

    /// All that is compared is as likely. The last of an evaluation are fewer.
    fn baseline(&self, _: Labels<'_>, shown: Labels<'_>, asked: Asked) -> f64 {
        let Labels::Class(shown) = shown else { return f64::NAN };
        let cost = |together: &[u32]| together.len() as f64 * libm::log(together.len() as f64);
        shown.chunks(asked.together.max(1)).map(cost).sum::<f64>() / shown.len().max(1) as f64
    }
}

/// Both halves `[rows, width]` of what the network gives, of length 1.
fn towers(graph: &mut Graph, prediction: Value) -> Result<[Value; 2], OpError> {
    let width = graph.shape(prediction).last().copied().unwrap_or(0);
    let mut half = |start: usize| {
        let half = graph.slice(prediction, -1, start, start + width / 2)?;
        let squares = graph.mul(half, half)?;
        let square = graph.sum(squares, &[-1], true)?;
        let least = graph.constant(LEAST)?;
        let square = graph.binary(BinaryOp::Max, square, least)?;
        let length = graph.unary(UnaryOp::Sqrt, square)?;
        graph.div(half, length)
    };
    Ok([half(0)?, half(width / 2)?])
}

/// The cosine of each row, `[rows, 1]`.
fn similarity(graph: &mut Graph, a: Value, b: Value) -> Result<Value, OpError> {
    let products = graph.mul(a, b)?;
    graph.sum(products, &[-1], true)
}

/// The mean over both sides of `−log softmax` of the right score among that and all that are wrong: of other samples that have other numbers and weigh
/// something. `prediction` is `[rows, 2 · width]`, `y` the numbers `[rows, 1]`, `weights` `[rows]`, 1 or 0. The right score stands before the others, so
/// that nothing has to be picked from a diagonal.
fn of_batch(
    graph: &mut Graph,
    sharpness: f32,
    (prediction, y): (Value, Value),
    weights: Option<Value>,
) -> Result<Value, OpError> {
    let rows = graph.shape(prediction).first().copied().unwrap_or(1);
    let [a, b] = towers(graph, prediction)?;
    let right = similarity(graph, a, b)?;
    let right = graph.scale(sharpness, right)?;
    let across = graph.transpose(b)?;
    let scores = graph.matmul(a, across)?;
    let scores = graph.scale(sharpness, scores)?;
    let line = graph.reshape(y, [1, rows])?;
    let same = graph.binary(BinaryOp::Eq, y, line)?;
    let mut off = graph.scale(-FAR, same)?;
    if let Some(weights) = weights {
        let one = graph.constant(1.0)?;
        let lacks = graph.sub(weights, one)?;
        let lacks = graph.reshape(lacks, [1, rows])?;
        let lacks = graph.scale(FAR, lacks)?;
        off = graph.plus(off, lacks)?;
    }
    let turned = graph.transpose(scores)?;
    let mut side = |scores: Value| {
        let wrong = graph.plus(scores, off)?;
        let all = graph.concat(&[right, wrong], 1)?;
        let all = graph.log_softmax(all, -1)?;
        graph.slice(all, 1, 0, 1)
    };
    let (of_a, of_b) = (side(scores)?, side(turned)?);
    let both = graph.plus(of_a, of_b)?;
    let both = graph.reshape(both, [rows])?;
    let loss = graph.scale(-0.5, both)?;
    let Some(weights) = weights else { return graph.mean(loss, &[0], false) };
    let weighted = graph.mul(weights, loss)?;
    let (sum, total) = (graph.sum_all(weighted)?, graph.sum_all(weights)?);
    graph.div(sum, total)
}
