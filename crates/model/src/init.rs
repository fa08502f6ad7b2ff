//! Initial weights.

use downhill_tensor::UserError;
use downhill_tensor::rng::{Rng, Stream};

use crate::check::resolved;
use crate::layers::Draw;
use crate::resolve::{elements, flat};
use crate::{Experiment, Signature};

/// A parameter before training.
#[derive(Clone, Debug, PartialEq)]
pub struct InitialParameter {
    /// Key in the `state_dict`.
    pub name: String,
    /// Shape.
    pub shape: Vec<usize>,
    /// Elements, row-major.
    pub values: Vec<f32>,
}

/// The initial weights of an experiment, in the order in which its programs declare them. A parameter's numbers depend on the seed,
/// its name and its shape alone, so that a layer added behind it leaves them as they are.
///
/// # Errors
/// As [`crate::check`].
pub fn init_parameters(experiment: &Experiment, signature: &Signature) -> Result<Vec<InitialParameter>, UserError> {
    let model = resolved(experiment, signature)?;
    let parameters = flat(&model).into_iter().flat_map(|layer| layer.parameters.clone());
    Ok(parameters
        .map(|p| {
            let values = draw(experiment.seed, &p.name, elements(&p.shape) as usize, p.draw);
            InitialParameter { name: p.name, shape: p.shape, values }
        })
        .collect())
}

fn draw(seed: u32, name: &str, len: usize, draw: Draw) -> Vec<f32> {
    let mut rng = Rng::new(seed, Stream::Init, hash(name));
    (0..len)
        .map(|_| match draw {
            Draw::Constant(value) => value as f32,
            Draw::Uniform(bound) => rng.range(-bound, bound) as f32,
            Draw::Normal(std) => (std * rng.normal()) as f32,
        })
        .collect()
}

/// FNV-1a, 32 bits.
fn hash(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5, |state: u32, byte| (state ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
