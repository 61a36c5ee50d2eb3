//! The terminal: who reads it and gets its signals is the foreground process group.

use crate::process::Pid;
use nix::unistd::{Pid as NixPid, getpgrp, isatty, tcgetpgrp, tcsetpgrp};
use std::os::fd::AsFd;

/// Whether standard input is a terminal that is ours to give away: the controlling one, with our
/// group in the foreground.
pub fn is_ours() -> bool {
    let stdin = std::io::stdin();
    isatty(stdin.as_fd()).unwrap_or(false)
        && tcgetpgrp(stdin.as_fd()).is_ok_and(|group| group == getpgrp())
}

/// Put the group of this process into the foreground.
pub fn give_to(pid: Pid) {
    let _ = tcsetpgrp(std::io::stdin().as_fd(), NixPid::from_raw(pid.number()));
}

/// Put our own group into the foreground.
pub fn take_back() {
    let _ = tcsetpgrp(std::io::stdin().as_fd(), getpgrp());
}

/// How many columns the terminal at standard output has.
pub fn width() -> Option<u16> {
    // SAFETY: plain numbers, for which zero is a value.
    let mut size: libc::winsize = unsafe { core::mem::zeroed() };
    // SAFETY: `size` is ours to write, and as large as the request says.
    let result = unsafe { libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, &raw mut size) };
    (result == 0 && size.ws_col > 0).then_some(size.ws_col)
}
