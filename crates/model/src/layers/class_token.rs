//! The layer `class_token`: a learned vector before a sequence, in which attention gathers what there is to say of the whole (A. Dosovitskiy et al., 2020).

use downhill_graph::{OpError, Value};
use downhill_tensor::UserError;

use super::Draw;
use super::def::{Builder, Inferred, Port, Resolved, Resolver, SimpleLayer};
use super::positions::sequence;
use crate::registry::fields;

fields! {
    /// Puts a learned vector before a sequence; behind the blocks, `select` takes it out again.
    #[schemars(title = "Class token")]
    ClassToken {}
}

/// Its name within the layer, that of torchvision's transformer.
const TOKEN: &str = "class_token";

impl SimpleLayer for ClassToken {
    fn label(&self) -> String {
        "class token".to_string()
    }

    fn infer(&self, _: &mut Resolver<'_>, input: &Port) -> Result<Inferred, UserError> {
        let (steps, width) = sequence("class_token", input)?;
        if input.lengths.is_some() {
            let message = "class_token stands before sequences of one length, and these end at different places.";
            return Err(UserError::new(message).hint("Use `mean_over_time` behind the blocks in its place."));
        }
        let mut inferred = Inferred::numbers([steps + 1, width]);
        inferred.parameter(TOKEN, &[1, 1, width], Draw::Constant(0.0));
        Ok(inferred)
    }

    fn build(&self, cx: &mut Builder, at: &Resolved, x: Value) -> Result<Value, OpError> {
        let token = cx.parameter(at, TOKEN)?;
        let &[rows, _, width] = &cx.graph.shape(x)[..] else { return Ok(x) };
        let token = cx.graph.expand(token, [rows, 1, width])?;
        cx.graph.concat(&[token, x], 1)
    }

    fn torch(&self, at: &Resolved) -> String {
        format!("ClassToken({})", at.input().shape.last().unwrap_or(&0))
    }

    fn torch_helper(&self) -> Option<&'static str> {
        Some(CLASS_TOKEN)
    }
}

const CLASS_TOKEN: &str = "\
class ClassToken(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))

    def forward(self, x):
        return torch.cat([self.class_token.expand(len(x), -1, -1), x], dim=1)
";
