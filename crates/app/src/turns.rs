//! Effects take turns with the page. One change may set more of them going than a page should be held up for, at the start above all: after some
//! milliseconds those that are left wait for a task of their own, and what a person does comes in between.

use std::cell::RefCell;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use any_spawner::{CustomExecutor, Executor, PinnedFuture, PinnedLocalFuture};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;
use web_sys::{MessageChannel, MessagePort, Performance};

/// Milliseconds of a turn: an effect that is begun within them still runs to its end.
const TURN: f64 = 8.0;

thread_local! {
    static TURNS: RefCell<Option<Turns>> = const { RefCell::new(None) };
}

struct Turns {
    clock: Performance,
    /// Where a message ends the turn; it comes once the task that runs is over.
    end: MessagePort,
    /// When this turn began; none between turns.
    began: Option<f64>,
    /// Who waits for the next turn, in order.
    waiting: Vec<Waker>,
    _over: Closure<dyn FnMut()>,
}

impl Turns {
    fn new() -> Option<Self> {
        let clock = web_sys::window()?.performance()?;
        let channel = MessageChannel::new().ok()?;
        let over = Closure::<dyn FnMut()>::new(|| {
            let next = TURNS.with_borrow_mut(|turns| {
                let turns = turns.as_mut()?;
                turns.began = None;
                Some(std::mem::take(&mut turns.waiting))
            });
            next.into_iter().flatten().for_each(Waker::wake);
        });
        channel.port1().set_onmessage(Some(over.as_ref().unchecked_ref()));
        Some(Self { clock, end: channel.port2(), began: None, waiting: Vec::new(), _over: over })
    }

    /// Whether there is time; if not, `waker` is woken when there is.
    fn may_run(&mut self, waker: &Waker) -> bool {
        let now = self.clock.now();
        match self.began {
            None => {
                self.began = self.end.post_message(&JsValue::NULL).is_ok().then_some(now);
                true
            }
            Some(began) if now - began < TURN => true,
            Some(_) => {
                self.waiting.push(waker.clone());
                false
            }
        }
    }
}

/// A future that is polled in a turn.
struct InTurn<F>(F);

impl<F: Future<Output = ()> + Unpin> Future for InTurn<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let runs = TURNS.with_borrow_mut(|turns| turns.as_mut().is_none_or(|turns| turns.may_run(context.waker())));
        if runs { Pin::new(&mut self.0).poll(context) } else { Poll::Pending }
    }
}

struct TakesTurns;

impl CustomExecutor for TakesTurns {
    fn spawn(&self, future: PinnedFuture<()>) {
        spawn_local(InTurn(future));
    }

    fn spawn_local(&self, future: PinnedLocalFuture<()>) {
        spawn_local(InTurn(future));
    }

    fn poll_local(&self) {}
}

/// Has effects take turns from now on. Comes before anything is mounted; a second time it does nothing.
pub fn take() {
    if TURNS.with_borrow(Option::is_none) {
        TURNS.set(Turns::new());
        let _ = Executor::init_custom_executor(TakesTurns);
    }
}
