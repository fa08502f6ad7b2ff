//! What has been submitted and is not known to be done.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use downhill_compile::{ProgramId, ReadId, Ticket};
use web_time::Instant;

/// Something that a callback of the device will set.
#[derive(Clone, Default)]
pub(crate) struct Signal(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    set: Option<(Instant, bool)>,
    waker: Option<Waker>,
}

impl Signal {
    /// Says when it happened and whether it went well.
    pub fn set(&self, fine: bool) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.set.get_or_insert_with(|| (Instant::now(), fine));
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }

    /// When it happened and whether it went well.
    pub fn get(&self) -> Option<(Instant, bool)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).set
    }

    /// Ready once it has happened.
    pub fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.set.is_some() {
            return Poll::Ready(());
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// One submit.
pub(crate) struct Flight {
    /// What to wait for; in a browser nothing can wait.
    #[cfg(not(target_arch = "wasm32"))]
    pub submission: wgpu::SubmissionIndex,
    pub done: Signal,
    pub submitted: Instant,
    /// What ran, if it was one program, and how often.
    pub ran: Option<(ProgramId, u32)>,
    /// What completes with it, in order.
    pub results: Vec<Result>,
    /// What its reads were copied to.
    pub staged: Option<Staged>,
}

/// Something that completes with a submit.
pub(crate) enum Result {
    Steps(Ticket),
    Read { id: ReadId, words: usize },
}

/// The buffer that all reads of a submit share, one after the other in their order.
pub(crate) struct Staged {
    pub buffer: wgpu::Buffer,
    pub bytes: u64,
    pub mapped: Signal,
}

impl Flight {
    /// Whether everything has arrived.
    pub fn landed(&self) -> bool {
        self.missing().is_none()
    }

    /// A signal that is still missing.
    pub fn missing(&self) -> Option<Signal> {
        let mapped = self.staged.as_ref().map(|staged| staged.mapped.clone());
        std::iter::once(self.done.clone()).chain(mapped).find(|s| s.get().is_none())
    }
}
