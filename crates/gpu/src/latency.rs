//! Measures how long a device takes to report a finished submit, and says how much work must be queued meanwhile.
//!
//! Example: a device that reports 15 ms late would idle between submits of 8 ms. Submits of 30 ms, two under way, keep it busy; what such a
//! submit is reported to have taken is 15 ms too much.

use std::cell::Cell;
use std::time::Duration;
#[cfg(target_arch = "wasm32")]
use std::{cell::RefCell, pin::Pin, task::Context};

use downhill_compile::ExecError;
use web_time::Instant;

#[cfg(target_arch = "wasm32")]
use crate::browser::moment_from_now;

/// Time that a submit should take where word of its end comes at once: the browser draws with the same device.
const SUBMIT_TIME: Duration = Duration::from_millis(8);
/// A latency beyond is taken for this: submits twice as long are as much as a person's eye forgives.
const MAX_LATENCY: Duration = Duration::from_millis(50);
/// Latency from which on a browser is taken to look for what has ended only now and then, as Firefox does every 100 ms.
const DOZES: Duration = Duration::from_millis(30);

/// What is known of a device's latency.
#[derive(Default)]
pub(crate) struct Latency {
    shortest: Cell<Duration>,
    /// Whether the browser is given empty submits while somebody waits: it looks for what has ended when it is given something.
    dozes: Cell<bool>,
    /// When it is given the next one. One moment for all who wait, for whoever waits is often woken before.
    #[cfg(target_arch = "wasm32")]
    moment: RefCell<Option<wasm_bindgen_futures::JsFuture>>,
}

#[cfg(target_arch = "wasm32")]
impl Latency {
    /// Gives a dozing browser an empty submit where it is time, and wakes whoever polls for the next.
    pub fn nudge(&self, queue: &wgpu::Queue, cx: &mut Context<'_>) {
        if !self.dozes.get() {
            return;
        }
        let mut moment = self.moment.borrow_mut();
        while Pin::new(moment.get_or_insert_with(moment_from_now)).poll(cx).is_ready() {
            queue.submit([]);
            *moment = None;
        }
    }
}

impl Latency {
    /// Measures the latency. `wait` makes a submit without work and gives the time until its end was reported; the shortest of three such times is
    /// the latency, for the others may have waited for something else. If the device is lost meanwhile the latency is zero; the device reports the
    /// loss itself.
    pub async fn learn(&self, wait: impl AsyncFn() -> Result<Duration, ExecError>) {
        let mut shortest = shortest_of(&wait).await;
        if shortest > DOZES {
            self.dozes.set(true);
            shortest = shortest_of(&wait).await;
        }
        self.shortest.set(shortest);
    }

    /// How long work took whose end was told at a moment: since the end of the work before it was told, or else since it was submitted,
    /// less the latency.
    pub fn time_of(&self, before: Option<Instant>, submitted: Instant, end: Instant) -> Duration {
        match before.filter(|before| *before > submitted) {
            Some(before) => end.saturating_duration_since(before),
            None => end.saturating_duration_since(submitted).saturating_sub(self.shortest.get()),
        }
    }

    /// Time that a submit should take: two are under way at most, so it is longer than the latency, or the device would idle.
    pub fn submit_time(&self) -> Duration {
        SUBMIT_TIME.max(2 * self.shortest.get())
    }
}

async fn shortest_of(wait: &impl AsyncFn() -> Result<Duration, ExecError>) -> Duration {
    let mut shortest = MAX_LATENCY;
    for i in 0..4 {
        match wait().await {
            // The first may have met the browser as it looked.
            Ok(time) if i > 0 => shortest = shortest.min(time),
            Ok(_) => {}
            Err(_) => return Duration::ZERO,
        }
    }
    shortest
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    /// What is known after waits of these milliseconds.
    fn learned(waits: &[u64]) -> Latency {
        let (latency, next) = (Latency::default(), Cell::new(0));
        let wait = async || {
            let wait = waits.get(next.replace(next.get() + 1)).copied();
            wait.map(Duration::from_millis).ok_or_else(|| ExecError::DeviceLost("it is gone".to_string()))
        };
        assert_eq!(pin!(latency.learn(wait)).poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(()));
        latency
    }

    #[test]
    fn submits_outlast_the_latency_and_work_is_timed_without_it() {
        let quick = learned(&[9, 2, 1, 3]);
        assert_eq!((quick.submit_time(), quick.dozes.get()), (SUBMIT_TIME, false));
        let slow = learned(&[1, 20, 15, 30]);
        assert_eq!((slow.submit_time(), slow.dozes.get()), (Duration::from_millis(30), false));
        let dozing = learned(&[3, 100, 99, 100, 4, 5, 4, 6]);
        assert_eq!((dozing.submit_time(), dozing.dozes.get()), (SUBMIT_TIME, true));
        assert_eq!(learned(&[20, 20]).submit_time(), SUBMIT_TIME);

        let (start, ms) = (Instant::now(), Duration::from_millis);
        assert_eq!(slow.time_of(None, start, start + ms(25)), ms(10));
        assert_eq!(
            slow.time_of(Some(start), start + ms(5), start + ms(25)),
            ms(5),
            "submitted when nothing else was under way"
        );
        assert_eq!(slow.time_of(Some(start + ms(15)), start, start + ms(25)), ms(10), "submitted behind something else");
    }
}
