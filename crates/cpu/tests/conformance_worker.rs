//! The cases of all ops on wasm SIMD, in a dedicated worker of a browser.

#![cfg(target_arch = "wasm32")]

use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

mod shared;

wasm_bindgen_test_configure!(run_in_dedicated_worker);

#[wasm_bindgen_test]
fn every_case_of_every_op_gives_what_the_interpreter_gives() {
    shared::all_cases_agree();
}
