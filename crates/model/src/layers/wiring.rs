//! Wiring by names: `input` goes on from a field of the data, `name` names what stands there, and `cat` and `add` take what was named as
//! their second input. A layer of any kind can take one, see [`LayerDef::from`].

use downhill_data::spec;
use downhill_graph::{OpError, Value};
use downhill_tensor::UserError;
use serde_json::{Value as Json, json};

use super::def::{Builder, Inferred, LayerDef, Port, Resolved, Resolver, SimpleLayer, elements};
use super::side_by_side::{dim, joined};
use crate::registry::{Described, Fields, Reader, fields};

/// Longest name.
const MAX_NAME: usize = 40;

/// Declares a layer that is nothing but a name: `{ "input": "source" }`.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident, $layer:literal, $title:literal, $help:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name {
            /// The name.
            pub name: String,
        }

        impl Fields for $name {
            fn read(&mut self, _: &Json, value: &Json, _: &mut Reader) -> Result<(), UserError> {
                self.name = read_name($layer, value)?;
                Ok(())
            }

            fn write(&self, _: &Json) -> Json {
                json!(self.name)
            }

            fn write_full(&self) -> Json {
                json!(self.name)
            }
        }

        impl Described for $name {
            fn generate_schema() -> Json {
                json!({ "title": $title, "description": $help, "type": "string", "minLength": 1, "maxLength": MAX_NAME })
            }
        }
    };
}

named! {
    /// Goes on from a field of the data instead of what comes before.
    Input, "input", "Input", "Goes on from a field of the data instead of what comes before."
}

named! {
    /// Names what stands here, so that a later layer can take it as its second input.
    Name, "name", "Name", "Names what stands here, so that a later layer can take it as its second input."
}

/// A name stands in a document, in a sentence and in the text of a program: letters, digits and underscores.
fn read_name(layer: &str, value: &Json) -> Result<String, UserError> {
    let hint = format!("Write {{ \"{layer}\": \"memory\" }}: letters, digits and underscores, at most {MAX_NAME}.");
    let Some(name) = value.as_str() else {
        return Err(UserError::new(format!("`{layer}` needs a name.")).hint(hint));
    };
    check_name(name).map_err(|e| e.hint(hint))?;
    Ok(name.to_string())
}

fn check_name(name: &str) -> Result<(), UserError> {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if plain && (1..=MAX_NAME).contains(&name.len()) {
        return Ok(());
    }
    Err(UserError::new(format!("\"{}\" is not a name.", spec::quote(name))))
}

impl SimpleLayer for Input {
    const AT_ONCE: bool = true;

    fn label(&self) -> String {
        format!("input {}", self.name)
    }

    fn infer(&self, cx: &mut Resolver<'_>, _: &Port) -> Result<Inferred, UserError> {
        cx.input(&self.name).map(Inferred::new)
    }

    fn build(&self, cx: &mut Builder, _: &Resolved, _: Value) -> Result<Value, OpError> {
        cx.field(&self.name)
    }

    fn is_stepwise(&self) -> bool {
        true
    }

    fn torch(&self, _: &Resolved) -> String {
        format!("Input(wires, \"{}\")", self.name)
    }

    fn torch_helper(&self) -> Option<&'static str> {
        Some(INPUT)
    }

    fn takes_tokens(&self) -> bool {
        true
    }
}

impl SimpleLayer for Name {
    const AT_ONCE: bool = true;

    fn label(&self) -> String {
        format!("name {}", self.name)
    }

    fn infer(&self, cx: &mut Resolver<'_>, input: &Port) -> Result<Inferred, UserError> {
        cx.define(&self.name, input)?;
        Ok(Inferred::new(input.clone()))
    }

    fn build(&self, cx: &mut Builder, _: &Resolved, x: Value) -> Result<Value, OpError> {
        cx.define(&self.name, x);
        Ok(x)
    }

    fn is_stepwise(&self) -> bool {
        true
    }

    fn torch(&self, _: &Resolved) -> String {
        format!("Name(wires, \"{}\")", self.name)
    }

    fn torch_helper(&self) -> Option<&'static str> {
        Some(NAME)
    }

    fn takes_tokens(&self) -> bool {
        true
    }
}

fields! {
    /// Puts what was named elsewhere behind what comes before, side by side.
    #[schemars(title = "Cat")]
    Cat {
        /// Name of the second part: one that a `name` layer before this gave.
        #[schemars(title = "From", length(max = 40))]
        from: String = String::new(),
    }
}

fields! {
    /// Adds what was named elsewhere to what comes before, number by number.
    #[schemars(title = "Add")]
    Add {
        /// Name of what is added: one that a `name` layer before this gave.
        #[schemars(title = "From", length(max = 40))]
        from: String = String::new(),
    }
}

/// The two inputs of a layer with a `from`.
pub(super) fn both<T>(inputs: &[T]) -> (&T, &T) {
    match inputs {
        [before, named] => (before, named),
        _ => panic!("a layer with `from` has two inputs"),
    }
}

impl LayerDef for Cat {
    fn label(&self) -> String {
        format!("cat {}", self.from)
    }

    fn validate(&self) -> Result<(), UserError> {
        check_from(&self.from)
    }

    fn infer(&self, _: &mut Resolver<'_>, inputs: &[Port]) -> Result<Inferred, UserError> {
        let (before, named) = both(inputs);
        joined("cat", before, &format!("`{}` is", self.from), named).map(Inferred::new)
    }

    fn is_at_once(&self) -> bool {
        true
    }

    fn build(&self, cx: &mut Builder, at: &Resolved, inputs: &[Value]) -> Result<Value, OpError> {
        cx.graph.concat(inputs, dim(&at.output))
    }

    fn is_stepwise(&self) -> bool {
        true
    }

    fn torch(&self, at: &Resolved) -> String {
        match dim(&at.output) {
            -1 => format!("Cat(wires, \"{}\")", self.from),
            dim => format!("Cat(wires, \"{}\", dim={dim})", self.from),
        }
    }

    fn torch_helper(&self) -> Option<&'static str> {
        Some(CAT)
    }

    fn from(&self) -> Option<&str> {
        Some(&self.from)
    }
}

impl LayerDef for Add {
    fn label(&self) -> String {
        format!("add {}", self.from)
    }

    fn validate(&self) -> Result<(), UserError> {
        check_from(&self.from)
    }

    fn infer(&self, _: &mut Resolver<'_>, inputs: &[Port]) -> Result<Inferred, UserError> {
        let (before, named) = both(inputs);
        if before.shape != named.shape {
            let message = format!("add adds {before} and, from `{}`, {named}; both must be alike.", self.from);
            let width = named.shape.last().copied().unwrap_or_default();
            return Err(UserError::new(message).hint(format!("Let the linear layer before it have {width} outputs.")));
        }
        Ok(Inferred::new(before.clone()).flops(elements(&before.shape)))
    }

    fn is_at_once(&self) -> bool {
        true
    }

    fn build(&self, cx: &mut Builder, _: &Resolved, inputs: &[Value]) -> Result<Value, OpError> {
        let (before, named) = both(inputs);
        cx.graph.plus(*before, *named)
    }

    fn is_stepwise(&self) -> bool {
        true
    }

    fn torch(&self, _: &Resolved) -> String {
        format!("Add(wires, \"{}\")", self.from)
    }

    fn torch_helper(&self) -> Option<&'static str> {
        Some(ADD)
    }

    fn from(&self) -> Option<&str> {
        Some(&self.from)
    }
}

/// Whether the name of a second input is one.
pub(super) fn check_from(from: &str) -> Result<(), UserError> {
    check_name(from).map_err(|e| {
        e.under("from").hint("Write { \"name\": \"memory\" } where the second input stands, and here \"from\": \"memory\".")
    })
}

const INPUT: &str = "\
class Input(nn.Module):
    def __init__(self, wires, name):
        super().__init__()
        self.wires, self.name = wires, name

    def forward(self, _):
        return self.wires[self.name]
";
const NAME: &str = "\
class Name(nn.Module):
    def __init__(self, wires, name):
        super().__init__()
        self.wires, self.name = wires, name

    def forward(self, x):
        self.wires[\"name \" + self.name] = x
        return x
";
const CAT: &str = "\
class Cat(nn.Module):
    def __init__(self, wires, name, dim=-1):
        super().__init__()
        self.wires, self.name, self.dim = wires, name, dim

    def forward(self, x):
        return torch.cat([x, self.wires[\"name \" + self.name]], dim=self.dim)
";
const ADD: &str = "\
class Add(nn.Module):
    def __init__(self, wires, name):
        super().__init__()
        self.wires, self.name = wires, name

    def forward(self, x):
        return x + self.wires[\"name \" + self.name]
";

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::{Experiment, Signature, check};

    fn checked(model: Value) -> Result<crate::Checked, String> {
        let document = json!({ "data": "pairs", "model": model });
        let experiment = Experiment::from_value(&document).map_err(|e| e.to_string())?.experiment;
        let signature = Signature::of(&experiment.data).unwrap();
        check(experiment, signature).map_err(|e| e.to_string())
    }

    fn error(model: Value) -> String {
        checked(model).unwrap_err()
    }

    #[test]
    fn two_towers_meet_where_the_second_takes_what_the_first_was_called() {
        let model = json!([
            { "linear": { "out": 4 } }, { "name": "a" },
            { "input": "second" }, { "linear": { "out": 3 } }, { "cat": { "from": "a" } },
            { "linear": { "out": 4 } }, { "residual": ["tanh", { "add": { "from": "a" } }] }, { "linear": { "out": "classes" } },
        ]);
        let checked = checked(model.clone()).unwrap();
        let shapes: Vec<&[usize]> = checked.summary.layers.iter().map(|l| l.shape.as_slice()).collect();
        assert_eq!(shapes, [&[4][..], &[4], &[2], &[3], &[7], &[4], &[4], &[4], &[4], &[2]]);
        assert_eq!(checked.experiment.to_value()["model"], model);
    }

    #[test]
    fn wires_that_lead_nowhere_are_refused_with_their_place_and_the_way_out() {
        let end = json!({ "linear": { "out": "classes" } });
        let model = json!([{ "input": "frist" }, end]);
        assert_eq!(error(model), "model[0]: The data has no input `frist`. Did you mean `first`? It has `first` and `second`.");
        assert_eq!(
            error(json!([end])),
            "model: The data has the input `second`, which the model never takes. Add { \"input\": \"second\" } where it goes in, and bring \
             both together with `cat` or `add`."
        );
        let other = json!([{ "name": "memory" }, { "input": "second" }, { "cat": { "from": "memroy" } }, end]);
        assert_eq!(error(other), "model[2].cat.from: Nothing before this is called `memroy`. Did you mean `memory`?");
        let none = json!([{ "input": "second" }, { "cat": { "from": "memory" } }, end]);
        assert!(
            error(none)
                .starts_with("model[1].cat.from: Nothing before this is called `memory`. Write { \"name\": \"memory\" }")
        );
        let twice = json!([{ "name": "a" }, { "input": "second" }, { "name": "a" }, { "cat": { "from": "a" } }, end]);
        assert!(error(twice).starts_with("model[2]: The name `a` is taken"));
        let unlike =
            json!([{ "name": "a" }, { "input": "second" }, { "linear": { "out": 3 } }, { "add": { "from": "a" } }, end]);
        assert!(error(unlike).starts_with("model[3]: add adds 3 and, from `a`, 2; both must be alike."));
        for bad in [json!(null), json!(7), json!(""), json!("a b"), json!("\"]"), json!("x".repeat(41))] {
            assert!(error(json!([{ "name": bad }, end])).starts_with("model[0].name: "), "{bad}");
            assert!(error(json!([{ "cat": { "from": bad } }, end])).starts_with("model[0].cat"), "{bad}");
        }
    }
}
