//! What differs between two settings, by the names of the options, and how much it takes to change
//! what runs. It is the table of options that is compared, so none can be forgotten.

use crate::config::options::{self, CIRCUS, Change, Row, WATCHER};
use crate::config::settings::{CircusSettings, WatcherSettings};
use crate::config::show::members;
use serde_json::Value;
use std::collections::BTreeMap;

/// Names of the options in which two watchers differ; `env` stands for the variables.
pub fn differences(old: &WatcherSettings, new: &WatcherSettings) -> Vec<Box<str>> {
    let mut names: Vec<Box<str>> = Vec::new();
    for row in &WATCHER {
        names.extend(differing_members(row, old, new));
    }
    let named =
        |names: &[Box<str>], wanted: &[&str]| names.iter().any(|name| wanted.contains(&&**name));
    // A user may have got another number, or groups, while its name stayed the same.
    if old.identity != new.identity && !named(&names, &["uid", "gid"]) {
        let is_user = new.identity.as_ref().is_some_and(|identity| identity.uid.is_some());
        names.push(if is_user { "uid" } else { "gid" }.into());
    }
    // One of them may have become a oneshot, of which the completion is waited for.
    if old.depends_on != new.depends_on && !named(&names, &["depends_on"]) {
        names.push("depends_on".into());
    }
    if old.argv != new.argv && !named(&names, &["cmd"]) {
        names.push("cmd".into());
    }
    let (from, to) = (&old.environment, &new.environment);
    if (&from.set, &from.masked) != (&to.set, &to.masked) && !named(&names, &ENVIRONMENT_OPTIONS) {
        names.push("env".into());
    }
    names.extend(differing(&free(old), &free(new)));
    names
}

/// Names of the options in which two sections `[circus]` differ.
pub fn circus_differences(old: &CircusSettings, new: &CircusSettings) -> Vec<Box<str>> {
    let mut names: Vec<Box<str>> = Vec::new();
    for row in &CIRCUS {
        let is_masked = |settings: &CircusSettings| is_listed(&settings.masked, row.name);
        if row.value(old) != row.value(new) || is_masked(old) != is_masked(new) {
            names.push(row.name.into());
        }
    }
    let owner = "endpoint_owner";
    if old.endpoints.owner != new.endpoints.owner && !is_listed(&names, owner) {
        names.push(owner.into());
    }
    names
}

/// The most that changing these options of a watcher does.
pub fn strongest(names: &[Box<str>]) -> Change {
    names.iter().map(|name| change(name)).max().unwrap_or(Change::Nothing)
}

/// Options of plugins and one's own change nothing here.
fn change(name: &str) -> Change {
    match options::find(&WATCHER, name) {
        // To be captured, or not any more, takes another process.
        Some(_) if name.ends_with("_stream.class") => Change::Reload,
        Some(row) => row.change,
        None if name == "env" => Change::Reload,
        None => Change::Nothing,
    }
}

fn differing_members(
    row: &Row<impl Sized, WatcherSettings>,
    old: &WatcherSettings,
    new: &WatcherSettings,
) -> Vec<Box<str>> {
    if !row.is_family() {
        let same = row.value(old) == row.value(new)
            && is_listed(&old.masked, row.name) == is_listed(&new.masked, row.name);
        return if same { Vec::new() } else { vec![row.name.into()] };
    }
    let by_name = |settings| -> BTreeMap<Box<str>, (Value, bool)> {
        let all = members(row, settings).into_iter();
        all.map(|(name, value)| {
            let masked = is_listed(&settings.masked, &name);
            (name, (value, masked))
        })
        .collect()
    };
    differing(&by_name(old), &by_name(new))
}

fn differing<V: PartialEq>(
    old: &BTreeMap<Box<str>, V>,
    new: &BTreeMap<Box<str>, V>,
) -> Vec<Box<str>> {
    let gone = old.keys().filter(|name| !new.contains_key(*name));
    let changed = new.iter().filter(|(name, value)| old.get(*name) != Some(value));
    let mut names: Vec<Box<str>> = gone.chain(changed.map(|(name, _)| name)).cloned().collect();
    crate::sort::sort(&mut names);
    names
}

fn free(settings: &WatcherSettings) -> BTreeMap<Box<str>, (&str, bool)> {
    let all = settings.free.iter();
    all.map(|(name, text)| (name.clone(), (&**text, is_listed(&settings.masked, name)))).collect()
}

fn is_listed(names: &[Box<str>], name: &str) -> bool {
    names.iter().any(|listed| **listed == *name)
}

/// Each of them says itself that the variables may be others.
const ENVIRONMENT_OPTIONS: [&str; 4] =
    ["env_file", "env_from_files", "virtualenv", "virtualenv_py_ver"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::load_files;

    fn watcher(text: &str, more: &[(&str, &str)]) -> WatcherSettings {
        let text = format!("[watcher:web]\ncmd = x\n{text}");
        let files: Vec<_> = [("/etc/c.ini", &*text)].iter().chain(more).copied().collect();
        (*load_files(&files, &[("HOME", "/h")]).expect("loads").watchers[0]).clone()
    }

    fn names(old: &WatcherSettings, new: &WatcherSettings) -> Vec<String> {
        assert_eq!(differences(old, new).len(), differences(new, old).len());
        differences(old, new).iter().map(|name| name.to_string()).collect()
    }

    #[test]
    fn variables_are_one_difference() {
        let old = watcher("[env]\nA = 1\n", &[]);
        assert_eq!(names(&old, &watcher("[env]\nA = 2\n[env:web]\nB = 1\n", &[])), ["env"]);
        assert_eq!(names(&old, &watcher("[env:w*]\nA = 1\n", &[])), [""; 0]);
        assert_eq!(strongest(&["env".into()]), Change::Reload);
    }

    #[test]
    fn a_file_of_variables_with_other_content_is_a_difference() {
        let file = |content| watcher("env_file = e\n", &[("/etc/e", content)]);
        assert_eq!(names(&file("A=1"), &file("A=2")), ["env"]);
        assert_eq!(names(&watcher("", &[]), &file("A=1")), ["env_file"]);
    }

    #[test]
    fn a_secret_that_is_no_secret_any_more_is_a_difference() {
        let secret = watcher("[env]\nA = $(circus.file.s)\n", &[("/etc/s", "1")]);
        assert_eq!(names(&secret, &watcher("[env]\nA = 1\n", &[])), ["env"]);
    }

    #[test]
    fn a_user_that_has_got_another_number_is_a_difference() {
        let user = |line| watcher("uid = web\n", &[("/etc/passwd", line)]);
        assert_eq!(names(&user("web:x:1:1::/:\n"), &user("web:x:2:1::/:\n")), ["uid"]);
    }

    #[test]
    fn members_of_families_are_named_one_by_one() {
        let old = watcher("rlimit_core = 1\nrlimit_nofile = 5\nstdout_stream.class = Ring\n", &[]);
        let new = watcher(
            "rlimit_core =\nrlimit_cpu = 5\nrlimit_nofile = 5\nstdout_stream.filename = a\n",
            &[],
        );
        let expected =
            ["rlimit_core", "rlimit_cpu", "stdout_stream.class", "stdout_stream.filename"];
        assert_eq!(names(&old, &new), expected);
    }

    #[test]
    fn the_strongest_change_decides_and_free_options_change_nothing() {
        let strongest = |names: &[&str]| {
            strongest(&names.iter().map(|name| Box::from(*name)).collect::<Vec<_>>())
        };
        assert_eq!(strongest(&[]), Change::Nothing);
        assert_eq!(strongest(&["flapping.window", "x_mine", "retry_in"]), Change::Nothing);
        assert_eq!(strongest(&["graceful_timeout", "x_mine"]), Change::Adjust);
        assert_eq!(strongest(&["rlimit_core", "numprocesses"]), Change::Reload);
        assert_eq!(strongest(&["stdout_stream.filename", "x_mine"]), Change::Adjust);
        assert_eq!(strongest(&["stdout_stream.class", "numprocesses"]), Change::Reload);
        assert_eq!(strongest(&["cmd", "on_demand"]), Change::Restart);
    }
}
