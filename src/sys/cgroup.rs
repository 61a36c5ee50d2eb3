//! How often the kernel has killed a process of this container for lack of memory, by the counters
//! of cgroup version 2 (`memory.events`) or 1 (`memory.oom_control`, since Linux 4.13).

use std::fs;
use std::path::{Path, PathBuf};

/// The file with the counter.
#[derive(Debug)]
pub struct OomCounter {
    path: PathBuf,
    last: u64,
}

impl OomCounter {
    /// Find this process's counter; `None` where the kernel or the container shows none.
    pub fn find() -> Option<OomCounter> {
        Self::find_in(Path::new("/sys/fs/cgroup"), &fs::read_to_string("/proc/self/cgroup").ok()?)
    }

    fn find_in(mount: &Path, memberships: &str) -> Option<OomCounter> {
        // Lines are `0::/path` for version 2, `4:memory:/path` for version 1. Inside a container
        // the path may be the host's, while the mount shows only our own group as its root.
        for line in memberships.lines() {
            let mut parts = line.splitn(3, ':').skip(1);
            let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
            let (root, file) = match controllers {
                "" => (mount.to_path_buf(), "memory.events"),
                "memory" => (mount.join("memory"), "memory.oom_control"),
                _ => continue,
            };
            for folder in [root.join(path.trim_start_matches('/')), root] {
                let path = folder.join(file);
                if let Some(last) = read(&path) {
                    return Some(OomCounter { path, last });
                }
            }
        }
        None
    }

    /// Whether it has gone up since the last call.
    pub fn has_risen(&mut self) -> bool {
        let now = read(&self.path).unwrap_or(self.last);
        std::mem::replace(&mut self.last, now) < now
    }
}

fn read(path: &Path) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let path =
            std::env::temp_dir().join(format!("circus-cgroup-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder for the test");
        path
    }

    #[test]
    fn version_2_is_read_from_our_own_group() {
        let root = folder("v2");
        fs::create_dir_all(root.join("a/b")).expect("folder");
        fs::write(root.join("a/b/memory.events"), "low 0\noom 3\noom_kill 2\n").expect("file");
        let mut counter = OomCounter::find_in(&root, "0::/a/b\n").expect("found");
        assert!(!counter.has_risen());
        fs::write(root.join("a/b/memory.events"), "low 0\noom 4\noom_kill 3\n").expect("file");
        assert!(counter.has_risen());
        assert!(!counter.has_risen());
        fs::remove_dir_all(root).expect("removed");
    }

    #[test]
    fn version_1_is_found_where_the_path_is_the_hosts() {
        let root = folder("v1");
        fs::create_dir_all(root.join("memory")).expect("folder");
        let file = root.join("memory/memory.oom_control");
        fs::write(&file, "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n").expect("file");
        let lines = "5:cpu:/docker/x\n4:memory:/docker/x\n1:name=systemd:/docker/x\n";
        let mut counter = OomCounter::find_in(&root, lines).expect("found");
        fs::write(&file, "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n").expect("file");
        assert!(counter.has_risen());
        fs::remove_dir_all(root).expect("removed");
    }
}
