//! Addresses of endpoints: `ipc://PATH`, `tcp://ADDRESS:PORT`, and `udp://GROUP:PORT` for discovery.
//! What libzmq would take for something else (a port above 65535, a name that it looks up) is refused.

use crate::config::settings::{Endpoint, Host, Multicast, Place};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A path that does not fit is no path of a socket.
pub const IPC_PATH_BYTES_MAX: usize = 107;

/// The address of an endpoint. An error is the end of a sentence and does not repeat the value.
pub fn parse(text: &str) -> Result<Endpoint, String> {
    let text = text.trim();
    let place = if let Some(path) = text.strip_prefix("ipc://") {
        check_path(path)?;
        Place::Ipc(path.into())
    } else if let Some(address) = text.strip_prefix("tcp://") {
        let (host, port) = host_and_port(address, "tcp://127.0.0.1:5555")?;
        Place::Tcp { host: parse_host(host)?, port }
    } else {
        return Err("is no endpoint; write ipc:///PATH or tcp://127.0.0.1:PORT".to_owned());
    };
    Ok(Endpoint { text: text.into(), place })
}

/// The address for discovery.
pub fn parse_multicast(text: &str) -> Result<Multicast, String> {
    let example = "udp://237.219.251.97:12027";
    let text = text.trim();
    let Some(address) = text.strip_prefix("udp://") else {
        return Err(format!("is no address for discovery; write one such as {example}"));
    };
    let (host, port) = host_and_port(address, example)?;
    match host.parse::<Ipv4Addr>() {
        Ok(group) if group.is_multicast() => Ok(Multicast { text: text.into(), group, port }),
        Ok(_) | Err(_) => {
            Err("needs a multicast group, an address from 224.0.0.0 to 239.255.255.255".to_owned())
        }
    }
}

/// A path at which a socket can be.
pub fn check_path(path: &str) -> Result<(), String> {
    if path.starts_with('@') {
        let text = "names a socket without a file, which every user could use; write ipc:///PATH";
        return Err(text.to_owned());
    }
    if path.is_empty() || path == "*" || path.ends_with('/') || path.contains('\0') {
        return Err("names no file; write ipc:///PATH".to_owned());
    }
    if path.len() > IPC_PATH_BYTES_MAX {
        return Err(format!(
            "has a path longer than {IPC_PATH_BYTES_MAX} bytes; choose a shorter one"
        ));
    }
    Ok(())
}

impl Endpoint {
    /// Other machines can connect to it.
    pub fn is_reachable_from_outside(&self) -> bool {
        match &self.place {
            Place::Ipc(_) => false,
            Place::Tcp { host: Host::Address(address), .. } => {
                !address.to_canonical().is_loopback()
            }
            Place::Tcp { host: Host::Interface(name), .. } => &**name != "lo",
        }
    }

    /// Both cannot be bound.
    pub fn clashes_with(&self, other: &Endpoint) -> bool {
        match (&self.place, &other.place) {
            (Place::Ipc(path), Place::Ipc(other)) => path == other,
            (Place::Tcp { host, port }, Place::Tcp { host: other_host, port: other_port }) => {
                let every = |host: &Host| match host {
                    Host::Address(address) => address.is_unspecified(),
                    Host::Interface(_) => false,
                };
                port == other_port && (host == other_host || every(host) || every(other_host))
            }
            (Place::Ipc(_), Place::Tcp { .. }) | (Place::Tcp { .. }, Place::Ipc(_)) => false,
        }
    }
}

fn host_and_port<'a>(address: &'a str, example: &str) -> Result<(&'a str, u16), String> {
    let needs_port = || format!("needs a port from 1 to 65535, such as {example}");
    let (host, port) = address.rsplit_once(':').ok_or_else(needs_port)?;
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse::<u16>().ok().filter(|port| digits && *port > 0);
    Ok((host, port.ok_or_else(needs_port)?))
}

fn parse_host(host: &str) -> Result<Host, String> {
    if let Some(inner) = host.strip_prefix('[') {
        let address = inner.strip_suffix(']').and_then(|inner| inner.parse::<Ipv6Addr>().ok());
        return match address {
            Some(address) => Ok(Host::Address(IpAddr::V6(address))),
            None => Err("has no IPv6 address between its brackets, such as [::1]".to_owned()),
        };
    }
    if host.contains(':') {
        return Err("needs brackets around its IPv6 address, such as [::1]".to_owned());
    }
    match host {
        "*" => return Ok(Host::Address(Ipv4Addr::UNSPECIFIED.into())),
        "localhost" => return Ok(Host::Address(Ipv4Addr::LOCALHOST.into())),
        _ => {}
    }
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return match address.is_multicast() || address.is_broadcast() {
            true => Err("has an address that no machine has".to_owned()),
            false => Ok(Host::Address(address.into())),
        };
    }
    match is_interface(host) {
        true => Ok(Host::Interface(host.into())),
        false => Err("has no address that this machine could have; names are not looked up, write the number, *, \
                      or the name of a network interface"
            .to_owned()),
    }
}

/// What the kernel takes for the name of an interface, without what is more likely to be the name or
/// the number of a machine.
fn is_interface(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let vlan = name.rsplit_once('.').is_none_or(|(_, number)| number.parse::<u16>().is_ok());
    let word = name.bytes().any(|byte| byte.is_ascii_alphabetic());
    (1..=INTERFACE_BYTES_MAX).contains(&name.len()) && name.bytes().all(plain) && vlan && word
}

const INTERFACE_BYTES_MAX: usize = 15;

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(text: &str) -> (Host, u16) {
        match parse(text).map(|endpoint| endpoint.place) {
            Ok(Place::Tcp { host, port }) => (host, port),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn addresses_are_numbers_interfaces_or_all() {
        for (text, address) in [
            ("tcp://127.0.0.1:5555", "127.0.0.1"),
            (" tcp://localhost:5555 ", "127.0.0.1"),
            ("tcp://*:5555", "0.0.0.0"),
            ("tcp://[::1]:5555", "::1"),
            ("tcp://[::]:5555", "::"),
        ] {
            assert_eq!(tcp(text), (Host::Address(address.parse().expect("an address")), 5555));
        }
        assert_eq!(tcp("tcp://eth0.100:1"), (Host::Interface("eth0.100".into()), 1));
        let endpoint = parse(" ipc:///run/a b.sock ").expect("valid");
        assert_eq!(&*endpoint.text, "ipc:///run/a b.sock");
        assert_eq!(endpoint.place, Place::Ipc("/run/a b.sock".into()));
    }

    #[test]
    fn what_cannot_be_bound_or_would_be_bound_elsewhere_is_refused() {
        let long = format!("ipc:///{}", "x".repeat(107));
        for (text, expected) in [
            ("tcp://127.0.0.1:99999", "from 1 to 65535"),
            ("tcp://127.0.0.1:0", "from 1 to 65535"),
            ("tcp://127.0.0.1:*", "from 1 to 65535"),
            ("tcp://127.0.0.1:+80", "from 1 to 65535"),
            ("tcp://127.0.0.1", "from 1 to 65535"),
            ("tcp://", "from 1 to 65535"),
            ("tcp://::1:80", "brackets"),
            ("tcp://[::1:80", "brackets"),
            ("tcp://[fe80::1%eth0]:80", "brackets"),
            ("tcp://example.com:80", "not looked up"),
            ("tcp://averyveryverylonghost:80", "not looked up"),
            ("tcp://300.1.1.1:80", "not looked up"),
            ("tcp://eth0;127.0.0.1:80", "not looked up"),
            ("tcp:// :80", "not looked up"),
            ("tcp://:80", "not looked up"),
            ("tcp://224.0.0.1:80", "no machine has"),
            ("ipc://", "names no file"),
            ("ipc://*", "names no file"),
            ("ipc:///run/", "names no file"),
            ("ipc://@circus", "every user"),
            (&long, "longer than 107 bytes"),
            ("inproc://x", "is no endpoint"),
            ("/run/x.sock", "is no endpoint"),
            ("127.0.0.1:5555", "is no endpoint"),
        ] {
            let reason = parse(text).expect_err(text);
            assert!(reason.contains(expected), "{text}: {reason}");
        }
    }

    #[test]
    fn discovery_needs_a_group_and_a_port() {
        let multicast = parse_multicast("udp://237.219.251.97:12027").expect("valid");
        assert_eq!((multicast.group.octets()[0], multicast.port), (237, 12027));
        for text in
            ["udp://127.0.0.1:1", "udp://240.0.0.1:1", "udp://237.1.1.1", "tcp://237.1.1.1:1"]
        {
            assert!(parse_multicast(text).is_err(), "{text}");
        }
    }

    #[test]
    fn outside_is_everything_but_files_and_the_loopback() {
        for (text, outside) in [
            ("ipc:///x", false),
            ("tcp://127.9.9.9:1", false),
            ("tcp://[::1]:1", false),
            ("tcp://[::ffff:127.0.0.1]:1", false),
            ("tcp://lo:1", false),
            ("tcp://eth0:1", true),
            ("tcp://*:1", true),
            ("tcp://[::]:1", true),
            ("tcp://10.0.0.1:1", true),
        ] {
            assert_eq!(parse(text).expect(text).is_reachable_from_outside(), outside, "{text}");
        }
    }

    #[test]
    fn two_endpoints_need_two_places() {
        for (one, other, clash) in [
            ("ipc:///a", "ipc:///a", true),
            ("ipc:///a", "ipc:///b", false),
            ("tcp://127.0.0.1:1", "tcp://localhost:1", true),
            ("tcp://127.0.0.1:1", "tcp://*:1", true),
            ("tcp://127.0.0.1:1", "tcp://127.0.0.1:2", false),
            ("tcp://127.0.0.1:1", "tcp://127.0.0.2:1", false),
        ] {
            let (one, other) = (parse(one).expect(one), parse(other).expect(other));
            assert_eq!(one.clashes_with(&other), clash, "{one:?} {other:?}");
            assert_eq!(other.clashes_with(&one), clash, "{one:?} {other:?}");
        }
    }
}
