//! What /proc says of one process: its times, its memory, its user and its name. Any of it may be
//! hidden from us, and the process may go at any moment.
//!
//! Never read here: `cmdline`, `environ`, `maps`, `smaps`. For these the kernel takes the lock of the
//! process's memory, which a process that hangs in a file system may hold for ever: PID 1 would hang
//! with it. `stat`, `status` and `limits` show counters and need no such lock.

use crate::process::Pid;
use std::fs;
use std::io::{self, Read};

/// What a look at a process has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// It is there.
    Seen(Stat),
    /// It is there, and nothing about it can be read.
    Hidden,
    /// There is no such process.
    Gone,
}

/// `/proc/PID/stat`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// What the kernel calls it: at most 15 bytes of its program's file name, unless it has given
    /// itself another name.
    pub name: Box<str>,
    /// It has ended and is not reaped.
    pub is_zombie: bool,
    /// Processor time of its own, without that of its children.
    pub ticks: u64,
    /// From -20 to 19.
    pub nice: i8,
    /// How many threads it has.
    pub threads: u32,
    /// When it began, since the boot.
    pub start_ticks: u64,
    /// Memory, roughly: newer kernels count exactly only in `Status`.
    pub memory: Memory,
}

/// `/proc/PID/status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Whose process it is: the real user.
    pub uid: u32,
    /// None of a zombie.
    pub memory: Option<Memory>,
}

/// How large a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// In memory.
    pub resident_bytes: u64,
    /// All that it may use.
    pub virtual_bytes: u64,
}

/// Look at a process.
pub fn look(pid: Pid) -> Look {
    let mut buffer = [0; 1024];
    match read(&format!("/proc/{pid}/stat"), &mut buffer).ok().and_then(parse_stat) {
        Some(stat) => Look::Seen(stat),
        None if exists(pid) => Look::Hidden,
        None => Look::Gone,
    }
}

/// Its user, and its memory.
pub fn status(pid: Pid) -> Option<Status> {
    // With room for some hundred supplementary groups.
    let mut buffer = [0; 8192];
    parse_status(read(&format!("/proc/{pid}/status"), &mut buffer).ok()?)
}

/// Whether there is a process of this number, perhaps a zombie.
pub fn exists(pid: Pid) -> bool {
    let pid = nix::unistd::Pid::from_raw(pid.number());
    nix::sys::signal::kill(pid, None) != Err(nix::errno::Errno::ESRCH)
}

/// Ticks of processor time in a second.
pub fn ticks_per_second() -> u64 {
    // SAFETY: no memory is involved.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    u64::try_from(ticks).ok().filter(|ticks| *ticks > 0).unwrap_or(100)
}

/// The memory of this machine.
pub fn physical_bytes() -> u64 {
    // SAFETY: all of it is numbers, for which zero is a value.
    let mut info: libc::sysinfo = unsafe { core::mem::zeroed() };
    // SAFETY: `info` is ours to write.
    match unsafe { libc::sysinfo(&raw mut info) } {
        #[allow(clippy::unnecessary_cast, reason = "not as wide on every machine")]
        0 => info.totalram as u64 * u64::from(info.mem_unit),
        _ => 0,
    }
}

/// The beginning of a file, which the kernel makes up at each call.
fn read<'a>(path: &str, buffer: &'a mut [u8]) -> io::Result<&'a [u8]> {
    let length = fs::File::open(path)?.read(buffer)?;
    Ok(&buffer[..length])
}

fn parse_stat(stat: &[u8]) -> Option<Stat> {
    // The name is in parentheses and may hold anything, so what counts is after the last.
    let begin = stat.iter().position(|byte| *byte == b'(')? + 1;
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let name = String::from_utf8_lossy(stat.get(begin..end)?).into();
    let fields = std::str::from_utf8(&stat[end + 1..]).ok()?;
    let mut fields = fields.split_ascii_whitespace();
    // As numbered in proc(5), where the state is 3.
    let mut at = 3;
    let mut field = |number: usize| {
        let field = fields.nth(number - at);
        at = number + 1;
        field
    };
    let state = field(3)?;
    let user_ticks: u64 = field(14)?.parse().ok()?;
    let system_ticks: u64 = field(15)?.parse().ok()?;
    let nice = field(19)?.parse().ok()?;
    let threads = field(20)?.parse().ok()?;
    let start_ticks = field(22)?.parse().ok()?;
    let virtual_bytes = field(23)?.parse().ok()?;
    let resident_pages: u64 = field(24)?.parse().ok()?;
    Some(Stat {
        name,
        is_zombie: matches!(state, "Z" | "X"),
        ticks: user_ticks.saturating_add(system_ticks),
        nice,
        threads,
        start_ticks,
        memory: Memory {
            resident_bytes: resident_pages.saturating_mul(page_bytes()),
            virtual_bytes,
        },
    })
}

fn page_bytes() -> u64 {
    // SAFETY: no memory is involved.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(bytes).ok().filter(|bytes| *bytes > 0).unwrap_or(4096)
}

fn parse_status(status: &[u8]) -> Option<Status> {
    let (mut uid, mut resident, mut whole) = (None, None, None);
    // The name at the top may hold anything but a newline.
    for line in status.split(|byte| *byte == b'\n') {
        let number = |line: &[u8]| {
            std::str::from_utf8(line).ok()?.split_ascii_whitespace().next()?.parse::<u64>().ok()
        };
        if let Some(rest) = line.strip_prefix(b"Uid:") {
            uid = number(rest).and_then(|uid| u32::try_from(uid).ok());
        } else if let Some(rest) = line.strip_prefix(b"VmSize:") {
            whole = number(rest);
        } else if let Some(rest) = line.strip_prefix(b"VmRSS:") {
            resident = number(rest);
            // Nothing that we look for comes after it.
            break;
        }
    }
    let memory = whole.zip(resident).map(|(whole, resident)| Memory {
        resident_bytes: resident.saturating_mul(1024),
        virtual_bytes: whole.saturating_mul(1024),
    });
    Some(Status { uid: uid?, memory })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_changes_no_figure() {
        let rest = "S 1 9 9 0 -1 4194560 1 2 3 4 250 25 7000 8000 20 -5 3 0 777 4096000 12 99 1 2";
        for name in ["sleep", "a) R 1 (b", "x\n) S 2"] {
            let stat = parse_stat(format!("7 ({name}) {rest}").as_bytes()).expect("complete");
            let memory = Memory { resident_bytes: 12 * page_bytes(), virtual_bytes: 4_096_000 };
            let expected = Stat {
                name: name.into(),
                is_zombie: false,
                ticks: 275,
                nice: -5,
                threads: 3,
                start_ticks: 777,
                memory,
            };
            assert_eq!(stat, expected);
        }
        for text in ["", "7 (x", "7 (x) S 1 2", "7 (x) S 1 9 9 0 -1 1 1 2 3 4 - 25 0 0 20 0 1 0 7"]
        {
            assert_eq!(parse_stat(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse_stat(b"7 (\xff) \xff"), None);
        assert_eq!(parse_stat(b"7 )( S 1 9 9 0"), None);
    }

    #[test]
    fn a_zombie_is_seen_as_one() {
        let rest = "1 9 9 0 -1 4194560 1 2 3 4 5 6 0 0 20 0 1 0 777 0 0 99 1 2";
        let zombie = parse_stat(format!("7 (x) Z {rest}").as_bytes()).expect("complete");
        assert!(zombie.is_zombie);
        assert_eq!(
            parse_status(b"Name:\tx\nUid:\t5\t6\t6\t6\nThreads:\t1\n"),
            Some(Status { uid: 5, memory: None })
        );
    }

    #[test]
    fn user_and_memory_are_where_the_kernel_writes_them() {
        let text = b"Name:\tUid:\t9\nUmask:\t0022\nUid:\t33\t0\t0\t0\nVmSize:\t  2928 kB\nVmRSS:\t 17 kB\n";
        let memory = Memory { resident_bytes: 17 * 1024, virtual_bytes: 2928 * 1024 };
        assert_eq!(parse_status(text), Some(Status { uid: 33, memory: Some(memory) }));
        assert_eq!(parse_status(b"Name:\tx\n"), None);
        assert_eq!(parse_status(b"Name:\tx\nUid:\t-1\n"), None);
        // What was cut off is missing.
        assert_eq!(parse_status(&text[..40]), Some(Status { uid: 33, memory: None }));
    }

    #[test]
    fn we_are_there_ourselves() {
        let us = super::super::identity::pid();
        let Look::Seen(stat) = look(us) else { panic!("not without /proc") };
        assert!(!stat.is_zombie && stat.threads >= 1 && stat.start_ticks > 0);
        let status = status(us).expect("readable");
        assert!(status.memory.is_some_and(|memory| {
            memory.resident_bytes > 0 && memory.resident_bytes < physical_bytes()
        }));
        assert!(!stat.name.is_empty());
        assert_eq!(look(Pid::new(i32::MAX).expect("positive")), Look::Gone);
    }
}
