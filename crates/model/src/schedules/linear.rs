//! A rate that falls in a straight line, as in `torch.optim.lr_scheduler.LinearLR`.

use super::ScheduleDef;
use crate::registry::fields;

fields! {
    /// Falls in a straight line: `lr · (1 + (end_factor − 1) · min(s / T, 1))`.
    #[schemars(title = "Linear")]
    Linear {
        /// What is left of the rate at the end.
        #[schemars(title = "End", range(min = 0.0, max = 1.0))]
        end_factor: f64 = 0.0,
        /// Steps in which the rate climbs from nearly zero.
        #[schemars(title = "Warm-up", range(min = 0, max = 1000000))]
        warmup: u64 = 0,
    }
}

impl ScheduleDef for Linear {
    fn warmup(&self) -> u64 {
        self.warmup
    }

    fn needs_end(&self) -> bool {
        true
    }

    fn after(&self, lr: f64, s: u64, total: u64) -> f64 {
        lr * (1.0 + (self.end_factor - 1.0) * (s.min(total) as f64 / total as f64))
    }

    fn python(&self) -> String {
        format!("lr * (1 + ({} - 1) * min(s / total, 1))", self.end_factor)
    }
}
