//! The layers `dropout` and `dropout2d`, which do something in training steps and probes only.

use downhill_graph::{OpError, Value};
use downhill_tensor::UserError;

use super::conv::image;
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
    const AT_ONCE: bool = true;

    fn label(&self) -> String {
        format!("dropout {}", self.p)
    }

    fn infer(&self, _: &mut Resolver<'_>, input: &Port) -> Result<Inferred, UserError> {
        Ok(Inferred::new(input.clone()))
    }

    fn build(&self, cx: &mut Builder, _: &Resolved, x: Value) -> Result<Value, OpError> {
        cx.dropout(self.p, x)
    }

    fn is_stepwise(&self) -> bool {
        true
    }

    fn torch(&self, _: &Resolved) -> String {
        format!("nn.Dropout({})", self.p)
    }
}

fields! {
    /// While training, sets whole channels of an image to zero and scales the rest up: neighbours of a pixel could tell what it was.
    #[schemars(title = "Dropout 2D")]
    Dropout2d {
        /// Share of the channels that is set to zero.
        #[schemars(title = "Share", range(min = 0.0, max = 0.95))]
        p: f64 = 0.5,
    }
}

impl SimpleLayer for Dropout2d {
    fn label(&self) -> String {
        format!("dropout 2d {}", self.p)
    }

    fn infer(&self, _: &mut Resolver<'_>, input: &Port) -> Result<Inferred, UserError> {
        image("dropout2d", input)?;
        Ok(Inferred::new(input.clone()))
    }

    /// One number for each channel, by which all of its pixels are multiplied.
    fn build(&self, cx: &mut Builder, _: &Resolved, x: Value) -> Result<Value, OpError> {
        let &[rows, channels, ..] = &cx.graph.shape(x)[..] else { return Ok(x) };
        let ones = cx.graph.full([rows, channels, 1, 1], 1.0)?;
        let kept = cx.dropout(self.p, ones)?;
        if kept == ones { Ok(x) } else { cx.graph.mul(x, kept) }
    }

    fn torch(&self, _: &Resolved) -> String {
        format!("nn.Dropout2d({})", self.p)
    }
}
