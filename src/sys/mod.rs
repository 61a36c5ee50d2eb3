//! What we ask of the kernel: the only room with unsafe code. Each file offers small safe
//! functions on owned descriptors and plain types; none of them decides anything.

#![allow(unsafe_code, clippy::disallowed_methods)]

pub mod cgroup;
pub mod clock;
pub mod connect;
pub mod connections;
pub mod directory;
pub mod epoll;
pub mod fds;
pub mod figures;
pub mod hosts;
pub mod identity;
pub mod listen;
pub mod notify;
pub mod output;
pub mod packet;
pub mod poll;
pub mod procfs;
mod raw;
pub mod signals;
pub mod socket;
pub mod spawn;
pub mod terminal;
pub mod wait;

/// What the system calls an error number.
pub fn error_text(errno: i32) -> &'static str {
    nix::errno::Errno::from_raw(errno).desc()
}
