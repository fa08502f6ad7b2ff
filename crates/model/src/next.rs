//! The program that goes on with a sequence by the next position, or the next few: where there can be one, and what it is given and gives. What layers keep of
//! the positions before they say themselves (`layers/`).

use downhill_graph::kernel::Choice;
use downhill_graph::{Feed, FeedKind, OpError, Value};
use downhill_tensor::{Dtype, TensorTy, UserError};

use crate::check::Checked;
use crate::layers::Layer;
use crate::layers::def::{AT_ONCE, Builder, CACHE, Resolved, flat};
use crate::port::Port;

/// The feed with the next token, u32 `[1, 1]`.
pub const NEXT: &str = "next.token";
/// The feeds by which a program for several positions picks tokens: a number from 0 to 1 for each but the last position, and the numbers of a
/// [`Choice`].
pub const PICKING: [&str; 2] = ["next.draws", "next.choice"];
/// The token that such a program picked for a position.
pub const TOKEN: &str = "token";

/// The feeds of [`PICKING`].
pub fn picking() -> [Feed; 2] {
    let feed =
        |name: &str, numbers: usize| Feed { name: name.to_string(), ty: TensorTy::f32([numbers]), kind: FeedKind::Resident };
    [feed(PICKING[0], AT_ONCE - 1), feed(PICKING[1], Choice::NUMBERS)]
}

/// What an output of the first position is called at another: `scores`, `scores.1`, `scores.2`, ….
pub fn of_position(name: &str, position: usize) -> String {
    if position == 0 { name.to_string() } else { format!("{name}.{position}") }
}

impl Checked {
    /// Whether a sequence can go on one position at a time, beside what is kept of those before.
    ///
    /// # Errors
    /// Says what keeps it from that.
    pub fn stepwise(&self) -> Result<(), UserError> {
        let refused = |path: &str, message: String| Err(UserError::at(path, message));
        if self.signature.inputs.len() > 1 && self.signature.written == 0 {
            return refused("data", "The network has several inputs.".to_string());
        }
        let (input, from) = (self.signature.written(), self.writes_from());
        let [positions] = self.signature.positions.as_slice() else {
            return refused("data", "The network does not answer at every position.".to_string());
        };
        let layers = self.layers.get(from..).unwrap_or_default();
        let read = names(self.experiment.model.get(..from).unwrap_or_default());
        if let Some((path, layer)) = not_stepwise(self.experiment.model.get(from..).unwrap_or_default(), layers, &read) {
            return refused(path, format!("`{}` looks at several positions at once, and keeps nothing of them.", layer.name()));
        }
        let is_sequence = |port: &Port| port.shape.first() == Some(positions) && port.lengths.is_none();
        let own = |layer: &Resolved| layer.field.as_ref().is_none_or(|field| *field == input.name);
        let begins = self.signature.written == 0 || layers.first().is_some_and(|layer| layer.field.is_some());
        if !begins || !flat(layers).into_iter().all(own) {
            return refused("model", "What is read does not come before what is written.".to_string());
        }
        match flat(layers).into_iter().find(|layer| !is_sequence(&layer.output)) {
            Some(layer) => refused(&layer.path, format!("`{}` does not answer at every position.", layer.name)),
            None if is_sequence(&input.port) && input.port.dtype == Dtype::U32 => Ok(()),
            None => refused("data", "The network is given no tokens.".to_string()),
        }
    }

    /// The place of the first layer of what writes: of a network with a single input the first, else the last that goes on from an input.
    fn writes_from(&self) -> usize {
        let is_input = |layer: &Layer| matches!(layer, Layer::Input(_));
        let last = self.experiment.model.iter().rposition(is_input).filter(|_| self.signature.written > 0);
        last.unwrap_or_default()
    }
}

/// The first layer that cannot be built for a position alone, with its path; `read` are the names of what was read before anything is written.
fn not_stepwise<'a>(layers: &'a [Layer], at: &'a [Resolved], read: &[&str]) -> Option<(&'a str, &'a Layer)> {
    layers.iter().zip(at).find_map(|(layer, at)| {
        let mut inside = layer.branches().into_iter().zip(&at.branches);
        let is_read = layer.def().from().is_some_and(|name| read.contains(&name));
        let ends = at.inputs.get(1).is_some_and(|memory| memory.lengths.is_some());
        let can = if is_read { layer.def().keeps_memory() && !ends } else { layer.def().is_stepwise() };
        let own = (!can).then_some((at.path.as_str(), layer));
        own.or_else(|| inside.find_map(|(layers, at)| not_stepwise(layers, at, read)))
    })
}

/// All names that layers give.
fn names(layers: &[Layer]) -> Vec<&str> {
    let mut all = Vec::new();
    for layer in layers {
        if let Layer::Name(name) = layer {
            all.push(name.name.as_str());
        }
        all.extend(layer.branches().into_iter().flat_map(names));
    }
    all
}

/// Adds layers for so many positions, one after the other.
pub(crate) fn next(checked: &Checked, cx: &mut Builder, positions: usize) -> Result<(), OpError> {
    let mut token = cx.graph.new_feed(NEXT, TensorTy::u32([1, 1]), FeedKind::Resident)?;
    let from = checked.writes_from();
    let (model, layers) = (checked.experiment.model.get(from..), checked.layers.get(from..));
    let mut feeds = Vec::new();
    if positions > 1 {
        feeds = picking().into_iter().map(|feed| cx.graph.new_feed(feed.name, feed.ty, feed.kind)).collect::<Result<_, _>>()?;
    }
    for position in 0..positions {
        if position > 0 {
            cx.next_position();
            cx.graph.output(of_position(TOKEN, position), token);
        }
        cx.add_field(&checked.signature.written().name, token);
        let scores = cx.list(model.unwrap_or_default(), layers.unwrap_or_default(), token)?;
        tell(checked, cx, position, scores);
        if let (true, [draws, choice]) = (position + 1 < positions, feeds.as_slice()) {
            let draw = cx.graph.slice(*draws, 0, position, position + 1)?;
            let draw = cx.graph.reshape(draw, [1, 1])?;
            token = cx.graph.pick(scores, draw, *choice)?;
        }
    }
    Ok(())
}

/// Outputs the scores of a position, or of all, and what is kept there.
pub(crate) fn tell(checked: &Checked, cx: &mut Builder, position: usize, scores: Value) {
    cx.graph.output(of_position("scores", position), scores);
    let writes = flat(checked.layers.get(checked.writes_from()..).unwrap_or_default());
    for (name, value) in std::mem::take(&mut cx.kept) {
        // What reads runs once for a text, and nothing of it is asked for again.
        if writes.iter().any(|layer| name.strip_prefix(CACHE).is_some_and(|own| own.starts_with(&layer.path))) {
            cx.graph.output(of_position(&name, position), value);
        }
    }
}
