//! Shell patterns on names, as in Python's `fnmatch`: `*`, `?`, `[abc]`, `[a-z]`, `[!abc]`.

/// A character that has a meaning in a pattern.
pub fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// `name` matches `pattern`, case-sensitive.
pub fn matches(pattern: &str, name: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    Pattern::new(pattern).matches(&name)
}

/// A pattern that is ready to be compared with many names.
#[derive(Debug)]
pub struct Pattern {
    elements: Box<[Element]>,
    /// Characters that a name has at least.
    length: usize,
}

#[derive(Debug)]
enum Element {
    /// Any characters, or none.
    Star,
    /// Any one.
    Any,
    /// This one.
    Literal(char),
    /// One of those between the brackets.
    Class(Box<[char]>),
}

impl Pattern {
    /// Takes time as the text is long.
    pub fn new(text: &str) -> Pattern {
        let text: Vec<char> = text.chars().collect();
        let last_close = text.iter().rposition(|character| *character == ']').unwrap_or(0);
        let mut elements = Vec::new();
        let mut length = 0;
        let mut at = 0;
        while at < text.len() {
            let (element, characters) = match text[at] {
                '*' => (Element::Star, 1),
                '?' => (Element::Any, 1),
                '[' if at < last_close => class(&text[at..]),
                literal => (Element::Literal(literal), 1),
            };
            at += characters;
            match element {
                Element::Star if matches!(elements.last(), Some(Element::Star)) => continue,
                Element::Star => {}
                Element::Any | Element::Literal(_) | Element::Class(_) => length += 1,
            }
            elements.push(element);
        }
        Pattern { elements: elements.into(), length }
    }

    /// The name, cut into characters, matches. Takes no more than the product of the lengths.
    pub fn matches(&self, name: &[char]) -> bool {
        if self.length > name.len() {
            return false;
        }
        let (mut p, mut n) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        while n < name.len() {
            let is_match = match self.elements.get(p) {
                Some(Element::Star) => {
                    star = Some((p, n));
                    p += 1;
                    continue;
                }
                Some(Element::Any) => true,
                Some(Element::Literal(literal)) => *literal == name[n],
                Some(Element::Class(members)) => contains(members, name[n]),
                None => false,
            };
            match (is_match, star) {
                (true, _) => {
                    p += 1;
                    n += 1;
                }
                (false, Some((at, from))) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    n = from + 1;
                }
                (false, None) => return false,
            }
        }
        self.elements[p..].iter().all(|element| matches!(element, Element::Star))
    }
}

/// What stands between the brackets, and the length with them. Those that are not closed are
/// characters.
fn class(text: &[char]) -> (Element, usize) {
    let first = if text.get(1) == Some(&'!') { 3 } else { 2 };
    match (first..text.len()).find(|at| text[*at] == ']') {
        Some(close) => (Element::Class(text[1..close].into()), close + 1),
        None => (Element::Literal('['), 1),
    }
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
