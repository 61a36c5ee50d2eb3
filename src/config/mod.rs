//! Ini text to settings: everything that knows what a configuration file may say.
//!
//! `load` goes from files to a `Config`; `changed` and `added` from a client's options to settings;
//! `shown_options` back to what clients read; `differences` says what is new in other settings;
//! `program` goes from the settings of a watcher to what is executed. Nothing here does any I/O:
//! files come from a `Source`.

pub mod dependencies;
pub mod endpoint;
pub mod options;
pub mod program;
pub mod settings;
pub mod sockets;
pub mod spelling;
pub mod syslog;
pub mod value;
pub mod words;

mod change;
mod circus;
mod difference;
mod doubts;
mod draft;
mod env_file;
mod environment;
mod expand;
mod hooks;
mod ini;
mod kernel;
mod later;
mod load;
mod mistake;
mod probe;
mod python;
mod sections;
mod show;
mod signals;
mod users;
mod watcher;

pub use change::{Refused, added, changed};
pub use difference::{circus_differences, differences, strongest};
pub use load::load;
pub use mistake::Mistake;
pub use show::{Shown, shown_circus, shown_options};
pub use watcher::main_command;

use settings::{SocketSettings, WatcherSettings};
use std::rc::Rc;

/// What there is, for options that name others.
pub trait Watchers {
    /// The one of this name, by the rules of whoever asks for case.
    fn watcher(&self, name: &str) -> Option<&WatcherSettings>;
    /// The sockets that there are, sorted by name.
    fn sockets(&self) -> &[Rc<SocketSettings>];
}

/// Those of a configuration, by exactly their names.
impl Watchers for Vec<Rc<WatcherSettings>> {
    fn watcher(&self, name: &str) -> Option<&WatcherSettings> {
        self.iter().find(|watcher| *watcher.name == *name).map(|watcher| &**watcher)
    }

    fn sockets(&self) -> &[Rc<SocketSettings>] {
        &[]
    }
}

/// Where files come from: the library does no I/O itself.
pub trait Source {
    /// Content of a file (the implementer limits the size). Err: a short reason such as
    /// `No such file or directory`.
    fn read(&self, path: &str) -> Result<Vec<u8>, String>;
    /// Paths that match a shell pattern, sorted. A path without wildcards matches itself if it is
    /// there; otherwise nothing does.
    fn glob(&self, pattern: &str) -> Vec<String>;
    /// Content of a file that is put into a value: a secret. A source that only shows a
    /// configuration gives something else.
    fn read_secret(&self, path: &str) -> Result<Vec<u8>, String> {
        self.read(path)
    }
    /// Absolute current directory.
    fn current_dir(&self) -> String;
}

#[cfg(test)]
mod tests;
