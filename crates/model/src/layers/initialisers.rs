//! The members of [`Init`](super::Init), named as in `torch.nn.init`.

use super::init::{Draw, InitDef};
use crate::registry::fields;

fields! {
    /// PyTorch's own: evenly from ±1/√inputs, bias included.
    #[schemars(title = "PyTorch's default")]
    TorchDefault {}
}

fields! {
    /// Evenly, so that signals keep their size forwards and backwards (Glorot and Bengio, 2010); suits tanh.
    #[schemars(title = "Xavier, uniform")]
    XavierUniform {}
}

fields! {
    /// The same from a normal distribution.
    #[schemars(title = "Xavier, normal")]
    XavierNormal {}
}

fields! {
    /// Evenly, so that signals keep their size through relu (He et al., 2015).
    #[schemars(title = "Kaiming, uniform")]
    KaimingUniform {}
}

fields! {
    /// The same from a normal distribution.
    #[schemars(title = "Kaiming, normal")]
    KaimingNormal {}
}

fields! {
    /// From a normal distribution of a given width.
    #[schemars(title = "Normal")]
    Normal {
        /// Standard deviation.
        #[schemars(title = "Std", range(min = 0.0, max = 100.0), extend("x-scale" = "log"))]
        std: f64 = 0.02,
    }
}

fields! {
    /// Evenly from a given range around zero.
    #[schemars(title = "Uniform")]
    Uniform {
        /// Largest magnitude.
        #[schemars(title = "Bound", range(min = 0.0, max = 100.0), extend("x-scale" = "log"))]
        bound: f64 = 0.1,
    }
}

fields! {
    /// A rotation: signals keep their length exactly, however many layers (Saxe et al., 2014); suits recurrent weights.
    #[schemars(title = "Orthogonal")]
    Orthogonal {
        /// Length of what was of length 1.
        #[schemars(title = "Gain", range(min = 0.0, max = 100.0))]
        gain: f64 = 1.0,
    }
}

fields! {
    /// All zero: see what goes wrong when all units are alike.
    #[schemars(title = "Zeros")]
    Zeros {}
}

impl InitDef for TorchDefault {
    /// `kaiming_uniform_` with `a = √5`, which is `U(±1/√in)`.
    fn weight(&self, fan_in: f64, _: f64) -> Draw {
        Draw::Uniform(1.0 / libm::sqrt(fan_in))
    }

    fn bias(&self, fan_in: f64) -> Draw {
        Draw::Uniform(1.0 / libm::sqrt(fan_in))
    }
}

impl InitDef for XavierUniform {
    fn weight(&self, fan_in: f64, fan_out: f64) -> Draw {
        Draw::Uniform(libm::sqrt(6.0 / (fan_in + fan_out)))
    }
}

impl InitDef for XavierNormal {
    fn weight(&self, fan_in: f64, fan_out: f64) -> Draw {
        Draw::Normal(libm::sqrt(2.0 / (fan_in + fan_out)))
    }
}

impl InitDef for KaimingUniform {
    fn weight(&self, fan_in: f64, _: f64) -> Draw {
        Draw::Uniform(libm::sqrt(6.0 / fan_in))
    }
}

impl InitDef for KaimingNormal {
    fn weight(&self, fan_in: f64, _: f64) -> Draw {
        Draw::Normal(libm::sqrt(2.0 / fan_in))
    }
}

impl InitDef for Normal {
    fn weight(&self, _: f64, _: f64) -> Draw {
        Draw::Normal(self.std)
    }
}

impl InitDef for Uniform {
    fn weight(&self, _: f64, _: f64) -> Draw {
        Draw::Uniform(self.bound)
    }
}

impl InitDef for Orthogonal {
    fn weight(&self, _: f64, _: f64) -> Draw {
        Draw::Orthogonal(self.gain)
    }
}

impl InitDef for Zeros {
    fn weight(&self, _: f64, _: f64) -> Draw {
        Draw::Constant(0.0)
    }
}
