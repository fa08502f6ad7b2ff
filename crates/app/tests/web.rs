//! The page without its worker: what a person does to the controls reaches the document, and what is wrong stays and says so.

#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used)]

use downhill_app::page::LabPage;
use leptos::mount::mount_to;
use leptos::prelude::*;
use leptos::task::tick;
use wasm_bindgen::JsCast;
use wasm_bindgen_test::*;
use web_sys::{Element, Event, HtmlElement, HtmlInputElement, HtmlSelectElement, HtmlTextAreaElement};

wasm_bindgen_test_configure!(run_in_browser);

/// The page on a fresh element, which is all that queries see. The body also holds the runner's own output.
async fn open() -> Element {
    // What another test typed would be kept as it is over a reload.
    window().session_storage().unwrap().unwrap().clear().unwrap();
    let host: HtmlElement = document().create_element("div").unwrap().unchecked_into();
    document().body().unwrap().append_child(&host).unwrap();
    mount_to(host.clone(), || view! { <LabPage/> }).forget();
    arrive(&host).await;
    host.into()
}

/// Effects that set off effects need a turn each.
async fn settle() {
    for _ in 0..4 {
        tick().await;
    }
}

/// The parts of the page come in tasks of their own; the drawer is the last.
async fn arrive(host: &Element) {
    while host.query_selector("#drawer").unwrap().is_none() {
        let turn = js_sys::Promise::new(&mut |resolve, _| {
            window().set_timeout_with_callback_and_timeout_and_arguments_0(&resolve, 1).unwrap();
        });
        wasm_bindgen_futures::JsFuture::from(turn).await.unwrap();
    }
    settle().await;
}

fn find<T: JsCast>(host: &Element, selector: &str) -> T {
    host.query_selector(selector).unwrap().unwrap_or_else(|| panic!("nothing matches {selector}")).unchecked_into()
}

async fn enter(input: &HtmlInputElement, text: &str) {
    input.set_value(text);
    input.dispatch_event(&Event::new("change").unwrap()).unwrap();
    settle().await;
}

async fn click(host: &Element, selector: &str) {
    find::<HtmlElement>(host, selector).click();
    settle().await;
}

async fn json(host: &Element) -> serde_json::Value {
    click(host, "#tab-Code").await;
    serde_json::from_str(&find::<HtmlTextAreaElement>(host, "[data-testid=code]").value()).unwrap()
}

#[wasm_bindgen_test]
async fn a_learning_rate_that_is_typed_reaches_the_document_and_the_arrow_takes_it_back() {
    let host = open().await;
    let before = json(&host).await["optimizer"].clone();
    let rate: HtmlInputElement = find(&host, "#f-optimizer-adam-lr");
    enter(&rate, "0.25").await;
    assert_eq!(json(&host).await["optimizer"]["adam"]["lr"], 0.25);
    click(&host, "[aria-label='Reset Learning rate']").await;
    let after = json(&host).await["optimizer"].clone();
    assert_ne!(after, before);
    assert!(after["adam"]["lr"].is_null(), "the default is not written down: {after}");
}

#[wasm_bindgen_test]
async fn what_is_no_number_stays_where_it_was_typed_with_a_sentence() {
    let host = open().await;
    let rate: HtmlInputElement = find(&host, "#f-optimizer-adam-lr");
    enter(&rate, "much").await;
    assert_eq!(rate.value(), "much");
    assert!(find::<HtmlElement>(&host, ".training [role=alert]").inner_text().contains("much"));
}

#[wasm_bindgen_test]
async fn a_value_out_of_range_is_refused_at_its_field_by_the_schema() {
    let host = open().await;
    enter(&find(&host, "#f-data-spirals-noise"), "7").await;
    assert!(find::<HtmlElement>(&host, ".data [role=alert]").inner_text().contains("out of range"));
    let banner = find::<HtmlElement>(&host, "[data-testid=problem]").inner_text();
    assert!(banner.contains("Noise") && !banner.contains("out of range") && !banner.contains("data."), "{banner}");
}

#[wasm_bindgen_test]
async fn text_that_is_no_experiment_is_kept_and_its_place_is_named() {
    let host = open().await;
    click(&host, "#tab-Code").await;
    let area: HtmlTextAreaElement = find(&host, "[data-testid=code]");
    let wrong = "{\n  \"version\": 1,\n  \"data\": \"spirals\",\n  \"model\": [{ \"linear\": { \"outt\": 3 } }]\n}";
    area.set_value(wrong);
    area.dispatch_event(&Event::new("input").unwrap()).unwrap();
    settle().await;
    let sentence = find::<HtmlElement>(&host, "[data-testid=code-error]").inner_text();
    assert!(sentence.contains("Line 4") && sentence.contains("out"), "{sentence}");
    click(&host, "#tab-Program").await;
    click(&host, "#tab-Code").await;
    assert_eq!(find::<HtmlTextAreaElement>(&host, "[data-testid=code]").value(), wrong);
}

#[wasm_bindgen_test]
async fn another_source_keeps_the_rest_and_makes_the_end_fit() {
    let host = open().await;
    click(&host, "[data-source=sine]").await;
    let doc = json(&host).await;
    assert!(doc["data"] == "sine" || doc["data"]["sine"].is_object(), "{doc}");
    assert_eq!(doc["loss"], "mse");
}

#[wasm_bindgen_test]
async fn forms_that_come_and_go_leave_memory_as_it_was() {
    let host = open().await;
    let choose = async |name: &str| {
        let list: HtmlSelectElement = find(&host, "#choose-optimizer");
        list.set_value(name);
        list.dispatch_event(&Event::new("change").unwrap()).unwrap();
        settle().await;
    };
    let again = async |times: u32| {
        for _ in 0..times {
            choose("sgd").await;
            choose("adam").await;
        }
        core::arch::wasm32::memory_size(0)
    };
    let before = again(50).await;
    let pages = again(300).await - before;
    // A signal that remembers the readers of forms that are gone takes more than twenty.
    assert!(pages <= 8, "{pages} pages of 64 KiB");
}
