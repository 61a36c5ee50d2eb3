//! Command text split into words as a POSIX shell would, without expanding anything: the same
//! words as Python's `shlex.split`, which is what Circus uses.

/// Why a text cannot be split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsplittable {
    /// A quotation is not closed.
    Quote(char),
    /// The text ends in a backslash.
    Backslash,
}

impl std::fmt::Display for Unsplittable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unsplittable::Quote(mark) => {
                write!(
                    f,
                    "has an opening {mark} without a closing one; close it, or write \\{mark}"
                )
            }
            Unsplittable::Backslash => write!(f, "ends in a backslash; remove it or double it"),
        }
    }
}

/// The words of `text`.
pub fn split(text: &[u8]) -> Result<Vec<Vec<u8>>, Unsplittable> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => words.extend(word.take()),
            b'\'' => until_single_quote(&mut bytes, word.get_or_insert_default())?,
            b'"' => until_double_quote(&mut bytes, word.get_or_insert_default())?,
            b'\\' => {
                let escaped = bytes.next().ok_or(Unsplittable::Backslash)?;
                word.get_or_insert_default().push(escaped);
            }
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Ok(words)
}

/// A text that `split` makes these words of.
pub fn join(words: &[String]) -> String {
    let quoted = words.iter().map(|word| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_@%+=:,./-".contains(&byte);
        match !word.is_empty() && word.bytes().all(plain) {
            true => word.clone(),
            false => format!("'{}'", word.replace('\'', "'\"'\"'")),
        }
    });
    quoted.collect::<Vec<String>>().join(" ")
}

fn until_single_quote(
    bytes: &mut impl Iterator<Item = u8>,
    word: &mut Vec<u8>,
) -> Result<(), Unsplittable> {
    for byte in bytes {
        if byte == b'\'' {
            return Ok(());
        }
        word.push(byte);
    }
    Err(Unsplittable::Quote('\''))
}

/// Inside double quotes a backslash only escapes itself and the quote.
fn until_double_quote(
    bytes: &mut impl Iterator<Item = u8>,
    word: &mut Vec<u8>,
) -> Result<(), Unsplittable> {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return Ok(()),
            b'\\' => match bytes.next() {
                Some(escaped @ (b'"' | b'\\')) => word.push(escaped),
                Some(other) => word.extend([b'\\', other]),
                None => break,
            },
            other => word.push(other),
        }
    }
    Err(Unsplittable::Quote('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let words = split(text.as_bytes()).expect("can be split");
        words.into_iter().map(|word| String::from_utf8(word).expect("text")).collect()
    }

    #[test]
    fn quotes_and_backslashes_mean_what_they_mean_to_a_shell() {
        assert_eq!(
            words(r#"plain a "b c" 'd e' f\ g $HOME"#),
            ["plain", "a", "b c", "d e", "f g", "$HOME"]
        );
        assert_eq!(words(r#"a"b"'c'd  ''  """#), ["abcd", "", ""]);
        assert_eq!(words(r#""a\"b\\c\d" 'a\b'"#), [r#"a"b\c\d"#, r"a\b"]);
        assert_eq!(
            words("one\ntwo\tthree # not a comment"),
            ["one", "two", "three", "#", "not", "a", "comment"]
        );
        assert_eq!(words("a\\\nb"), ["a\nb"]);
        assert!(words(" \n ").is_empty());
    }

    #[test]
    fn joined_words_are_the_same_words_when_they_are_split() {
        let all = ["plain", "", "two words", "it's", "$(circus.wid)", "a\\b\"c\nd", "é"];
        let all = all.map(str::to_owned);
        assert_eq!(words(&join(&all)), all);
        assert_eq!(join(&["-x".to_owned(), "a=b".to_owned()]), "-x a=b");
    }

    #[test]
    fn what_is_not_closed_is_refused() {
        assert_eq!(split(b"sh -c \"x"), Err(Unsplittable::Quote('"')));
        assert_eq!(split(b"sh -c \"x\\"), Err(Unsplittable::Quote('"')));
        assert_eq!(split(b"it's"), Err(Unsplittable::Quote('\'')));
        assert_eq!(split(b"x\\"), Err(Unsplittable::Backslash));
    }
}
