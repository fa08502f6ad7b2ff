//! A rate that falls by the same factor at every step, as in `torch.optim.lr_scheduler.ExponentialLR`.

use super::ScheduleDef;
use crate::registry::fields;

fields! {
    /// Falls to a fraction of itself at every step: `lr · gammaˢ`.
    #[schemars(title = "Exponential")]
    Exponential {
        /// Factor by which every step multiplies the rate.
        #[schemars(title = "Gamma", range(min = 0.0, max = 1.0))]
        gamma: f64 = 0.999,
        /// Steps in which the rate climbs from nearly zero.
        #[schemars(title = "Warm-up", range(min = 0, max = 1000000))]
        warmup: u64 = 0,
    }
}

impl ScheduleDef for Exponential {
    fn warmup(&self) -> u64 {
        self.warmup
    }

    fn after(&self, lr: f64, s: u64, _: u64) -> f64 {
        lr * libm::pow(self.gamma, s as f64)
    }

    fn python(&self) -> String {
        format!("lr * {} ** s", self.gamma)
    }
}
