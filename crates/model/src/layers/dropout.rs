use downhill_graph::{OpError, Value};
use downhill_tensor::UserError;

use super::LayerDef;
use crate::build::Builder;
use crate::registry::fields;
use crate::resolve::{Inferred, Resolved, Resolver};

fields! {
    /// While training, sets a random part to zero and scales the rest up, so that no unit relies on another.
    #[schemars(title = "Dropout")]
    Dropout {
        /// Share that is set to zero.
        #[schemars(title = "Share", range(min = 0.0, max = 0.95))]
        p: f64 = 0.5,
    }
}

impl LayerDef for Dropout {
    fn label(&self) -> String {
        format!("dropout {}", self.p)
    }

    fn infer(&self, _: &mut Resolver<'_>, input: &[usize]) -> Result<Inferred, UserError> {
        Ok(Inferred::new(input))
    }

    fn build(&self, cx: &mut Builder, _: &Resolved, x: Value) -> Result<Value, OpError> {
        cx.dropout(self.p, x)
    }

    fn torch(&self, _: &Resolved) -> String {
        format!("nn.Dropout({})", self.p)
    }
}
