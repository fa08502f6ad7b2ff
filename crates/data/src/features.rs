//! What a network is told about a point of a plane or a line: names and values of the features.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the network is told about a point of the plane. Coordinates lie in about `[-1, 1]²`; sine and cosine take three times
/// the coordinate, so that the picture shows about one full wave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Feature {
    /// x
    X,
    /// y
    Y,
    /// x²
    X2,
    /// y²
    Y2,
    /// x·y
    Xy,
    /// sin 3x
    SinX,
    /// sin 3y
    SinY,
    /// cos 3x
    CosX,
    /// cos 3y
    CosY,
    /// Distance from the centre
    Radius,
    /// Angle around the centre, from -1 to 1
    Angle,
}

impl Feature {
    /// The name under which the network map shows it.
    pub fn label(self) -> &'static str {
        match self {
            Feature::X => "x",
            Feature::Y => "y",
            Feature::X2 => "x²",
            Feature::Y2 => "y²",
            Feature::Xy => "xy",
            Feature::SinX => "sin 3x",
            Feature::SinY => "sin 3y",
            Feature::CosX => "cos 3x",
            Feature::CosY => "cos 3y",
            Feature::Radius => "radius",
            Feature::Angle => "angle",
        }
    }

    /// Its value at the point `(x, y)`, as an input.
    pub fn of_point(self, x: f32, y: f32) -> f32 {
        self.at(f64::from(x), f64::from(y)) as f32
    }

    /// Its value at the point `(x, y)`.
    pub fn at(self, x: f64, y: f64) -> f64 {
        match self {
            Feature::X => x,
            Feature::Y => y,
            Feature::X2 => x * x,
            Feature::Y2 => y * y,
            Feature::Xy => x * y,
            Feature::SinX => libm::sin(3.0 * x),
            Feature::SinY => libm::sin(3.0 * y),
            Feature::CosX => libm::cos(3.0 * x),
            Feature::CosY => libm::cos(3.0 * y),
            Feature::Radius => libm::hypot(x, y),
            Feature::Angle => libm::atan2(y, x) / std::f64::consts::PI,
        }
    }
}

/// What the network is told about a point of the line `[-1, 1]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LineFeature {
    /// x
    X,
    /// x²
    X2,
    /// x³
    X3,
    /// sin 3x
    SinX,
    /// cos 3x
    CosX,
}

impl LineFeature {
    /// The name under which the network map shows it.
    pub fn label(self) -> &'static str {
        match self {
            LineFeature::X => "x",
            LineFeature::X2 => "x²",
            LineFeature::X3 => "x³",
            LineFeature::SinX => "sin 3x",
            LineFeature::CosX => "cos 3x",
        }
    }

    /// Its value at `x`.
    pub fn at(self, x: f64) -> f64 {
        match self {
            LineFeature::X => x,
            LineFeature::X2 => x * x,
            LineFeature::X3 => x * x * x,
            LineFeature::SinX => libm::sin(3.0 * x),
            LineFeature::CosX => libm::cos(3.0 * x),
        }
    }
}
