//! At the start effects take turns with the page: all of them would hold it up for too long, so after some milliseconds those that are left wait for
//! a task of their own. What a person does comes in between, and all of its effects at once. Once there are pictures they need it no more.

use std::cell::RefCell;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use any_spawner::{CustomExecutor, Executor, PinnedFuture, PinnedLocalFuture};
use leptos::prelude::set_timeout;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;
use web_sys::{MessageChannel, MessagePort, Performance};

/// Milliseconds of a turn: an effect that is begun within them still runs to its end.
const TURN: f64 = 8.0;
/// Milliseconds from the start after which turns are longer, though no longer than a page may be held up: where as much is still to do the browser
/// draws for longer than a turn takes, and short ones would put off the rest.
const START: f64 = 800.0;
const LONG_TURN: f64 = 40.0;
/// Turns after which a part comes, though somebody waits.
const PATIENCE: u32 = 3;
/// What a person does, and what a pop-up tells before it takes the keys.
const ACTS: [&str; 8] = ["pointerdown", "pointerup", "click", "keydown", "keyup", "input", "change", "beforetoggle"];

thread_local! {
    static TURNS: RefCell<Option<Turns>> = const { RefCell::new(None) };
}

/// What makes a part of the page.
type Part = Box<dyn FnOnce()>;

struct Turns {
    clock: Performance,
    /// Where a message ends the turn; it comes once the task that runs is over.
    end: MessagePort,
    /// When this start was.
    started: f64,
    /// Until when effects are begun in this turn; none between turns.
    until: Option<f64>,
    /// Who waits for the next turn, in order.
    waiting: Vec<Waker>,
    /// What gets a turn of its own once nobody waits, and its place in the order.
    parts: Vec<(u64, Part)>,
    /// Turns since the last part.
    since: u32,
    /// Whether turns are taken, and whether that ends as soon as nobody waits.
    taken: bool,
    ending: bool,
    _heard: [Closure<dyn FnMut()>; 2],
}

impl Turns {
    fn new() -> Option<Self> {
        let window = web_sys::window()?;
        let clock = window.performance()?;
        let channel = MessageChannel::new().ok()?;
        let over = Closure::<dyn FnMut()>::new(|| {
            let (next, part) = TURNS.with_borrow_mut(|turns| turns.as_mut().map(Self::next).unwrap_or_default());
            next.into_iter().for_each(Waker::wake);
            if let Some(part) = part {
                part();
            }
        });
        channel.port1().set_onmessage(Some(over.as_ref().unchecked_ref()));
        let acted = Closure::<dyn FnMut()>::new(at_once);
        for act in ACTS {
            window.add_event_listener_with_callback_and_bool(act, acted.as_ref().unchecked_ref(), true).ok()?;
        }
        Some(Self {
            started: clock.now(),
            clock,
            end: channel.port2(),
            until: None,
            waiting: Vec::new(),
            parts: Vec::new(),
            since: 0,
            taken: true,
            ending: false,
            _heard: [over, acted],
        })
    }

    /// Begins a turn.
    fn begin(&mut self) {
        let now = self.clock.now();
        self.begin_until(now + if now - self.started < START { TURN } else { LONG_TURN });
    }

    /// Begins a turn, or gives the one that runs another end.
    fn begin_until(&mut self, until: f64) {
        let ends = self.until.is_some() || self.end.post_message(&JsValue::NULL).is_ok();
        self.until = ends.then_some(until);
    }

    /// Ends a turn: who comes next, or the part that does.
    fn next(&mut self) -> (Vec<Waker>, Option<Part>) {
        self.until = None;
        self.since += 1;
        let may = self.waiting.is_empty() || self.since > PATIENCE;
        let first = (0..self.parts.len()).min_by_key(|&i| self.parts[i].0).filter(|_| may);
        if let Some(first) = first {
            self.since = 0;
            self.begin();
            return (Vec::new(), Some(self.parts.remove(first).1));
        }
        self.taken &= !(self.ending && self.waiting.is_empty());
        (std::mem::take(&mut self.waiting), None)
    }

    /// Whether there is time; if not, `waker` is woken when there is.
    fn may_run(&mut self, waker: &Waker) -> bool {
        match self.until {
            _ if !self.taken => {}
            None => self.begin(),
            Some(until) if self.clock.now() < until => {}
            Some(_) => {
                self.waiting.push(waker.clone());
                return false;
            }
        }
        true
    }
}

/// Where turns are taken.
fn taken(run: impl FnOnce(&mut Turns)) {
    TURNS.with_borrow_mut(|turns| turns.as_mut().filter(|turns| turns.taken).map(run));
}

/// Runs `part` in a task of its own, after those of a smaller `place`.
pub fn part(place: u64, part: impl FnOnce() + 'static) {
    let mut part = Some(Box::new(part) as Part);
    taken(|turns| {
        turns.parts.extend(part.take().map(|part| (place, part)));
        if turns.until.is_none() {
            turns.begin();
        }
    });
    if let Some(part) = part {
        set_timeout(part, Duration::from_millis(place));
    }
}

/// Has all effects of the task that runs follow at once, but for those that wait already.
pub fn at_once() {
    taken(|turns| turns.begin_until(f64::INFINITY));
}

/// Ends the taking of turns, as soon as nobody waits for one.
pub fn end() {
    taken(|turns| turns.ending = true);
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

/// Has effects take turns until there are pictures. Comes before anything is mounted.
pub fn take() {
    // Where something has an executor already, its effects go on as they did.
    if Executor::init_custom_executor(TakesTurns).is_ok() {
        TURNS.set(Turns::new());
    }
}
