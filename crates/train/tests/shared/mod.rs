//! What tests of both backends share.

#![allow(clippy::unwrap_used, reason = "a helper that cannot go on has failed its test")]

use downhill_data::Bundled;
use downhill_model::Experiment;
use downhill_train::{DeviceOptions, GpuDevice, Session, open};

/// A run that takes no time.
pub const SPIRALS: &str = r#"{ "version": 1, "seed": 3, "data": { "spirals": { "samples": 200 } }, "view": { "pace": "max" },
    "model": [{ "linear": { "out": 6 } }, "tanh", { "linear": { "out": "classes" } }],
    "optimizer": { "adam": { "lr": 0.01 } }, "training": { "batch_size": 16, "eval_every": 100, "steps": 300 } }"#;

/// The GPU; natively none where there is no adapter (Mesa's lavapipe is one), which is said, unless `DOWNHILL_REQUIRE_GPU` is set.
pub async fn device() -> Option<GpuDevice> {
    match open(&DeviceOptions::default()).await {
        Ok(device) => Some(device),
        Err(error) if cfg!(target_arch = "wasm32") || std::env::var_os("DOWNHILL_REQUIRE_GPU").is_some() => panic!("{error}"),
        Err(error) => {
            eprintln!("skipped on the GPU: {error}");
            None
        }
    }
}

/// A session of a document.
pub fn session(document: &str) -> Session {
    Session::new(Experiment::parse(document).unwrap().experiment, &Bundled).unwrap()
}

/// The losses of the next steps.
pub async fn losses(session: &mut Session, steps: u64) -> Vec<(u64, f32)> {
    session.keep_losses();
    session.step(steps);
    session.run_until_rest().await.unwrap();
    session.take_losses()
}

/// Asserts that two loss curves agree. Both sum in f32, in different orders, and fifty steps let that grow.
pub fn assert_curves_agree(what: &str, cpu: &[(u64, f32)], gpu: &[(u64, f32)]) {
    assert_eq!(cpu.len(), gpu.len(), "{what}");
    for ((step, a), (other, b)) in cpu.iter().zip(gpu) {
        assert_eq!(step, other, "{what}");
        assert!((a - b).abs() <= 1e-3 * a.abs() + 1e-5, "{what} step {step}: {a} on the CPU, {b} on the GPU");
    }
}
