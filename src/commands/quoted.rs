//! Texts of clients as Python quotes them in messages: `'nope'`. Cut if they are long.

/// The text between quotes, what cannot be printed escaped.
pub fn quoted(text: &str) -> String {
    quoted_to(text, CHARACTERS_MAX)
}

/// The same, however long it is.
pub fn quoted_whole(text: &str) -> String {
    quoted_to(text, usize::MAX)
}

fn quoted_to(text: &str, characters_max: usize) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut shown = String::from(quote);
    for (number, character) in text.chars().enumerate() {
        if number == characters_max {
            shown.push_str("...");
            break;
        }
        match character {
            '\\' => shown.push_str("\\\\"),
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            _ if character == quote => shown.extend(['\\', quote]),
            _ if is_printable(character) => shown.push(character),
            _ => {
                let number = u32::from(character);
                shown.push_str(&match number {
                    0..=0xff => format!("\\x{number:02x}"),
                    0x100..=0xffff => format!("\\u{number:04x}"),
                    _ => format!("\\U{number:08x}"),
                });
            }
        }
    }
    shown.push(quote);
    shown
}

/// Neither a control character, nor one without a width, nor a blank other than the blank.
fn is_printable(character: char) -> bool {
    match character {
        ' '..='~' => true,
        // The standard library has the table that Python has, but shows it only by its work: it
        // escapes the same characters, and those that combine with others where they come first.
        _ => format!("x{character}").escape_debug().count() == 2,
    }
}

const CHARACTERS_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_as_in_python() {
        for (text, expected) in [
            ("nope", "'nope'"),
            ("", "''"),
            ("it's", "\"it's\""),
            ("\"", "'\"'"),
            ("'\"", "'\\'\"'"),
            ("a\\b\n\r\t\0\u{7f}", "'a\\\\b\\n\\r\\t\\x00\\x7f'"),
            ("é漢😀", "'é漢😀'"),
            ("e\u{301}", "'e\u{301}'"),
            (
                "\u{80}\u{a0}\u{ad}\u{200b}\u{2028}\u{e000}",
                "'\\x80\\xa0\\xad\\u200b\\u2028\\ue000'",
            ),
            ("\u{e0001}", "'\\U000e0001'"),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(quoted(&"é".repeat(1000)).chars().count(), CHARACTERS_MAX + 5);
    }
}
