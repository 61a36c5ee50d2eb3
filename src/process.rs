//! Plain words about processes: their ids, the tag that all of one process's descendants carry,
//! and how a process ended.

use crate::signal::Signal;
use std::fmt;

/// A process id. Only ever one that the kernel gave us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pid(i32);

impl Pid {
    /// From the kernel's number, which is at least 1: 0 and negative numbers mean groups to kill(2)
    /// and must never be taken for a process.
    pub fn new(number: i32) -> Option<Pid> {
        (number >= 1).then_some(Pid(number))
    }

    /// The kernel's number.
    pub fn number(self) -> i32 {
        self.0
    }
}

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A number that a process inherits from its first ancestor under our care, whatever it does:
/// setsid, a double fork, a change of user or environment. See `sys::tag`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub u64);

impl Tag {
    /// Larger than any limit that somebody sets, and than `instance` and a counter together.
    const BASE: u64 = 1 << 62;
    const INSTANCE_BITS: u64 = 0x3fff_ffff;

    /// The first tag of an instance of circusd; those of its processes follow.
    pub fn first_of(instance: u64) -> Tag {
        Tag(Tag::BASE | (instance & Tag::INSTANCE_BITS) << 32)
    }

    /// One that circusd has made, not any number.
    pub fn is_one(self) -> bool {
        self.0 & Tag::BASE != 0 && self.0 < Tag::BASE << 1
    }

    /// The instance that a circusd is if it carries this tag itself: whoever gave it the tag can
    /// so tell whose descendants its processes are.
    pub fn instance_inside(self) -> u64 {
        self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20 & Tag::INSTANCE_BITS
    }

    /// Whether a process with this tag descends from the one that was given `ancestor`.
    pub fn descends_from(self, ancestor: Tag) -> bool {
        let instance = self.0 >> 32 & Tag::INSTANCE_BITS;
        self == ancestor || self.is_one() && instance == ancestor.instance_inside()
    }

    /// The next one of the same instance.
    #[must_use]
    pub fn next(self) -> Tag {
        Tag(self.0 + 1)
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It exited with this code.
    Exited(u8),
    /// A signal killed it.
    Killed(Signal),
    /// It never became the program that it should have been.
    NotExecuted(Failure),
}

impl Ending {
    /// The code that a shell would report: 128 + signal, 127 for a missing file, 126 for another
    /// failure to execute.
    pub fn exit_code(self) -> u8 {
        match self {
            Ending::Exited(code) => code,
            Ending::Killed(signal) => (128 + signal.number()) as u8,
            Ending::NotExecuted(failure) => failure.exit_code(),
        }
    }
}

/// What kept a new process from becoming its program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// At which step.
    pub step: Step,
    /// The kernel's error number.
    pub errno: i32,
}

const ENOENT: i32 = 2;

impl Failure {
    /// 127 if the program is missing, else 126.
    pub fn exit_code(self) -> u8 {
        match (self.step, self.errno) {
            (Step::Execute, ENOENT) => 127,
            _ => 126,
        }
    }
}

/// The steps from a new process to its program, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Step {
    /// New session, or process group and terminal.
    Session = 1,
    /// Standard input, output and error.
    Streams,
    /// A resource limit.
    Limits,
    /// Nice value.
    Nice,
    /// `oom_score_adj`.
    OomScore,
    /// Capabilities.
    Capabilities,
    /// Supplementary groups.
    Groups,
    /// Group id.
    Gid,
    /// User id.
    Uid,
    /// `PR_SET_NO_NEW_PRIVS`.
    NoNewPrivs,
    /// Working directory.
    WorkingDir,
    /// The program itself.
    Execute,
}

impl Step {
    /// All steps, in order.
    pub const ALL: [Step; 12] = [
        Step::Session,
        Step::Streams,
        Step::Limits,
        Step::Nice,
        Step::OomScore,
        Step::Capabilities,
        Step::Groups,
        Step::Gid,
        Step::Uid,
        Step::NoNewPrivs,
        Step::WorkingDir,
        Step::Execute,
    ];

    /// From its number, as a new process reports it.
    pub fn from_number(number: u32) -> Option<Step> {
        Step::ALL.into_iter().find(|step| *step as u32 == number)
    }
}
