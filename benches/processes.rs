//! What the kernel tells about a contestant's own processes: PID 1 and its helpers, without the
//! children that it was asked to run.

use crate::container::Container;
use std::fs;
use std::path::Path;

#[derive(Debug)]
pub struct Own(Vec<i32>);

impl Own {
    pub fn of(container: &Container) -> Own {
        let space = |pid: i32| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
        let wanted = space(container.pid);
        let is_child = |pid: i32| words(pid).first().is_none_or(|word| *word == container.child);
        let own = all().into_iter().filter(|pid| space(*pid) == wanted && !is_child(*pid));
        Own(own.collect())
    }

    /// CPU time so far, in milliseconds.
    pub fn cpu_ms(&self) -> f64 {
        let run = |text: String| text.split(' ').next()?.parse::<f64>().ok();
        self.threads("schedstat").into_iter().filter_map(run).sum::<f64>() / 1e6
    }

    /// How often one of them has gone to sleep by itself, and so was woken up.
    pub fn sleeps(&self) -> f64 {
        self.threads("status").iter().map(|text| number(text, "voluntary_ctxt_switches:")).sum()
    }

    /// Resident and anonymous memory, in kB.
    pub fn memory_kb(&self) -> (f64, f64) {
        let text = |pid: &i32| fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok();
        let texts: Vec<String> = self.0.iter().filter_map(text).collect();
        let sum = |field| texts.iter().map(|text| number(text, field)).sum();
        (sum("Rss:"), sum("Anonymous:"))
    }

    /// Resident memory of the one that came last, in kB.
    pub fn last_memory_kb(&self) -> f64 {
        let last = self.0.iter().max();
        last.map_or(0.0, |last| Own(vec![*last]).memory_kb().0)
    }

    fn threads(&self, file: &str) -> Vec<String> {
        let folders = |pid: &i32| fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten();
        let paths = self.0.iter().flat_map(folders).flatten().map(|entry| entry.path().join(file));
        paths.filter_map(|path| fs::read_to_string(path).ok()).collect()
    }
}

/// The child with this index, as a process id out here.
pub fn child(container: &Container, index: u32) -> Option<i32> {
    let space = |pid: i32| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let wanted = space(container.pid);
    all().into_iter().find(|pid| {
        let words = words(*pid);
        words.len() > 2
            && words[0] == container.child
            && words[2] == index.to_string()
            && space(*pid) == wanted
    })
}

fn all() -> Vec<i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

fn words(pid: i32) -> Vec<String> {
    let line = fs::read(Path::new("/proc").join(pid.to_string()).join("cmdline"));
    let line = String::from_utf8_lossy(&line.unwrap_or_default()).into_owned();
    line.split_terminator('\0').map(str::to_string).collect()
}

fn number(text: &str, field: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0.0)
}
