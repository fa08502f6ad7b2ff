//! A rate that climbs to its full height and falls to nearly nothing, as in `torch.optim.lr_scheduler.OneCycleLR`.

use std::f64::consts::PI;

use super::ScheduleDef;
use crate::registry::fields;

fields! {
    /// Climbs from a fraction of the learning rate to all of it, then falls to nearly nothing, both along half a cosine. The learning rate is
    /// the highest one.
    #[schemars(title = "One cycle")]
    OneCycle {
        /// Share of the steps in which the rate climbs.
        #[schemars(title = "Climb", range(min = 0.0, max = 1.0))]
        pct_start: f64 = 0.3,
        /// The first rate is the learning rate divided by this.
        #[schemars(title = "First division", range(min = 1.0, max = 1000000.0), extend("x-scale" = "log"))]
        div_factor: f64 = 25.0,
        /// The last rate is the first divided by this.
        #[schemars(title = "Last division", range(min = 1.0, max = 1000000000.0), extend("x-scale" = "log"))]
        final_div_factor: f64 = 10000.0,
    }
}

impl ScheduleDef for OneCycle {
    /// The climb is part of the cycle.
    fn warmup(&self) -> u64 {
        0
    }

    fn needs_end(&self) -> bool {
        true
    }

    /// Smith and Topin (2018) as PyTorch has it: the top is at step `pct_start · T − 1`, the end at `T − 1`.
    fn after(&self, lr: f64, s: u64, total: u64) -> f64 {
        let first = lr / self.div_factor;
        let last = first / self.final_div_factor;
        let top = self.pct_start * total as f64 - 1.0;
        let end = total as f64 - 1.0;
        let s = (s as f64).min(end);
        let between = |from: f64, to: f64, done: f64| to + (from - to) / 2.0 * (1.0 + libm::cos(PI * done));
        if s <= top { between(first, lr, s / top.max(f64::MIN_POSITIVE)) } else { between(lr, last, (s - top) / (end - top)) }
    }

    fn python(&self) -> String {
        let Self { pct_start, div_factor, final_div_factor } = self;
        let (top, first) = (format!("({pct_start} * total - 1)"), format!("lr / {div_factor}"));
        let half = |done: String| format!("(1 + math.cos(math.pi * {done})) / 2");
        let climb = half(format!("s / max({top}, 1e-300)"));
        let fall = half(format!("(min(s, total - 1) - {top}) / (total - 1 - {top})"));
        format!(
            "lr + ({first} - lr) * {climb} if s <= {top} else {first} / {final_div_factor} + (lr - {first} / {final_div_factor}) * {fall}"
        )
    }
}
