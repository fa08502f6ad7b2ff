//! How parameters are drawn at the start: the registry of initialisers.

use super::initialisers;
use super::initialisers::TorchDefault;
use crate::registry::{nested_choice, registry};

/// How the elements of a parameter are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Draw {
    /// All the same.
    Constant(f64),
    /// Evenly from `[-bound, bound)`.
    Uniform(f64),
    /// Normal with this standard deviation.
    Normal(f64),
    /// A matrix whose rows (or columns, where there are fewer) are orthogonal and of this length.
    Orthogonal(f64),
    /// Normal with this standard deviation, but zero from one element up to another.
    NormalAround {
        /// Standard deviation.
        std: f64,
        /// The first element that is zero, and the first after it that is not.
        zeros: (usize, usize),
    },
    /// Evenly from `[-bound, bound)`, but a given number from one element up to another.
    UniformAround {
        /// Bound.
        bound: f64,
        /// The first element that is given, and the first after it that is not.
        fixed: (usize, usize),
        /// What is given.
        value: f64,
    },
}

/// What every initialiser can do.
pub(crate) trait InitDef {
    /// Elements of a weight `[out, in]`.
    fn weight(&self, fan_in: f64, fan_out: f64) -> Draw;

    /// Elements of a bias; zero unless PyTorch's own rule is asked for.
    fn bias(&self, _fan_in: f64) -> Draw {
        Draw::Constant(0.0)
    }

    /// What the ranges of the single fields cannot say.
    fn validate(&self) -> Result<(), downhill_tensor::UserError> {
        Ok(())
    }
}

registry! {
    /// How a layer's weights are drawn at the start.
    "initialiser" at "/$defs/layer/anyOf/1/properties/linear/properties/init/anyOf/1/properties"
    Init: InitDef {
        "default" => initialisers::TorchDefault,
        "xavier_uniform" => initialisers::XavierUniform,
        "xavier_normal" => initialisers::XavierNormal,
        "kaiming_uniform" => initialisers::KaimingUniform,
        "kaiming_normal" => initialisers::KaimingNormal,
        "normal" => initialisers::Normal,
        "uniform" => initialisers::Uniform,
        "orthogonal" => initialisers::Orthogonal,
        "zeros" => initialisers::Zeros,
    }
}

nested_choice!(Init, "Initial weights", "How the weights are drawn at the start.");

impl Default for Init {
    fn default() -> Self {
        Init::TorchDefault(TorchDefault {})
    }
}

impl Init {
    /// Elements of a weight `[fan_out, fan_in]`.
    pub fn weight(&self, fan_in: usize, fan_out: usize) -> Draw {
        self.def().weight(fan_in.max(1) as f64, fan_out.max(1) as f64)
    }

    /// Elements of the bias that goes with it.
    pub fn bias(&self, fan_in: usize) -> Draw {
        self.def().bias(fan_in.max(1) as f64)
    }
}
