use crate::layers::Layer;
use crate::resolve::Resolved;

/// The modules of a list of layers, separated by commas.
pub(crate) fn modules(layers: &[Layer], at: &[Resolved]) -> String {
    layers.iter().zip(at).map(|(layer, at)| layer.def().torch(at)).collect::<Vec<_>>().join(", ")
}
