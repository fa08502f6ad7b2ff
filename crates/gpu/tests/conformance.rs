//! Native: every op's cases on the adapter that is there.

#![cfg(not(target_arch = "wasm32"))]

mod shared;

use shared::native::{block_on, device};

#[test]
fn every_case_of_every_op_gives_what_the_interpreter_gives() {
    let Some(device) = device() else { return };
    block_on(shared::all_cases_agree(&device));
}
