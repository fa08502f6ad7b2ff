//! A rate that falls in steps, as in `torch.optim.lr_scheduler.StepLR`.

use super::ScheduleDef;
use crate::registry::fields;

fields! {
    /// Falls to a fraction of itself at regular intervals: `lr · gamma^⌊s / every⌋`.
    #[schemars(title = "Step")]
    Step {
        /// Steps between two falls.
        #[schemars(title = "Every", range(min = 1, max = 1000000000))]
        every: u64 = 1000,
        /// Factor by which every fall multiplies the rate.
        #[schemars(title = "Gamma", range(min = 0.0, max = 1.0))]
        gamma: f64 = 0.1,
        /// Steps in which the rate climbs from nearly zero.
        #[schemars(title = "Warm-up", range(min = 0, max = 1000000))]
        warmup: u64 = 0,
    }
}

impl ScheduleDef for Step {
    fn warmup(&self) -> u64 {
        self.warmup
    }

    fn after(&self, lr: f64, s: u64, _: u64) -> f64 {
        lr * libm::pow(self.gamma, (s / self.every.max(1)) as f64)
    }

    fn python(&self) -> String {
        format!("lr * {} ** (s // {})", self.gamma, self.every)
    }
}
