//! Options of `[socket:NAME]` and `[plugin:NAME]`. Sockets and plugins come later; until then their
//! values are only checked.

use super::{Change, Form, Row, Show, Support, free};
use crate::config::value::{choice, flag, octal, whole};

use Change::Restart;
use Form::{Flag, Number, Text};
use Show::Kept;
use Support::Full;

/// Options of sockets, sorted by name.
#[rustfmt::skip]
pub static SOCKET: [Row<()>; 17] = [
    Row { name: "backlog", default: "2048", change: Restart, support: Full, parse: |_, text| whole(text, 0, 1 << 20).map(drop),
        show: Kept(Number), help: "connections that may wait" },
    Row { name: "blocking", default: "False", change: Restart, support: Full, parse: truth,
        show: Kept(Flag), help: "reads and writes wait" },
    Row { name: "enabled", default: "True", change: Restart, support: Full, parse: truth,
        show: Kept(Flag), help: "False leaves this section out" },
    Row { name: "family", default: "AF_INET", change: Restart, support: Full, parse: |_, text| choice(text, &["AF_INET", "AF_INET6", "AF_UNIX"]).map(drop),
        show: Kept(Text), help: "AF_INET, AF_INET6 or AF_UNIX" },
    Row { name: "group", default: "", change: Restart, support: Full, parse: free,
        show: Kept(Text), help: "group of a unix socket" },
    Row { name: "host", default: "localhost", change: Restart, support: Full, parse: free,
        show: Kept(Text), help: "address to listen at" },
    Row { name: "interface", default: "", change: Restart, support: Full, parse: free,
        show: Kept(Text), help: "network interface to listen at" },
    Row { name: "mode", default: "", change: Restart, support: Full, parse: mask,
        show: Kept(Text), help: "octal mode of a unix socket" },
    Row { name: "name", default: "", change: Restart, support: Full, parse: free,
        show: Kept(Text), help: "another name" },
    Row { name: "owner", default: "", change: Restart, support: Full, parse: free,
        show: Kept(Text), help: "user who owns a unix socket" },
    Row { name: "path", default: "", change: Restart, support: Full, parse: free,
        show: Kept(Text), help: "path of a unix socket" },
    Row { name: "port", default: "8080", change: Restart, support: Full, parse: |_, text| whole(text, 0, 65535).map(drop),
        show: Kept(Number), help: "port; 0 is any free one" },
    Row { name: "proto", default: "", change: Restart, support: Full, parse: free,
        show: Kept(Text), help: "name of the protocol" },
    Row { name: "replace", default: "False", change: Restart, support: Full, parse: truth,
        show: Kept(Flag), help: "remove a unix socket that is in the way" },
    Row { name: "so_reuseport", default: "False", change: Restart, support: Full, parse: truth,
        show: Kept(Flag), help: "every process gets a socket of its own on the same port" },
    Row { name: "type", default: "SOCK_STREAM", change: Restart, support: Full, parse: |_, text| choice(text, &["SOCK_STREAM", "SOCK_DGRAM", "SOCK_RAW", "SOCK_RDM", "SOCK_SEQPACKET"]).map(drop),
        show: Kept(Text), help: "SOCK_STREAM, SOCK_DGRAM, …" },
    Row { name: "umask", default: "", change: Restart, support: Full, parse: mask,
        show: Kept(Text), help: "octal mask for a unix socket" },
];

/// What circusd itself knows of a plugin's options; the rest is the plugin's. Sorted by name.
#[rustfmt::skip]
pub static PLUGIN: [Row<()>; 4] = [
    Row { name: "enabled", default: "True", change: Restart, support: Full, parse: truth,
        show: Kept(Flag), help: "False leaves this section out" },
    Row { name: "name", default: "", change: Restart, support: Full, parse: free,
        show: Kept(Text), help: "name that the plugin is told" },
    Row { name: "priority", default: "1", change: Restart, support: Full, parse: |_, text| whole(text, i32::MIN.into(), i32::MAX.into()).map(drop),
        show: Kept(Number), help: "higher starts first" },
    Row { name: "use", default: "", change: Restart, support: Full, parse: free,
        show: Kept(Text), help: "class of the plugin" },
];

fn truth(_: &mut (), text: &str) -> Result<(), String> {
    flag(text).map(drop)
}

fn mask(_: &mut (), text: &str) -> Result<(), String> {
    if text.trim().is_empty() { Ok(()) } else { octal(text).map(drop) }
}
