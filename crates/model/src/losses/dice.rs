//! The loss `dice`, of masks: how far they are from covering each other (F. Milletari, N. Navab and S.-A. Ahmadi, 2016).

use downhill_data::{IGNORED, Labels};
use downhill_graph::{BinaryOp, Graph, OpError, Value};
use downhill_tensor::{UserError, apart};

use super::{Asked, LossDef, Targets, baseline};
use crate::layers::def::Builder;
use crate::registry::fields;
use crate::{Signature, Task};

fields! {
    /// How far the masks of the classes are from covering the right ones: for a class for every pixel, where most pixels are background.
    #[schemars(title = "Dice")]
    Dice {}
}

/// Added to both sides of the fraction, so that a class that is nowhere, and is not seen anywhere, costs nothing.
const SMOOTH: f64 = 1.0;

/// The function of the exported program, for `torch.nn` has none.
const DICE: &str = "\
def dice(output, y):
    known = (y >= 0).unsqueeze(1)
    truth = nn.functional.one_hot(y.clamp(min=0), output.shape[1]).movedim(-1, 1) * known
    found = output.softmax(dim=1) * known
    both, each = (found * truth).flatten(2).sum(dim=2), (found + truth).flatten(2).sum(dim=2)
    return (1 - (2 * both + 1) / (each + 1)).mean()
";

impl LossDef for Dice {
    fn torch(&self) -> String {
        "dice".to_string()
    }

    fn torch_helper(&self) -> Option<&'static str> {
        Some(DICE)
    }

    fn targets(&self, signature: &Signature) -> Result<Targets, UserError> {
        if signature.task == Task::Classification && signature.of_pixels() {
            return Ok(Targets::Classes);
        }
        let message = "`dice` compares masks, but this data has no class for every pixel.";
        Err(UserError::new(message).hint("Use another loss, or images whose answer is a mask."))
    }

    fn build(&self, cx: &mut Builder, prediction: Value, y: Value, weights: Option<Value>) -> Result<Value, OpError> {
        apart(|| of_masks(cx, prediction, y, weights))
    }

    fn answer(&self, graph: &mut Graph, prediction: Value) -> Result<Value, OpError> {
        graph.softmax(prediction, -1)
    }

    /// The same probabilities at every pixel.
    fn baseline(&self, learned: Labels<'_>, shown: Labels<'_>, asked: Asked) -> f64 {
        let (Labels::Class(learned), Labels::Class(shown)) = (learned, shown) else { return f64::NAN };
        let shares = baseline::shares(learned, asked.outputs);
        let samples = shown.chunks_exact(asked.answers.max(1));
        let count = samples.len().max(1) as f64;
        let of_sample = |labels: &[u32]| {
            let known = labels.iter().filter(|label| **label != IGNORED).count() as f64;
            let right = |class: usize| labels.iter().filter(|label| **label as usize == class).count() as f64;
            let ratio =
                |(class, share): (usize, &f64)| (2.0 * share * right(class) + SMOOTH) / (share * known + right(class) + SMOOTH);
            1.0 - shares.iter().enumerate().map(ratio).sum::<f64>() / shares.len() as f64
        };
        samples.map(of_sample).sum::<f64>() / count
    }
}

/// `1 − (2·Σ p·t + 1) / (Σ p + Σ t + 1)`, the sums over the pixels of a sample for each class, then the mean over classes and the weighted one
/// over samples, so that evaluations in pieces sum up to that of the whole. `prediction` is `[rows, height, width, classes]`, `weights` like the
/// labels. A pixel without a class counts nowhere.
fn of_masks(cx: &mut Builder, prediction: Value, y: Value, weights: Option<Value>) -> Result<Value, OpError> {
    let shape = cx.graph.shape(prediction).to_vec();
    let [rows, height, width, classes] = shape.as_slice() else {
        return Err(OpError::new("dice", "wants a class for every pixel"));
    };
    let (rows, pixels, classes) = (*rows, height * width, *classes);
    let class = cx.positions(classes)?;
    let graph = &mut cx.graph;
    let column = graph.reshape(class, [classes, 1])?;
    let one_hot = graph.binary(BinaryOp::Eq, column, class)?;
    let truth = graph.index_select(one_hot, y)?;
    let truth = graph.reshape(truth, [rows, pixels, classes])?;
    let found = graph.softmax(prediction, -1)?;
    let found = graph.reshape(found, [rows, pixels, classes])?;
    let known = graph.sum(truth, &[-1], true)?;
    let found = graph.mul(found, known)?;
    let both = graph.mul(found, truth)?;
    let both = graph.sum(both, &[1], false)?;
    let each = graph.plus(found, truth)?;
    let each = graph.sum(each, &[1], false)?;
    let smooth = graph.constant(SMOOTH as f32)?;
    let twice = graph.scale(2.0, both)?;
    let (above, below) = (graph.plus(twice, smooth)?, graph.plus(each, smooth)?);
    let covered = graph.div(above, below)?;
    let covered = graph.mean(covered, &[-1], false)?;
    let one = graph.constant(1.0)?;
    let loss = graph.sub(one, covered)?;
    let Some(weights) = weights else { return graph.mean(loss, &[0], false) };
    let weights = graph.reshape(weights, [rows, pixels])?;
    let weights = graph.mean(weights, &[1], false)?;
    let weighted = graph.mul(weights, loss)?;
    let (sum, total) = (graph.sum_all(weighted)?, graph.sum_all(weights)?);
    let least = graph.constant(f32::MIN_POSITIVE)?;
    let total = graph.binary(BinaryOp::Max, total, least)?;
    graph.div(sum, total)
}
