//! Shell patterns on names, as in Python's `fnmatch`: `*`, `?`, `[abc]`, `[a-z]`, `[!abc]`.

/// A character that has a meaning in a pattern.
pub fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// `name` matches `pattern`, case-sensitive.
pub fn matches(pattern: &str, name: &str) -> bool {
    let characters = |text: &str| text.chars().collect::<Vec<char>>();
    matches_characters(&characters(pattern), &characters(name))
}

/// The same for texts that are cut into characters, as many names are compared with one pattern.
/// Takes no more than the product of the lengths.
pub fn matches_characters(pattern: &[char], name: &[char]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        let step = match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
                continue;
            }
            Some(_) => one(&pattern[p..], name[n]),
            None => None,
        };
        match (step, star) {
            (Some(length), _) => {
                p += length;
                n += 1;
            }
            (None, Some((at, from))) => {
                star = Some((at, from + 1));
                p = at + 1;
                n = from + 1;
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|character| *character == '*')
}

/// Length of the pattern's first element if it matches the character.
fn one(pattern: &[char], character: char) -> Option<usize> {
    match pattern[0] {
        '?' => Some(1),
        '[' => match class(pattern) {
            Some((members, length)) => contains(members, character).then_some(length),
            None => (character == '[').then_some(1),
        },
        literal => (literal == character).then_some(1),
    }
}

/// What stands between the brackets, and the length with them; `None` if they are not closed.
fn class(pattern: &[char]) -> Option<(&[char], usize)> {
    let first = if pattern.get(1) == Some(&'!') { 3 } else { 2 };
    let close = (first..pattern.len()).find(|at| pattern[*at] == ']')?;
    Some((&pattern[1..close], close + 1))
}

fn contains(members: &[char], character: char) -> bool {
    let (negated, members) = match members.split_first() {
        Some(('!', rest)) => (true, rest),
        _ => (false, members),
    };
    let mut at = 0;
    let mut found = false;
    while at < members.len() {
        if at + 2 < members.len() && members[at + 1] == '-' {
            found |= (members[at]..=members[at + 2]).contains(&character);
            at += 3;
        } else {
            found |= members[at] == character;
            at += 1;
        }
    }
    found != negated
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_a_shell() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("w*", "w1", true),
            ("w*1", "w11", true),
            ("?b", "ab", true),
            ("?b", "b", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]]x", "]x", true),
            ("[x", "[x", true),
            ("A", "a", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
        assert!(!matches(&"*a".repeat(200), &"a".repeat(199)));
    }
}
