//! The states take up their next values at the end of a step.

use std::fmt;

use super::KernelDef;
use super::operands::Operands;

/// Copies the next values of all states over the states, at the places that the state layout gives. While the sticky flag is not 0 it does
/// nothing, so that a step whose loss or gradients are not finite leaves the states as they were: it stands behind the update, which raises
/// the flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AssignSpec {
    /// Elements of all states, padding included.
    pub len: u32,
}

impl KernelDef for AssignSpec {
    const FAMILY: &'static str = "assign";
    const EFFECT: bool = true;

    fn check(&self) -> Result<(), String> {
        if self.len == 0 || !self.len.is_multiple_of(4) {
            return Err(format!("{} elements of state, which are padded to fours", self.len));
        }
        Ok(())
    }

    /// None: what lies in the state is found there.
    fn operands(&self) -> Operands {
        Operands::default()
    }

    fn flops(&self) -> u64 {
        0
    }

    fn bytes(&self) -> u64 {
        8 * u64::from(self.len)
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "assign {}", self.len)
    }
}
