//! The layer `mean_over_time`: one vector from a sequence of vectors. Steps past a sample's length do not count.

use downhill_graph::{BinaryOp, OpError, Value};
use downhill_tensor::UserError;

use super::def::{Builder, Inferred, Port, Resolved, Resolver, SimpleLayer, elements};
use crate::registry::fields;

fields! {
    /// The mean of all steps of a sequence; padding does not count.
    #[schemars(title = "Mean over time")]
    MeanOverTime {}
}

impl SimpleLayer for MeanOverTime {
    fn label(&self) -> String {
        "mean over time".to_string()
    }

    fn infer(&self, _: &mut Resolver<'_>, input: &Port) -> Result<Inferred, UserError> {
        let &[_, width] = input.shape.as_slice() else {
            let message = format!("mean_over_time expects a sequence of vectors, gets {input}.");
            return Err(UserError::new(message).hint("Put it behind an `embedding`."));
        };
        Ok(Inferred::numbers([width]).flops(elements(&input.shape)))
    }

    fn build(&self, cx: &mut Builder, at: &Resolved, x: Value) -> Result<Value, OpError> {
        mean(cx, at.input().lengths.as_deref(), x)
    }

    fn torch(&self, at: &Resolved) -> String {
        match &at.input().lengths {
            Some(field) => format!("MeanOverTime(wires, \"{field}\")"),
            None => "MeanOverTime()".to_string(),
        }
    }

    fn torch_helper(&self) -> Option<&'static str> {
        Some(MEAN_OVER_TIME)
    }
}

/// `x` `[batch, steps, width]` where a step counts, `fill` where it lies past the length that the field says.
pub(super) fn counted(cx: &mut Builder, field: &str, x: Value, fill: Value) -> Result<Value, OpError> {
    let lengths = cx.field(field)?;
    let shape = cx.graph.shape(x).clone();
    let (rows, steps) = (shape.first().copied().unwrap_or_default(), shape.get(1).copied().unwrap_or_default());
    let positions = cx.positions(steps)?;
    let counts = cx.graph.binary(BinaryOp::Lt, positions, lengths)?;
    let counts = cx.graph.reshape(counts, [rows, steps, 1])?;
    cx.graph.select(counts, x, fill)
}

/// Σ x·[t < length] / max(length, 1): a sequence without a step gives zeros.
pub(super) fn mean(cx: &mut Builder, lengths: Option<&str>, x: Value) -> Result<Value, OpError> {
    let Some(field) = lengths else { return cx.graph.mean(x, &[1], false) };
    let zero = cx.graph.constant(0.0)?;
    let counted = counted(cx, field, x, zero)?;
    let sum = cx.graph.sum(counted, &[1], false)?;
    let (lengths, one) = (cx.field(field)?, cx.graph.constant(1.0)?);
    let least = cx.graph.binary(BinaryOp::Max, lengths, one)?;
    cx.graph.div(sum, least)
}

const MEAN_OVER_TIME: &str = "\
class MeanOverTime(nn.Module):
    def __init__(self, wires=None, lengths=None):
        super().__init__()
        self.wires, self.lengths = wires, lengths

    def forward(self, x):
        if self.lengths is None:
            return x.mean(dim=1)
        lengths = self.wires[self.lengths].unsqueeze(1)
        counts = torch.arange(x.shape[1], device=x.device) < lengths
        return (x * counts.unsqueeze(2)).sum(dim=1) / lengths.clamp(min=1)
";
