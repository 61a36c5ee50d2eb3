//! What /proc says of processes. It may be missing, and every process in it may go at any moment:
//! nothing here is an error.

use crate::process::{Pid, Tag};
use std::collections::{BTreeMap, BTreeSet};
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

/// All that descend from a process, each with its parent, and not the process itself; those whose
/// parent has ended no longer do. At most `DESCENDANTS_MAX`.
pub fn descendants(pid: Pid) -> Vec<(Pid, Pid)> {
    let mut families = Families::default();
    let mut seen = BTreeSet::from([pid]);
    let mut found: Vec<(Pid, Pid)> = Vec::new();
    let mut next = Some(pid);
    for at in 0.. {
        let Some(parent) = next else { break };
        for child in families.children_of(parent, None) {
            // A number may come up twice if its process goes and another one comes meanwhile.
            if found.len() < DESCENDANTS_MAX && seen.insert(child) {
                found.push((parent, child));
            }
        }
        next = found.get(at).map(|(_, child)| *child);
        if at + 1 == LISTS_READ_MAX {
            families.read_all();
        }
    }
    found
}

/// More is no tree that somebody wants.
pub const DESCENDANTS_MAX: usize = 10_000;

/// After so many lists it is less work to read all of /proc, for who has many children.
const LISTS_READ_MAX: usize = 64;

/// Who is whose child: for some questions that are asked in one moment, so that all of /proc is read
/// once at most, and only if the kernel keeps no lists or a process has many threads.
#[derive(Debug, Default)]
pub struct Families {
    by_parent: Option<BTreeMap<Pid, Vec<Pid>>>,
}

impl Families {
    /// Its direct children. `threads` is how many threads it has, if that is known.
    pub fn children_of(&mut self, pid: Pid, threads: Option<u32>) -> Vec<Pid> {
        if self.by_parent.is_none() {
            match threads {
                Some(1) => {
                    match only_list(pid) {
                        Some(children) => return children,
                        // Nothing can be different for other processes.
                        None if !has_lists() => {}
                        None => return Vec::new(),
                    }
                }
                Some(count) if count > THREADS_WITH_LISTS_MAX => {}
                Some(_) | None if has_lists() => return children_of(pid),
                Some(_) | None => {}
            }
        }
        self.read_all().get(&pid).cloned().unwrap_or_default()
    }

    fn read_all(&mut self) -> &BTreeMap<Pid, Vec<Pid>> {
        self.by_parent.get_or_insert_with(by_parent)
    }
}

/// The list of a process with one thread, in one piece if it is short: most are empty.
fn only_list(pid: Pid) -> Option<Vec<Pid>> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let mut text = [0; 1024];
    let length = fs::File::open(&path).ok()?.read(&mut text).ok()?;
    // The kernel may give a little less than what there is room for.
    if length > text.len() / 2 {
        return Some(parse_pids(&fs::read_to_string(&path).ok()?));
    }
    Some(parse_pids(std::str::from_utf8(&text[..length]).ok()?))
}

/// Each thread has a list of its own; from here on it is less work to read all of /proc.
const THREADS_WITH_LISTS_MAX: u32 = 32;

fn has_lists() -> bool {
    fs::metadata("/proc/thread-self/children").is_ok()
}

fn by_parent() -> BTreeMap<Pid, Vec<Pid>> {
    let mut families: BTreeMap<Pid, Vec<Pid>> = BTreeMap::new();
    for (child, parent) in all().into_iter().flatten().filter_map(|pid| Some((pid, parent(pid)?))) {
        families.entry(parent).or_default().push(child);
    }
    families
}

/// The parent of a process.
pub fn parent(pid: Pid) -> Option<Pid> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    parse_parent(&stat)
}

/// When a process was made, in the kernel's ticks since it has run: whoever gets the number of a
/// process later was made later.
pub fn made_at(pid: Pid) -> Option<u64> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    parse_stat(&stat, 22)?.parse().ok()
}

/// It is no process but one of its threads: those are found by their numbers too.
pub fn is_thread(pid: Pid) -> bool {
    let status = fs::read(format!("/proc/{pid}/status")).unwrap_or_default();
    let group = parse_status_number(&status, b"Tgid:");
    group.is_some_and(|group| group != u64::from(pid.number().unsigned_abs()))
}

/// The user that a process belongs to: its real one, which who executes a set-user-id program keeps.
pub fn real_uid(pid: Pid) -> Option<u32> {
    let status = fs::read(format!("/proc/{pid}/status")).ok()?;
    u32::try_from(parse_status_number(&status, b"Uid:")?).ok()
}

/// The tag that a process carries, see `super::spawn`.
pub fn tag(pid: Pid) -> Option<Tag> {
    let text = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    parse_tag(&text)
}

fn children_by_scan() -> Option<Vec<Pid>> {
    let us = super::identity::pid();
    Some(all()?.filter(|pid| parent(*pid) == Some(us)).collect())
}

/// All processes that we can see.
fn all() -> Option<impl Iterator<Item = Pid>> {
    let entries = fs::read_dir("/proc").ok()?.flatten();
    Some(entries.filter_map(|entry| Pid::new(entry.file_name().to_str()?.parse().ok()?)))
}

fn parse_pids(text: &str) -> Vec<Pid> {
    text.split_ascii_whitespace().filter_map(|word| Pid::new(word.parse().ok()?)).collect()
}

fn parse_parent(stat: &[u8]) -> Option<Pid> {
    Pid::new(parse_stat(stat, 4)?.parse().ok()?)
}

/// A field after the command's name, by its number in proc(5). The name is in parentheses and may
/// hold anything, so what counts is after the last.
fn parse_stat(stat: &[u8], number: usize) -> Option<&str> {
    let after = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(&stat[after + 1..]).ok()?;
    rest.split_ascii_whitespace().nth(number - 3)
}

/// The first number of a line. The command's name cannot make up one: the kernel escapes line feeds.
fn parse_status_number(status: &[u8], name: &[u8]) -> Option<u64> {
    let line = status.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(name))?;
    std::str::from_utf8(line).ok()?.split_ascii_whitespace().next()?.parse().ok()
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
        let stat = b"7 (a) 1 2) S 42 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 8812 99 5";
        assert_eq!(parse_stat(stat, 22), Some("8812"));
        assert!(made_at(crate::sys::identity::pid()).is_some());
    }

    #[test]
    fn the_real_user_is_the_first_of_four() {
        let status = b"Name:\tU\xffid:\nTgid:\t7\nPid:\t7\nUid:\t33\t0\t0\t0\n";
        assert_eq!(parse_status_number(status, b"Uid:"), Some(33));
        assert_eq!(parse_status_number(b"Name:\tx\n", b"Uid:"), None);
        let thread = Pid::new(nix::unistd::gettid().as_raw()).expect("positive");
        assert!(is_thread(thread), "a test has a thread of its own");
        assert!(!is_thread(crate::sys::identity::pid()));
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

    #[test]
    fn descendants_are_found_by_the_lists_and_without_them() {
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", "sh -c 'sleep 300; :' & wait"]);
        let mut shell = shell.stdin(std::process::Stdio::null()).spawn().expect("a shell");
        let pid = Pid::new(shell.id() as i32).expect("positive");
        let end = std::time::Instant::now() + std::time::Duration::from_secs(25);
        while descendants(pid).len() < 2 {
            assert!(std::time::Instant::now() < end, "never three generations");
            std::thread::yield_now();
        }
        let all = descendants(pid);
        assert_eq!((all[0].0, all[1].0), (pid, all[0].1), "each with its parent");
        let all = [all[0].1, all[1].1];
        let mut without_lists = Families::default();
        without_lists.read_all();
        assert_eq!(without_lists.children_of(pid, Some(1)), all[..1]);
        assert_eq!(without_lists.children_of(all[0], None), all[1..]);
        for threads in [None, Some(1), Some(2), Some(1000)] {
            assert_eq!(Families::default().children_of(pid, threads), all[..1], "{threads:?}");
        }
        for pid in &all {
            let pid = nix::unistd::Pid::from_raw(pid.number());
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
        }
        let _ = shell.wait();
        assert!(descendants(pid).is_empty());
    }
}
