//! The layer `residual`: a list of layers with a way around it, which a learned projection makes fit where the shapes differ (K. He et al., 2015).

use downhill_graph::ops::Convolution;
use downhill_graph::{OpError, Value};
use downhill_tensor::UserError;
use serde_json::Value as Json;

use super::def::{Builder, Inferred, LayerDef, Port, Resolved, Resolver, elements, first, torch_list};
use super::linear::project;
use super::{Init, Layer, list_schema, read_list, write_list};
use crate::registry::{Described, Fields, Reader};

/// Adds its input to what the layers inside make of it: `y = x + f(x)`, or `y = P x + f(x)` where f changes the shape.
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
        list_schema(
            "Residual",
            "Adds its input to what the layers inside make of it; where they change its shape, the input goes through a learned projection first.",
        )
    }
}

impl LayerDef for Residual {
    fn label(&self) -> String {
        "residual".to_string()
    }

    fn infer(&self, cx: &mut Resolver<'_>, inputs: &[Port]) -> Result<Inferred, UserError> {
        let input = first(inputs);
        let body = cx.list("", None, &self.body, input)?;
        let output = body.last().map_or(input, |layer| &layer.output);
        let mut inferred = Inferred::new(output.clone());
        if output.shape != input.shape {
            let shape = projection(&input.shape, &output.shape).ok_or_else(|| apart(input, output))?.weight;
            let init = Init::default();
            let (out, fan_in) = (shape[0], shape[1]);
            inferred.flops = elements(&output.shape).saturating_mul(2).saturating_mul(fan_in as u64);
            inferred.parameter("projection.weight", &shape, init.weight(fan_in, out));
        }
        Ok(inferred.branch(body))
    }

    fn is_at_once(&self) -> bool {
        true
    }

    fn build(&self, cx: &mut Builder, at: &Resolved, inputs: &[Value]) -> Result<Value, OpError> {
        let x = *first(inputs);
        let y = cx.list(&self.body, at.branch(0), x)?;
        let Some(projection) = self.projection(at) else { return cx.graph.plus(x, y) };
        let weight = cx.parameter(at, "projection.weight")?;
        let x = match projection.stride {
            Some(stride) => cx.graph.conv2d(Convolution { stride, ..Convolution::default() }, x, weight, None)?,
            None => project(cx, x, weight, None)?,
        };
        cx.graph.plus(x, y)
    }

    fn is_stepwise(&self) -> bool {
        true
    }

    fn torch(&self, at: &Resolved) -> String {
        let body = torch_list(&self.body, at.branch(0));
        let Some(Projection { weight, stride }) = self.projection(at) else { return format!("Residual({body})") };
        let (out, fan_in) = (weight[0], weight[1]);
        match stride {
            Some([1, 1]) => format!("ProjectedResidual(nn.Conv2d({fan_in}, {out}, 1, bias=False), {body})"),
            Some([down, across]) => {
                format!("ProjectedResidual(nn.Conv2d({fan_in}, {out}, 1, stride=({down}, {across}), bias=False), {body})")
            }
            None => format!("ProjectedResidual(nn.Linear({fan_in}, {out}, bias=False), {body})"),
        }
    }

    fn torch_helper(&self) -> Option<&'static str> {
        Some(RESIDUAL)
    }

    fn torch_parts(&self) -> &'static [&'static str] {
        &[PROJECTED]
    }

    fn branches(&self) -> Vec<&[Layer]> {
        vec![&self.body]
    }
}

/// What takes the input of a residual layer to the shape of its output.
struct Projection {
    /// Shape of the weight: `[out, in]`, of images `[out, in, 1, 1]`.
    weight: Vec<usize>,
    /// Of images: every how many pixels there is one.
    stride: Option<[usize; 2]>,
}

/// The projection between two shapes that differ; nothing where there is none.
fn projection(from: &[usize], to: &[usize]) -> Option<Projection> {
    match (from, to) {
        (&[a], &[b]) => Some(Projection { weight: vec![b, a], stride: None }),
        (&[steps, a], &[same, b]) if steps == same => Some(Projection { weight: vec![b, a], stride: None }),
        (&[a, height, width], &[b, down, across]) => {
            let stride = [every(height, down)?, every(width, across)?];
            Some(Projection { weight: vec![b, a, 1, 1], stride: Some(stride) })
        }
        _ => None,
    }
}

/// The stride that leaves `few` of `many` pixels.
fn every(many: usize, few: usize) -> Option<usize> {
    (1..=many).find(|stride| (many - 1) / stride + 1 == few)
}

/// What no projection brings together.
fn apart(input: &Port, output: &Port) -> UserError {
    let message = format!(
        "residual adds its input, {input}, to what its layers give, {output}, and no projection makes one like the other."
    );
    let hint = match input.shape.len() {
        3 if output.shape.len() == 3 => {
            "Let its layers keep height and width, with `padding` \"same\", or divide them by a stride."
        }
        n if n == output.shape.len() => "Let its layers keep the number of steps.",
        _ => "Put what changes the number of dimensions, such as `flatten`, outside of it.",
    };
    UserError::new(message).hint(hint)
}

impl Residual {
    /// Its projection, where it has one.
    fn projection(&self, at: &Resolved) -> Option<Projection> {
        let (from, to) = (&at.input().shape, &at.output.shape);
        if from == to { None } else { projection(from, to) }
    }
}

const RESIDUAL: &str = "\
class Residual(nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)
";
const PROJECTED: &str = "\
class ProjectedResidual(nn.Sequential):
    def __init__(self, projection, *layers):
        super().__init__(*layers)
        self.projection = projection

    def forward(self, x):
        *layers, projection = self
        y = x
        for layer in layers:
            y = layer(y)
        return projection(x) + y
";

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::{Experiment, Signature, check};

    /// The residual layer of a model on pictures of one channel and 8×8 pixels, or why there is none.
    fn on_pictures(body: Json) -> Result<(Vec<usize>, Vec<usize>), String> {
        let model = json!(["reshape", { "residual": body }, "flatten", { "linear": { "out": "classes" } }]);
        let document = json!({ "data": "digits", "model": model });
        let experiment = Experiment::from_value(&document).map_err(|e| e.to_string())?.experiment;
        let signature = Signature::of(&experiment.data).unwrap();
        let checked = check(experiment, signature).map_err(|e| e.to_string())?;
        let layer = checked.summary.layers.iter().find(|layer| layer.path == "model[1]").unwrap();
        let weight = layer.parameters.first().map(|(name, shape)| (name == "1.projection.weight").then(|| shape.clone()));
        Ok((layer.shape.clone(), weight.flatten().unwrap_or_default()))
    }

    #[test]
    fn shapes_that_differ_get_a_projection_and_those_that_are_alike_none() {
        assert_eq!(on_pictures(json!(["tanh"])), Ok((vec![1, 8, 8], vec![])));
        let wider = json!([{ "conv2d": { "out_channels": 4, "padding": 1 } }]);
        assert_eq!(on_pictures(wider), Ok((vec![4, 8, 8], vec![4, 1, 1, 1])));
        let smaller = json!([{ "conv2d": { "out_channels": 4, "padding": 1, "stride": 2 } }]);
        assert_eq!(on_pictures(smaller), Ok((vec![4, 4, 4], vec![4, 1, 1, 1])));
        assert_eq!((every(9, 5), every(8, 3), every(8, 6), every(4, 8)), (Some(2), Some(3), None, None));
    }

    #[test]
    fn shapes_that_no_projection_brings_together_are_refused_with_the_way_out() {
        let narrower = json!([{ "conv2d": { "out_channels": 4 } }]);
        assert_eq!(
            on_pictures(narrower).unwrap_err(),
            "model[1]: residual adds its input, 1×8×8, to what its layers give, 4×6×6, and no projection makes one like the other. Let its \
             layers keep height and width, with `padding` \"same\", or divide them by a stride."
        );
        assert!(on_pictures(json!(["flatten"])).unwrap_err().ends_with("such as `flatten`, outside of it."));
    }
}
