//! Circus's command set: bytes of a request → a typed command that cannot be wrong; results →
//! the bytes of the reply. One place knows what clients may say and what they hear.
//!
//! `parse` and `reply` are pure: no I/O, no clock. Names of watchers are not looked up here.

pub mod json;

mod answer;
mod command;
mod publication;

pub use answer::{
    Answer, Change, ChangeKind, Errno, Info, ProcessDetail, Refusal, Status, WatcherDetail,
};
pub use command::{Command, Matching, Properties, Receivers, Request, Selection};
pub use publication::Publication;
