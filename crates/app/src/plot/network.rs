//! The network as columns: a layer with weights and the elementwise layers after it share one.

use downhill_protocol::{LayerStats, Role};

/// One column of the map.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Layers in it: place in the model (`None` for the input), label.
    pub layers: Vec<(Option<usize>, String)>,
    /// Path of the layer whose output it shows.
    pub path: String,
    /// Output shape without the batch.
    pub shape: Vec<u32>,
    /// Units in all: numbers, or the channels of pictures.
    pub units: usize,
    /// Names of the units, if they have any.
    pub names: Vec<String>,
    /// The parameter `[units, inputs]` whose elements are the lines to its units, by name.
    pub wires: Option<String>,
    /// The parameter `[units]` that a click on a unit changes, by name.
    pub bias: Option<String>,
    /// The place among the inputs of the data, where it is one of them.
    pub input: Option<u32>,
    /// The name of the tensor that it shows.
    pub tensor: String,
    /// Whether its first layer reads what the column before it shows, and nothing else.
    pub follows: bool,
    /// Smallest and largest value of its last layer, where it has such bounds.
    pub range: Option<(f32, f32)>,
    /// Whether it holds tokens and not quantities.
    pub tokens: bool,
    /// Names of tensors on the way of its layers: `model[2].attention`.
    pub inner: Vec<String>,
}

impl Column {
    /// Names of its layers: `linear 8 · tanh`.
    pub fn title(&self) -> String {
        self.layers.iter().map(|l| l.1.as_str()).collect::<Vec<_>>().join(" · ")
    }

    /// The names of the weights that its layer looks with, where that is attention: at its own sequence, then at another.
    pub fn attentions(&self) -> Vec<&String> {
        let looks = |name: &&String| name.ends_with(".attention") || name.ends_with(".cross_attention");
        self.inner.iter().filter(looks).collect()
    }

    /// The recurrent cells of its layer, one for each layer and direction: path of the layer, and name of the cell.
    pub fn cells(&self) -> Vec<(String, String)> {
        let cell = |name: &String| name.split_once(".hidden_").map(|(path, cell)| (path.to_string(), cell.to_string()));
        self.inner.iter().filter_map(cell).collect()
    }

    /// How the page names one of its units.
    pub fn unit_name(&self, unit: usize) -> String {
        match self.names.get(unit) {
            Some(name) => name.clone(),
            None if self.shape.len() == 3 => format!("map {}", unit + 1),
            None => format!("unit {}", unit + 1),
        }
    }
}

/// The place in the model of a layer's path, `model[3].body[0]` → 3.
pub fn model_index(path: &str) -> Option<usize> {
    path.strip_prefix("model[")?.split_once(']')?.0.parse().ok()
}

/// Columns of a model; labels come from the layers, in order from the input. A layer without parameters that follows another one and gives
/// as many numbers stands in its column.
pub fn columns(layers: &[LayerStats]) -> Vec<Column> {
    let mut out: Vec<Column> = Vec::new();
    for layer in layers {
        let units = match layer.shape[..] {
            [channels, _, _] => channels as usize,
            ref shape => shape.iter().map(|&d| d as usize).product(),
        };
        let named = |role: Role| layer.parameters.iter().rev().find(|p| p.role == role).map(|p| p.name.clone());
        let index = model_index(&layer.path);
        let follows = out.last().is_some_and(|c| layer.reads == [c.path.as_str()]);
        // A container reads the end of its branch, and an addition the sum's first part: what stands there shows what comes out.
        let reads = out.last().is_some_and(|c| layer.reads.contains(&c.path));
        let joins = reads && layer.parameters.is_empty();
        if let Some(column) = out.last_mut().filter(|c| joins && c.shape == layer.shape && c.input.is_none()) {
            column.layers.push((index, layer.label.clone()));
            column.path.clone_from(&layer.path);
            column.tensor = tensor_of(layer);
            column.range = layer.range;
            continue;
        }
        out.push(Column {
            layers: vec![(index, if index.is_none() { input_label(layer) } else { layer.label.clone() })],
            path: layer.path.clone(),
            shape: layer.shape.clone(),
            units,
            names: layer.units.clone(),
            wires: named(Role::Wires),
            bias: named(Role::PerUnit),
            input: layer.input,
            tensor: tensor_of(layer),
            follows,
            range: layer.range,
            tokens: layer.tokens,
            inner: layer.inner.iter().map(|name| [layer.path.as_str(), ".", name].concat()).collect(),
        });
    }
    out
}

/// The name under which the worker knows what a layer gives.
fn tensor_of(layer: &LayerStats) -> String {
    match layer.input {
        Some(0) => "input".to_string(),
        Some(place) => format!("input:{place}"),
        None => layer.path.clone(),
    }
}

fn input_label(layer: &LayerStats) -> String {
    if layer.label == "input" { "inputs".to_string() } else { layer.label.clone() }
}

/// A tensor of a run by the name of its layer and what it is there: `0.weight` is `linear 8 #0 weight`, and the optimizer's `optimizer.m.0.weight`
/// is `linear 8 #0 weight (m)`. What is of no layer keeps its name.
pub fn tensor_title(layers: &[LayerStats], name: &str) -> String {
    let slot = name.strip_prefix("optimizer.").and_then(|rest| rest.split_once('.'));
    let (kind, own) = slot.or_else(|| Some(("ema", name.strip_prefix("ema.")?))).unwrap_or(("", name));
    let inside = |layer: &LayerStats| Some(own.strip_prefix(&layer.scope)?.strip_prefix('.')?.to_string());
    // Of a layer and the one around it, the scope of the inner one is longer.
    let owner = layers.iter().filter(|layer| !layer.scope.is_empty()).filter_map(|layer| Some((layer, inside(layer)?)));
    match owner.max_by_key(|(layer, _)| layer.scope.len()) {
        Some((layer, what)) if kind.is_empty() => [layer.label.as_str(), " ", &what].concat(),
        Some((layer, what)) => [layer.label.as_str(), " ", &what, " (", kind, ")"].concat(),
        None => name.to_string(),
    }
}

/// How many of `units` are shown where `room` cells fit.
pub fn shown(units: usize, room: usize) -> usize {
    if units <= room + 1 { units } else { room.max(2) }
}

/// Least and most that a cell takes of its column's height, with the gap to the next one, in pixels.
pub const PITCH: (f64, f64) = (24.0, 46.0);

/// Side of a cell, and the gap to the next one, where `count` of them share `height` pixels.
pub fn cell_size(height: f64, count: usize) -> (f64, f64) {
    let pitch = (height / count.max(1) as f64).clamp(PITCH.0, PITCH.1).floor();
    let gap = (pitch / 8.0).round().max(3.0);
    (pitch - gap, gap)
}

/// Pixels of the card of a table's column without the lines of its cells, of such a line, and of a cell with the gap to the next one.
const CARD: (f64, f64, f64) = (25.0, 12.0, 12.0);
/// Width of a card at most, and what of it is around its cells, in pixels.
const CARD_WIDTH: (f64, f64) = (168.0, 14.0);

/// How many cards have room below each other in so many pixels, of columns with so many cells each; all of them, or with room for a line
/// of `more` pixels that says how many there are besides.
pub fn cards(cells: impl Iterator<Item = usize>, (width, height): (f64, f64), more: f64) -> usize {
    let in_a_line = ((width.min(CARD_WIDTH.0) - CARD_WIDTH.1) / CARD.2).max(1.0) as usize;
    let ends = cells.scan(0.0, |end, cells| {
        *end += CARD.0 + CARD.1 * cells.div_ceil(in_a_line).max(1) as f64;
        Some(*end)
    });
    let (mut all, mut fit, mut fit_with_more) = (0, 0, 0);
    for end in ends {
        all += 1;
        fit += usize::from(end <= height);
        fit_with_more += usize::from(end + more <= height);
    }
    if fit == all { all } else { fit_with_more.max(1) }
}

/// Most that a picture takes of its column's height, with the gap to the next one, in pixels.
const PICTURE: f64 = 72.0;

/// How many pictures stand below each other where `room` cells do.
pub fn map_rows(room: usize) -> usize {
    (room * 3 / 5).max(2)
}

/// Side of a picture, and the gap to the next one, where `rows` of them stand in `height` pixels.
pub fn map_size(height: f64, rows: usize) -> (f64, f64) {
    let pitch = (height / rows.max(1) as f64).clamp(PITCH.0, PICTURE).floor();
    let gap = (pitch / 10.0).round().max(3.0);
    (pitch - gap, gap)
}

#[cfg(test)]
mod tests {
    use super::*;

    use downhill_protocol::ParameterInfo;

    fn layer(path: &str, label: &str, units: u32, reads: &str) -> LayerStats {
        let reads = if reads.is_empty() { Vec::new() } else { vec![reads.to_string()] };
        let input = (path == "input").then_some(0);
        LayerStats { path: path.into(), label: label.into(), shape: vec![units], reads, input, ..LayerStats::default() }
    }

    fn linear(path: &str, units: u32, reads: &str) -> LayerStats {
        let parameter = |name: &str, shape: Vec<u32>, role| ParameterInfo { name: name.into(), shape, role };
        let parameters =
            vec![parameter("0.weight", vec![units, 2], Role::Wires), parameter("0.bias", vec![units], Role::PerUnit)];
        LayerStats { parameters, ..layer(path, &format!("linear {units}"), units, reads) }
    }

    fn tanh(path: &str, units: u32, reads: &str) -> LayerStats {
        LayerStats { range: Some((-1.0, 1.0)), ..layer(path, "tanh", units, reads) }
    }

    #[test]
    fn an_activation_shares_the_column_of_the_layer_before_it() {
        let layers = [
            layer("input", "input", 2, ""),
            linear("model[0]", 8, "input"),
            tanh("model[1]", 8, "model[0]"),
            linear("model[2]", 2, "model[1]"),
        ];
        let columns = columns(&layers);
        let titles: Vec<String> = columns.iter().map(Column::title).collect();
        assert_eq!(titles, ["inputs", "linear 8 · tanh", "linear 2"]);
        assert_eq!((columns[1].path.as_str(), columns[1].range), ("model[1]", Some((-1.0, 1.0))));
        assert_eq!((columns[1].wires.as_deref(), columns[1].bias.as_deref()), (Some("0.weight"), Some("0.bias")));
        assert!(columns[2].follows && columns[2].range.is_none());
    }

    #[test]
    fn a_tensor_is_called_after_its_layer() {
        let of = |scope: &str| LayerStats { scope: scope.into(), label: format!("linear 8 #{scope}"), ..LayerStats::default() };
        let layers = [of("0"), of("2.0"), of("2")];
        let titles = ["0.weight", "2.0.bias", "optimizer.m.2.0.bias", "ema.0.weight", "20.weight"]
            .map(|name| tensor_title(&layers, name));
        let wanted =
            ["linear 8 #0 weight", "linear 8 #2.0 bias", "linear 8 #2.0 bias (m)", "linear 8 #0 weight (ema)", "20.weight"];
        assert_eq!(titles, wanted);
    }

    #[test]
    fn an_activation_of_the_input_stands_alone() {
        let columns = columns(&[layer("input", "input", 2, ""), tanh("model[0]", 2, "input")]);
        assert_eq!(columns.len(), 2);
        assert_eq!((model_index("model[12].body[1]"), model_index("input")), (Some(12), None));
    }

    #[test]
    fn a_parameter_that_is_called_weight_is_no_matrix_of_lines_by_its_name() {
        let gain = ParameterInfo { name: "1.weight".into(), shape: vec![8], role: Role::PerUnit };
        let norm = LayerStats { parameters: vec![gain], ..layer("model[1]", "batch_norm", 8, "model[0]") };
        let columns = columns(&[linear("model[0]", 8, "input"), norm]);
        assert_eq!((columns[1].wires.as_deref(), columns[1].bias.as_deref()), (None, Some("1.weight")));
    }

    #[test]
    fn a_column_knows_what_its_layer_has_inside() {
        let inner = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        let block = LayerStats { inner: inner(&["attention"]), ..linear("model[1].repeat.body[0]", 8, "input") };
        let cell =
            LayerStats { inner: inner(&["hidden_l0", "gates_l0", "hidden_l0_reverse"]), ..linear("model[2]", 8, "model[1]") };
        let columns =
            columns(&[layer("input", "input", 2, ""), block, layer("model[1]", "2 times", 8, "model[1].repeat.body[0]"), cell]);
        assert_eq!(columns[1].attentions(), ["model[1].repeat.body[0].attention"]);
        assert_eq!((columns[1].path.as_str(), columns[0].attentions().len(), columns[1].cells().len()), ("model[1]", 0, 0));
        let wanted = [("model[2]", "l0"), ("model[2]", "l0_reverse")].map(|(path, cell)| (path.to_string(), cell.to_string()));
        assert_eq!(columns[2].cells(), wanted);
    }

    #[test]
    fn a_branch_does_not_follow_the_one_before_it() {
        let layers = [
            layer("input", "input", 2, ""),
            linear("model[0].concat[0][0]", 4, "input"),
            linear("model[0].concat[1][0]", 4, "input"),
        ];
        assert_eq!(columns(&layers).iter().map(|c| c.follows).collect::<Vec<_>>(), [false, true, false]);
    }

    #[test]
    fn the_units_of_pictures_are_their_channels() {
        let maps = |path: &str, reads: &str| LayerStats { shape: vec![8, 4, 4], ..layer(path, "conv2d 8", 0, reads) };
        let columns = columns(&[layer("input", "input", 64, ""), maps("model[0]", "input"), maps("model[1]", "model[0]")]);
        let found: Vec<(usize, String)> = columns.iter().map(|c| (c.units, c.unit_name(2))).collect();
        assert_eq!(found, [(64, "unit 3".to_string()), (8, "map 3".to_string())]);
        assert_eq!((map_size(410.0, 4), map_size(410.0, 8)), ((65.0, 7.0), (46.0, 5.0)));
        assert_eq!((map_rows(16), map_rows(3)), (9, 2));
    }

    #[test]
    fn cells_are_as_large_as_their_number_allows() {
        assert_eq!(cell_size(410.0, 16), (22.0, 3.0));
        assert_eq!((cell_size(416.0, 8), cell_size(416.0, 0)), ((40.0, 6.0), (40.0, 6.0)));
        // Smaller than this nobody can hit one: then fewer are shown.
        assert_eq!(cell_size(100.0, 16), (21.0, 3.0));
    }

    #[test]
    fn as_many_cards_of_columns_show_as_are_whole() {
        let one = |count| std::iter::repeat_n(1, count);
        // Eleven of 37 pixels, and a line below them; twelve without it.
        assert_eq!((cards(one(30), (200.0, 460.0), 18.0), cards(one(12), (200.0, 460.0), 18.0)), (11, 12));
        // Thirty words are three lines of a wide card, and eight of a narrow one.
        assert_eq!(cards([30, 1, 1, 1].into_iter(), (200.0, 130.0), 18.0), 2);
        assert_eq!(cards([30, 1, 1, 1].into_iter(), (66.0, 130.0), 18.0), 1);
        assert_eq!((cards(one(0), (0.0, 0.0), 18.0), cards(one(3), (0.0, 0.0), 18.0)), (0, 1));
    }

    #[test]
    fn a_wide_layer_shows_as_many_as_fit() {
        assert_eq!((shown(8, 9), shown(10, 9), shown(64, 9), shown(3, 0)), (8, 10, 9, 2));
    }
}
