//! The layer `linear`: a matrix of weights and a bias.

use downhill_graph::{OpError, Value};
use downhill_tensor::UserError;

use super::def::{Builder, Inferred, Port, Resolved, Resolver, SimpleLayer, elements};
use super::{Init, Size};
use crate::registry::fields;

fields! {
    /// Every output is a weighted sum of all inputs: `y = x Wᵀ + b`; of a sequence, at every step.
    #[schemars(title = "Linear")]
    Linear {
        /// Number of outputs, or "classes" or "targets" for as many as the data asks for.
        #[schemars(title = "Outputs")]
        out: Size = Size::Units(8),
        /// Whether a learned constant is added to every output.
        #[schemars(title = "Bias")]
        bias: bool = true,
        /// Whether its weight is that of an embedding, which is learned once for both: the last one before it with as many tokens as this has
        /// outputs and as many dimensions as this has inputs.
        #[schemars(title = "Tied weight")]
        tied: bool = false,
        /// How the weights are drawn at the start.
        #[schemars(title = "Initial weights")]
        init: Init = Init::default(),
    }
}

impl SimpleLayer for Linear {
    const AT_ONCE: bool = true;

    fn label(&self) -> String {
        let tied = if self.tied { ", tied" } else { "" };
        format!("linear {}{tied}", self.out)
    }

    fn infer(&self, cx: &mut Resolver<'_>, input: &Port) -> Result<Inferred, UserError> {
        let (&[fan_in] | &[_, fan_in]) = input.shape.as_slice() else {
            let message = format!("linear expects a vector, gets {input}.");
            return Err(UserError::new(message).hint("Insert `flatten` before it."));
        };
        let out = cx.size(self.out).map_err(|e| e.under("out"))?;
        let shape: Vec<usize> = input.shape[..input.shape.len() - 1].iter().copied().chain([out]).collect();
        let flops = elements(&input.shape).saturating_mul(2).saturating_mul(out as u64);
        let mut inferred = Inferred::new(Port { lengths: input.lengths.clone(), ..Port::numbers(shape) }).flops(flops);
        if self.tied {
            inferred.tied = Some(cx.embedding(out, fan_in).map_err(|e| e.under("tied"))?);
        } else {
            inferred.parameter("weight", &[out, fan_in], self.init.weight(fan_in, out));
        }
        if self.bias {
            inferred.parameter("bias", &[out], self.init.bias(fan_in));
        }
        Ok(inferred)
    }

    fn build(&self, cx: &mut Builder, at: &Resolved, x: Value) -> Result<Value, OpError> {
        let weight = match &at.tied {
            Some(weight) => cx.parameter_of(weight)?,
            None => cx.parameter(at, "weight")?,
        };
        let bias = if self.bias { Some(cx.parameter(at, "bias")?) } else { None };
        project(cx, x, weight, bias)
    }

    fn is_stepwise(&self) -> bool {
        true
    }

    fn torch(&self, at: &Resolved) -> String {
        let bias = if self.bias { "" } else { ", bias=False" };
        format!("nn.Linear({}, {}{bias})", at.input().shape.last().unwrap_or(&0), at.output.shape.last().unwrap_or(&0))
    }
}

/// `x Wᵀ + b` for every vector of every sequence, as one product.
pub(super) fn project(cx: &mut Builder, x: Value, weight: Value, bias: Option<Value>) -> Result<Value, OpError> {
    let shape = cx.graph.shape(x).clone();
    let Some((&width, leading)) = shape.split_last().filter(|(_, leading)| leading.len() > 1) else {
        return cx.graph.linear(x, weight, bias);
    };
    let out = cx.graph.shape(weight).first().copied().unwrap_or_default();
    let flat = cx.graph.reshape(x, [leading.iter().product(), width])?;
    let y = cx.graph.linear(flat, weight, bias)?;
    let shape: Vec<usize> = leading.iter().copied().chain([out]).collect();
    cx.graph.reshape(y, shape.as_slice())
}

#[cfg(test)]
mod tests {
    use downhill_graph::Graph;
    use serde_json::{Value as Json, json};

    use crate::{Checked, Experiment, ProgramKind, Signature, build, check, init_parameters};

    fn checked(embedding: &Json, before: &Json, linear: &Json) -> Result<Checked, String> {
        let model = json!([{ "embedding": embedding }, before, { "linear": linear }]);
        let document = json!({ "data": { "reverse": { "vocabulary": 5 } }, "model": model });
        let experiment = Experiment::from_value(&document).map_err(|e| e.to_string())?.experiment;
        let signature = Signature::of(&experiment.data).unwrap();
        check(experiment, signature).map_err(|e| e.to_string())
    }

    fn tied(bias: bool) -> Json {
        json!({ "out": "classes", "tied": true, "bias": bias })
    }

    #[test]
    fn a_shared_weight_is_one_parameter_and_counts_once() {
        let embedding = json!({ "dim": 8, "std": 0.02 });
        let own = checked(&embedding, &json!("tanh"), &json!({ "out": "classes" })).unwrap();
        let shared = checked(&embedding, &json!("tanh"), &tied(true)).unwrap();
        // The letters and what stands between them and their answer.
        let tokens = own.signature.outputs;
        assert_eq!(own.summary.parameters - shared.summary.parameters, 8 * tokens as u64);
        let names: Vec<String> = init_parameters(&shared).into_iter().map(|parameter| parameter.name).collect();
        assert_eq!(
            (names, shared.ties()),
            (vec!["0.weight".to_string(), "2.bias".to_string()], vec![("2.weight".to_string(), "0.weight")])
        );
        assert_eq!(shared.summary.layers[2].label, "linear classes, tied");
        let weight = &init_parameters(&shared)[0];
        assert!(weight.values.iter().all(|v| v.abs() < 0.1) && weight.values.iter().any(|v| v.abs() > 0.01));
        assert!(
            checked(&embedding, &json!("tanh"), &tied(false)).is_ok(),
            "the embedding learns where the layer has nothing of its own"
        );
    }

    /// How many nodes of a graph read the first parameter.
    fn reads(graph: &Graph) -> usize {
        let weight = graph.nodes().find(|(_, node)| node.op.name() == "parameter").map(|(id, _)| id);
        graph.nodes().filter(|(_, node)| node.inputs.iter().any(|input| Some(input.node) == weight)).count()
    }

    #[test]
    fn the_embedding_and_the_output_read_the_same_value() {
        let program = |linear: &Json| {
            let checked = checked(&json!({ "dim": 8 }), &json!("tanh"), linear).unwrap();
            build(&checked, &ProgramKind::Predict { rows: 3 }).unwrap()
        };
        assert_eq!((reads(&program(&tied(true))), reads(&program(&json!({ "out": "classes" })))), (2, 1));
    }

    #[test]
    fn what_no_embedding_fits_is_refused_with_the_way_out() {
        let error = |embedding: &Json, before: &Json| checked(embedding, before, &tied(true)).unwrap_err();
        let narrow = error(&json!({ "dim": 8 }), &json!({ "linear": { "out": 4 } }));
        assert!(narrow.starts_with("model[2].linear.tied: This layer shares the weight of an embedding of "), "{narrow}");
        assert!(
            narrow.contains("6 tokens and 4 dimensions; the last one before it has 6 tokens and 8 dimensions."),
            "{narrow}"
        );
        let pads = error(&json!({ "dim": 8, "padding_idx": 0 }), &json!("tanh"));
        assert!(pads.starts_with("model[2].linear.tied: ") && pads.contains("`padding_idx`"), "{pads}");
        let none = json!({ "data": "xor", "model": [{ "linear": { "out": "classes", "tied": true } }] });
        let experiment = Experiment::from_value(&none).unwrap().experiment;
        let signature = Signature::of(&experiment.data).unwrap();
        assert!(check(experiment, signature).unwrap_err().to_string().contains("but there is none before it."));
    }

    #[test]
    fn of_two_embeddings_the_last_that_fits_is_shared() {
        let model = json!([{ "embedding": { "dim": 8 } }, { "name": "words" }, { "input": "segments" }, { "embedding": { "dim": 8 } },
            { "add": { "from": "words" } }, { "linear": { "out": "classes", "tied": true } }]);
        let document = json!({ "data": { "masked": { "samples": 50 } }, "model": model });
        let experiment = Experiment::from_value(&document).unwrap().experiment;
        let signature = Signature::of(&experiment.data).unwrap();
        assert_eq!(check(experiment, signature).unwrap().ties(), [("5.weight".to_string(), "0.weight")]);
    }
}
