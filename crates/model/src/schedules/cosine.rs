//! A rate that falls along half a cosine, as in `torch.optim.lr_scheduler.CosineAnnealingLR`.

use std::f64::consts::PI;

use super::ScheduleDef;
use crate::registry::fields;

fields! {
    /// Falls slowly, then fast, then slowly: `eta_min + (lr − eta_min) · (1 + cos(π · min(s / T, 1))) / 2`.
    #[schemars(title = "Cosine")]
    Cosine {
        /// The rate at the end.
        #[schemars(title = "Lowest rate", range(min = 0.0, max = 1.0), extend("x-scale" = "log"))]
        eta_min: f64 = 0.0,
        /// Steps in which the rate climbs from nearly zero.
        #[schemars(title = "Warm-up", range(min = 0, max = 1000000))]
        warmup: u64 = 0,
    }
}

impl ScheduleDef for Cosine {
    fn warmup(&self) -> u64 {
        self.warmup
    }

    fn needs_end(&self) -> bool {
        true
    }

    fn after(&self, lr: f64, s: u64, total: u64) -> f64 {
        let done = s.min(total) as f64 / total as f64;
        self.eta_min + (lr - self.eta_min) * (1.0 + libm::cos(PI * done)) / 2.0
    }

    fn python(&self) -> String {
        format!("{0} + (lr - {0}) * (1 + math.cos(math.pi * min(s / total, 1))) / 2", self.eta_min)
    }
}
