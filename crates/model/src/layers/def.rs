//! What a layer is: the traits [`LayerDef`] and [`SimpleLayer`], the [`Port`]s between layers, the [`Resolver`] that gives every layer its
//! place, shapes and parameters before anything is allocated, and the [`Builder`] that layers add themselves to a graph with.
//!
//! Which layers there are is the registry's business (`layers/mod.rs`), what a program computes around them that of `build.rs`.

use downhill_data::spec;
use downhill_graph::{BinaryOp, FeedKind, Graph, OpError, ParamId, Parameter, StateId, StateTensor, Value};
use downhill_tensor::{Dtype, NameMap, Shape, TensorTy, UserError, apart};

use super::Layer;
use super::ablation::Ablation;
use super::init::Draw;
use super::scanned::Scanned;
use super::size::{Size, Word};
use crate::Training;
pub(crate) use crate::port::{Port, times};
use crate::registry::MAX_LAYERS;
use crate::signature::{Signature, Task};

/// Parameters of one model.
const MAX_PARAMETERS: u64 = 50_000_000;

/// What every layer can do. A layer with one input and one output implements [`SimpleLayer`] instead.
pub(crate) trait LayerDef {
    /// A few words for a card: `linear 8`.
    fn label(&self) -> String;

    /// What the ranges of the single fields cannot say.
    fn validate(&self) -> Result<(), UserError> {
        Ok(())
    }

    /// Output port, parameters and cost for these inputs: what comes before the layer, then what [`LayerDef::from`] names.
    ///
    /// # Errors
    /// When the layer does not take such inputs; the path starts at the layer's fields.
    fn infer(&self, cx: &mut Resolver<'_>, inputs: &[Port]) -> Result<Inferred, UserError>;

    /// Whether the page can build it from the start. The code of others is fetched when a model has one of them: see [`apart`].
    fn is_at_once(&self) -> bool {
        false
    }

    /// Adds the layer to a graph. Every input is `[batch, …shape of its port]`.
    fn build(&self, cx: &mut Builder, at: &Resolved, inputs: &[Value]) -> Result<Value, OpError>;

    /// The expression that makes its PyTorch module.
    fn torch(&self, at: &Resolved) -> String;

    /// The Python class that [`LayerDef::torch`] calls, where `torch.nn` has no module for the layer.
    fn torch_helper(&self) -> Option<&'static str> {
        None
    }

    /// The classes that [`LayerDef::torch_helper`] is made of. Where it is a special one of them, its name comes later in the alphabet, in whose order
    /// classes stand in a program.
    fn torch_parts(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether it takes whole numbers (tokens) as they are.
    fn takes_tokens(&self) -> bool {
        false
    }

    /// Whether it is a function of every single number that follows a layer with weights.
    fn is_activation(&self) -> bool {
        false
    }

    /// Whether it can be built for a position of a sequence alone, beside what it keeps of those before ([`Builder::next_place`]); of the layers
    /// inside each says so itself.
    fn is_stepwise(&self) -> bool {
        self.is_activation()
    }

    /// Whether it keeps all that it knows of its second input, so that for a position alone it need not be given it again.
    fn keeps_memory(&self) -> bool {
        false
    }

    /// Smallest and largest number that it gives, whatever its input; nothing where there is no bound.
    fn range(&self) -> Option<(f64, f64)> {
        None
    }

    /// The name of its second input, which a `name` layer before it gave.
    fn from(&self) -> Option<&str> {
        None
    }

    /// The layers inside, one list per branch.
    fn branches(&self) -> Vec<&[Layer]> {
        Vec::new()
    }
}

/// A layer with one input and one output and no layers inside, as most are.
pub(crate) trait SimpleLayer {
    /// See [`LayerDef::label`].
    fn label(&self) -> String;

    /// Output port, parameters and cost for an input like this.
    ///
    /// # Errors
    /// When the layer does not take such an input; the path starts at the layer's fields.
    fn infer(&self, cx: &mut Resolver<'_>, input: &Port) -> Result<Inferred, UserError>;

    /// See [`LayerDef::is_at_once`].
    const AT_ONCE: bool = false;

    /// Adds the layer to a graph. `x` is `[batch, …input shape]`.
    fn build(&self, cx: &mut Builder, at: &Resolved, x: Value) -> Result<Value, OpError>;

    /// See [`LayerDef::torch`].
    fn torch(&self, at: &Resolved) -> String;

    /// See [`LayerDef::torch_helper`].
    fn torch_helper(&self) -> Option<&'static str> {
        None
    }

    /// See [`LayerDef::takes_tokens`].
    fn takes_tokens(&self) -> bool {
        false
    }

    /// See [`LayerDef::is_activation`].
    fn is_activation(&self) -> bool {
        false
    }

    /// See [`LayerDef::is_stepwise`].
    fn is_stepwise(&self) -> bool {
        self.is_activation()
    }

    /// See [`LayerDef::range`].
    fn range(&self) -> Option<(f64, f64)> {
        None
    }
}

impl<T: SimpleLayer> LayerDef for T {
    fn label(&self) -> String {
        SimpleLayer::label(self)
    }

    fn infer(&self, cx: &mut Resolver<'_>, inputs: &[Port]) -> Result<Inferred, UserError> {
        SimpleLayer::infer(self, cx, first(inputs))
    }

    fn is_at_once(&self) -> bool {
        T::AT_ONCE
    }

    fn build(&self, cx: &mut Builder, at: &Resolved, inputs: &[Value]) -> Result<Value, OpError> {
        let mut build = || SimpleLayer::build(self, cx, at, *first(inputs));
        if T::AT_ONCE { build() } else { apart(build) }
    }

    fn torch(&self, at: &Resolved) -> String {
        SimpleLayer::torch(self, at)
    }

    fn torch_helper(&self) -> Option<&'static str> {
        SimpleLayer::torch_helper(self)
    }

    fn takes_tokens(&self) -> bool {
        SimpleLayer::takes_tokens(self)
    }

    fn is_activation(&self) -> bool {
        SimpleLayer::is_activation(self)
    }

    fn is_stepwise(&self) -> bool {
        SimpleLayer::is_stepwise(self)
    }

    fn range(&self) -> Option<(f64, f64)> {
        SimpleLayer::range(self)
    }
}

/// What comes before a layer: its first input.
pub(crate) fn first<T>(inputs: &[T]) -> &T {
    inputs.first().expect("every layer has something before it")
}

/// What a layer says about itself for given inputs.
#[derive(Debug)]
pub(crate) struct Inferred {
    /// What it gives.
    pub output: Port,
    /// With their names within the layer.
    pub parameters: Vec<ResolvedParameter>,
    /// Name within the layer and the rest of its buffers.
    pub buffers: Vec<(String, Buffer)>,
    /// Samples that a training step needs at least.
    pub least_batch: usize,
    /// Floating-point operations of the forward pass per sample.
    pub flops: u64,
    /// The layers inside.
    pub branches: Vec<Vec<Resolved>>,
    /// Key in the `state_dict` of the embedding's weight that is its weight, too.
    pub tied: Option<String>,
    /// Names of tensors on its way that can be looked at, as [`Builder::activations`] has them behind the layer's path and a dot.
    pub inner: Vec<String>,
    /// Heads of its attention; 0 where it has none.
    pub heads: usize,
}

impl Inferred {
    /// A layer that gives this, without parameters.
    pub fn new(output: Port) -> Self {
        Self {
            output,
            parameters: Vec::new(),
            buffers: Vec::new(),
            least_batch: 1,
            flops: 0,
            branches: Vec::new(),
            tied: None,
            inner: Vec::new(),
            heads: 0,
        }
    }

    /// A layer that gives numbers of this shape.
    pub fn numbers(shape: impl Into<Vec<usize>>) -> Self {
        Self::new(Port::numbers(shape))
    }

    /// Sets the cost.
    pub fn flops(mut self, flops: u64) -> Self {
        self.flops = flops;
        self
    }

    /// Adds a parameter.
    pub fn parameter(&mut self, name: impl Into<String>, shape: &[usize], draw: Draw) {
        self.parameters.push(ResolvedParameter { name: name.into(), shape: shape.to_vec(), draw, is_table: false });
    }

    /// Adds a parameter whose rows are looked up one by one.
    pub fn table(&mut self, name: impl Into<String>, shape: &[usize], draw: Draw) {
        self.parameters.push(ResolvedParameter { name: name.into(), shape: shape.to_vec(), draw, is_table: true });
    }

    /// Adds a tensor that goes on from step to step and is not trained; it begins with this value everywhere.
    pub fn buffer(&mut self, name: &'static str, shape: &[usize], value: f32) {
        self.add_buffer(name, shape, value, BufferKind::Statistic);
    }

    /// Adds a count of steps, which begins with 0.
    pub fn count(&mut self, name: &'static str) {
        self.add_buffer(name, &[], 0.0, BufferKind::Count);
    }

    /// Adds a state that a batch leaves to the next one, which begins with zeros.
    pub fn carried(&mut self, name: &str, shape: &[usize]) {
        self.add_buffer(name, shape, 0.0, BufferKind::Carried);
    }

    fn add_buffer(&mut self, name: &str, shape: &[usize], value: f32, kind: BufferKind) {
        self.buffers.push((name.to_string(), Buffer { name: String::new(), shape: shape.to_vec(), value, kind }));
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
    /// Whether its rows are looked up one by one, so that it is no matrix that vectors are multiplied by.
    pub is_table: bool,
}

/// A tensor of a layer that goes on from step to step and is not trained, such as a running mean: PyTorch's buffers.
#[derive(Clone, Debug, PartialEq)]
pub struct Buffer {
    /// Key in the `state_dict`.
    pub name: String,
    /// Shape.
    pub shape: Vec<usize>,
    /// What all of its elements are at the start.
    pub value: f32,
    /// What it holds.
    pub kind: BufferKind,
}

/// What a [`Buffer`] holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BufferKind {
    /// Something about the samples so far.
    Statistic,
    /// A count of steps: a whole number, int64 in PyTorch. The engine counts in f32, which is exact up to 2²⁴ and stays there.
    Count,
    /// What a batch leaves to the next, a row for each of its samples: a part of the run and not of the model, so no `state_dict` holds it.
    Carried,
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
    /// The field of the data that it goes on from, of an `input` layer.
    pub field: Option<String>,
    /// What it takes: what comes before it, then what it takes `from` elsewhere.
    pub inputs: Vec<Port>,
    /// What it gives.
    pub output: Port,
    /// Smallest and largest number that it gives, whatever its input.
    pub range: Option<(f64, f64)>,
    /// Its own parameters, without those of the layers inside.
    pub parameters: Vec<ResolvedParameter>,
    /// Key in the `state_dict` of the embedding's weight that is its weight, too.
    pub tied: Option<String>,
    /// Its own buffers, without those of the layers inside.
    pub buffers: Vec<Buffer>,
    /// Samples that a training step needs at least.
    pub least_batch: usize,
    /// Floating-point operations of its own forward pass per sample.
    pub flops: u64,
    /// The layers inside, one list per branch or repetition.
    pub branches: Vec<Vec<Resolved>>,
    /// Names of tensors on its way that can be looked at.
    pub inner: Vec<String>,
    /// Heads of its attention; 0 where it has none.
    pub heads: usize,
}

impl Resolved {
    /// What comes before it.
    pub(crate) fn input(&self) -> &Port {
        first(&self.inputs)
    }

    /// The layers of a branch.
    pub(crate) fn branch(&self, i: usize) -> &[Resolved] {
        self.branches.get(i).map_or(&[], Vec::as_slice)
    }

    /// Calls `visit` for the layers inside, then for this one.
    fn visit<'a>(&'a self, visit: &mut impl FnMut(&'a Resolved)) {
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

/// Gives every layer of a model its shapes; `batch` is how many samples a training step has.
///
/// # Errors
/// When a layer does not take what comes before it, or the model is too large; names the layer.
pub(crate) fn resolve(model: &[Layer], signature: &Signature, batch: usize) -> Result<Vec<Resolved>, UserError> {
    let first = signature.first();
    let mut cx = Resolver {
        signature,
        batch,
        path: "model".to_string(),
        scope: String::new(),
        layers: 0,
        parameters: 0,
        steps: 0,
        taken: Vec::new(),
        named: NameMap::default(),
        embeddings: Vec::new(),
    };
    if !matches!(model.first(), Some(Layer::Input(_))) {
        cx.taken.push(first.name.clone());
    }
    let layers = cx.list("", None, model, &first.port).map_err(|e| e.under("model"))?;
    match signature.inputs.iter().find(|input| !cx.taken.contains(&input.name)) {
        Some(unused) => {
            let name = &unused.name;
            let message = format!("The data has the input `{name}`, which the model never takes.");
            Err(UserError::at("model", message).hint(format!(
                "Add {{ \"input\": \"{name}\" }} where it goes in, and bring both together with `cat` or `add`."
            )))
        }
        None => Ok(layers),
    }
}

/// Where the walk through the layers stands.
pub(crate) struct Resolver<'a> {
    signature: &'a Signature,
    batch: usize,
    path: String,
    scope: String,
    layers: usize,
    parameters: u64,
    /// Steps in time that are a part of the program each.
    steps: usize,
    /// Inputs of the data that the model takes.
    taken: Vec<String>,
    /// What `name` layers named.
    named: NameMap<Port>,
    /// The embeddings so far.
    embeddings: Vec<Table>,
}

/// What a layer that shares the weight of an embedding has to know of it.
struct Table {
    /// Key of the weight in the `state_dict`.
    weight: String,
    /// Tokens and dimensions.
    shape: [usize; 2],
    /// Whether the vector of one token is always zero.
    pads: bool,
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
            (Size::Word(_), Task::Retrieval) => {
                let message =
                    "The data asks which document belongs to a query, so it has neither classes nor numbers to predict.";
                Err(UserError::new(message).hint("Write how many numbers the vectors of both have."))
            }
        }
    }

    /// Counts in so many steps in time that are a part of the program each, and gives how many the model has by now.
    pub fn unrolled(&mut self, steps: usize) -> usize {
        self.steps = self.steps.saturating_add(steps);
        self.steps
    }

    /// Rows of the states that a batch leaves to the next one; none where no batch goes on from another.
    pub fn carried_rows(&self) -> Option<usize> {
        self.signature.read_on.map(|_| self.batch)
    }

    /// The input of the data called `name`.
    pub fn input(&mut self, name: &str) -> Result<Port, UserError> {
        let inputs = &self.signature.inputs;
        if let Some(input) = inputs.iter().find(|input| input.name == name) {
            self.taken.push(name.to_string());
            return Ok(input.port.clone());
        }
        let names: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
        let near = spec::nearest(name, names.iter().copied()).unwrap_or_default();
        let all = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ");
        Err(UserError::new(format!("The data has no input `{}`.", spec::quote(name)))
            .hint(format!("Did you mean `{near}`? It has {all}.")))
    }

    /// Lets layers behind the present one share its parameter `name`, which has a vector for each of so many tokens; `pads` says whether one of these
    /// is always zero.
    pub fn share(&mut self, name: &str, shape: [usize; 2], pads: bool) {
        self.embeddings.push(Table { weight: format!("{}.{name}", self.scope), shape, pads });
    }

    /// The weight of the last embedding so far of so many tokens and dimensions: its key in the `state_dict`.
    pub fn embedding(&self, tokens: usize, dimensions: usize) -> Result<String, UserError> {
        if let Some(table) = self.embeddings.iter().rev().find(|table| table.shape == [tokens, dimensions]) {
            if table.pads {
                let message =
                    "The embedding keeps the vector of one token at zero, so that as an output this token could not be told.";
                return Err(UserError::new(message).hint("Take `padding_idx` out of the embedding, or set `tied` to false."));
            }
            return Ok(table.weight.clone());
        }
        let wanted = format!("This layer shares the weight of an embedding of {tokens} tokens and {dimensions} dimensions");
        Err(match self.embeddings.last() {
            None => UserError::new(format!("{wanted}, but there is none before it.")).hint("Set `tied` to false."),
            Some(Table { shape, .. }) => {
                let [tokens, dimensions] = shape;
                let message = format!("{wanted}; the last one before it has {tokens} tokens and {dimensions} dimensions.");
                UserError::new(message)
                    .hint("Let its outputs be the tokens and its inputs the embedding's dimensions, or set `tied` to false.")
            }
        })
    }

    /// Names what stands here.
    pub fn define(&mut self, name: &str, port: &Port) -> Result<(), UserError> {
        if self.named.insert(name.to_string(), port.clone()).is_none() {
            return Ok(());
        }
        Err(UserError::new(format!("The name `{name}` is taken by a layer before this one."))
            .hint("Choose another; inside `repeat` every repetition would take the same, so name things outside of it."))
    }

    /// What was named so.
    fn named(&self, name: &str) -> Result<Port, UserError> {
        self.named.get(name).cloned().ok_or_else(|| {
            let error = UserError::at("from", format!("Nothing before this is called `{}`.", spec::quote(name)));
            match spec::nearest(name, self.named.names()) {
                Some(near) => error.hint(format!("Did you mean `{near}`?")),
                None => error.hint(format!("Write {{ \"name\": \"{name}\" }} where it stands.")),
            }
        })
    }

    /// Resolves layers inside the present one. `field` is where the list stands in it; `branch` its place among several lists.
    pub fn list(
        &mut self,
        field: &str,
        branch: Option<usize>,
        layers: &[Layer],
        input: &Port,
    ) -> Result<Vec<Resolved>, UserError> {
        let (path, scope) = (self.path.clone(), self.scope.clone());
        let dot = if field.is_empty() || field.starts_with('[') { "" } else { "." };
        let again = branch.filter(|&i| i > 0 && !dot.is_empty()).map(|i| format!("#{}", i + 1)).unwrap_or_default();
        let list_path = format!("{path}{dot}{field}{again}");
        let list_scope = branch.map_or(scope.clone(), |i| join(&scope, i));
        let mut input = input.clone();
        let mut resolved = Vec::with_capacity(layers.len());
        for (i, layer) in layers.iter().enumerate() {
            self.path = format!("{list_path}[{i}]");
            self.scope = join(&list_scope, i);
            let layer = self.layer(layer, input).map_err(|e| e.under(&format!("[{i}]")).under(field))?;
            input = layer.output.clone();
            resolved.push(layer);
        }
        (self.path, self.scope) = (path, scope);
        Ok(resolved)
    }

    fn layer(&mut self, layer: &Layer, input: Port) -> Result<Resolved, UserError> {
        self.layers += 1;
        if self.layers > MAX_LAYERS {
            return Err(UserError::new(format!("With its repetitions this model has more than {MAX_LAYERS} layers."))
                .hint("Lower `times`, or remove layers."));
        }
        let (path, scope) = (self.path.clone(), self.scope.clone());
        // Inside, places are fields of this layer: `model[2].residual[0]`.
        self.path = format!("{path}.{}", layer.name());
        let (inputs, inferred) =
            self.inferred(layer, input).map_err(|e| if e.path.is_some() { e.under(layer.name()) } else { e })?;
        let own = inferred.parameters.iter().map(|p| elements(&p.shape)).fold(0u64, u64::saturating_add);
        self.parameters = self.parameters.saturating_add(own);
        if self.parameters > MAX_PARAMETERS {
            let message = format!(
                "Up to here the model has {} weights, more than the {} a page can train.",
                thousands(self.parameters),
                thousands(MAX_PARAMETERS)
            );
            return Err(UserError::new(message).hint("Lower the outputs of this layer or of the one before it."));
        }
        let parameter = |p: ResolvedParameter| ResolvedParameter { name: format!("{scope}.{}", p.name), ..p };
        let buffer = |(name, buffer): (String, Buffer)| Buffer { name: format!("{scope}.{name}"), ..buffer };
        Ok(Resolved {
            name: layer.name(),
            label: layer.label(),
            field: if let Layer::Input(input) = layer { Some(input.name.clone()) } else { None },
            inputs,
            output: inferred.output,
            range: layer.def().range(),
            parameters: inferred.parameters.into_iter().map(parameter).collect(),
            tied: inferred.tied,
            buffers: inferred.buffers.into_iter().map(buffer).collect(),
            least_batch: inferred.least_batch,
            flops: inferred.flops,
            branches: inferred.branches,
            inner: inferred.inner,
            heads: inferred.heads,
            path,
            scope,
        })
    }

    fn inferred(&mut self, layer: &Layer, input: Port) -> Result<(Vec<Port>, Inferred), UserError> {
        let mut inputs = vec![input];
        if let Some(name) = layer.def().from() {
            inputs.push(self.named(name)?);
        }
        if let Some(tokens) = inputs.iter().find(|port| port.dtype == Dtype::U32).filter(|_| !layer.def().takes_tokens()) {
            let message = format!("{} computes with numbers, but gets {tokens}.", layer.name());
            return Err(UserError::new(message).hint("Insert `embedding` before it."));
        }
        let inferred = layer.def().infer(self, &inputs)?;
        Ok((inputs, inferred))
    }
}

fn join(scope: &str, i: usize) -> String {
    if scope.is_empty() { i.to_string() } else { format!("{scope}.{i}") }
}

/// Number of elements; saturates.
pub(crate) fn elements(shape: &[usize]) -> u64 {
    shape.iter().fold(1u64, |n, &d| n.saturating_mul(d as u64))
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

/// The PyTorch modules of a list of layers, separated by commas.
pub(crate) fn torch_list(layers: &[Layer], at: &[Resolved]) -> String {
    layers.iter().zip(at).map(|(layer, at)| layer.def().torch(at)).collect::<Vec<_>>().join(", ")
}

/// Begin of the names of resident feeds that hold 0, 1, 2, … as numbers: `positions.24` holds 24 of them.
pub const POSITIONS: &str = "positions.";

/// In what a program differs from others of the same layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mode {
    /// It computes as a training step does: dropouts drop, and statistics are those of the batch.
    pub noise: bool,
    /// Running statistics move. A look at the next step has `noise` and leaves them as they are.
    pub moves: bool,
    /// The optimizer's slot with the averages of the weights, where the program takes those in their place.
    pub averages: Option<u8>,
    /// What the states of recurrent layers begin with.
    pub begins: Begins,
    /// What of a sequence it is given.
    pub given: Given,
}

/// What the states of recurrent layers begin with in a program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Begins {
    /// Zeros, in every row.
    #[default]
    Zero,
    /// What the batch before left.
    Carried,
    /// So many rows follow each other: the first of them begins with zeros, every other with what the row before it left.
    Joined(usize),
}

/// What of a sequence a program is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Given {
    /// All of it.
    #[default]
    All,
    /// All of it, and it gives what the program for the next position is to know of it.
    AndKept,
    /// The next position alone, beside what was kept of those before.
    Next,
}

/// Begin of the names of what layers keep of the positions so far: outputs, and feeds of the program for the next position.
pub const CACHE: &str = "cache.";
/// The feeds with the place of the next position, as a number and as an index.
pub const PLACE: [&str; 2] = ["next.place", "next.index"];

/// The place of the next position.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    /// As a number, `[1]`.
    pub number: Value,
    /// As an index, u32 `[1]`.
    pub index: Value,
}

/// The state with the mean loss of the micro batches of a step so far, behind those of all layers. It means something only within a step, so it is
/// in no file.
const LOSS_SO_FAR: &str = "loss_so_far";

/// Groups of parameters: those that decay,
const DECAYING: u32 = 0;
/// those that do not,
pub(crate) const NOT_DECAYING: u32 = 1;
/// matrices, where the optimizer has a rule of its own for them,
pub(crate) const MATRICES: u32 = 2;
/// and those that keep their values.
pub(crate) const FROZEN: u32 = 3;

/// A graph in the making, with what layers need to add themselves.
pub(crate) struct Builder {
    pub graph: Graph,
    mode: Mode,
    /// Next number that tells apart the dropouts.
    salt: u32,
    /// What every layer gave, by path.
    pub activations: Vec<(String, Value)>,
    /// What attention leaves out.
    pub ablation: Option<Ablation>,
    /// Recurrent cells, in the order in which they were added.
    pub scans: Vec<(String, Scanned)>,
    /// What layers keep of the positions so far, by the names of the feeds where it is kept: `[1, positions, numbers]`.
    pub kept: Vec<(String, Value)>,
    /// Parameters in use, by [`ParamId`].
    values: Vec<Option<Value>>,
    /// Number of each parameter, by name.
    numbers: NameMap<usize>,
    /// What each state is after this step, by [`StateId`], as far as layers have said.
    next: Vec<Option<Value>>,
    /// Number of each state, by name.
    states: NameMap<usize>,
    /// Fields of the data, for the samples of this program.
    fields: NameMap<Value>,
    /// What `name` layers named.
    named: NameMap<Value>,
}

impl Builder {
    /// A graph that declares the parameters and the states of `model`, and where steps accumulate one more state, the loss so far. In groups of
    /// their own are those of layers that keep their weights, without `decay_all` parameters of one dimension, and what `is_matrix`.
    pub fn new(model: &[Resolved], mode: Mode, training: &Training, is_matrix: &dyn Fn(&str) -> bool) -> Self {
        let mut graph = Graph::new();
        let mut states = NameMap::default();
        for layer in flat(model) {
            for parameter in &layer.parameters {
                let shape = Shape::from(parameter.shape.as_slice());
                let group = match shape.rank() {
                    _ if training.freezes(&layer.path) => FROZEN,
                    2 if is_matrix(&parameter.name) => MATRICES,
                    0 | 1 if !training.decay_all => NOT_DECAYING,
                    _ => DECAYING,
                };
                graph.declare_parameter(Parameter { name: parameter.name.clone(), shape, group });
            }
            for buffer in &layer.buffers {
                let shape = Shape::from(buffer.shape.as_slice());
                let id = graph.declare_state(StateTensor { name: buffer.name.clone(), shape });
                states.insert(buffer.name.clone(), id.index());
            }
        }
        if training.accumulate > 1 {
            graph.declare_state(StateTensor { name: LOSS_SO_FAR.to_string(), shape: Shape::scalar() });
        }
        let next = vec![None; graph.states().len()];
        let values = vec![None; graph.parameters().len()];
        let numbers = graph.parameters().iter().enumerate().map(|(i, p)| (p.name.clone(), i)).collect();
        let (fields, named) = (NameMap::default(), NameMap::default());
        let (activations, scans, kept) = (Vec::new(), Vec::new(), Vec::new());
        Self { graph, mode, salt: 0, activations, ablation: None, scans, kept, values, numbers, next, states, fields, named }
    }

    /// In what the program differs from others.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Gives layers a field of the data: `[batch, …shape of a sample]`.
    pub fn add_field(&mut self, name: &str, value: Value) {
        self.fields.insert(name.to_string(), value);
    }

    /// A field of the data: an input, or the lengths of one (as numbers, `[batch, 1]`).
    pub fn field(&self, name: &str) -> Result<Value, OpError> {
        self.fields.get(name).copied().ok_or_else(|| OpError::new("field", format!("{name} is not given")))
    }

    /// Names what stands here.
    pub fn define(&mut self, name: &str, value: Value) {
        self.named.insert(name.to_string(), value);
    }

    /// The numbers 0, 1, 2, … of so many steps, `[steps]`. Whoever runs the program fills the feed, see [`POSITIONS`].
    pub fn positions(&mut self, steps: usize) -> Result<Value, OpError> {
        let name = format!("{POSITIONS}{steps}");
        if let Some(value) = self.fields.get(&name) {
            return Ok(*value);
        }
        let value = self.graph.new_feed(name.clone(), TensorTy::f32([steps]), FeedKind::Resident)?;
        self.fields.insert(name, value);
        Ok(value)
    }

    /// In the program for the next position its place.
    pub fn next_place(&mut self) -> Result<Option<Place>, OpError> {
        if self.mode.given != Given::Next {
            return Ok(None);
        }
        let tys = [TensorTy::f32([1]), TensorTy::u32([1])];
        for (name, ty) in PLACE.into_iter().zip(tys) {
            if self.fields.get(name).is_none() {
                let value = self.graph.new_feed(name, ty, FeedKind::Resident)?;
                self.fields.insert(name.to_string(), value);
            }
        }
        Ok(Some(Place { number: self.field(PLACE[0])?, index: self.field(PLACE[1])? }))
    }

    /// Keeps what a layer knows of every position, `[1, positions, numbers]`, for the program of the next one.
    pub fn keep(
        &mut self,
        at: &Resolved,
        name: &str,
        make: impl FnOnce(&mut Self) -> Result<Value, OpError>,
    ) -> Result<(), OpError> {
        if self.mode.given != Given::All {
            let value = make(self)?;
            self.kept.push((format!("{CACHE}{}.{name}", at.path), value));
        }
        Ok(())
    }

    /// What was kept of so many positions before the next one, `[positions, numbers]`; of a state, which takes the place of the one before, one.
    pub fn kept_before(&mut self, at: &Resolved, name: &str, shape: [usize; 2]) -> Result<Value, OpError> {
        self.graph.new_feed(format!("{CACHE}{}.{name}", at.path), TensorTy::f32(shape), FeedKind::Resident)
    }

    /// What is known of all positions, `[1, positions, numbers]`, with what there is of the next one, `[1, 1, numbers]`, at its place.
    pub fn with_next(&mut self, at: &Resolved, name: &str, place: Place, next: Value) -> Result<Value, OpError> {
        let positions = at.input().shape.first().copied().unwrap_or_default();
        let numbers = self.graph.shape(next).last().copied().unwrap_or_default();
        self.keep(at, name, |_| Ok(next))?;
        let before = self.kept_before(at, name, [positions, numbers])?;
        let places = self.positions(positions)?;
        let here = self.graph.binary(BinaryOp::Eq, places, place.number)?;
        let here = self.graph.reshape(here, [positions, 1])?;
        let next = self.graph.reshape(next, [1, numbers])?;
        let all = self.graph.select(here, next, before)?;
        self.graph.reshape(all, [1, positions, numbers])
    }

    /// `x` as `[rows, …shape]`.
    pub fn reshape(&mut self, x: Value, rows: usize, shape: &[usize]) -> Result<Value, OpError> {
        let shape: Shape = std::iter::once(rows).chain(shape.iter().copied()).collect();
        if *self.graph.shape(x) == shape { Ok(x) } else { self.graph.reshape(x, shape) }
    }

    /// Dropout where the program computes as a training step does; elsewhere nothing. Every call counts, so that a dropout keeps its random numbers in
    /// all programs.
    pub fn dropout(&mut self, p: f64, x: Value) -> Result<Value, OpError> {
        self.salt += 1;
        if self.mode.noise && p > 0.0 { self.graph.dropout(x, p as f32, self.salt) } else { Ok(x) }
    }

    /// The number of the parameter of this name.
    pub fn number(&self, name: &str) -> Option<usize> {
        self.numbers.get(name).copied()
    }

    /// The value of a layer's parameter.
    pub fn parameter(&mut self, at: &Resolved, name: &str) -> Result<Value, OpError> {
        self.parameter_of(&format!("{}.{name}", at.scope))
    }

    /// The value of the parameter of any layer, by its key in the `state_dict`.
    pub fn parameter_of(&mut self, name: &str) -> Result<Value, OpError> {
        self.parameter_at(self.number(name).ok_or_else(|| OpError::new("parameter", format!("{name} was not declared")))?)
    }

    /// The number of the state of a layer's buffer.
    fn state(&self, at: &Resolved, name: &str) -> Result<usize, OpError> {
        let full = format!("{}.{name}", at.scope);
        self.states.get(&full).copied().ok_or_else(|| OpError::new("state", format!("{full} was not declared")))
    }

    /// The value of a layer's buffer, as it was before this step.
    pub fn buffer(&mut self, at: &Resolved, name: &str) -> Result<Value, OpError> {
        let i = self.state(at, name)?;
        self.graph.state(StateId(i as u32))
    }

    /// Says what a layer's buffer is after this step.
    pub fn move_buffer(&mut self, at: &Resolved, name: &str, next: Value) -> Result<(), OpError> {
        let i = self.state(at, name)?;
        if let Some(slot) = self.next.get_mut(i) {
            *slot = Some(next);
        }
        Ok(())
    }

    /// The mean loss of the micro batches of this step that came before.
    pub fn loss_so_far(&mut self) -> Result<Value, OpError> {
        self.graph.state(StateId(self.next.len().saturating_sub(1) as u32))
    }

    /// Says what the mean loss is after this micro batch.
    pub fn move_loss(&mut self, next: Value) {
        if let Some(slot) = self.next.last_mut() {
            *slot = Some(next);
        }
    }

    /// Gives the buffers of all layers what these said; where there are none, nothing. It belongs behind the update, which finds out whether
    /// the step counts.
    pub fn assign(&mut self) -> Result<(), OpError> {
        let next: Option<Vec<Value>> = self.next.iter().copied().collect();
        let next = next.ok_or_else(|| OpError::new("assign", "a layer does not say what its buffers become"))?;
        if next.is_empty() { Ok(()) } else { self.graph.assign(&next).map(|_| ()) }
    }

    /// The value of the parameter that was declared as number `i`, or the average of its values.
    pub fn parameter_at(&mut self, i: usize) -> Result<Value, OpError> {
        if let Some(Some(value)) = self.values.get(i) {
            return Ok(*value);
        }
        let id = ParamId(i as u32);
        let value = match self.mode.averages {
            Some(slot) => self.graph.slot(slot, id)?,
            None => self.graph.parameter(id)?,
        };
        if let Some(slot) = self.values.get_mut(i) {
            *slot = Some(value);
        }
        Ok(value)
    }

    /// The values of all parameters, in the order in which they were declared.
    pub fn all_parameters(&mut self) -> Result<Vec<Value>, OpError> {
        (0..self.values.len()).map(|i| self.parameter_at(i)).collect()
    }

    /// Adds layers one after the other, each in its scope, and remembers what they give.
    pub fn list(&mut self, layers: &[Layer], at: &[Resolved], x: Value) -> Result<Value, OpError> {
        layers.iter().zip(at).try_fold(x, |x, (layer, at)| {
            let outer = self.graph.enter_scope(&at.scope);
            let mut inputs = vec![x];
            if let Some(name) = layer.def().from() {
                match self.named.get(name) {
                    Some(named) => inputs.push(*named),
                    // What was read before anything is written does not run again: the layer kept what it knows of it.
                    None if self.mode.given == Given::Next => {}
                    None => return Err(OpError::new("from", format!("{name} is not named"))),
                }
            }
            let y = layer.def().build(self, at, &inputs)?;
            self.graph.set_scope(outer);
            self.activations.push((at.path.clone(), y));
            Ok(y)
        })
    }
}
