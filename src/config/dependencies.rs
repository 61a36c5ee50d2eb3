//! `depends_on`: what its items mean, that they can ever be had, and that they make no circle.

use crate::config::mistake::shortened;
use crate::config::settings::{Dependency, Gate};
use crate::config::{Watchers, spelling};
use std::collections::BTreeMap;

/// The items of a value: a name, and a gate if one is written. `name:started` is `name` unless there
/// is a watcher that is called so.
pub fn items(text: &str, is_known: impl Fn(&str) -> bool) -> Vec<(&str, Option<Gate>)> {
    let items = text.split([',', '\n']).map(str::trim).filter(|item| !item.is_empty());
    let parsed = items.map(|item| match item.rsplit_once(':') {
        Some((name, word)) if !is_known(item) => match gate_named(word) {
            Some(gate) => (name.trim_end(), Some(gate)),
            None => (item, None),
        },
        Some(_) | None => (item, None),
    });
    parsed.collect()
}

fn gate_named(word: &str) -> Option<Gate> {
    match word {
        "started" => Some(Gate::Started),
        "ready" => Some(Gate::Ready),
        "completed" => Some(Gate::Completed),
        _ => None,
    }
}

/// An item that is no watcher, but begins with one: what is wrong with its gate. The error is the
/// end of a sentence.
pub fn wrong_gate(item: &str, is_known: impl Fn(&str) -> bool) -> Option<String> {
    const GATES: [&str; 3] = ["started", "ready", "completed"];
    let (name, word) = item.rsplit_once(':')?;
    let name = name.trim_end();
    if !is_known(name) {
        return None;
    }
    let shown = shortened(word);
    Some(match spelling::closest(word, GATES) {
        Some(gate) => {
            let name = shortened(name);
            format!("waits for `{shown}`, which nothing is; did you mean `{name}:{gate}`?")
        }
        None => format!("waits for `{shown}`; use one of {}", GATES.join(", ")),
    })
}

/// What is waited for: of a oneshot that it has completed, if nothing else is written. What will
/// never happen is refused; the error is the end of a sentence.
pub fn gate(name: &str, written: Option<Gate>, is_oneshot: bool) -> Result<Gate, String> {
    match (written, is_oneshot) {
        (Some(Gate::Completed), false) => {
            let name = shortened(name);
            Err(format!(
                "waits for ever: watcher {name} is no oneshot and never completes; write `{name}`, or `oneshot = True` for {name}"
            ))
        }
        (Some(gate), _) => Ok(gate),
        (None, true) => Ok(Gate::Completed),
        (None, false) => Ok(Gate::Ready),
    }
}

/// Each name once; of several gates the one that is most.
pub fn unique(all: Vec<Dependency>) -> Box<[Dependency]> {
    let mut most: BTreeMap<Box<str>, Gate> = BTreeMap::new();
    for dependency in &all {
        let gate = most.entry(dependency.name.clone()).or_insert(dependency.gate);
        *gate = dependency.gate.max(*gate);
    }
    let all = all.into_iter();
    all.filter_map(|Dependency { name, .. }| {
        most.remove(&name).map(|gate| Dependency { name, gate })
    })
    .collect()
}

/// What a client gives to the watcher `own` among those that there are. The error is the end of a
/// sentence.
pub fn resolved(
    own: &str,
    text: &str,
    watchers: &dyn Watchers,
) -> Result<Box<[Dependency]>, String> {
    let mut all = Vec::new();
    let is_known = |name: &str| watchers.watcher(name).is_some();
    let items = items(text, is_known);
    if items.is_empty() && !text.trim().is_empty() {
        return Err(NOBODY.to_owned());
    }
    for (name, written) in items {
        if name.eq_ignore_ascii_case(own) {
            return Err(OWN.to_owned());
        }
        let other = watchers.watcher(name);
        let other = other.ok_or_else(|| {
            let missing = || format!("there is no watcher `{}`", shortened(name));
            wrong_gate(name, is_known).unwrap_or_else(missing)
        })?;
        let gate = gate(name, written, other.oneshot)?;
        all.push(Dependency { name: other.name.clone(), gate });
    }
    let all = unique(all);
    match circle_through(own, &all, watchers) {
        Some(circle) => Err(format!("goes round in a circle: {}", shown(&circle))),
        None => Ok(all),
    }
}

fn circle_through<'a>(
    own: &'a str,
    all: &'a [Dependency],
    watchers: &'a dyn Watchers,
) -> Option<Vec<&'a str>> {
    let mut needs: BTreeMap<&str, &[Dependency]> = BTreeMap::from([(own, all)]);
    let mut left: Vec<&str> = all.iter().map(|dependency| &*dependency.name).collect();
    while let Some(name) = left.pop() {
        if needs.contains_key(name) {
            continue;
        }
        let next = watchers.watcher(name).map_or(&[][..], |watcher| &watcher.depends_on);
        needs.insert(name, next);
        left.extend(next.iter().map(|dependency| &*dependency.name));
    }
    circles(&needs).into_iter().next()
}

/// All that these watchers depend on is among them, and they make no circle. The error is a
/// sentence that names who is to blame.
pub fn check_graph<'a>(
    watchers: impl Iterator<Item = (&'a str, &'a [Dependency])>,
) -> Result<(), String> {
    let needs: BTreeMap<&str, &[Dependency]> = watchers.collect();
    for (name, all) in &needs {
        if let Some(missing) = all.iter().find(|other| !needs.contains_key(&*other.name)) {
            return Err(format!(
                "{name} depends on {}, and there is no such watcher",
                missing.name
            ));
        }
    }
    match circles(&needs).first() {
        Some(circle) => Err(format!("dependencies go round in a circle: {}", shown(circle))),
        None => Ok(()),
    }
}

/// Circles, as the names on them; the first one is repeated at the end. Not all when there are
/// many: who breaks some sees the others then. Takes no recursion, for a chain may be as long as
/// there are watchers, and no more time than there are dependencies.
pub fn circles<'a>(needs: &BTreeMap<&'a str, &'a [Dependency]>) -> Vec<Vec<&'a str>> {
    let mut circles = Vec::new();
    // The place on the path, or none when all behind it is known.
    let mut seen: BTreeMap<&str, Option<usize>> = BTreeMap::new();
    for start in needs.keys() {
        if seen.contains_key(start) {
            continue;
        }
        let mut path: Vec<(&str, usize)> = vec![(start, 0)];
        seen.insert(start, Some(0));
        while let Some((name, next)) = path.last_mut() {
            let Some(need) = needs.get(name).and_then(|list| list.get(*next)) else {
                seen.insert(name, None);
                path.pop();
                continue;
            };
            *next += 1;
            let need = &*need.name;
            match seen.get(need) {
                None => {
                    seen.insert(need, Some(path.len()));
                    path.push((need, 0));
                }
                Some(None) => {}
                Some(Some(from)) => {
                    let mut circle: Vec<&str> = path[*from..].iter().map(|(on, _)| *on).collect();
                    circle.push(need);
                    circles.push(circle);
                    if circles.len() == CIRCLES_MAX {
                        return circles;
                    }
                }
            }
        }
    }
    circles
}

/// The names on a circle; of a long one the beginning and the end.
pub fn shown(circle: &[&str]) -> String {
    let names: Vec<String> = circle.iter().take(CIRCLE_SHOWN).map(|name| shortened(name)).collect();
    match circle.last() {
        Some(last) if circle.len() > CIRCLE_SHOWN + 1 => {
            format!("{} -> … -> {}", names.join(" -> "), shortened(last))
        }
        Some(last) if circle.len() > CIRCLE_SHOWN => {
            format!("{} -> {}", names.join(" -> "), shortened(last))
        }
        Some(_) | None => names.join(" -> "),
    }
}

/// What to say to a watcher that names itself.
pub const OWN: &str = "names the watcher itself, which would never start; remove it";
/// What to say to a list that has nothing but commas.
pub const NOBODY: &str = "names no watcher; write `depends_on = NAME`, or remove it";
const CIRCLES_MAX: usize = 100;
const CIRCLE_SHOWN: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn all(names: &[&str]) -> Vec<Dependency> {
        let all = names.iter();
        all.map(|name| Dependency { name: (*name).into(), gate: Gate::Ready }).collect()
    }

    fn graph(lists: &[(String, Vec<Dependency>)]) -> BTreeMap<&str, &[Dependency]> {
        lists.iter().map(|(name, list)| (&**name, &**list)).collect()
    }

    #[test]
    fn circles_are_found_and_named() {
        let lists = [
            ("a", all(&["b"])),
            ("b", all(&["c", "d"])),
            ("c", all(&["a"])),
            ("d", vec![]),
            ("self", all(&["self"])),
        ]
        .map(|(name, list)| (name.to_owned(), list));
        let needs = graph(&lists);
        assert_eq!(circles(&needs), [vec!["a", "b", "c", "a"], vec!["self", "self"]]);
        let reason = check_graph(needs.into_iter()).expect_err("circles");
        assert!(reason.ends_with("a -> b -> c -> a"), "{reason}");
    }

    #[test]
    fn who_depends_on_nobody_is_named() {
        let list = all(&["gone"]);
        let reason = check_graph([("web", &list[..])].into_iter()).expect_err("unknown");
        assert!(reason.contains("web depends on gone"), "{reason}");
        assert_eq!(check_graph([("web", &list[..]), ("gone", &[])].into_iter()), Ok(()));
    }

    #[test]
    fn a_long_chain_of_which_each_closes_a_circle_is_no_work() {
        let name = |number: usize| format!("w{number:05}");
        let lists: Vec<_> = (0..10_000)
            .map(|number| (name(number), all(&[&name(0), &name((number + 1) % 10_000)])))
            .collect();
        let found = circles(&graph(&lists));
        assert_eq!(found.len(), CIRCLES_MAX);
        assert!(shown(&found[99]).len() < 200);
        // As deep as there are watchers, and no circle.
        let lists: Vec<_> = (0..10_000)
            .map(|number| match number {
                9_999 => (name(number), vec![]),
                number => (name(number), all(&[&name(number + 1), &name(9_999)])),
            })
            .collect();
        assert!(circles(&graph(&lists)).is_empty());
    }

    #[test]
    fn a_name_may_say_what_is_waited_for() {
        assert_eq!(
            items("db:started, a b\n cache:ready, x:completed", |_| false),
            [
                ("db", Some(Gate::Started)),
                ("a b", None),
                ("cache", Some(Gate::Ready)),
                ("x", Some(Gate::Completed))
            ]
        );
        assert_eq!(items("db:started", |name| name == "db:started"), [("db:started", None)]);
        assert_eq!(
            items("a:b:started, a:b", |_| false),
            [("a:b", Some(Gate::Started)), ("a:b", None)]
        );
    }

    #[test]
    fn what_is_waited_for_depends_on_what_it_is() {
        assert_eq!(gate("x", None, false), Ok(Gate::Ready));
        assert_eq!(gate("x", None, true), Ok(Gate::Completed));
        assert_eq!(gate("x", Some(Gate::Started), true), Ok(Gate::Started));
        assert!(gate("x", Some(Gate::Completed), false).expect_err("never").contains("no oneshot"));
        let twice =
            [Gate::Started, Gate::Ready].map(|gate| Dependency { name: "x".into(), gate }).to_vec();
        assert_eq!(*unique(twice), *all(&["x"]));
    }
}
