//! The link to the training worker: takes over the worker that the page's shell started, queues until it is ready, and starts
//! another one when it crashed. Where workers are refused, what trains is begun in the page's own thread.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use downhill_protocol::wire::{from_js, to_js};
use downhill_protocol::{Arrays, BlobRef, Command, Event, Message, Request};
use downhill_tensor::UserError;
use js_sys::{Array, ArrayBuffer, Function, Reflect};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;
use web_sys::{MessageEvent, Worker, WorkerOptions, WorkerType};

#[cfg(feature = "bundle")]
#[wasm_bindgen(raw_module = "./charts.js")]
extern "C" {
    /// What trains, in this thread, in the shape of a worker: a second instance of `module`, by the bindings of this address.
    #[wasm_bindgen(catch)]
    async fn here(bindings: &str, module: &JsValue) -> Result<JsValue, JsValue>;
}

/// Without the page's scripts there is a worker or nothing.
#[cfg(not(feature = "bundle"))]
async fn here(_: &str, _: &JsValue) -> Result<JsValue, JsValue> {
    Err(JsValue::NULL)
}

type Hear = Rc<dyn Fn(Message<Event>)>;

/// A request, and the files that are handed over with it.
type Outgoing = (Message<Request>, Option<ArrayBuffer>);

/// A handle to the worker; clones share it.
#[derive(Clone)]
pub struct Link(Rc<RefCell<Inner>>);

struct Inner {
    /// What the page's own shell left, or what a widget was given.
    shell: JsValue,
    url: String,
    bindings: String,
    worker: Option<Worker>,
    ready: bool,
    queue: VecDeque<Outgoing>,
    next_id: u32,
    hear: Option<Hear>,
    /// Whether no worker came, and what trains is to be had in this thread or not at all.
    refused: bool,
    closures: Vec<Closure<dyn FnMut(MessageEvent)>>,
}

impl Inner {
    /// Whether a widget's script makes its worker, in a page of somebody else's.
    fn foreign(&self) -> bool {
        reflected(&self.shell, "start").is_function()
    }
}

impl Link {
    /// Takes over the shell's worker, or starts one as the shell says, and replays what it said so far.
    pub fn connect(shell: JsValue, hear: impl Fn(Message<Event>) + 'static) -> Self {
        let part = |name: &str| reflected(&shell, name);
        let text = |name: &str, default: &str| part(name).as_string().unwrap_or_else(|| default.to_string());
        let link = Self(Rc::new(RefCell::new(Inner {
            shell: shell.clone(),
            url: text("url", "./worker.js"),
            bindings: text("bindings", "./site.js"),
            worker: None,
            ready: false,
            queue: VecDeque::new(),
            next_id: 1,
            hear: Some(Rc::new(hear)),
            refused: false,
            closures: Vec::new(),
        })));
        match part("worker").dyn_into::<Worker>() {
            Ok(worker) => {
                link.adopt(worker);
                if let Ok(messages) = part("messages").dyn_into::<Array>() {
                    messages.iter().filter_map(|m| m.dyn_into::<MessageEvent>().ok()).for_each(|m| link.on_message(&m.data()));
                }
                if part("failed").is_truthy() {
                    link.refuse();
                }
            }
            Err(_) => link.start(),
        }
        link
    }

    fn start(&self) {
        let shell = self.0.borrow().shell.clone();
        // In a page of another origin a worker takes more than its address; the widget's script knows how.
        let made = match reflected(&shell, "start").dyn_into::<Function>() {
            Ok(start) => start.call0(&shell).ok().and_then(|worker| worker.dyn_into::<Worker>().ok()),
            Err(_) => self.plain(),
        };
        let Some(worker) = made else { return self.refuse() };
        // The worker is another instance of what runs here.
        let _ = worker.post_message(&wasm_bindgen::module());
        // The shell's handle stays true, for automation and benchmarks.
        let _ = Reflect::set(&shell, &"worker".into(), &worker);
        self.adopt(worker);
    }

    fn plain(&self) -> Option<Worker> {
        let inner = self.0.borrow();
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        options.set_name(&inner.bindings);
        Worker::new_with_options(&inner.url, &options).ok()
    }

    /// The worker could not be started: one that speaks tells by itself why it stops. Then this thread does what it can.
    fn refuse(&self) {
        let mut inner = self.0.borrow_mut();
        if inner.ready || std::mem::replace(&mut inner.refused, true) {
            return;
        }
        if let Some(worker) = inner.worker.take() {
            worker.terminate();
        }
        let bindings = inner.bindings.clone();
        drop(inner);
        let link = self.clone();
        spawn_local(async move {
            let Ok(made) = here(&bindings, &wasm_bindgen::module()).await else { return link.mourn() };
            let worker = made.unchecked_into::<Worker>();
            let wanted = link.0.borrow().hear.is_some() && link.0.borrow().worker.is_none();
            if wanted {
                link.adopt(worker);
            } else {
                // The link has ended meanwhile.
                worker.terminate();
            }
        });
    }

    /// There is nothing that trains.
    fn mourn(&self) {
        let hear = self.0.borrow().hear.clone();
        if let Some(hear) = hear {
            let error = UserError::new("What trains could not be started: part of Downhill cannot be loaded.")
                .hint("Look whether the network is there, then reload the page.");
            hear(Message::new(Event::Error { id: None, error }));
        }
    }

    fn adopt(&self, worker: Worker) {
        let link = self.clone();
        let closure = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| link.on_message(&event.data()));
        worker.set_onmessage(Some(closure.as_ref().unchecked_ref()));
        let link = self.clone();
        let failed = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            // What is told in a sentence here is no error of the page around it; our own page is to see what it is.
            let inner = link.0.borrow();
            if !inner.ready || inner.foreign() {
                event.prevent_default();
            }
            drop(inner);
            link.refuse();
        });
        worker.set_onerror(Some(failed.as_ref().unchecked_ref()));
        let mut inner = self.0.borrow_mut();
        inner.worker = Some(worker);
        inner.closures.extend([closure, failed]);
    }

    fn on_message(&self, data: &JsValue) {
        // Anything else is not ours: a benchmark speaks to the same worker in plain objects.
        let Ok(message) = from_js::<Event>(data) else { return };
        if matches!(message.header, Event::Ready { .. }) {
            self.flush();
        }
        let hear = self.0.borrow().hear.clone();
        if let Some(hear) = hear {
            hear(message);
        }
    }

    fn flush(&self) {
        let queue = {
            let mut inner = self.0.borrow_mut();
            inner.ready = true;
            std::mem::take(&mut inner.queue)
        };
        for message in queue {
            self.post(message);
        }
    }

    fn post(&self, outgoing: Outgoing) {
        let mut inner = self.0.borrow_mut();
        if !inner.ready {
            inner.queue.push_back(outgoing);
            return;
        }
        let (message, file) = outgoing;
        if let (Some(worker), Ok((value, transfer))) = (&inner.worker, to_js(&message, file.as_slice())) {
            let _ = worker.post_message_with_transfer(&value, &transfer);
        }
    }

    /// Sends a command and returns its number.
    pub fn send(&self, command: Command) -> u32 {
        self.send_with(Arrays::default(), command)
    }

    /// Sends a command with bulk data and returns its number.
    pub fn send_with(&self, arrays: Arrays, command: Command) -> u32 {
        let id = self.next_id();
        self.post((arrays.with(Request { id, command }), None));
        id
    }

    /// Hands a file over with a command, whose only blob it is, and returns the command's number. The page has the buffer no more.
    pub fn send_file(&self, file: ArrayBuffer, command: impl FnOnce(BlobRef) -> Command) -> u32 {
        let id = self.next_id();
        self.post((Message::new(Request { id, command: command(BlobRef(0)) }), Some(file)));
        id
    }

    fn next_id(&self) -> u32 {
        let mut inner = self.0.borrow_mut();
        inner.next_id += 1;
        inner.next_id
    }

    /// Ends the worker and starts a new one; what was queued is forgotten.
    pub fn restart(&self) {
        self.stop();
        self.start();
    }

    /// Ends the worker for good, and with it what listens to it.
    pub fn end(&self) {
        self.stop();
        let mut inner = self.0.borrow_mut();
        inner.hear = None;
        inner.closures.clear();
    }

    fn stop(&self) {
        let mut inner = self.0.borrow_mut();
        inner.refused = false;
        if let Some(worker) = inner.worker.take() {
            worker.set_onmessage(None);
            worker.set_onerror(None);
            worker.terminate();
        }
        inner.ready = false;
        inner.queue.clear();
    }
}

/// A property of an object; `undefined` where there is none.
pub fn reflected(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &name.into()).unwrap_or(JsValue::UNDEFINED)
}
