//! The training session and its worker.

#[cfg(target_arch = "wasm32")]
pub mod worker;
