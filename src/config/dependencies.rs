//! `depends_on`: names that exist, and no circles.

use std::collections::BTreeMap;

/// The names in a value; `name:started` is `name` unless there is a watcher that is called so.
pub fn names(text: &str, is_known: impl Fn(&str) -> bool) -> Vec<&str> {
    let items = text.split([',', '\n']).map(str::trim).filter(|item| !item.is_empty());
    items
        .map(|item| match item.rsplit_once(':') {
            Some((name, "started")) if !is_known(item) => name.trim_end(),
            Some(_) | None => item,
        })
        .collect()
}

/// Every circle, as the names on it; the first one is repeated at the end. Takes no recursion: a
/// chain may be as long as there are watchers.
pub fn circles<'a>(needs: &BTreeMap<&'a str, Vec<&'a str>>) -> Vec<Vec<&'a str>> {
    let mut circles = Vec::new();
    let mut done: BTreeMap<&str, bool> = BTreeMap::new();
    for start in needs.keys() {
        let mut path: Vec<(&str, usize)> = Vec::new();
        if done.contains_key(start) {
            continue;
        }
        path.push((start, 0));
        done.insert(start, false);
        while let Some((name, next)) = path.last_mut() {
            let Some(need) = needs.get(name).and_then(|list| list.get(*next)) else {
                done.insert(name, true);
                path.pop();
                continue;
            };
            *next += 1;
            match done.get(need) {
                None => {
                    done.insert(need, false);
                    path.push((need, 0));
                }
                Some(true) => {}
                Some(false) => {
                    let from = path.iter().position(|(on_path, _)| on_path == need).unwrap_or(0);
                    let mut circle: Vec<&str> = path[from..].iter().map(|(on, _)| *on).collect();
                    circle.push(need);
                    circles.push(circle);
                }
            }
        }
    }
    circles
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circles_are_found_and_named() {
        let needs = BTreeMap::from([
            ("a", vec!["b"]),
            ("b", vec!["c", "d"]),
            ("c", vec!["a"]),
            ("d", vec![]),
            ("self", vec!["self"]),
        ]);
        assert_eq!(circles(&needs), [vec!["a", "b", "c", "a"], vec!["self", "self"]]);
    }

    #[test]
    fn a_name_may_say_that_less_is_enough() {
        assert_eq!(names("db:started, a b\n cache", |_| false), ["db", "a b", "cache"]);
        assert_eq!(names("db:started", |name| name == "db:started"), ["db:started"]);
    }
}
