//! The worker's loop: messages in, slices of training, messages out. Everything else is in [`Conversation`].

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use downhill_gpu::DeviceOptions;
use downhill_protocol::{Backend, BenchRequest, Event, Message, PROTOCOL, Request, wire};
use js_sys::{Function, Object, Reflect};
use wasm_bindgen::prelude::*;
use web_sys::{DedicatedWorkerGlobalScope, MessageChannel, MessageEvent, MessagePort};
use web_time::Instant;

use crate::{Conversation, Next};

/// Longest time without looking for messages: half a frame, so that a click is answered within one.
const SLICE: Duration = Duration::from_millis(8);

/// What wakes the loop: messages, a knock of its own, a timer.
struct Doorbell {
    scope: DedicatedWorkerGlobalScope,
    inbox: RefCell<VecDeque<JsValue>>,
    rung: Cell<bool>,
    waker: RefCell<Option<Waker>>,
    /// A message to itself comes back as a task of its own, at once: between two of them the page's messages are heard.
    /// (`setTimeout` would wait at least 4 ms.)
    knock: MessagePort,
    knocked: Cell<bool>,
}

/// The scope that messages come to: of a dedicated worker, or what `web/src/here.ts` makes of a page that may start none.
fn scope() -> Option<DedicatedWorkerGlobalScope> {
    let name = JsValue::from("downhillHere");
    let page = match js_sys::global().dyn_into::<DedicatedWorkerGlobalScope>() {
        Ok(scope) => return Some(scope),
        Err(page) => page,
    };
    let left = Reflect::get(&page, &name).ok().filter(JsValue::is_object)?;
    let _ = Reflect::delete_property(&page, &name);
    // A port with timers does all that is asked of a scope here.
    Some(left.unchecked_into())
}

/// Tells the page that commands are heard from now on, and answers them for ever; false if this is not where one trains.
pub fn start() -> bool {
    let Some(scope) = scope() else { return false };
    let for_panic = scope.clone();
    std::panic::set_hook(Box::new(move |panic| post(&for_panic, &Message::new(Event::Crashed { message: panic.to_string() }))));
    tell_exceptions(&scope);
    let Ok(channel) = MessageChannel::new() else { return true };
    let bell = Rc::new(Doorbell {
        scope: scope.clone(),
        inbox: RefCell::default(),
        rung: Cell::new(false),
        waker: RefCell::default(),
        knock: channel.port2(),
        knocked: Cell::new(false),
    });
    let (at_door, in_mail) = (bell.clone(), bell.clone());
    let knocked = Closure::<dyn FnMut()>::new(move || {
        at_door.knocked.set(false);
        at_door.ring();
    });
    channel.port1().set_onmessage(Some(knocked.into_js_value().unchecked_ref()));
    let listen = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        in_mail.inbox.borrow_mut().push_back(event.data());
        in_mail.ring();
    });
    scope.set_onmessage(Some(listen.into_js_value().unchecked_ref()));
    wasm_bindgen_futures::spawn_local(serve(bell));
    let simd = if cfg!(feature = "relaxed-simd") { "relaxed-simd" } else { "simd128" };
    let build = env!("CARGO_PKG_VERSION").to_string();
    post(&scope, &Message::new(Event::Ready { protocol: PROTOCOL, build, simd: simd.to_string() }));
    true
}

/// An exception of the browser that passes through the loop ends it without a panic. What promises of the GPU are rejected with that nobody
/// waits for any more is no such exception.
fn tell_exceptions(scope: &DedicatedWorkerGlobalScope) {
    let for_exception = scope.clone();
    let tell = Closure::<dyn FnMut(JsValue)>::new(move |event: JsValue| {
        let part = |name: &str| Reflect::get(&event, &name.into()).ok()?.dyn_into::<js_sys::Error>().ok();
        let Some(error) = part("error").or_else(|| part("reason")) else { return };
        if ["Error", "RangeError", "ReferenceError", "RuntimeError", "TypeError"].iter().any(|name| error.name() == *name) {
            post(&for_exception, &Message::new(Event::Crashed { message: String::from(error.to_string()) }));
        }
    });
    // Where it is not heard, a crash is as silent as before.
    let tell = tell.into_js_value();
    for event in ["error", "unhandledrejection"] {
        let _ = scope.add_event_listener_with_callback(event, tell.unchecked_ref());
    }
}

async fn serve(bell: Rc<Doorbell>) {
    let mut conversation = Conversation::with_gpu(DeviceOptions::default());
    let at_timer = bell.clone();
    let timer = Closure::<dyn FnMut()>::new(move || at_timer.ring()).into_js_value().unchecked_into::<Function>();
    loop {
        while let Some(data) = bell.message() {
            if Reflect::get(&data, &"end".into()).is_ok_and(|end| end.is_truthy()) {
                return bell.close();
            }
            hear(&mut conversation, &bell.scope, &data).await;
            bell.flush(&mut conversation);
        }
        let next = conversation.advance(Instant::now() + SLICE).await;
        bell.flush(&mut conversation);
        match next {
            Next::Now => {
                bell.knock();
                bell.rest(pending()).await;
            }
            Next::Device => bell.rest(conversation.landing()).await,
            Next::At(due) => {
                let millis = (due.duration_since(Instant::now()).as_secs_f64() * 1000.0).min(1000.0).ceil() as i32;
                let handle = bell.scope.set_timeout_with_callback_and_timeout_and_arguments_0(&timer, millis);
                bell.rest(pending()).await;
                if let Ok(handle) = handle {
                    bell.scope.clear_timeout_with_handle(handle);
                }
            }
            Next::Rest => bell.rest(pending()).await,
        }
    }
}

impl Doorbell {
    fn ring(&self) {
        self.rung.set(true);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn knock(&self) {
        if !self.knocked.replace(true) {
            let _ = self.knock.post_message(&JsValue::NULL);
        }
    }

    fn message(&self) -> Option<JsValue> {
        self.inbox.borrow_mut().pop_front()
    }

    /// Gives the thread back until the bell rings, or until something else that the loop is interested in has come.
    async fn rest(&self, other: impl Future<Output = ()>) {
        let mut other = pin!(other);
        let mut woken = false;
        poll_fn(|cx| {
            // Polled at every wake: it may have something to do while it waits.
            let come = other.as_mut().poll(cx).is_ready();
            if come || self.rung.take() || std::mem::replace(&mut woken, true) {
                return Poll::Ready(());
            }
            self.waker.replace(Some(cx.waker().clone()));
            Poll::Pending
        })
        .await;
    }

    /// Lets go of all that could be heard: what is no worker cannot be terminated from outside.
    fn close(&self) {
        self.scope.close();
        self.knock.close();
    }

    fn flush(&self, conversation: &mut Conversation) {
        for event in conversation.take_events() {
            post(&self.scope, &event);
        }
    }
}

fn post(scope: &DedicatedWorkerGlobalScope, message: &Message<Event>) {
    let Ok((value, transfer)) = wire::to_js(message, &[]) else { return };
    if matches!(message.header, Event::Ready { .. }) {
        // For pages that speak no protocol, such as the benchmark's.
        let _ = Reflect::set(&value, &"ready".into(), &JsValue::TRUE);
    }
    let _ = scope.post_message_with_transfer(&value, &transfer);
}

async fn hear(conversation: &mut Conversation, scope: &DedicatedWorkerGlobalScope, data: &JsValue) {
    if let Ok(request) = Reflect::get(data, &"bench".into())
        && request.is_object()
    {
        answer_bench(conversation, scope, &request).await;
        return;
    }
    match wire::from_js::<Request>(data) {
        Ok(request) => conversation.handle(request).await,
        Err(error) => conversation.garbled(&format!("{error:?}")),
    }
}

/// Answers the benchmark page's plain message with one of its kind.
async fn answer_bench(conversation: &mut Conversation, scope: &DedicatedWorkerGlobalScope, request: &JsValue) {
    let get = |name: &str| Reflect::get(request, &name.into()).unwrap_or(JsValue::UNDEFINED);
    let workload = get("workload").as_string().unwrap_or_default();
    let seconds = get("seconds").as_f64().unwrap_or(3.0);
    let backend = if get("backend").as_string().as_deref() == Some(Backend::Gpu.name()) { Backend::Gpu } else { Backend::Cpu };
    let answer = Object::new();
    let set = |name: &str, value: JsValue| {
        let _ = Reflect::set(&answer, &name.into(), &value);
    };
    set("workload", workload.clone().into());
    set("backend", backend.name().into());
    match conversation.bench(&BenchRequest { workload, seconds, backend }).await {
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
    let _ = scope.post_message(&message);
}
