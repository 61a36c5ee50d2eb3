//! Who we are, what we may do, and what is set once for the whole process.

use crate::process::{Pid, Tag};
use std::sync::atomic::{AtomicI32, Ordering};

/// Our process id, asked for once: it is written in every line of the log.
pub fn pid() -> Pid {
    let known = PID.load(Ordering::Relaxed);
    let number = if known == 0 { std::process::id() as i32 } else { known };
    PID.store(number, Ordering::Relaxed);
    Pid::new(number).expect("the kernel's ids start at 1")
}

/// 0: not asked for yet.
static PID: AtomicI32 = AtomicI32::new(0);

/// Whether somebody above us does job control and could continue us: not if an init is our parent,
/// or the terminal's session is our own.
pub fn has_job_control_above() -> bool {
    let leads = nix::unistd::getsid(None).is_ok_and(|session| session == nix::unistd::getpid());
    !leads && nix::unistd::getppid().as_raw() > 1
}

/// Our effective user id.
pub fn uid() -> u32 {
    nix::unistd::geteuid().as_raw()
}

/// Our effective group id.
pub fn gid() -> u32 {
    nix::unistd::getegid().as_raw()
}

/// What we may do of that for which the kernel wants a capability.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Become another user: CAP_SETUID and CAP_SETGID.
    pub switch_user: bool,
    /// Signal processes of other users: CAP_KILL.
    pub signal_others: bool,
}

/// Ask the kernel for them.
pub fn capabilities() -> Capabilities {
    const CAP_KILL: u32 = 5;
    const CAP_SETGID: u32 = 6;
    const CAP_SETUID: u32 = 7;
    let effective = effective_capabilities();
    let has = |capability: u32| effective >> capability & 1 == 1;
    Capabilities { switch_user: has(CAP_SETUID) && has(CAP_SETGID), signal_others: has(CAP_KILL) }
}

/// The low 32 of them; none if the kernel does not tell.
fn effective_capabilities() -> u32 {
    const VERSION_3: u32 = 0x2008_0522;
    let header = [VERSION_3, 0];
    let mut data = [0u32; 6];
    // SAFETY: version 3 has a header of 8 bytes and two sets of 12, as given.
    let result = unsafe { libc::syscall(libc::SYS_capget, header.as_ptr(), data.as_mut_ptr()) };
    if result == 0 { data[0] } else { 0 }
}

/// The limits on file locks, which carry the tag: what we inherited if it is one, and whether our
/// processes can be given tags of their own.
pub fn tagging() -> (Option<Tag>, bool) {
    const RLIMIT_LOCKS: libc::c_int = 10;
    let mut limit = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: only reads a limit, into memory of ours.
    let result =
        unsafe { libc::prlimit64(0, RLIMIT_LOCKS as _, core::ptr::null(), &raw mut limit) };
    let inherited = Some(Tag(limit.rlim_cur)).filter(|tag| result == 0 && tag.is_one());
    (inherited, result == 0 && limit.rlim_max == libc::RLIM64_INFINITY)
}

/// So many open files our processes may be allowed to have.
pub fn open_files_max() -> u64 {
    open_files().rlim_max
}

/// So many we may have.
pub fn open_files_now() -> u64 {
    open_files().rlim_cur
}

fn open_files() -> libc::rlimit64 {
    let none = libc::rlimit64 { rlim_cur: libc::RLIM64_INFINITY, rlim_max: libc::RLIM64_INFINITY };
    let mut limit = none;
    // SAFETY: only reads a limit, into memory of ours.
    let result =
        unsafe { libc::prlimit64(0, libc::RLIMIT_NOFILE, core::ptr::null(), &raw mut limit) };
    if result == 0 { limit } else { none }
}

/// Have as many open files ourselves as we may.
pub fn raise_open_files() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// Adopt the orphans among our descendants even if we are not PID 1.
pub fn become_subreaper() -> bool {
    // SAFETY: no memory is involved.
    unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0 }
}

/// The mask for new files.
pub fn set_umask(mask: u32) {
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(mask));
}

/// Go on as a daemon: in the background, in a session of our own. The parent exits with 0.
///
/// # Errors
/// No process can be made.
pub fn daemonize() -> std::io::Result<()> {
    for step in 0..2 {
        // SAFETY: called before there is any other thread, and nothing is shared.
        match unsafe { nix::unistd::fork() }? {
            nix::unistd::ForkResult::Parent { .. } => std::process::exit(0),
            nix::unistd::ForkResult::Child if step == 0 => drop(nix::unistd::setsid()),
            nix::unistd::ForkResult::Child => {}
        }
    }
    PID.store(0, Ordering::Relaxed);
    if let Ok(null) = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null") {
        nix::unistd::dup2_stdin(&null)?;
        nix::unistd::dup2_stdout(&null)?;
        nix::unistd::dup2_stderr(&null)?;
    }
    Ok(())
}

/// End at once, without cleaning up.
pub fn exit_now(code: u8) -> ! {
    // SAFETY: ends the process.
    unsafe { libc::_exit(i32::from(code)) }
}

/// Give memory that is free inside the heap back to the kernel.
pub fn trim_memory() {
    // SAFETY: only frees what malloc does not use.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}

/// 64 random bits; where the kernel has none yet, the clock's.
pub fn seed() -> u64 {
    let mut seed = 0u64;
    // SAFETY: the buffer is as large as said; the call does not wait.
    let length =
        unsafe { libc::getrandom((&raw mut seed).cast(), size_of::<u64>(), libc::GRND_NONBLOCK) };
    if length == size_of::<u64>() as isize {
        return seed;
    }
    let (seconds, micros) = super::clock::wall();
    (seconds as u64) << 20 ^ u64::from(micros)
}
