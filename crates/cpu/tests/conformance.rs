//! Native: every op's cases, and random programs.

#![cfg(not(target_arch = "wasm32"))]

use downhill_graph::arbitrary::{programs, training_programs};
use proptest::prelude::{ProptestConfig, TestCaseError, proptest};

mod shared;

#[test]
fn every_case_of_every_op_gives_what_the_interpreter_gives() {
    shared::all_cases_agree();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_programs_give_what_the_interpreter_gives(program in programs()) {
        shared::check("program", &program.graph, &program.env, 2e-4).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn random_gradients_are_those_of_the_interpreter(program in training_programs()) {
        shared::check("training program", &program.graph, &program.env, 2e-4).map_err(TestCaseError::fail)?;
    }
}
