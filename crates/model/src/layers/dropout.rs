//! The layer `dropout`, which does something in training steps and probes only.

use downhill_graph::{OpError, Value};
use downhill_tensor::UserError;

use super::def::{Builder, Inferred, Port, Resolved, Resolver, SimpleLayer};
use crate::registry::fields;

fields! {
    /// While training, sets a random part to zero and scales the rest up, so that no unit relies on another.
    #[schemars(title = "Dropout")]
    Dropout {
        /// Share that is set to zero.
        #[schemars(title = "Share", range(min = 0.0, max = 0.95))]
        p: f64 = 0.5,
    }
}

impl SimpleLayer for Dropout {
    fn label(&self) -> String {
        format!("dropout {}", self.p)
    }

    fn infer(&self, _: &mut Resolver<'_>, input: &Port) -> Result<Inferred, UserError> {
        Ok(Inferred::new(input.clone()))
    }

    fn build(&self, cx: &mut Builder, _: &Resolved, x: Value) -> Result<Value, OpError> {
        cx.dropout(self.p, x)
    }

    fn torch(&self, _: &Resolved) -> String {
        format!("nn.Dropout({})", self.p)
    }
}
