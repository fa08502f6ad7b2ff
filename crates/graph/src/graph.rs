//! The graph itself: nodes over typed values, with parameters, states, feeds, scopes and named outputs. It knows no op: what a node computes is a
//! parameter of the type, and [`crate::Graph`] is the graph of the ops in `ops/`.

use std::fmt;

use downhill_tensor::{Shape, TensorTy};
use smallvec::{SmallVec, smallvec};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u32);

        impl $name {
            /// As an index.
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

id!(
    /// A node of a [`Graph`].
    NodeId,
    "%"
);
id!(
    /// A trainable tensor, an index into [`Graph::parameters`].
    ParamId,
    "p"
);
id!(
    /// A tensor that goes on from step to step without being trained, an index into [`Graph::states`].
    StateId,
    "state"
);
id!(
    /// A tensor that the host supplies, an index into [`Graph::feeds`].
    FeedId,
    "feed"
);
id!(
    /// A named part of the model (`2.attn`), an index into the graph's scopes.
    ScopeId,
    "scope"
);

/// One output of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Value {
    /// The node.
    pub node: NodeId,
    /// Which of its outputs.
    pub slot: u8,
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.slot == 0 { write!(f, "{}", self.node) } else { write!(f, "{}.{}", self.node, self.slot) }
    }
}

/// A value for each output of a node.
pub type Outputs = SmallVec<[Value; 2]>;

/// Why a node exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The model's own computation.
    Forward,
    /// Part of the way back through the node of this forward value.
    Grad(Value),
    /// Part of updating the parameters or of recording metrics.
    Update,
}

/// What a graph asks of the ops that its nodes hold.
pub trait NodeOp: Sized {
    /// Types of the outputs from the types of the inputs. `graph` holds the declarations of parameters and feeds.
    ///
    /// # Errors
    /// When the inputs do not fit.
    fn infer(&self, inputs: &[&TensorTy], graph: &Graph<Self>) -> Result<SmallVec<[TensorTy; 1]>, OpError>;

    /// NaN, shape `[]`: takes the place of a node that a gradient rule or a decomposition should not have built.
    fn stand_in() -> Self;
}

/// An op applied to values. Attributes live in the op, inputs here: generic passes need no match over ops.
#[derive(Clone, Debug, PartialEq)]
pub struct Node<O> {
    /// What is computed.
    pub op: O,
    /// From what; always earlier nodes.
    pub inputs: SmallVec<[Value; 4]>,
    /// Types of the outputs.
    pub outputs: SmallVec<[TensorTy; 1]>,
    /// The part of the model it belongs to.
    pub scope: ScopeId,
    /// Why it exists.
    pub origin: Origin,
}

/// A trainable tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Key in the `state_dict` of the exported PyTorch module (`0.weight`).
    pub name: String,
    /// Its shape, PyTorch's layout.
    pub shape: Shape,
    /// Index of its (rate, decay) group; the state layout keeps a group together.
    pub group: u32,
}

/// A tensor that goes on from step to step and is not trained, such as a running mean. Programs read it; one that trains gives it its next
/// value with [`crate::ops::Assign`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateTensor {
    /// Key in the `state_dict` of the exported PyTorch module (`1.running_mean`).
    pub name: String,
    /// Its shape.
    pub shape: Shape,
}

/// How often the host supplies a [`Feed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FeedKind {
    /// Once; stays until replaced (a data set, a grid).
    Resident,
    /// For every step; several steps wait in a ring, [`crate::StepScalars::batch`] names the row.
    PerStep,
}

/// A tensor that the host supplies. Two programs that declare the same name and type share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// Name, unique among feeds: `train.x`, `train.indices`, `probe.x`.
    pub name: String,
    /// Type of what one step sees.
    pub ty: TensorTy,
    /// How often it changes.
    pub kind: FeedKind,
}

/// Why an op cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{op}: {message}")]
pub struct OpError {
    /// Name of the op.
    pub op: &'static str,
    /// What does not fit, with the shapes.
    pub message: String,
}

impl OpError {
    /// An error of `op`.
    pub fn new(op: &'static str, message: impl Into<String>) -> Self {
        Self { op, message: message.into() }
    }
}

/// A program over typed values: nodes in an order in which inputs come first.
#[derive(Clone, Debug, PartialEq)]
pub struct Graph<O> {
    nodes: Vec<Node<O>>,
    parameters: Vec<Parameter>,
    states: Vec<StateTensor>,
    feeds: Vec<Feed>,
    scopes: Vec<String>,
    /// Indices into `scopes`, sorted by name: a network has a scope for every layer.
    scopes_by_name: Vec<u32>,
    outputs: Vec<(String, Value)>,
    scope: ScopeId,
    origin: Origin,
    fault: Option<OpError>,
}

impl<O> Default for Graph<O> {
    fn default() -> Self {
        Self {
            nodes: Vec::new(),
            parameters: Vec::new(),
            states: Vec::new(),
            feeds: Vec::new(),
            scopes: vec![String::new()],
            scopes_by_name: vec![0],
            outputs: Vec::new(),
            scope: ScopeId(0),
            origin: Origin::Forward,
            fault: None,
        }
    }
}

impl<O: NodeOp> Graph<O> {
    /// An empty graph.
    pub fn new() -> Self {
        Self::default()
    }

    /// Applies `op` to `inputs`, checking types, and returns the node.
    ///
    /// # Errors
    /// When the op's shape rule refuses the inputs.
    pub fn add(&mut self, op: O, inputs: &[Value]) -> Result<NodeId, OpError> {
        let outputs = {
            let types: SmallVec<[&TensorTy; 4]> = inputs.iter().map(|v| self.ty(*v)).collect();
            op.infer(&types, self)?
        };
        let id = NodeId(self.nodes.len() as u32);
        self.nodes.push(Node { op, inputs: SmallVec::from_slice(inputs), outputs, scope: self.scope, origin: self.origin });
        Ok(id)
    }

    /// Applies `op` and returns its first output.
    ///
    /// # Errors
    /// As [`Graph::add`].
    pub fn apply(&mut self, op: impl Into<O>, inputs: &[Value]) -> Result<Value, OpError> {
        Ok(Value { node: self.add(op.into(), inputs)?, slot: 0 })
    }

    /// Applies an op inside a gradient rule or a decomposition, where the inputs should fit. Where they do not, the rule is wrong: the graph
    /// keeps that for [`Graph::take_fault`], and the rule goes on with a number in the node's place, so that rules need no `?` at every
    /// step.
    pub(crate) fn typed(&mut self, op: impl Into<O>, inputs: &[Value]) -> Value {
        match self.apply(op, inputs) {
            Ok(value) => value,
            Err(error) => {
                self.fault.get_or_insert(error);
                let outputs = smallvec![TensorTy::f32(Shape::scalar())];
                let (scope, origin) = (self.scope, self.origin);
                self.nodes.push(Node { op: O::stand_in(), inputs: SmallVec::new(), outputs, scope, origin });
                Value { node: NodeId(self.nodes.len() as u32 - 1), slot: 0 }
            }
        }
    }

    /// What a gradient rule or a decomposition did wrong first since the last time, told as an error of `op`, whose rule it is.
    ///
    /// # Errors
    /// When there is such a fault: a bug of the op.
    pub fn take_fault(&mut self, op: &'static str) -> Result<(), OpError> {
        match self.fault.take() {
            Some(fault) => Err(OpError::new(op, format!("its rule builds a node that is refused ({fault})"))),
            None => Ok(()),
        }
    }

    /// Declares a parameter; its value comes from [`crate::ops::ParameterOp`].
    pub fn declare_parameter(&mut self, parameter: Parameter) -> ParamId {
        self.parameters.push(parameter);
        ParamId(self.parameters.len() as u32 - 1)
    }

    /// Declares a state; its value comes from [`crate::ops::StateOp`].
    pub fn declare_state(&mut self, state: StateTensor) -> StateId {
        self.states.push(state);
        StateId(self.states.len() as u32 - 1)
    }

    /// Declares a feed, or finds the one of that name.
    pub fn declare_feed(&mut self, feed: Feed) -> FeedId {
        if let Some(i) = self.feeds.iter().position(|f| f.name == feed.name) {
            assert!(self.feeds[i] == feed, "feed {} declared twice with different types", feed.name);
            return FeedId(i as u32);
        }
        self.feeds.push(feed);
        FeedId(self.feeds.len() as u32 - 1)
    }

    /// Nodes that are added from now on belong to the scope of this name; returns the scope before.
    pub fn enter_scope(&mut self, name: &str) -> ScopeId {
        let before = self.scope;
        let i = match self.scopes_by_name.binary_search_by(|&i| self.scopes[i as usize].as_str().cmp(name)) {
            Ok(at) => self.scopes_by_name[at],
            Err(at) => {
                let i = self.scopes.len() as u32;
                self.scopes.push(name.to_string());
                self.scopes_by_name.insert(at, i);
                i
            }
        };
        self.scope = ScopeId(i);
        before
    }

    /// The scope of nodes that are added now.
    pub fn scope(&self) -> ScopeId {
        self.scope
    }

    /// Nodes that are added from now on belong to this scope.
    pub fn set_scope(&mut self, scope: ScopeId) {
        self.scope = scope;
    }

    /// Nodes that are added from now on have this origin; returns the one before.
    pub fn set_origin(&mut self, origin: Origin) -> Origin {
        std::mem::replace(&mut self.origin, origin)
    }

    /// Keeps `value` readable under `name` after the program has run.
    pub fn output(&mut self, name: impl Into<String>, value: Value) {
        self.outputs.push((name.into(), value));
    }

    /// Type of a value.
    pub fn ty(&self, value: Value) -> &TensorTy {
        &self.nodes[value.node.index()].outputs[usize::from(value.slot)]
    }

    /// Shape of a value.
    pub fn shape(&self, value: Value) -> &Shape {
        &self.ty(value).shape
    }

    /// A node.
    pub fn node(&self, id: NodeId) -> &Node<O> {
        &self.nodes[id.index()]
    }

    /// All nodes with their ids, inputs before users.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = (NodeId, &Node<O>)> + ExactSizeIterator {
        self.nodes.iter().enumerate().map(|(i, n)| (NodeId(i as u32), n))
    }

    /// The outputs of a node.
    pub fn outputs_of(&self, node: NodeId) -> Outputs {
        (0..self.node(node).outputs.len() as u8).map(|slot| Value { node, slot }).collect()
    }

    /// Number of nodes.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are no nodes.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Declared parameters.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// Declared states.
    pub fn states(&self) -> &[StateTensor] {
        &self.states
    }

    /// Declared feeds.
    pub fn feeds(&self) -> &[Feed] {
        &self.feeds
    }

    /// Named outputs in the order they were declared.
    pub fn outputs(&self) -> &[(String, Value)] {
        &self.outputs
    }

    /// Name of a scope.
    pub fn scope_name(&self, scope: ScopeId) -> &str {
        &self.scopes[scope.index()]
    }

    /// A graph with the same declarations and scopes and no nodes or outputs: passes rebuild into it.
    pub fn same_declarations(&self) -> Self {
        Self {
            nodes: Vec::new(),
            parameters: self.parameters.clone(),
            states: self.states.clone(),
            feeds: self.feeds.clone(),
            scopes: self.scopes.clone(),
            scopes_by_name: self.scopes_by_name.clone(),
            outputs: Vec::new(),
            scope: ScopeId(0),
            origin: Origin::Forward,
            fault: None,
        }
    }
}
