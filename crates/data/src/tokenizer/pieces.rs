//! Cuts a text into the pieces that never share a token: a word, a number or signs with the blank before it, and white space. The rule is
//! GPT-2's (`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`), so that a list of merges made elsewhere fits.

use super::letters::is_letter;

/// The pieces of a text, in their order; together they are the text. `"it's  two"` is `it`, `'s`, ` `, ` two`.
#[cfg(test)]
pub(super) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let piece = rest.get(..first(rest))?;
        rest = &rest[piece.len()..];
        (!piece.is_empty()).then_some(piece)
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Letter,
    Digit,
    White,
    Sign,
}

fn kind(c: char) -> Kind {
    match c {
        _ if c.is_whitespace() => Kind::White,
        _ if is_letter(c) => Kind::Letter,
        _ if c.is_numeric() => Kind::Digit,
        _ => Kind::Sign,
    }
}

/// The first piece of a text that is read as if a blank stood before it, with that blank, and how many bytes of the text it takes.
pub(super) fn first_behind_a_blank(text: &str) -> (String, usize) {
    let run = text.chars().next().map_or(0, |c| run(text, kind(c)));
    // What follows the run decides whether white space keeps its last blank.
    let seen = text[run..].chars().next().map_or(run, |next| run + next.len_utf8());
    let mut piece = format!(" {}", &text[..seen]);
    piece.truncate(first(&piece));
    let taken = piece.len() - 1;
    (piece, taken)
}

/// Bytes of the first piece.
pub(super) fn first(text: &str) -> usize {
    const ENDINGS: [&str; 7] = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"];
    if let Some(ending) = ENDINGS.iter().find(|ending| text.starts_with(**ending)) {
        return ending.len();
    }
    let blank = usize::from(text.starts_with(' '));
    let Some(next) = text[blank..].chars().next() else { return blank };
    if kind(next) != Kind::White {
        return blank + run(&text[blank..], kind(next));
    }
    let white = run(text, Kind::White);
    // The last blank before a word belongs to the word.
    let last = text[..white].chars().next_back().map_or(0, char::len_utf8);
    if white < text.len() && white > last { white - last } else { white }
}

/// Bytes of the characters of a kind at the start.
fn run(text: &str, of: Kind) -> usize {
    text.find(|c| kind(c) != of).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_as_gpt_2_cuts_it() {
        let cut = |text| pieces(text).collect::<Vec<_>>();
        assert_eq!(cut("Hello, it's 2 o'clock"), ["Hello", ",", " it", "'s", " 2", " o", "'", "clock"]);
        assert_eq!(cut("a  b\n\n  c "), ["a", " ", " b", "\n\n ", " c", " "]);
        assert_eq!(cut("x\ny\t\tz"), ["x", "\n", "y", "\t", "\t", "z"]);
        assert_eq!(cut("größe über12 !?"), ["größe", " über", "12", " !?"]);
        assert_eq!(cut("नमस्ते Ⅷ"), ["नमस", "्", "त", "े", " Ⅷ"]);
        assert_eq!(cut("  "), ["  "]);
        assert!(cut("").is_empty());
    }

    #[test]
    fn a_blank_before_a_text_belongs_to_its_first_piece() {
        for text in ["it's", "'s it", "12 a", "\n\n a", "\n", "\na", "  ", "?! x", "é"] {
            let whole = format!(" {text}");
            let (piece, taken) = first_behind_a_blank(text);
            assert_eq!((piece.as_str(), taken), (pieces(&whole).next().unwrap(), piece.len() - 1), "{text:?}");
        }
    }
}
