//! Icons, drawn on a 16 × 16 grid.

use leptos::prelude::*;

/// An icon by name.
#[component]
pub fn Icon(
    /// Its name.
    name: &'static str,
) -> impl IntoView {
    let (path, filled) = match name {
        "play" => ("M5 3.2v9.6l7.5-4.800z", true),
        "pause" => ("M4 3h3v10H4zM9 3h3v10H9z", true),
        "step" => ("m4 3.500 6 4.500-6 4.500zM12 3.500v9", false),
        "reset" => ("M3 8a5 5 0 1 0 1.600-3.700M3 2.500V5h2.500", false),
        "undo" => ("M3.500 6.500h6a3 3 0 0 1 0 6H7M3.500 6.500l2.500-2.500M3.500 6.500 6 9", false),
        "down" => ("m5 6.500 3 3 3-3", false),
        "left" => ("m9.500 4-4 4 4 4", false),
        "right" => ("m6.500 4 4 4-4 4", false),
        "plus" => ("M8 3.500v9M3.500 8h9", false),
        "close" => ("m4 4 8 8M12 4l-8 8", false),
        "share" => (
            "M6.500 9.500 9.500 6.500M7 5l1.500-1.500a2.600 2.600 0 0 1 4 4L11 9M9 11l-1.500 1.500a2.600 2.600 0 0 1-4-4L5 7",
            false,
        ),
        "export" => ("M8 2.500v7.500M5 7l3 3 3-3M3 10.500v2.500h10v-2.500", false),
        "bin" => ("M3.500 4.500h9M6.500 4.500V3h3v1.500M5 4.500l.5 8.500h5l.5-8.500", false),
        "embed" => ("M5.500 4.500 2 8l3.500 3.500M10.500 4.500 14 8l-3.500 3.500", false),
        "lock" => ("M4 7.500h8v5.500H4zM5.500 7.500V5.500a2.500 2.500 0 0 1 5 0v2", false),
        "pen" => ("m3 13 .8-3L11 2.800l2.200 2.200L6 12.200z", false),
        "copy" => ("M5.500 5.500h7v7h-7zM3.500 10.500v-7h7", false),
        "sun" => (
            "M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6M8 1.500v1.500M8 13v1.500M1.500 8H3M13 8h1.500M3.400 3.400l1 1M11.600 11.600l1 1M12.600 3.400l-1 1M4.400 11.600l-1 1",
            false,
        ),
        "moon" => ("M12.800 9.600A5.300 5.300 0 0 1 6.400 3.200a5.300 5.300 0 1 0 6.400 6.400", false),
        "system" => ("M8 2.500a5.500 5.500 0 1 0 0 11 5.500 5.500 0 0 0 0-11M8 2.500v11", false),
        _ => ("M3 8h10", false),
    };
    view! {
        <svg class="i" class:filled=filled viewBox="0 0 16 16" aria-hidden="true"><path d=path/></svg>
    }
}

/// The mark of Downhill: a ball on its way down.
#[component]
pub fn Mark() -> impl IntoView {
    view! {
        <svg class="mark" width="22" height="22" viewBox="0 0 22 22" aria-hidden="true">
            <path d="M2 4c5 0 5 12 10 12 3 0 3-4 5-4 1.500 0 2.500 1 3 2"/>
            <circle cx="12" cy="16" r="2.600"/>
        </svg>
    }
}
