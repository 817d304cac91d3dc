// SPDX-License-Identifier: GPL-2.0

//! A line of text taken apart into words.

use thiserror::Error;

/// Why a line cannot be taken apart.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum WordsError {
    /// The line ends inside of double quotes.
    #[error("a double quote is missing")]
    Quote,
}

/// Splits at blanks, but not inside of double quotes.
///
/// Quotes can stand anywhere in a word and are dropped; inside of them, a backslash before a quote
/// or another backslash is dropped as well.
pub fn split(line: &str) -> Result<Vec<String>, WordsError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    let mut characters = line.chars().peekable();

    while let Some(character) = characters.next() {
        match character {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '\\' if quoted => {
                let escaped = characters.next_if(|&next| matches!(next, '"' | '\\'));
                word.get_or_insert_default().push(escaped.unwrap_or('\\'));
            }
            ' ' | '\t' if !quoted => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    if quoted {
        return Err(WordsError::Quote);
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ok(line: &str) -> Vec<String> {
        split(line).unwrap()
    }

    #[test]
    fn words_are_split_at_blanks() {
        assert!(ok("").is_empty());
        assert!(ok(" \t ").is_empty());
        assert_eq!(ok(" get  3\t"), ["get", "3"]);
    }

    #[test]
    fn quotes_hold_blanks() {
        assert_eq!(
            ok(r#"config label="my panel" name0=x"#),
            ["config", "label=my panel", "name0=x"]
        );
        assert_eq!(ok(r#"a "" b"#), ["a", "", "b"]);
        assert_eq!(ok(r#""a\"b\\c\d" e\f"#), [r#"a"b\c\d"#, r"e\f"]);
        assert_eq!(split(r#"a "b"#), Err(WordsError::Quote));
    }

    proptest! {
        #[test]
        fn any_text_comes_through_quotes(text in "\\PC{0,40}") {
            let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
            prop_assert_eq!(split(&format!("x \"{quoted}\" y")).unwrap(), ["x", &text, "y"]);
        }

        #[test]
        fn no_text_is_too_strange(text in "\\PC*") {
            let _ = split(&text);
        }
    }
}
