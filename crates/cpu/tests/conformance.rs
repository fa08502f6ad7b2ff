//! Native: every op's cases, and random programs.

#![cfg(not(target_arch = "wasm32"))]

use downhill_compile::conformance::{all_cases_agree, block_on, check_chain};
use downhill_graph::arbitrary::{Program, programs, training_programs};
use proptest::prelude::{ProptestConfig, TestCaseError, proptest};
use shared::Cpu;

mod shared;

fn agrees(name: &str, program: &Program) -> Result<(), TestCaseError> {
    block_on(check_chain(&Cpu, name, &program.graph, &program.env, 2e-4)).map_err(TestCaseError::fail)
}

#[test]
fn every_case_of_every_op_gives_what_the_interpreter_gives() {
    block_on(all_cases_agree(&Cpu));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_programs_give_what_the_interpreter_gives(program in programs()) {
        agrees("program", &program)?;
    }

    #[test]
    fn random_gradients_are_those_of_the_interpreter(program in training_programs()) {
        agrees("training program", &program)?;
    }
}
