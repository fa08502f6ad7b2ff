//! The shaders' texts, which are downloaded, without what only people read: comments were a quarter of them.

/// The text of a file in `wgsl/` without its comments.
macro_rules! wgsl {
    ($name:literal) => {{
        const TEXT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wgsl/", $name));
        const LENGTH: usize = $crate::wgsl::without_comments::<0>(TEXT).1;
        const KEPT: [u8; LENGTH] = $crate::wgsl::without_comments(TEXT).0;
        match std::str::from_utf8(&KEPT) {
            Ok(text) => text,
            Err(_) => panic!("lines are kept or dropped as a whole"),
        }
    }};
}

/// The lines of `text` that are not a comment, as far as `N` bytes hold them, and how many bytes they are. `//@` marks a place that is
/// filled in, and is no comment.
pub(crate) const fn without_comments<const N: usize>(text: &str) -> ([u8; N], usize) {
    let text = text.as_bytes();
    let mut kept = [0; N];
    let mut length = 0;
    let mut at = 0;
    while at < text.len() {
        let mut first = at;
        while first < text.len() && text[first] == b' ' {
            first += 1;
        }
        let comment = first + 2 < text.len() && text[first] == b'/' && text[first + 1] == b'/' && text[first + 2] == b' ';
        let mut ended = false;
        while at < text.len() && !ended {
            if !comment && length < N {
                kept[length] = text[at];
            }
            length += !comment as usize;
            ended = text[at] == b'\n';
            at += 1;
        }
    }
    (kept, length)
}

#[cfg(test)]
mod tests {
    use super::without_comments;

    #[test]
    fn whole_lines_of_comment_go_and_all_else_stays() {
        const TEXT: &str = "// Ünï\n\nfn f() {\n    // why\n    //@body\n    return 1 / 2;\n}\n// end";
        let (kept, length) = without_comments::<64>(TEXT);
        assert_eq!(std::str::from_utf8(&kept[..length]), Ok("\nfn f() {\n    //@body\n    return 1 / 2;\n}\n"));
        assert_eq!(without_comments::<3>(TEXT), (*b"\nfn", length));
    }
}
