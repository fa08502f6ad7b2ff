//! Which layer reads what: for every layer the paths of those whose outputs it takes. Pictures of the network draw their lines by this, and
//! nothing is computed from it.

use downhill_tensor::NameMap;

use crate::layers::Layer;
use crate::layers::def::Resolved;

/// What the first layer reads, unless it is an `input` layer.
const INPUT: &str = "input";

/// The paths that each layer reads, by its own path: `input` for what comes before the first layer, none for an `input` layer. A container
/// reads what its branches end with.
pub(crate) fn reads(layers: &[Layer], at: &[Resolved]) -> NameMap<Vec<String>> {
    let mut walk = Walk { named: NameMap::default(), reads: NameMap::default() };
    walk.list(layers, at, INPUT);
    walk.reads
}

struct Walk {
    /// Paths of what `name` layers named.
    named: NameMap<String>,
    reads: NameMap<Vec<String>>,
}

impl Walk {
    /// Notes what the layers of a list read, where `before` stands before it. Returns the path of its end.
    fn list(&mut self, layers: &[Layer], at: &[Resolved], before: &str) -> String {
        let mut before = before.to_string();
        for (layer, at) in layers.iter().zip(at) {
            let mut reads = match layer {
                Layer::Input(_) => Vec::new(),
                _ => self.inside(layer, at, &before),
            };
            reads.extend(layer.def().from().and_then(|name| self.named.get(name)).cloned());
            if let Layer::Name(name) = layer {
                self.named.insert(name.name.clone(), at.path.clone());
            }
            self.reads.insert(at.path.clone(), reads);
            before.clone_from(&at.path);
        }
        before
    }

    /// What a layer reads of what stands before it: the ends of its branches where it has some. Branches stand side by side, one for each list
    /// of the document; where there are more of them than lists, they are repetitions, one after the other.
    fn inside(&mut self, layer: &Layer, at: &Resolved, before: &str) -> Vec<String> {
        let lists = layer.branches();
        let mut ends = vec![before.to_string()];
        if lists.len() == at.branches.len() && lists.len() > 1 {
            ends = lists.iter().zip(&at.branches).map(|(list, at)| self.list(list, at, before)).collect();
        } else if let Some(list) = lists.first() {
            for at in &at.branches {
                let start = ends.pop().unwrap_or_default();
                ends.push(self.list(list, at, &start));
            }
        }
        ends
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::{Experiment, Signature, check};

    fn reads_of(data: &str, model: Value) -> Vec<String> {
        let document = json!({ "data": data, "model": model });
        let experiment = Experiment::from_value(&document).unwrap().experiment;
        let signature = Signature::of(&experiment.data).unwrap();
        let layers = check(experiment, signature).unwrap().summary.layers;
        layers.iter().map(|layer| format!("{} <- {}", layer.path, layer.reads.join(", "))).collect()
    }

    #[test]
    fn a_layer_reads_the_one_before_it_and_a_branch_what_stands_before_its_container() {
        let model = json!([{ "concat": [["tanh"], [{ "linear": { "out": 3 } }, "relu"]] }, { "linear": { "out": "classes" } }]);
        let wanted = [
            "model[0].concat[0][0] <- input",
            "model[0].concat[1][0] <- input",
            "model[0].concat[1][1] <- model[0].concat[1][0]",
            "model[0] <- model[0].concat[0][0], model[0].concat[1][1]",
            "model[1] <- model[0]",
        ];
        assert_eq!(reads_of("spirals", model), wanted);
    }

    #[test]
    fn repetitions_read_each_other() {
        let model = json!([{ "repeat": { "times": 2, "body": ["tanh"] } }, { "linear": { "out": "classes" } }]);
        let reads = reads_of("spirals", model);
        assert_eq!(reads[1].split(" <- ").nth(1), reads[0].split(" <- ").next(), "{reads:?}");
        assert_eq!(reads[2].split(" <- ").nth(1), reads[1].split(" <- ").next(), "{reads:?}");
    }

    #[test]
    fn an_input_reads_nothing_and_what_is_named_is_read_where_it_is_taken() {
        let model = json!(["tanh", { "name": "a" }, { "input": "second" }, { "cat": { "from": "a" } }, { "linear": { "out": "classes" } }]);
        let wanted = [
            "model[0] <- input",
            "model[1] <- model[0]",
            "model[2] <- ",
            "model[3] <- model[2], model[1]",
            "model[4] <- model[3]",
        ];
        assert_eq!(reads_of("pairs", model), wanted);
    }
}
