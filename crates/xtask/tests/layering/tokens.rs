//! Rust's text as words, strings and signs: what is left of a source file without comments, numbers and lifetimes, and without what is
//! compiled for tests only.

/// A word of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// A name or a keyword.
    Word(String),
    /// What stands in a string, as it is written.
    Text(String),
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

/// Takes a source file apart and leaves out what stands under `#[cfg(test)]` or `#[cfg(all(test, …))]`.
pub fn product_tokens(text: &str) -> Vec<Token> {
    let all = tokens(text);
    let (mut at, mut kept) = (0, Vec::new());
    while let Some(token) = all.get(at) {
        if is_test_only(&all[at..]) {
            at = end_of_item(&all, at);
        } else {
            kept.push(token.clone());
            at += 1;
        }
    }
    kept
}

fn is_test_only(tokens: &[Token]) -> bool {
    let word = |at: usize, word: &str| tokens.get(at).is_some_and(|token| token.is_word(word));
    let cfg = tokens.starts_with(&[Token::Sign('#'), Token::Sign('[')]) && word(2, "cfg");
    cfg && word(if word(4, "all") { 6 } else { 4 }, "test")
}

/// Behind the item that follows an attribute: its semicolon, or the end of its block.
fn end_of_item(tokens: &[Token], from: usize) -> usize {
    let (mut depth, mut is_use) = (0usize, false);
    for (at, token) in tokens.iter().enumerate().skip(from) {
        is_use |= token.is_word("use");
        match token {
            Token::Sign('{' | '(' | '[') => depth += 1,
            Token::Sign(close @ ('}' | ')' | ']')) => {
                depth = depth.saturating_sub(1);
                if depth == 0 && *close == '}' && !is_use {
                    return at + 1;
                }
            }
            Token::Sign(';') if depth == 0 => return at + 1,
            _ => {}
        }
    }
    tokens.len()
}

fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let (mut i, mut out) = (0, Vec::new());
    while i < chars.len() {
        match chars[i] {
            '/' if at(i + 1) == '/' => i = end_of_line(&chars, i),
            '/' if at(i + 1) == '*' => i = end_of_comment(&chars, i),
            '"' => {
                let end = end_of_string(&chars, i);
                out.push(Token::Text(chars[i + 1..(end - 1).min(chars.len()).max(i + 1)].iter().collect()));
                i = end;
            }
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
                    let close = end_of_raw_string(&chars, end + hashes + 1, hashes);
                    out.push(Token::Text(chars[end + hashes + 1..(close - 1 - hashes).max(end + hashes + 1)].iter().collect()));
                    close
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
fn comments_numbers_characters_and_lifetimes_are_no_words_and_strings_are_texts() {
    let text = r##"fn a<'b>() { /* c /* d */ */ "e \" f"; r#"g "h"#; 'i'; '\''; b"j"; 12u8; k::l } // m"##;
    let of = |pick: fn(&Token) -> Option<&String>| tokens(text).iter().filter_map(pick).cloned().collect::<Vec<_>>();
    assert_eq!(of(|t| if let Token::Word(word) = t { Some(word) } else { None }), ["fn", "a", "k", "l"]);
    assert_eq!(of(|t| if let Token::Text(text) = t { Some(text) } else { None }), [r#"e \" f"#, r#"g "h"#, "j"]);
}

#[test]
fn what_is_compiled_for_tests_only_is_left_out() {
    let text = "a; #[cfg(test)] use b::{c, d}; #[cfg(all(test, unix))] mod e { fn f() {} } #[cfg(test)] mod g; #[cfg(unix)] h;";
    let words: Vec<String> =
        product_tokens(text).into_iter().filter_map(|t| if let Token::Word(word) = t { Some(word) } else { None }).collect();
    assert_eq!(words, ["a", "cfg", "unix", "h"]);
}
