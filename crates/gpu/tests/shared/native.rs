//! The device of native tests.

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
