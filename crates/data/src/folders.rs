//! What the path of a file in a folder or an archive says: the class of what it holds, and whether that is held out.

/// Folders whose files are held out.
const HELD_OUT: [&str; 4] = ["test", "val", "valid", "validation"];

/// The class of a file, the name of the innermost folder that is none of a part; none for a file that lies in no such folder. And whether one
/// of its folders holds it out.
pub fn class_of(path: &str) -> (Option<&str>, bool) {
    let is_part = |part: &&str| HELD_OUT.contains(&part.to_ascii_lowercase().as_str());
    let folders = path.rsplit_once('/').map_or("", |(folders, _)| folders);
    let class = folders.rsplit('/').find(|part| !part.is_empty() && !is_part(part));
    (class, folders.split('/').any(|part| is_part(&part)))
}

/// Whether a file is one of the system's own, as archives carry them along.
pub fn is_hidden(path: &str) -> bool {
    path.split('/').any(|part| part.starts_with('.') || part == "__MACOSX")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_is_the_folder_and_a_test_folder_holds_out() {
        assert_eq!(class_of("cat/1.png"), (Some("cat"), false));
        assert_eq!(class_of("pets/test/cat/1.png"), (Some("cat"), true));
        assert_eq!(class_of("cat/val/1.png"), (Some("cat"), true));
        assert_eq!((class_of("1.png"), class_of("test/1.png")), ((None, false), (None, true)));
        assert!(is_hidden("a/.DS_Store") && is_hidden("__MACOSX/a/1.wav") && !is_hidden("a.b/1.wav"));
    }
}
