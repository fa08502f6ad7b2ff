//! The logit lens: what the end of a network makes of what earlier layers leave, as if nothing came between (nostalgebraist, 2020). It looks along the
//! stream that blocks add to; what is inside a block is no part of it.

use crate::layers::Layer;
use crate::layers::def::Resolved;
use crate::signature::{Signature, Task};

/// Begin of the names, behind the path of the last layer, of what the network would say after an earlier one: `model[4].lens:model[0]`.
const LENS: &str = "lens:";

/// Adds to the last layer the names of what it would say after each layer of the stream, where there is attention to look along.
pub(crate) fn add_names(model: &[Layer], layers: &mut [Resolved], signature: &Signature) {
    let Some(end) = end_of_stream(layers).filter(|_| signature.task == Task::Classification && signature.outputs > 1) else {
        return;
    };
    let mut paths = Vec::new();
    stream(model.get(..end).unwrap_or_default(), layers.get(..end).unwrap_or_default(), &mut |layer| {
        if layers.get(end).is_some_and(|first| *first.input() == layer.output) {
            paths.push([LENS, &layer.path].concat());
        }
    });
    if let Some(last) = layers.last_mut() {
        last.inner.extend(paths);
    }
}

/// The path of the layer that a name looks after.
pub(crate) fn looks_after(name: &str) -> Option<&str> {
    let (_, path) = name.split_once(LENS)?;
    Some(path)
}

/// Where the layers begin that come after all attention, and give the answer.
pub(crate) fn end_of_stream(layers: &[Resolved]) -> Option<usize> {
    fn looks(layer: &Resolved) -> bool {
        layer.heads > 0 || layer.branches.iter().flatten().any(looks)
    }
    layers.iter().rposition(looks).map(|last| last + 1).filter(|end| *end < layers.len())
}

/// Calls `visit` for the layers that follow each other, and those that are repeated.
fn stream<'a>(model: &[Layer], layers: &'a [Resolved], visit: &mut impl FnMut(&'a Resolved)) {
    for (layer, at) in model.iter().zip(layers) {
        match (layer, layer.branches().first()) {
            (Layer::Repeat(_), Some(body)) => at.branches.iter().for_each(|again| stream(body, again, visit)),
            _ => visit(at),
        }
    }
}
