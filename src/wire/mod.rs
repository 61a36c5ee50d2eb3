//! What circusd and its gateway say to each other over a stream socket, as bytes and back.
//!
//! A frame is its length (4 bytes, little-endian, of what follows), its kind (1 byte) and a payload.
//! Whoever reads trusts nothing: a broken frame is an error, never a panic, and every part has a
//! limit.

pub mod log;

mod inbox;

pub use inbox::Inbox;

use std::fmt;

/// The longest request that a client may send.
pub const REQUEST_BYTES_MAX: usize = 262_144;
/// The longest reply, and the longest body of a publication.
pub const REPLY_BYTES_MAX: usize = 4 << 20;
/// The longest identity of a client: ZeroMQ's own limit.
pub const IDENTITY_BYTES_MAX: usize = u8::MAX as usize;
/// The longest topic of a publication.
pub const TOPIC_BYTES_MAX: usize = u16::MAX as usize;
/// The longest line for the log.
pub const NOTE_BYTES_MAX: usize = 1024;
/// The longest frame that a gateway may send, without its length.
pub const FROM_GATEWAY_BYTES_MAX: usize = 1 + 4 + 1 + IDENTITY_BYTES_MAX + REQUEST_BYTES_MAX;
/// The longest frame that circusd may send, and so the longest of all, without its length.
pub const FRAME_BYTES_MAX: usize = 1 + 2 + TOPIC_BYTES_MAX + REPLY_BYTES_MAX;

const LENGTH_BYTES: usize = 4;
/// In place of a uid: the transport does not tell. The kernel gives this number to nobody.
const UID_UNKNOWN: u32 = u32::MAX;
/// The gravest level of a note: critical.
const LEVEL_MAX: u8 = 4;

/// What a gateway says to circusd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FromGateway<'a> {
    /// A client asks for something.
    Request {
        /// Whose process it is by the kernel's word; `None` where the transport does not tell.
        uid: Option<u32>,
        /// Which client: the reply needs it.
        identity: &'a [u8],
        /// What it sent.
        body: &'a [u8],
    },
    /// So many different subscriptions are in force, or fewer; 0 only if nobody listens.
    Subscribers(u32),
    /// A line for circusd's log.
    Note {
        /// 0 debug, 1 info, 2 warning, 3 error, 4 critical.
        level: u8,
        /// One line; what is beyond its limit is left out.
        text: &'a str,
    },
    /// Both endpoints are served.
    Ready,
}

/// What circusd says to its gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToGateway<'a> {
    /// The answer for a client.
    Reply {
        /// Which client, as its request said.
        identity: &'a [u8],
        /// The whole answer.
        body: &'a [u8],
    },
    /// Something for whoever has subscribed to the start of its topic.
    Publication {
        /// What it is about.
        topic: &'a [u8],
        /// What has happened.
        body: &'a [u8],
    },
}

/// Why a frame cannot be what the other side meant to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// It says that it is so long, which is nothing or more than allowed.
    Length(u32),
    /// Nobody knows this kind.
    Kind(u8),
    /// It ends within a field.
    Short,
    /// A field, or the frame, is longer than allowed.
    Long,
    /// No such level.
    Level(u8),
    /// The text is not UTF-8.
    Text,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Broken::Length(length) => write!(f, "a frame of {length} bytes"),
            Broken::Kind(kind) => write!(f, "a frame of the unknown kind {kind}"),
            Broken::Short => f.write_str("a frame that ends too soon"),
            Broken::Long => f.write_str("a frame with a field that is too long"),
            Broken::Level(level) => write!(f, "a note of the unknown level {level}"),
            Broken::Text => f.write_str("a note that is not UTF-8"),
        }
    }
}

impl std::error::Error for Broken {}

impl<'a> FromGateway<'a> {
    const REQUEST: u8 = 1;
    const SUBSCRIBERS: u8 = 2;
    const NOTE: u8 = 3;
    const READY: u8 = 4;

    /// Write the whole frame, its length first, to the end of `out`.
    ///
    /// An identity that is longer than ZeroMQ's own limit is a mistake in this program.
    pub fn append_to(&self, out: &mut Vec<u8>) {
        append_frame(out, |out| match *self {
            FromGateway::Request { uid, identity, body } => {
                out.push(Self::REQUEST);
                out.extend_from_slice(&uid.unwrap_or(UID_UNKNOWN).to_le_bytes());
                append_identity(out, identity);
                out.extend_from_slice(body);
            }
            FromGateway::Subscribers(count) => {
                out.push(Self::SUBSCRIBERS);
                out.extend_from_slice(&count.to_le_bytes());
            }
            FromGateway::Note { level, text } => {
                out.push(Self::NOTE);
                out.push(level.min(LEVEL_MAX));
                out.extend_from_slice(start_of(text, NOTE_BYTES_MAX));
            }
            FromGateway::Ready => out.push(Self::READY),
        });
    }

    /// From a frame without its length.
    pub fn parse(frame: &'a [u8]) -> Result<FromGateway<'a>, Broken> {
        let (kind, mut rest) = kind_of(frame)?;
        let message = match kind {
            Self::REQUEST => {
                let uid = u32::from_le_bytes(take(&mut rest)?);
                let identity = take_identity(&mut rest)?;
                let body = take_body(&mut rest, REQUEST_BYTES_MAX)?;
                let uid = (uid != UID_UNKNOWN).then_some(uid);
                FromGateway::Request { uid, identity, body }
            }
            Self::SUBSCRIBERS => FromGateway::Subscribers(u32::from_le_bytes(take(&mut rest)?)),
            Self::NOTE => {
                let [level] = take(&mut rest)?;
                if level > LEVEL_MAX {
                    return Err(Broken::Level(level));
                }
                let text = take_body(&mut rest, NOTE_BYTES_MAX)?;
                let text = std::str::from_utf8(text).map_err(|_| Broken::Text)?;
                FromGateway::Note { level, text }
            }
            Self::READY => FromGateway::Ready,
            other => return Err(Broken::Kind(other)),
        };
        if rest.is_empty() { Ok(message) } else { Err(Broken::Long) }
    }
}

impl<'a> ToGateway<'a> {
    const REPLY: u8 = 1;
    const PUBLICATION: u8 = 2;

    /// Write the whole frame, its length first, to the end of `out`.
    ///
    /// The body must not be longer than `REPLY_BYTES_MAX`: the gateway takes that for a broken
    /// frame. An identity or a topic beyond its limit is a mistake in this program.
    pub fn append_to(&self, out: &mut Vec<u8>) {
        append_frame(out, |out| match *self {
            ToGateway::Reply { identity, body } => {
                out.push(Self::REPLY);
                append_identity(out, identity);
                out.extend_from_slice(body);
            }
            ToGateway::Publication { topic, body } => {
                out.push(Self::PUBLICATION);
                let length = u16::try_from(topic.len()).expect("a topic is short");
                out.extend_from_slice(&length.to_le_bytes());
                out.extend_from_slice(topic);
                out.extend_from_slice(body);
            }
        });
    }

    /// From a frame without its length.
    pub fn parse(frame: &'a [u8]) -> Result<ToGateway<'a>, Broken> {
        let (kind, mut rest) = kind_of(frame)?;
        match kind {
            Self::REPLY => {
                let identity = take_identity(&mut rest)?;
                let body = take_body(&mut rest, REPLY_BYTES_MAX)?;
                Ok(ToGateway::Reply { identity, body })
            }
            Self::PUBLICATION => {
                let length = u16::from_le_bytes(take(&mut rest)?);
                let topic = take_slice(&mut rest, usize::from(length))?;
                let body = take_body(&mut rest, REPLY_BYTES_MAX)?;
                Ok(ToGateway::Publication { topic, body })
            }
            other => Err(Broken::Kind(other)),
        }
    }
}

fn append_frame(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; LENGTH_BYTES]);
    write(out);
    let length = u32::try_from(out.len() - start - LENGTH_BYTES).expect("a frame is short");
    out[start..start + LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
}

fn append_identity(out: &mut Vec<u8>, identity: &[u8]) {
    out.push(u8::try_from(identity.len()).expect("an identity is short"));
    out.extend_from_slice(identity);
}

/// Only whole letters.
fn start_of(text: &str, bytes_max: usize) -> &[u8] {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text.as_bytes()[..end]
}

fn kind_of(frame: &[u8]) -> Result<(u8, &[u8]), Broken> {
    frame.split_first().map(|(kind, rest)| (*kind, rest)).ok_or(Broken::Short)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Broken> {
    let (field, after) = rest.split_first_chunk().ok_or(Broken::Short)?;
    *rest = after;
    Ok(*field)
}

fn take_slice<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], Broken> {
    let (field, after) = rest.split_at_checked(length).ok_or(Broken::Short)?;
    *rest = after;
    Ok(field)
}

fn take_identity<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Broken> {
    let [length] = take(rest)?;
    take_slice(rest, usize::from(length))
}

/// All that is left.
fn take_body<'a>(rest: &mut &'a [u8], bytes_max: usize) -> Result<&'a [u8], Broken> {
    if rest.len() > bytes_max {
        return Err(Broken::Long);
    }
    Ok(std::mem::take(rest))
}

#[cfg(test)]
mod tests;
