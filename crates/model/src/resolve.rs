//! From layers to shapes: every layer gets its place, its input and output shape and its parameters, before anything is
//! allocated.

use downhill_tensor::UserError;

use crate::layers::{Draw, Layer, Size, Word};
use crate::registry::MAX_LAYERS;
use crate::signature::{Signature, Task};

/// Parameters of one model.
pub(crate) const MAX_PARAMETERS: u64 = 50_000_000;

/// What a layer says about itself for a given input.
#[derive(Debug, Default)]
pub(crate) struct Inferred {
    /// Output shape without the batch.
    pub output: Vec<usize>,
    /// Name within the layer, shape, initial elements.
    pub parameters: Vec<(&'static str, Vec<usize>, Draw)>,
    /// Floating-point operations of the forward pass per sample.
    pub flops: u64,
    /// The layers inside.
    pub branches: Vec<Vec<Resolved>>,
}

impl Inferred {
    /// A layer without parameters.
    pub fn new(output: impl AsRef<[usize]>) -> Self {
        Self { output: output.as_ref().to_vec(), ..Self::default() }
    }

    /// Sets the cost.
    pub fn flops(mut self, flops: u64) -> Self {
        self.flops = flops;
        self
    }

    /// Adds a parameter.
    pub fn parameter(&mut self, name: &'static str, shape: &[usize], draw: Draw) {
        self.parameters.push((name, shape.to_vec(), draw));
    }

    /// Adds a branch of layers inside.
    pub fn branch(mut self, layers: Vec<Resolved>) -> Self {
        self.branches.push(layers);
        self
    }
}

/// A trainable tensor of a layer.
#[derive(Clone, Debug, PartialEq)]
pub struct ResolvedParameter {
    /// Key in the `state_dict`.
    pub name: String,
    /// Shape, PyTorch's layout.
    pub shape: Vec<usize>,
    /// How its elements are drawn at the start.
    pub draw: Draw,
}

/// A layer with its place and shapes.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// Place in the experiment: `model[2].residual[0]`; the layers of a second repetition are under `body#2`.
    pub path: String,
    /// Prefix of its parameters in the `state_dict`: `2.0`.
    pub scope: String,
    /// Name in the registry.
    pub name: &'static str,
    /// A few words for a card.
    pub label: String,
    /// Input shape without the batch.
    pub input: Vec<usize>,
    /// Output shape without the batch.
    pub output: Vec<usize>,
    /// Its own parameters, without those of the layers inside.
    pub parameters: Vec<ResolvedParameter>,
    /// Floating-point operations of its own forward pass per sample.
    pub flops: u64,
    /// The layers inside, one list per branch or repetition.
    pub branches: Vec<Vec<Resolved>>,
}

impl Resolved {
    /// The layers of a branch.
    pub(crate) fn branch(&self, i: usize) -> &[Resolved] {
        self.branches.get(i).map_or(&[], Vec::as_slice)
    }

    /// Calls `visit` for the layers inside, then for this one.
    pub(crate) fn visit<'a>(&'a self, visit: &mut impl FnMut(&'a Resolved)) {
        for inner in self.branches.iter().flatten() {
            inner.visit(visit);
        }
        visit(self);
    }
}

/// All layers of a model in the order in which they run, containers after what they contain.
pub(crate) fn flat(model: &[Resolved]) -> Vec<&Resolved> {
    let mut layers = Vec::new();
    model.iter().for_each(|layer| layer.visit(&mut |l| layers.push(l)));
    layers
}

/// Gives every layer of a model its shapes.
///
/// # Errors
/// When a layer does not take what comes before it, or the model is too large; names the layer.
pub(crate) fn resolve(model: &[Layer], signature: &Signature) -> Result<Vec<Resolved>, UserError> {
    let mut cx = Resolver { signature, path: "model".to_string(), scope: String::new(), layers: 0, parameters: 0 };
    cx.list("", None, model, &signature.input_shape).map_err(|e| e.under("model"))
}

/// Where the walk through the layers stands.
pub(crate) struct Resolver<'a> {
    signature: &'a Signature,
    path: String,
    scope: String,
    layers: usize,
    parameters: u64,
}

impl Resolver<'_> {
    /// The number behind a size.
    pub fn size(&self, size: Size) -> Result<usize, UserError> {
        let outputs = self.signature.outputs;
        match (size, self.signature.task) {
            (Size::Units(n), _) => Ok(n),
            (Size::Word(Word::Classes), Task::Classification) | (Size::Word(Word::Targets), Task::Regression) => Ok(outputs),
            (Size::Word(Word::Classes), Task::Regression) => {
                Err(UserError::new("The data has no classes but numbers to predict.").hint("Write \"targets\"."))
            }
            (Size::Word(Word::Targets), Task::Classification) => {
                Err(UserError::new("The data has no numbers to predict but classes.").hint("Write \"classes\"."))
            }
        }
    }

    /// Resolves layers inside the present one. `field` is where the list stands in it; `branch` its place among several lists.
    pub fn list(
        &mut self,
        field: &str,
        branch: Option<usize>,
        layers: &[Layer],
        input: &[usize],
    ) -> Result<Vec<Resolved>, UserError> {
        let (path, scope) = (self.path.clone(), self.scope.clone());
        let dot = if field.is_empty() || field.starts_with('[') { "" } else { "." };
        let again = branch.filter(|&i| i > 0 && !dot.is_empty()).map(|i| format!("#{}", i + 1)).unwrap_or_default();
        let list_path = format!("{path}{dot}{field}{again}");
        let list_scope = branch.map_or(scope.clone(), |i| join(&scope, i));
        let mut input = input.to_vec();
        let mut resolved = Vec::with_capacity(layers.len());
        for (i, layer) in layers.iter().enumerate() {
            self.path = format!("{list_path}[{i}]");
            self.scope = join(&list_scope, i);
            let layer = self.layer(layer, &input).map_err(|e| e.under(&format!("[{i}]")).under(field))?;
            input.clone_from(&layer.output);
            resolved.push(layer);
        }
        (self.path, self.scope) = (path, scope);
        Ok(resolved)
    }

    fn layer(&mut self, layer: &Layer, input: &[usize]) -> Result<Resolved, UserError> {
        self.layers += 1;
        if self.layers > MAX_LAYERS {
            return Err(UserError::new(format!("With its repetitions this model has more than {MAX_LAYERS} layers."))
                .hint("Lower `times`, or remove layers."));
        }
        let (path, scope) = (self.path.clone(), self.scope.clone());
        // Inside, places are fields of this layer: `model[2].residual[0]`.
        self.path = format!("{path}.{}", layer.name());
        let inferred = layer.def().infer(self, input).map_err(|e| if e.path.is_some() { e.under(layer.name()) } else { e })?;
        let own = inferred.parameters.iter().map(|(_, shape, _)| elements(shape)).fold(0u64, u64::saturating_add);
        self.parameters = self.parameters.saturating_add(own);
        if self.parameters > MAX_PARAMETERS {
            let message = format!(
                "Up to here the model has {} weights, more than the {} a page can train.",
                thousands(self.parameters),
                thousands(MAX_PARAMETERS)
            );
            return Err(UserError::new(message).hint("Lower the outputs of this layer or of the one before it."));
        }
        let parameter =
            |(name, shape, draw): (&str, Vec<usize>, Draw)| ResolvedParameter { name: format!("{scope}.{name}"), shape, draw };
        Ok(Resolved {
            name: layer.name(),
            label: layer.label(),
            input: input.to_vec(),
            output: inferred.output,
            parameters: inferred.parameters.into_iter().map(parameter).collect(),
            flops: inferred.flops,
            branches: inferred.branches,
            path,
            scope,
        })
    }
}

fn join(scope: &str, i: usize) -> String {
    if scope.is_empty() { i.to_string() } else { format!("{scope}.{i}") }
}

/// Number of elements; saturates.
pub(crate) fn elements(shape: &[usize]) -> u64 {
    shape.iter().fold(1u64, |n, &d| n.saturating_mul(d as u64))
}

/// A shape as a person writes it: `16×7×7`.
pub(crate) fn times(shape: &[usize]) -> String {
    if shape.is_empty() {
        return "a single number".to_string();
    }
    shape.iter().map(ToString::to_string).collect::<Vec<_>>().join("×")
}

/// A large number as a person reads it: `12.3 million`.
pub(crate) fn thousands(n: u64) -> String {
    let n = n as f64;
    match n {
        n if n >= 1e12 => format!("{:.1} trillion", n / 1e12),
        n if n >= 1e9 => format!("{:.1} billion", n / 1e9),
        n if n >= 1e6 => format!("{:.1} million", n / 1e6),
        n => format!("{n}"),
    }
}
