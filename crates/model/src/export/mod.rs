//! The way out: an experiment as a program of another framework.

mod pytorch;

pub(crate) use pytorch::modules;
pub use pytorch::train_py;
