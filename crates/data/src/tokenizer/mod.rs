//! From text to tokens and back: by characters, by bytes, by words, by merged pairs of bytes, or by the names of a source's own tokens. What a tokenizer is stands
//! in `rule.rs`, how it cuts a text in `encoding.rs` and `pieces.rs`, how it is learned in `learner.rs`, how it is read and written in `json.rs`.
//!
//! Whatever is read can be written again to the byte: `decode(encode(text)) == text`, but for the names of a source, which stand apart, and for the blank
//! that a tokenizer from elsewhere may put before a text.

mod encoding;
mod hash;
mod json;
mod learner;
mod learning;
mod letters;
mod merges;
mod pieces;
mod rule;

pub(crate) use encoding::Encoding;
pub(crate) use learner::Learner;
pub use rule::{ByteLevel, Rule, Tokenizer, Tokens};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::rule::MOST_TOKENS;
    use super::*;

    const KINDS: [Tokens; 4] = [Tokens::Characters, Tokens::Bytes, Tokens::Words, Tokens::Bpe];

    proptest! {
        #[test]
        fn every_text_is_put_together_again_to_the_byte(text in "\\PC{0,40}|[ \\n\\r\\ta-c']{0,60}", vocabulary in 256usize..300) {
            for kind in KINDS {
                let tokenizer = Tokenizer::learn(kind, vocabulary, &text).unwrap();
                let tokens = tokenizer.encode(&text).unwrap();
                prop_assert!(tokens.iter().all(|token| (*token as usize) < tokenizer.len()));
                prop_assert_eq!(tokenizer.decode(&tokens), text.clone());
            }
        }
    }

    #[test]
    fn what_can_spell_bytes_knows_texts_that_it_never_saw() {
        for kind in [Tokens::Bytes, Tokens::Words, Tokens::Bpe] {
            let tokenizer = Tokenizer::learn(kind, 300, "the sea, the sea").unwrap();
            let other = "the ship 🚢 שלום\r\n";
            assert_eq!(tokenizer.decode(&tokenizer.encode(other).unwrap()), other);
        }
        let characters = Tokenizer::learn(Tokens::Characters, 0, "abc").unwrap();
        assert_eq!(characters.encode("cab").unwrap(), [2, 0, 1]);
        assert_eq!(characters.encode("cäb").unwrap_err().message, "The network knows no character \"ä\".");
        assert_eq!(characters.encode("c\tb").unwrap_err().message, "The network knows no character U+0009.");
    }

    #[test]
    fn frequent_words_are_one_token_and_rare_ones_are_spelled() {
        let tokenizer = Tokenizer::learn(Tokens::Words, 258, "a boat, a boat, a boat, a ship, a boat").unwrap();
        assert_eq!(tokenizer.names()[256..], [" a", " boat"].map(String::from));
        assert_eq!(tokenizer.encode(" boat sip").unwrap(), [vec![257], " sip".bytes().map(u32::from).collect()].concat());
    }

    #[test]
    fn names_of_a_source_are_read_with_and_without_gaps() {
        let sum = Tokenizer::of_names(&["1", "2", "+", "="].map(String::from));
        assert_eq!(sum.encode("12+ 1=").unwrap(), [0, 1, 2, 0, 3]);
        assert_eq!(sum.decode(&[0, 1, 2, 0, 3]), "12+1=");
        let words = Tokenizer::of_names(&["", "once", "there", "."].map(String::from));
        assert_eq!(words.encode(" once there.").unwrap(), [1, 2, 3]);
        assert_eq!(words.decode(&[1, 2, 3]), "once there .");
        assert!(words.encode("twice").unwrap_err().message.contains("no word \"twice\""));
    }

    #[test]
    fn more_characters_than_a_network_tells_apart_are_refused_with_a_way_out() {
        let text: String = ('\u{4e00}'..).take(MOST_TOKENS + 1).collect();
        let error = Tokenizer::learn(Tokens::Characters, 0, &text).unwrap_err();
        assert_eq!(error.path.as_deref(), Some("tokenizer"));
        assert!(error.message.contains("20001 different characters"), "{error}");
        assert!(Tokenizer::learn(Tokens::Bpe, 300, &text).is_ok());
    }
}
