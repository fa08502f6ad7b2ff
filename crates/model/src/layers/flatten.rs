//! The layer `flatten`: all dimensions of a sample become one.

use downhill_graph::{OpError, Value};
use downhill_tensor::UserError;

use super::def::{Builder, Inferred, Port, Resolved, Resolver, SimpleLayer};
use crate::registry::fields;

fields! {
    /// Puts all numbers of a sample into one row.
    #[schemars(title = "Flatten")]
    Flatten {}
}

impl SimpleLayer for Flatten {
    const AT_ONCE: bool = true;

    fn label(&self) -> String {
        "flatten".to_string()
    }

    fn infer(&self, _: &mut Resolver<'_>, input: &Port) -> Result<Inferred, UserError> {
        Ok(Inferred::numbers([input.shape.iter().fold(1usize, |n, &d| n.saturating_mul(d))]))
    }

    fn build(&self, cx: &mut Builder, at: &Resolved, x: Value) -> Result<Value, OpError> {
        let rows = cx.graph.shape(x).first().copied().unwrap_or(1);
        cx.reshape(x, rows, &at.output.shape)
    }

    fn torch(&self, _: &Resolved) -> String {
        "nn.Flatten()".to_string()
    }
}
