//! Writes the TypeScript types of what scripts give and get, which are committed. `cargo xtask schema` runs it.

#![allow(clippy::print_stdout, reason = "a command talks on stdout")]

use std::path::Path;

const TYPES: &str = "web/src/embed/types.ts";

fn main() -> std::io::Result<()> {
    let text = downhill_protocol::typescript::generate();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(TYPES);
    if std::fs::read_to_string(&path).is_ok_and(|before| before == text) {
        println!("{TYPES}: is current");
        return Ok(());
    }
    println!("{TYPES}: written");
    std::fs::write(path, text)
}
