use downhill_graph::{OpError, Value};
use downhill_tensor::UserError;

use super::LayerDef;
use crate::build::Builder;
use crate::registry::fields;
use crate::resolve::{Inferred, Resolved, Resolver};

fields! {
    /// Puts all numbers of a sample into one row.
    #[schemars(title = "Flatten")]
    Flatten {}
}

impl LayerDef for Flatten {
    fn label(&self) -> String {
        "flatten".to_string()
    }

    fn infer(&self, _: &mut Resolver<'_>, input: &[usize]) -> Result<Inferred, UserError> {
        Ok(Inferred::new([input.iter().fold(1usize, |n, &d| n.saturating_mul(d))]))
    }

    fn build(&self, cx: &mut Builder, at: &Resolved, x: Value) -> Result<Value, OpError> {
        let rows = cx.graph.shape(x).first().copied().unwrap_or(1);
        cx.reshape(x, rows, &at.output)
    }

    fn torch(&self, _: &Resolved) -> String {
        "nn.Flatten()".to_string()
    }
}
