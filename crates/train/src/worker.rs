//! The worker's loop: messages in, slices of training, messages out. Everything else is in [`Conversation`].

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use downhill_protocol::{BenchRequest, Event, Message, PROTOCOL, Request, wire};
use js_sys::{Function, Object, Reflect};
use wasm_bindgen::prelude::*;
use web_sys::{DedicatedWorkerGlobalScope, MessageChannel, MessageEvent, MessagePort};
use web_time::Instant;

use crate::{Conversation, Next, bench};

/// Longest time without looking for messages: half a frame, so that a click is answered within one.
const SLICE: Duration = Duration::from_millis(8);

thread_local! {
    static WORKER: RefCell<Option<Rc<Worker>>> = const { RefCell::new(None) };
}

struct Worker {
    scope: DedicatedWorkerGlobalScope,
    conversation: RefCell<Conversation>,
    /// A message to itself comes back as a task of its own, at once: between two of them the page's messages are heard.
    /// (`setTimeout` would wait at least 4 ms.)
    knock: MessagePort,
    knocked: RefCell<bool>,
    timer: RefCell<Option<i32>>,
    wake: Function,
}

/// Tells the page that commands are heard from now on, and answers them for ever; false if this is no dedicated worker.
pub fn start() -> bool {
    let Ok(scope) = js_sys::global().dyn_into::<DedicatedWorkerGlobalScope>() else { return false };
    let for_panic = scope.clone();
    std::panic::set_hook(Box::new(move |panic| post(&for_panic, &Message::new(Event::Crashed { message: panic.to_string() }))));
    let Ok(channel) = MessageChannel::new() else { return true };
    let wake = Closure::<dyn FnMut()>::new(tick).into_js_value().unchecked_into::<Function>();
    channel.port1().set_onmessage(Some(&wake));
    let listen = Closure::<dyn FnMut(MessageEvent)>::new(|event: MessageEvent| hear(&event.data()));
    scope.set_onmessage(Some(listen.into_js_value().unchecked_ref()));
    let worker = Worker {
        scope: scope.clone(),
        conversation: RefCell::new(Conversation::new()),
        knock: channel.port2(),
        knocked: RefCell::new(false),
        timer: RefCell::new(None),
        wake,
    };
    WORKER.with(|w| *w.borrow_mut() = Some(Rc::new(worker)));
    let simd = if cfg!(feature = "relaxed-simd") { "relaxed-simd" } else { "simd128" };
    let build = env!("CARGO_PKG_VERSION").to_string();
    post(&scope, &Message::new(Event::Ready { protocol: PROTOCOL, build, simd: simd.to_string() }));
    true
}

fn worker() -> Option<Rc<Worker>> {
    WORKER.with(|w| w.borrow().clone())
}

fn post(scope: &DedicatedWorkerGlobalScope, message: &Message<Event>) {
    let Ok((value, transfer)) = wire::to_js(message) else { return };
    if matches!(message.header, Event::Ready { .. }) {
        // For pages that speak no protocol, such as the benchmark's.
        let _ = Reflect::set(&value, &"ready".into(), &JsValue::TRUE);
    }
    let _ = scope.post_message_with_transfer(&value, &transfer);
}

fn hear(data: &JsValue) {
    let Some(worker) = worker() else { return };
    if let Ok(request) = Reflect::get(data, &"bench".into())
        && request.is_object()
    {
        worker.answer_bench(&request);
        return;
    }
    match wire::from_js::<Request>(data) {
        Ok(request) => worker.conversation.borrow_mut().handle(request),
        Err(error) => worker.conversation.borrow_mut().garbled(&format!("{error:?}")),
    }
    worker.flush();
    worker.knock();
}

fn tick() {
    let Some(worker) = worker() else { return };
    *worker.knocked.borrow_mut() = false;
    if let Some(timer) = worker.timer.borrow_mut().take() {
        worker.scope.clear_timeout_with_handle(timer);
    }
    let next = worker.conversation.borrow_mut().advance(Instant::now() + SLICE);
    worker.flush();
    match next {
        Next::Now => worker.knock(),
        Next::At(due) => worker.sleep(due.duration_since(Instant::now())),
        Next::Rest => {}
    }
}

impl Worker {
    fn flush(&self) {
        for event in self.conversation.borrow_mut().take_events() {
            post(&self.scope, &event);
        }
    }

    fn knock(&self) {
        if !self.knocked.replace(true) {
            let _ = self.knock.post_message(&JsValue::NULL);
        }
    }

    fn sleep(&self, time: Duration) {
        let millis = (time.as_secs_f64() * 1000.0).min(1000.0).ceil() as i32;
        *self.timer.borrow_mut() = self.scope.set_timeout_with_callback_and_timeout_and_arguments_0(&self.wake, millis).ok();
    }

    /// Answers the benchmark page's plain message with one of its kind.
    fn answer_bench(&self, request: &JsValue) {
        let get = |name: &str| Reflect::get(request, &name.into()).unwrap_or(JsValue::UNDEFINED);
        let workload = get("workload").as_string().unwrap_or_default();
        let seconds = get("seconds").as_f64().unwrap_or(3.0);
        let answer = Object::new();
        let set = |name: &str, value: JsValue| {
            let _ = Reflect::set(&answer, &name.into(), &value);
        };
        set("workload", workload.clone().into());
        match bench::run(&BenchRequest { workload, seconds }) {
            Ok(result) => {
                set("stepsPerSec", result.steps_per_second.into());
                set("min", result.min.into());
                set("max", result.max.into());
                set("seconds", seconds.into());
                set("gflops", result.gflops.into());
                set("lossFirst", result.first_loss.into());
                set("lossLast", result.last_loss.into());
                set("notes", result.notes.into());
            }
            Err(error) => set("error", error.to_string().into()),
        }
        let message = Object::new();
        let _ = Reflect::set(&message, &"bench".into(), &answer);
        let _ = self.scope.post_message(&message);
    }
}
