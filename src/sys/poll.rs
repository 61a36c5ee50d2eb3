//! Waiting until a descriptor has something to say or a time has come. (When only signals can
//! come, `signals::wait` does it in one system call less.)

use crate::moment::Moment;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

/// What is waited for on one descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Something to read, or its end.
    Read,
    /// Room to write, or nobody to read it.
    Write,
}

/// The descriptors of one wait.
#[derive(Debug, Default)]
pub struct PollSet {
    entries: Vec<libc::pollfd>,
}

impl PollSet {
    /// Forget all.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// Wait for this too.
    pub fn add(&mut self, fd: BorrowedFd<'_>, interest: Interest) {
        let events = match interest {
            Interest::Read => libc::POLLIN,
            Interest::Write => libc::POLLOUT,
        };
        self.entries.push(libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 });
    }

    /// Wait until a descriptor is ready or `until` has come; for ever if that is `None`.
    pub fn wait(&mut self, until: Option<Moment>) {
        let timeout = until.map(super::clock::time_until);
        let timeout = timeout.as_ref().map_or(core::ptr::null(), core::ptr::from_ref);
        // SAFETY: the array and its length belong together; a null timeout and mask are allowed.
        let ready = unsafe {
            libc::ppoll(
                self.entries.as_mut_ptr(),
                self.entries.len() as libc::nfds_t,
                timeout,
                core::ptr::null(),
            )
        };
        if ready < 0 {
            self.entries.iter_mut().for_each(|entry| entry.revents = 0);
        }
    }

    /// All that the last wait found ready, or broken.
    pub fn ready(&self) -> impl Iterator<Item = RawFd> {
        self.entries.iter().filter(|entry| entry.revents != 0).map(|entry| entry.fd)
    }

    /// Whether the last wait found this one ready, or broken.
    pub fn is_ready(&self, fd: RawFd) -> bool {
        self.entries.iter().any(|entry| entry.fd == fd && entry.revents != 0)
    }
}
