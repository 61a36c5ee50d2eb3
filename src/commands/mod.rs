//! Circus's command set: bytes of a request → a typed command that cannot be wrong; answers and
//! publications → bytes. One place knows what clients may say and what they hear.
//!
//! Nothing here does any I/O or looks at a clock. Watchers are not looked up, and of the
//! values of their options only the kind is judged: `config` knows what they may be.

pub mod json;

mod answer;
mod command;
mod given;
mod matching;
mod members;
mod options;
mod publication;
mod quoted;
mod reply;
mod request;

pub use answer::{
    Answer, Change, ChangeKind, Errno, Info, ProcessDetail, Refusal, Status, WatcherDetail,
};
pub use command::{AskedProcess, Command, Properties, Receivers, Request, Selection};
pub use matching::Matching;
pub use publication::{Publication, publication};
pub use quoted::{quoted, quoted_whole};
pub use reply::{write_reply, write_reply_with};
pub use request::{Rejected, parse};
