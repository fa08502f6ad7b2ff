//! What sources of series to forecast share: the fields that say how long they are and how they are cut, and the noise.

use downhill_tensor::UserError;
use downhill_tensor::rng::{Rng, Stream};

use super::sequences;
use crate::dataset::Dataset;
use crate::series::samples;
use crate::windows::{Cut, Series};

/// The fields every such source has.
pub(crate) struct Common {
    pub steps: u32,
    pub noise: f64,
    pub window: u32,
    pub horizon: u32,
    pub stride: u32,
    pub validation: f64,
}

/// What a series says for itself.
pub(crate) trait Moves {
    /// Names of the numbers of a step.
    const NAMES: &[&str];

    /// What it is, for the data card.
    const DESCRIPTION: &str;

    /// So many steps, `[steps, names]`, without noise.
    fn steps(&self, steps: usize, rng: &mut Rng) -> Vec<f64>;
}

/// Declares the struct of a series: its own fields behind the common ones, all with default, range, title and help.
macro_rules! forecast {
    (
        $(#[$meta:meta])*
        $name:ident { steps: $steps:literal, window: $window:literal, horizon: $horizon:literal }
        $( $(#[$field_meta:meta])* $field:ident: $type:ty = $default:expr; )*
    ) => {
        $crate::fields! {
            $(#[$meta])*
            $name {
                /// Steps of the series, those held out at its end included.
                #[schemars(title = "Steps", range(min = 20, max = 20000))]
                steps: u32 = $steps,
                /// Steps that the network is given.
                #[schemars(title = "Window", range(min = 1, max = 512))]
                window: u32 = $window,
                /// Steps that it is to predict.
                #[schemars(title = "Horizon", range(min = 1, max = 128))]
                horizon: u32 = $horizon,
                /// Steps from one window to the next.
                #[schemars(title = "Stride", range(min = 1, max = 512))]
                stride: u32 = 1,
                $( $(#[$field_meta])* $field: $type = $default, )*
                /// Standard deviation of what is added to every value, as a share of the series' own.
                #[schemars(title = "Noise", range(min = 0.0, max = 1.0))]
                noise: f64 = 0.0,
                /// Share of the windows that is never learned from, at the end of the series.
                #[schemars(title = "Validation", range(min = 0.0, max = 0.9))]
                validation: f64 = 0.25,
            }
        }

        impl $crate::sources::Generate for $name {
            const REGRESSION: bool = true;

            fn generate(
                &self,
                seed: u32,
                _: &dyn $crate::Assets,
            ) -> Result<$crate::Dataset, downhill_tensor::UserError> {
                let common = $crate::sources::forecast::Common {
                    steps: self.steps,
                    noise: self.noise,
                    window: self.window,
                    horizon: self.horizon,
                    stride: self.stride,
                    validation: self.validation,
                };
                $crate::sources::forecast::generate(self, &common, seed)
            }
        }
    };
}
pub(crate) use forecast;

/// Runs the series, adds the noise and cuts it.
pub(crate) fn generate<S: Moves>(source: &S, common: &Common, seed: u32) -> Result<Dataset, UserError> {
    let mut values = source.steps(common.steps as usize, &mut Rng::new(seed, Stream::Data, 0));
    let width = S::NAMES.len();
    for at in 0..width {
        let column = || values.iter().skip(at).step_by(width);
        let mean = column().sum::<f64>() / f64::from(common.steps);
        let std = (column().map(|v| (v - mean) * (v - mean)).sum::<f64>() / f64::from(common.steps)).sqrt();
        // More noise moves values without dealing new ones.
        let mut rng = Rng::new(seed, Stream::Data, 1 + at as u32);
        values.iter_mut().skip(at).step_by(width).for_each(|value| *value += common.noise * std * rng.normal());
    }
    let names: Vec<String> = S::NAMES.iter().map(ToString::to_string).collect();
    let cut = Cut { window: common.window as usize, horizon: common.horizon as usize, stride: common.stride as usize };
    let series = Series::fit(names, &values, cut, common.validation)?;
    samples(series, cut, common.validation, (S::DESCRIPTION, sequences::LICENCE))?.finish(common.validation, seed)
}

/// One step of the classical Runge–Kutta method over `dt`.
pub(super) fn runge_kutta<const N: usize>(state: [f64; N], dt: f64, slope: impl Fn([f64; N]) -> [f64; N]) -> [f64; N] {
    let moved = |by: f64, k: [f64; N]| std::array::from_fn(|i| state[i] + by * k[i]);
    let first = slope(state);
    let second = slope(moved(dt / 2.0, first));
    let third = slope(moved(dt / 2.0, second));
    let fourth = slope(moved(dt, third));
    std::array::from_fn(|i| state[i] + dt / 6.0 * (first[i] + 2.0 * second[i] + 2.0 * third[i] + fourth[i]))
}
