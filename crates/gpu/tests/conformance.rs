//! Native: every op's cases and random programs, on the adapter that is there.

#![cfg(not(target_arch = "wasm32"))]

mod shared;

use std::thread;

use downhill_compile::conformance::{block_on, cases_agree, check_chain};
use downhill_gpu::DeviceOptions;
use downhill_graph::arbitrary::{Program, programs, training_programs};
use proptest::prelude::{ProptestConfig, TestCaseError};
use proptest::test_runner::TestRunner;
use shared::native::{device, open};
use shared::{Gpu, products};

/// Threads that share the cases, each with a device of its own: most of the time goes to the compiler of shaders, which uses one.
const THREADS: usize = 2;

fn all_cases_agree(options: &DeviceOptions) {
    let share = |thread| {
        let Some(device) = open(options) else { return };
        block_on(cases_agree(&Gpu(&device), thread, THREADS));
    };
    // A thread that fails makes the scope fail.
    thread::scope(|scope| (0..THREADS).for_each(|thread| drop(scope.spawn(move || share(thread)))));
}

#[test]
fn every_case_of_every_op_gives_what_the_interpreter_gives() {
    all_cases_agree(&DeviceOptions::default());
}

#[test]
fn large_products_give_what_the_interpreter_gives() {
    let Some(device) = device() else { return };
    block_on(products::agree(&device));
}

#[test]
fn the_kernels_of_gpus_do_so_on_a_software_adapter_too() {
    let options = DeviceOptions { as_hardware: true, ..DeviceOptions::default() };
    all_cases_agree(&options);
    let Some(device) = open(&options) else { return };
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
