//! Native: every op's cases, random programs, and the executor's promises about time, order, memory and repetition.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used)]

mod shared;

#[test]
fn every_case_of_every_op_gives_what_the_interpreter_gives() {
    shared::all_cases_agree();
}
