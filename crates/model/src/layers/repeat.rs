//! The layer `repeat`: a list of layers several times in a row.

use downhill_data::spec;
use downhill_graph::{OpError, Value};
use downhill_tensor::UserError;
use serde_json::{Map, Value as Json, json};

use super::def::{Builder, Inferred, LayerDef, Port, Resolved, Resolver, first, torch_list};
use super::{Layer, list_schema, read_list, write_list};
use crate::registry::{Described, Fields, Reader, fields};

/// The same layers several times in a row, each time with weights of their own.
#[derive(Clone, Debug, PartialEq)]
pub struct Repeat {
    /// How often.
    pub times: usize,
    /// What.
    pub body: Vec<Layer>,
}

fields! {
    /// The same layers several times in a row, each time with weights of their own.
    #[schemars(title = "Repeat")]
    Times {
        /// How often.
        #[schemars(title = "Times", range(min = 1, max = 100))]
        times: usize = 2,
    }
}

impl Default for Repeat {
    fn default() -> Self {
        Self { times: Times::default().times, body: Vec::new() }
    }
}

impl Repeat {
    fn with_body(fields: Json, body: Json) -> Json {
        let mut fields = if let Json::Object(map) = fields { map } else { Map::new() };
        fields.insert("body".to_string(), body);
        Json::Object(fields)
    }
}

impl Fields for Repeat {
    fn read(&mut self, schema: &Json, value: &Json, reader: &mut Reader) -> Result<(), UserError> {
        let Json::Object(mut map) = reader.known_fields(schema, value).into_owned() else {
            return Err(UserError::new("repeat says how often and what.")
                .hint("Write { \"repeat\": { \"times\": 2, \"body\": [ … ] } }."));
        };
        let Some(body) = map.remove("body") else {
            return Err(UserError::at("body", "repeat has no layers to repeat.").hint("Add `body`, a list of layers."));
        };
        if let Some(unknown) = map.keys().find(|name| *name != "times") {
            return Err(
                UserError::at(spec::quote(unknown), "There is no such field here.").hint("repeat has `times` and `body`.")
            );
        }
        let mut given = Times::default();
        spec::read(&mut given, schema, &Json::Object(map))?;
        let body = read_list(&body, reader).map_err(|e| e.under("body"))?;
        *self = Self { times: given.times, body };
        Ok(())
    }

    fn write(&self, schema: &Json) -> Json {
        let fields = spec::changed_fields(&Times { times: self.times }, schema);
        Self::with_body(Json::Object(fields), write_list(&self.body, false))
    }

    fn write_full(&self) -> Json {
        Self::with_body(json!({ "times": self.times }), write_list(&self.body, true))
    }
}

impl Described for Repeat {
    fn generate_schema() -> Json {
        let mut schema = spec::generate::<Times>();
        schema["properties"]["body"] = list_schema("Layers", "What is repeated.");
        schema["required"] = json!(["body"]);
        schema
    }
}

impl LayerDef for Repeat {
    fn label(&self) -> String {
        format!("{} times", self.times)
    }

    fn infer(&self, cx: &mut Resolver<'_>, inputs: &[Port]) -> Result<Inferred, UserError> {
        let mut inferred = Inferred::new(first(inputs).clone());
        for i in 0..self.times {
            let layers = cx.list("body", Some(i), &self.body, &inferred.output.clone())?;
            if let Some(last) = layers.last() {
                inferred.output.clone_from(&last.output);
            }
            inferred = inferred.branch(layers);
        }
        Ok(inferred)
    }

    fn is_at_once(&self) -> bool {
        true
    }

    fn build(&self, cx: &mut Builder, at: &Resolved, inputs: &[Value]) -> Result<Value, OpError> {
        (0..self.times).try_fold(*first(inputs), |x, i| cx.list(&self.body, at.branch(i), x))
    }

    fn is_stepwise(&self) -> bool {
        true
    }

    fn torch(&self, at: &Resolved) -> String {
        let block = |i| format!("nn.Sequential({})", torch_list(&self.body, at.branch(i)));
        format!("nn.Sequential({})", (0..self.times).map(block).collect::<Vec<_>>().join(", "))
    }

    fn branches(&self) -> Vec<&[Layer]> {
        vec![&self.body]
    }
}
