//! Elementwise activations, named as PyTorch's functions: each is an op of the graph, its PyTorch module and, where there is one, the range
//! of its values. What the op computes is the graph's business.

use downhill_graph::{ComposedOp, OpError, UnaryOp, Value};
use downhill_tensor::UserError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::def::{Builder, Inferred, Port, Resolved, Resolver, SimpleLayer, elements};
use crate::registry::fields;

/// Puts the activations into the registry of layers, in the place of `[activations]`.
macro_rules! activations {
    ($registry:ident! {
        $(#[$meta:meta])*
        $kind:literal at $place:literal
        $enum:ident: $def:ident {
            $($before:literal => $before_in:ident::$before_type:ident,)*
            [activations]
            $($after:literal => $after_in:ident::$after_type:ident,)*
        }
    }) => {
        $registry! {
            $(#[$meta])*
            $kind at $place
            $enum: $def {
                $($before => $before_in::$before_type,)*
                "relu" => activation::Relu,
                "leaky_relu" => activation::LeakyRelu,
                "elu" => activation::Elu,
                "gelu" => activation::Gelu,
                "silu" => activation::Silu,
                "mish" => activation::Mish,
                "tanh" => activation::Tanh,
                "sigmoid" => activation::Sigmoid,
                "softplus" => activation::Softplus,
                "hardtanh" => activation::Hardtanh,
                "sin" => activation::Sin,
                "softsign" => activation::Softsign,
                "hardswish" => activation::Hardswish,
                $($after => $after_in::$after_type,)*
            }
        }
    };
}
pub(super) use activations;

/// Declares an activation: its fields, the op it is, its PyTorch module, and its range and the class behind the module where it has them.
macro_rules! activation {
    (
        $(#[$meta:meta])*
        $name:ident($label:literal) { $( $(#[$field_meta:meta])* $field:ident: $type:ty = $default:expr, )* }
        |$self:ident| $op:expr, $torch:expr $(, range: $range:expr)? $(, helper: $helper:expr)?
    ) => {
        fields! {
            $(#[$meta])*
            $name { $( $(#[$field_meta])* $field: $type = $default, )* }
        }

        impl SimpleLayer for $name {
            const AT_ONCE: bool = true;

            fn label(&self) -> String {
                $label.to_string()
            }

            fn infer(&self, _: &mut Resolver<'_>, input: &Port) -> Result<Inferred, UserError> {
                Ok(Inferred::new(input.clone()).flops(elements(&input.shape)))
            }

            fn build(&$self, cx: &mut Builder, _: &Resolved, x: Value) -> Result<Value, OpError> {
                cx.graph.apply($op, &[x])
            }

            fn torch(&$self, _: &Resolved) -> String {
                $torch
            }

            fn is_activation(&self) -> bool {
                true
            }

            $(fn range(&$self) -> Option<(f64, f64)> {
                Some($range)
            })?

            $(fn torch_helper(&self) -> Option<&'static str> {
                Some($helper)
            })?
        }
    };
}

activation! {
    /// Passes what is positive, blocks the rest.
    #[schemars(title = "ReLU")]
    Relu("relu") {}
    |self| UnaryOp::Relu, "nn.ReLU()".to_string()
}

activation! {
    /// Passes what is positive, and a little of the rest, so that no unit dies.
    #[schemars(title = "Leaky ReLU")]
    LeakyRelu("leaky relu") {
        /// Slope below zero.
        #[schemars(title = "Negative slope", range(min = 0.0, max = 1.0))]
        negative_slope: f64 = 0.01,
    }
    |self| UnaryOp::LeakyRelu(self.negative_slope as f32), format!("nn.LeakyReLU({})", self.negative_slope)
}

activation! {
    /// Like ReLU, but falls smoothly to −alpha.
    #[schemars(title = "ELU")]
    Elu("elu") {
        /// How far it falls.
        #[schemars(title = "Alpha", range(min = 0.0, max = 10.0))]
        alpha: f64 = 1.0,
    }
    |self| UnaryOp::Elu(self.alpha as f32), format!("nn.ELU({})", self.alpha)
}

/// How GELU is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GeluApproximation {
    /// Exactly.
    None,
    /// Through a hyperbolic tangent.
    Tanh,
}

activation! {
    /// A smooth ReLU: the input times the share of a normal distribution below it.
    #[schemars(title = "GELU")]
    Gelu("gelu") {
        /// Exact, or approximated through a hyperbolic tangent.
        #[schemars(title = "Approximation")]
        approximate: GeluApproximation = GeluApproximation::None,
    }
    |self| match self.approximate {
        GeluApproximation::None => UnaryOp::Gelu,
        GeluApproximation::Tanh => UnaryOp::GeluTanh,
    },
    match self.approximate {
        GeluApproximation::None => "nn.GELU()".to_string(),
        GeluApproximation::Tanh => "nn.GELU(approximate=\"tanh\")".to_string(),
    }
}

activation! {
    /// A smooth ReLU: the input times its sigmoid. Also called swish.
    #[schemars(title = "SiLU")]
    Silu("silu") {}
    |self| UnaryOp::Silu, "nn.SiLU()".to_string()
}

activation! {
    /// A smooth ReLU: the input times tanh of its softplus.
    #[schemars(title = "Mish")]
    Mish("mish") {}
    |self| UnaryOp::Mish, "nn.Mish()".to_string()
}

activation! {
    /// An S between −1 and 1.
    #[schemars(title = "Tanh")]
    Tanh("tanh") {}
    |self| UnaryOp::Tanh, "nn.Tanh()".to_string(), range: (-1.0, 1.0)
}

activation! {
    /// An S between 0 and 1.
    #[schemars(title = "Sigmoid")]
    Sigmoid("sigmoid") {}
    |self| UnaryOp::Sigmoid, "nn.Sigmoid()".to_string(), range: (0.0, 1.0)
}

activation! {
    /// A smooth ReLU: log(1 + eˣ).
    #[schemars(title = "Softplus")]
    Softplus("softplus") {}
    |self| UnaryOp::Softplus, "nn.Softplus()".to_string()
}

activation! {
    /// A straight line, cut off at both ends.
    #[schemars(title = "Hardtanh")]
    Hardtanh("hardtanh") {
        /// Lower end.
        #[schemars(title = "Lowest", range(min = -100.0, max = 0.0))]
        min_val: f64 = -1.0,
        /// Upper end.
        #[schemars(title = "Highest", range(min = 0.0, max = 100.0))]
        max_val: f64 = 1.0,
    }
    |self| UnaryOp::Hardtanh(self.min_val as f32, self.max_val as f32), format!("nn.Hardtanh({}, {})", self.min_val, self.max_val), range: (self.min_val, self.max_val)
}

activation! {
    /// An S between −1 and 1 that levels off slowly: x / (1 + |x|).
    #[schemars(title = "Softsign")]
    Softsign("softsign") {}
    |self| ComposedOp::Softsign, "nn.Softsign()".to_string(), range: (-1.0, 1.0)
}

activation! {
    /// SiLU in straight lines: the input times itself, cut off between −3 and 3.
    #[schemars(title = "Hardswish")]
    Hardswish("hardswish") {}
    |self| ComposedOp::Hardswish, "nn.Hardswish()".to_string()
}

activation! {
    /// A wave: good at what repeats.
    #[schemars(title = "Sine")]
    Sin("sin") {}
    |self| UnaryOp::Sin, "Sin()".to_string(), range: (-1.0, 1.0), helper: SIN
}

const SIN: &str = "\
class Sin(nn.Module):
    def forward(self, x):
        return torch.sin(x)
";
