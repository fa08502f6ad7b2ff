//! The device of native tests.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use downhill_gpu::{DeviceOptions, GpuDevice};

/// The adapter that is there; none skips the test, unless the environment asks for one.
pub fn device() -> Option<GpuDevice> {
    open(&DeviceOptions::default())
}

/// The same with options.
pub fn open(options: &DeviceOptions) -> Option<GpuDevice> {
    match GpuDevice::open(options) {
        Ok(device) => {
            eprintln!("on {} ({})", device.adapter().name, device.adapter().api);
            Some(device)
        }
        Err(why) => {
            assert!(std::env::var_os("DOWNHILL_REQUIRE_GPU").is_none(), "{why}");
            eprintln!("skipped: {why}");
            None
        }
    }
}

/// Runs a future on this thread.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
        std::thread::yield_now();
    }
}
