//! The way out: an experiment as a program of another framework.

mod pytorch;

pub use pytorch::train_py;
