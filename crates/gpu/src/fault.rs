//! What can go wrong with a device, and who is told.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// Tasks that are remembered as waiting, most of which have long gone on.
const MAX_WAKERS: usize = 16;

/// The first thing that went wrong with a device; everything after it is its consequence.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    first: Option<String>,
    wakers: Vec<Waker>,
}

impl Faults {
    /// Notes what went wrong and wakes everybody who waits for the device.
    pub fn report(&self, what: String) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.first.get_or_insert(what);
        state.wakers.drain(..).for_each(Waker::wake);
    }

    /// What went wrong.
    pub fn first(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).first.clone()
    }

    /// Ready once something has gone wrong.
    pub fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.first.is_some() {
            return Poll::Ready(());
        }
        if state.wakers.len() >= MAX_WAKERS {
            // Those who still wait come back.
            state.wakers.drain(..).for_each(Waker::wake);
        }
        if !state.wakers.iter().any(|w| w.will_wake(cx.waker())) {
            state.wakers.push(cx.waker().clone());
        }
        Poll::Pending
    }
}

/// An error as one line.
pub(crate) fn first_line(error: &wgpu::Error) -> String {
    match error {
        wgpu::Error::OutOfMemory { .. } => OUT_OF_MEMORY.to_string(),
        wgpu::Error::Validation { description, .. } | wgpu::Error::Internal { description, .. } => one_line(description),
    }
}

/// What is said where memory has run out.
pub(crate) const OUT_OF_MEMORY: &str = "out of memory";

/// The beginning of a text as one line: browsers and validators write pages.
pub(crate) fn one_line(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|l| !l.is_empty()).take(6).collect();
    lines.join(" ")
}
