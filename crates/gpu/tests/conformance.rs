//! Native: every op's cases and random programs, on the adapter that is there.

#![cfg(not(target_arch = "wasm32"))]

mod shared;

use downhill_compile::conformance::{all_cases_agree, block_on, check_chain};
use downhill_gpu::DeviceOptions;
use downhill_graph::arbitrary::{Program, programs, training_programs};
use proptest::prelude::{ProptestConfig, TestCaseError};
use proptest::test_runner::TestRunner;
use shared::native::{device, open};
use shared::{Gpu, products};

#[test]
fn every_case_of_every_op_gives_what_the_interpreter_gives() {
    let Some(device) = device() else { return };
    block_on(all_cases_agree(&Gpu(&device)));
}

#[test]
fn large_products_give_what_the_interpreter_gives() {
    let Some(device) = device() else { return };
    block_on(products::agree(&device));
}

#[test]
fn the_kernels_of_gpus_do_so_on_a_software_adapter_too() {
    let Some(device) = open(&DeviceOptions { as_hardware: true, ..DeviceOptions::default() }) else { return };
    block_on(all_cases_agree(&Gpu(&device)));
    block_on(products::agree(&device));
}

#[test]
fn random_programs_and_gradients_give_what_the_interpreter_gives() {
    let Some(device) = device() else { return };
    // Every program is a handful of new shaders, which software adapters take long to compile.
    let config = ProptestConfig { cases: 20, failure_persistence: None, ..ProptestConfig::default() };
    let check = |program: Program| {
        block_on(check_chain(&Gpu(&device), "program", &program.graph, &program.env, 2e-4)).map_err(TestCaseError::fail)
    };
    TestRunner::new(config.clone()).run(&programs(), check).expect("programs agree");
    TestRunner::new(config).run(&training_programs(), check).expect("gradients agree");
}
