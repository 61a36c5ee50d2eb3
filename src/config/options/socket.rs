//! Options of `[socket:NAME]` and `[plugin:NAME]`. Plugins come later; until then their values are
//! only checked.

use super::{Change, Form, Row, Show, Support, free};
use crate::config::settings::SocketKind;
use crate::config::sockets::SocketDraft;
use crate::config::value::{choice, flag, octal, whole};

use Change::{Adjust, Restart};
use Form::{Flag, Number, Text};
use Show::Kept;
use Support::Full;

/// Options of sockets, sorted by name.
#[rustfmt::skip]
pub static SOCKET: [Row<SocketDraft>; 17] = [
    Row { name: "backlog", default: "2048", change: Adjust, support: Full, parse: |to, text| put(&mut to.backlog, whole(text, 0, 1 << 20).map(|number| number as u32)),
        show: Kept(Number), help: "connections that may wait" },
    Row { name: "blocking", default: "False", change: Adjust, support: Full, parse: |to, text| put(&mut to.blocking, flag(text)),
        show: Kept(Flag), help: "reads, writes and accepts wait" },
    Row { name: "enabled", default: "True", change: Restart, support: Full, parse: |_, text| flag(text).map(drop),
        show: Kept(Flag), help: "False leaves this section out" },
    Row { name: "family", default: "AF_INET", change: Restart, support: Full, parse: |to, text| put(&mut to.family, choice(text, &["AF_INET", "AF_INET6", "AF_UNIX"])),
        show: Kept(Text), help: "AF_INET, AF_INET6 or AF_UNIX" },
    Row { name: "group", default: "", change: Adjust, support: Full, parse: |to, text| { to.group = text.trim().into(); Ok(()) },
        show: Kept(Text), help: "group of a unix socket" },
    Row { name: "host", default: "localhost", change: Restart, support: Full, parse: |to, text| { to.host = text.trim().into(); Ok(()) },
        show: Kept(Text), help: "address to be bound to: a number, a name of /etc/hosts, or nothing for every address" },
    Row { name: "interface", default: "", change: Restart, support: Full, parse: |to, text| put(&mut to.interface, interface(text)),
        show: Kept(Text), help: "only what comes by this network interface" },
    Row { name: "mode", default: "", change: Adjust, support: Full, parse: |to, text| put(&mut to.mode, mask(text)),
        show: Kept(Text), help: "octal permissions of a unix socket; 0660 where no umask is written" },
    Row { name: "name", default: "", change: Restart, support: Full, parse: |to, text| { to.name = text.trim().into(); Ok(()) },
        show: Kept(Text), help: "another name" },
    Row { name: "owner", default: "", change: Adjust, support: Full, parse: |to, text| { to.owner = text.trim().into(); Ok(()) },
        show: Kept(Text), help: "user who owns a unix socket" },
    Row { name: "path", default: "", change: Restart, support: Full, parse: |to, text| { to.path = text.trim().into(); Ok(()) },
        show: Kept(Text), help: "path of a unix socket" },
    Row { name: "port", default: "8080", change: Restart, support: Full, parse: |to, text| put(&mut to.port, whole(text, 0, 65535).map(|number| number as u16)),
        show: Kept(Number), help: "port; 0 is any free one" },
    Row { name: "proto", default: "", change: Restart, support: Full, parse: |to, text| put(&mut to.protocol, protocol(text)),
        show: Kept(Text), help: "name or number of the protocol" },
    Row { name: "replace", default: "False", change: Adjust, support: Full, parse: |to, text| put(&mut to.replace, flag(text)),
        show: Kept(Flag), help: "accepted: a unix socket that nobody serves is always replaced, and nothing else ever" },
    Row { name: "so_reuseport", default: "False", change: Restart, support: Full, parse: |to, text| put(&mut to.so_reuseport, flag(text)),
        show: Kept(Flag), help: "every process gets a socket of its own at the same port" },
    Row { name: "type", default: "SOCK_STREAM", change: Restart, support: Full, parse: |to, text| put(&mut to.kind, kind(text)),
        show: Kept(Text), help: "SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_RAW or SOCK_RDM" },
    Row { name: "umask", default: "", change: Adjust, support: Full, parse: |to, text| put(&mut to.umask, mask(text)),
        show: Kept(Text), help: "octal mask for a unix socket, in place of mode" },
];

/// What circusd itself knows of a plugin's options; the rest is the plugin's. Sorted by name.
#[rustfmt::skip]
pub static PLUGIN: [Row<()>; 4] = [
    Row { name: "enabled", default: "True", change: Restart, support: Full, parse: |_, text| flag(text).map(drop),
        show: Kept(Flag), help: "False leaves this section out" },
    Row { name: "name", default: "", change: Restart, support: Full, parse: free,
        show: Kept(Text), help: "name that the plugin is told" },
    Row { name: "priority", default: "1", change: Restart, support: Full, parse: |_, text| whole(text, i32::MIN.into(), i32::MAX.into()).map(drop),
        show: Kept(Number), help: "higher starts first" },
    Row { name: "use", default: "", change: Restart, support: Full, parse: free,
        show: Kept(Text), help: "class of the plugin" },
];

fn put<V>(to: &mut V, value: Result<V, String>) -> Result<(), String> {
    *to = value?;
    Ok(())
}

fn mask(text: &str) -> Result<Option<u32>, String> {
    if text.trim().is_empty() { Ok(None) } else { octal(text).map(Some) }
}

fn kind(text: &str) -> Result<SocketKind, String> {
    let chosen = choice(text, &SocketKind::ALL.map(|(name, _)| name))?;
    let found = SocketKind::ALL.iter().find(|(name, _)| *name == chosen);
    Ok(found.map_or(SocketKind::Stream, |(_, kind)| *kind))
}

fn interface(text: &str) -> Result<Option<Box<str>>, String> {
    match text.trim() {
        "" => Ok(None),
        name if name.len() < INTERFACE_BYTES_MAX => Ok(Some(name.into())),
        _ => Err("is too long for a network interface".to_owned()),
    }
}

fn protocol(text: &str) -> Result<Option<u8>, String> {
    let text = text.trim().to_ascii_lowercase();
    if text.is_empty() {
        return Ok(None);
    }
    if let Some((_, number)) = PROTOCOLS.iter().find(|(name, _)| *name == text) {
        return Ok(Some(*number));
    }
    let names = PROTOCOLS.map(|(name, _)| name);
    text.parse().map(Some).map_err(|_| format!("is none of {}, and no number", names.join(", ")))
}

/// The kernel's `IFNAMSIZ`.
const INTERFACE_BYTES_MAX: usize = 16;

/// IANA's numbers.
const PROTOCOLS: [(&str, u8); 7] = [
    ("icmp", 1),
    ("ip", 0),
    ("ipv6-icmp", 58),
    ("sctp", 132),
    ("tcp", 6),
    ("udp", 17),
    ("udplite", 136),
];
