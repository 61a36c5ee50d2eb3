//! What /proc says of processes. It may be missing, and every process in it may go at any moment:
//! nothing here is an error.

use crate::process::{Pid, Tag};
use std::fs;
use std::io::Read;

/// What /proc says of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnStatus {
    /// The set of ignored signals, the lowest bit for signal 1.
    pub ignored_signals: u64,
}

/// `None` without a /proc, or if it is that of another pid namespace, where the numbers mean other
/// processes.
pub fn own_status() -> Option<OwnStatus> {
    // In one piece: this is on the way to the first process.
    let mut status = [0; 8192];
    let length = fs::File::open("/proc/self/status").ok()?.read(&mut status).ok()?;
    parse_status(std::str::from_utf8(&status[..length]).ok()?, super::identity::pid())
}

fn parse_status(status: &str, us: Pid) -> Option<OwnStatus> {
    let value = |name: &str| {
        status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    };
    if value("Pid")?.parse() != Ok(us.number()) {
        return None;
    }
    let ignored_signals = u64::from_str_radix(value("SigIgn")?, 16).ok()?;
    Some(OwnStatus { ignored_signals })
}

/// Our children, alive or not reaped. `None` without /proc. The kernel shows the list in pieces, but
/// only we take somebody off it, and who is adopted meanwhile comes to its end.
pub fn children() -> Option<Vec<Pid>> {
    match fs::read_to_string("/proc/thread-self/children") {
        Ok(text) => Some(parse_pids(&text)),
        Err(_) => children_by_scan(),
    }
}

/// The children of all threads of a process.
pub fn children_of(pid: Pid) -> Vec<Pid> {
    let mut found = Vec::new();
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return found };
    for task in tasks.flatten() {
        if let Ok(text) = fs::read_to_string(task.path().join("children")) {
            found.extend(parse_pids(&text));
        }
    }
    found
}

/// All descendants of a process, each after its parent: (parent, child).
pub fn descendants(pid: Pid) -> Vec<(Pid, Pid)> {
    let mut found: Vec<(Pid, Pid)> = Vec::new();
    let mut parents = vec![pid];
    while let Some(parent) = parents.pop()
        && found.len() < DESCENDANTS_MAX
    {
        for child in children_of(parent) {
            found.push((parent, child));
            parents.push(child);
        }
    }
    found
}

/// More are not looked for: who forks faster than we read is not to keep us.
const DESCENDANTS_MAX: usize = 10_000;

/// The parent of a process.
pub fn parent(pid: Pid) -> Option<Pid> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    parse_parent(&stat)
}

/// The tag that a process carries, see `super::spawn`.
pub fn tag(pid: Pid) -> Option<Tag> {
    let text = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    parse_tag(&text)
}

fn children_by_scan() -> Option<Vec<Pid>> {
    let us = Pid::new(std::process::id() as i32)?;
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()).and_then(Pid::new) else {
            continue;
        };
        if parent(pid) == Some(us) {
            found.push(pid);
        }
    }
    Some(found)
}

fn parse_pids(text: &str) -> Vec<Pid> {
    text.split_ascii_whitespace().filter_map(|word| Pid::new(word.parse().ok()?)).collect()
}

/// The command's name is in parentheses and may hold anything, so what counts is after the last.
fn parse_parent(stat: &[u8]) -> Option<Pid> {
    let after = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(&stat[after + 1..]).ok()?;
    Pid::new(rest.split_ascii_whitespace().nth(1)?.parse().ok()?)
}

fn parse_tag(limits: &str) -> Option<Tag> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max file locks"))?;
    line.split_ascii_whitespace().next()?.parse().ok().map(Tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_command_name_does_not_hide_the_parent() {
        assert_eq!(parse_parent(b"7 (a) S 99 (b) S 42 7 7 0"), Pid::new(42));
        assert_eq!(parse_parent(b"7 (\xff\xfe) R 1 7"), Pid::new(1));
        assert_eq!(parse_parent(b"garbage"), None);
    }

    #[test]
    fn the_proc_of_another_namespace_is_none_of_ours() {
        let pid = |number| Pid::new(number).expect("positive");
        let text = "Name:\tx\nPid:\t7\nSigIgn:\t0000000080001000\n";
        assert_eq!(parse_status(text, pid(7)), Some(OwnStatus { ignored_signals: 0x8000_1000 }));
        assert_eq!(parse_status(text, pid(8)), None);
    }

    #[test]
    fn the_tag_is_the_soft_limit_on_file_locks() {
        let text = "Limit  Soft Limit  Hard Limit  Units\n\
                    Max pending signals 94000 94000 signals\n\
                    Max file locks            4611686018427387905  unlimited            locks \n";
        assert_eq!(parse_tag(text), Some(Tag(4_611_686_018_427_387_905)));
        assert_eq!(parse_tag("Max file locks  unlimited  unlimited  locks"), None);
    }
}
