//! Who is connected to a socket, as far as the kernel shows it in /proc.

use crate::config::settings::SocketPlace;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;

/// States of a connection that somebody still uses: established, about to be, and closed by the
/// other side only.
const TCP_IN_USE: [&str; 3] = ["01", "03", "08"];

const UNIX_CONNECTED: &str = "03";

/// A line is not longer than a path and some numbers.
const LINE_BYTES_MAX: usize = 4096;

/// Who has closed a connection first remembers it for so long (`TCP_TIMEWAIT_LEN`).
const TIME_WAIT: &str = "06";
const TIME_WAIT_MS: u64 = 60_000;

/// Clock ticks of the kernel's tables (`USER_HZ`).
const TICK_MS: u64 = 10;

/// Whether somebody is connected to one of these places, or was within the last `recent_ms`, as far as
/// the kernel remembers; `None` where it does not show that.
pub fn is_connected(places: &[(&SocketPlace, Option<SocketAddr>)], recent_ms: u64) -> Option<bool> {
    let paths: Vec<&str> = places
        .iter()
        .filter_map(|(place, _)| match place {
            SocketPlace::Unix { path, .. } => Some(&**path),
            SocketPlace::Internet { .. } => None,
        })
        .collect();
    let ports: Vec<u16> =
        places.iter().filter_map(|(_, address)| address.map(|it| it.port())).collect();
    let is_unix = |line: &str| paths.iter().any(|path| is_unix_connection(line, path));
    if !paths.is_empty() && any_line("/proc/net/unix", is_unix)? {
        return Some(true);
    }
    if ports.is_empty() {
        return Some(false);
    }
    let is_tcp = |line: &str| is_tcp_connection(line, &ports, recent_ms);
    // Without the other version of the protocol there is no such file.
    Some(any_line("/proc/net/tcp", is_tcp)? || any_line("/proc/net/tcp6", is_tcp).unwrap_or(false))
}

/// Stops at the first that is one, so a service in full use is found out soon. `None`: it cannot be
/// read.
fn any_line(path: &str, is_one: impl Fn(&str) -> bool) -> Option<bool> {
    let mut reader = BufReader::with_capacity(16 * LINE_BYTES_MAX, File::open(path).ok()?);
    let mut line = Vec::new();
    loop {
        line.clear();
        match reader.read_until(b'\n', &mut line) {
            Err(_) => return None,
            Ok(0) => return Some(false),
            Ok(_) if line.len() <= LINE_BYTES_MAX && is_one(&String::from_utf8_lossy(&line)) => {
                return Some(true);
            }
            Ok(_) => {}
        }
    }
}

/// `sl local_address rem_address st tx_queue:rx_queue tr:tm->when …`, numbers hexadecimal.
fn is_tcp_connection(line: &str, ports: &[u16], recent_ms: u64) -> bool {
    let mut words = line.split_ascii_whitespace();
    let local = words.nth(1).and_then(|local| local.rsplit_once(':'));
    let port = local.and_then(|(_, port)| u16::from_str_radix(port, 16).ok());
    if !port.is_some_and(|port| ports.contains(&port)) {
        return false;
    }
    let state = words.nth(1).unwrap_or_default();
    if state != TIME_WAIT {
        return TCP_IN_USE.contains(&state);
    }
    let left = words.nth(1).and_then(|timer| timer.split_once(':'));
    let ticks = left.and_then(|(_, ticks)| u64::from_str_radix(ticks, 16).ok());
    ticks.is_some_and(|ticks| TIME_WAIT_MS.saturating_sub(ticks * TICK_MS) < recent_ms)
}

/// `Num RefCount Protocol Flags Type St Inode Path`. What is accepted has the path of its listener.
fn is_unix_connection(line: &str, path: &str) -> bool {
    let mut words = line.split_ascii_whitespace();
    words.nth(5) == Some(UNIX_CONNECTED) && line.trim_end().ends_with(&format!(" {path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_a_line_of_the_kernels_tables() {
        let line =
            "   1: 0100007F:1F90 0100007F:D2A4 01 00000000:00000000 00:00000000 00000000 0 0 1 1";
        let is_one = |line: &str| is_tcp_connection(line, &[80, 8080], 5000);
        assert!(is_one(line) && !is_tcp_connection(line, &[8081], 5000));
        assert!(!is_one(&line.replace(" 01 ", " 0A ")));
        assert!(!is_one("  sl  local_address rem_address   st tx_queue"));
        // It was closed 4 s ago, or 6 s.
        let closed = line.replace(" 01 ", " 06 ");
        assert!(is_one(&closed.replace("00:00000000 0000", "03:000015E0 0000")));
        assert!(!is_one(&closed.replace("00:00000000 0000", "03:00001518 0000")));
        let line = "0000000000000000: 00000003 00000000 00000000 0001 03 26 /run/web.sock\n";
        assert!(is_unix_connection(line, "/run/web.sock"));
        assert!(!is_unix_connection(line, "/web.sock"));
        assert!(!is_unix_connection(&line.replace(" 03 ", " 01 "), "/run/web.sock"));
    }
}
