//! The panels, one file each.

pub mod backend;
pub mod chart_options;
#[cfg(feature = "charts")]
pub mod charts;
pub mod code;
pub mod compare;
pub mod csv;
pub mod data;
pub mod dialog;
pub mod draw;
pub mod drawer;
pub mod header;
pub mod help;
pub mod inspector;
pub mod layers;
pub mod network;
pub mod notices;
pub mod output;
pub mod predictions;
pub mod profile;
pub mod program;
pub mod stage;
pub mod training;
pub mod weights;
