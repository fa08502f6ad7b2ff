//! The page: panels around a store of signals, a link to the training worker, and pictures painted once per animation frame.
//!
//! It does no mathematics of learning: what it shows was computed by the worker, and what can be chosen comes from the model's
//! schema. It never sees the engine.

#[cfg(target_arch = "wasm32")]
mod address;
#[cfg(target_arch = "wasm32")]
mod api;
#[cfg(target_arch = "wasm32")]
mod around;
#[cfg(target_arch = "wasm32")]
mod asked;
#[cfg(target_arch = "wasm32")]
mod canvas;
pub mod catalog;
pub mod controls;
pub mod document;
#[cfg(target_arch = "wasm32")]
mod drawing;
pub mod fields;
#[cfg(target_arch = "wasm32")]
mod files;
#[cfg(target_arch = "wasm32")]
mod focus;
#[cfg(target_arch = "wasm32")]
mod forms;
#[cfg(target_arch = "wasm32")]
mod icons;
#[cfg(target_arch = "wasm32")]
mod keeping;
pub mod leaving;
pub mod machine;
#[cfg(target_arch = "wasm32")]
mod media;
#[cfg(target_arch = "wasm32")]
mod opening;
#[cfg(target_arch = "wasm32")]
mod own_file;
#[cfg(target_arch = "wasm32")]
pub mod page;
#[cfg(target_arch = "wasm32")]
mod panels;
#[cfg(target_arch = "wasm32")]
mod place;
pub mod plot;
#[cfg(target_arch = "wasm32")]
mod probing;
#[cfg(target_arch = "wasm32")]
mod reactive;
#[cfg(target_arch = "wasm32")]
mod session;
#[cfg(target_arch = "wasm32")]
mod shortcuts;
#[cfg(target_arch = "wasm32")]
mod sliders;
#[cfg(target_arch = "wasm32")]
pub mod state;
#[cfg(target_arch = "wasm32")]
mod taking;
#[cfg(target_arch = "wasm32")]
mod telling;
#[cfg(target_arch = "wasm32")]
mod texts;
#[cfg(target_arch = "wasm32")]
mod theme;
#[cfg(target_arch = "wasm32")]
mod turns;
#[cfg(target_arch = "wasm32")]
mod umap;
#[cfg(target_arch = "wasm32")]
pub mod views;
pub mod watches;
#[cfg(target_arch = "wasm32")]
mod watching;
#[cfg(target_arch = "wasm32")]
pub mod widget;
#[cfg(target_arch = "wasm32")]
mod worker;
