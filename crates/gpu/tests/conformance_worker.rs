//! The cases of all ops on browser WebGPU, in a dedicated worker.

#![cfg(target_arch = "wasm32")]

use downhill_compile::Completed;
use downhill_compile::conformance::{all_cases_agree, net, step};
use downhill_cpu::CpuExecutor;
use downhill_gpu::{Clock, DeviceOptions, GpuDevice, self_test};
use shared::{Gpu, allocations, products};
use wasm_bindgen::JsValue;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

mod shared;

wasm_bindgen_test_configure!(run_in_dedicated_worker);

/// Whether this is a browser of Chromium's family.
fn names_adapters() -> bool {
    let read = |of: &JsValue, name: &str| js_sys::Reflect::get(of, &name.into()).expect("a worker has it");
    let navigator = read(&js_sys::global(), "navigator");
    read(&navigator, "userAgent").as_string().is_some_and(|agent| agent.contains("Chrome/"))
}

#[wasm_bindgen_test]
async fn the_self_test_passes_against_the_cpu() {
    let device = GpuDevice::request(&DeviceOptions::default()).await.expect("the browser has a software adapter");
    // Firefox says what its adapter is and keeps the name to itself.
    let told = if names_adapters() { "swiftshader" } else { "an adapter without a name" };
    assert!(device.adapter().software && device.adapter().name.contains(told), "{:?}", device.adapter());
    self_test(&device, &mut CpuExecutor::new()).await.expect("the device computes rightly");
}

#[wasm_bindgen_test]
async fn a_profile_and_the_ceilings_come_with_timestamps_and_without() {
    for no_timestamps in [false, true] {
        let options = DeviceOptions { no_timestamps, ..DeviceOptions::default() };
        let device = GpuDevice::request(&options).await.expect("the browser has a software adapter");
        let mut bench = net(&Gpu(&device), &[7, 33, 12, 3], 20);
        bench.step(&step(0, 0.1));
        let before = bench.arena().await;
        let profile = bench.executor.profile(bench.program, &step(1, 0.1)).await.expect("it answers");
        assert!(profile.clock == Clock::Replay || !no_timestamps);
        assert_eq!(profile.nanos.len(), bench.plan.steps.len());
        assert!(profile.nanos.iter().any(|nanos| *nanos > 0.0), "{profile:?}");
        assert_eq!(bench.arena().await, before);
        let ceilings = device.ceilings().await.expect("it answers");
        assert!(ceilings.bytes_per_second > 1e7 && ceilings.flops_per_second > 1e7, "{ceilings:?}");
    }
}

#[wasm_bindgen_test]
async fn every_case_of_every_op_gives_what_the_interpreter_gives() {
    let device = GpuDevice::request(&DeviceOptions::default()).await.expect("the browser has a software adapter");
    all_cases_agree(&Gpu(&device)).await;
}

#[wasm_bindgen_test]
async fn large_products_give_what_the_interpreter_gives() {
    let device = GpuDevice::request(&DeviceOptions::default()).await.expect("the browser has a software adapter");
    products::agree(&device).await;
}

#[wasm_bindgen_test]
async fn the_kernels_of_gpus_do_so_on_a_software_adapter_too() {
    let options = DeviceOptions { as_hardware: true, ..DeviceOptions::default() };
    let device = GpuDevice::request(&options).await.expect("the browser has a software adapter");
    all_cases_agree(&Gpu(&device)).await;
    products::agree(&device).await;
}

#[wasm_bindgen_test]
async fn a_step_beyond_the_first_of_a_submit_allocates_nothing() {
    let device = GpuDevice::request(&DeviceOptions::default()).await.expect("the browser has a software adapter");
    let (submit, _) = allocations::of_the_executor(&device).await;
    wasm_bindgen_test::console_log!("{submit:?}");
    assert_eq!(submit.several, submit.one);
}

#[wasm_bindgen_test]
async fn a_lost_device_is_told_and_ends_the_wait() {
    let device = GpuDevice::request(&DeviceOptions::default()).await.expect("the browser has a software adapter");
    let mut bench = net(&Gpu(&device), &[7, 33, 12, 3], 20);
    bench.step(&step(0, 0.1));
    bench.executor.finish().await;
    bench.step(&step(1, 0.1));
    device.destroy();
    let done = bench.completed().await;
    assert!(matches!(done.last(), Some(Completed::DeviceLost(_))), "{done:?}");
}
