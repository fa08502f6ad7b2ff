//! Rust's text as words and signs: what is left of a source file without comments, strings, numbers and lifetimes.

/// A word of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// A name or a keyword.
    Word(String),
    /// `::`
    Path,
    /// Any other sign.
    Sign(char),
}

impl Token {
    /// Whether it is this name or keyword.
    pub fn is_word(&self, word: &str) -> bool {
        matches!(self, Token::Word(own) if own == word)
    }
}

/// Takes a source file apart.
pub fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let (mut i, mut out) = (0, Vec::new());
    while i < chars.len() {
        match chars[i] {
            '/' if at(i + 1) == '/' => i = end_of_line(&chars, i),
            '/' if at(i + 1) == '*' => i = end_of_comment(&chars, i),
            '"' => i = end_of_string(&chars, i),
            '\'' => i = end_of_quote(&chars, i),
            ':' if at(i + 1) == ':' => {
                out.push(Token::Path);
                i += 2;
            }
            c if c.is_alphanumeric() || c == '_' => {
                let end = (i..chars.len()).find(|&k| !(chars[k].is_alphanumeric() || chars[k] == '_')).unwrap_or(chars.len());
                let word: String = chars[i..end].iter().collect();
                let hashes = (end..chars.len()).take_while(|&k| chars[k] == '#').count();
                i = if matches!(word.as_str(), "r" | "br") && at(end + hashes) == '"' {
                    end_of_raw_string(&chars, end + hashes + 1, hashes)
                } else if word == "b" && matches!(at(end), '"' | '\'') {
                    end
                } else {
                    if !c.is_ascii_digit() {
                        out.push(Token::Word(word));
                    }
                    end
                };
            }
            c => {
                if !c.is_whitespace() {
                    out.push(Token::Sign(c));
                }
                i += 1;
            }
        }
    }
    out
}

fn end_of_line(chars: &[char], from: usize) -> usize {
    (from..chars.len()).find(|&k| chars[k] == '\n').unwrap_or(chars.len())
}

/// Comments stand inside comments.
fn end_of_comment(chars: &[char], from: usize) -> usize {
    let (mut depth, mut i) = (0, from);
    while i < chars.len() {
        match (chars[i], chars.get(i + 1)) {
            ('/', Some('*')) => (depth, i) = (depth + 1, i + 2),
            ('*', Some('/')) => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
        if depth == 0 {
            break;
        }
    }
    i
}

fn end_of_string(chars: &[char], from: usize) -> usize {
    let mut i = from + 1;
    while i < chars.len() && chars[i] != '"' {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    i + 1
}

fn end_of_raw_string(chars: &[char], from: usize, hashes: usize) -> usize {
    let closes = |k: usize| chars[k] == '"' && (1..=hashes).all(|n| chars.get(k + n) == Some(&'#'));
    (from..chars.len()).find(|&k| closes(k)).map_or(chars.len(), |k| k + 1 + hashes)
}

/// `'a'` and `'\n'` are characters, `'a` is a lifetime.
fn end_of_quote(chars: &[char], from: usize) -> usize {
    if chars.get(from + 1) == Some(&'\\') {
        return (from + 3..chars.len()).find(|&k| chars[k] == '\'').map_or(chars.len(), |k| k + 1);
    }
    if chars.get(from + 2) == Some(&'\'') {
        return from + 3;
    }
    (from + 1..chars.len()).find(|&k| !(chars[k].is_alphanumeric() || chars[k] == '_')).unwrap_or(chars.len())
}

#[test]
fn strings_comments_characters_and_lifetimes_are_no_words() {
    let text = r##"fn a<'b>() { /* c /* d */ */ "e \" f"; r#"g "h"#; 'i'; '\''; b"j"; 12u8; k::l } // m"##;
    let words: Vec<String> =
        tokens(text).into_iter().filter_map(|t| if let Token::Word(word) = t { Some(word) } else { None }).collect();
    assert_eq!(words, ["fn", "a", "k", "l"]);
}
