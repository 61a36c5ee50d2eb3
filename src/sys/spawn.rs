//! Starting processes without waiting for them.
//!
//! A new process first shares our memory (`CLONE_VM`), on a stack of its own, until it executes
//! its program: nothing is copied, so it is as fast as vfork(2), and unlike with vfork we go on at
//! once; a program on a dead file system hangs alone. In that time it makes raw system calls only
//! and touches nothing but its `Job`. Where it changes credentials or its OOM score, which belong
//! to the memory they share, it gets a copy (a plain fork).
//!
//! It tells how it went through a pipe: the write end closes when the program is executed; a
//! failure comes as a step and an error number.
//!
//! **The tag.** Every process gets a number of its own as its soft limit on file locks
//! (`RLIMIT_LOCKS`), which has had no effect since Linux 2.4.25 (getrlimit(2)), is inherited by
//! all descendants across fork, exec, setsid and setuid, and can be read by anyone in
//! `/proc/PID/limits`. So a descendant is known as one whatever it did to get away.

use super::fds;
use super::identity;
use super::raw::syscall;
use crate::config::settings::ResourceLimit;
use crate::process::{Failure, Pid, Step, Tag};
use std::cell::Cell;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::ptr;

const STACK_BYTES: usize = 64 * 1024;
const FAILED: usize = 127;

/// What a new process is to become.
#[derive(Debug, Default)]
pub struct Plan {
    /// Arguments, the program's own name first.
    pub argv: Vec<CString>,
    /// `NAME=value`.
    pub environment: Vec<CString>,
    /// Paths to execute, the first that is there.
    pub candidates: Vec<CString>,
    /// Directory to be in.
    pub working_dir: Option<CString>,
    /// For each of 0, 1 and 2: a descriptor of ours to have there, or what we have there.
    pub streams: [Option<RawFd>; 3],
    /// Descriptors to have from 3 on, none of which has a number that low itself: see `fds::high`. They
    /// are open until the process is made, which has its own then.
    pub passed: Vec<RawFd>,
    /// Tell it in `LISTEN_PID` which process it is.
    pub tell_pid: bool,
    /// Its own process group in the foreground of our terminal, in place of its own session.
    pub foreground: bool,
    /// Mark it and its descendants.
    pub tag: Option<Tag>,
    /// Resource limits.
    pub rlimits: Vec<ResourceLimit>,
    /// File creation mask.
    pub umask: Option<u32>,
    /// Nice value.
    pub nice: Option<i32>,
    /// OOM score.
    pub oom_score_adj: Option<i32>,
    /// The only capabilities to have.
    pub capabilities: Option<u64>,
    /// Supplementary groups.
    pub groups: Option<Vec<u32>>,
    /// Group.
    pub gid: Option<u32>,
    /// User.
    pub uid: Option<u32>,
    /// Never gain privileges.
    pub no_new_privs: bool,
}

impl Plan {
    /// Whether the process may share our memory until it executes its program.
    fn may_share_memory(&self) -> bool {
        self.uid.is_none()
            && self.gid.is_none()
            && self.groups.is_none()
            && self.capabilities.is_none()
            && self.oom_score_adj.is_none()
    }
}

/// A process on the way to its program.
#[derive(Debug)]
pub struct Launch {
    pid: Pid,
    report: OwnedFd,
    /// What it still reads: not to be freed before it is done with it.
    _job: Box<Job>,
}

/// How a launch went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Not known yet.
    Pending,
    /// It executed its program, or died without a word.
    Executed,
    /// It could not, and is about to end.
    Failed(Failure),
}

impl Launch {
    /// Start a process.
    ///
    /// # Errors
    /// No process or pipe can be made: the kernel's limits.
    pub fn start(plan: Plan) -> io::Result<Launch> {
        let (report, write_end) = fds::pipe()?;
        let share = plan.may_share_memory();
        let mut job = Box::new(Job::new(plan, write_end.as_raw_fd())?);
        let flags = libc::SIGCHLD | if share { libc::CLONE_VM } else { 0 };
        let top = job.stack.top();
        let argument = ptr::from_mut(&mut *job).cast::<c_void>();
        // SAFETY: the stack is the job's own, the job lives until the pipe says that the process
        // no longer uses our memory, and `become_program` keeps to what its comment says.
        let pid = unsafe { libc::clone(become_program, top, flags, argument) };
        let pid = Pid::new(pid).ok_or_else(io::Error::last_os_error)?;
        Ok(Launch { pid, report, _job: job })
    }

    /// The process.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// How it went. After anything but `Pending` the launch is over once the pipe is closed, which
    /// it is when the process was reaped.
    pub fn outcome(&self) -> Outcome {
        let mut words = [0u8; 8];
        match fds::read(self.report.as_fd(), &mut words) {
            Ok(0) => Outcome::Executed,
            Ok(8) => {
                let number = |at: usize| {
                    u32::from_ne_bytes([words[at], words[at + 1], words[at + 2], words[at + 3]])
                };
                let step = Step::from_number(number(0)).unwrap_or(Step::Execute);
                Outcome::Failed(Failure { step, errno: number(4) as i32 })
            }
            Ok(_) => Outcome::Executed,
            Err(_) => Outcome::Pending,
        }
    }
}

impl AsFd for Launch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.report.as_fd()
    }
}

/// Memory that the kernel hands out and takes back as a whole.
#[derive(Debug)]
struct Stack(*mut c_void);

impl Stack {
    fn new() -> io::Result<Stack> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK | libc::MAP_NORESERVE;
        // SAFETY: a new mapping anywhere.
        let base = unsafe { libc::mmap(ptr::null_mut(), STACK_BYTES, protection, flags, -1, 0) };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Stack(base))
    }

    fn top(&self) -> *mut c_void {
        // SAFETY: the end of the mapping; it is 16-byte aligned as pages are.
        unsafe { self.0.byte_add(STACK_BYTES) }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: exactly what was mapped, and no process runs on it any more.
        unsafe { libc::munmap(self.0, STACK_BYTES) };
    }
}

/// All that a new process needs, in memory that does not move.
#[derive(Debug)]
struct Job {
    plan: Plan,
    argv: Vec<*const c_char>,
    /// The same for a script that does not name its interpreter: the second word is still to be
    /// filled in, by the new process alone.
    script_argv: Vec<Cell<*const c_char>>,
    environment: Vec<*const c_char>,
    tag: Option<libc::rlimit64>,
    limits: Vec<(u32, libc::rlimit64)>,
    oom_score_adj: Vec<u8>,
    /// The variable, to which the new process alone adds its number.
    listen_pid: Option<Box<[Cell<u8>; LISTEN_PID_BYTES]>>,
    /// Where to say how it went; moved out of the way by the new process alone.
    report: Cell<RawFd>,
    stack: Stack,
}

impl Job {
    fn new(plan: Plan, report: RawFd) -> io::Result<Job> {
        let pointers = |words: &[CString]| -> Vec<*const c_char> {
            words.iter().map(|word| word.as_ptr()).chain([ptr::null()]).collect()
        };
        let listen_pid = plan.tell_pid.then(listen_pid);
        let mut environment = pointers(&plan.environment);
        if let Some(text) = &listen_pid {
            environment.insert(0, text.as_ptr().cast());
        }
        Ok(Job {
            argv: pointers(&plan.argv),
            script_argv: script_argv(&plan.argv),
            environment,
            listen_pid,
            tag: tag_limit(&plan),
            limits: other_limits(&plan),
            oom_score_adj: plan.oom_score_adj.map_or(Vec::new(), |n| n.to_string().into_bytes()),
            report: Cell::new(report),
            stack: Stack::new()?,
            plan,
        })
    }
}

const LISTEN_PID: &[u8] = b"LISTEN_PID=";

/// With ten digits, as long as any pid, and the NUL.
const LISTEN_PID_BYTES: usize = LISTEN_PID.len() + 11;

fn listen_pid() -> Box<[Cell<u8>; LISTEN_PID_BYTES]> {
    let text = std::array::from_fn(|at| Cell::new(LISTEN_PID.get(at).copied().unwrap_or(0)));
    Box::new(text)
}

const SHELL: &CStr = c"/bin/sh";

/// `/bin/sh`, the script, and the arguments.
fn script_argv(argv: &[CString]) -> Vec<Cell<*const c_char>> {
    let arguments = argv.iter().skip(1).map(|word| word.as_ptr());
    [SHELL.as_ptr(), ptr::null()]
        .into_iter()
        .chain(arguments)
        .chain([ptr::null()])
        .map(Cell::new)
        .collect()
}

const RLIMIT_LOCKS: u32 = 10;

/// The limit that is the tag.
fn tag_limit(plan: &Plan) -> Option<libc::rlimit64> {
    let tag = plan.tag?;
    Some(libc::rlimit64 { rlim_cur: tag.0, rlim_max: libc::RLIM64_INFINITY })
}

/// The other limits. One on locks would mean nothing to the kernel, and hide the tag.
fn other_limits(plan: &Plan) -> Vec<(u32, libc::rlimit64)> {
    let is_other = |limit: &&ResourceLimit| limit.resource != RLIMIT_LOCKS || plan.tag.is_none();
    plan.rlimits.iter().filter(is_other).map(limit).collect()
}

fn limit(limit: &ResourceLimit) -> (u32, libc::rlimit64) {
    let value = match (limit.value, limit.resource) {
        (Some(value), _) => value,
        // The kernel refuses an infinite number. As many as there may be is what is meant.
        (None, libc::RLIMIT_NOFILE) => identity::open_files_max(),
        (None, _) => libc::RLIM64_INFINITY,
    };
    (limit.resource, libc::rlimit64 { rlim_cur: value, rlim_max: value })
}

/// From the new process to its program. It may share our memory: no allocation, no libc function,
/// no panic; raw system calls on what the job holds.
extern "C" fn become_program(job: *mut c_void) -> c_int {
    // SAFETY: the job that `start` gave, which lives until this process is done with it.
    let job = unsafe { &*job.cast::<Job>() };
    let failure = match prepare(job) {
        Ok(()) => execute(job),
        Err(failure) => failure,
    };
    let words = [failure.step as u32, failure.errno as u32];
    call(libc::SYS_write, [job.report.get() as usize, words.as_ptr() as usize, 8, 0, 0]);
    call(libc::SYS_exit_group, [FAILED, 0, 0, 0, 0]);
    0
}

fn call(number: libc::c_long, args: [usize; 5]) -> isize {
    // SAFETY: every caller passes numbers, or pointers into the job or its own stack, as the
    // system call wants them.
    unsafe { syscall(number, args) }
}

fn check(step: Step, result: isize) -> Result<(), Failure> {
    if result < 0 { Err(Failure { step, errno: -result as i32 }) } else { Ok(()) }
}

fn prepare(job: &Job) -> Result<(), Failure> {
    let plan = &job.plan;
    own_group(plan)?;
    for (target, source) in plan.streams.iter().enumerate() {
        if let Some(source) = source {
            let result = call(libc::SYS_dup3, [*source as usize, target, 0, 0, 0]);
            check(Step::Streams, result)?;
        }
    }
    pass_descriptors(job)?;
    if let Some(text) = &job.listen_pid {
        write_pid(text);
    }
    if let Some(mask) = plan.umask {
        call(libc::SYS_umask, [mask as usize, 0, 0, 0, 0]);
    }
    if let Some(nice) = plan.nice {
        check(Step::Nice, call(libc::SYS_setpriority, [0, 0, nice as usize, 0, 0]))?;
    }
    if !job.oom_score_adj.is_empty() {
        check(Step::OomScore, write_oom_score(&job.oom_score_adj))?;
    }
    if let Some(limit) = &job.tag {
        // A process that cannot be marked is still a process.
        set_limit(RLIMIT_LOCKS, limit);
    }
    for (resource, limit) in &job.limits {
        check(Step::Limits, set_limit(*resource, limit))?;
    }
    if let Some(path) = &plan.working_dir {
        check(Step::WorkingDir, call(libc::SYS_chdir, [path.as_ptr() as usize, 0, 0, 0, 0]))?;
    }
    become_user(plan)?;
    if plan.no_new_privs {
        let option = libc::PR_SET_NO_NEW_PRIVS as usize;
        check(Step::NoNewPrivs, call(libc::SYS_prctl, [option, 1, 0, 0, 0]))?;
    }
    Ok(())
}

fn pass_descriptors(job: &Job) -> Result<(), Failure> {
    if job.plan.passed.is_empty() {
        return Ok(());
    }
    // Beyond all that are passed.
    let lowest = (3 + job.plan.passed.len()).max(fds::HIGH as usize);
    let args = [job.report.get() as usize, libc::F_DUPFD_CLOEXEC as usize, lowest, 0, 0];
    let report = call(libc::SYS_fcntl, args);
    check(Step::Streams, report)?;
    job.report.set(report as RawFd);
    for (index, fd) in job.plan.passed.iter().enumerate() {
        let result = call(libc::SYS_dup3, [*fd as usize, 3 + index, 0, 0, 0]);
        check(Step::Streams, result)?;
    }
    Ok(())
}

/// After the name: decimal, and no allocation.
fn write_pid(text: &[Cell<u8>; LISTEN_PID_BYTES]) {
    let pid = call(libc::SYS_getpid, [0; 5]);
    let mut first = 1;
    while pid / first >= 10 {
        first *= 10;
    }
    let mut at = LISTEN_PID.len();
    while first > 0 && at + 1 < LISTEN_PID_BYTES {
        text[at].set(b'0' + (pid / first % 10) as u8);
        first /= 10;
        at += 1;
    }
}

fn set_limit(resource: u32, limit: &libc::rlimit64) -> isize {
    call(libc::SYS_prlimit64, [0, resource as usize, ptr::from_ref(limit) as usize, 0, 0])
}

/// A session of its own, or a group of its own in the terminal's foreground.
fn own_group(plan: &Plan) -> Result<(), Failure> {
    if !plan.foreground {
        return check(Step::Session, call(libc::SYS_setsid, [0; 5]));
    }
    check(Step::Session, call(libc::SYS_setpgid, [0; 5]))?;
    // SIGTTOU is blocked, so a background group may do this.
    let group = call(libc::SYS_getpid, [0; 5]) as i32;
    let pointer = &raw const group as usize;
    call(libc::SYS_ioctl, [0, libc::TIOCSPGRP as usize, pointer, 0, 0]);
    Ok(())
}

fn write_oom_score(text: &[u8]) -> isize {
    let path = c"/proc/self/oom_score_adj".as_ptr() as usize;
    let flags = (libc::O_WRONLY | libc::O_CLOEXEC) as usize;
    let fd = call(libc::SYS_openat, [libc::AT_FDCWD as usize, path, flags, 0, 0]);
    if fd < 0 {
        return fd;
    }
    let result = call(libc::SYS_write, [fd as usize, text.as_ptr() as usize, text.len(), 0, 0]);
    call(libc::SYS_close, [fd as usize, 0, 0, 0, 0]);
    result
}

fn become_user(plan: &Plan) -> Result<(), Failure> {
    const CAPABILITIES_MAX: usize = 64;
    if let Some(kept) = plan.capabilities {
        for capability in (0..CAPABILITIES_MAX).filter(|bit| kept >> bit & 1 == 0) {
            let read = libc::PR_CAPBSET_READ as usize;
            if call(libc::SYS_prctl, [read, capability, 0, 0, 0]) == 1 {
                let drop = libc::PR_CAPBSET_DROP as usize;
                let result = call(libc::SYS_prctl, [drop, capability, 0, 0, 0]);
                check(Step::Capabilities, result)?;
            }
        }
        let keep = libc::PR_SET_KEEPCAPS as usize;
        check(Step::Capabilities, call(libc::SYS_prctl, [keep, 1, 0, 0, 0]))?;
    }
    if let Some(groups) = &plan.groups {
        let args = [groups.len(), groups.as_ptr() as usize, 0, 0, 0];
        check(Step::Groups, call(libc::SYS_setgroups, args))?;
    }
    if let Some(gid) = plan.gid {
        let gid = gid as usize;
        check(Step::Gid, call(libc::SYS_setresgid, [gid, gid, gid, 0, 0]))?;
    }
    if let Some(uid) = plan.uid {
        let uid = uid as usize;
        check(Step::Uid, call(libc::SYS_setresuid, [uid, uid, uid, 0, 0]))?;
    }
    match plan.capabilities {
        Some(kept) => keep_capabilities(kept),
        None => Ok(()),
    }
}

/// Exactly these, also across exec for a user who is not root.
fn keep_capabilities(kept: u64) -> Result<(), Failure> {
    const VERSION_3: u32 = 0x2008_0522;
    let header = [VERSION_3, 0];
    let (low, high) = (kept as u32, (kept >> 32) as u32);
    let sets = [low, low, low, high, high, high];
    let args = [header.as_ptr() as usize, sets.as_ptr() as usize, 0, 0, 0];
    check(Step::Capabilities, call(libc::SYS_capset, args))?;
    for capability in (0..64usize).filter(|bit| kept >> bit & 1 == 1) {
        let (ambient, raise) = (libc::PR_CAP_AMBIENT as usize, libc::PR_CAP_AMBIENT_RAISE as usize);
        let result = call(libc::SYS_prctl, [ambient, raise, capability, 0, 0]);
        check(Step::Capabilities, result)?;
    }
    Ok(())
}

/// Returns only if no candidate could be executed.
fn execute(job: &Job) -> Failure {
    let none = 0u64;
    let args = [libc::SIG_SETMASK as usize, &raw const none as usize, 0, 8, 0];
    call(libc::SYS_rt_sigprocmask, args);
    let (argv, environment) = (job.argv.as_ptr() as usize, job.environment.as_ptr() as usize);
    let mut errno = libc::ENOENT;
    for path in &job.plan.candidates {
        let args = [path.as_ptr() as usize, argv, environment, 0, 0];
        let error = -call(libc::SYS_execve, args) as i32;
        // What is not there, or not for us, may be in the next directory; anything else counts.
        match error {
            libc::ENOENT | libc::ENOTDIR => {}
            libc::EACCES => errno = error,
            // A script without `#!`: as execvp(3) does it.
            libc::ENOEXEC => {
                job.script_argv[1].set(path.as_ptr());
                let argv = job.script_argv.as_ptr() as usize;
                call(libc::SYS_execve, [SHELL.as_ptr() as usize, argv, environment, 0, 0]);
                return Failure { step: Step::Execute, errno: error };
            }
            _ => return Failure { step: Step::Execute, errno: error },
        }
    }
    Failure { step: Step::Execute, errno }
}
