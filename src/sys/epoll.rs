//! Waiting for many descriptors at once, at a price that does not grow with those that are silent.

use crate::moment::Moment;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use std::io;
use std::os::fd::BorrowedFd;

/// A set of descriptors, each with a number of ours.
#[derive(Debug)]
pub struct EpollSet {
    epoll: Epoll,
}

/// How many are told at once.
const EVENTS_MAX: usize = 64;

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Something to read, or its end.
    Read,
    /// Room to write, or nobody to read it.
    Write,
    /// Both.
    Both,
}

impl Wanted {
    fn flags(self) -> EpollFlags {
        match self {
            Wanted::Read => EpollFlags::EPOLLIN,
            Wanted::Write => EpollFlags::EPOLLOUT,
            Wanted::Both => EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT,
        }
    }
}

impl EpollSet {
    /// An empty one.
    ///
    /// # Errors
    /// There are no more descriptors.
    pub fn new() -> io::Result<EpollSet> {
        Ok(EpollSet { epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)? })
    }

    /// Wait for this too.
    ///
    /// # Errors
    /// It cannot be waited for, such as a file, or is there already.
    pub fn add(&self, fd: BorrowedFd<'_>, number: u64, wanted: Wanted) -> io::Result<()> {
        Ok(self.epoll.add(fd, EpollEvent::new(wanted.flags(), number))?)
    }

    /// Wait for something else there.
    pub fn change(&self, fd: BorrowedFd<'_>, number: u64, wanted: Wanted) {
        let _ = self.epoll.modify(fd, &mut EpollEvent::new(wanted.flags(), number));
    }

    /// Do not wait for it any more. To be said before it is closed if others have it too.
    pub fn remove(&self, fd: BorrowedFd<'_>) {
        let _ = self.epoll.delete(fd);
    }

    /// Wait until some are ready or `until` has come; for ever if that is `None`. Puts the numbers
    /// of those that are ready in place of what is in `ready`.
    pub fn wait(&self, until: Option<Moment>, ready: &mut Vec<u64>) {
        ready.clear();
        let timeout = until.map_or(EpollTimeout::NONE, |until| {
            let ms = until.since_ms(super::clock::now());
            // The clock has parts of milliseconds, and what has not come yet is not waited for twice.
            EpollTimeout::try_from(ms.saturating_add(1)).unwrap_or(EpollTimeout::MAX)
        });
        let mut events = [EpollEvent::empty(); EVENTS_MAX];
        let count = self.epoll.wait(&mut events, timeout).unwrap_or_default();
        ready.extend(events.iter().take(count).map(EpollEvent::data));
    }
}
