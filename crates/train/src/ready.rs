//! How a future is brought to its end where nobody has to wait for a browser.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// The outcome of a future that nobody has to wait for elsewhere: with the CPU, and natively, all those of a session. In a browser the device
/// answers only while the thread is given back, so there this must not be used with a GPU.
pub fn ready<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(outcome) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return outcome;
        }
        std::thread::yield_now();
    }
}
