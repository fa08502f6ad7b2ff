//! A picture that is new to the page: it stands in this file, is registered by one line, and shows live tensors of a worker that has never
//! heard of it.

#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used)]

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use downhill_app::page::LabPage;
use downhill_app::state::Answers;
use downhill_app::views::Views;
use downhill_app::views::kinds::{ColumnInfo, LayerView};
use downhill_app::watches::{Ask, Source};
use downhill_protocol::wire::{from_js, to_js};
use downhill_protocol::{Event, Input, Message, PROTOCOL, Query, Request, View, stat};
use downhill_train::Conversation;
use js_sys::{Array, Object, Promise, Reflect};
use leptos::mount::mount_to;
use leptos::prelude::*;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use wasm_bindgen_test::*;
use web_sys::{HtmlElement, MessageEvent, MessageEventInit};

wasm_bindgen_test_configure!(run_in_browser);

/// What the layer gives for the next batch, and how the loss would change with its weights: no view of the page asks for that together.
struct NextBatch;

impl LayerView for NextBatch {
    fn fits(&self, info: &ColumnInfo) -> bool {
        info.at == 1
    }

    fn wants(&self, info: &ColumnInfo) -> Option<Ask> {
        let weight = info.column.wires.clone()?;
        let bins = Query { name: info.column.path.clone(), view: View::Histogram { bins: 5 } };
        let tensors = vec![Query::stats(info.column.path.clone()), bins, Query::all(format!("grad:{weight}"))];
        Some(Ask { source: Source::Of(Input::Batch), tensors, every_ms: 0.0 })
    }

    fn view(&self, info: Arc<ColumnInfo>, answers: Answers) -> AnyView {
        let text = move || {
            let answer = answers.get()?;
            let wants = NextBatch.wants(&info)?.tensors;
            let [numbers, bins, gradient] = [0, 1, 2].map(|i| answer.find(&wants[i]));
            let mean = stat(numbers?.data, "mean")?;
            Some(format!("{} {mean} {} {:?}", answer.step, bins?.column(1).sum::<f32>(), gradient?.shape))
        };
        view! { <p data-testid="next-batch">{text}</p> }.into_any()
    }
}

type Requests = Rc<RefCell<VecDeque<Message<Request>>>>;

/// A worker that lives in the page: what the link posts is carried out by the real conversation between two turns of the event loop.
fn worker() -> (Object, Requests) {
    let shape = "Object.create(Worker.prototype, { postMessage: { writable: true }, onmessage: { writable: true }, onerror: { writable: true } })";
    let worker: Object = js_sys::eval(shape).unwrap().unchecked_into();
    let requests = Requests::default();
    let queue = requests.clone();
    let post = Closure::<dyn FnMut(JsValue, JsValue)>::new(move |value: JsValue, _: JsValue| {
        queue.borrow_mut().extend(from_js::<Request>(&value).ok());
    });
    Reflect::set(&worker, &"postMessage".into(), &post.into_js_value()).unwrap();
    (worker, requests)
}

fn said(event: &Message<Event>) -> MessageEvent {
    let init = MessageEventInit::new();
    init.set_data(&to_js(event, &[]).unwrap().0);
    MessageEvent::new_with_event_init_dict("message", &init).unwrap()
}

async fn pause(milliseconds: u64) {
    let wait = Promise::new(&mut |resolve, _| {
        set_timeout(
            move || {
                resolve.call0(&JsValue::NULL).unwrap();
            },
            Duration::from_millis(milliseconds),
        );
    });
    JsFuture::from(wait).await.unwrap();
}

async fn serve(worker: Object, requests: Requests) {
    let mut conversation = Conversation::new();
    loop {
        let request = requests.borrow_mut().pop_front();
        if let Some(request) = request {
            conversation.handle(request).await;
        }
        conversation.advance(web_time::Instant::now() + Duration::from_millis(4)).await;
        let hear = Reflect::get(&worker, &"onmessage".into()).unwrap();
        for event in conversation.take_events() {
            hear.unchecked_ref::<js_sys::Function>().call1(&worker, &said(&event)).unwrap();
        }
        pause(2).await;
    }
}

#[wasm_bindgen_test]
async fn a_view_of_a_test_gets_live_tensors_by_one_line() {
    let (worker, requests) = worker();
    let ready = Event::Ready { protocol: PROTOCOL, build: String::new(), simd: "simd128".to_string() };
    let shell = Object::new();
    Reflect::set(&shell, &"worker".into(), &worker).unwrap();
    Reflect::set(&shell, &"messages".into(), &Array::of1(&said(&Message::new(ready)))).unwrap();
    Reflect::set(&js_sys::global(), &"downhillWorker".into(), &shell).unwrap();

    let host: HtmlElement = document().create_element("div").unwrap().unchecked_into();
    document().body().unwrap().append_child(&host).unwrap();
    let mut views = Views::default();
    views.layers.insert(0, &NextBatch);
    mount_to(host.clone(), move || view! { <LabPage views/> }).forget();
    spawn_local(serve(worker, requests));

    let text = || host.query_selector("[data-testid=next-batch]").unwrap().and_then(|p| p.text_content()).unwrap_or_default();
    let mut seen: Vec<String> = Vec::new();
    for _ in 0..500 {
        pause(20).await;
        let text = text();
        if !text.is_empty() && seen.last() != Some(&text) {
            seen.push(text);
        }
        if seen.len() >= 3 {
            break;
        }
    }
    assert!(seen.len() >= 3, "answers keep coming: {seen:?}");
    let parts: Vec<&str> = seen[2].splitn(4, ' ').collect();
    let [step, mean, counted, shape] = parts[..] else { panic!("four parts: {seen:?}") };
    assert!(step.parse::<u64>().unwrap() > 0 && mean.parse::<f64>().unwrap().abs() < 1.0, "{seen:?}");
    // Every element of `[batch, units]` falls into a bin; the gradient is shaped like the weight.
    assert!(counted.parse::<f32>().unwrap() >= 100.0 && shape.ends_with(", 2]"), "{seen:?}");
}
