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

/// Whether there is a connection to a socket that is bound there. Without /proc there is none.
pub fn is_connected(place: &SocketPlace, address: Option<SocketAddr>) -> bool {
    match (place, address) {
        (SocketPlace::Unix { path, .. }, _) => {
            any_line("/proc/net/unix", |line| is_unix_connection(line, path))
        }
        (SocketPlace::Internet { .. }, Some(address)) => ["/proc/net/tcp", "/proc/net/tcp6"]
            .into_iter()
            .any(|file| any_line(file, |line| is_tcp_connection(line, address.port()))),
        (SocketPlace::Internet { .. }, None) => false,
    }
}

/// Stops at the first that is one, so a service in full use is found out soon.
fn any_line(path: &str, is_one: impl Fn(&str) -> bool) -> bool {
    let Ok(file) = File::open(path) else { return false };
    let mut reader = BufReader::with_capacity(16 * LINE_BYTES_MAX, file);
    let mut line = Vec::new();
    loop {
        line.clear();
        match reader.read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return false,
            Ok(_) if line.len() <= LINE_BYTES_MAX && is_one(&String::from_utf8_lossy(&line)) => {
                return true;
            }
            Ok(_) => {}
        }
    }
}

/// `sl local_address rem_address st …`, numbers hexadecimal.
fn is_tcp_connection(line: &str, port: u16) -> bool {
    let mut words = line.split_ascii_whitespace();
    let local = words.nth(1).and_then(|local| local.rsplit_once(':'));
    let state = words.nth(1).unwrap_or_default();
    let is_here = local.is_some_and(|(_, it)| u16::from_str_radix(it, 16) == Ok(port));
    is_here && TCP_IN_USE.contains(&state)
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
        assert!(is_tcp_connection(line, 8080) && !is_tcp_connection(line, 8081));
        assert!(!is_tcp_connection(&line.replace(" 01 ", " 0A "), 8080));
        assert!(!is_tcp_connection("  sl  local_address rem_address   st tx_queue", 8080));
        let line = "0000000000000000: 00000003 00000000 00000000 0001 03 26 /run/web.sock\n";
        assert!(is_unix_connection(line, "/run/web.sock"));
        assert!(!is_unix_connection(line, "/web.sock"));
        assert!(!is_unix_connection(&line.replace(" 03 ", " 01 "), "/run/web.sock"));
    }
}
