//! How long a pump may go on, with few looks at the clock.

use web_time::Instant;

/// Nanoseconds of estimated work between two looks at the clock, which itself takes up to 100 in a browser.
const BETWEEN_LOOKS: f64 = 30_000.0;

/// How long a pump may go on.
pub(crate) struct Budget {
    deadline: Option<Instant>,
    credit: f64,
}

impl Budget {
    /// Until `deadline`.
    pub fn until(deadline: Instant) -> Self {
        Self { deadline: Some(deadline), credit: BETWEEN_LOOKS }
    }

    /// For ever.
    pub fn unlimited() -> Self {
        Self { deadline: None, credit: f64::INFINITY }
    }

    /// Takes note of work done, in estimated nanoseconds; says whether more may be done.
    #[inline]
    pub fn spend(&mut self, ns: f64) -> bool {
        self.credit -= ns;
        self.credit > 0.0 || self.look()
    }

    #[cold]
    fn look(&mut self) -> bool {
        self.credit = BETWEEN_LOOKS;
        self.deadline.is_none_or(|d| Instant::now() < d)
    }
}
