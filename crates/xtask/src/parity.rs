//! `cargo xtask parity`.

use anyhow::Result;

/// Not yet.
pub fn compare(_args: &[String]) -> Result<()> {
    anyhow::bail!("parity is not here yet")
}
/// Not yet.
pub fn write_fixtures(_args: &[String]) -> Result<()> {
    anyhow::bail!("parity is not here yet")
}
