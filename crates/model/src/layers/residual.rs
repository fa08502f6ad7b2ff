use downhill_graph::{OpError, Value};
use downhill_tensor::UserError;
use serde_json::Value as Json;

use super::{Layer, LayerDef, list_schema, read_list, write_list};
use crate::build::Builder;
use crate::registry::{Described, Fields, Reader};
use crate::resolve::{Inferred, Resolved, Resolver, times};

/// Adds its input to what the layers inside make of it: `y = x + f(x)`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Residual {
    /// f.
    pub body: Vec<Layer>,
}

impl Fields for Residual {
    fn read(&mut self, _: &Json, value: &Json, reader: &mut Reader) -> Result<(), UserError> {
        self.body = read_list(value, reader)?;
        Ok(())
    }

    fn write(&self, _: &Json) -> Json {
        write_list(&self.body, false)
    }

    fn write_full(&self) -> Json {
        write_list(&self.body, true)
    }
}

impl Described for Residual {
    fn generate_schema() -> Json {
        list_schema("Residual", "Adds its input to what the layers inside make of it.")
    }
}

impl LayerDef for Residual {
    fn label(&self) -> String {
        "residual".to_string()
    }

    fn infer(&self, cx: &mut Resolver<'_>, input: &[usize]) -> Result<Inferred, UserError> {
        let body = cx.list("", None, &self.body, input)?;
        let output = body.last().map_or(input, |layer| layer.output.as_slice());
        if output != input {
            let message = format!(
                "residual adds its input, {}, to what its layers give, {}; both must be alike.",
                times(input),
                times(output)
            );
            let width = input.last().copied().unwrap_or_default();
            return Err(UserError::new(message).hint(format!("Let its last linear layer have {width} outputs.")));
        }
        Ok(Inferred::new(input).branch(body))
    }

    fn build(&self, cx: &mut Builder, at: &Resolved, x: Value) -> Result<Value, OpError> {
        let y = cx.list(&self.body, at.branch(0), x)?;
        cx.graph.plus(x, y)
    }

    fn torch(&self, at: &Resolved) -> String {
        format!("Residual({})", crate::export::modules(&self.body, at.branch(0)))
    }

    fn branches(&self) -> Vec<&[Layer]> {
        vec![&self.body]
    }
}
