//! Names of hosts, without the resolver of the C library: that loads modules, which a static program
//! cannot have, and asks the network, for which PID 1 has no time.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Names of this machine, one line for each address.
pub const HOSTS: &str = "/etc/hosts";

/// The addresses of a number or of a name that is in `HOSTS`; none if it is neither.
pub fn addresses(host: &str) -> Vec<IpAddr> {
    if let Ok(address) = host.parse() {
        return vec![address];
    }
    let hosts = std::fs::read_to_string(HOSTS).unwrap_or_default();
    let mut found = named(&hosts, host);
    if found.is_empty() && host.eq_ignore_ascii_case("localhost") {
        found = vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    }
    found
}

fn named(hosts: &str, host: &str) -> Vec<IpAddr> {
    let lines = hosts.lines().map(|line| line.split('#').next().unwrap_or_default());
    lines
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let address = words.next()?.parse().ok()?;
            words.any(|name| name.eq_ignore_ascii_case(host)).then_some(address)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_looked_up_in_the_hosts_file() {
        let hosts = "127.0.0.1 localhost\n# 10.0.0.1 db\n::1 localhost ip6-localhost\n10.0.0.7 DB.local db # x\n";
        assert_eq!(named(hosts, "db"), ["10.0.0.7".parse::<IpAddr>().expect("an address")]);
        assert_eq!(named(hosts, "localhost").len(), 2);
        assert!(named(hosts, "x").is_empty());
    }
}
