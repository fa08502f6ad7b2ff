//! The cases of all ops on wasm SIMD, in a dedicated worker of a browser.

#![cfg(target_arch = "wasm32")]

use downhill_compile::conformance::all_cases_agree;
use shared::Cpu;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

mod shared;

wasm_bindgen_test_configure!(run_in_dedicated_worker);

#[wasm_bindgen_test]
async fn every_case_of_every_op_gives_what_the_interpreter_gives() {
    all_cases_agree(&Cpu).await;
}
