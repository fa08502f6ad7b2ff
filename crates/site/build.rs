//! How a release build is linked. Half the usual stack: static data lies behind it and so below 2^20, where an address takes a byte less, and
//! there are thousands of addresses; unoptimised code needs the usual one. And with relocations, from which `web/parts.mjs` reads what refers
//! to what.

fn main() {
    let of = |name: &str| std::env::var(name).unwrap_or_default();
    if of("CARGO_CFG_TARGET_ARCH") == "wasm32" && of("PROFILE") == "release" {
        println!("cargo::rustc-link-arg-bins=-zstack-size=524288");
        println!("cargo::rustc-link-arg-bins=--emit-relocs");
    }
    println!("cargo::rerun-if-changed=build.rs");
}
