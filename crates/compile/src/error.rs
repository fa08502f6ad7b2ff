//! Why a graph cannot be compiled.

use downhill_graph::NodeId;

/// Why a graph cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// A node that no kernel can run at this size.
    #[error("{op} ({node}): {message}")]
    Unsupported {
        /// The node.
        node: NodeId,
        /// Name of its op.
        op: &'static str,
        /// What is the matter, with the shapes.
        message: String,
    },
    /// The graph's parameters or feeds are not those of the state layout.
    #[error("the state layout does not fit the graph: {0}")]
    Layout(String),
    /// The program needs more memory than an arena can have.
    #[error("the program needs {elements} elements, more than an arena can hold")]
    TooLarge {
        /// Elements needed.
        elements: u64,
    },
    /// A pass broke a rule that its verifier knows: a bug in this crate.
    #[error("after {pass}: {message}")]
    Broken {
        /// The pass that ran last.
        pass: &'static str,
        /// The rule and where it is broken.
        message: String,
    },
}
