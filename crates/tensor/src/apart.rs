//! Code that the page does without at first.

/// Calls `f`. Where the page's wasm is cut in two (`web/parts.mjs`), what is reached through such a call alone lies in the part that is fetched
/// later: whoever gets here has waited for it, as a run does before it takes up an experiment that needs it.
#[inline(never)]
pub fn apart<T>(f: impl FnOnce() -> T) -> T {
    f()
}
