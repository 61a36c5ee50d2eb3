//! The known name that was probably meant by an unknown one.

/// The closest of `known`, when it is close enough to be worth a question.
pub fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.is_empty() || word.len() > WORD_MAX {
        return None;
    }
    let folded = word.to_lowercase().replace('-', "_");
    let allowed = (folded.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .take(KNOWN_MAX)
        .filter(|name| name.len().abs_diff(folded.len()) <= 4 * allowed)
        .map(|name| {
            let distance = distance(&folded, &name.to_lowercase(), allowed);
            (distance, name.len().abs_diff(word.len()), name)
        })
        .filter(|(distance, _, _)| *distance <= allowed)
        .min_by_key(|(distance, longer, _)| (*distance, *longer))
        .map(|(_, _, name)| name)
}

/// `; did you mean …?` or nothing.
pub fn question<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    closest(word, known).map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

/// Letters to insert, remove, replace, or swap with a neighbour. What is more than `most` may be any
/// number above it: only a band along the diagonal is worked out.
fn distance(a: &str, b: &str, most: usize) -> usize {
    let (a, b) = differing_parts(a, b);
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > most {
        return most + 1;
    }
    let mut before = vec![most + 1; b.len() + 2];
    let mut row = before.clone();
    let mut above: Vec<usize> = (0..b.len() + 2).collect();
    for i in 1..=a.len() {
        let (first, last) = (i.saturating_sub(most).max(1), b.len().min(i + most));
        row[first - 1] = if first == 1 { i } else { most + 1 };
        for j in first..=last {
            let replaced = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row[j] = best;
        }
        row[last + 1] = most + 1;
        std::mem::swap(&mut before, &mut above);
        std::mem::swap(&mut above, &mut row);
    }
    above[b.len()]
}

/// Without what both begin with and end in.
fn differing_parts<'a>(mut a: &'a str, mut b: &'a str) -> (&'a str, &'a str) {
    let same = |(a, b): &(char, char)| a == b;
    let begin: usize = a.chars().zip(b.chars()).take_while(same).map(|(c, _)| c.len_utf8()).sum();
    (a, b) = (&a[begin..], &b[begin..]);
    let ends = a.chars().rev().zip(b.chars().rev()).take_while(same);
    let end: usize = ends.map(|(c, _)| c.len_utf8()).sum();
    (&a[..a.len() - end], &b[..b.len() - end])
}

const WORD_MAX: usize = 40;
/// A question is worth no more than a look at so many names.
const KNOWN_MAX: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_inserted_removed_replaced_and_swapped() {
        for (a, b, expected) in [
            ("", "", 0),
            ("abc", "abc", 0),
            ("abc", "ab", 1),
            ("ab", "axb", 1),
            ("abc", "axc", 1),
            ("abcd", "acbd", 1),
            ("aab", "ab", 1),
            ("éa", "aé", 1),
            ("abcdef", "badcfe", 3),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(a, b, 3), expected, "{a} {b}");
            assert_eq!(distance(b, a, 3), expected, "{b} {a}");
        }
        assert!(distance("abcd", "wxyz", 3) > 3 && distance("", "abcd", 3) > 3);
    }

    #[test]
    fn typing_errors_and_wrong_case_are_recognised_and_strange_words_are_not() {
        let known = ["numprocesses", "cmd", "args", "uid", "working_dir"];
        for (word, meant) in [
            ("numproceses", Some("numprocesses")),
            ("NumProcesses", Some("numprocesses")),
            ("cdm", Some("cmd")),
            ("working-dir", Some("working_dir")),
            ("banana", None),
            ("", None),
        ] {
            assert_eq!(closest(word, known), meant, "{word}");
        }
    }
}
