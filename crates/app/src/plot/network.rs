//! The network as columns: a layer with weights and the elementwise layers after it share one.

use downhill_protocol::LayerStats;

/// One column of the map.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Layers in it: place in the model (`None` for the input), label.
    pub layers: Vec<(Option<usize>, String)>,
    /// Path of the layer whose output it shows.
    pub path: String,
    /// Output shape without the batch.
    pub shape: Vec<u32>,
    /// Units in all.
    pub units: usize,
    /// Names of the units, if they have any.
    pub names: Vec<String>,
    /// Weight and bias by name, and the number of inputs of the weight.
    pub weight: Option<String>,
    /// Bias by name.
    pub bias: Option<String>,
    /// Whether its last layer is bounded by one, so that a unit can saturate.
    pub bounded: bool,
}

impl Column {
    /// Names of its layers: `linear 8 · tanh`.
    pub fn title(&self) -> String {
        self.layers.iter().map(|l| l.1.as_str()).collect::<Vec<_>>().join(" · ")
    }

    /// How the page names one of its units.
    pub fn unit_name(&self, unit: usize) -> String {
        match self.names.get(unit) {
            Some(name) => name.clone(),
            None => format!("unit {}", unit + 1),
        }
    }
}

/// The place in the model of a layer's path, `model[3].body[0]` → 3.
pub fn model_index(path: &str) -> Option<usize> {
    path.strip_prefix("model[")?.split_once(']')?.0.parse().ok()
}

/// Columns of a model; labels come from the layers, in order from the input.
pub fn columns(layers: &[LayerStats]) -> Vec<Column> {
    let mut out: Vec<Column> = Vec::new();
    for layer in layers {
        let units = layer.shape.iter().map(|&d| d as usize).product();
        let named = |end: &str| layer.parameters.iter().map(|p| &p.0).find(|n| n.ends_with(end)).cloned();
        let (weight, bias) = (named("weight"), named("bias"));
        let index = model_index(&layer.path);
        let bounded = ["tanh", "sigmoid", "hardtanh", "sin"].iter().any(|n| layer.label.starts_with(n));
        let joins =
            weight.is_none() && index.is_some() && out.last().is_some_and(|c| c.units == units && c.layers[0].0.is_some());
        if let Some(column) = out.last_mut().filter(|_| joins) {
            column.layers.push((index, sized(layer)));
            column.path.clone_from(&layer.path);
            column.shape.clone_from(&layer.shape);
            column.bounded |= bounded;
            continue;
        }
        let label = if layer.path == "input" { "inputs".to_string() } else { sized(layer) };
        let (path, shape, names) = (layer.path.clone(), layer.shape.clone(), layer.units.clone());
        out.push(Column { layers: vec![(index, label)], path, shape, units, names, weight, bias, bounded });
    }
    out
}

/// The label with the number in place of the word for it: `linear classes` is `linear 2`.
fn sized(layer: &LayerStats) -> String {
    let units = layer.shape.last().map(ToString::to_string).unwrap_or_default();
    layer.label.replace("classes", &units).replace("targets", &units)
}

/// How many of `units` are shown where `room` cells fit.
pub fn shown(units: usize, room: usize) -> usize {
    if units <= room + 1 { units } else { room.max(2) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(path: &str, label: &str, units: u32, weight: bool) -> LayerStats {
        let parameters =
            if weight { vec![("0.weight".into(), vec![units, 2]), ("0.bias".into(), vec![units])] } else { Vec::new() };
        LayerStats { path: path.into(), label: label.into(), shape: vec![units], parameters, ..LayerStats::default() }
    }

    #[test]
    fn an_activation_shares_the_column_of_the_layer_before_it() {
        let layers = [
            layer("input", "input", 2, false),
            layer("model[0]", "linear 8", 8, true),
            layer("model[1]", "tanh", 8, false),
            layer("model[2]", "linear 2", 2, true),
        ];
        let columns = columns(&layers);
        let titles: Vec<String> = columns.iter().map(Column::title).collect();
        assert_eq!(titles, ["inputs", "linear 8 · tanh", "linear 2"]);
        assert_eq!((columns[1].path.as_str(), columns[1].bounded), ("model[1]", true));
        assert_eq!(columns[1].weight.as_deref(), Some("0.weight"));
    }

    #[test]
    fn an_activation_of_the_input_stands_alone() {
        let columns = columns(&[layer("input", "input", 2, false), layer("model[0]", "tanh", 2, false)]);
        assert_eq!(columns.len(), 2);
        assert_eq!((model_index("model[12].body[1]"), model_index("input")), (Some(12), None));
    }

    #[test]
    fn a_wide_layer_shows_as_many_as_fit() {
        assert_eq!((shown(8, 9), shown(10, 9), shown(64, 9), shown(3, 0)), (8, 10, 9, 2));
    }
}
