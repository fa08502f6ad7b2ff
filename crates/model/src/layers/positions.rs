//! The layer `positions`: tells vectors of a sequence where they stand.

use downhill_graph::{OpError, UnaryOp, Value};
use downhill_tensor::UserError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Draw;
use super::def::{Builder, Inferred, Port, Resolved, Resolver, SimpleLayer, elements};
use crate::registry::fields;

/// What stands for a position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PositionKind {
    /// A learned vector for each
    #[default]
    Learned,
    /// Sines and cosines of many wavelengths
    Sinusoidal,
}

fields! {
    /// Adds to every vector of a sequence one that stands for its position.
    #[schemars(title = "Positions")]
    Positions {
        /// What stands for a position.
        #[schemars(title = "Kind")]
        kind: PositionKind = PositionKind::Learned,
    }
}

/// Standard deviation of learned positions at the start: small beside what they are added to.
const STD: f64 = 0.02;
/// The longest wavelength is this, times 2π (Vaswani et al. 2017).
const LONGEST: f64 = 10_000.0;

/// Cosines and sines of `place · base^(−d / columns)` for the places from the first, `[places, columns]` each.
pub(super) fn waves(cx: &mut Builder, places: usize, columns: usize) -> Result<[Value; 2], OpError> {
    let place = cx.positions(places)?;
    waves_at(cx, place, columns)
}

/// The same for some places `[n]`.
fn waves_at(cx: &mut Builder, place: Value, columns: usize) -> Result<[Value; 2], OpError> {
    let number = cx.positions(columns)?;
    let exponent = cx.graph.scale((-LONGEST.ln() / columns as f64) as f32, number)?;
    let frequency = cx.graph.unary(UnaryOp::Exp, exponent)?;
    let places = cx.graph.shape(place).numel();
    let place = cx.graph.reshape(place, [places, 1])?;
    let angle = cx.graph.mul(place, frequency)?;
    Ok([cx.graph.unary(UnaryOp::Cos, angle)?, cx.graph.unary(UnaryOp::Sin, angle)?])
}

/// A sequence of vectors: how many, how wide.
pub(super) fn sequence(name: &str, input: &Port) -> Result<(usize, usize), UserError> {
    let &[steps, width] = input.shape.as_slice() else {
        let message = format!("{name} expects a sequence of vectors, gets {input}.");
        return Err(UserError::new(message).hint("Put it behind an `embedding`."));
    };
    Ok((steps, width))
}

impl SimpleLayer for Positions {
    fn label(&self) -> String {
        "positions".to_string()
    }

    fn infer(&self, _: &mut Resolver<'_>, input: &Port) -> Result<Inferred, UserError> {
        let (steps, width) = sequence("positions", input)?;
        let mut inferred = Inferred::new(input.clone()).flops(elements(&input.shape));
        match self.kind {
            PositionKind::Learned => inferred.table("weight", &[steps, width], Draw::Normal(STD)),
            PositionKind::Sinusoidal if !width.is_multiple_of(2) => {
                let message = format!("Sines and cosines come in pairs, but vectors have {width} numbers.");
                return Err(UserError::at("kind", message).hint("Use an even number of dimensions in the embedding."));
            }
            PositionKind::Sinusoidal => {}
        }
        Ok(inferred)
    }

    fn build(&self, cx: &mut Builder, at: &Resolved, x: Value) -> Result<Value, OpError> {
        let (mut steps, width, next) = (at.input().shape[0], at.input().shape[1], cx.next_place()?);
        let table = match (self.kind, next) {
            (PositionKind::Learned, None) => cx.parameter(at, "weight")?,
            (PositionKind::Learned, Some(next)) => {
                let weight = cx.parameter(at, "weight")?;
                cx.graph.index_select(weight, next.index)?
            }
            (PositionKind::Sinusoidal, _) => {
                // Sine and cosine of a wavelength stand side by side.
                let place = match next {
                    Some(next) => next.number,
                    None => cx.positions(steps)?,
                };
                steps = if next.is_some() { 1 } else { steps };
                let [cos, sin] = waves_at(cx, place, width / 2)?;
                let cos = cx.graph.reshape(cos, [steps, width / 2, 1])?;
                let sin = cx.graph.reshape(sin, [steps, width / 2, 1])?;
                let pairs = cx.graph.concat(&[sin, cos], -1)?;
                cx.graph.reshape(pairs, [steps, width])?
            }
        };
        cx.graph.plus(x, table)
    }

    fn is_stepwise(&self) -> bool {
        true
    }

    fn torch(&self, at: &Resolved) -> String {
        let [steps, width] = at.input().shape[..] else { return String::new() };
        match self.kind {
            PositionKind::Learned => format!("Positions({steps}, {width})"),
            PositionKind::Sinusoidal => "Sinusoids()".to_string(),
        }
    }

    fn torch_helper(&self) -> Option<&'static str> {
        Some(match self.kind {
            PositionKind::Learned => POSITIONS,
            PositionKind::Sinusoidal => SINUSOIDS,
        })
    }
}

const POSITIONS: &str = "\
class Positions(nn.Module):
    def __init__(self, steps, width):
        super().__init__()
        self.weight = nn.Parameter(0.02 * torch.randn(steps, width))

    def forward(self, x):
        return x + self.weight[: x.shape[-2]]
";
const SINUSOIDS: &str = "\
class Sinusoids(nn.Module):
    def forward(self, x):
        steps, width = x.shape[-2:]
        place = torch.arange(steps, device=x.device).unsqueeze(1)
        angle = place * torch.exp(torch.arange(0, width, 2, device=x.device) * (-math.log(10000.0) / width))
        return x + torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(-2)
";
