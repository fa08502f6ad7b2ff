//! Where a field stands in JSON text, so that an error can point at it.

/// The byte range of the value at `path` (`model[1].linear.out`) in `text`; the nearest enclosing value where the path goes on
/// further than the text. `None` when the text is not JSON up to there.
pub fn find(text: &str, path: &str) -> Option<(usize, usize)> {
    let mut scan = Scan { bytes: text.as_bytes(), at: 0 };
    let mut rest: Vec<String> = keys(path);
    rest.reverse();
    let mut found = None;
    loop {
        scan.space();
        let start = scan.at;
        let mut probe = Scan { bytes: scan.bytes, at: start };
        probe.value(0)?;
        found = Some((start, probe.at)).or(found);
        let Some(key) = rest.pop() else { return found };
        let inside = match scan.bytes.get(start)? {
            b'{' => scan.enter_object(&key),
            b'[' => scan.enter_array(&key),
            _ => None,
        };
        if inside.is_none() {
            return found;
        }
    }
}

/// Line and column (both from 1) of a place that the reader of JSON names: `line 3, column 12`.
pub fn coordinates(place: &str) -> Option<(usize, usize)> {
    let (line, column) = place.strip_prefix("line ")?.split_once(", column ")?;
    Some((line.parse().ok()?, column.parse().ok()?))
}

/// The byte range of such a place: from there to the end of the word, or of the line where no word stands there.
pub fn at(text: &str, place: &str) -> Option<(usize, usize)> {
    let (line, column) = coordinates(place)?;
    let before: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let rest = text.get(before..)?.lines().next().unwrap_or_default();
    let from = column.saturating_sub(1).min(rest.len());
    let is_word = |c: char| c.is_alphanumeric() || "+-._".contains(c);
    let word = rest.get(from..)?;
    let length = word.find(|c| !is_word(c)).filter(|&length| length > 0).unwrap_or(word.len());
    Some((before + from, before + from + length))
}

/// The line (from 1) on which a byte stands.
pub fn line(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|&b| b == b'\n').count() + 1
}

fn keys(path: &str) -> Vec<String> {
    path.split(['.', '[', ']']).filter(|part| !part.is_empty()).map(str::to_string).collect()
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    fn space(&mut self) {
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        self.space();
        (self.bytes.get(self.at) == Some(&byte)).then(|| self.at += 1)
    }

    fn string(&mut self) -> Option<&str> {
        self.take(b'"')?;
        let start = self.at;
        loop {
            match self.bytes.get(self.at)? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        std::str::from_utf8(&self.bytes[start..self.at - 1]).ok()
    }

    /// Runs over one value.
    fn value(&mut self, depth: usize) -> Option<()> {
        const DEEPEST: usize = 64;
        self.space();
        match self.bytes.get(self.at)? {
            b'"' => self.string().map(|_| ()),
            open @ (b'{' | b'[') if depth < DEEPEST => {
                let (object, close) = (*open == b'{', if *open == b'{' { b'}' } else { b']' });
                self.at += 1;
                if self.take(close).is_some() {
                    return Some(());
                }
                loop {
                    if object {
                        self.string()?;
                        self.take(b':')?;
                    }
                    self.value(depth + 1)?;
                    if self.take(b',').is_none() {
                        return self.take(close);
                    }
                }
            }
            _ => {
                let start = self.at;
                while self.bytes.get(self.at).is_some_and(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b)) {
                    self.at += 1;
                }
                (self.at > start).then_some(())
            }
        }
    }

    /// Moves to the value of `key` of the object that begins here.
    fn enter_object(&mut self, key: &str) -> Option<()> {
        self.take(b'{')?;
        loop {
            let found = self.string()? == key;
            self.take(b':')?;
            if found {
                return Some(());
            }
            self.value(0)?;
            self.take(b',')?;
        }
    }

    /// Moves to the item `index` of the array that begins here.
    fn enter_array(&mut self, index: &str) -> Option<()> {
        self.take(b'[')?;
        for _ in 0..index.parse::<usize>().ok()? {
            self.value(0)?;
            self.take(b',')?;
        }
        self.space();
        (self.bytes.get(self.at) != Some(&b']')).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "{ \"a\": [1, { \"b\": \"x\\\"]\" }],\n  \"model\": [\"tanh\", { \"linear\": { \"out\": 8 } }] }";

    #[test]
    fn a_path_leads_to_its_value_or_the_nearest_around_it() {
        let at = |path| find(TEXT, path).map(|(a, b)| &TEXT[a..b]);
        assert_eq!(at("model[1].linear.out"), Some("8"));
        assert_eq!(at("model[0]"), Some("\"tanh\""));
        assert_eq!(at("model[1].linear.bias"), Some("{ \"out\": 8 }"));
        assert_eq!(at("a[1].b"), Some("\"x\\\"]\""));
        assert_eq!(at("model[9]"), Some("[\"tanh\", { \"linear\": { \"out\": 8 } }]"));
        assert_eq!(line(TEXT, find(TEXT, "model[1]").unwrap().0), 2);
    }

    #[test]
    fn a_place_of_the_reader_is_the_word_that_stands_there() {
        let text = "{ \"a\": 1,\n  \"lr\": NaN,\n}";
        let error = serde_json::from_str::<serde_json::Value>(text).unwrap_err();
        let place = format!("line {}, column {}", error.line(), error.column());
        assert_eq!(at(text, &place).map(|(from, to)| &text[from..to]), Some("NaN"));
        assert_eq!((coordinates("model[1].linear"), at(text, "line 99, column 1")), (None, Some((text.len(), text.len()))));
    }

    #[test]
    fn what_is_not_json_has_no_places() {
        assert_eq!(find("{ \"a\": ", "a"), None);
        assert_eq!(find(&"[".repeat(100_000), "a"), None);
    }
}
