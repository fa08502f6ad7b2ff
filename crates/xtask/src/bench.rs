//! `cargo xtask bench`.

use anyhow::Result;

/// Not yet.
pub fn run(_args: &[String]) -> Result<()> {
    anyhow::bail!("the benchmark is not here yet")
}
